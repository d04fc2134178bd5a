"""Giving back what was captured: the outbox to one destination, as a state machine without sockets, and its runner.

    pending ── Send ──▶ sent ── AA, CA ─────────────▶ accepted    told to the log, the patient's next one may go
       ▲                 │ ├─── AE, AR, CE, CR ─────▶ refused     told to the log, the patient's queue stops
       │                 │ └─── no answer in time ──▶ the connection is closed, then pending again, later
       │                 └───── connection lost ────▶ pending again, later
       └── a person says "again" (pending) ── refused ── a person says "done by hand" (withdrawn) ──▶ the queue goes on

Rules, each from a field report: an answer belongs to a message by MSA-2 = MSH-10, never by its place; after a timeout
the connection is closed before anything else is sent; every try of a message has the same MSH-10; per patient the
order of capture is kept and nothing is skipped; one patient's refusal or silence stops nobody else.

Only outcomes are told to the log. What was sent and not told when a node died is sent again, with the same MSH-10, and
the receiver knows it. One message is in flight at a time: HL7 v2 over MLLP promises nothing about more.
Source: HL7 v2.5.1 2.9.2; nextgenhealthcare/connect issues 1314, 1441, 2049, 2070, 2071.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from releve.clock import Instant, wall_us
from releve.errors import Refused, ReleveError
from releve.ids import content_id
from releve.log import SITE, Body, Draft, encode_body
from releve.wire.hl7v2 import Answer, Block, Deframer, NotHL7, frame, parse, parse_answers

logger = logging.getLogger(__name__)

#: How many owed events are looked at together: more than a hospital captures in a night of outage in one queue.
OWED_MAX = 5000
#: Waits before a message is tried again grow to this and no further.
BACKOFF_S_MAX = 60.0
BACKOFF_S_MIN = 1.0
#: Knocking at a door that is shut costs a packet, and a system that comes back must not wait for what it is owed.
CONNECT_AGAIN_S_MAX = 5.0
#: A refusal that the views have not shown after so long was decided by a person between two looks; it is tried again.
REFUSAL_UNSEEN_S_MAX = 60.0
#: How often the views are asked what is owed.
LOOK_EVERY_S = 1.0
#: Answers to our messages are hundreds of bytes; a line that sends more than this at once is not answering.
_ANSWER_BYTES_MAX = 2**20
_READ_BYTES = 65_536
_CONNECT_S_MAX = 10.0
_SEND_S_MAX = 60.0  # for 20 MB over a poor line
_SENTENCE_CHARACTERS_MAX = 500

#: What goes first over all patients: who somebody is, then what came from feeds, then notes.
RANKS = {"admission": 0, "merge": 1, "unmerge": 1, "hl7v2": 2, "note": 3}

PENDING, SENT, ACCEPTED, REFUSED = "pending", "sent", "accepted", "refused"


class Owed(Protocol):
    """An event that a destination has not settled; pos is its place in the order of capture."""

    @property
    def pos(self) -> int: ...
    @property
    def patient_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def event_id(self) -> bytes: ...


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a delivery ended, for the log.

    state     "accepted" or "refused"
    ack       what the receiver said: "AE: patient unknown"
    attempts  how often it was sent, this process counting
    """

    destination: str
    pos: int
    event_id: bytes
    state: str
    ack: str
    attempts: int


class Rest(msgspec.Struct, frozen=True, gc=False):
    """Nothing to do before until (seconds of the caller's clock); None: before something new is owed."""

    until: float | None


class Connect(msgspec.Struct, frozen=True, gc=False):
    """Open a connection, then say connected or disconnected."""


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close the connection, then say disconnected: an answer that comes late must not meet another message."""


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send this content; then say sent."""

    pos: int
    content: bytes


Action = Rest | Connect | Close | Send


class Pace(msgspec.Struct, frozen=True):
    """How fast and how patiently a destination is served.

    messages_per_s  the most that is sent: a system that just came back must not be pressed down again
    answer_s_max    from sending to the answer; the connection is closed after it
    """

    messages_per_s: float = 20.0
    answer_s_max: float = 30.0


class _Item:
    """An owed event and how far its delivery is."""

    __slots__ = ("attempts", "contents", "next", "not_before", "owed", "tries_in_vain")

    def __init__(self, owed: Owed) -> None:
        self.owed = owed
        self.contents: list[bytes] = []
        self.next = 0  # the message of contents that is sent next
        self.attempts = 0
        self.tries_in_vain = 0
        self.not_before = 0.0


class _InFlight(msgspec.Struct):
    item: _Item
    control_id: str
    sent_at: float


class _Refusal(msgspec.Struct):
    patient: str
    at: float
    is_seen: bool


class Outbox:
    """What one destination is owed. Pure: it is told what happened and says what to do next.

    destination   its name
    contents_of   the messages of an event, in order; Refused when it cannot be told
    random        numbers from 0 to 1, for the jitter of waits
    """

    def __init__(
        self,
        destination: str,
        contents_of: Callable[[Owed], list[bytes]],
        random: Callable[[], float],
        pace: Pace | None = None,
    ) -> None:
        self.destination = destination
        self._contents_of = contents_of
        self._random = random
        self._pace = pace or Pace()
        self._items: dict[int, _Item] = {}
        self._settled: dict[int, str] = {}  # accepted here, until the views know
        self._refusals: dict[int, _Refusal] = {}
        self._stopped: set[str] = set()
        self._in_flight: _InFlight | None = None
        self._is_connected = False
        self._connect_at = 0.0
        self._connects_in_vain = 0
        self._send_at = 0.0

    def state(self, pos: int) -> str:
        """Return the state of an event: pending, sent, accepted or refused; pending when nothing is known of it."""
        if self._in_flight is not None and self._in_flight.item.owed.pos == pos:
            return SENT
        if pos in self._refusals:
            return REFUSED
        return self._settled.get(pos, PENDING)

    def look(self, owed: Sequence[Owed], refused: Mapping[int, str], at: float) -> None:
        """Take what the views say: what is owed, oldest first, and what was refused and nobody has decided.

        refused  pos → patient_id
        """
        listed = {one.pos for one in owed}
        last = max(listed, default=0) if len(owed) >= OWED_MAX else 2**63
        for pos in [pos for pos in self._settled if pos not in listed and pos <= last]:
            del self._settled[pos]
        for pos, refusal in list(self._refusals.items()):
            if pos in refused:
                refusal.is_seen = True
            elif refusal.is_seen or at - refusal.at > REFUSAL_UNSEEN_S_MAX or (pos not in listed and pos <= last):
                del self._refusals[pos]  # a person has decided; if the views are only slow, it is refused once more
        self._stopped = {_queue(patient, pos) for pos, patient in refused.items()}
        self._stopped |= {refusal.patient for refusal in self._refusals.values()}
        known, self._items = self._items, {}
        for one in owed:
            if one.pos not in self._settled and one.pos not in self._refusals:
                self._items[one.pos] = known.get(one.pos) or _Item(one)
        if self._in_flight is not None and self._in_flight.item.owed.pos not in self._items:
            self._items[self._in_flight.item.owed.pos] = self._in_flight.item

    def release(self, pos: int) -> None:
        """Take a person's word that a refused event may be tried again; the patient's queue goes on with it."""
        refusal = self._refusals.pop(pos, None)
        if refusal is not None and all(other.patient != refusal.patient for other in self._refusals.values()):
            self._stopped.discard(refusal.patient)

    def connected(self) -> None:
        """Hear that there is a connection."""
        assert self._in_flight is None, "a message from an earlier connection is still in flight"
        self._is_connected = True

    def disconnected(self, at: float) -> None:
        """Hear that there is none: it was lost, closed, or could not be made. What was in flight is pending again."""
        was_connected, self._is_connected = self._is_connected, False
        flight, self._in_flight = self._in_flight, None
        if flight is not None:
            item = flight.item
            item.next = 0  # an event is told whole or not at all; the receiver knows what it has by its MSH-10
            item.tries_in_vain += 1
            item.not_before = at + self._backoff_s(item.tries_in_vain)
        if not was_connected:
            self._connects_in_vain += 1
            self._connect_at = at + min(CONNECT_AGAIN_S_MAX, self._backoff_s(self._connects_in_vain))
        else:
            self._connect_at = at + BACKOFF_S_MIN * self._random()

    def sent(self, pos: int, at: float) -> None:
        """Hear that the content that plan gave was handed to the connection."""
        item = self._items[pos]
        if item.next == 0:
            item.attempts += 1
        self._in_flight = _InFlight(item, _control_id(item.contents[item.next]), at)
        self._send_at = at + 1.0 / self._pace.messages_per_s

    def answered(self, answer: Answer) -> Outcome | None:
        """Hear an answer; returns the outcome when it ends the delivery of an event.

        An answer to another message than the one in flight is late or lost its way, and changes nothing.
        """
        flight = self._in_flight
        if flight is None or answer.control_id != flight.control_id.strip():
            logger.warning(
                "answer not expected",
                extra={"destination": self.destination, "control_id": answer.control_id, "code": answer.code},
            )
            return None
        item = flight.item
        self._in_flight = None
        self._connects_in_vain = 0
        if answer.is_accepted:
            item.next += 1
            if item.next < len(item.contents):
                return None
            return self._settle(item, answer.code)
        return self._refuse(item, f"{answer.code}: {answer.sentence}", flight.sent_at)

    def plan(self, at: float) -> Action | Outcome:
        """Return what to do next; an Outcome is for an event that could not be sent, or had nothing to send."""
        flight = self._in_flight
        if flight is not None:
            until = flight.sent_at + self._pace.answer_s_max
            return Close() if at >= until else Rest(until)
        item, until_ready = self._next_item(at)
        if item is None:
            return Rest(until_ready)
        if not item.contents:
            try:
                item.contents = self._contents_of(item.owed)
            except Refused as refusal:
                return self._refuse(item, f"{refusal.code}: {refusal.sentence}", at)
            if not item.contents:
                return self._settle(item, "nothing to send")
        if not self._is_connected:
            return Connect() if at >= self._connect_at else Rest(self._connect_at)
        if at < self._send_at:
            return Rest(self._send_at)
        return Send(item.owed.pos, item.contents[item.next])

    def _next_item(self, at: float) -> tuple[_Item | None, float | None]:
        """Return what goes next: of each patient only the oldest, of those the lowest rank, then the oldest."""
        heads: dict[str, _Item] = {}
        for pos in sorted(self._items):
            item = self._items[pos]
            queue = _queue(item.owed.patient_id, pos)
            if queue not in heads and queue not in self._stopped:
                heads[queue] = item
        begun = [item for item in heads.values() if item.next]
        ready = begun or [item for item in heads.values() if item.not_before <= at]
        if ready:
            return min(ready, key=_urgency), None
        return None, min((item.not_before for item in heads.values()), default=None)

    def _settle(self, item: _Item, ack: str) -> Outcome:
        return self._end(item, ACCEPTED, ack)

    def _refuse(self, item: _Item, ack: str, at: float) -> Outcome:
        queue = _queue(item.owed.patient_id, item.owed.pos)
        self._refusals[item.owed.pos] = _Refusal(queue, at, False)
        self._stopped.add(queue)
        return self._end(item, REFUSED, ack[:_SENTENCE_CHARACTERS_MAX])

    def _end(self, item: _Item, state: str, ack: str) -> Outcome:
        owed = item.owed
        self._items.pop(owed.pos, None)
        if state == ACCEPTED:
            self._settled[owed.pos] = state
        return Outcome(self.destination, owed.pos, owed.event_id, state, ack, item.attempts)

    def _backoff_s(self, tries: int) -> float:
        """Return how long to wait after so many tries in vain: doubling, half of it by chance."""
        whole = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2.0 ** min(tries - 1, 16))
        return whole * (0.5 + 0.5 * self._random())


def _queue(patient_id: str, pos: int) -> str:
    """Return the name of the queue that an event waits in: its patient's, or one of its own."""
    return patient_id or f"#{pos}"


def _urgency(item: _Item) -> tuple[bool, int, int]:
    return item.next == 0, RANKS.get(item.owed.kind, 2), item.owed.pos


def _control_id(content: bytes) -> str:
    try:
        return parse(content).control_id
    except NotHL7:
        return ""  # only bytes of a feed can be so, and the desk lets none in that have no MSH


def delivery_draft(outcome: Outcome, at: Instant) -> Draft:
    """Return an outcome as an event of the node's own channel.

    at  now; a delivery that ends the same way a second time is another event
    """
    source = {
        "door": "outbox",
        "destination": outcome.destination,
        "pos": outcome.pos,
        "event_id": outcome.event_id.hex(),
        "state": outcome.state,
        "ack": outcome.ack,
        "attempts": outcome.attempts,
    }
    name = (b"delivery", outcome.destination.encode(), outcome.event_id, outcome.state.encode(), str(at).encode())
    return Draft(SITE, "delivery", content_id(*name), encode_body(Body(source)))


# The runner --------------------------------------------------------------------------------------------------------


class _Line:
    """One MLLP connection as the runner uses it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._deframer = Deframer(_ANSWER_BYTES_MAX)

    async def send(self, content: bytes) -> None:
        self._writer.write(frame(content))
        await self._writer.drain()

    async def hear(self) -> list[Answer]:
        """Return the answers in the next bytes.

        raises  ConnectionError  the other side is gone
        """
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        answers: list[Answer] = []
        for found in self._deframer.feed(data):
            if not isinstance(found, Block):
                continue
            try:
                answers += parse_answers(found.content)
            except NotHL7:
                logger.warning("answer not understood", extra={"code": "hl7v2.not-hl7", "bytes": len(found.content)})
        return answers

    def close(self) -> None:
        self._writer.close()


class Runner:
    """Serves one destination until it is cancelled.

    host, port  of its MLLP listener
    owed        at most so many events that are owed, oldest first
    refused     pos → patient_id of what was refused and nobody has decided
    record      keeps an outcome; returns once it is on the disk
    now         seconds that only grow
    """

    def __init__(
        self,
        outbox: Outbox,
        host: str,
        port: int,
        *,
        owed: Callable[[int], Sequence[Owed]],
        refused: Callable[[], Mapping[int, str]],
        record: Callable[[Outcome], Awaitable[None]],
        now: Callable[[], float],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._outbox = outbox
        self._address = (host, port)
        self._owed = owed
        self._refused = refused
        self._record = record
        self._now = now
        self._tls = tls
        self._line: _Line | None = None
        self._look_at = 0.0

    async def run(self) -> None:
        """Deliver for ever; a trouble of the other side is waited out, one of the own disk too."""
        try:
            while True:
                at = self._now()
                if at >= self._look_at:
                    self._look_at = at + LOOK_EVERY_S
                    self._look(at)
                action = self._plan(at)
                if isinstance(action, Outcome):
                    await self._keep(action)
                elif isinstance(action, Rest):
                    await self._rest(action.until)
                elif isinstance(action, Connect):
                    await self._connect()
                elif isinstance(action, Send):
                    await self._send(action)
                else:
                    self._lose("no answer in time")
        finally:
            if self._line is not None:
                self._line.close()

    def _plan(self, at: float) -> Action | Outcome:
        try:
            return self._outbox.plan(at)
        except ReleveError as error:  # what an event says cannot be read just now; the line is listened to meanwhile
            logger.warning("event not read", extra={"destination": self._outbox.destination, "code": error.code})
            return Rest(at + LOOK_EVERY_S)

    def _look(self, at: float) -> None:
        try:
            self._outbox.look(self._owed(OWED_MAX), self._refused(), at)
        except ReleveError as error:  # the views are being rebuilt; what is known goes on
            logger.warning("outbox not looked at", extra={"destination": self._outbox.destination, "code": error.code})

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S_MAX):
                reader, writer = await asyncio.open_connection(*self._address, ssl=self._tls, limit=_READ_BYTES * 2)
        except (OSError, TimeoutError):
            self._outbox.disconnected(self._now())
            return
        self._line = _Line(reader, writer)
        self._outbox.connected()
        logger.info("destination connected", extra={"destination": self._outbox.destination})

    async def _send(self, action: Send) -> None:
        assert self._line is not None, "the outbox sends only while there is a connection"
        self._outbox.sent(action.pos, self._now())  # before the bytes go: an answer may come while they do
        try:
            async with asyncio.timeout(_SEND_S_MAX):
                await self._line.send(action.content)
        except (OSError, TimeoutError) as error:
            self._lose(f"{type(error).__name__} while sending")

    async def _rest(self, until: float | None) -> None:
        """Listen to the line, if there is one, until it is time to plan again."""
        wake_at = self._look_at if until is None else min(until, self._look_at)
        wait_s = max(0.0, wake_at - self._now())
        if self._line is None:
            await asyncio.sleep(wait_s)
            return
        try:
            async with asyncio.timeout(wait_s):
                answers = await self._line.hear()
        except TimeoutError:
            return
        except OSError as error:
            self._lose(type(error).__name__)
            return
        for answer in answers:
            outcome = self._outbox.answered(answer)
            if outcome is not None:
                await self._keep(outcome)

    def _lose(self, why: str) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        self._outbox.disconnected(self._now())
        logger.warning("destination lost", extra={"destination": self._outbox.destination, "reason": why})

    async def _keep(self, outcome: Outcome) -> None:
        """Have an outcome kept; while the desk is away nothing more is sent, for it could not be told either."""
        while True:
            try:
                await self._record(outcome)
            except ReleveError as error:
                logger.warning("delivery not kept yet", extra={"destination": outcome.destination, "code": error.code})
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                break
        if outcome.state == REFUSED:
            logger.warning("delivery refused", extra={"destination": outcome.destination, "pos": outcome.pos})


async def deliver(
    destination: str,
    host: str,
    port: int,
    *,
    owed: Callable[[int], Sequence[Owed]],
    refused: Callable[[], Mapping[int, str]],
    contents_of: Callable[[Owed], list[bytes]],
    append: Callable[[Draft], Awaitable[object]],
    now: Callable[[], float],
    random: Callable[[], float],
    wall: Callable[[], Instant] = wall_us,
    pace: Pace | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve one destination until cancelled.

    contents_of  the messages that tell an event, see translate.outbound; Refused when it cannot be told
    append       keeps a draft; StoreUnable while it cannot
    """

    async def record(outcome: Outcome) -> None:
        await append(delivery_draft(outcome, wall()))

    outbox = Outbox(destination, contents_of, random, pace)
    await Runner(outbox, host, port, owed=owed, refused=refused, record=record, now=now, tls=tls).run()
