"""Pushing: one loop for each channel of this node at each hub.

Ask how far the hub goes, decide, push on top of that, and stay on top until something fails or nothing happened for a
while; then ask again. The hub refuses whatever does not follow its last number, so two writers or a doubtful answer
do no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from releve.clock import Instant
from releve.log import Event, Ledger
from releve.log.event import decode_event, encode_event
from releve.replica.alerts import Alerts
from releve.replica.decide import Act, Decision, Likeness, decide
from releve.replica.depot import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Depot, Resync, StreamState, heed_cancel
from releve.replica.names import Channel
from releve.replica.pull import Puller
from releve.replica.tide import Tide

#: A hub that lost something while nothing was pushed is found out within this.
IDLE_S = 5.0
_STREAM_WAIT_S = 0.5
_STOPPED_S = 30.0
_PAUSE_FIRST_S, _PAUSE_LAST_S = 0.1, 5.0
#: In a row; then the connection is taken for dead though nobody said so.
FAILURES_MAX = 3
_BATCH_BYTES_LEAST = 64_000
#: NATS headers and the event's own fields beside its body.
_HEADER_BYTES = 1024

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Exchange:
    """What one hub and this node have exchanged; outlives connections.

    acked  by channel, the highest number the hub acknowledged: a hint, kept over restarts
    """

    hub: str
    acked: dict[Channel, int] = field(default_factory=dict)
    pushed: int = 0
    pulled: int = 0
    last_at: Instant = 0


class Pusher:
    """Pushes one channel of this node to one hub, through one connection."""

    def __init__(
        self,
        channel: Channel,
        depot: Depot,
        exchange: Exchange,
        ledger: Ledger,
        puller: Puller,
        tide: Tide,
        alerts: Alerts,
        now: Callable[[], Instant],
        *,
        first_wait_s: float,
    ) -> None:
        self._channel = channel
        self._depot = depot
        self._exchange = exchange
        self._ledger = ledger
        self._puller = puller
        self._tide = tide
        self._alerts = alerts
        self._now = now
        self._wait_s = first_wait_s
        self._bytes_max = BATCH_BYTES_MAX

    async def run(self) -> None:
        """Push until cancelled.

        raises  Resync  the hub failed several times in a row: the connection is not worth keeping
        """
        failures = 0
        while True:
            heed_cancel()
            try:
                await self._follow()
                failures = 0
            except Resync as failure:
                failures += 1
                refused = self._depot.refused(self._channel.stream) or self._depot.refused(self._channel.subject)
                if refused:
                    self._alert("replica.permission", f"The hub does not let this site use {self._channel}: {refused}")
                elif failures >= FAILURES_MAX:
                    raise
                _log.info(
                    "push interrupted",
                    extra={"code": failure.code, "hub": self._exchange.hub, "channel": str(self._channel)},
                )
                await asyncio.sleep(min(_PAUSE_FIRST_S * 2**failures, _PAUSE_LAST_S))

    async def _follow(self) -> None:
        """Compare once, and do what follows from it."""
        state = await self._depot.info(self._channel.stream)
        own_last = self._ledger.head(*self._channel)[0]
        likeness = await self._compare(state, own_last)
        decision = decide(state, own_last, self._exchange.acked.get(self._channel, 0), likeness)
        self._exchange.last_at = self._now()
        self._alerts.close(self._exchange.hub, "replica.permission", str(self._channel))
        self._tell(decision)
        match decision.act:
            case Act.PUSH:
                await self._push_on(decision.base)
            case Act.PULL_BACK:
                assert state is not None, "only a hub that goes further is pulled from"
                applied = await self._puller.catch_up(self._depot, self._exchange.hub, self._channel, state.last)
                self._exchange.pulled += applied
                await asyncio.sleep(0 if applied else IDLE_S)
            case Act.STOP:
                await asyncio.sleep(_STOPPED_S)
            case Act.WAIT:
                await asyncio.sleep(_STREAM_WAIT_S)

    async def _compare(self, state: StreamState | None, own_last: int) -> Likeness:
        shared = min(state.last, own_last) if state else 0
        if shared == 0:
            return Likeness.NOTHING_SHARED
        data = await self._depot.event_at(self._channel.stream, shared)
        if data is None:
            return Likeness.NOT_SHOWN
        own = self._ledger.channel_after(*self._channel, shared - 1, 1)
        assert own, "the log has no gaps"
        assert own[0].seq == shared, "the log has no gaps"
        try:
            theirs = decode_event(data)
        except ValueError:
            return Likeness.OTHER
        return Likeness.SAME if theirs.hash == own[0].hash else Likeness.OTHER

    async def _push_on(self, base: int) -> None:
        """Push on top of base, and whatever is written after, until nothing happened for IDLE_S."""
        self._acknowledged(base)
        while True:
            heed_cancel()
            seen = self._tide.count
            events = self._ledger.channel_after(*self._channel, base, BATCH_EVENTS_MAX)
            if not events:
                self._alerts.close(self._exchange.hub, "replica.hub-lost", str(self._channel))
                if not await self._tide.beyond(seen, IDLE_S):
                    return
                continue
            wait_s, self._wait_s = self._wait_s, 0.0
            await asyncio.sleep(wait_s)  # hubs come back to all sites at once
            rows = await self._rows(events)
            if not rows:
                await asyncio.sleep(_STOPPED_S)
                return
            base = await self._store(rows, base)
            self._exchange.pushed += len(rows)
            self._acknowledged(base)

    async def _store(self, rows: Sequence[bytes], base: int) -> int:
        try:
            last = await self._depot.store(self._channel.subject, rows, base)
        except Resync as failure:
            if failure.code == "hub.failed":  # perhaps too much for this line in the time
                self._bytes_max = max(self._bytes_max // 2, _BATCH_BYTES_LEAST)
            raise
        self._bytes_max = min(self._bytes_max * 2, BATCH_BYTES_MAX)
        return last

    async def _rows(self, events: Sequence[Event]) -> list[bytes]:
        """Return events as they travel: as many as fit in a batch, ending with a signed one where that is possible."""
        rows: list[bytes] = []
        total, signed = 0, 0
        for event in events:
            row = encode_event(event)
            if len(row) + _HEADER_BYTES > self._depot.payload_bytes_max:
                self._alert(
                    "replica.too-large",
                    f"Event {event.seq} of {self._channel} has {len(row)} bytes; the hub takes "
                    f"{self._depot.payload_bytes_max - _HEADER_BYTES}. This channel waits there. Raise max_payload.",
                )
                break
            total += len(row)
            if rows and total > self._bytes_max:
                break
            rows.append(row)
            signed = len(rows) if event.signature else signed
        return rows[:signed] if signed else rows

    def _acknowledged(self, number: int) -> None:
        self._exchange.acked[self._channel] = number
        self._exchange.last_at = self._now()

    def _tell(self, decision: Decision) -> None:
        hub, channel = self._exchange.hub, self._channel
        if decision.hub_lost:
            self._alert(
                "replica.hub-lost",
                f"Hub {hub} lost {decision.hub_lost} acknowledged events of {channel}; they are sent again.",
            )
        if decision.own_lost:
            self._alert(
                "replica.own-lost",
                f"This node lost {decision.own_lost} events of {channel}; what hub {hub} holds of them comes back.",
            )
        elif decision.act is Act.PUSH:
            self._alerts.close(hub, "replica.own-lost", str(channel))
        if decision.hole:
            self._alert(
                "replica.hole", f"Hub {hub} lost {decision.hole} events inside {channel}; its steward mends that."
            )
        else:
            self._alerts.close(hub, "replica.hole", str(channel))
        if decision.act is Act.STOP:
            self._alert(
                "replica.fork",
                f"Hub {hub} and this node hold different histories of {channel} under the same numbers. "
                "Nothing of it is exchanged there until a person decides; a new epoch lets this node go on.",
            )
        else:
            self._alerts.close(hub, "replica.fork", str(channel))

    def _alert(self, code: str, sentence: str) -> None:
        self._alerts.add(self._exchange.hub, code, str(self._channel), sentence)
