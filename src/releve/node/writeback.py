"""What is owed to the systems that were away, and giving it to them: the views say what, the outbox says when.

An event is settled when its delivery stands in the log. A restart forgets what was in flight, so that the last message
may go twice under one MSH-10; nothing is ever skipped.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from releve.config import Config, WriteBack
from releve.doors.outbox import Owed as OwedEvent
from releve.doors.outbox import Pace, deliver
from releve.errors import Refused, ReleveError
from releve.log import Draft, Ledger, Receipt, decode_body
from releve.record import Views
from releve.record.rows import Owed
from releve.translate.outbound import Station, outbound

Append = Callable[[Draft], Awaitable[Receipt]]


class Debt:
    """What this node owes one destination.

    The views are asked from the oldest event that is not settled onwards: years of settled history cost nothing.
    """

    def __init__(self, target: WriteBack, config: Config, views: Views, ledger: Ledger) -> None:
        self._target = target
        self._views = views
        self._ledger = ledger
        self._settled_pos = 0
        self._station = Station("RELEVE", config.site_id, target.name, "", config.zone)

    def owed(self, limit: int) -> list[Owed]:
        """Return what is owed, oldest first.

        raises  StoreUnable  the views are being rebuilt
        """
        position = self._views.position()
        found = self._views.outbox(
            self._target.name,
            limit,
            after_pos=self._settled_pos,
            kinds=self._target.sends,
            senders=self._target.forwards,
        )
        refused = self._views.refused(self._target.name, 1)
        oldest = min([position + 1, *(one.pos for one in found[:1]), *(one.pos for one in refused)])
        self._settled_pos = max(self._settled_pos, oldest - 1)
        return found

    def refused(self) -> dict[int, str]:
        """Return what was refused and nobody has decided: pos → patient id."""
        return {one.pos: one.patient_id for one in self._views.refused(self._target.name)}

    def count(self) -> int:
        """Return how many events are owed, refused ones included; 0 while the views are being rebuilt."""
        try:
            self.owed(1)  # moves the mark up to the oldest that is not settled
            owed = self._views.owed_count(
                self._target.name,
                after_pos=self._settled_pos,
                kinds=self._target.sends,
                senders=self._target.forwards,
            )
            return owed + len(self._views.refused(self._target.name))
        except ReleveError:
            return 0

    def contents(self, owed: OwedEvent) -> list[bytes]:
        """Return the HL7 v2 messages that tell an event.

        raises  Refused  it cannot be told: a person must do it by hand
        """
        event = self._ledger.at(owed.pos)
        if event is None:
            raise Refused("outbox.no-event", f"Event {owed.pos} is not in the log of this node; run releve verify.")
        return outbound(event, decode_body(event.body), self._look_up, self._station, self._ledger.blob)

    def _look_up(self, type_: str, id_: str) -> dict[str, Any] | None:
        stored = self._views.resource(type_, id_)
        return orjson.loads(stored.json) if stored is not None else None


async def write_back(target: WriteBack, debt: Debt, append: Append) -> None:
    """Serve one destination until cancelled."""
    await deliver(
        target.name,
        target.host,
        target.port,
        owed=debt.owed,
        refused=debt.refused,
        contents_of=debt.contents,
        append=append,
        now=time.monotonic,
        random=random.random,
        pace=Pace(messages_per_s=target.messages_per_s),
    )


def debts_of(config: Config, views: Views, ledger: Ledger) -> dict[str, Debt]:
    """Return what is owed to each destination, by its name."""
    return {target.name: Debt(target, config, views, ledger) for target in config.writebacks}


def start_write_backs(config: Config, debts: dict[str, Debt], append: Append) -> list[asyncio.Task[None]]:
    """Return a task for each destination."""
    return [
        asyncio.create_task(write_back(target, debts[target.name], append), name=f"writeback-{target.name}")
        for target in config.writebacks
    ]
