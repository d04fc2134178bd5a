"""The way of one HL7 v2 message through the desk: message → statements → event → log → answer.

Everything before the log is pure and takes no turn elsewhere; the answer comes from the log's writer after the sync.
The id of the event is computed from sender, MSH-10 and content, so a message that is sent again changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol
from zoneinfo import ZoneInfo

from releve.clock import Instant, wall_us
from releve.errors import ReleveError
from releve.ids import content_id
from releve.log import SITE, Body, Draft, Receipt, Statement, encode_body
from releve.log.event import BODY_BYTES_MAX
from releve.translate import translate
from releve.wire.hl7v2 import Message

#: Raw input above this stays at its origin as a blob: what every hospital gets by the hubs must stay lean.
RAW_BYTES_INLINE_MAX = 262_144
#: Control ids remembered to warn of one that is used again for other content; a warning, so memory is enough.
CONTROL_IDS_MAX = 50_000

Done = Callable[[Receipt | ReleveError], None]


class Append(Protocol):
    """The log's append."""

    def __call__(self, draft: Draft, done: Done, *, patient: bool = False) -> None: ...


Blobs = tuple[tuple[bytes, bytes], ...]


class Intake:
    """Turns what comes through the HL7 v2 door into events of the log.

    append      the log's append; done is called after the sync
    zone        local time of messages whose times have no offset
    production  whether messages marked as tests (MSH-11 = T) are kept but not charted
    """

    def __init__(
        self, append: Append, zone: ZoneInfo, *, production: bool, now: Callable[[], Instant] = wall_us
    ) -> None:
        self._append = append
        self._zone = zone
        self._production = production
        self._now = now
        self._control_ids: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def receive(
        self, message: Message, peer: str, done: Done, *, received_at: Instant | None = None, patient: bool = False
    ) -> None:
        """Keep a message with what was understood of it; done hears the receipt, or why it was not kept.

        received_at  now, when not given
        patient      the message itself is kept already and its sender has been answered
        """
        raw = message.raw
        sender, control_id = message.sender, message.control_id
        event_id = name_event(message)
        at = self._now() if received_at is None else received_at
        told = translate(message, received_at=at, zone=self._zone, production=self._production)
        remarks = [*message.remarks, *told.remarks]
        if not told.understood:
            remarks.insert(0, told.reason)
        if self._is_reused(sender, control_id, event_id):
            remarks.append(
                f"hl7v2.control-id-reused: {sender} used MSH-10 {control_id!r} again for other content; both are kept."
            )
        source = {
            "door": "mllp",
            "peer": peer,
            "sender": sender,
            "control_id": control_id,
            "type": message.type,
            "test": message.processing_id == "T",
        }
        body = Body(source, raw, b"", told.statements, remarks, told.understood)
        if len(raw) <= RAW_BYTES_INLINE_MAX:
            encoded = encode_body(body)
            if len(encoded) <= BODY_BYTES_MAX:
                self._append(Draft(told.channel, "hl7v2", event_id, encoded, tuple(told.blobs)), done, patient=patient)
                return
        self._keep_large(body, told.channel, event_id, done, documents=tuple(told.blobs))

    def unreadable(self, raw: bytes, peer: str, why: str, done: Done) -> None:
        """Keep bytes that are no HL7 v2 at all; a person will want to see them."""
        body = Body({"door": "mllp", "peer": peer, "type": "unreadable"}, raw, b"", [], [why], False)
        self._keep_large(body, SITE, name_unreadable(peer, raw), done, kind="unreadable")

    def _keep_large(
        self,
        body: Body,
        channel: str,
        event_id: bytes,
        done: Done,
        kind: str = "hl7v2",
        documents: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Keep a message that is too large for one event: its raw bytes as a blob, its statements in pieces."""
        digest = sha256(body.raw).digest()
        blobs = ((digest, body.raw), *documents)
        pieces = list(_pieces(body.statements))
        answer = _AfterAll(len(pieces), done)
        for number, statements in enumerate(pieces):
            part = Body(
                {**body.source, "part": f"{number + 1}/{len(pieces)}"} if len(pieces) > 1 else body.source,
                b"",
                digest,
                statements,
                body.remarks if number == 0 else [],
                body.understood,
            )
            part_id = event_id if number == 0 else content_id(event_id, number.to_bytes(4, "big"))
            self._append(
                Draft(channel, kind, part_id, encode_body(part), blobs if number == 0 else ()), answer.one_is_done
            )

    def _is_reused(self, sender: str, control_id: str, event_id: bytes) -> bool:
        """Say whether a sender used this control id before for another content; remember it."""
        known = self._control_ids.get((sender, control_id))
        if known is None:
            self._control_ids[sender, control_id] = event_id
            if len(self._control_ids) > CONTROL_IDS_MAX:
                self._control_ids.popitem(last=False)
            return False
        return known != event_id


def name_event(message: Message) -> bytes:
    """Return the id of the event of a message: the same message from anywhere, at any time, is the same fact."""
    sender, control_id = message.sender, message.control_id
    return content_id(sender.encode("utf-8", "surrogatepass"), control_id.encode("utf-8", "surrogatepass"), message.raw)


def name_unreadable(peer: str, raw: bytes) -> bytes:
    """Return the id of the event of bytes that are kept without being read."""
    return content_id(peer.encode(), raw)


class _AfterAll:
    """Answers once, when every piece of a message is kept, or with the first refusal."""

    def __init__(self, waiting: int, done: Done) -> None:
        self._waiting = waiting
        self._done = done
        self._refusal: ReleveError | None = None

    def one_is_done(self, outcome: Receipt | ReleveError) -> None:
        if isinstance(outcome, ReleveError) and self._refusal is None:
            self._refusal = outcome
        self._waiting -= 1
        if self._waiting == 0:
            self._done(self._refusal or outcome)


def _pieces(statements: list[Statement]) -> list[list[Statement]]:
    """Cut a list of statements into pieces that each fit one event; there is always at least one."""
    pieces: list[list[Statement]] = [[]]
    size = 0
    for statement in statements:
        if size + len(statement.content) > BODY_BYTES_MAX and pieces[-1]:
            pieces.append([])
            size = 0
        pieces[-1].append(statement)
        size += len(statement.content)
    return pieces
