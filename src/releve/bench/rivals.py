"""What intake is measured against: python-hl7's own server, and the limit of any server that keeps before it answers.

Both run in a process of their own, as the node does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any, cast

import uvloop

from releve.errors import Refused
from releve.wire.hl7v2 import Block, Deframer

try:
    from hl7.mllp import start_hl7_server
except ImportError:  # it is a tool of the tests, not of the program
    start_hl7_server = None

_ACK = b"\x0bMSH|^~\\&|LIMIT|LIMIT|||20240803110000||ACK|1|P|2.5\rMSA|AA|%s\r\x1c\r"


def serve_python_hl7(sock: socket.socket) -> None:
    """Run python-hl7's MLLP server with the smallest handler its documentation shows: parse, ACK, nothing kept."""
    if start_hl7_server is None:
        raise Refused("bench.no-rival", "python-hl7 is not installed; make setup-dev brings it.")

    async def converse(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def main() -> None:
        server = await start_hl7_server(converse, sock=sock, encoding="utf-8")
        await server.serve_forever()

    asyncio.run(main())


class _KeepsAndAnswers(asyncio.Protocol):
    """Frame, write, fdatasync, ACK, one message after the other: the physical limit of a single connection."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._deframer = Deframer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        for part in self._deframer.feed(data):
            if isinstance(part, Block):
                os.write(self._descriptor, part.content)
                os.fdatasync(self._descriptor)
                control_id = part.content.split(b"|", 10)[9]
                self._transport.write(_ACK % control_id)


def limit_server(file: Path) -> Any:
    """Return a server that keeps every frame in a file, synced, before it answers; on the event loop Relève uses."""

    def serve(sock: socket.socket) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        async def main() -> None:
            server = await asyncio.get_running_loop().create_server(lambda: _KeepsAndAnswers(descriptor), sock=sock)
            await server.serve_forever()

        uvloop.run(main())

    return serve
