"""The telephone hub: SIP over UDP, as far as asking whether it is there. Source: RFC 3261, sections 8.2 and 11.2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from releve.demo.centre.directory import authenticate
from releve.demo.centre.room import HOST, Programme, Room

_COPIED = ("via", "v", "from", "f", "to", "t", "call-id", "i", "cseq")


def answer(request: bytes) -> bytes | None:
    """Return the response to a request, or None for bytes that are no SIP request."""
    lines = request.decode("utf-8", "replace").split("\r\n\r\n", 1)[0].split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] != "SIP/2.0" or parts[0] == "ACK":
        return None
    status = "200 OK" if parts[0] == "OPTIONS" else "405 Method Not Allowed"
    out = [f"SIP/2.0 {status}"]
    for line in lines[1:]:
        name = line.partition(":")[0].strip().lower()
        if name in _COPIED:
            out.append(f"{line};tag=releve-demo" if name in ("to", "t") and "tag=" not in line else line)
    return "\r\n".join((*out, "Allow: OPTIONS", "Accept: application/sdp", "Content-Length: 0", "", "")).encode()


class _Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(data)
        if reply is not None:
            self._transport.sendto(reply, addr)


async def _check(room: Room) -> None:
    await authenticate(room, "telephone")


async def _serve(room: Room, _: object, opened: Callable[[], None]) -> None:
    transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        _Udp, local_addr=(HOST, room.ports["telephone"])
    )
    opened()
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()


TELEPHONE = Programme(_check, _serve, 1.1)
