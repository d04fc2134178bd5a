"""Reading the log: events in the order this node kept them, heads of channels, kept blobs. It never writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from releve.log.event import Event
from releve.log.schema import LOG_FILE, open_for_reading

_COLUMNS = "origin, epoch, channel, seq, hlc, recorded_at, kind, event_id, body, prev_hash, hash, signature, pos"

SQL_AFTER = f"SELECT {_COLUMNS} FROM event WHERE pos > ? ORDER BY pos LIMIT ?"  # noqa: S608 - a constant
SQL_OF_KIND = f"SELECT {_COLUMNS} FROM event WHERE pos > ? AND pos <= ? AND kind = ? ORDER BY pos LIMIT ?"  # noqa: S608 - a constant
SQL_AT = f"SELECT {_COLUMNS} FROM event WHERE pos = ?"  # noqa: S608 - a constant
SQL_CHANNEL = (
    f"SELECT {_COLUMNS} FROM event WHERE origin = ? AND epoch = ? AND channel = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - a constant
)
SQL_HEAD = "SELECT seq, hash FROM event WHERE origin = ? AND epoch = ? AND channel = ? ORDER BY seq DESC LIMIT 1"
SQL_EPOCH = "SELECT max(epoch) FROM event WHERE origin = ?"
SQL_FIRST_OF_FACT = "SELECT min(pos) FROM event WHERE event_id = ? AND origin = ?"
SQL_HOLDS = "SELECT 1 FROM event WHERE event_id = ?"
SQL_BLOB = "SELECT bytes FROM blob WHERE sha256 = ?"
SQL_LAST = "SELECT coalesce(max(pos), 0) FROM event"
SQL_FIRST_ORIGIN = "SELECT origin FROM origin ORDER BY known_since, origin LIMIT 1"
SQL_KEY = "SELECT public_key FROM origin WHERE origin = ?"


class Ledger:
    """A read-only view of a node's log; safe beside the process that writes it."""

    def __init__(self, folder: Path) -> None:
        self._db = open_for_reading(folder / LOG_FILE)

    def close(self) -> None:
        self._db.close()

    def after(self, pos: int, limit: int = 1000) -> list[Event]:
        """Return the events kept after a position, in order, at most limit of them."""
        return [Event(*row) for row in self._db.execute(SQL_AFTER, (pos, limit))]

    def every(self, after: int = 0, chunk: int = 1000) -> Iterator[Event]:
        """Yield all events kept after a position."""
        while events := self.after(after, chunk):
            yield from events
            after = events[-1].pos

    def of_kind(self, kind: str, after: int, until: int, limit: int = 1000) -> list[Event]:
        """Return the events of one kind between two positions, in order; the others are not read into memory."""
        return [Event(*row) for row in self._db.execute(SQL_OF_KIND, (after, until, kind, limit))]

    def at(self, pos: int) -> Event | None:
        """Return the event at a position, if there is one."""
        row = self._db.execute(SQL_AT, (pos,)).fetchone()
        return Event(*row) if row else None

    def holds(self, event_id: bytes) -> bool:
        """Say whether a fact is kept here, whoever wrote it."""
        return self._db.execute(SQL_HOLDS, (event_id,)).fetchone() is not None

    def first_pos(self, event_id: bytes, origin: str) -> int | None:
        """Return where an origin's fact was kept first, in whatever epoch; None when it is not here."""
        pos: int | None = self._db.execute(SQL_FIRST_OF_FACT, (event_id, origin)).fetchone()[0]
        return pos

    def channel_after(self, origin: str, epoch: int, channel: str, seq: int, limit: int) -> list[Event]:
        """Return the events of one channel above a sequence number, in order, at most limit of them."""
        return [Event(*row) for row in self._db.execute(SQL_CHANNEL, (origin, epoch, channel, seq, limit))]

    def head(self, origin: str, epoch: int, channel: str) -> tuple[int, bytes]:
        """Return (seq, hash) of a channel's last event; (0, b"") of an empty one."""
        row = self._db.execute(SQL_HEAD, (origin, epoch, channel)).fetchone()
        return (row[0], row[1]) if row else (0, b"")

    def epoch_of(self, origin: str) -> int:
        """Return the latest epoch of which an origin's events are here; 1 when there are none."""
        return self._db.execute(SQL_EPOCH, (origin,)).fetchone()[0] or 1

    def last_pos(self) -> int:
        """Return the position of the last event kept; 0 of an empty log."""
        return int(self._db.execute(SQL_LAST).fetchone()[0])

    def blob(self, sha256: bytes) -> bytes | None:
        """Return the bytes kept under a hash, if this node has them."""
        row = self._db.execute(SQL_BLOB, (sha256,)).fetchone()
        return row[0] if row else None

    def public_key(self, origin: str) -> bytes | None:
        """Return the Ed25519 public key that this node knows of an origin."""
        row = self._db.execute(SQL_KEY, (origin,)).fetchone()
        return row[0] if row else None

    def first_origin(self) -> str:
        """Return the origin this log knew first, which is the node's own; empty when nobody ever wrote it."""
        row = self._db.execute(SQL_FIRST_ORIGIN).fetchone()
        return row[0] if row else ""

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed; cheap enough to poll."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])


def is_full(error: sqlite3.Error) -> bool:
    """Say whether an error means that the disk is full."""
    return "disk is full" in str(error)
