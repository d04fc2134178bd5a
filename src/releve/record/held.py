"""One resource in memory: its row, and its state once something needs it; and how rows are written.

It knows the columns of the table resource and nothing of what they mean.
"""

from __future__ import annotations

from typing import Any

from releve.record import fold
from releve.record.fold import Place, State
from releve.record.terms import Tokens

_COLUMNS = (
    "key, type, id, patient, at, code, status, version, heard_at, source, pos, first_pos, first_index, "
    "last_at, last_hlc, last_origin, last_index, json, below, state"
)
#: Patient, type, when, when heard, key: in this order they lie in the table card.
Card = tuple[int, int, int, int, int]
SQL_HELD = f"SELECT {_COLUMNS} FROM resource WHERE key = (SELECT key FROM name WHERE id = ? AND type = ?)"  # noqa: S608 - a constant
SQL_HELD_BY_IDS = f"SELECT {_COLUMNS} FROM resource WHERE key IN (SELECT key FROM name WHERE id IN"  # noqa: S608 - a constant
SQL_INSERT = f"INSERT INTO resource ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - a constant
SQL_UPDATE = (
    "UPDATE resource SET patient=?, at=?, code=?, status=?, version=?, heard_at=?, source=?, pos=?, first_pos=?, "
    "first_index=?, last_at=?, last_hlc=?, last_origin=?, last_index=?, json=?, below=?, state=? WHERE key=?"
)


class Held:
    """One resource in memory: its row, and its state once something needs it."""

    __slots__ = (
        "above",
        "at",
        "below",
        "code",
        "encoded",
        "filed",
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
        "moot",
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
        self.moot = b""  # the last mention that could never say anything here, because all of it was stated
        self.filed: Card | None = None  # the card that is written
        self.is_new = self.is_dirty = self.is_touched = False

    def card(self) -> Card | None:
        """Return the row of the table card; None for what names no patient."""
        return None if self.patient is None else (self.patient, self.type, self.at, self.heard_at, self.key)

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


def held_from(row: tuple[Any, ...]) -> Held:
    """Return a row of SQL_HELD as a resource in memory."""
    held = Held(row[0], row[1], row[2])
    (held.patient, held.at, held.code, held.status, held.version, held.heard_at, held.source, held.pos) = row[3:11]
    held.first_pos, held.first_index = row[11:13]
    held.last = row[13:17]
    held.json, held.below, held.encoded = row[17:]
    held.filed = card_from(row)
    return held


def card_from(row: tuple[Any, ...]) -> Card | None:
    """Return the card of a row of SQL_HELD or SQL_INSERT; None for what names no patient."""
    return None if row[3] is None else (row[3], row[1], row[4], row[8], row[0])
