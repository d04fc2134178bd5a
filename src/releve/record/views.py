"""Reading the record. Read-only, safe beside the process that folds; every query goes by an index.

A person is asked for by the id of any Patient resource that is theirs; merges and shared numbers are followed. While
the views are being rebuilt every question raises StoreUnable with a sentence for the page.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from releve.errors import StoreUnable
from releve.record import band, chart, fold, movements
from releve.record.chart import Source
from releve.record.fold import Document
from releve.record.persons import Member, band_of, family_of, keys_of_word
from releve.record.persons import person as person_of
from releve.record.rows import (
    Allergy,
    Block,
    Chart,
    Delivery,
    Earlier,
    Feed,
    Kept,
    KeptCount,
    Merge,
    Occupant,
    Owed,
    Person,
    Point,
    Sighting,
    Stay,
    Stored,
    WardCount,
)
from releve.record.rows import Document as DocumentRow
from releve.record.schema import (
    ALLERGY,
    DOCUMENT,
    ENCOUNTER,
    OBSERVATION,
    REPORT,
    TYPE_CODES,
    VIEWS_FILE,
    decode_id,
    encode_id,
    open_for_reading,
)
from releve.record.stored import stored

#: Beds of one list: a page with more is no list; the largest hospital has fewer.
OCCUPANTS_MAX = 5_000
#: Documents and stays of one chart; older ones are in the FHIR door.
DOCUMENTS_MAX = 200
STAYS_MAX = 50
HISTORY_MAX = 1_000

_PRESENT = "stay.status IN ('in-progress', 'onleave')"
#: Kinds of events that people enter at a page of this node.
CAPTURED = ("note", "admission", "merge", "unmerge")

SQL_POSITION = "SELECT value FROM meta WHERE name = 'position'"
SQL_WARDS = f"SELECT ward, origin, count(*) FROM stay WHERE {_PRESENT} GROUP BY ward, origin"  # noqa: S608 - a constant
_SQL_OCCUPANTS = f"""
SELECT root.id, enc.id, root.family, root.given, root.birth_date, root.sex, root.ipp, stay.ward, stay.room, stay.bed,
  stay.since, stay.class, root.is_temporary, root.is_stated, stay.origin, root.key
FROM stay JOIN person AS own ON own.key = stay.patient JOIN person AS root ON root.key = own.root
JOIN resource AS enc ON enc.key = stay.encounter
WHERE {_PRESENT}"""  # noqa: S608 - a constant
SQL_OCCUPANTS = f"{_SQL_OCCUPANTS} ORDER BY stay.ward, stay.room, stay.bed LIMIT ?"
SQL_OCCUPANTS_OF_WARD = f"{_SQL_OCCUPANTS} AND stay.ward = ? ORDER BY stay.room, stay.bed LIMIT ?"
SQL_FAMILY_FACTS = "SELECT root, red_band, last_result_at, is_stated FROM person WHERE root = ?"
_SQL_NEW_RESULTS = (
    "SELECT count(*) FROM person JOIN card_{age} AS card ON card.patient = person.key AND card.type = 3 "
    "WHERE person.root = (SELECT root FROM person WHERE id = ?1) AND coalesce(person.last_result_at, 0) > ?2 "
    "AND card.heard_at > ?2"
)
# A join with the view would read all of it, and sorting it would not stop at the limit: each half is named.
SQL_NEW_RESULTS = "SELECT ({}) + ({})".format(*(_SQL_NEW_RESULTS.format(age=age) for age in ("new", "old")))
_SQL_CARDS = "SELECT at, heard_at, key FROM card_{age} WHERE patient = ?1 AND type = ?2"
_SQL_NEWEST_CARDS = (
    f"{_SQL_CARDS.format(age='new')} UNION ALL {_SQL_CARDS.format(age='old')} "
    "ORDER BY at DESC, heard_at DESC, key DESC LIMIT ?3"
)
SQL_OF_PATIENT = (
    "SELECT resource.key, resource.id, resource.at, resource.version, resource.json, resource.state, "  # noqa: S608 - constants
    f"resource.heard_at, source.origin, source.sender FROM ({_SQL_NEWEST_CARDS}) AS card "
    "CROSS JOIN resource ON resource.key = card.key JOIN source ON source.key = resource.source"
)
SQL_EARLIER = "SELECT n, heard_at, json FROM version WHERE key = ? ORDER BY n DESC LIMIT ?"
SQL_PERSON_ID = "SELECT root.id FROM person JOIN person AS root ON root.key = person.root WHERE person.key = ?"
SQL_FEEDS = "SELECT sender, type, count, last_at, origin FROM feed ORDER BY origin, sender, type"
SQL_KEPT = (
    "SELECT pos, type, sender, control_id, received_at, reason, origin FROM kept "
    "WHERE pos < ? ORDER BY pos DESC LIMIT ?"
)
SQL_SIGHTINGS = (
    "SELECT service, origin, state, since, checked_at, why FROM sighting WHERE ?1 = '' OR service = ?1 "
    "ORDER BY service, origin"
)
SQL_KEPT_COUNTS = "SELECT type, reason, count FROM kept_count ORDER BY count DESC, type, reason"
SQL_TYPE_COUNTS = "SELECT type, sum(count) FROM feed GROUP BY type ORDER BY type"
SQL_RESOURCE = (
    "SELECT type, id, version, heard_at, source.origin, json FROM resource JOIN source ON source.key = resource.source "
    "WHERE resource.key = (SELECT key FROM name WHERE id = ? AND type = ?) AND version > 0"
)
SQL_VERSION = (
    "SELECT type, id, n, version.heard_at, source.origin, version.json FROM resource "
    "JOIN version ON version.key = resource.key JOIN source ON source.key = version.source "
    "WHERE resource.key = (SELECT key FROM name WHERE id = ? AND type = ?) AND n = ?"
)
SQL_HISTORY = (
    "SELECT type, id, n, version.heard_at, source.origin, version.json FROM resource "
    "JOIN version ON version.key = resource.key JOIN source ON source.key = version.source "
    "WHERE resource.key = (SELECT key FROM name WHERE id = ? AND type = ?) ORDER BY n DESC LIMIT ?"
)
SQL_MERGES = (
    "SELECT loser.id, winner.id, is_merge, at, origin, pos, is_in_force FROM link "
    "JOIN person AS loser ON loser.key = link.loser JOIN person AS winner ON winner.key = link.winner "
    "WHERE link.loser = ?1 UNION "
    "SELECT loser.id, winner.id, is_merge, at, origin, pos, is_in_force FROM link "
    "JOIN person AS loser ON loser.key = link.loser JOIN person AS winner ON winner.key = link.winner "
    "WHERE link.winner = ?1"
)
_SQL_DELIVERIES = (
    "SELECT destination, delivery.pos, state, ack, attempts, at, person.id, own_event.kind FROM delivery "
    "LEFT JOIN own_event ON own_event.pos = delivery.pos LEFT JOIN person ON person.key = own_event.patient "
)
SQL_DELIVERIES = f"{_SQL_DELIVERIES} WHERE destination = ? AND delivery.pos < ? ORDER BY delivery.pos DESC LIMIT ?"
SQL_REFUSED = f"{_SQL_DELIVERIES} WHERE destination = ? AND state = 'refused' ORDER BY delivery.pos LIMIT ?"
SQL_DELIVERY_COUNTS = "SELECT state, count(*) FROM delivery WHERE destination = ? GROUP BY state"
_SQL_OWED = (
    "FROM own_event LEFT JOIN person ON person.key = own_event.patient WHERE own_event.pos > ? AND NOT EXISTS "
    "(SELECT 1 FROM delivery WHERE destination = ? AND delivery.pos = own_event.pos "
    # Refused needs a person, not another try; withdrawn is what a person decided.
    "AND state IN ('accepted', 'refused', 'withdrawn'))"
)
SQL_OWED = f"SELECT own_event.pos, person.id, kind, recorded_at, event_id, sender {_SQL_OWED}"
SQL_OWED_COUNT = f"SELECT count(*) {_SQL_OWED}"


class Views:
    """The record as one process reads it; cheap to make, opens the file when first asked.

    folder  the node's folder
    """

    def __init__(self, folder: Path, *, file: str = VIEWS_FILE) -> None:
        self._path = folder / file
        self._local = threading.local()

    def close(self) -> None:
        """Let go of this thread's connection."""
        db = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    @property
    def db(self) -> sqlite3.Connection:
        """A read-only connection of this thread to the views as they are now (they may have been replaced).

        raises  StoreUnable  there are none yet
        """
        local = self._local
        try:
            stat = self._path.stat()
        except FileNotFoundError as error:
            self.close()
            raise StoreUnable(
                "record.no-views", "The record is being rebuilt from the log, which is whole; ask again in a moment."
            ) from error
        inode = (stat.st_dev, stat.st_ino)
        db: sqlite3.Connection | None = getattr(local, "db", None)
        if db is None or local.inode != inode:
            self.close()
            db = local.db = open_for_reading(self._path)
            local.inode = inode
        return db

    @contextmanager
    def one_moment(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which several questions see one state of the record."""
        db = self.db
        if db.in_transaction:
            yield db
            return
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("COMMIT")

    def position(self) -> int:
        """Return the place in the log up to which the record is folded."""
        row = self.db.execute(SQL_POSITION).fetchone()
        return int(row[0]) if row else 0

    # Wards

    def wards(self, origins: Collection[str] | None = None) -> list[WardCount]:
        """Return the wards where somebody lies.

        origins  nodes whose stays count; None for all hospitals
        """
        counts: dict[str, int] = {}
        for ward, origin, count in self.db.execute(SQL_WARDS):
            if origins is None or origin in origins:
                counts[ward] = counts.get(ward, 0) + count
        return [WardCount(ward, counts[ward]) for ward in sorted(counts)]

    def ward_list(self, ward: str | None, origins: Collection[str] | None = None) -> list[Occupant]:
        """Return who lies in a ward (None for all), by room and bed."""
        with self.one_moment() as db:
            if ward is None:
                rows = db.execute(SQL_OCCUPANTS, (OCCUPANTS_MAX,)).fetchall()
            else:
                rows = db.execute(SQL_OCCUPANTS_OF_WARD, (ward, OCCUPANTS_MAX)).fetchall()
            return [_occupant(db, row) for row in rows if origins is None or row[14] in origins]

    def new_results(self, patient_ids: Sequence[str], since_by_patient: Mapping[str, int]) -> dict[str, int]:
        """Return how many results of each patient were heard after an instant; a patient without one counts all."""
        with self.one_moment() as db:
            counts = {}
            for id_ in patient_ids:
                since = since_by_patient.get(id_, 0)
                counts[id_] = db.execute(SQL_NEW_RESULTS, (encode_id(id_), since)).fetchone()[0]
            return counts

    # Persons

    def person(self, patient_id: str) -> Person | None:
        """Return who a patient is, merges followed; None for an id nobody ever spoke of."""
        with self.one_moment() as db:
            return person_of(db, patient_id)

    def patient_ids(self, patient_id: str) -> list[str]:
        """Return the ids of all Patient resources of a person, the one asked for included; empty for an unknown one."""
        with self.one_moment() as db:
            return [decode_id(row[1]) for row in family_of(db, patient_id)]

    def find(self, words: str, limit: int = 30) -> list[Person]:
        """Return persons by beginnings of names, by number or by birth date, all words together.

        words  any mixture: "dupont j", "8000123", "1970-03-12", "12/03/1970"; accents and case do not matter
        """
        with self.one_moment() as db:
            keys: set[int] | None = None
            for word in words.split()[:6]:  # a seventh word narrows nothing and costs a query
                found = keys_of_word(db, word)
                keys = found if keys is None else keys & found
            ids: dict[str, None] = {}
            for key in sorted(keys or ()):
                row = db.execute(SQL_PERSON_ID, (key,)).fetchone()
                if row is not None:
                    ids[decode_id(row[0])] = None
                if len(ids) >= limit:
                    break
            persons = [person_of(db, id_) for id_ in ids]
        return sorted((one for one in persons if one is not None), key=lambda one: (one.family, one.given, one.id))

    def merges(self, patient_id: str) -> list[Merge]:
        """Return every merge ever stated of a person's Patient resources, oldest first."""
        with self.one_moment() as db:
            found = {
                Merge(decode_id(row[0]), decode_id(row[1]), bool(row[2]), row[3], row[4], row[5], bool(row[6]))
                for member in family_of(db, patient_id)
                for row in db.execute(SQL_MERGES, (member[0],))
            }
        return sorted(found, key=lambda one: (one.at, one.pos, one.loser_id))

    # The chart

    def chart(self, patient_id: str, results_max: int = 400) -> Chart | None:
        """Return all that is shown of a person; None for an id nobody ever spoke of."""
        with self.one_moment() as db:
            person = person_of(db, patient_id)
            if person is None:
                return None
            family = family_of(db, patient_id)
            points, is_cut = _points(db, family, results_max)
            stays = _stays(db, family)
            documents = _documents(db, family)
            allergies = _allergies(db, family)
            red = band.shown(band_of(family))
        results = chart.groups(points)
        heard = [one for _, one in points]
        blocks = {
            "identity": Block(person.origin, person.sender, person.heard_at or None),
            "stay": _newest(stays),
            "results": _newest(heard),
            "documents": _newest(documents),
            "allergies": _newest(allergies),
        }
        return Chart(person, stays, results, is_cut, documents, allergies, red, blocks)

    # Feeds and worklists

    def feeds(self) -> list[Feed]:
        """Return what came from whom, of which type, and when last."""
        return [Feed(*row) for row in self.db.execute(SQL_FEEDS)]

    def kept_not_understood(self, limit: int, before_pos: int | None = None) -> list[Kept]:
        """Return input that waits for somebody who can read it, newest first."""
        before = 2**62 if before_pos is None else before_pos
        return [Kept(*row) for row in self.db.execute(SQL_KEPT, (before, limit))]

    def counts_not_understood(self) -> list[KeptCount]:
        """Return how much input waits, by type and reason."""
        return [KeptCount(*row) for row in self.db.execute(SQL_KEPT_COUNTS)]

    def counts_by_type(self) -> dict[str, int]:
        """Return how many messages of each type were kept, understood or not."""
        return dict(self.db.execute(SQL_TYPE_COUNTS))

    def sightings(self, service: str = "") -> list[Sighting]:
        """Return what each hospital's node said last about a service, or about every one, by service and hospital."""
        return [Sighting(*row) for row in self.db.execute(SQL_SIGHTINGS, (service,))]

    # Resources

    def resource(self, type_: str, id_: str) -> Stored | None:
        """Return the current version of a resource."""
        return self._one(SQL_RESOURCE, type_, id_)

    def version(self, type_: str, id_: str, n: int) -> Stored | None:
        """Return one version of a resource, current or earlier."""
        with self.one_moment():
            current = self.resource(type_, id_)
            if current is None or current.version == n:
                return current
            return self._one(SQL_VERSION, type_, id_, n)

    def history(self, type_: str, id_: str) -> list[Stored]:
        """Return all versions of a resource, newest first; none for an unknown one."""
        with self.one_moment() as db:
            current = self.resource(type_, id_)
            if current is None:
                return []
            rows = db.execute(SQL_HISTORY, (encode_id(id_), TYPE_CODES[type_], HISTORY_MAX))
            return [current, *(stored(row) for row in rows)]

    def _one(self, sql: str, type_: str, id_: str, *more: int) -> Stored | None:
        code = TYPE_CODES.get(type_)
        if code is None:
            return None
        row = self.db.execute(sql, (encode_id(id_), code, *more)).fetchone()
        return stored(row) if row else None

    # Write-back

    def outbox(
        self,
        destination: str,
        limit: int,
        *,
        after_pos: int = 0,
        kinds: Collection[str] = CAPTURED,
        senders: Collection[str] = (),
    ) -> list[Owed]:
        """Return what a destination has not settled, oldest first. A refused event is not here but in refused().

        after_pos  all up to here is known to be settled; the caller keeps it, so that a long history costs nothing
        kinds      what was captured here
        senders    MSH-3|MSH-4 of the feeds whose messages are forwarded too; never the destination's own
        """
        where, values = _owed_filter(kinds, senders)
        sql = f"{SQL_OWED} AND {where} ORDER BY own_event.pos LIMIT ?"
        rows = self.db.execute(sql, (after_pos, destination, *values, limit))
        return [Owed(row[0], decode_id(row[1]) if row[1] is not None else "", *row[2:]) for row in rows]

    def owed_count(
        self,
        destination: str,
        *,
        after_pos: int = 0,
        kinds: Collection[str] = CAPTURED,
        senders: Collection[str] = (),
    ) -> int:
        """Return how many events outbox would give without a limit."""
        where, values = _owed_filter(kinds, senders)
        row = self.db.execute(f"{SQL_OWED_COUNT} AND {where}", (after_pos, destination, *values)).fetchone()
        return int(row[0])

    def refused(self, destination: str, limit: int = 500) -> list[Delivery]:
        """Return what a destination refused and no person has decided yet, oldest first."""
        return [_delivery(row) for row in self.db.execute(SQL_REFUSED, (destination, limit))]

    def deliveries(self, destination: str, limit: int = 500, before_pos: int | None = None) -> list[Delivery]:
        """Return how deliveries to a destination ended, newest event first."""
        before = 2**62 if before_pos is None else before_pos
        return [_delivery(row) for row in self.db.execute(SQL_DELIVERIES, (destination, before, limit))]

    def delivery_counts(self, destination: str) -> dict[str, int]:
        """Return how many deliveries to a destination ended in each state."""
        return dict(self.db.execute(SQL_DELIVERY_COUNTS, (destination,)))


# Wards


def _occupant(db: sqlite3.Connection, row: tuple[Any, ...]) -> Occupant:
    texts: dict[str, None] = {}
    last: int | None = None
    is_known = False
    for _, red_band, last_result_at, is_stated in db.execute(SQL_FAMILY_FACTS, (row[15],)):
        if red_band:
            texts.update(dict.fromkeys(orjson.loads(red_band)))
        if last_result_at is not None:
            last = max(last or 0, last_result_at)
        is_known = is_known or bool(is_stated)
    return Occupant(
        decode_id(row[0]),
        decode_id(row[1]),
        row[2] or "",
        row[3] or "",
        row[4] or "",
        row[5] or "",
        row[6] or "",
        row[7],
        row[8],
        row[9],
        row[10],
        row[11] or "",
        band.shown(texts),
        bool(row[12]),
        is_known,
        last,
        row[14],
    )


# The chart's parts


def _of_family(
    db: sqlite3.Connection, family: list[Member], type_: int, limit: int
) -> list[tuple[str, tuple[Any, ...]]]:
    """Return (patient id, row) of a type, newest first, over all Patient resources of a person."""
    found = [
        (decode_id(member[1]), row)
        for member in family
        for row in db.execute(SQL_OF_PATIENT, (member[0], type_, limit))
    ]
    found.sort(key=lambda one: -one[1][2])  # of one record they come so, but no query promises it without an order
    return found[:limit]


def _points(
    db: sqlite3.Connection, family: list[Member], results_max: int
) -> tuple[list[tuple[Document, Point]], bool]:
    rows = _of_family(db, family, OBSERVATION, results_max + 1)
    points = []
    for patient_id, row in rows[:results_max]:
        key, id_, at, version, json, _, heard_at, origin, sender = row
        doc = chart.decode_result(json)
        before: list[Earlier] = []
        if version > 1:
            before = chart.earlier(db.execute(SQL_EARLIER, (key, chart.EARLIER_MAX)))
        one = chart.point(decode_id(id_), at, doc, Source(heard_at, origin, sender), patient_id, before)
        points.append((doc, one))
    return points, len(rows) > results_max


def _stays(db: sqlite3.Connection, family: list[Member]) -> list[Stay]:
    stays = []
    for _, row in _of_family(db, family, ENCOUNTER, STAYS_MAX):
        _, id_, _, _, json, state, heard_at, origin, sender = row
        _, above = fold.decode_state({}, b"", fold.NOWHERE, state)
        moves = movements.stay(movements.decode(above))
        stays.append(chart.stay(decode_id(id_), orjson.loads(json), moves, Source(heard_at, origin, sender)))
    return stays


def _documents(db: sqlite3.Connection, family: list[Member]) -> list[DocumentRow]:
    found = []
    for type_ in (DOCUMENT, REPORT):
        for _, row in _of_family(db, family, type_, DOCUMENTS_MAX):
            _, id_, at, _, json, _, heard_at, origin, sender = row
            source = Source(heard_at, origin, sender)
            found.append(chart.document(type_, decode_id(id_), at, orjson.loads(json), source))
    found.sort(key=lambda one: -one.at)
    return found[:DOCUMENTS_MAX]


def _allergies(db: sqlite3.Connection, family: list[Member]) -> list[Allergy]:
    found = []
    for _, row in _of_family(db, family, ALLERGY, DOCUMENTS_MAX):
        _, id_, _, _, json, _, heard_at, origin, sender = row
        one = chart.allergy(decode_id(id_), orjson.loads(json), Source(heard_at, origin, sender))
        if one is not None:
            found.append(one)
    return found


def _newest(rows: Sequence[Point | Stay | DocumentRow | Allergy]) -> Block:
    """Return source and age of the newest part of a block."""
    if not rows:
        return Block("", "", None)
    newest = max(rows, key=lambda row: row.heard_at)
    return Block(newest.origin, newest.sender, newest.heard_at)


# Write-back


def _owed_filter(kinds: Collection[str], senders: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return a condition and its values; every value is bound, only the number of marks varies."""
    marks = ", ".join("?" * len(kinds))
    if not senders:
        return f"kind IN ({marks})", tuple(kinds)
    return f"(kind IN ({marks}) OR (kind = 'hl7v2' AND sender IN ({', '.join('?' * len(senders))})))", (
        *kinds,
        *senders,
    )


def _delivery(row: tuple[Any, ...]) -> Delivery:
    patient_id = decode_id(row[6]) if row[6] is not None else ""
    return Delivery(row[0], row[1], row[2], row[3], row[4], row[5], patient_id, row[7] or "")
