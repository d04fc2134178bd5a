"""What an event means beside its statements: feeds, worklists, what this node owes, how deliveries ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from releve.log import Body, Event, Ledger, Statement
from releve.record.shelf import Shelf
from releve.record.sighting import SIGHTING, see

#: Kinds of this node's own events that may have to be written back to the centre.
_OWN_KINDS = frozenset({"hl7v2", "note", "admission", "merge", "unmerge"})
SQL_KEPT = "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)"
SQL_KEPT_COUNT = "INSERT INTO kept_count VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
SQL_DELIVERY = "INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?, ?)"


def count(shelf: Shelf, event: Event, body: Body, ledger: Ledger, own_origin: str, own_epoch: int) -> None:
    """Note what an event means beside its statements: feeds, worklists, deliveries.

    own_epoch  the latest of this node's own: above 1 the log may hold a fact of its own twice, which is owed once
    """
    told = body.source
    kind = event.kind
    if kind in ("hl7v2", "unreadable"):
        part = told.get("part")
        if part is None or str(part).startswith("1/"):
            name = (event.origin, str(told.get("sender") or ""), str(told.get("type") or kind))
            feed = shelf.feeds.setdefault(name, [0, 0])
            feed[0] += 1
            feed[1] = max(feed[1], event.recorded_at)
            if not body.understood:
                keep(shelf, event, told, body.remarks[0] if body.remarks else "")
    elif kind == "delivery" and event.origin == own_origin:
        _deliver(shelf, event, told, ledger)
    elif kind == SIGHTING:
        see(shelf, event, told)
    if event.origin == own_origin and kind in _OWN_KINDS and body.statements:
        if own_epoch > 1 and ledger.first_pos(event.event_id, own_origin) != event.pos:
            return
        shelf.own.append(
            (
                event.pos,
                event.event_id,
                kind,
                str(told.get("sender") or ""),
                _subject(shelf, body.statements),
                event.recorded_at,
            )
        )


def keep(shelf: Shelf, event: Event, told: dict[str, Any], reason: str) -> None:
    """List an event as kept and waiting for somebody who can read it."""
    kind = str(told.get("type") or event.kind)
    shelf.db.execute(
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
    shelf.db.execute(SQL_KEPT_COUNT, (kind, reason))


def _deliver(shelf: Shelf, event: Event, told: dict[str, Any], ledger: Ledger) -> None:
    """Note how a delivery of one of our own events ended."""
    event_id = told.get("event_id")
    if isinstance(event_id, str):
        event_id = bytes.fromhex(event_id)
    pos = ledger.first_pos(event_id, event.origin) if event_id else None
    if pos is None:
        pos = told.get("pos")
    if pos is None:
        raise ValueError("a delivery of nothing")
    ack = told.get("ack") or ""
    shelf.db.execute(
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


def _subject(shelf: Shelf, statements: Iterable[Statement]) -> int | None:
    for statement in statements:
        if statement.subject:
            return shelf.person_key(statement.subject)
        if statement.type == "Patient":
            return shelf.person_key(statement.id)
    return None
