"""The runbook: the plan on paper, for the night on which no screen works.

Order, and for each step what it waits for, who does it and their telephone, how, what proves it, how long it takes
and what to do if it fails, with boxes to tick and lines for the time; then the releases, the stop, and room for notes.
Every page carries the fingerprint of the estate it was made from, so that an old copy is recognised.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from releve.clock import Instant
from releve.estate import Command, Duration, Estate, Unit
from releve.recovery.plan import Plan, make_stop_plan
from releve.sitrep.pdf import print_on_paper
from releve.sitrep.runbook_wording import RUNBOOK_WORDS
from releve.sitrep.wording import date_text, length_text

#: So many waiting units are named where a step fails; the order names them all.
WAITING_NAMED_MAX = 6

#: Tags for screen readers double the time and the size of a plan of thousands of steps.
TAGGED_MAX = 300

#: So much of the fingerprint is printed: enough to tell two copies apart by eye and over the telephone.
FINGERPRINT_CHARS = 12


def fingerprint(estate: Estate) -> str:
    """Return a short hash of all that a runbook is made of: the same at every place that has the same estate.

    Comments, the place of a line and the folder in which the file lies do not change it.
    """
    units = {id_: replace(unit, line=0) for id_, unit in estate.units.items()}
    bare = replace(estate, units=units, files=())
    text = msgspec.json.encode(bare, enc_hook=dict, order="sorted").decode()
    text = text.replace(_beside(estate), "")
    digest = sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARS]
    return "-".join(digest[place : place + 4] for place in range(0, FINGERPRINT_CHARS, 4))


def runbook(estate: Estate, plan: Plan, lang: str, at: Instant) -> bytes:
    """Return the plan of an estate as a PDF in "fr" or "en".

    at  when it is printed, which stands on every copy
    """
    return print_on_paper(
        "runbook.typ",
        contents(estate, plan, lang, at),
        at_s=at // 1_000_000,
        is_read_aloud=len(estate.units) <= TAGGED_MAX,
    )


def contents(estate: Estate, plan: Plan, lang: str, at: Instant) -> dict[str, Any]:
    """Return all that is printed, as the template takes it."""
    return _Runbook(estate, plan, lang).pages(at)


def _order(estate: Estate, plan: Plan) -> list[str]:
    """Return the units in the order of their first steps; gates belong to their unit."""
    return list(dict.fromkeys(step.unit for step in plan.steps if step.unit in estate.units))


class _Runbook:
    """An estate and its plan as words for paper."""

    def __init__(self, estate: Estate, plan: Plan, lang: str) -> None:
        self._estate = estate
        self._plan = plan
        self._lang = lang
        self._words = RUNBOOK_WORDS[lang]
        self._beside = _beside(estate)
        self._places = {unit: place for place, unit in enumerate(_order(estate, plan), 1)}
        self._starts_s = {step.unit: step.start_s for step in reversed(plan.steps)}
        self._waiting: dict[str, list[str]] = {unit: [] for unit in estate.units}
        for unit in estate.units.values():
            for need in self._first(unit):
                self._waiting[need].append(unit.id)

    def pages(self, at: Instant) -> dict[str, Any]:
        """Return everything that is printed."""
        estate, words = self._estate, self._words
        name, mark = estate.name.in_language(self._lang), fingerprint(estate)
        counts = {
            "units": len(estate.units),
            "services": len(estate.services()),
            "hospitals": len(estate.hospitals()),
            "feeds": len(estate.feeds()),
        }
        return {
            "lang": self._lang,
            "words": words,
            "name": name,
            "stamp": words["stamp"].format(when=date_text(at, estate.zone, self._lang), hash=mark),
            "foot": words["page"].format(title=words["title"], name=name, hash=mark),
            "use": [words[f"use.{number}"] for number in range(1, 6)],
            "counts": words["overview.counts"].format(**counts),
            "length": words["overview.length"].format(length=length_text(self._plan.makespan_s)),
            "services": [self._service(unit) for unit in estate.services()],
            "capacities": [
                {"name": one.name.in_language(self._lang), "amount": one.amount} for one in estate.capacities.values()
            ],
            "breaks": [
                words["break"].format(
                    unit=self._name(one.unit), without=self._name(one.without), how=one.how.in_language(self._lang)
                )
                for one in estate.breaks
            ],
            "contacts": [self._contact(id_) for id_ in estate.contacts],
            "steps": [self._step(estate.units[unit]) for unit in self._places],
            "gates": [unit.name.in_language(self._lang) for unit in self._released()],
            "hospitals": [self._hospital(site.id) for site in estate.hospitals()],
            "stops": [self._stop(estate.units[unit]) for unit in _order(estate, make_stop_plan(estate))],
        }

    def _service(self, unit: Unit) -> dict[str, Any]:
        return {
            "name": unit.name.in_language(self._lang),
            "tier": unit.tier,
            "hospitals": len(unit.hospitals),
            "place": self._places.get(unit.id, 0),
            "release": self._release(unit),
        }

    def _contact(self, id_: str) -> dict[str, Any]:
        contact = self._estate.contacts[id_]
        owns = [unit.id for unit in self._estate.units.values() if unit.owner == id_]
        return {
            "name": contact.name.in_language(self._lang),
            "role": contact.role,
            "phone": _number(contact.phone),
            "mail": contact.email,
            "owns": self._few(owns),
        }

    def _step(self, unit: Unit) -> dict[str, Any]:
        words = self._words
        start_s = self._starts_s[unit.id]
        facts = [(words["needs"], self._needs(unit)), (words["who"], self._who(unit.start, unit.owner))]
        facts += [(words["how"], self._how(unit.start, words["comes"])), (words["proof"], _bare(unit.probe, words))]
        if unit.start is not None:
            facts.append((words["time"], self._length(unit.duration)))
        facts += [
            (
                words["break.here"],
                words["break"].format(
                    unit=self._name(unit.id), without=self._name(one.without), how=one.how.in_language(self._lang)
                ),
            )
            for one in self._estate.breaks
            if one.unit == unit.id
        ]
        if unit.check is not None:
            facts.append((words["check"], self._how(unit.check, "")))
        facts.append((words["fails"], self._fails(unit)))
        if release := self._release(unit):
            facts.append((words["release"], release))
        return {
            "place": self._places[unit.id],
            "name": unit.name.in_language(self._lang),
            "id": unit.id,
            "where": self._where(unit),
            "planned": f"+ {length_text(start_s)}" if start_s else "0",
            "after": ", ".join(str(self._places[one]) for one in self._first(unit) if one in self._places),
            "who": self._who(unit.start, unit.owner, short=True),
            "facts": [{"name": name, "text": text} for name, text in facts],
        }

    def _stop(self, unit: Unit) -> dict[str, Any]:
        return {
            "name": unit.name.in_language(self._lang),
            "id": unit.id,
            "how": self._how(unit.stop, self._words["left"]),
            "who": self._who(unit.stop, unit.owner, short=True),
            "length": self._length(unit.stop_duration) if unit.stop is not None and unit.stop_duration else "",
            "acts": unit.stop is not None,
        }

    def _hospital(self, site: str) -> dict[str, Any]:
        return {
            "name": self._estate.sites[site].name.in_language(self._lang),
            "has": [site in unit.hospitals for unit in self._released()],
        }

    def _released(self) -> list[Unit]:
        """Return the services that a person must release to care."""
        return [unit for unit in self._estate.services() if unit.release]

    def _first(self, unit: Unit) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._estate.first_needs(unit), *unit.needs_any)))

    def _needs(self, unit: Unit) -> str:
        words, parts = self._words, []
        if hard := self._estate.first_needs(unit):
            parts.append(", ".join(self._name(one) for one in hard))
        if unit.needs_any:
            parts.append(words["any"].format(units=", ".join(self._name(one) for one in unit.needs_any)))
        if unit.wants:
            parts.append(words["wants"].format(units=", ".join(self._name(one) for one in unit.wants)))
        return words["; "].join(parts) or words["nothing"]

    def _who(self, command: Command | None, owner: str, *, short: bool = False) -> str:
        """Return who does it: the person a step is for, else the owner; with a telephone."""
        id_ = command.address if command is not None and command.driver == "person" and command.address else owner
        contact = self._estate.contacts.get(id_)
        if contact is None:
            return id_ or ("" if short else self._words["nobody"])
        name = contact.name.in_language(self._lang)
        return f"{name}, {_number(contact.phone)}" if contact.phone else name

    def _how(self, command: Command | None, absent: str) -> str:
        if command is None:
            return absent
        if command.driver == "person":
            told = command.words.in_language(self._lang) if command.words is not None else shlex.join(command.argv)
            return self._words["person"].format(words=told)
        key = command.driver if command.driver in ("local", "ssh", "redfish", "ansible") else "local"
        address = _without_password(command.address)
        # A playbook lies beside the estate file, which lies elsewhere at every hospital.
        told = shlex.join(command.argv).replace(self._beside, "")
        return self._words[key].format(command=told, address=address)

    def _length(self, duration: Duration | None) -> str:
        if duration is None:
            return self._words["time.none"]
        return self._words["time.range"].format(p50=length_text(duration.p50_s), p90=length_text(duration.p90_s))

    def _fails(self, unit: Unit) -> str:
        words = self._words
        is_machine = unit.start is not None and unit.start.driver != "person"
        first = [words["fails.tries"].format(tries=unit.tries)] if is_machine and unit.tries > 1 else []
        if unit.repair is not None:
            return " ".join([*first, unit.repair.in_language(self._lang)])
        if waiting := self._waiting[unit.id]:
            return " ".join([*first, words["fails.default"].format(units=self._few(waiting))])
        return " ".join([*first, words["fails.alone"]])

    def _release(self, unit: Unit) -> str:
        if not unit.release:
            return ""
        words = self._words
        contact = self._estate.contacts.get(unit.release)
        who = contact.name.in_language(self._lang) if contact is not None else unit.release
        if contact is not None and contact.phone:
            who = f"{who}, {_number(contact.phone)}"
        parts = [words["release.each"].format(who=who) if unit.released_by_hospital else who]
        if unit.wave:
            parts.append(words["waves"].format(count=unit.wave))
        return words["; "].join(parts)

    def _where(self, unit: Unit) -> str:
        room = self._estate.rooms.get(unit.room)
        site = self._estate.sites.get(unit.site)
        names = [one.name.in_language(self._lang) for one in (site, room) if one is not None]
        return ", ".join(names)

    def _few(self, ids: Sequence[str]) -> str:
        names = [self._name(one) for one in ids[:WAITING_NAMED_MAX]]
        return ", ".join(names) + (f" … ({len(ids)})" if len(ids) > WAITING_NAMED_MAX else "")

    def _name(self, id_: str) -> str:
        place = self._places.get(id_)
        name = self._estate.units[id_].name.in_language(self._lang)
        return f"{name} ({place})" if place is not None else name


def _beside(estate: Estate) -> str:
    """Return what the paths of files beside the estate file begin with; it is another folder at every place."""
    folder = Path(estate.files[0]).parent if estate.files else Path()
    return f"{folder}/" if folder != Path() else ""


def _bare(probe: str | None, words: Mapping[str, str]) -> str:
    return _without_password(probe) if probe else words["proof.none"]


def _number(phone: str) -> str:
    """Return a telephone number that stays on one line."""
    return phone.replace(" ", "\u00a0")


def _without_password(address: str) -> str:
    """Return an address as it may stand on paper: paper lies about."""
    parts = urlsplit(address)
    if parts.password is None:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}"))
