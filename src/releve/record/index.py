"""Where a resource is found: under its name by id, and by its card under the patient it is about.

Ids and patients are scattered, so each new resource falls on another page of a large index. New names and cards gather
in small tables, which a batch touches whole anyway, and are sorted in among the old ones some ten thousand at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from releve.record.held import Card, Held, card_from
from releve.record.known import Known

#: New names, and as many cards, before they are sorted in: two hundred pages each, which a busy batch touches anyway.
NAMES_NEW_MAX = 65_536
#: Old names read into memory at once, some milliseconds of work; the filter says nothing before it has read them all.
NAMES_AT_ONCE = 20_000

SQL_NAME = "INSERT INTO name_new (id, type, key) VALUES (?, ?, ?)"
SQL_CARD = "INSERT INTO card_new VALUES (?, ?, ?, ?, ?)"
SQL_CARDS_GONE = tuple(
    f"DELETE FROM card_{age} WHERE patient = ? AND type = ? AND at = ? AND heard_at = ? AND key = ?"  # noqa: S608 - two constants
    for age in ("new", "old")
)
SQL_NAMES_NEW = "SELECT id FROM name_new"
SQL_NAMES_NEW_COUNT = "SELECT count(*) FROM name_new"
# A text comes before every blob, so that ids which are no UUID are passed over: of them the tables are always asked.
SQL_NAMES_OLD = "SELECT id FROM name_old WHERE id > ? ORDER BY id LIMIT ?"
SQL_SORT_IN = (
    "BEGIN IMMEDIATE",
    "INSERT INTO name_old SELECT * FROM name_new ORDER BY id, type",
    "DELETE FROM name_new",
    "INSERT INTO card_old SELECT * FROM card_new ORDER BY patient, type, at, heard_at, key",
    "DELETE FROM card_new",
    "COMMIT",
)


class Index:
    """The names and cards of a views file, over the one connection that writes it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known = Known()
        self._known_up_to: bytes | None = b""  # of the old names, in their order; None once all are told
        self._known.tell(id_ for (id_,) in db.execute(SQL_NAMES_NEW) if type(id_) is bytes)
        self.recount()

    def recount(self) -> None:
        """Count the new names again, after a transaction that came to nothing; the filter may know too many."""
        self._names_new: int = self._db.execute(SQL_NAMES_NEW_COUNT).fetchone()[0]

    def enter(self, new: list[tuple[object, ...]], dirty: Iterable[Held]) -> None:
        """Write the names and cards of new resources, and the cards of those whose card says something else now.

        new    their rows, as held.SQL_INSERT wants them
        dirty  every resource in memory that was written, new or not
        """
        self._db.executemany(SQL_NAME, [(row[2], row[1], row[0]) for row in new])
        self._known.tell([row[2] for row in new if type(row[2]) is bytes])
        self._names_new += len(new)
        cards = [card for row in new if (card := card_from(row)) is not None]
        gone: list[Card] = []
        for held in dirty:
            card = held.card()
            if not held.is_new and card != held.filed:
                if held.filed is not None:
                    gone.append(held.filed)
                if card is not None:
                    cards.append(card)
            held.filed = card
        for sql in SQL_CARDS_GONE:
            self._db.executemany(sql, gone)
        self._db.executemany(SQL_CARD, cards)

    def perhaps_known(self, ids: list[bytes | str]) -> list[bytes | str]:
        """Return the ids of which the tables must be asked: all, while the filter has not read all old names."""
        if self._known_up_to is not None:
            rows = self._db.execute(SQL_NAMES_OLD, (self._known_up_to, NAMES_AT_ONCE)).fetchall()
            self._known.tell(row[0] for row in rows)
            self._known_up_to = rows[-1][0] if len(rows) == NAMES_AT_ONCE else None
            return ids
        packed = [id_ for id_ in ids if type(id_) is bytes]
        texts = [id_ for id_ in ids if type(id_) is str]
        return [*self._known.perhaps(packed), *texts]

    def sort_in(self) -> None:
        """Sort new names and cards in among the old ones when there are enough of them; a transaction of its own."""
        if self._names_new >= NAMES_NEW_MAX:
            for statement in SQL_SORT_IN:
                self._db.execute(statement)
            self._names_new = 0
