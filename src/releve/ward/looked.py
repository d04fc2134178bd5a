"""When somebody last looked at a record, so that a list can say what is new to them. Losing it costs a few marks."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from releve.clock import Instant
from releve.errors import StoreUnable

LOOKED_FILE = "looked.db"
#: New to somebody who never opened the record: what came within a day.
UNSEEN_S = 86_400
#: A look that long ago says nothing any more; the row goes.
KEEP_S = 90 * 86_400

_log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS looked (
  account TEXT, patient TEXT, at INTEGER NOT NULL, before INTEGER NOT NULL, PRIMARY KEY (account, patient)
) STRICT, WITHOUT ROWID;
"""


class Looked:
    """Last looks, by account and patient.

    raises  StoreUnable  the folder cannot be written
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOOKED_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # One thread at a time, but not always the one that opened it, as with the accounts.
            self._db = sqlite3.connect(path, timeout=5, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")  # see the module's first line
            self._db.executescript(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnable("looked.unwritable", f"{path} cannot be written: {error}.") from error

    def close(self) -> None:
        self._db.close()

    def since(self, account: str, patients: Sequence[str], now: Instant) -> dict[str, Instant]:
        """Return, for each patient, from when on a result is new to an account."""
        rows = dict(self._db.execute("SELECT patient, at FROM looked WHERE account = ?", (account,)))
        unseen = now - UNSEEN_S * 1_000_000
        return {patient: rows.get(patient, unseen) for patient in patients}

    def look(self, account: str, patient: str, now: Instant, *, is_auto: bool) -> Instant:
        """Note that somebody looks, and return from when on a result is new to them on this page.

        is_auto  the page reloaded itself: what was new when it was opened stays marked
        """
        row = self._db.execute(
            "SELECT at, before FROM looked WHERE account = ? AND patient = ?", (account, patient)
        ).fetchone()
        at, before = row or (now - UNSEEN_S * 1_000_000, now - UNSEEN_S * 1_000_000)
        if is_auto:
            return int(before)
        try:
            with self._db:
                self._db.execute("INSERT OR REPLACE INTO looked VALUES (?, ?, ?, ?)", (account, patient, now, at))
        except sqlite3.OperationalError as error:
            # A full disk costs the marks of what is new, never the page.
            _log.warning("last look not kept", extra={"reason": str(error)})
        return int(at)

    def forget(self, now: Instant) -> None:
        """Drop looks of long ago."""
        with self._db:
            self._db.execute("DELETE FROM looked WHERE at < ?", (now - KEEP_S * 1_000_000,))
