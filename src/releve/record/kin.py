"""Finding again who is the same person, when a merge was stated or a number came or went.

All that merges and shared numbers connect is looked at as one family; merges.py, which is pure, says who stands for
whom, and here it is written down.
"""

from __future__ import annotations

import sqlite3
from typing import Protocol

import orjson

from releve.log import Event
from releve.record import merges
from releve.record.fold import State
from releve.record.held import Held
from releve.record.schema import PATIENT, decode_id
from releve.record.terms import linking_identifiers

#: The parameter of numbers that name a person; written at once, for the next event may bear the same number.
LINK = "Patient:link"

SQL_PERSON_ROOT = "UPDATE person SET root = ? WHERE key = ?"
SQL_SHARERS = "SELECT key FROM token WHERE param = 'Patient:link' AND value = ? LIMIT ?"
SQL_LINKS = (
    "SELECT loser, winner, is_merge, at, hlc, origin, place FROM link WHERE loser = ?1 "
    "UNION SELECT loser, winner, is_merge, at, hlc, origin, place FROM link WHERE winner = ?1"
)
SQL_LINK_FORCE = "UPDATE link SET is_in_force = ? WHERE loser = ? AND at = ? AND hlc = ? AND origin = ? AND place = ?"
SQL_PERSON_ID = "SELECT id FROM person WHERE key = ?"


class Kept(Protocol):
    """What is asked of the shelf."""

    db: sqlite3.Connection
    versions: list[tuple[object, ...]]

    def flush(self) -> None:
        """Write what is gathered, so that questions see it."""

    def find_id(self, code: int, id_: str) -> Held | None:
        """Return a resource, if it is known."""

    def state_of(self, held: Held) -> State:
        """Return its state."""

    def mark(self, held: Held) -> None:
        """Note that its row must be written."""


def sharers(db: sqlite3.Connection, value: str) -> set[int]:
    """Return the patients that bear a number that names a person; no more than tell that it names nobody."""
    return {key for (key,) in db.execute(SQL_SHARERS, (value, merges.IDENTIFIER_SHARERS_MAX + 2))}


def regroup(shelf: Kept, keys: set[int], event: Event, source: int) -> None:
    """Find again who is the same person among all that merges and shared numbers connect with these patients."""
    shelf.flush()
    links, shared, ids = _family(shelf, keys)
    current = merges.in_force(links)
    for link in links:
        shelf.db.execute(SQL_LINK_FORCE, (current.get(link.loser) is link, link.loser, *link.place))
    for key, top in merges.roots(ids, current, shared, ids).items():
        shelf.db.execute(SQL_PERSON_ROOT, (top, key))
    winners: dict[int, list[int]] = {}
    for link in current.values():
        winners.setdefault(link.winner, []).append(link.loser)
    for key in sorted(ids):
        held = shelf.find_id(PATIENT, decode_id(ids[key]))
        if held is None:
            continue
        state = shelf.state_of(held)
        by = decode_id(ids[current[key].winner]) if key in current else None
        of = sorted(decode_id(ids[loser]) for loser in winners.get(key, ()))
        above = [by, of] if by is not None or of else None
        if above != held.above and not (above is None and not held.above):
            held.above = above
            _settle_links(shelf, held, state, event, source)


def _settle_links(shelf: Kept, held: Held, state: State, event: Event, source: int) -> None:
    final = merges.overlay(state.doc, *(held.above or (None, [])))
    json = orjson.dumps(final, option=orjson.OPT_SORT_KEYS)
    below = None if final is state.doc else orjson.dumps(state.doc, option=orjson.OPT_SORT_KEYS)
    if json != held.json:
        shelf.versions.append((held.key, held.version, held.heard_at, held.source, held.pos, held.json))
        held.version += 1
        held.json, held.heard_at, held.source, held.pos = json, event.recorded_at, source, event.pos
    held.below = below
    shelf.mark(held)


def _family(shelf: Kept, keys: set[int]) -> tuple[list[merges.Link], list[set[int]], dict[int, bytes | str]]:
    """Return all merges, shared numbers and patients that are connected with these patients."""
    links: dict[merges.Link, None] = {}
    shared: dict[str, set[int]] = {}
    ids: dict[int, bytes | str] = {}
    waiting = sorted(keys)
    while waiting and len(ids) < merges.PERSON_PATIENTS_MAX:
        key = waiting.pop()
        if key in ids:
            continue
        ids[key] = shelf.db.execute(SQL_PERSON_ID, (key,)).fetchone()[0]
        for row in shelf.db.execute(SQL_LINKS, (key,)):
            link = merges.Link(row[0], row[1], bool(row[2]), (row[3], row[4], row[5], row[6]))
            links[link] = None
            waiting += [link.loser, link.winner]
        held = shelf.find_id(PATIENT, decode_id(ids[key]))
        for value in linking_identifiers(shelf.state_of(held).doc) if held is not None else ():
            if value in shared:
                continue
            found = sharers(shelf.db, value)
            if 1 < len(found) <= merges.IDENTIFIER_SHARERS_MAX:
                shared[value] = found
                waiting += sorted(found)
    return list(links), list(shared.values()), ids
