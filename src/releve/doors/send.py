"""Sending HL7 v2 by MLLP and waiting for the answer, with a blocking socket.

An answer belongs to a message by MSA-2 = MSH-10, never by its place. After a timeout the connection is closed before
anything else is sent, so that a late answer cannot be taken for that of the next message; the message itself may be
sent again as it is, its control id unchanged.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from releve.errors import PeerError, WrongUse
from releve.wire.hl7v2 import (
    Answer,
    Block,
    Deframer,
    NotHL7,
    answer_mode,
    frame,
    parse,
    parse_answers,
    split_batch,
)

ACCEPTED, REFUSED, UNANSWERED = "accepted", "refused", "unanswered"

#: A receiver that needs longer to say "kept" has a trouble that waiting will not mend.
TIMEOUT_S = 30.0
_CONNECT_S_MAX = 10.0
_ANSWER_BYTES_MAX = 2**20  # an answer is a few hundred bytes; a batch of thousands of them still fits
_READ_BYTES = 65_536
_STRAY_ANSWERS_MAX = 1000  # answers to other messages that are passed over while waiting for ours


class Unanswered(PeerError):
    """No answer came: the message may be kept there or not; send it again with the same MSH-10."""


class Unreachable(Unanswered):
    """There is no connection: nothing was sent."""


class MllpClient:
    """One connection to a receiver, opened when it is needed and again after it broke.

    timeout_s  from the sending of a message to its answer
    tls        for MLLP over TLS
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.port = port
        self._timeout_s = timeout_s
        self._tls = tls
        self._monotonic = monotonic
        self._socket: socket.socket | None = None
        self._deframer = Deframer(_ANSWER_BYTES_MAX)
        self._waiting: list[bytes] = []  # answers that came together with one before them

    def __enter__(self) -> MllpClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the next exchange connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._deframer = Deframer(_ANSWER_BYTES_MAX)
        self._waiting.clear()

    def exchange(self, content: bytes) -> bytes:
        """Send a message, or a batch, as one block and return the content of the block that answers it.

        A connection that the receiver had closed since the last exchange is opened anew and the message sent again,
        once.

        raises  Unreachable  there is no connection; nothing was sent
        raises  Unanswered   no answer came in time, or the connection broke; it is closed
        """
        control_ids = control_ids_of(content)
        was_open = self._socket is not None
        try:
            return self._exchange(content, control_ids)
        except _Broken as broken:
            self.close()
            if not was_open:
                raise Unanswered("mllp.broken", self._sentence(broken.args[0])) from broken
        try:
            return self._exchange(content, control_ids)
        except _Broken as broken:
            self.close()
            raise Unanswered("mllp.broken", self._sentence(broken.args[0])) from broken

    def _exchange(self, content: bytes, control_ids: set[str]) -> bytes:
        sock = self._connected()
        until = self._monotonic() + self._timeout_s
        try:
            sock.settimeout(self._timeout_s)
            sock.sendall(frame(content))
            for _ in range(_STRAY_ANSWERS_MAX):
                answer = self._next_block(sock, until)
                if _is_answer_to(answer, control_ids):
                    return answer
        except TimeoutError as error:
            self.close()
            raise Unanswered("mllp.timeout", self._sentence(f"gave no answer within {self._timeout_s:g} s")) from error
        except OSError as error:
            raise _Broken(f"broke the connection ({error.strerror or error})") from error
        self.close()
        raise Unanswered("mllp.strays", self._sentence("answers everything but the message that was sent"))

    def _next_block(self, sock: socket.socket, until: float) -> bytes:
        """Return the content of the next block that comes."""
        while not self._waiting:
            left_s = until - self._monotonic()
            if left_s <= 0:
                raise TimeoutError
            sock.settimeout(left_s)
            data = sock.recv(_READ_BYTES)
            values = self._deframer.feed(data) if data else self._deframer.end()
            self._waiting.extend(value.content for value in values if isinstance(value, Block))
            if not data and not self._waiting:
                raise _Broken("closed the connection without an answer")
        return self._waiting.pop(0)

    def _connected(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        connect_s = min(_CONNECT_S_MAX, self._timeout_s)
        try:
            sock = socket.create_connection((self.host, self.port), timeout=connect_s)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_hostname=self.host)
            except OSError:
                sock.close()
                raise
        except OSError as error:
            reason = f"cannot be reached ({error.strerror or error}); nothing was sent"
            raise Unreachable("mllp.unreachable", self._sentence(reason)) from error
        self._socket = sock
        return sock

    def _sentence(self, what: str) -> str:
        return f"{self.host}:{self.port} {what}."


class _Broken(Exception):
    """The connection ended under us."""


def control_ids_of(content: bytes) -> set[str]:
    """Return every MSH-10 of a block, stripped; "" for those that have none, none of what is no HL7 v2."""
    batch = split_batch(content)
    control_ids = set()
    for raw in batch.messages if batch is not None else [content]:
        with suppress(NotHL7):
            control_ids.add(parse(raw).control_id.strip())
    if batch is not None and batch.control_id:
        control_ids.add(batch.control_id)
    return control_ids


def _is_answer_to(block: bytes, control_ids: set[str]) -> bool:
    """Say whether a block answers one of these messages; a refusal without MSA-2 answers what was sent last."""
    try:
        answers = parse_answers(block)
    except NotHL7:
        return False
    if not answers:
        return False
    return not control_ids or "" in control_ids or any(a.control_id in control_ids or not a.control_id for a in answers)


class Sent(msgspec.Struct, frozen=True):
    """One message of a file, and what became of it.

    outcome   ACCEPTED, REFUSED or UNANSWERED
    code      MSA-1, or "" without an answer
    sentence  why it was refused or not answered
    """

    path: Path
    control_id: str
    outcome: str
    code: str = ""
    sentence: str = ""


class SendTally(msgspec.Struct):
    """What became of all messages of all files."""

    sent: list[Sent] = msgspec.field(default_factory=list)

    def count(self, outcome: str) -> int:
        """Return how many messages had this outcome."""
        return sum(1 for one in self.sent if one.outcome == outcome)

    @property
    def accepted(self) -> int:
        return self.count(ACCEPTED)

    @property
    def refused(self) -> int:
        return self.count(REFUSED)

    @property
    def unanswered(self) -> int:
        return self.count(UNANSWERED)


def send_files(
    host: str,
    port: int,
    paths: Sequence[Path],
    *,
    timeout_s: float = TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
    print_progress: Callable[[Sent], None] | None = None,
) -> SendTally:
    """Send the messages of files one after the other, each after the answer to the one before.

    print_progress  called with each message's outcome
    raises          WrongUse  a file cannot be read; nothing was sent

    When the receiver cannot be reached the messages that are left count as unanswered and are not tried.
    """
    for path in paths:
        _check_readable(path)
    tally = SendTally()
    unreachable = ""
    with MllpClient(host, port, timeout_s=timeout_s, tls=tls) as client:
        for path in paths:
            for block in read_blocks(path):
                if unreachable:
                    outcomes = _unanswered(path, block, unreachable)
                else:
                    try:
                        outcomes = _judge(path, block, client.exchange(block))
                    except Unreachable as error:
                        unreachable = error.sentence
                        outcomes = _unanswered(path, block, error.sentence)
                    except Unanswered as error:
                        outcomes = _unanswered(path, block, error.sentence)
                for sent in outcomes:
                    tally.sent.append(sent)
                    if print_progress is not None:
                        print_progress(sent)
    return tally


def read_blocks(path: Path) -> Iterator[bytes]:
    """Yield what a file holds as contents of MLLP blocks: messages as they stand, a batch with its envelope as one.

    A file whose lines end with LF or CRLF is sent with CR, as the standard wants; one that has CR is not touched. A
    file that holds MLLP blocks is sent block by block.
    """
    content = path.read_bytes()
    if content[:1] == b"\x0b":
        deframer = Deframer(len(content))
        for value in (*deframer.feed(content), *deframer.end()):
            if isinstance(value, Block):
                yield value.content
        return
    if b"\r" not in content.replace(b"\r\n", b""):
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r")
    batch = split_batch(content)
    if batch is not None and not batch.envelope:
        yield from batch.messages
    else:
        yield content


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except OSError as error:
        raise WrongUse("send.unreadable", f"{path} cannot be read: {error.strerror}. Nothing was sent.") from error
    if not first:
        raise WrongUse("send.empty", f"{path} is empty: expected an HL7 v2 message. Nothing was sent.")


def _judge(path: Path, block: bytes, answer: bytes) -> list[Sent]:
    """Pair the messages of a block with what its answer says; a single answer speaks for all of them."""
    answers = parse_answers(answer)
    messages = _messages(block)
    is_for_all = len(answers) == 1
    left = list(answers)
    outcomes = []
    for control_id, _ in messages:
        mine = answers[0] if is_for_all else _take_first(left, control_id)
        if mine is None:
            outcomes.append(Sent(path, control_id, UNANSWERED, "", "The batch was answered, this message of it not."))
        else:
            outcome = ACCEPTED if mine.is_accepted else REFUSED
            outcomes.append(Sent(path, control_id, outcome, mine.code, "" if mine.is_accepted else mine.sentence))
    return outcomes


def _take_first(answers: list[Answer], control_id: str) -> Answer | None:
    """Take the first answer to a control id out of a list; control ids may occur twice in a batch."""
    for index, answer in enumerate(answers):
        if answer.control_id == control_id:
            return answers.pop(index)
    return None


def _unanswered(path: Path, block: bytes, sentence: str) -> list[Sent]:
    return [
        Sent(path, control_id, UNANSWERED, "", sentence if wants else f"{sentence} It asks for none (MSH-15, MSH-16).")
        for control_id, wants in _messages(block)
    ]


def _messages(block: bytes) -> list[tuple[str, bool]]:
    """Return (MSH-10, whether it wants an answer) of each message of a block; bytes that are none count as one."""
    batch = split_batch(block)
    found = []
    for raw in batch.messages if batch is not None and batch.messages else [block]:
        try:
            message = parse(raw)
        except NotHL7:
            found.append(("", True))
        else:
            found.append((message.control_id.strip(), answer_mode(message, is_refused=False) != ""))
    return found
