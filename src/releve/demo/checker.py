"""The checker: compares what the senders got acknowledged with what lies and shows everywhere, from outside.

    accounts of the senders  →  what was promised
    log of each node, streams of each hub  →  what is kept (files and the depot's own protocol)
    FHIR of each node  →  what is shown
    the record application's database file  →  what came back to the centre

It asks no status, no metric and no verification of Relève, and believes no count that it has not made.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

import httpx

from releve.demo.account import Entry, Fact, read_account
from releve.demo.kept import Holding, Kept, read_hub, read_log
from releve.demo.seen import Comparison, Fhir, compare, expected_facts
from releve.demo.verdict import SAMPLED_NODES, HospitalVerdict

#: Up to so many hospitals every fact is read at every node; above, those of some people at some other nodes.
READ_ALL_HOSPITALS_MAX = 6
SAMPLED_PEOPLE = 12
GROUP = "group"


@dataclass(frozen=True)
class Place:
    """A hospital as the checker sees it: where its node keeps its log and how it is read; whose accounts count."""

    id: str
    name: str
    folder: Path
    url: str
    token: str
    accounts: tuple[Path, ...]


@dataclass(frozen=True)
class Centre:
    """What the record application holds, read from its database file.

    kept     sha256 of a message → how many rows hold it
    refused  control id → (the message, why), of what was refused and not accepted later
    notes    text of each note
    people   numbers of the people it knows
    """

    kept: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    people: frozenset[str] = frozenset()


def read_centre(path: Path) -> Centre:
    """Read the record application's own file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        kept = Counter(sha256(bytes.fromhex(raw)).hexdigest() for (raw,) in db.execute("SELECT raw FROM message"))
        held = {control_id for (control_id,) in db.execute("SELECT control_id FROM message")}
        refused = {
            control_id: (bytes.fromhex(raw), reason)
            for control_id, raw, reason in db.execute("SELECT control_id, raw, reason FROM refusal")
            if control_id not in held
        }
        notes = [text for (text,) in db.execute("SELECT text FROM note")]
        people = frozenset(patient.partition("^")[0] for (patient,) in db.execute("SELECT patient FROM person"))
    return Centre(kept, refused, notes, people)


async def check(
    places: Sequence[Place], hubs: Mapping[str, tuple[Path, str]], centre: Centre | None, *, seed: int
) -> list[HospitalVerdict]:
    """Return the verdict on every hospital; reads, restart and reports are the night's to add.

    hubs    name → (folder, url)
    centre  None when there is no centre to have written back to
    """
    accounts = {place.id: [entry for path in place.accounts for entry in read_account(path)] for place in places}
    logs = {place.id: await asyncio.to_thread(read_log, place.folder) for place in places}
    depots = {name: await read_hub(folder, url) for name, (folder, url) in hubs.items()}
    verdicts = []
    for place in places:
        entries = accounts[place.id]
        verdict = HospitalVerdict(place.id, place.name, sent=len(entries))
        verdict.acknowledged = sum(entry.is_acknowledged for entry in entries)
        verdict.captures = sum(is_capture(entry) for entry in entries if entry.is_acknowledged)
        _check_own(verdict, entries, logs[place.id])
        _check_others(verdict, place, logs)
        _check_hubs(verdict, place, logs[place.id], depots)
        if centre is not None:
            _check_centre(verdict, entries, centre)
        verdicts.append(verdict)
    await _check_shown(places, verdicts, accounts, seed)
    return verdicts


def is_capture(entry: Entry) -> bool:
    """True for what a person wrote on a page; its account holds no message."""
    return not entry.sent.raw


def _check_own(verdict: HospitalVerdict, entries: Sequence[Entry], log: Holding) -> None:
    """Every acknowledged message must lie once in the log of the node that acknowledged it, byte for byte."""
    own = [event for event in log.events if event.origin == verdict.id]
    messages = Counter(event.content for event in own if event.content)
    captures = [event for event in own if event.text]
    for entry in entries:
        if is_capture(entry):
            copies = sum(
                all(fact.key.rpartition("|")[2] in event.text for fact in entry.sent.facts) for event in captures
            )
        else:
            copies = messages[sha256(entry.raw).hexdigest()]
        if entry.is_acknowledged:
            verdict.at_own += copies > 0
            if not copies:
                verdict.lost.append(f"{entry.sent.control_id} was acknowledged and is not in its log")
        if copies > 1:
            verdict.duplicated.append(f"{entry.sent.control_id} lies {copies} times in its log")
    verdict.lost += log.faults


def _check_others(verdict: HospitalVerdict, place: Place, logs: Mapping[str, Holding]) -> None:
    """What every hospital may hold must lie at every other node, event for event."""
    expected = _digests(logs[place.id], place.id, {GROUP})
    for other, log in logs.items():
        if other != place.id:
            held = _digests(log, place.id, {GROUP})
            verdict.elsewhere_expected += len(expected)
            verdict.elsewhere_found += len(expected.keys() & held.keys())
            verdict.lost += [f"{_name(expected[one])} is not in the log of {other}" for one in expected.keys() - held]
            strange = [event for one, event in held.items() if one not in expected]
            verdict.lost += [f"{_name(event)} lies at {other} and not at its own hospital" for event in strange]


def _check_hubs(verdict: HospitalVerdict, place: Place, log: Holding, depots: Mapping[str, Holding]) -> None:
    """Everything of a hospital, shared or not, must lie in both hubs."""
    expected = _digests(log, place.id, None)
    for hub, depot in depots.items():
        held = _digests(depot, place.id, None)
        verdict.at_hubs[hub] = len(expected), len(expected.keys() & held.keys())
        verdict.lost += [f"{_name(expected[one])} is not in hub {hub}" for one in expected.keys() - held.keys()]
        verdict.lost += [f"hub {hub}: {fault}" for fault in depot.faults if fault.startswith(f"{place.id}/")]


def _digests(holding: Holding, origin: str, channels: set[str] | None) -> dict[bytes, Kept]:
    return {
        event.digest: event
        for event in holding.events
        if event.origin == origin and (channels is None or event.channel in channels)
    }


def _name(event: Kept) -> str:
    return f"{event.origin}/{event.channel} event {event.seq}"


def _check_centre(verdict: HospitalVerdict, entries: Sequence[Entry], centre: Centre) -> None:
    """What the hospital's own feeds and people said must be in the record application once, or refused by it."""
    for entry in _owed(entries):
        verdict.owed += 1
        control_id = entry.sent.control_id
        copies = _copies_at(centre, entry)
        if copies > 1:
            verdict.duplicated.append(f"{control_id} is {copies} times in the record application")
        if copies:
            verdict.accepted += 1
        elif (reason := _refusal(centre, entry)) is not None:
            verdict.refused += 1
            verdict.refusals.append(f"{control_id}: {reason}")
        else:
            verdict.missing_at_centre.append(f"{control_id} is neither accepted nor refused by the record application")


def not_back(entries: Sequence[Entry], centre: Centre) -> list[str]:
    """Return the control ids of what was acknowledged and is neither accepted nor refused at the centre."""
    return [
        entry.sent.control_id
        for entry in _owed(entries)
        if not _copies_at(centre, entry) and _refusal(centre, entry) is None
    ]


def _owed(entries: Sequence[Entry]) -> list[Entry]:
    """Return what is owed to the record application; its own messages and the laboratory's are not sent back."""
    return [entry for entry in entries if entry.is_acknowledged and entry.sent.sender not in ("DPI", "SIL")]


def _refusal(centre: Centre, entry: Entry) -> str | None:
    """Return why the record application refused an entry, None when it did not."""
    if not is_capture(entry):
        refused = centre.refused.get(entry.sent.control_id)
        return refused[1] if refused is not None and refused[0] == entry.raw else None
    token = entry.sent.facts[0].key.rpartition("|")[2].encode()
    return next((reason for raw, reason in centre.refused.values() if token in raw), None)


def _copies_at(centre: Centre, entry: Entry) -> int:
    if not is_capture(entry):
        return centre.kept.get(sha256(entry.raw).hexdigest(), 0)
    fact = entry.sent.facts[0]
    if fact.kind == "note":
        return sum(fact.key in text for text in centre.notes)
    return int(fact.key.rpartition("|")[2] in centre.people)


async def _check_shown(
    places: Sequence[Place], verdicts: Sequence[HospitalVerdict], accounts: Mapping[str, Sequence[Entry]], seed: int
) -> None:
    """Every fact must be readable at the hospital's own node, and at the others what they may hold."""
    rng = Random(seed)  # noqa: S311 - which people are read, not a secret
    for place, verdict in zip(places, verdicts, strict=True):
        facts = expected_facts(accounts[place.id])
        shared = expected_facts(entry for entry in accounts[place.id] if entry.sent.is_group)
        readers = list(places)
        if len(places) > READ_ALL_HOSPITALS_MAX:
            shared = _sample(shared, rng)
            readers = [place, *rng.sample([other for other in places if other is not place], SAMPLED_NODES)]
        for reader in readers:
            fhir = Fhir(reader.url, reader.token)
            try:
                comparison = await compare(fhir, reader.id, facts if reader is place else shared)
                _add(verdict, comparison)
            except httpx.HTTPError as error:
                verdict.lost.append(f"{reader.id} cannot be read: {type(error).__name__} {error}")
            finally:
                await fhir.close()


def _sample(facts: Sequence[Fact], rng: Random) -> list[Fact]:
    people = sorted({_person(fact) for fact in facts})
    chosen = set(rng.sample(people, min(SAMPLED_PEOPLE, len(people))))
    return [fact for fact in facts if _person(fact) in chosen]


def _person(fact: Fact) -> str:
    return fact.key if fact.kind == "person" else fact.says.get("patient", "")


def _add(verdict: HospitalVerdict, comparison: Comparison) -> None:
    verdict.facts_expected += comparison.expected
    verdict.facts_found += comparison.found
    verdict.lost += comparison.lost
    verdict.wrong += comparison.wrong
    verdict.duplicated += comparison.duplicated
