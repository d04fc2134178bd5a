"""The interface engine: one channel from the hospitals to the record application, one from the centre to the hospitals.

It keeps nothing: whoever sends gets the answer of the one it is for. When that one is not there the line is closed
without an answer, since AE would be the receiver's refusal, which a person must look at, and nobody has refused. So
when the engine is down nothing passes, and when it is up nothing is promised that the receiver has not promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from releve.demo.centre.directory import authenticate
from releve.demo.centre.room import HOST, Programme, Room, Unreachable, find
from releve.demo.mllp import ARE_YOU_THERE, Line, acknowledgement, field, listen

#: Shorter than the senders' own patience, so that they see a closed line rather than silence.
FORWARD_TIMEOUT_S = 3.0


class Channel:
    """Forwards to one receiver, one message at a time; its address is looked up anew after each failure."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._line: Line | None = None
        self._turn = asyncio.Lock()

    async def forward(self, room: Room, raw: bytes) -> bytes | None:
        """Return the receiver's answer, None when it gives none."""
        async with self._turn:
            try:
                if self._line is None:
                    self._line = Line(*await _address(room, self.name))
                return await self._line.exchange(raw, FORWARD_TIMEOUT_S)
            except (OSError, TimeoutError, Unreachable):
                self._line = None
                return None


async def _address(room: Room, name: str) -> tuple[str, int]:
    if name in room.hospitals:
        return HOST, room.hospitals[name]
    return await find(room, name)


def _refuse(raw: bytes, sentence: str) -> bytes:
    control_id = f"ENGINE-{field(raw, 'MSH', 10)}"
    return acknowledgement(raw, "AE", sentence, application="ENGINE", control_id=control_id)


async def _check(room: Room) -> None:
    await authenticate(room, "engine")


async def _serve(room: Room, _: object, opened: Callable[[], None]) -> None:
    channels: dict[str, Channel] = {}

    async def to_centre(raw: bytes) -> bytes | None:
        if field(raw, "MSH", 9).startswith(ARE_YOU_THERE):
            control_id = f"ENGINE-{field(raw, 'MSH', 10)}"
            return acknowledgement(raw, "AA", application="ENGINE", control_id=control_id)
        return await _channel("record").forward(room, raw)

    async def to_hospital(raw: bytes) -> bytes | None:
        facility = field(raw, "MSH", 6)
        if facility not in room.hospitals:
            return _refuse(raw, f"no channel leads to {facility or 'nobody (MSH-6 is empty)'}")
        return await _channel(facility).forward(room, raw)

    def _channel(name: str) -> Channel:
        return channels.setdefault(name, Channel(name))

    inbound = await listen(HOST, room.ports["engine"], to_centre)
    outbound = await listen(HOST, room.ports["engine-out"], to_hospital)
    opened()
    async with inbound, outbound:
        await asyncio.gather(inbound.serve_forever(), outbound.serve_forever())


ENGINE = Programme(_check, _serve, 1.4)
