"""The inner door: the other posts of a node hand in, over a Unix socket in its folder, what is to be kept.

Only the desk writes the log; the ward (captures) and the courier (other hospitals' events) ask it to. A frame is four
bytes of length, big-endian, and a msgpack array:

    → [number, "draft", [channel, kind, event_id, body, blobs]]      → [number, "remote", [[event, …], public_key]]
    ← [number, true, [pos, seq, is_duplicate]]                       ← [number, false, [class, code, sentence]]

The answer comes after the sync, like an ACK. The socket's mode is 0600: whoever may read the folder's keys may write.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from releve.errors import PeerError, ReleveError, StoreUnable
from releve.log import Draft, Event, Log, Receipt
from releve.log.event import decode_event, encode_event

SOCKET_FILE = "run/desk.sock"
#: A page of 500 events of at most 900 kB would not fit; the courier asks for at most 4 MB at a time. Blobs are larger.
FRAME_BYTES_MAX = 64 * 2**20

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()
_CLASSES: dict[str, type[ReleveError]] = {"PeerError": PeerError, "StoreUnable": StoreUnable}


class AppendDoor:
    """Serves the log to the other posts."""

    def __init__(self, log: Log, folder: Path) -> None:
        self._log = log
        self._path = folder / SOCKET_FILE
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; an old socket file that a killed node left is taken away first."""
        self._path.parent.mkdir(exist_ok=True)
        self._path.unlink(missing_ok=True)
        old_mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._converse, self._path)
        finally:
            os.umask(old_mask)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()

        def answer(number: int, outcome: Receipt | ReleveError) -> None:
            if not writer.is_closing():
                writer.write(_answer(number, outcome))

        try:
            while True:
                number, verb, payload = _decoder.decode(await _read_frame(reader))

                def done(outcome: Receipt | ReleveError, number: int = number) -> None:
                    loop.call_soon_threadsafe(answer, number, outcome)

                if verb == "draft":
                    channel, kind, event_id, body, blobs = payload
                    draft = Draft(channel, kind, event_id, body, tuple((sha, data) for sha, data in blobs))
                    self._log.append(draft, done)
                else:
                    events, public_key = payload
                    self._log.append_remote([decode_event(data) for data in events], public_key, done)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the post went away; what it handed in is kept all the same
        finally:
            writer.close()


class AppendClient:
    """Hands events to the desk and waits until they are on the disk; reconnects by itself.

    While the desk is away every call raises StoreUnable, which is the truth: nothing was kept.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SOCKET_FILE
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Receipt]] = {}
        self._number = 0
        self._opening = asyncio.Lock()

    async def append(self, draft: Draft) -> Receipt:
        """Keep an event of this node.

        raises  StoreUnable  it was not kept
        """
        blobs = [list(blob) for blob in draft.blobs]
        return await self._ask("draft", [draft.channel, draft.kind, draft.event_id, draft.body, blobs])

    async def append_remote(self, events: Sequence[Event], public_key: bytes) -> Receipt:
        """Keep consecutive events of another origin.

        raises  PeerError    their chain, signature or key is wrong, or there is a gap; none was kept
        raises  StoreUnable  the disk refused; none was kept
        """
        return await self._ask("remote", [[encode_event(event) for event in events], public_key])

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.close()

    async def _ask(self, verb: str, payload: list[Any]) -> Receipt:
        writer = await self._connected()
        self._number += 1
        number = self._number
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        writer.write(_frame([number, verb, payload]))
        return await future

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None or self._writer.is_closing():
                try:
                    reader, self._writer = await asyncio.open_unix_connection(self._path)
                except OSError as error:
                    raise StoreUnable("desk.away", "The node's log is not open right now; nothing was kept.") from error
                self._reading = asyncio.create_task(self._read_answers(reader, self._writer))
            return self._writer

    async def _read_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, is_kept, payload = _decoder.decode(await _read_frame(reader))
                future = self._waiting.pop(number)
                if future.done():
                    continue  # whoever asked has given up waiting; the event is kept
                if is_kept:
                    future.set_result(Receipt(*payload))
                else:
                    name, code, sentence = payload
                    future.set_exception(_CLASSES.get(name, ReleveError)(code, sentence))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            refusal = StoreUnable("desk.gone", "The node's log closed before it answered; ask again.")
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(refusal)
            self._waiting.clear()


def _answer(number: int, outcome: Receipt | ReleveError) -> bytes:
    if isinstance(outcome, Receipt):
        return _frame([number, True, [outcome.pos, outcome.seq, outcome.is_duplicate]])
    return _frame([number, False, [type(outcome).__name__, outcome.code, outcome.sentence]])


def _frame(value: list[Any]) -> bytes:
    data = _encoder.encode(value)
    return len(data).to_bytes(4, "big") + data


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > FRAME_BYTES_MAX:
        raise ConnectionError(f"a frame of {length} bytes")
    return await reader.readexactly(length)
