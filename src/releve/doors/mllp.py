"""The HL7 v2 door: MLLP over TCP or TLS. Bytes in, messages handed on, answers out in the order of arrival.

    socket → Deframer → split_batch → parse → receive(message, peer, done) … done(outcome) → ACK → socket

The door keeps nothing itself. Whoever gave it `receive` calls `done` once the message is on the disk, from any thread;
only then is it acknowledged. No task and no future is made for a message: an answer is a slot in the connection's
queue, and answers that become known together are written together.

What is no message still goes to `unreadable`, so that its bytes are kept, and gets an AR that says what was wrong; the
next message on the same connection is served. Which answer a sender gets, and how it is worded, stands in
wire.hl7v2.ack.

Limits, each with its reason beside its name below: size of a message, connections, messages that wait for their answer,
silence in the middle of a block, silence between blocks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

from releve.clock import Instant, to_datetime, wall_us
from releve.errors import PeerError, ReleveError, StoreUnable
from releve.wire.hl7v2 import (
    Block,
    Cut,
    Deframer,
    Fault,
    Message,
    Noise,
    NotHL7,
    TooLong,
    acknowledge,
    acknowledge_batch,
    answer_mode,
    frame,
    parse,
    refuse_unreadable,
    split_batch,
)
from releve.wire.hl7v2.ack import INTERNAL_ERROR, SEGMENT_SEQUENCE_ERROR
from releve.wire.hl7v2.framing import MESSAGE_BYTES_MAX, Framed

_log = logging.getLogger(__name__)

#: A hospital has some dozens of feeds; each may hold a few connections, and some forget to close theirs.
CONNECTIONS_MAX = 512
#: A sender that does not wait for answers is read no further above this. One read may add what it holds (256 KiB).
UNANSWERED_MAX = 256
UNANSWERED_BYTES_MAX = 64 * 2**20
#: A block that has begun and of which nothing more comes: its sender hangs, was stopped, or its network is gone.
STALL_S = 60.0
#: A connection that is silent between blocks. Interfaces at night are; half-open ones are found by keepalive earlier.
IDLE_S = 3600.0
#: When all places are taken, a connection silent for so long gives its place to a new one.
EVICTED_AFTER_S = 30.0
#: How long a door that closes waits for the log to say of the last messages that they are kept.
DRAIN_S = 2.0
#: Keepalive: a peer whose machine is gone is found out after 60 + 4 * 15 s.
_KEEPALIVE_IDLE_S, _KEEPALIVE_EVERY_S, _KEEPALIVE_TRIES = 60, 15, 4
_SWEEP_EVERY_S = 5.0
_HANDSHAKE_S = 15.0  # of TLS; a peer that does not finish it holds a place
_BACKLOG = 128  # connections the kernel holds for us while we are busy; all feeds come back at once after a cut

Outcome = object
"""What `done` is told: a ReleveError refuses; anything else, such as the log's Receipt, means that it is kept."""

Done = Callable[[Outcome], None]


class Receive(Protocol):
    """Takes a message; must call done exactly once, at once or later, from any thread."""

    def __call__(self, message: Message, peer: str, done: Done) -> None: ...


class Unreadable(Protocol):
    """Takes bytes that are no message, to be kept all the same; must call done exactly once."""

    def __call__(self, raw: bytes, peer: str, why: str, done: Done) -> None: ...


class MllpDoor:
    """Listens for HL7 v2 on a socket.

    receive          see Receive
    unreadable       see Unreadable
    default_charset  of messages that leave MSH-18 empty
    answers_always   a sender that wants no answer (MSH-15 and MSH-16 = NE) gets one all the same: on MLLP nearly all
                     of them wait for it, and one that reads no answers is not harmed. False follows the letter.
    now, monotonic   the clocks: for MSH-7 of answers, and for silences
    """

    def __init__(
        self,
        receive: Receive,
        unreadable: Unreadable,
        *,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
        connections_max: int = CONNECTIONS_MAX,
        idle_s: float = IDLE_S,
        stall_s: float = STALL_S,
        default_charset: str = "utf-8",
        answers_always: bool = True,
        now: Callable[[], Instant] = wall_us,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.receive = receive
        self.unreadable = unreadable
        self.message_bytes_max = message_bytes_max
        self.connections_max = connections_max
        self.idle_s = idle_s
        self.stall_s = stall_s
        self.default_charset = default_charset
        self.answers_always = answers_always
        self.monotonic = monotonic
        self.conversations: set[Conversation] = set()
        self.messages = 0
        self._now = now
        self._stamp = (-1, "")
        self._prefix = f"R{now() // 1000:X}"  # control ids of answers differ from those before a restart
        self._answers = 0
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.get_ident()
        self._settled: deque[tuple[_Slot, Outcome]] = deque()
        self._is_woken = False
        self._sweeping: asyncio.TimerHandle | None = None
        self._someone_left = asyncio.Event()

    async def serve(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Begin to listen on a bound socket; returns at once, the door is then open until close."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._server = await self._loop.create_server(
            lambda: Conversation(self),
            sock=sock,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=_HANDSHAKE_S if tls else None,
        )
        self._sweep_again()

    async def close(self, drain_s: float = DRAIN_S) -> None:
        """Stop listening, take nothing more, answer what is owed for at most drain_s, hang up.

        What was handed on and is not answered by then is kept all the same; its sender sends it again.
        """
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._server is not None:
            self._server.close()
        for conversation in list(self.conversations):
            conversation.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                while self.conversations:
                    self._someone_left.clear()
                    await self._someone_left.wait()
        for conversation in list(self.conversations):
            conversation.abort()
        await asyncio.sleep(0)  # lets the transports say their connection_lost

    def leave(self, conversation: Conversation) -> None:
        """Forget a connection that is gone."""
        self.conversations.discard(conversation)
        self._someone_left.set()

    def has_room(self) -> bool:
        """Say whether one more connection may be held, hanging up on the one that is silent the longest if need be.

        After a network cut every feed calls again while its old connections still look open.
        """
        if len(self.conversations) < self.connections_max:
            return True
        silent = [one for one in self.conversations if not one.is_owed]
        oldest = min(silent, key=lambda one: one.heard_at, default=None)
        if oldest is None or self.monotonic() - oldest.heard_at < EVICTED_AFTER_S:
            return False
        oldest.hang_up("mllp.evicted")
        self.leave(oldest)
        return True

    def sweep(self) -> None:
        """Close the connections that have been silent for too long."""
        now = self.monotonic()
        for conversation in list(self.conversations):
            conversation.check_silence(now)

    def settle(self, slot: _Slot, outcome: Outcome) -> None:
        """Take the outcome of a message, from any thread."""
        if threading.get_ident() == self._thread:
            slot.conversation.settle(slot, outcome)
            slot.conversation.flush()
            return
        self._settled.append((slot, outcome))
        if not self._is_woken:  # one wake-up serves a whole group of the log
            self._is_woken = True
            assert self._loop is not None, "a message came before the door was open"
            with suppress(RuntimeError):  # the loop is closed: the node stops; the sender will send again
                self._loop.call_soon_threadsafe(self._write_settled)

    def stamp(self) -> str:
        """Return now as MSH-7 has it, in UTC."""
        second = self._now() // 1_000_000
        if second != self._stamp[0]:
            self._stamp = (second, to_datetime(second * 1_000_000).strftime("%Y%m%d%H%M%S+0000"))
        return self._stamp[1]

    def next_control_id(self) -> str:
        """Return an MSH-10 for an answer, of at most 20 characters as old senders want it."""
        self._answers += 1
        return f"{self._prefix}{self._answers:07d}"

    def _write_settled(self) -> None:
        self._is_woken = False
        touched: dict[Conversation, None] = {}
        settled = self._settled
        while settled:
            slot, outcome = settled.popleft()
            slot.conversation.settle(slot, outcome)
            touched[slot.conversation] = None
        for conversation in touched:
            conversation.flush()

    def _sweep_again(self) -> None:
        assert self._loop is not None, "sweeping begins with the listening"
        self._sweeping = self._loop.call_later(_SWEEP_EVERY_S, self._sweep_again)
        self.sweep()


class _Slot:
    """The place of one answer; called with the outcome of what it answers.

    message  what is answered; None when the refusal is fixed already, or when the parts of a batch make the answer
    answer   None while it is not known; b"" when nothing is to be said
    """

    __slots__ = ("answer", "batch", "conversation", "message", "refusal", "size")

    def __init__(self, conversation: Conversation, message: Message | None, size: int, batch: _Batch | None) -> None:
        self.conversation = conversation
        self.message = message
        self.size = size
        self.batch = batch
        self.refusal = b""
        self.answer: bytes | None = None

    def __call__(self, outcome: Outcome) -> None:
        self.conversation.door.settle(self, outcome)


class _Batch:
    """A block of several messages: answered by one block, once every one of them is settled."""

    __slots__ = ("control_id", "parts", "slot", "waiting")

    def __init__(self, slot: _Slot, control_id: str, waiting: int) -> None:
        self.slot = slot
        self.control_id = control_id
        self.waiting = waiting
        self.parts: list[_Slot] = []


class Conversation(asyncio.Protocol):
    """One connection of a peer: what it has sent, what it is owed."""

    def __init__(self, door: MllpDoor) -> None:
        self.door = door
        self.peer = ""
        self._transport: asyncio.Transport | None = None
        self._deframer = Deframer(door.message_bytes_max)
        self._owed: deque[_Slot] = deque()
        self._owed_bytes = 0
        self.heard_at = door.monotonic()
        self._is_paused = False  # we do not read: it is owed too much, or does not take its answers
        self._is_choked = False  # the peer does not take its answers
        self._is_ending = False  # nothing more is taken; closed once everything is answered
        self._is_taking = False  # answers are written when all bytes at hand are taken

    @property
    def is_owed(self) -> bool:
        """Whether the peer waits for answers."""
        return bool(self._owed)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if name else "local"
        door = self.door
        if not door.has_room():
            _log.warning("connection refused", extra={"code": "mllp.too-many", "peer": self.peer})
            sentence = (
                f"This door holds {door.connections_max} connections and takes no more; close some, then try again."
            )
            self._transport.write(frame(self._refusal(b"", Fault("E", INTERNAL_ERROR, "mllp.too-many", sentence))))
            self._transport.close()
            self._is_ending = True
            return
        door.conversations.add(self)
        _keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.door.monotonic()
        if not self._is_ending:
            self._take(self._deframer.feed(data), answers_flaws=False)

    def eof_received(self) -> bool:
        if self._is_ending:
            return False
        self._is_ending = True
        self._take(self._deframer.end(), answers_flaws=True)
        # True keeps our side open for the answers; TLS has no half-closed connection.
        return bool(self._owed) and self._transport is not None and not self._transport.get_extra_info("sslcontext")

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self)
        if self._is_ending:
            return
        self._is_ending = True
        for value in self._deframer.end():
            # Nobody is left to be answered: a whole block among them is sent again, like every unanswered message.
            self._take_flawed(Cut(value.content) if isinstance(value, Block) else value, is_answered=False)

    def pause_writing(self) -> None:
        self._is_choked = True
        self._pace()

    def resume_writing(self) -> None:
        self._is_choked = False
        self._pace()

    # What came

    def _take(self, values: list[Framed], *, answers_flaws: bool) -> None:
        self._is_taking = True
        for value in values:
            if isinstance(value, Block):
                self._take_block(value)
            else:
                self._take_flawed(value, is_answered=answers_flaws)
        self._is_taking = False
        self.flush()
        self._pace()

    def _take_block(self, block: Block) -> None:
        batch = split_batch(block.content)
        if batch is None:
            self._take_message(block.content, block.flaw, None)
            return
        if batch.envelope:
            self._keep(batch.envelope, "hl7v2.batch-envelope: the lines around the messages of a batch.", _heed_nothing)
        if not batch.messages:
            sentence = "This batch holds no message: expected MSH after FHS or BHS. It is kept as it came."
            self._refuse(block.content, Fault("R", SEGMENT_SEQUENCE_ERROR, "hl7v2.empty-batch", sentence), None)
            return
        whole = None
        if len(batch.messages) > 1:
            whole = _Batch(self._owe(None, len(block.content), None), batch.control_id, len(batch.messages))
        for message in batch.messages:
            self._take_message(message, block.flaw, whole)

    def _take_message(self, raw: bytes, flaw: str, batch: _Batch | None) -> None:
        """Hand on one message; it has its place among the answers before, for the outcome may come at once."""
        door = self.door
        try:
            message = parse(raw, door.default_charset)
        except NotHL7 as error:
            self._refuse(raw, Fault("R", SEGMENT_SEQUENCE_ERROR, error.code, error.sentence), batch)
            return
        if flaw:
            message.remarks.append(_FLAWS[flaw])
        door.messages += 1
        slot = self._owe(message, len(raw), batch)
        try:
            door.receive(message, self.peer, slot)
        except Exception as error:  # noqa: BLE001 - the mouth of a listener: one message must not take the door down
            where = {"code": "mllp.internal", "peer": self.peer, "control_id": message.control_id}
            _log.error("message not understood: our fault", extra={**where, **_place(error)})
            why = f"mllp.internal: reading this message failed inside ({type(error).__name__}); it is kept as it came."
            self._keep(raw, why, slot)

    def _take_flawed(self, value: Framed, *, is_answered: bool) -> None:
        """Keep what is no block.

        is_answered  False when the peer goes on speaking: it began anew, and would take a refusal of what it cut for
                     the answer to what it sends next. A block that is too long is answered in its place in any case.
        """
        code, sentence = _complaint(value)
        if isinstance(value, TooLong):
            self._refuse(value.head, Fault("R", INTERNAL_ERROR, code, sentence), None)
            return
        assert isinstance(value, Cut | Noise), "a block is taken by _take_block"
        if isinstance(value, Noise) and value.is_flood:
            is_answered = self._is_ending = True
        if is_answered:
            self._refuse(value.content, Fault("R", SEGMENT_SEQUENCE_ERROR, code, sentence), None)
            return
        _log.warning("bytes kept, not served", extra={"code": code, "peer": self.peer, "bytes": len(value.content)})
        self._keep(value.content, f"{code}: {sentence}", _heed_nothing)

    def _refuse(self, raw: bytes, fault: Fault, batch: _Batch | None) -> None:
        """Keep bytes that are no message, and answer that they are refused."""
        _log.warning("bytes refused", extra={"code": fault.code, "peer": self.peer, "bytes": len(raw)})
        slot = self._owe(None, len(raw), batch)
        slot.refusal = self._refusal(raw, fault)
        self._keep(raw, f"{fault.code}: {fault.sentence}", slot)

    def _refusal(self, raw: bytes, fault: Fault) -> bytes:
        return refuse_unreadable(raw, fault, control_id=self.door.next_control_id(), at=self.door.stamp())

    def _keep(self, raw: bytes, why: str, done: Done) -> None:
        try:
            self.door.unreadable(raw, self.peer, why, done)
        except Exception as error:  # noqa: BLE001 - the mouth of a listener: what cannot be kept is refused, not fatal
            _log.error("bytes not kept", extra={"code": "mllp.internal", "peer": self.peer, **_place(error)})
            done(StoreUnable("mllp.internal", "This node could not keep what was sent; send it again."))

    # What is owed

    def _owe(self, message: Message | None, size: int, batch: _Batch | None) -> _Slot:
        """Make the place of an answer, in the order of arrival."""
        slot = _Slot(self, message, size, batch)
        if batch is None:
            self._owed.append(slot)
            self._owed_bytes += size
        else:
            batch.parts.append(slot)
        return slot

    def settle(self, slot: _Slot, outcome: Outcome) -> None:
        """Turn an outcome into an answer; it is written by flush."""
        if slot.answer is not None:
            _log.error("message settled twice", extra={"code": "mllp.internal", "peer": self.peer})
            return
        slot.answer = slot.refusal or self._answer(slot.message, outcome)
        batch = slot.batch
        if batch is not None:
            batch.waiting -= 1
            if batch.waiting == 0:
                answers = [part.answer for part in batch.parts if part.answer]
                batch.slot.answer = acknowledge_batch(
                    answers, batch.control_id, control_id=self.door.next_control_id(), at=self.door.stamp()
                )

    def _answer(self, message: Message | None, outcome: Outcome) -> bytes:
        assert message is not None, "what is no message has its refusal fixed"
        fault = _fault(outcome) if isinstance(outcome, ReleveError) else None
        if fault is not None:
            where = {"code": fault.code, "peer": self.peer, "control_id": message.control_id}
            _log.warning("message refused", extra=where)
        door = self.door
        mode = answer_mode(message, is_refused=fault is not None) or ("C" if door.answers_always else "")
        if not mode:
            return b""
        return acknowledge(message, mode, fault, control_id=door.next_control_id(), at=door.stamp())

    def flush(self) -> None:
        """Write the answers whose turn it is, all at once."""
        owed = self._owed
        if self._is_taking or self._transport is None:
            return
        ready: list[bytes] = []
        while owed and owed[0].answer is not None:
            slot = owed.popleft()
            self._owed_bytes -= slot.size
            if slot.answer:
                ready.append(frame(slot.answer))
        if self._transport.is_closing():
            return
        if ready:
            self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
        if self._is_paused:
            self._pace()
        if self._is_ending and not owed:
            self._transport.close()

    def _pace(self) -> None:
        """Read no further while too much is owed, or while the peer does not take its answers."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        count, size = len(self._owed), self._owed_bytes
        if self._is_paused:
            if not self._is_choked and count <= UNANSWERED_MAX // 2 and size <= UNANSWERED_BYTES_MAX // 2:
                self._is_paused = False
                self.heard_at = self.door.monotonic()
                transport.resume_reading()
        elif self._is_choked or count > UNANSWERED_MAX or size > UNANSWERED_BYTES_MAX:
            self._is_paused = True
            transport.pause_reading()

    # Silence

    def check_silence(self, now: float) -> None:
        """Take a half-sent block for what it is after stall_s; hang up after idle_s without a word."""
        silent_s = now - self.heard_at
        if silent_s > self.door.stall_s and not self._is_paused and not self._is_ending and self._deframer.is_inside:
            values = self._deframer.end()
            code = {"code": "mllp.stalled", "peer": self.peer, "silent_s": round(silent_s)}
            _log.warning("block stalled", extra=code)
            # A block that is whole but for its trailer is served, and its sender with it; of anything else nothing
            # good can follow on this connection.
            self._is_ending = not all(isinstance(value, Block) for value in values)
            self._take(values, answers_flaws=True)
        elif silent_s > self.door.idle_s and not self._owed:
            self.hang_up("mllp.idle")

    def hang_up(self, code: str) -> None:
        """Close the connection, whatever the peer still wanted."""
        _log.info("connection closed by us", extra={"code": code, "peer": self.peer, "unanswered": len(self._owed)})
        if self._transport is not None:
            if self._is_choked:
                self.abort()  # close would wait for a peer that takes nothing
            else:
                self._transport.close()

    def finish(self) -> None:
        """Take nothing more; close once everything is answered."""
        self._is_ending = True
        self.flush()
        if self._transport is not None and not self._is_paused and not self._transport.is_closing():
            self._transport.pause_reading()

    def abort(self) -> None:
        """Drop the connection and what is not sent yet."""
        if self._transport is not None:
            self._transport.abort()


_FLAWS = {
    "no-start": "hl7v2.no-start: the block came without VT in front.",
    "no-end": "hl7v2.no-end: the block came without FS at its end; its last segment may be missing.",
}


def _heed_nothing(outcome: Outcome) -> None:
    """The done of what nobody is waiting for."""
    if isinstance(outcome, ReleveError):
        _log.error("bytes not kept", extra={"code": outcome.code})


def _complaint(value: Framed) -> tuple[str, str]:
    """Return (code, sentence) of what is no block."""
    if isinstance(value, TooLong):
        return "hl7v2.message-too-long", (
            f"This message has more than {value.bytes_max} bytes, which is the limit here. Its beginning is kept, the "
            "rest was passed over; send the document in parts, or have the limit raised."
        )
    if isinstance(value, Cut):
        return "mllp.cut", (
            f"Of this block {len(value.content)} bytes came, then neither FS nor a whole segment. They are kept, not "
            "read; send the message again."
        )
    return "mllp.noise", (
        f"{len(value.content)} bytes came outside of an MLLP block: expected VT, message, FS, CR. They are kept, not "
        "read; frame the message and send it again."
    )


def _fault(error: ReleveError) -> Fault:
    """Return how an error is said in HL7: E for what may be sent again as it is, R for what must be changed first."""
    if isinstance(error, PeerError):
        return Fault("R", SEGMENT_SEQUENCE_ERROR, error.code, error.sentence)
    return Fault("E", INTERNAL_ERROR, error.code, error.sentence)


def _place(error: BaseException) -> dict[str, object]:
    """Return the kind and place of a fault for the log; its text may hold what stood in the message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    return {"error": type(error).__name__, "place": place}


def _keep_alive(sock: socket.socket | None) -> None:
    """Let the kernel find out about peers whose machine or network is gone."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", _KEEPALIVE_EVERY_S),
        ("TCP_KEEPCNT", _KEEPALIVE_TRIES),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
