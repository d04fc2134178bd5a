"""The tables of the log file, and how its connections are opened.

One SQLite file, WAL. The writer syncs at every commit (synchronous=FULL): in WAL mode NORMAL may lose the last commits
at a power cut, which is the night this program is for.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from releve.errors import StoreUnable, WrongUse

LOG_FILE = "log.db"
SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE event (
  pos INTEGER PRIMARY KEY,
  origin TEXT NOT NULL, epoch INTEGER NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL,
  hlc INTEGER NOT NULL, recorded_at INTEGER NOT NULL, kind TEXT NOT NULL,
  event_id BLOB NOT NULL, body BLOB NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_seq ON event (origin, epoch, channel, seq);
-- With the epoch: a node that lost its disk may keep a repeated fact anew before its first history comes back.
CREATE UNIQUE INDEX event_by_id ON event (event_id, origin, epoch);
CREATE TABLE blob (sha256 BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE origin (
  origin TEXT PRIMARY KEY, public_key BLOB NOT NULL, known_since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

#: 16 MB of WAL before its pages are copied back: fewer, longer checkpoints; each costs two syncs beside the commits.
_WAL_PAGES = 4000
_CACHE_KIB = 65_536


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the log file, making it when it is not there.

    raises  WrongUse     the file is not a log, or of another version
    raises  StoreUnable  the folder cannot be written
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
            version = SCHEMA_VERSION
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    except OSError as error:
        raise StoreUnable("log.unwritable", f"The log {path} cannot be written: {error.strerror}.") from error
    if version != SCHEMA_VERSION:
        db.close()
        raise WrongUse(
            "log.other-version",
            f"{path} is a log of version {version}; this program writes version {SCHEMA_VERSION}. Nothing was changed.",
        )
    return db


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the log file for reading only; what the writer commits meanwhile is seen by later reads.

    raises  WrongUse  there is no log here
    """
    if not path.exists():
        raise WrongUse("log.missing", f"There is no log at {path}. A node's folder holds one after its first start.")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA query_only=1")
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            raise WrongUse("log.other-version", f"{path} is no log of version {SCHEMA_VERSION}.")
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    return db


def _unusable(path: Path, error: sqlite3.DatabaseError) -> WrongUse | StoreUnable:
    if "not a database" in str(error):
        return WrongUse("log.not-a-log", f"{path} is not a log: it is no SQLite file. Nothing was changed.")
    return StoreUnable("log.unusable", f"The log {path} cannot be used: {error}.")
