"""The words spoken to a hub: one connection as a scope, and the four calls that the design uses. No decisions here.

    info      how far a stream goes
    store     consecutive events, as one atomic batch, only on top of what is expected
    fetch     consecutive events from a number on
    event_at  one event, to compare histories

The client's own reconnection is not used: a request in flight would outlive its connection and wait for its timeout.
Here a lost connection ends its scope and everything in it; who wants another opens another. Whatever goes wrong in a
call is a Resync: nothing is known of its outcome, ask info again.
Source: facts on replication, sections 3.4 and 3.5; NATS ADR-31 (batch direct get), ADR-50 (atomic batch publish).
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from releve.errors import PeerError

#: Long enough for 4 MB on a slow line, short enough that a stall shows.
REQUEST_S = 5.0
CONNECT_S = 5.0
#: The hub refuses 1,001 in one batch; 500 already reach nine tenths of the rate.
BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 4_000_000
_LOOK_S = 0.25
_CLOSE_S = 2.0
_PENDING_BYTES_MAX = 64 * 2**20
_STREAM_MISSING = 10059

_log = logging.getLogger(__name__)


class Resync(PeerError):
    """A call to a hub failed or was refused; what the hub holds must be asked again."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far a stream goes. messages < last when something inside is lost."""

    messages: int
    first: int
    last: int

    @property
    def lost_inside(self) -> int:
        """Return how many events are missing before the last; our streams begin at 1 and nothing is ever deleted."""
        return self.last - self.messages


class Depot:
    """An open connection to a hub.

    lost      set when the connection has ended
    refusals  what the server said was not permitted, the last few; a refused call itself only times out
    """

    def __init__(self, client: Client, request_s: float = REQUEST_S) -> None:
        self._client = client
        self._request_s = request_s
        self.lost = asyncio.Event()
        self.refusals: list[str] = []

    @property
    def payload_bytes_max(self) -> int:
        """Return what one message may hold, headers included."""
        return int(self._client.max_payload)

    def refused(self, subject: str) -> str:
        """Return what the server said of a subject or stream that is not permitted, and forget it; "" if nothing."""
        wanted = f'{subject.lower()}"'  # the server writes subjects in lower case and between quotes
        said = next((refusal for refusal in self.refusals if wanted in refusal), "")
        self.refusals = [refusal for refusal in self.refusals if wanted not in refusal]
        return said

    async def info(self, stream: str) -> StreamState | None:
        """Return how far a stream goes; None when there is no such stream."""
        answer = await self.call(f"STREAM.INFO.{stream}")
        if "error" in answer:
            if answer["error"].get("err_code") == _STREAM_MISSING:
                return None
            raise Resync("hub.info", f"{stream}: {answer['error'].get('description')}")
        return stream_state(answer)

    async def call(self, name: str, question: object = None) -> dict[str, Any]:
        """Return the answer of a JetStream API call, an error being an answer."""
        payload = b"" if question is None else json.dumps(question).encode()
        with _resync(name):
            reply = await self._client.request(f"$JS.API.{name}", payload, timeout=self._request_s)
            answer: dict[str, Any] = json.loads(reply.data)
        return answer

    async def store(self, subject: str, rows: Sequence[bytes], base: int) -> int:
        """Store consecutive events on top of number base, all or none, and return the number of the last.

        raises  Resync  the hub does not end at base, or did not answer: all of them are stored, or none
        """
        assert rows, "an empty batch"
        batch = uuid.uuid4().hex
        with _resync(subject):
            for number, row in enumerate(rows, 1):
                headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)} if len(rows) > 1 else {}
                if number == 1:
                    headers["Nats-Expected-Last-Sequence"] = str(base)
                if number == len(rows):
                    break
                if number == 1:  # opens the batch; a reply that is not empty is an error
                    opened = await self._client.request(subject, row, headers=headers, timeout=self._request_s)
                    if opened.data:
                        raise _refused(subject, opened.data)
                else:
                    await self._client.publish(subject, row, headers=headers)
            if len(rows) > 1:
                headers["Nats-Batch-Commit"] = "1"
            reply = await self._client.request(subject, rows[-1], headers=headers, timeout=self._request_s)
        answer = json.loads(reply.data)
        if "error" in answer:
            raise _refused(subject, reply.data)
        last = int(answer["seq"])
        assert last == base + len(rows), f"{subject}: {len(rows)} on top of {base} cannot end at {last}"
        return last

    async def fetch(
        self, stream: str, start: int, events_max: int = BATCH_EVENTS_MAX, bytes_max: int = BATCH_BYTES_MAX
    ) -> list[tuple[int, bytes]]:
        """Return events from a number on, with their numbers, ascending; a hole there is a missing number."""
        rows: list[tuple[int, bytes]] = []
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def take(message: Msg) -> None:
            headers = message.headers or {}
            status = headers.get("Status")
            if status is None:
                rows.append((int(headers["Nats-Sequence"]), message.data))
            elif not ended.done():
                ended.set_result(status)

        question = {"seq": start, "batch": events_max, "max_bytes": bytes_max}
        with _resync(stream):
            inbox = self._client.new_inbox()
            subscription = await self._client.subscribe(inbox, cb=take)
            try:
                await self._client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(question).encode(), reply=inbox)
                status = await self._while_growing(stream, ended, rows)
            finally:
                if not self._client.is_closed:
                    await subscription.unsubscribe()
        if status in {"204", "404"}:
            return rows
        raise Resync("hub.fetch", f"{stream}: the hub answered {status} to a request for events from {start} on.")

    async def _while_growing(self, stream: str, ended: asyncio.Future[str], rows: list[tuple[int, bytes]]) -> str:
        """Wait for the end of an answer for as long as more of it comes within each request_s."""
        seen, silent_s = 0, 0.0
        while silent_s < self._request_s:
            done, _ = await asyncio.wait({ended}, timeout=_LOOK_S)
            if done:
                return ended.result()
            silent_s = silent_s + _LOOK_S if len(rows) == seen else 0.0
            seen = len(rows)
            refusal = self.refused(stream)
            if refusal:
                raise Resync("hub.permission", f"{stream}: {refusal}")
        raise Resync("hub.silent", f"{stream}: the hub sent nothing for {self._request_s:g} s.")

    async def event_at(self, stream: str, number: int) -> bytes | None:
        """Return one event; None when the hub does not hold that number."""
        with _resync(stream):
            reply = await self._client.request(
                f"$JS.API.DIRECT.GET.{stream}", json.dumps({"seq": number}).encode(), timeout=self._request_s
            )
        status = (reply.headers or {}).get("Status")
        if status is None:
            data: bytes = reply.data
            return data
        if status == "404":
            return None
        raise Resync("hub.fetch", f"{stream}: the hub answered {status} to a request for event {number}.")

    async def listen(self, subject: str, take: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Have take called with (subject, bytes) of everything said on a subject, until the connection ends."""

        async def hear(message: Msg) -> None:
            await take(message.subject, message.data)

        with _resync(subject):
            await self._client.subscribe(subject, cb=hear)

    async def say(self, subject: str, content: bytes) -> None:
        """Say something to whoever listens, best effort."""
        with _resync(subject):
            await self._client.publish(subject, content)


@asynccontextmanager
async def connected(
    url: str, tls: ssl.SSLContext, nkey_seed: str, inbox_prefix: str, name: str, *, request_s: float = REQUEST_S
) -> AsyncIterator[Depot]:
    """Open a connection for as long as the block lasts.

    raises  Resync  the hub cannot be reached or does not let us in
    """
    client = Client()
    depot = Depot(client, request_s)

    async def on_error(error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            depot.refusals = [*depot.refusals[-9:], str(error)]
            _log.warning("hub refused a subject", extra={"code": "hub.permission", "hub": name, "reason": str(error)})

    async def on_closed() -> None:
        depot.lost.set()

    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await client.connect(
                    url,
                    tls=tls,
                    tls_handshake_first=True,
                    nkeys_seed_str=nkey_seed,
                    inbox_prefix=inbox_prefix.encode(),
                    name=name,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type]  # slept on; seconds may be a fraction
                    connect_timeout=int(CONNECT_S),
                    ping_interval=10,
                    max_outstanding_pings=2,
                    pending_size=_PENDING_BYTES_MAX,
                    error_cb=on_error,
                    closed_cb=on_closed,
                )
        except (NatsError, OSError, TimeoutError, ValueError) as error:
            raise Resync("hub.unreachable", f"{url} cannot be reached: {error or type(error).__name__}.") from error
        yield depot
    finally:
        with suppress(TimeoutError):  # after a refused certificate the client waits for an end that has been
            async with asyncio.timeout(_CLOSE_S):
                await client.close()


def heed_cancel() -> None:
    """End this task if it was told to end and something swallowed that; loops that talk to a hub begin with it.

    On Python 3.11 asyncio.wait_for, which the client uses, may swallow it. Not for a task that holds a TaskGroup: there
    3.11 leaves the mark of a cancellation that has been dealt with; see apart().

    raises  CancelledError
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def apart(work: Coroutine[Any, Any, None]) -> None:
    """Run something in a task of its own, which ends when this one is told to end, even if it swallows that once.

    On Python 3.11 a TaskGroup that is failing swallows a cancellation that comes at the same time.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_LOOK_S)
        failure = None if task.cancelled() else task.exception()
    if failure is not None:
        raise failure


async def until_lost(depot: Depot) -> None:
    """Wait for the end of a connection, then raise.

    raises  Resync  always
    """
    await depot.lost.wait()
    raise Resync("hub.lost", "The connection to the hub has ended.")


def stream_state(answer: dict[str, Any]) -> StreamState:
    """Return the counters inside an answer about one stream."""
    state = answer["state"]
    return StreamState(int(state["messages"]), int(state["first_seq"]), int(state["last_seq"]))


@contextmanager
def _resync(subject: str) -> Iterator[None]:
    try:
        yield
    except NoRespondersError as error:
        raise Resync("hub.no-stream", f"Nobody answers for {subject} at the hub.") from error
    except (NatsError, OSError, TimeoutError, msgspec.DecodeError, json.JSONDecodeError) as error:
        raise Resync("hub.failed", f"{subject}: {error or type(error).__name__}") from error


def _refused(subject: str, data: bytes) -> Resync:
    try:
        reason = json.loads(data)["error"]["description"]
    except (ValueError, KeyError, TypeError):
        reason = data[:200].decode("utf-8", "replace")
    return Resync("hub.refused", f"{subject}: {reason}")
