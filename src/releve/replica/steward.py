"""The steward: beside each hub, the only credential that may make or delete streams.

Every second it makes the streams that are missing, says how far each group stream goes, and looks for holes. A stream
with a hole is deleted and made again, and its owner refills it; but only once the owner has said, after the hole was
seen, that it holds everything up to the last number: the damaged copy might be the last one.
Source: facts on replication, section 3.7.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from releve.clock import Instant
from releve.log import GROUP
from releve.replica.depot import Depot, Resync, StreamState, stream_state
from releve.replica.enrolment import open_epoch, read_roster_bytes, read_sites, sites_stamp
from releve.replica.names import CHANNELS, DIGEST, ROSTER, Channel, hint, parse_stream

DIGEST_S = 1.0
_ROSTER_S = 5.0
#: Seen this many times in a row before it is believed: counters are read while batches are being stored.
_HOLE_SIGHTINGS = 3
#: 38 sites × 2 channels × a few epochs; more pages than this are not ours.
_LIST_PAGES_MAX = 64

_log = logging.getLogger(__name__)


class Digest(msgspec.Struct, frozen=True):
    """How far each group stream of a hub goes. at: by the hub's clock, microseconds."""

    hub: str
    at: int
    last: dict[str, int]


class Hint(msgspec.Struct, frozen=True):
    """What an origin says of itself: held, by channel, is gapless from 1; stored is how far this hub's group goes."""

    epoch: int
    held: dict[str, int]
    stored: int = 0


@dataclass(slots=True)
class _Hole:
    seen_first: float
    sightings: int = 0
    is_reported: bool = False


class Steward:
    """Looks after the streams of one hub through one connection."""

    def __init__(self, folder: Path, hub: str, depot: Depot, now: Callable[[], Instant]) -> None:
        self._folder = folder
        self._hub = hub
        self._depot = depot
        self._now = now
        self._attested: dict[Channel, tuple[int, float]] = {}
        self._holes: dict[Channel, _Hole] = {}
        self._heard: dict[str, float] = {}
        self._roster_stamp = (0, 0)
        self._roster_said = 0.0

    async def listen(self) -> None:
        """Begin to hear what origins say of themselves."""
        await self._depot.listen(hint("*"), self._hear)

    async def round(self) -> None:
        """Do everything once; called every second."""
        states = await self._streams()
        await self._make_missing(states)
        last = {channel.stream: state.last for channel, state in states.items() if channel.name == GROUP}
        await self._depot.say(DIGEST, msgspec.json.encode(Digest(self._hub, self._now(), last)))
        await self._say_roster()
        await self._mend(states)

    async def _streams(self) -> dict[Channel, StreamState]:
        found: dict[Channel, StreamState] = {}
        offset = 0
        for _ in range(_LIST_PAGES_MAX):
            answer = await self._depot.call("STREAM.LIST", {"subject": "ev.>", "offset": offset})
            streams = answer.get("streams") or []
            for stream in streams:
                channel = parse_stream(stream["config"]["name"])
                if channel is not None:
                    found[channel] = stream_state(stream)
            offset += len(streams)
            if not streams or offset >= answer["total"]:
                break
        return found

    async def _make_missing(self, states: dict[Channel, StreamState]) -> None:
        for site in read_sites(self._folder).sites:
            for epoch in range(1, site.epoch + 1):
                for name in CHANNELS:
                    channel = Channel(site.site, epoch, name)
                    if channel not in states:
                        await self._make(channel)
                        states[channel] = StreamState(0, 0, 0)

    async def _make(self, channel: Channel) -> None:
        answer = await self._depot.call(f"STREAM.CREATE.{channel.stream}", stream_settings(channel))
        if "error" in answer:
            raise Resync("hub.create", f"{channel.stream} cannot be made: {answer['error'].get('description')}")
        _log.info("stream made", extra={"hub": self._hub, "stream": channel.stream})

    async def _say_roster(self) -> None:
        stamp, at = sites_stamp(self._folder), time.monotonic()
        if stamp != self._roster_stamp or at - self._roster_said >= _ROSTER_S:
            await self._depot.say(ROSTER, read_roster_bytes(self._folder))
            self._roster_stamp, self._roster_said = stamp, at

    async def _hear(self, subject: str, content: bytes) -> None:
        origin = subject.rpartition(".")[2]
        try:
            said = msgspec.json.decode(content, type=Hint)
        except msgspec.DecodeError as error:
            _log.warning("hint not understood", extra={"hub": self._hub, "origin": origin, "reason": str(error)})
            return
        at = time.monotonic()
        if at - self._heard.get(origin, 0.0) > _ROSTER_S * 2:  # it has just come: it need not wait for the roster
            self._roster_said = 0.0
        self._heard[origin] = at
        for name in CHANNELS:
            self._attested[Channel(origin, max(said.epoch, 1), name)] = (said.held.get(name, 0), at)
        if said.epoch > 1 and open_epoch(self._folder, origin, said.epoch):
            _log.warning("site opened an epoch", extra={"hub": self._hub, "origin": origin, "epoch": said.epoch})

    async def _mend(self, states: dict[Channel, StreamState]) -> None:
        for channel, state in states.items():
            if state.lost_inside <= 0:
                self._holes.pop(channel, None)
                continue
            hole = self._holes.setdefault(channel, _Hole(time.monotonic()))
            hole.sightings += 1
            if hole.sightings < _HOLE_SIGHTINGS:
                continue
            if not hole.is_reported:
                hole.is_reported = True
                _log.error(
                    "stream has a hole",
                    extra={"code": "hub.hole", "hub": self._hub, "stream": channel.stream, "lost": state.lost_inside},
                )
            held, at = self._attested.get(channel, (0, 0.0))
            if held >= state.last and at > hole.seen_first:
                await self._remake(channel)
                del self._holes[channel]

    async def _remake(self, channel: Channel) -> None:
        answer = await self._depot.call(f"STREAM.DELETE.{channel.stream}")
        if "error" in answer:
            raise Resync("hub.delete", f"{channel.stream} cannot be deleted: {answer['error'].get('description')}")
        _log.warning("stream emptied for its owner to refill", extra={"hub": self._hub, "stream": channel.stream})
        await self._make(channel)


def stream_settings(channel: Channel) -> dict[str, Any]:
    """Return how a stream is made: kept for ever in files, read directly, written in atomic batches, never trimmed."""
    return {
        "name": channel.stream,
        "subjects": [channel.subject],
        "retention": "limits",
        "storage": "file",
        "num_replicas": 1,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "allow_direct": True,
        "allow_atomic": True,
        "deny_delete": True,
        "deny_purge": True,
        "duplicate_window": 1_000_000_000,
    }


def encode_hint(said: Hint) -> bytes:
    """Return a hint as it travels."""
    return msgspec.json.encode(said)


def parse_hint(content: bytes) -> Hint | None:
    """Return a hint; None of anything else, since losing one costs only a poll."""
    try:
        return msgspec.json.decode(content, type=Hint)
    except msgspec.DecodeError:
        return None


def parse_digest(content: bytes) -> Digest | None:
    """Return a digest; None of anything else."""
    try:
        return msgspec.json.decode(content, type=Digest)
    except msgspec.DecodeError:
        return None
