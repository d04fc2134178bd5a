"""Pulling: the events of one channel, from whichever hub is at hand, on top of what the log holds.

Only the next number is applied; at a gap it stops, and the other hub is tried. Only up to the last signed event: what
comes after it is believed when its signature has come. The log itself checks chain and signature once more.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from releve.errors import PeerError, StoreUnable
from releve.log import Event, Ledger, Receipt
from releve.log.event import decode_event
from releve.replica.alerts import Alerts
from releve.replica.depot import Depot, heed_cancel
from releve.replica.names import Channel

AppendRemote = Callable[[Sequence[Event], bytes], Awaitable[Receipt]]
"""Keeps consecutive events of one channel, or none of them; raises PeerError or StoreUnable."""
KeyOf = Callable[[str], bytes | None]
"""Says which Ed25519 public key must have signed an origin's history; None when nobody vouches for it."""

#: An origin signs at least each 256th event, the size of its largest commit; a longer run is not of our making.
UNSIGNED_EVENTS_MAX = 256
#: A channel that a hub gave wrongly is left alone there this long, so that the other hub is asked.
_REFUSED_S = 15.0
_STORE_S = 2.0
#: What passing over a stale number looks like; the next round reads the log anew.
_STALE = frozenset({"log.gap"})


class Puller:
    """Pulls channels into one log; shared by all hubs, so that an event is fetched from one of them only."""

    def __init__(self, ledger: Ledger, append_remote: AppendRemote, key_of: KeyOf, alerts: Alerts) -> None:
        self._ledger = ledger
        self._append_remote = append_remote
        self._key_of = key_of
        self._alerts = alerts
        self._have: dict[Channel, int] = {}
        self._locks: dict[Channel, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._left_until: dict[tuple[str, Channel], float] = {}

    def have(self, channel: Channel) -> int:
        """Return the last number held of another origin's channel."""
        known = self._have.get(channel)
        if known is None:
            known = self._have[channel] = self._ledger.head(*channel)[0]
        return known

    def is_pulling(self, channel: Channel) -> bool:
        """Say whether a channel is being pulled just now, from whichever hub."""
        return self._locks[channel].locked()

    async def catch_up(self, depot: Depot, hub: str, channel: Channel, last: int | None) -> int:
        """Pull a channel up to a number, or to its end, and return how many events were applied.

        last     what the hub said it has; None when it did not say
        raises   Resync  the hub failed; what was applied until then is kept
        """
        lock, key = self._locks[channel], self._key_of(channel.origin)
        if lock.locked() or self._left_until.get((hub, channel), 0.0) > time.monotonic():
            return 0
        if key is None:
            self._alerts.add(
                hub,
                "replica.unknown-origin",
                channel.origin,
                f"No roster names a key for {channel.origin}: not pulled.",
            )
            return 0
        async with lock:
            before = self._have[channel] = self._ledger.head(*channel)[0]
            try:
                await self._pull(depot, channel, last, key)
            except PeerError as refusal:
                if refusal.code.startswith("hub."):
                    raise
                self._distrust(hub, channel, refusal)
            except StoreUnable as refusal:
                self._alerts.add(hub, "replica.store", "", refusal.sentence)
                self._left_until[hub, channel] = time.monotonic() + _STORE_S
            else:
                for code in ("replica.refused", "replica.unknown-origin"):
                    self._alerts.close(hub, code, str(channel) if code == "replica.refused" else channel.origin)
                self._alerts.close(hub, "replica.store", "")
            return self._have[channel] - before

    async def _pull(self, depot: Depot, channel: Channel, last: int | None, key: bytes) -> None:
        waiting: list[Event] = []
        while True:
            heed_cancel()
            start = self._have[channel] + len(waiting) + 1
            if last is not None and start > last:
                return
            rows = await depot.fetch(channel.stream, start)
            if not rows:
                return
            gap = _take(channel, start, rows, waiting)
            whole = _signed_length(waiting)
            if whole:
                receipt = await self._append_remote(waiting[:whole], key)
                assert receipt.seq >= waiting[whole - 1].seq, "the log keeps all of them or refuses"
                self._have[channel] = waiting[whole - 1].seq
                del waiting[:whole]
            if gap is not None:
                raise PeerError(
                    "replica.gap", f"{channel}: event {gap} came where {start + len(rows) - 1} or less was expected."
                )
            if len(waiting) > UNSIGNED_EVENTS_MAX:
                raise PeerError(
                    "replica.unsigned",
                    f"{channel}: {len(waiting)} events after {self._have[channel]} bear no signature; not applied.",
                )

    def _distrust(self, hub: str, channel: Channel, refusal: PeerError) -> None:
        if refusal.code in _STALE:
            return
        self._left_until[hub, channel] = time.monotonic() + _REFUSED_S
        self._alerts.add(hub, "replica.refused", str(channel), f"{refusal.sentence} ({refusal.code})")


def _take(channel: Channel, start: int, rows: Sequence[tuple[int, bytes]], waiting: list[Event]) -> int | None:
    """Add the consecutive events to those waiting; returns the number that came instead of the next one, if one did.

    raises  PeerError  what a number holds is no event, or an event of another place
    """
    for number, data in rows:
        if number < start:
            continue
        if number > start:
            return number
        try:
            event = decode_event(data)
        except ValueError as error:
            raise PeerError("replica.no-event", f"{channel}: number {number} holds no event: {error}.") from error
        if (event.origin, event.epoch, event.channel, event.seq) != (*channel, number):
            raise PeerError(
                "replica.misplaced",
                f"{channel}: number {number} holds event {event.seq} of {event.origin}/{event.epoch}/{event.channel}.",
            )
        waiting.append(event)
        start += 1
    return None


def _signed_length(events: Sequence[Event]) -> int:
    """Return how many of the events can be believed: up to the last that is signed."""
    return next((number for number in range(len(events), 0, -1) if events[number - 1].signature), 0)
