"""A node's own history back from the hubs, before it writes anything: never reuse a number.

A node that merely restarts knows its history. A node that lost its disk, or was put back from a backup, does not know
how far it had come; only the hubs do. What they hold is pulled back first. Where that cannot be made sure, the answer
is a new epoch, a sequence from 1 under names of its own: the node can work at once, its old events return later.

Not covered: a hub that was emptied at the same moment as the node and came back empty is believed; a backup put back
while every hub is away looks like a restart unless was_restored says so.
Source: facts on replication, section 3.8.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from releve.clock import Instant, wall_us
from releve.log import Ledger
from releve.log.event import decode_event
from releve.replica.access import HubAccess
from releve.replica.alerts import Alerts
from releve.replica.depot import CONNECT_S, Depot, Resync, StreamState, connected
from releve.replica.names import CHANNELS, Channel, inbox
from releve.replica.pull import AppendRemote, Puller

#: A site's next epochs are open to it one or two ahead; more than these were never opened.
_EPOCHS_MAX = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Regained:
    """What a node may do now.

    epoch     the latest that the log or a hub knows of
    is_sure   True: write in that epoch; False: open the next one, the reason says why
    pulled    events that came back
    silent    hubs that did not answer
    """

    epoch: int
    is_sure: bool
    reason: str
    pulled: int
    answered: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def epoch_to_write(self) -> int:
        """Return the epoch in which no number can be used twice."""
        return self.epoch if self.is_sure else self.epoch + 1


async def recover_own_history(
    accesses: Sequence[HubAccess],
    origin: str,
    public_key: bytes,
    ledger: Ledger,
    append_remote: AppendRemote,
    *,
    acked: Mapping[str, Mapping[Channel, int]] | None = None,
    was_restored: bool = False,
    timeout_s: float = CONNECT_S,
    now: Callable[[], Instant] = wall_us,
) -> Regained:
    """Pull back what the hubs hold of this node's own channels, and say whether its numbers are then certain.

    Call it at each start, before anything is appended. With no hub at all it answers at once that all is well.

    acked         see link.read_cursors: what hubs acknowledged before, as far as it was written down
    was_restored  this log was put back from a backup; then a silent hub always means a new epoch
    timeout_s     to reach the hubs, all at the same time; the pulling itself takes what it takes
    """
    puller = Puller(ledger, append_remote, lambda _: public_key, Alerts(now))
    regainers = [_Regainer(access, origin, ledger, puller) for access in accesses]
    async with asyncio.TaskGroup() as group:
        for regainer in regainers:
            group.create_task(regainer.run(timeout_s))
    silent = tuple(r.access.hub for r in regainers if not r.has_answered)
    answered = tuple(r.access.hub for r in regainers if r.has_answered)
    epoch = max([_last_epoch(ledger, origin), *(r.epoch for r in regainers)])
    doubts = [doubt for r in regainers for doubt in r.doubts if doubt[0].epoch == epoch]
    if doubts:
        is_sure, reason = False, doubts[0][1]
    elif silent:
        is_sure, reason = _without(silent, origin, epoch, ledger, acked or {}, was_restored)
    else:
        is_sure, reason = True, "every hub answered, and the log holds all that they hold"
    pulled = sum(r.pulled for r in regainers)
    level = logging.INFO if is_sure and not pulled else logging.WARNING
    _log.log(level, "own history compared", extra={"epoch": epoch, "sure": is_sure, "pulled": pulled, "reason": reason})
    return Regained(epoch, is_sure, reason, pulled, answered, silent)


def _last_epoch(ledger: Ledger, origin: str) -> int:
    """Return the latest epoch of which the log holds an event; 1 of an empty log."""
    epochs = range(_EPOCHS_MAX, 1, -1)
    return next((epoch for epoch in epochs if any(ledger.head(origin, epoch, name)[0] for name in CHANNELS)), 1)


def _without(
    silent: Sequence[str],
    origin: str,
    epoch: int,
    ledger: Ledger,
    acked: Mapping[str, Mapping[Channel, int]],
    was_restored: bool,
) -> tuple[bool, str]:
    """Say whether a node may go on in its epoch though some hubs are silent."""
    names = ", ".join(silent)
    heads = {name: ledger.head(origin, epoch, name)[0] for name in CHANNELS}
    if was_restored:
        return False, f"hub {names} is silent and this log was put back from a backup: it may hold later events"
    if not any(heads.values()):
        return False, f"hub {names} is silent and this log is empty: it may hold events of this node"
    for hub, channels in acked.items():
        for name, head in heads.items():
            if channels.get(Channel(origin, epoch, name), 0) > head:
                return False, f"hub {hub} had acknowledged more of {name} than this log holds, and {names} is silent"
    return True, f"hub {names} is silent; this log is not behind anything it knows of: a restart"


class _Regainer:
    """Asks one hub."""

    def __init__(self, access: HubAccess, origin: str, ledger: Ledger, puller: Puller) -> None:
        self.access = access
        self.has_answered = False
        self.epoch = 1
        self.pulled = 0
        self.doubts: list[tuple[Channel, str]] = []
        self._origin = origin
        self._ledger = ledger
        self._puller = puller

    async def run(self, timeout_s: float) -> None:
        access = self.access
        try:
            async with asyncio.timeout(timeout_s) as reaching:
                async with connected(
                    access.url, access.tls(), access.nkey_seed, inbox(access.site), access.site
                ) as depot:
                    reaching.reschedule(None)
                    await self._ask(depot)
                    self.has_answered = True
        except (Resync, TimeoutError) as failure:
            _log.warning(
                "hub silent at the start", extra={"code": "hub.silent", "hub": access.hub, "reason": str(failure)}
            )

    async def _ask(self, depot: Depot) -> None:
        for epoch in range(1, _EPOCHS_MAX + 1):
            channels = [Channel(self._origin, epoch, name) for name in CHANNELS]
            states = [(channel, await depot.info(channel.stream)) for channel in channels]
            if all(state is None for _, state in states):
                return
            self.epoch = epoch
            for channel, state in states:
                if state is not None and state.last > 0:
                    await self._regain(depot, channel, state)

    async def _regain(self, depot: Depot, channel: Channel, state: StreamState) -> None:
        hub = self.access.hub
        while self._ledger.head(*channel)[0] < state.last:
            # Another hub may be giving the same channel just now: then nothing is applied here, and it is asked again.
            applied = await self._puller.catch_up(depot, hub, channel, state.last)
            self.pulled += applied
            if not applied and not self._puller.is_pulling(channel):
                break
            await asyncio.sleep(0 if applied else 0.05)
        head = self._ledger.head(*channel)[0]
        if head < state.last:
            self.doubts.append(
                (channel, f"hub {hub} holds {channel} up to {state.last}; only {head} could be believed and taken")
            )
            return
        data = await depot.event_at(channel.stream, state.last)
        own = self._ledger.channel_after(*channel, state.last - 1, 1)
        if data is not None and own and _hash(data) != own[0].hash:
            self.doubts.append((channel, f"hub {hub} holds another event {state.last} of {channel} than this log"))


def _hash(data: bytes) -> bytes:
    try:
        return decode_event(data).hash
    except ValueError:
        return b""
