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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson

from releve.errors import StoreUnable, WrongUse
from releve.log import Body, Event, Ledger, Statement, decode_body
from releve.record import fold, movements, tally
from releve.record.fold import Document, Place
from releve.record.glance import glance
from releve.record.held import Held
from releve.record.kin import regroup
from releve.record.schema import ENCOUNTER, PATIENT, VIEWS_FILE, open_for_folding
from releve.record.shelf import Shelf

_log = logging.getLogger(__name__)

LOCK_FILE = "views.lock"
#: Events whose resources are in memory together: as much as the processor's own cache holds. By thousands, each step of
#: a fold would find what the step before it touched gone from there, and take a tenth longer.
_EVENTS_AT_ONCE = 64
#: Types of which a glance is enough when they are new.
GLANCED = ("Observation", "DiagnosticReport")

SQL_STATEMENTS = "SELECT pos, place FROM statement WHERE key = ?"
SQL_LINK = "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)"
SQL_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"


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
        self._is_anew = False  # made from nothing, and nothing folded since
        with ExitStack() as undo:
            undo.callback(self.close)
            self._ledger = Ledger(folder)
            self._origin = origin or self._ledger.first_origin()
            self._open()
            undo.pop_all()

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
            self._shelf.index.sort_in()
        except sqlite3.OperationalError as error:
            self._roll_back()
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
        self._is_anew = True

    def _load(self) -> None:
        db = self._sql
        meta = dict(db.execute("SELECT name, value FROM meta"))
        if meta.setdefault("origin", self._origin) != self._origin:
            raise sqlite3.DatabaseError(f"views of node {meta['origin']}, not {self._origin}")
        self._position: int = meta.get("position", 0)
        stat = self._path.stat()
        self._inode = (stat.st_dev, stat.st_ino)
        self._shelf = Shelf(db)

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
        except sqlite3.Error as error:
            self._roll_back()
            if not self._is_our_fault(error):
                raise
        except Exception:  # noqa: BLE001 - one event that cannot be folded must not stop the record; it is found below
            self._roll_back()
        else:
            self._is_anew = False
            return
        for event in events:
            self._fold_alone(event)

    def _is_our_fault(self, error: sqlite3.Error) -> bool:
        """Say whether a contradiction is one of the event and not of the file: it came in views that are all new."""
        return isinstance(error, sqlite3.IntegrityError) and self._is_anew

    def _fold_alone(self, event: Event) -> None:
        """Fold one event; when it cannot be folded, list it as kept and go on."""
        try:
            self._fold_in_one([event])
        except sqlite3.Error as error:
            self._roll_back()
            if not self._is_our_fault(error):
                raise
            self._list_kept(event, error)
        except Exception as error:  # noqa: BLE001 - listed with its reason as kept, not understood; the log holds it whole
            self._roll_back()
            self._list_kept(event, error)

    def _list_kept(self, event: Event, error: Exception) -> None:
        """List an event that cannot be folded as kept, and go on behind it."""
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
        tally.keep(
            self._shelf,
            event,
            {},
            f"record.cannot-fold: {type(error).__name__} while folding; the event is kept whole.",
        )
        self._commit(event.pos)

    def _fold_in_one(self, events: list[Event]) -> None:
        assert self._ledger is not None, "the archive is closed"
        self._own_epoch = self._ledger.epoch_of(self._origin)
        self._sql.execute("BEGIN IMMEDIATE")
        with _no_collection():
            for start in range(0, len(events), _EVENTS_AT_ONCE):
                self._fold_some(events[start : start + _EVENTS_AT_ONCE])
            self._commit(events[-1].pos)

    def _fold_some(self, events: list[Event]) -> None:
        """Fold events in the transaction at hand, and write what they changed."""
        bodies = [_body(event) for event in events]
        self._shelf.look_ahead(bodies)
        for event, body in zip(events, bodies, strict=True):
            self._fold_event(event, body)
        self._shelf.flush()
        self._shelf.trim()

    def _commit(self, position: int) -> None:
        self._sql.executemany(SQL_META, (("position", position), ("origin", self._origin)))
        self._sql.execute("COMMIT")
        self._position = position

    def _roll_back(self) -> None:
        if self._sql.in_transaction:
            self._sql.execute("ROLLBACK")
        self._shelf.forget()

    # An event

    def _fold_event(self, event: Event, body: Body | None) -> None:
        if body is None:
            tally.keep(
                self._shelf, event, {}, "record.no-body: the body of this event cannot be read; it is kept whole."
            )
            return
        origin, hlc = event.origin, event.hlc
        told = body.source
        sender = told.get("sender") or told.get("author") or told.get("door") or ""
        source = self._shelf.source(origin, str(sender))
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
            self._shelf.settle(held, event, source)
        if self._shelf.unsure:
            regroup(self._shelf, self._shelf.unsure, event, source)
            self._shelf.unsure = set()
        assert self._ledger is not None, "the archive is closed"
        tally.count(self._shelf, event, body, self._ledger, self._origin, self._own_epoch)

    # Statements

    def _put(self, told: Statement, place: Place, event: Event, source: int) -> None:
        held = self._shelf.find(told)
        if held is None:
            # The way of nearly every result: nobody spoke of it before, and what was put is what is known.
            seen = glance(told.content) if told.type in GLANCED else None
            if seen is not None:
                self._shelf.lay(told, seen, place, event, source)
                return
            held = self._shelf.make(told)
        if held.version == 0:
            raw = told.content
            doc: Document = orjson.loads(raw)
            if doc.pop("resourceType", None) is not None:
                raw = orjson.dumps(doc)
            if held.state is None and held.type not in (PATIENT, ENCOUNTER):
                held.last, held.first_pos, held.first_index = place, event.pos, place[3]
                self._shelf.renew(held, doc, raw, None, place[0], event, source)
                return
        state = self._shelf.state_of(held)
        self._note_statement(held, event.pos, place[3])
        if place > state.last:
            fold.put(state, told.content, place)
        else:
            self._refold(held, told, place)
        self._shelf.settle(held, event, source)

    def _change(self, told: Statement, place: Place, event: Event, source: int, touched: list[Held]) -> None:
        """Take in a patch, a mention or a movement; the resource is settled at the end of the event."""
        held = self._shelf.find(told)
        if held is None:
            held = self._shelf.make(told)
        if told.content == held.moot and told.verb == "mention" and held.version:
            return
        state = self._shelf.state_of(held)
        content: Document = orjson.loads(told.content)
        if told.verb == "mention":
            if not fold.mention(state, content, place) and held.version:
                if fold.is_moot(state, content):
                    held.moot = told.content
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
                self._shelf.identify(held, held.state.doc if held.state else {})
        if not held.is_touched:
            held.is_touched = True
            touched.append(held)
        self._shelf.mark(held)

    def _link(self, told: Statement, place: Place, event: Event, touched: list[Held]) -> None:
        """Take in a merge or its undoing: everybody of the family is looked at again."""
        content = orjson.loads(told.content)
        other = content.get("into" if told.verb == "merge" else "from") or told.id
        loser, winner = self._shelf.person_key(told.id), self._shelf.person_key(other)
        row = (loser, winner, told.verb == "merge", *place, event.pos)
        self._sql.execute(SQL_LINK, row)
        for id_ in (told.id, other):
            if self._shelf.find_id(PATIENT, id_) is None:
                held = self._shelf.make(Statement("mention", "Patient", id_, told.at, "", b"{}"))
                held.is_touched = True
                touched.append(held)
        self._shelf.unsure |= {loser, winner}

    def _refold(self, held: Held, told: Statement, place: Place) -> None:
        """Fold a resource again because a statement came late: it belongs before others that were folded."""
        self._shelf.flush()
        assert held.state is not None
        found = [(told.verb, told.content, place)]
        places = list(self._shelf.db.execute(SQL_STATEMENTS, (held.key,)))
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
            self._shelf.statements.append((held.key, pos, index))
        self._shelf.mark(held)


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
