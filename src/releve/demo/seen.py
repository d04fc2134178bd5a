"""What a node shows to whoever asks it by FHIR, compared with what its senders said."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from releve.demo.account import Entry, Fact

#: Bigger pages than a browser wants: the checker reads everything.
PAGE_RESOURCES = 500
PAGES_MAX = 200
REQUEST_TIMEOUT_S = 20.0

Resource = dict[str, Any]


class Fhir:
    """One node's FHIR door."""

    def __init__(self, base_url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=REQUEST_TIMEOUT_S
        )

    async def search(self, type_: str, **parameters: str) -> list[Resource]:
        """Return every match of a search, following the pages.

        raises  httpx.HTTPError  the node does not answer, or not with 200
        """
        found: list[Resource] = []
        answer = await self._get(f"/fhir/{type_}", {**parameters, "_count": str(PAGE_RESOURCES)})
        for _ in range(PAGES_MAX):
            found += [
                entry["resource"] for entry in answer.get("entry", []) if entry["resource"]["resourceType"] == type_
            ]
            following = next((link["url"] for link in answer.get("link", []) if link["relation"] == "next"), "")
            if not following:
                return found
            answer = await self._get(following, None)
        raise httpx.HTTPError(f"{type_}: more than {PAGES_MAX} pages of {PAGE_RESOURCES}")

    async def read(self, type_: str, id_: str) -> Resource:
        """Return one resource.

        raises  httpx.HTTPError  the node does not answer, or not with 200
        """
        return await self._get(f"/fhir/{type_}/{id_}", None)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _get(self, url: str, parameters: dict[str, str] | None) -> Resource:
        response = await self._client.get(url, params=parameters)
        response.raise_for_status()
        value: Resource = response.json()
        return value


def expected_facts(entries: Iterable[Entry]) -> list[Fact]:
    """Return what must be read: of each thing, what the last acknowledged message about it said.

    A thing is left out when a later message about it has no answer: whether that one was kept is not known.
    """
    said: dict[tuple[str, str], Fact | None] = {}
    for entry in sorted(entries, key=lambda entry: entry.sent.at):
        for fact in entry.sent.facts:
            name = (fact.kind, fact.key)
            if not entry.is_acknowledged:
                said[name] = None
            elif fact.says or name not in said:
                said[name] = fact
    return [fact for fact in said.values() if fact is not None]


class Comparison:
    """What a node showed of the facts that were expected: how many as sent, and the sentences about the others."""

    def __init__(self) -> None:
        self.expected = 0
        self.found = 0
        self.lost: list[str] = []
        self.wrong: list[str] = []
        self.duplicated: list[str] = []


async def compare(fhir: Fhir, where: str, facts: Iterable[Fact]) -> Comparison:
    """Read every expected fact at a node. where is the node's name, for the sentences."""
    by_person: dict[str, list[Fact]] = {}
    for fact in facts:
        person = fact.key if fact.kind == "person" else fact.says.get("patient", "")
        by_person.setdefault(person, []).append(fact)
    result = Comparison()
    for person, about in by_person.items():
        await _compare_person(fhir, where, person, about, result)
    return result


async def _compare_person(fhir: Fhir, where: str, person: str, facts: list[Fact], result: Comparison) -> None:
    result.expected += len(facts)
    patients = await fhir.search("Patient", identifier=person)
    if not patients:
        result.lost += [f"{where}: {fact.kind} {_short(fact.key)} – the patient is not there" for fact in facts]
        return
    if len(patients) > 1:
        result.duplicated.append(f"{where}: {len(patients)} patients bear {_short(person)}")
    about: dict[str, list[Resource]] = {"person": patients}
    for kind, type_ in (("stay", "Encounter"), ("result", "Observation"), ("note", "DocumentReference")):
        if any(fact.kind == kind for fact in facts):
            about[kind] = await fhir.search(type_, patient=patients[0]["id"])
    for fact in facts:
        _compare_fact(where, fact, about["person" if fact.kind == "admission" else fact.kind], result)


def _compare_fact(where: str, fact: Fact, resources: list[Resource], result: Comparison) -> None:
    matching = [resource for resource in resources if _MATCH[fact.kind](fact, resource)]
    name = f"{where}: {fact.kind} {_short(fact.key)}"
    if not matching:
        result.lost.append(f"{name} is not there")
        return
    if len(matching) > 1:
        result.duplicated.append(f"{name} is there {len(matching)} times")
    shown = _SHOWN[fact.kind](matching[0])
    differing = [
        f"{key} is {shown[key]!r}, {value!r} was sent"
        for key, value in fact.says.items()
        if key in shown and not _same(shown[key], value)
    ]
    if differing:
        result.wrong.append(f"{name}: {'; '.join(differing)}")
    else:
        result.found += 1


def _same(shown: str, sent: str) -> bool:
    """Compare as text, and numbers as numbers: 4.20 was sent and 4.2 is shown."""
    if shown == sent:
        return True
    try:
        return float(shown) == float(sent)
    except ValueError:
        return False


def _short(key: str) -> str:
    """Return the number without its authority, which is long and the same for all."""
    return key.rpartition("|")[2]


def _identified(fact: Fact, resource: Resource) -> bool:
    system, _, value = fact.key.rpartition("|")
    return any(
        one.get("value") == value and (not system or one.get("system") == system)
        for one in resource.get("identifier", [])
    )


def _says_note(fact: Fact, resource: Resource) -> bool:
    return any(fact.key in text for text in note_texts(resource))


def note_texts(resource: Resource) -> list[str]:
    """Return the texts attached to a document."""
    attachments = [item.get("attachment", {}) for item in resource.get("content", [])]
    return [b64decode(one["data"]).decode("utf-8", "replace") for one in attachments if one.get("data")]


def _show_person(resource: Resource) -> dict[str, str]:
    names = resource.get("name", [])
    name = next((one for one in names if one.get("use") == "official"), names[0] if names else {})
    shown = {"family": name.get("family", ""), "given": (name.get("given") or [""])[0]}
    return shown | {key: resource.get(key, "") for key in ("birthDate", "gender")}


def _show_stay(resource: Resource) -> dict[str, str]:
    places = resource.get("location", [])
    place = next((one for one in places if one.get("status") == "active"), places[-1] if places else {})
    identifier = place.get("location", {}).get("identifier", {})
    return {"status": resource.get("status", ""), "place": identifier.get("value", "")}


def _show_result(resource: Resource) -> dict[str, str]:
    quantity = resource.get("valueQuantity", {})
    unit = quantity.get("code") or quantity.get("unit", "")
    return {"value": str(quantity.get("value", "")), "unit": unit, "status": resource.get("status", "")}


def _show_note(resource: Resource) -> dict[str, str]:
    return {"text": "\n".join(note_texts(resource))}


_MATCH: dict[str, Callable[[Fact, Resource], bool]] = {
    "person": _identified,
    "stay": _identified,
    "result": _identified,
    "note": _says_note,
    "admission": _identified,
}
_SHOWN: dict[str, Callable[[Resource], dict[str, str]]] = {
    "person": _show_person,
    "stay": _show_stay,
    "result": _show_result,
    "note": _show_note,
    "admission": _show_person,
}
