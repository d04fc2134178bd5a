"""Making the views anew from the log, and proving that the ones at hand equal that.

A rebuild is the ordinary fold, from the first event, into a file beside the views; it takes their place when it is
whole. Verifying does the same and compares the two, table by table.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

from releve.errors import ReleveError
from releve.log import Ledger
from releve.log.findings import Findings
from releve.record.archive import Archive, delete_views
from releve.record.schema import VIEWS_FILE, open_for_reading
from releve.record.views import Views

#: Tables are compared this many rows at a time; memory stays small whatever the size.
_ROWS = 2_000
#: After this many rows of a table that differ, what is wrong is clear.
_DIFFERENCES_MAX = 3

#: Every table, with what orders its rows.
TABLES = {
    "source": "key",
    "person": "key",
    "resource": "key",
    "name": "id, type",
    "card": "patient, type, at, heard_at, key",
    "version": "key, n",
    "statement": "key, pos, place",
    "token": "param, value, key",
    "link": "loser, at, hlc, origin, place",
    "stay": "encounter",
    "feed": "origin, sender, type",
    "sighting": "service, origin",
    "kept": "pos",
    "kept_count": "type, reason",
    "own_event": "pos",
    "delivery": "destination, pos",
    "meta": "name",
}

Progress = Callable[[int, int], None]


def rebuild(folder: Path, progress: Progress | None = None, *, origin: str = "") -> int:
    """Make the views of a stopped node anew from its log; returns how many events were folded.

    progress  called with (events folded, events in the log)

    raises  WrongUse     there is no log, or the node runs
    raises  StoreUnable  the disk refused; the old views are gone only when the new ones are whole
    """
    draft = folder / "views.new.db"
    delete_views(draft)
    origin = origin or _own_origin(folder)
    holder = Archive(folder, origin=origin)
    try:
        folded = _fold_into(folder, draft.name, origin, None, progress)
        holder.give_way(draft)
    finally:
        holder.close()
        delete_views(draft)
    return folded


def verify_views(folder: Path, progress: Progress | None = None) -> Findings:
    """Prove that the views equal a rebuild from the log up to their position.

    raises  WrongUse  there is no log
    """
    findings = Findings()
    path = folder / VIEWS_FILE
    views = Views(folder)
    try:
        with views.one_moment() as db:
            position = views.position()
            last = _last_pos(folder)
            if position > last:
                findings.add(
                    "record.ahead", f"The views stand at {position}, the log ends at {last}: they are of another log."
                )
            fresh = folder / f"views.verify-{os.getpid()}.db"
            delete_views(fresh)
            try:
                findings.checked = _fold_into(folder, fresh.name, _own_origin(folder), position, progress)
                _compare(db, fresh, findings)
            finally:
                delete_views(fresh)
                (folder / f"{fresh.name}.lock").unlink(missing_ok=True)
    except sqlite3.DatabaseError as error:
        findings.add("record.torn", f"{path} cannot be read ({error}); delete it, it is rebuilt from the log.")
    except ReleveError as error:
        if error.code != "record.no-views":
            raise
        findings.add("record.no-views", f"{path} is not there or not whole; the node rebuilds it when it runs.")
    finally:
        views.close()
    return findings


def _fold_into(folder: Path, file: str, origin: str, until: int | None, progress: Progress | None) -> int:
    archive = Archive(folder, origin=origin, file=file)
    last = _last_pos(folder) if until is None else until
    folded = 0
    try:
        while archive.position < last:
            count = archive.fold_new(min(500, last - archive.position))
            if not count:
                break
            folded += count
            if progress is not None:
                progress(folded, last)
    finally:
        archive.close()
    return folded


def _own_origin(folder: Path) -> str:
    """Return whose views these are: what they say themselves, else the log."""
    path = folder / VIEWS_FILE
    if path.exists():
        try:
            db = open_for_reading(path)
        except ReleveError:
            db = None  # torn or foreign: the log knows too
        if db is not None:
            try:
                row = db.execute("SELECT value FROM meta WHERE name = 'origin'").fetchone()
            finally:
                db.close()
            if row:
                return str(row[0])
    ledger = Ledger(folder)
    try:
        return ledger.first_origin()
    finally:
        ledger.close()


def _last_pos(folder: Path) -> int:
    ledger = Ledger(folder)
    try:
        return ledger.last_pos()
    finally:
        ledger.close()


def _compare(db: sqlite3.Connection, path: Path, findings: Findings) -> None:
    fresh = open_for_reading(path)
    try:
        for table, order in TABLES.items():
            differences = 0
            for old, new in zip_longest(_rows(db, table, order), _rows(fresh, table, order)):
                if old != new:
                    differences += 1
                    findings.add("record.differs", _difference(db, table, old, new))
                    if differences == _DIFFERENCES_MAX:
                        break
    finally:
        fresh.close()


def _rows(db: sqlite3.Connection, table: str, order: str) -> Iterator[tuple[object, ...]]:
    cursor = db.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - names of our own tables
    while rows := cursor.fetchmany(_ROWS):
        yield from rows


def _difference(
    db: sqlite3.Connection, table: str, old: tuple[object, ...] | None, new: tuple[object, ...] | None
) -> str:
    """Return a sentence that names a row and its columns, never what stands in them: it may be a patient's name."""
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    if old is None or new is None:
        row = old or new or ()
        where = "has a row more than" if new is None else "lacks a row of"
        return f"views table {table} {where} a rebuild from the log: {names[0]} {_key(row[0])}."
    columns = [name for name, a, b in zip(names, old, new, strict=True) if a != b]
    return f"views table {table}, {names[0]} {_key(old[0])}: {', '.join(columns)} differ from a rebuild from the log."


def _key(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
