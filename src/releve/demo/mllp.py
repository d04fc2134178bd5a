"""MLLP as the other side writes it: its own dozen lines, so that no framing error of Relève is shared by its peers.

Source: HL7 "Transport Specification: MLLP, Release 1": a block is VT, message, FS, CR.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

_VT, _END = b"\x0b", b"\x1c\r"
MESSAGE_BYTES_MAX = 8 * 2**20
#: MSH-9 of the question whether a system is there (chapter 14): answered, kept by nobody.
ARE_YOU_THERE = "NMQ"

Answer = Callable[[bytes], Awaitable[bytes | None]]


class Line:
    """One connection to a listener, opened when needed and closed after any doubt, so that no late ACK is mistaken."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, message: bytes, timeout_s: float) -> bytes:
        """Send a message and return the block that answers it.

        raises  OSError, asyncio.TimeoutError  no answer; the line is closed and whether it arrived is unknown
        """
        try:
            async with asyncio.timeout(timeout_s):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(*self._address, limit=MESSAGE_BYTES_MAX)
                reader, writer = self._streams
                writer.write(_VT + message + _END)
                await writer.drain()
                return (await reader.readuntil(_END))[:-2].lstrip(_VT)
        except asyncio.IncompleteReadError as error:
            await self.close()
            raise ConnectionResetError("the listener closed the line before it answered") from error
        except (OSError, TimeoutError):
            await self.close()
            raise

    async def close(self) -> None:
        """Close the line; the next exchange opens a new one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):  # the other side may have reset it already: it is closed either way
                await streams[1].wait_closed()


async def listen(host: str, port: int, answer: Answer) -> asyncio.Server:
    """Serve messages one by one per connection; an answer of None closes the connection without a word."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                block = await reader.readuntil(_END)
                reply = await answer(block[:-2].lstrip(_VT))
                if reply is None:
                    return
                writer.write(_VT + reply + _END)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return  # the sender went away or speaks no MLLP: it will come again
        finally:
            writer.close()

    return await asyncio.start_server(serve, host, port, limit=MESSAGE_BYTES_MAX)


def field(message: bytes, segment: str, number: int) -> str:
    """Return the exact text of a field of the first such segment, "" when absent; MSH counts as in the standard."""
    for line in message.decode("utf-8", "replace").split("\r"):
        parts = line.split("|")
        if parts[0] == segment:
            number = number - 1 if segment == "MSH" else number
            return parts[number] if number < len(parts) else ""
    return ""


def acknowledgement(message: bytes, code: str, sentence: str = "", *, application: str, control_id: str) -> bytes:
    """Return the ACK of a message in original mode; sentence goes to MSA-3."""
    return "\r".join(
        (
            f"MSH|^~\\&|{application}|CENTRE|{field(message, 'MSH', 3)}|{field(message, 'MSH', 4)}"
            f"|{field(message, 'MSH', 7)}||ACK|{control_id}|P|2.5|||||FRA|UNICODE UTF-8",
            f"MSA|{code}|{field(message, 'MSH', 10)}|{sentence}",
            "",
        )
    ).encode()
