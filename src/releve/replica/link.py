"""The exchange of one node with its hubs: run() in the courier, states() for the board.

Each hub has a link of its own: connect, then push every channel of this node, pull every group channel of the others,
say hints and hear digests, until the connection ends; then again. What one hub does never stops the other.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from releve.clock import Instant, wall_us
from releve.errors import PeerError, StoreUnable
from releve.log import GROUP, Ledger
from releve.replica.access import HubAccess
from releve.replica.alerts import Alert, Alerts
from releve.replica.depot import Depot, Resync, apart, connected, heed_cancel, until_lost
from releve.replica.keyfile import write_private
from releve.replica.names import CHANNELS, DIGEST, ROSTER, Channel, hint, inbox, parse_stream
from releve.replica.pull import AppendRemote, Puller
from releve.replica.push import FAILURES_MAX, Exchange, Pusher
from releve.replica.steward import Hint, encode_hint, parse_digest, parse_hint
from releve.replica.tide import Tide

CURSORS_FILE = Path("run/replica.json")
#: Between two attempts to reach a hub; a hub that is away costs one refused connection each time.
_AGAIN_FIRST_S, _AGAIN_LAST_S = 0.2, 3.0
#: When the wait has grown to this, some 1.5 s after the first failure, a hub is said to be away: a restart is shorter.
_AWAY_WAIT_S = 1.0
#: Every site comes back at once when a hub does; their first pushes are spread over this.
JITTER_S = 5.0
_HINT_S = 5.0
_HINT_LEAST_S = 0.05
#: Without a digest for this long the steward is taken for dead and the streams are asked one by one.
POLL_S = 5.0
_CURSORS_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HubState:
    """How the exchange with one hub stands.

    last_exchange_at  when the hub last answered; 0 when it never did
    owed              events of this node that the hub has not acknowledged, all channels
    behind            by origin, group events that the hub has and this node has not; only those above 0
    pushed, pulled    events since this process started
    reason            why it is not connected
    """

    hub: str
    url: str
    is_connected: bool
    last_exchange_at: Instant
    owed: int
    behind: dict[str, int]
    pushed: int
    pulled: int
    reason: str
    alerts: tuple[Alert, ...]


@dataclass(slots=True)
class _Link:
    access: HubAccess
    exchange: Exchange
    depot: Depot | None = None
    reason: str = "not tried yet"
    last: dict[Channel, int] = field(default_factory=dict)


class Replica:
    """Exchanges one node's history with its hubs.

    accesses       the hubs, see access.read_accesses
    public_key     of this node's own log, to believe its own events when they come back
    epoch          the one this node writes in; older ones of its own are exchanged too
    ledger         reads the log, which another process may write
    append_remote  keeps other origins' events
    folder         the node's; cursors are kept under run/, None keeps them in memory
    rng            spreads the first pushes after a reconnection over jitter_s
    """

    def __init__(
        self,
        accesses: Sequence[HubAccess],
        origin: str,
        public_key: bytes,
        ledger: Ledger,
        append_remote: AppendRemote,
        *,
        epoch: int = 1,
        folder: Path | None = None,
        now: Callable[[], Instant] = wall_us,
        rng: random.Random | None = None,
        jitter_s: float = JITTER_S,
    ) -> None:
        self._origin = origin
        self._public_key = public_key
        self._epoch = epoch
        self._ledger = ledger
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - it spreads load, it guards nothing
        self._jitter_s = jitter_s
        self._path = folder / CURSORS_FILE if folder else None
        acked = read_cursors(folder) if folder else {}
        self._links = [_Link(access, Exchange(access.hub, acked.get(access.hub, {}))) for access in accesses]
        self.alerts = Alerts(now)
        self._tide = Tide(ledger.data_version)
        self._puller = Puller(ledger, append_remote, self.key_of, self.alerts)

    async def run(self) -> None:
        """Exchange until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tide.run(), name="replica-tide")
            group.create_task(self._keep_cursors(), name="replica-cursors")
            for link in self._links:
                group.create_task(self._keep_link(link), name=f"replica-{link.access.hub}")

    def states(self) -> list[HubState]:
        """Return how the exchange with each hub stands."""
        own = self._own_heads()
        return [self._state(link, own) for link in self._links]

    def key_of(self, origin: str) -> bytes | None:
        """Return the key that must have signed an origin's history: the one already known, or what the rosters say.

        None when no roster names the origin, or two rosters name different keys for one never heard before.
        """
        if origin == self._origin:
            return self._public_key
        members = [link.access.roster.member(origin) for link in self._links]
        named = {member.key for member in members if member is not None}
        known = self._ledger.public_key(origin)
        if known is not None:
            return known
        return named.pop() if len(named) == 1 else None

    # One hub

    async def _keep_link(self, link: _Link) -> None:
        wait_s, first_wait_s = _AGAIN_FIRST_S, 0.0
        hub = link.access.hub
        while True:
            try:
                await apart(self._connect(link, first_wait_s))
            except* Resync as failures:
                link.reason = _reason(failures)
            except* Exception as failures:  # noqa: BLE001 - top of a hub's task: what one hub sends must not stop the other
                link.reason = f"failed here: {_reason(failures)}"
                _log.exception("exchange with hub failed", extra={"code": "replica.failed", "hub": hub})
                self.alerts.add(hub, "replica.failed", "", link.reason)
            if link.depot is not None:
                link.depot = None
                wait_s, first_wait_s = _AGAIN_FIRST_S, self._rng.uniform(0, self._jitter_s)
                _log.warning("hub left", extra={"code": "hub.lost", "hub": hub, "reason": link.reason})
            if wait_s >= _AWAY_WAIT_S:
                self.alerts.add(hub, "replica.unreachable", "", f"Hub {hub} is away: {link.reason}")
            await asyncio.sleep(wait_s * self._rng.uniform(0.5, 1))
            wait_s = min(wait_s * 2, _AGAIN_LAST_S)

    async def _connect(self, link: _Link, first_wait_s: float) -> None:
        """Reach a hub and exchange with it until the connection ends."""
        access = link.access
        async with connected(access.url, access.tls(), access.nkey_seed, inbox(access.site), access.site) as depot:
            link.depot, link.reason = depot, ""
            self.alerts.close(access.hub, "replica.unreachable", "")
            _log.info("hub reached", extra={"hub": access.hub})
            await self._exchange(link, depot, first_wait_s)

    async def _exchange(self, link: _Link, depot: Depot, first_wait_s: float) -> None:
        """Push and pull through one connection until it ends.

        raises  ExceptionGroup of Resync  it has ended
        """
        intake = _Intake(self, link, depot)
        await intake.listen()
        async with asyncio.TaskGroup() as group:
            group.create_task(until_lost(depot))
            group.create_task(intake.run())
            group.create_task(self._say_hints(link, depot))
            for channel in self._own_channels():
                pusher = Pusher(
                    channel,
                    depot,
                    link.exchange,
                    self._ledger,
                    self._puller,
                    self._tide,
                    self.alerts,
                    self._now,
                    first_wait_s=first_wait_s,
                )
                group.create_task(pusher.run())

    async def _say_hints(self, link: _Link, depot: Depot) -> None:
        """Tell the other sites, and the steward, how far this node has come: at each push, and every few seconds."""
        said, waited_s = -1, _HINT_S
        own_group = Channel(self._origin, self._epoch, GROUP)
        while True:
            heed_cancel()
            stored = link.exchange.acked.get(own_group, 0)
            if stored != said or waited_s >= _HINT_S:
                held = {name: self._ledger.head(self._origin, self._epoch, name)[0] for name in CHANNELS}
                await depot.say(hint(self._origin), encode_hint(Hint(self._epoch, held, stored)))
                said, waited_s = stored, 0.0
            await asyncio.sleep(_HINT_LEAST_S)
            waited_s += _HINT_LEAST_S

    def _own_channels(self) -> list[Channel]:
        return [Channel(self._origin, epoch, name) for epoch in range(1, self._epoch + 1) for name in CHANNELS]

    def _own_heads(self) -> dict[Channel, int]:
        return {channel: self._ledger.head(*channel)[0] for channel in self._own_channels()}

    def _state(self, link: _Link, own: dict[Channel, int]) -> HubState:
        behind: dict[str, int] = {}
        for channel, last in link.last.items():
            missing = last - self._puller.have(channel)
            if missing > 0:
                behind[channel.origin] = behind.get(channel.origin, 0) + missing
        exchange = link.exchange
        owed = sum(max(0, last - exchange.acked.get(channel, 0)) for channel, last in own.items())
        return HubState(
            hub=link.access.hub,
            url=link.access.url,
            is_connected=link.depot is not None,
            last_exchange_at=exchange.last_at,
            owed=owed,
            behind=behind,
            pushed=exchange.pushed,
            pulled=exchange.pulled,
            reason=link.reason,
            alerts=tuple(self.alerts.of(link.access.hub)),
        )

    # Cursors

    async def _keep_cursors(self) -> None:
        """Write the cursors down now and then; losing them costs one alert that is not raised."""
        if self._path is None:
            return
        kept = b""
        try:
            while True:
                await asyncio.sleep(_CURSORS_S)
                kept = self._write_cursors(kept)
        finally:
            self._write_cursors(kept)

    def _write_cursors(self, kept: bytes) -> bytes:
        assert self._path is not None, "called only with a folder"
        cursors = {
            link.access.hub: {channel.stream: acked for channel, acked in link.exchange.acked.items()}
            for link in self._links
        }
        content = msgspec.json.encode(cursors)
        if content != kept:
            try:
                write_private(self._path, content)
            except StoreUnable as refusal:
                _log.warning("cursors not kept", extra={"code": refusal.code, "reason": refusal.sentence})
        return content


class _Intake:
    """Hears what one hub has, and pulls it."""

    def __init__(self, replica: Replica, link: _Link, depot: Depot) -> None:
        self._replica = replica
        self._link = link
        self._depot = depot
        self._wanted: dict[Channel, int | None] = {}
        self._heard = asyncio.Event()
        self._is_polling = False

    async def listen(self) -> None:
        await self._depot.listen(DIGEST, self._hear_digest)
        await self._depot.listen(ROSTER, self._hear_roster)
        await self._depot.listen(hint("*"), self._hear_hint)

    async def run(self) -> None:
        """Pull what is wanted until cancelled; without any digest, ask for everything now and then.

        raises  Resync  the hub failed several times in a row: the connection is not worth keeping
        """
        failures = 0
        self._want_everything()
        while True:
            heed_cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._heard.wait()
            if not self._heard.is_set():
                self._want_everything()
            self._heard.clear()
            while self._wanted:
                heed_cancel()
                channel, last = self._wanted.popitem()
                try:
                    await self._pull(channel, last)
                    failures = 0
                except Resync as failure:
                    failures += 1
                    if failures >= FAILURES_MAX:
                        raise
                    _log.info("pull interrupted", extra={"code": failure.code, "channel": str(channel)})

    async def _pull(self, channel: Channel, last: int | None) -> None:
        replica, hub = self._replica, self._link.access.hub
        try:
            self._link.exchange.pulled += await replica._puller.catch_up(self._depot, hub, channel, last)
            replica.alerts.close(hub, "replica.permission", str(channel))
        except Resync as failure:
            if failure.code != "hub.permission":
                raise
            sentence = f"The hub does not let this site read {channel}: {failure.sentence}"
            replica.alerts.add(hub, "replica.permission", str(channel), sentence)

    async def _hear_digest(self, _: str, content: bytes) -> None:
        digest = parse_digest(content)
        if digest is None:
            return
        self._link.exchange.last_at = self._replica._now()
        for stream, last in digest.last.items():
            channel = parse_stream(stream)
            if channel is not None and channel.name == GROUP and channel.origin != self._replica._origin:
                self._link.last[channel] = last
                if last > self._replica._puller.have(channel):
                    self._wanted[channel] = last
        self._heard.set()

    async def _hear_hint(self, subject: str, content: bytes) -> None:
        origin, said = subject.rpartition(".")[2], parse_hint(content)
        if said is None or origin == self._replica._origin or said.epoch < 1:
            return
        channel = Channel(origin, said.epoch, GROUP)
        if said.stored > self._replica._puller.have(channel):
            self._wanted[channel] = said.stored
            self._heard.set()

    async def _hear_roster(self, _: str, content: bytes) -> None:
        access = self._link.access
        try:
            if access.learn(content):
                _log.info("roster learnt", extra={"hub": access.hub, "version": access.roster.version})
            self._replica.alerts.close(access.hub, "replica.roster", "")
        except (PeerError, StoreUnable) as refusal:
            self._replica.alerts.add(access.hub, "replica.roster", "", refusal.sentence)

    def _want_everything(self) -> None:
        for member in self._link.access.roster.members:
            if member.site != self._replica._origin:
                self._wanted[Channel(member.site, 1, GROUP)] = None
        for channel in self._link.last:
            self._wanted[channel] = None


def read_cursors(folder: Path) -> dict[str, dict[Channel, int]]:
    """Return, by hub, the highest number it acknowledged of each channel, as far as it was written down: a hint."""
    try:
        cursors = msgspec.json.decode((folder / CURSORS_FILE).read_bytes(), type=dict[str, dict[str, int]])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("cursors not read", extra={"code": "replica.cursors", "reason": str(error)})
        return {}
    return {
        hub: {channel: number for stream, number in acked.items() if (channel := parse_stream(stream)) is not None}
        for hub, acked in cursors.items()
    }


def _reason(failures: BaseExceptionGroup[BaseException]) -> str:
    """Return the sentences of the first few failures of a group, however deep they lie."""
    found: list[str] = []
    open_groups: list[BaseException] = [failures]
    while open_groups and len(found) < 3:
        failure = open_groups.pop()
        if isinstance(failure, BaseExceptionGroup):
            open_groups += reversed(failure.exceptions)
        else:
            found.append(str(failure) or type(failure).__name__)
    return "; ".join(dict.fromkeys(found))
