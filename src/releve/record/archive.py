"""Folding events into the views file: the only writer of it.

The archive follows the log and folds what is new, some hundred events in one transaction, together with the position
it has reached; what it folded is what a rebuild from the log in order of position gives, row for row. Changes are
gathered in memory and written at the end of a batch, table by table. It refuses to know HL7: statements are FHIR.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from releve.errors import StoreUnable, WrongUse
from releve.log import Body, Event, Ledger, Statement, decode_body
from releve.record import fold, merges, movements
from releve.record.band import red_band
from releve.record.fold import Document, Place, State
from releve.record.person import identity
from releve.record.schema import (
    ALLERGY,
    DOCUMENT,
    ENCOUNTER,
    OBSERVATION,
    PATIENT,
    REPORT,
    TYPE_CODES,
    VIEWS_FILE,
    decode_id,
    encode_id,
    open_for_folding,
)
from releve.record.terms import (
    Tokens,
    clinical_time,
    encounter_tokens,
    first_code,
    identifier_tokens,
    linking_identifiers,
    patient_tokens,
)

_log = logging.getLogger(__name__)

LOCK_FILE = "views.lock"
#: Resources kept in memory between batches: the patients and stays of a busy hour; about 3 kB each.
_HELD_MAX = 8_000
#: The parameter of numbers that name a person; written at once, for the next event may bear the same number.
_LINK = "Patient:link"
#: Resources asked for in one question; SQLite takes 32,766 values.
_LOOK_AHEAD = 1000
#: Patient ids whose key is kept in memory: about 200 bytes each.
_PERSON_KEYS_MAX = 200_000
#: Kinds of this node's own events that may have to be written back to the centre.
_OWN_KINDS = frozenset({"hl7v2", "note", "admission", "merge", "unmerge"})
_SORTED = orjson.OPT_SORT_KEYS

_COLUMNS = (
    "key, type, id, patient, at, code, status, version, heard_at, source, pos, first_pos, first_index, "
    "last_at, last_hlc, last_origin, last_index, json, below, state"
)
SQL_HELD = f"SELECT {_COLUMNS} FROM resource WHERE id = ? AND type = ?"  # noqa: S608 - a constant
SQL_HELD_BY_IDS = f"SELECT {_COLUMNS} FROM resource WHERE id IN"  # noqa: S608 - a constant
SQL_INSERT = f"INSERT INTO resource ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - a constant
SQL_UPDATE = (
    "UPDATE resource SET patient=?, at=?, code=?, status=?, version=?, heard_at=?, source=?, pos=?, first_pos=?, "
    "first_index=?, last_at=?, last_hlc=?, last_origin=?, last_index=?, json=?, below=?, state=? WHERE key=?"
)
SQL_PERSON_KEY = "SELECT key FROM person WHERE id = ?"
SQL_PERSON_INSERT = "INSERT INTO person (key, id, root) VALUES (?, ?, ?)"
SQL_PERSON_IDENTITY = (
    "UPDATE person SET family=?, given=?, birth_date=?, sex=?, ipp=?, is_temporary=?, is_stated=?, deceased=? "
    "WHERE key=?"
)
SQL_PERSON_HEARD = "UPDATE person SET last_result_at = max(coalesce(last_result_at, 0), ?) WHERE key = ?"
SQL_PERSON_BAND = "UPDATE person SET red_band = ? WHERE key = ?"
SQL_PERSON_ROOT = "UPDATE person SET root = ? WHERE key = ?"
SQL_VERSION = "INSERT INTO version (key, n, heard_at, source, pos, json) VALUES (?, ?, ?, ?, ?, ?)"
SQL_STATEMENT = "INSERT INTO statement (key, pos, place) VALUES (?, ?, ?)"
SQL_STATEMENTS = "SELECT pos, place FROM statement WHERE key = ?"
SQL_INDEX = "INSERT OR IGNORE INTO token (param, value, key) VALUES (?, ?, ?)"
SQL_UNINDEX = "DELETE FROM token WHERE param = ? AND value = ? AND key = ?"
SQL_SHARERS = "SELECT key FROM token WHERE param = 'Patient:link' AND value = ? LIMIT ?"
SQL_LINK = "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)"
SQL_LINKS = (
    "SELECT loser, winner, is_merge, at, hlc, origin, place FROM link WHERE loser = ?1 "
    "UNION SELECT loser, winner, is_merge, at, hlc, origin, place FROM link WHERE winner = ?1"
)
SQL_LINK_FORCE = "UPDATE link SET is_in_force = ? WHERE loser = ? AND at = ? AND hlc = ? AND origin = ? AND place = ?"
SQL_STAY = "INSERT OR REPLACE INTO stay VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
SQL_FEED = (
    "INSERT INTO feed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "count = count + excluded.count, last_at = max(last_at, excluded.last_at)"
)
SQL_KEPT = "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)"
SQL_KEPT_COUNT = "INSERT INTO kept_count VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
SQL_OWN = "INSERT OR IGNORE INTO own_event VALUES (?, ?, ?, ?, ?, ?)"
SQL_OWN_POS = "SELECT pos FROM own_event WHERE event_id = ?"
SQL_DELIVERY = "INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?, ?)"
SQL_ALLERGIES = "SELECT json FROM resource WHERE patient = ? AND type = ? ORDER BY at, id"
SQL_SOURCE = "INSERT INTO source (key, origin, sender) VALUES (?, ?, ?)"
SQL_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"


class Held:
    """One resource in memory: its row, and its state once something needs it."""

    __slots__ = (
        "above",
        "at",
        "below",
        "code",
        "encoded",
        "first_index",
        "first_pos",
        "heard_at",
        "id",
        "is_dirty",
        "is_new",
        "is_touched",
        "json",
        "key",
        "last",
        "patient",
        "pos",
        "source",
        "state",
        "status",
        "tokens",
        "type",
        "version",
    )

    def __init__(self, key: int, type_: int, id_: bytes | str) -> None:
        self.key = key
        self.type = type_
        self.id = id_
        self.patient: int | None = None
        self.at = 0
        self.code: str | None = None
        self.status: str | None = None
        self.version = 0
        self.heard_at = self.source = self.pos = self.first_pos = self.first_index = 0
        self.last: Place = fold.NOWHERE
        self.json = b""
        self.below: bytes | None = None
        self.encoded: bytes | None = None
        self.state: State | None = None
        self.above: Any = None
        self.tokens: Tokens | None = None
        self.is_new = self.is_dirty = self.is_touched = False

    def row(self) -> tuple[object, ...]:
        """Return the row as SQL_INSERT wants it."""
        return (self.key, self.type, self.id, *self.changing())

    def changing(self) -> tuple[object, ...]:
        """Return the columns that a fold may change, in the order of SQL_UPDATE."""
        state = self.state
        if state is not None:
            self.encoded = fold.encode_state(state, self.above)
            self.last = state.last
        return (
            self.patient,
            self.at,
            self.code,
            self.status,
            self.version,
            self.heard_at,
            self.source,
            self.pos,
            self.first_pos,
            self.first_index,
            *self.last,
            self.json,
            self.below,
            self.encoded,
        )


def _held(row: tuple[Any, ...]) -> Held:
    held = Held(row[0], row[1], row[2])
    (held.patient, held.at, held.code, held.status, held.version, held.heard_at, held.source, held.pos) = row[3:11]
    held.first_pos, held.first_index = row[11:13]
    held.last = row[13:17]
    held.json, held.below, held.encoded = row[17:]
    return held


class Archive:
    """Keeps the views of a node; one process at a time.

    folder  the node's folder; its log must be there. Views that are absent, torn or of another version are made anew
    origin  the node's own id: whose events may have to be written back; empty takes the log's first known origin

    raises  WrongUse     there is no log, or another process folds here
    raises  StoreUnable  the folder cannot be written
    """

    def __init__(self, folder: Path, *, origin: str = "", file: str = VIEWS_FILE) -> None:
        self._path = folder / file
        self._lock = _take_lock(folder, file)
        self._ledger: Ledger | None = None
        self._db: sqlite3.Connection | None = None
        try:
            self._ledger = Ledger(folder)
            self._origin = origin or self._ledger.first_origin()
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the files; what was folded stays."""
        if self._ledger is not None:
            self._ledger.close()
        if self._db is not None:
            self._db.close()
        os.close(self._lock)

    def give_way(self, whole: Path) -> None:
        """Let a finished views file take the place of this one's, which is closed and deleted."""
        if self._db is not None:
            self._db.close()
            self._db = None
        delete_views(self._path)
        whole.replace(self._path)

    @property
    def position(self) -> int:
        """The place in the log up to which everything is folded."""
        return self._position

    def fold_new(self, limit_events: int = 500) -> int:
        """Fold what the log holds after the position, at most this many events, in one transaction.

        returns  how many were folded; 0 when there is nothing new
        raises   StoreUnable  the disk refused; the views stand where they stood
        """
        self._reopen_if_replaced()
        assert self._ledger is not None
        events = self._ledger.after(self._position, limit_events)
        if not events:
            return 0
        try:
            self._fold_batch(events)
        except sqlite3.OperationalError as error:
            raise StoreUnable(
                "record.unwritable", f"The views cannot be written ({error}); the log is whole."
            ) from error
        except sqlite3.DatabaseError as error:
            _log.error("views torn, rebuilding", extra={"code": "record.torn", "reason": str(error)})
            self._start_anew()
            return self.fold_new(limit_events)
        return len(events)

    def fold_all(self) -> int:
        """Fold everything the log holds now; returns how many events."""
        total = 0
        while folded := self.fold_new():
            total += folded
        return total

    # Opening

    def _open(self) -> None:
        try:
            self._db = open_for_folding(self._path)
            self._load()
        except sqlite3.DatabaseError as error:
            _log.warning("views unusable, rebuilding", extra={"code": "record.torn", "reason": str(error)})
            self._start_anew()

    def _start_anew(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        delete_views(self._path)
        self._db = open_for_folding(self._path)
        self._load()

    def _load(self) -> None:
        db = self._sql
        meta = dict(db.execute("SELECT name, value FROM meta"))
        if meta.setdefault("origin", self._origin) != self._origin:
            raise sqlite3.DatabaseError(f"views of node {meta['origin']}, not {self._origin}")
        self._position: int = meta.get("position", 0)
        stat = self._path.stat()
        self._inode = (stat.st_dev, stat.st_ino)
        self._sources = {(o, s): key for key, o, s in db.execute("SELECT key, origin, sender FROM source")}
        self._forget()

    def _forget(self) -> None:
        """Forget everything held in memory; the tables say it all."""
        top = "SELECT max((SELECT coalesce(max(key), 0) FROM resource), (SELECT coalesce(max(key), 0) FROM person))"
        self._next_key: int = self._sql.execute(top).fetchone()[0] + 1
        self._sources = {(o, s): k for k, o, s in self._sql.execute("SELECT key, origin, sender FROM source")}
        self._held: dict[tuple[int, str], Held] = {}
        self._absent: set[tuple[int, str]] = set()
        self._person_keys: dict[str, int] = {}
        self._unsure: set[int] = set()
        self._empty()

    def _empty(self) -> None:
        """Empty what is gathered for the end of a batch."""
        self._dirty: list[Held] = []
        self._persons: list[tuple[int, bytes | str, int]] = []
        self._identities: dict[int, tuple[object, ...]] = {}
        self._heard: dict[int, int] = {}
        self._bands: set[int] = set()
        self._versions: list[tuple[object, ...]] = []
        self._statements: list[tuple[int, int, int]] = []
        self._tokens: dict[tuple[str, str, int], bool] = {}
        self._stays: dict[int, tuple[object, ...]] = {}
        self._feeds: dict[tuple[str, str, str], list[int]] = {}
        self._own: list[tuple[object, ...]] = []

    def _reopen_if_replaced(self) -> None:
        """Notice that somebody deleted the views while we run: then they are made anew."""
        try:
            stat = self._path.stat()
            if (stat.st_dev, stat.st_ino) == self._inode:
                return
        except FileNotFoundError:
            pass
        _log.warning("views deleted, rebuilding", extra={"code": "record.deleted"})
        self._start_anew()

    @property
    def _sql(self) -> sqlite3.Connection:
        assert self._db is not None, "the archive is closed"
        return self._db

    # A batch

    def _fold_batch(self, events: list[Event]) -> None:
        try:
            self._fold_in_one(events)
        except sqlite3.Error:
            self._roll_back()
            raise
        except Exception:  # noqa: BLE001 - one event that cannot be folded must not stop the record; it is found below
            self._roll_back()
            for event in events:
                self._fold_alone(event)

    def _fold_alone(self, event: Event) -> None:
        """Fold one event; when it cannot be folded, list it as kept and go on."""
        try:
            self._fold_in_one([event])
        except sqlite3.Error:
            self._roll_back()
            raise
        except Exception as error:  # noqa: BLE001 - listed with its reason as kept, not understood; the log holds it whole
            self._roll_back()
            _log.error(
                "event not folded",
                extra={
                    "code": "record.cannot-fold",
                    "pos": event.pos,
                    "origin": event.origin,
                    "reason": type(error).__name__,
                },
            )
            self._sql.execute("BEGIN IMMEDIATE")
            self._keep(event, {}, f"record.cannot-fold: {type(error).__name__} while folding; the event is kept whole.")
            self._commit(event.pos)

    def _fold_in_one(self, events: list[Event]) -> None:
        self._sql.execute("BEGIN IMMEDIATE")
        with _no_collection():
            bodies = [_body(event) for event in events]
            self._look_ahead(bodies)
            for event, body in zip(events, bodies, strict=True):
                self._fold_event(event, body)
            self._flush()
            self._commit(events[-1].pos)
            self._trim()

    def _commit(self, position: int) -> None:
        self._sql.executemany(SQL_META, (("position", position), ("origin", self._origin)))
        self._sql.execute("COMMIT")
        self._position = position

    def _roll_back(self) -> None:
        if self._sql.in_transaction:
            self._sql.execute("ROLLBACK")
        self._forget()

    def _trim(self) -> None:
        """Keep patients and stays, which are spoken of again soon; forget results, which are not."""
        self._held = {name: held for name, held in self._held.items() if name[0] in (PATIENT, ENCOUNTER)}
        if len(self._held) > _HELD_MAX:
            self._held.clear()
        self._absent.clear()
        if len(self._person_keys) > _PERSON_KEYS_MAX:
            self._person_keys.clear()

    def _flush(self) -> None:
        """Write what is gathered."""
        db = self._sql
        if self._persons:
            db.executemany(SQL_PERSON_INSERT, self._persons)
        new = [held.row() for held in self._dirty if held.is_new]
        changed = [(*held.changing(), held.key) for held in self._dirty if not held.is_new]
        db.executemany(SQL_INSERT, new)
        db.executemany(SQL_UPDATE, changed)
        for held in self._dirty:
            held.is_new = held.is_dirty = False
        db.executemany(SQL_VERSION, self._versions)
        db.executemany(SQL_STATEMENT, self._statements)
        db.executemany(SQL_PERSON_IDENTITY, [(*columns, key) for key, columns in self._identities.items()])
        db.executemany(SQL_PERSON_HEARD, [(at, key) for key, at in self._heard.items()])
        db.executemany(SQL_INDEX, [token for token, stands in self._tokens.items() if stands])
        db.executemany(SQL_UNINDEX, [token for token, stands in self._tokens.items() if not stands])
        db.executemany(SQL_STAY, self._stays.values())
        db.executemany(SQL_FEED, [(*feed, count, at) for feed, (count, at) in self._feeds.items()])
        db.executemany(SQL_OWN, self._own)
        for key in self._bands:
            rows = db.execute(SQL_ALLERGIES, (key, ALLERGY))
            band = red_band(orjson.loads(row[0]) for row in rows)
            db.execute(SQL_PERSON_BAND, (orjson.dumps(band).decode() if band else None, key))
        self._empty()

    def _look_ahead(self, bodies: list[Body | None]) -> None:
        """Read the resources of a batch at once: one question for hundreds costs a fifth of hundreds of questions."""
        held = self._held
        asked: dict[bytes | str, tuple[int, str]] = {}
        for body in bodies:
            for told in body.statements if body is not None else ():
                name = (TYPE_CODES.get(told.type, 0), told.id)
                if name not in held:
                    asked[encode_id(told.id)] = name
        ids = list(asked)
        for start in range(0, len(ids), _LOOK_AHEAD):
            some = ids[start : start + _LOOK_AHEAD]
            marks = ",".join("?" * len(some))
            for row in self._sql.execute(f"{SQL_HELD_BY_IDS} ({marks})", some):
                found = _held(row)
                held[found.type, decode_id(found.id)] = found
        self._absent = {name for name in asked.values() if name not in held}

    # An event

    def _fold_event(self, event: Event, body: Body | None) -> None:
        if body is None:
            self._keep(event, {}, "record.no-body: the body of this event cannot be read; it is kept whole.")
            return
        origin, hlc = event.origin, event.hlc
        told = body.source
        sender = told.get("sender") or told.get("author") or told.get("door") or ""
        source = self._source(origin, str(sender))
        touched: list[Held] = []
        for index, statement in enumerate(body.statements):
            place = (statement.at, hlc, origin, index)
            verb = statement.verb
            if verb == "put":
                self._put(statement, place, event, source)
            elif verb in ("patch", "mention", "movement"):
                self._change(statement, place, event, source, touched)
            elif verb in ("merge", "unmerge"):
                self._link(statement, place, event, touched)
            else:
                raise ValueError(f"verb {verb!r}")
        for held in touched:
            held.is_touched = False
            self._settle(held, event, source)
        if self._unsure:
            self._regroup(self._unsure, event, source)
            self._unsure = set()
        self._count(event, body)

    def _count(self, event: Event, body: Body) -> None:
        """Note what an event means beside its statements: feeds, worklists, deliveries."""
        told = body.source
        kind = event.kind
        if kind in ("hl7v2", "unreadable"):
            part = told.get("part")
            if part is None or str(part).startswith("1/"):
                name = (event.origin, str(told.get("sender") or ""), str(told.get("type") or kind))
                feed = self._feeds.setdefault(name, [0, 0])
                feed[0] += 1
                feed[1] = max(feed[1], event.recorded_at)
                if not body.understood:
                    self._keep(event, told, body.remarks[0] if body.remarks else "")
        elif kind == "delivery" and event.origin == self._origin:
            self._deliver(event, told)
        if event.origin == self._origin and kind in _OWN_KINDS and body.statements:
            self._own.append(
                (
                    event.pos,
                    event.event_id,
                    kind,
                    str(told.get("sender") or ""),
                    self._subject(body.statements),
                    event.recorded_at,
                )
            )

    def _subject(self, statements: Iterable[Statement]) -> int | None:
        for statement in statements:
            if statement.subject:
                return self._person_key(statement.subject)
            if statement.type == "Patient":
                return self._person_key(statement.id)
        return None

    def _keep(self, event: Event, told: dict[str, Any], reason: str) -> None:
        kind = str(told.get("type") or event.kind)
        self._sql.execute(
            SQL_KEPT,
            (
                event.pos,
                event.origin,
                kind,
                str(told.get("sender") or ""),
                str(told.get("control_id") or ""),
                event.recorded_at,
                reason,
            ),
        )
        self._sql.execute(SQL_KEPT_COUNT, (kind, reason))

    def _deliver(self, event: Event, told: dict[str, Any]) -> None:
        """Note how a delivery of one of our own events ended."""
        event_id = told.get("event_id")
        if isinstance(event_id, str):
            event_id = bytes.fromhex(event_id)
        if self._own:
            self._sql.executemany(SQL_OWN, self._own)
            self._own = []
        row = self._sql.execute(SQL_OWN_POS, (event_id,)).fetchone() if event_id else None
        pos = row[0] if row is not None else told.get("pos")
        if pos is None:
            raise ValueError("a delivery of nothing")
        ack = told.get("ack") or ""
        self._sql.execute(
            SQL_DELIVERY,
            (
                str(told["destination"]),
                int(pos),
                str(told["state"]),
                ack if isinstance(ack, str) else orjson.dumps(ack).decode(),
                int(told.get("attempts") or 0),
                event.recorded_at,
            ),
        )

    # Statements

    def _put(self, told: Statement, place: Place, event: Event, source: int) -> None:
        held = self._find(told)
        if held is None:
            held = self._make(told)
        if held.version == 0:
            raw = told.content
            doc: Document = orjson.loads(raw)
            if doc.pop("resourceType", None) is not None:
                raw = orjson.dumps(doc)
            if held.state is None and held.type not in (PATIENT, ENCOUNTER):
                # The way of nearly every result: nobody spoke of it before, and what was put is what is known.
                held.last, held.first_pos, held.first_index = place, event.pos, place[3]
                self._renew(held, doc, raw, None, place[0], event, source)
                return
        state = self._state(held)
        self._note_statement(held, event.pos, place[3])
        if place > state.last:
            fold.put(state, told.content, place)
        else:
            self._refold(held, told, place)
        self._settle(held, event, source)

    def _change(self, told: Statement, place: Place, event: Event, source: int, touched: list[Held]) -> None:
        """Take in a patch, a mention or a movement; the resource is settled at the end of the event."""
        held = self._find(told)
        if held is None:
            held = self._make(told)
        state = self._state(held)
        content: Document = orjson.loads(told.content)
        if told.verb == "mention":
            if not fold.mention(state, content, place) and held.version:
                return
        elif told.verb == "movement":
            if not held.above:
                held.above = []
                fold.supersede(state, movements.GIVEN)
            movements.add(held.above, movements.Movement(place, content))
        else:
            self._note_statement(held, event.pos, place[3])
            was_stated = state.is_stated
            if place > state.last:
                if fold.restates(state, content, place) and held.version:
                    return
                fold.patch(state, content, place)
            else:
                self._refold(held, told, place)
            if held.type == PATIENT and not was_stated and held.version:
                self._identify(held, held.state.doc if held.state else {})
        if not held.is_touched:
            held.is_touched = True
            touched.append(held)
        self._is_dirty(held)

    def _link(self, told: Statement, place: Place, event: Event, touched: list[Held]) -> None:
        """Take in a merge or its undoing: everybody of the family is looked at again."""
        content = orjson.loads(told.content)
        other = content.get("into" if told.verb == "merge" else "from") or told.id
        loser, winner = self._person_key(told.id), self._person_key(other)
        row = (loser, winner, told.verb == "merge", *place, event.pos)
        self._sql.execute(SQL_LINK, row)
        for id_ in (told.id, other):
            if self._find_id(PATIENT, id_) is None:
                held = self._make(Statement("mention", "Patient", id_, told.at, "", b"{}"))
                held.is_touched = True
                touched.append(held)
        self._unsure |= {loser, winner}

    def _refold(self, held: Held, told: Statement, place: Place) -> None:
        """Fold a resource again because a statement came late: it belongs before others that were folded."""
        self._flush()
        assert held.state is not None
        found = [(told.verb, told.content, place)]
        places = list(self._sql.execute(SQL_STATEMENTS, (held.key,)))
        if held.first_pos:
            places.append((held.first_pos, held.first_index))
        assert self._ledger is not None
        for pos, index in places:
            if (pos, index) == (self._now_pos, place[3]):
                continue
            event = self._ledger.at(pos)
            assert event is not None, f"the log lost event {pos}"
            before = decode_body(event.body).statements[index]
            found.append((before.verb, before.content, (before.at, event.hlc, event.origin, index)))
        held.state = fold.refold(held.state, found)

    def _note_statement(self, held: Held, pos: int, index: int) -> None:
        self._now_pos = pos
        if held.first_pos == 0:
            held.first_pos, held.first_index = pos, index
        else:
            self._statements.append((held.key, pos, index))
        self._is_dirty(held)

    # Resources

    def _find(self, told: Statement) -> Held | None:
        code = TYPE_CODES.get(told.type)
        if code is None:
            raise ValueError(f"type {told.type!r}")
        return self._find_id(code, told.id)

    def _find_id(self, code: int, id_: str) -> Held | None:
        held = self._held.get((code, id_))
        if held is None and (code, id_) not in self._absent:
            row = self._sql.execute(SQL_HELD, (encode_id(id_), code)).fetchone()
            if row is None:
                return None
            held = self._held[code, id_] = _held(row)
        return held

    def _make(self, told: Statement) -> Held:
        code = TYPE_CODES[told.type]
        if code == PATIENT:
            key, patient = self._person_key(told.id), None
        else:
            patient = self._person_key(told.subject) if told.subject else None
            key = self._next_key
            self._next_key += 1
        held = Held(key, code, encode_id(told.id))
        held.patient = patient
        held.is_new = True
        self._held[code, told.id] = held
        self._is_dirty(held)
        return held

    def _is_dirty(self, held: Held) -> None:
        if not held.is_dirty:
            held.is_dirty = True
            self._dirty.append(held)

    def _state(self, held: Held) -> State:
        """Return the state of a resource, read from its row when it is not in memory."""
        if held.state is None:
            if held.version == 0:
                held.state = State()
                return held.state
            raw = held.below if held.below is not None else held.json
            held.state, held.above = fold.decode_state(orjson.loads(raw), raw, held.last, held.encoded)
            if held.type == ENCOUNTER:
                held.above = movements.decode(held.above)
        return held.state

    def _settle(self, held: Held, event: Event, source: int) -> None:
        """Make a resource say what its state says; a version is kept when that is something else than before."""
        state = self._state(held)
        doc = final = state.doc
        stay = None
        if held.type == ENCOUNTER:
            stay = movements.stay(held.above or [])
            final = movements.overlay(doc, stay)
        elif held.type == PATIENT and held.above:
            final = merges.overlay(doc, held.above[0], held.above[1])
        json = state.raw if state.raw is not None and final is doc else orjson.dumps(final, option=_SORTED)
        if json == held.json:
            self._is_dirty(held)
            if state.put_at is not None and clinical_time(doc) is None:
                held.at = max(state.put_at, 0)
            return
        below = None if final is doc else orjson.dumps(doc, option=_SORTED)
        self._renew(held, final, json, below, state.put_at, event, source)
        if stay is not None:
            self._lie(held, final, stay, event.origin)

    def _renew(
        self, held: Held, doc: Document, json: bytes, below: bytes | None, put_at: int | None, event: Event, source: int
    ) -> None:
        """Make a resource a new version, and all that is looked for in it."""
        if held.version:
            self._versions.append((held.key, held.version, held.heard_at, held.source, held.pos, held.json))
        held.version += 1
        held.json, held.below = json, below
        held.heard_at, held.source, held.pos = event.recorded_at, source, event.pos
        self._is_dirty(held)
        kind = held.type
        self._attribute(held, doc)
        taken_at = clinical_time(doc)
        if taken_at is not None:
            held.at = taken_at
        elif put_at is not None:
            held.at = max(put_at, 0)
        status = doc.get("docStatus" if kind == DOCUMENT else "status")
        held.status = status if isinstance(status, str) else None
        if kind == OBSERVATION:
            held.code = first_code(doc.get("code"))
            patient = held.patient
            if patient is not None and self._heard.get(patient, 0) < event.recorded_at:
                self._heard[patient] = event.recorded_at
            return
        if kind == PATIENT:
            changed = self._index(held, patient_tokens(doc))
            self._identify(held, doc)
            self._relate(held, changed)
            return
        held.code = first_code(doc.get("type" if kind == DOCUMENT else "code"))
        if kind == ENCOUNTER:
            self._index(held, encounter_tokens(doc))
        elif kind in (REPORT, DOCUMENT):
            if "identifier" in doc or held.version > 1:
                self._index(held, identifier_tokens("DiagnosticReport" if kind == REPORT else "DocumentReference", doc))
        elif kind == ALLERGY and held.patient is not None:
            self._bands.add(held.patient)

    def _attribute(self, held: Held, doc: Document) -> None:
        """Give a resource to the patient it names; the one its first statement named when it names none."""
        subject = doc.get("subject") or doc.get("patient")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if isinstance(reference, str) and reference.startswith("Patient/"):
            key = self._person_key(reference[8:])
            if held.type == ALLERGY and held.patient is not None:
                self._bands.add(held.patient)
            held.patient = key

    def _index(self, held: Held, tokens: Tokens) -> Tokens:
        """Make a resource be found by these tokens and no others; returns those that came or went."""
        known = held.tokens
        if known is None:
            known = set() if held.version == 1 else self._tokens_before(held)
        held.tokens = tokens
        if tokens == known:
            return set()
        key = held.key
        changed = tokens ^ known
        for token in changed:
            if token[0] == _LINK:
                self._sql.execute(SQL_INDEX if token in tokens else SQL_UNINDEX, (*token, key))
            else:
                self._tokens[token[0], token[1], key] = token in tokens
        return changed

    def _tokens_before(self, held: Held) -> Tokens:
        doc = orjson.loads(self._versions[-1][5])  # type: ignore[arg-type]  # the json that was just replaced
        if held.type == PATIENT:
            return patient_tokens(doc)
        if held.type == ENCOUNTER:
            return encounter_tokens(doc)
        return identifier_tokens("DiagnosticReport" if held.type == REPORT else "DocumentReference", doc)

    def _lie(self, held: Held, doc: Document, stay: movements.StayState, origin: str) -> None:
        """Note where somebody lies."""
        place = stay.places[-1] if stay.places else None
        class_ = doc.get("class")
        code = class_.get("code") if isinstance(class_, dict) else None
        self._stays[held.key] = (
            held.key,
            held.patient or 0,
            doc.get("status") or "unknown",
            code if isinstance(code, str) else "",
            *((place.ward, place.room, place.bed) if place else movements.mentioned_place(doc)),
            place.since if place else held.at,
            origin,
        )

    # Persons

    def _person_key(self, id_: str) -> int:
        key = self._person_keys.get(id_)
        if key is None:
            stored = encode_id(id_)
            row = self._sql.execute(SQL_PERSON_KEY, (stored,)).fetchone()
            if row is None:
                key = self._next_key
                self._next_key += 1
                self._persons.append((key, stored, key))
            else:
                key = row[0]
            self._person_keys[id_] = key
        return key

    def _identify(self, held: Held, doc: Document) -> None:
        """Note who a patient is."""
        assert held.state is not None
        self._identities[held.key] = (*identity(doc), held.state.is_stated, _deceased(doc))

    def _relate(self, held: Held, changed: Tokens) -> None:
        """Note whether numbers that came or went make a patient the same person as others, or no longer."""
        for param, value in changed:
            if param == _LINK:
                sharers = self._sharers(value) - {held.key}
                if 0 < len(sharers) <= merges.IDENTIFIER_SHARERS_MAX:  # with more, the number had ceased to link before
                    self._unsure |= {held.key, *sharers}

    def _regroup(self, keys: set[int], event: Event, source: int) -> None:
        """Find again who is the same person among all that merges and shared numbers connect with these patients."""
        self._flush()
        links, shared, ids = self._family(keys)
        current = merges.in_force(links)
        for link in links:
            self._sql.execute(SQL_LINK_FORCE, (current.get(link.loser) is link, link.loser, *link.place))
        for key, top in merges.roots(ids, current, shared, ids).items():
            self._sql.execute(SQL_PERSON_ROOT, (top, key))
        winners: dict[int, list[int]] = {}
        for link in current.values():
            winners.setdefault(link.winner, []).append(link.loser)
        for key in sorted(ids):
            held = self._find_id(PATIENT, decode_id(ids[key]))
            if held is None:
                continue
            state = self._state(held)
            by = decode_id(ids[current[key].winner]) if key in current else None
            of = sorted(decode_id(ids[loser]) for loser in winners.get(key, ()))
            above = [by, of] if by is not None or of else None
            if above != held.above and not (above is None and not held.above):
                held.above = above
                self._settle_links(held, state, event, source)

    def _settle_links(self, held: Held, state: State, event: Event, source: int) -> None:
        final = merges.overlay(state.doc, *(held.above or (None, [])))
        json = orjson.dumps(final, option=_SORTED)
        below = None if final is state.doc else orjson.dumps(state.doc, option=_SORTED)
        if json != held.json:
            self._versions.append((held.key, held.version, held.heard_at, held.source, held.pos, held.json))
            held.version += 1
            held.json, held.heard_at, held.source, held.pos = json, event.recorded_at, source, event.pos
        held.below = below
        self._is_dirty(held)

    def _family(self, keys: set[int]) -> tuple[list[merges.Link], list[set[int]], dict[int, bytes | str]]:
        """Return all merges, shared numbers and patients that are connected with these patients."""
        links: dict[merges.Link, None] = {}
        shared: dict[str, set[int]] = {}
        ids: dict[int, bytes | str] = {}
        waiting = sorted(keys)
        while waiting and len(ids) < merges.PERSON_PATIENTS_MAX:
            key = waiting.pop()
            if key in ids:
                continue
            ids[key] = self._sql.execute("SELECT id FROM person WHERE key = ?", (key,)).fetchone()[0]
            for row in self._sql.execute(SQL_LINKS, (key,)):
                link = merges.Link(row[0], row[1], bool(row[2]), (row[3], row[4], row[5], row[6]))
                links[link] = None
                waiting += [link.loser, link.winner]
            held = self._find_id(PATIENT, decode_id(ids[key]))
            for value in linking_identifiers(self._state(held).doc) if held is not None else ():
                if value in shared:
                    continue
                sharers = self._sharers(value)
                if 1 < len(sharers) <= merges.IDENTIFIER_SHARERS_MAX:
                    shared[value] = sharers
                    waiting += sorted(sharers)
        return list(links), list(shared.values()), ids

    def _sharers(self, value: str) -> set[int]:
        """Return the patients that bear a number that names a person; no more than tell that it names nobody."""
        return {key for (key,) in self._sql.execute(SQL_SHARERS, (value, merges.IDENTIFIER_SHARERS_MAX + 2))}

    def _source(self, origin: str, sender: str) -> int:
        key = self._sources.get((origin, sender))
        if key is None:
            key = self._sources[origin, sender] = len(self._sources) + 1
            self._sql.execute(SQL_SOURCE, (key, origin, sender))
        return key


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold back the search for cycles: a batch makes none, and walking its many dicts costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _body(event: Event) -> Body | None:
    try:
        return decode_body(event.body)
    except ValueError as error:
        _log.error("event body unreadable", extra={"code": "record.no-body", "pos": event.pos, "reason": str(error)})
        return None


def _deceased(doc: Document) -> str | None:
    at = doc.get("deceasedDateTime")
    if isinstance(at, str):
        return at
    return "true" if doc.get("deceasedBoolean") is True else None


def delete_views(path: Path) -> None:
    """Delete a views file with its journal; the log holds everything in it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _take_lock(folder: Path, file: str) -> int:
    """Take the right to write the views; it goes with the process.

    raises  WrongUse  another process folds here
    """
    name = LOCK_FILE if file == VIEWS_FILE else f"{file}.lock"
    try:
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnable("record.unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise WrongUse(
            "record.busy", f"Another process writes the views of {folder}. Stop that node first; nothing was changed."
        ) from error
    return descriptor
