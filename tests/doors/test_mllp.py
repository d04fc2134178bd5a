"""The HL7 v2 door: conversations as transcripts on a line that is no socket, and a few with real peers."""

import asyncio
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hl7
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hl7.client import MLLPClient

from releve.doors.mllp import UNANSWERED_MAX, Conversation, Done, MllpDoor
from releve.doors.send import MllpClient, Unanswered
from releve.errors import PeerError, ReleveError, StoreUnable
from releve.wire.hl7v2 import Answer, Deframer, Message, frame, parse_answers
from releve.wire.hl7v2.framing import Block

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
Run = Callable[[Coroutine[Any, Any, None]], None]
NIGHT_US = 1_722_675_164_000_000  # 2024-08-03T08:52:44Z


def adt(control_id: str, accept: str = "", application: str = "", text: str = "") -> bytes:
    return f"MSH|^~\\&|LAB|H07|||20240803||ADT^A01|{control_id}|P|2.5|||{accept}|{application}\rPID|1|{text}\r".encode()


class Line:
    """A transport that keeps what is written and does what it is told."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False
        self.is_aborted = False
        self.is_reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.5", 4711) if name == "peername" else None


class Desk:
    """A door with its clock, and what it handed on: kept at once, or when the test says so."""

    def __init__(self, *, at_once: bool = True, **options: Any) -> None:
        self.at_once = at_once
        self.outcome: object = "kept"
        self.received: list[Message] = []
        self.kept_raw: list[tuple[bytes, str]] = []
        self.waiting: list[Done] = []
        self.seconds = 0.0
        self.door = MllpDoor(
            self.receive, self.unreadable, now=lambda: NIGHT_US, monotonic=lambda: self.seconds, **options
        )

    def receive(self, message: Message, peer: str, done: Done) -> None:
        assert peer == "10.0.0.5"
        self.received.append(message)
        self._keep(done)

    def unreadable(self, raw: bytes, peer: str, why: str, done: Done) -> None:
        self.kept_raw.append((raw, why.split(":")[0]))
        self._keep(done)

    def _keep(self, done: Done) -> None:
        if self.at_once:
            done(self.outcome)
        else:
            self.waiting.append(done)

    def call(self) -> tuple[Conversation, Line]:
        conversation, line = Conversation(self.door), Line()
        conversation.connection_made(line)  # type: ignore[arg-type]  # it is all that the door uses of a transport
        return conversation, line


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return what runs an event loop: the standard one, and the one of every post."""
    return request.param  # type: ignore[no-any-return]  # pytest knows no more of it


def answers(line: Line) -> list[Answer]:
    """The answers on a line so far, each from a whole block."""
    blocks = Deframer().feed(line.written)
    assert all(isinstance(block, Block) for block in blocks)
    return [answer for block in blocks for answer in parse_answers(block.content)]  # type: ignore[union-attr]


def codes(line: Line) -> list[str]:
    return [f"{answer.code} {answer.control_id}" for answer in answers(line)]


def test_a_message_is_answered_only_once_it_is_kept() -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")))
    assert (len(desk.received), line.written) == (1, b"")
    desk.waiting[0]("kept")
    assert codes(line) == ["AA 1"]


def test_answers_come_in_the_order_of_arrival_whatever_the_order_of_keeping() -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")) + frame(adt("2")))
    conversation.data_received(frame(adt("3")))
    desk.waiting[2]("kept")
    desk.waiting[1]("kept")
    assert codes(line) == []
    desk.waiting[0]("kept")
    assert codes(line) == ["AA 1", "AA 2", "AA 3"]


def test_each_cut_of_the_stream_gives_the_same_answers() -> None:
    stream = (
        frame(adt("1")) + b"\x0b" + adt("2")[:-1] + b"\x1c" + b"\r\n" + frame(b"no HL7") + frame(adt("3", "AL", "NE"))
    )
    for size in (1, 2, 7, 50, 1000):
        desk = Desk()
        conversation, line = desk.call()
        for start in range(0, len(stream), size):
            conversation.data_received(stream[start : start + size])
        assert codes(line) == ["AA 1", "AA 2", "AR ", "CA 3"]


@pytest.mark.parametrize(
    ("outcome", "original", "enhanced", "code"),
    [
        (StoreUnable("log.disk-full", "The disk is full; nothing was kept."), "AE", "CE", "log.disk-full"),
        (PeerError("hl7v2.odd", "MSH-12 says 99."), "AR", "CR", "hl7v2.odd"),
        (ReleveError("log.other", "Something else."), "AE", "CE", "log.other"),
    ],
)
def test_what_could_not_be_kept_is_refused_with_the_sentence(
    outcome: ReleveError, original: str, enhanced: str, code: str
) -> None:
    desk = Desk()
    desk.outcome = outcome
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")) + frame(adt("2", "AL", "NE")))
    desk.outcome = "kept"
    conversation.data_received(frame(adt("3")))
    assert [f"{original} 1", f"{enhanced} 2", "AA 3"] == codes(line)
    assert [outcome.sentence, outcome.sentence, ""] == [answer.sentence for answer in answers(line)]
    assert code.encode() in line.written


def test_a_sender_that_wants_no_answer_gets_one_unless_the_door_follows_the_letter() -> None:
    for always, expected in ((True, ["CA 1", "AA 2"]), (False, ["AA 2"])):
        desk = Desk(answers_always=always)
        conversation, line = desk.call()
        conversation.data_received(frame(adt("1", "NE", "NE")) + frame(adt("2", "NE", "AL")))
        assert expected == codes(line)


BAD = {
    "no HL7": (frame(b"GET / HTTP/1.1"), "AR ", "hl7v2.no-msh"),
    "an empty block": (frame(b""), "AR ", "hl7v2.no-msh"),
    "no MSH": (frame(b"PID|1\rPV1|1\r"), "AR ", "hl7v2.no-msh"),
    "MSH without separator": (frame(b"MSH\r"), "AR ", "hl7v2.no-msh"),
    "binary": (frame(bytes(set(range(256)) - {0x0B, 0x1C})), "AR ", "hl7v2.no-msh"),
    "too long": (frame(adt("9", text="x" * 5000)), "AR 9", "hl7v2.message-too-long"),
    "too long, enhanced": (frame(adt("9", "AL", text="x" * 5000)), "CR 9", "hl7v2.message-too-long"),
    "a batch without messages": (frame(b"BHS|^~\\&|A\rBTS|0\r"), "AR ", "hl7v2.empty-batch"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_kept_and_refused_and_the_next_message_is_served(name: str) -> None:
    block, expected, code = BAD[name]
    desk = Desk(message_bytes_max=4000)
    conversation, line = desk.call()
    conversation.data_received(block + frame(adt("2")))
    assert [expected, "AA 2"] == codes(line)
    assert len(answers(line)[0].sentence) > 20
    assert code == desk.kept_raw[-1][1]
    assert desk.kept_raw[-1][0][:20] == block[1:21].split(b"\x1c")[0]
    assert not line.is_closed


def test_a_poor_message_is_served_as_it_is() -> None:
    desk = Desk()
    conversation, line = desk.call()
    for raw in (
        b"MSH|^~\\&|",
        b"MSH|^~\\&|A|B||||||",
        adt("\xe9"),
        b"MSH|^~\\&#|A|B|||||ADT^A01|7|P|2.9\nPID|\xff\xfe",
    ):
        conversation.data_received(frame(raw))
    assert codes(line) == ["AA ", "AA ", "AA \xe9", "AA 7"]
    assert len(desk.received) == 4


def test_a_restarted_peer_loses_only_the_message_it_cut() -> None:
    desk = Desk()
    conversation, line = desk.call()
    conversation.data_received(b"\x0b" + adt("1")[:50])
    conversation.data_received(frame(adt("1")) + frame(adt("2")))
    assert codes(line) == ["AA 1", "AA 2"]
    assert [(adt("1")[:50], "mllp.cut")] == desk.kept_raw


def test_a_block_without_trailer_is_served_and_flagged_when_the_next_one_begins() -> None:
    desk = Desk()
    conversation, line = desk.call()
    conversation.data_received(b"\x0b" + adt("1") + frame(adt("2")))
    assert codes(line) == ["AA 1", "AA 2"]
    assert [remark.split(":")[0] for remark in desk.received[0].remarks] == ["hl7v2.no-end"]


def test_noise_between_blocks_is_kept_and_not_answered() -> None:
    desk = Desk()
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")) + b"hello?" + frame(adt("2")))
    assert codes(line) == ["AA 1", "AA 2"]
    assert desk.kept_raw == [(b"hello?", "mllp.noise")]


def test_a_flood_of_noise_is_refused_and_the_line_closed() -> None:
    desk = Desk()
    conversation, line = desk.call()
    for _ in range(100):
        conversation.data_received(b"A" * 10_000)
    assert codes(line) == ["AR "]
    assert line.is_closed
    assert len(desk.kept_raw) == 1


def test_a_batch_is_answered_by_one_block_with_a_verdict_for_each_message() -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    envelope = b"FHS|^~\\&|A\rBHS|^~\\&|A||||||||B77\r"
    conversation.data_received(frame(envelope + adt("1") + adt("2") + b"BTS|2\rFTS|1\r") + frame(adt("3")))
    assert [(envelope + b"BTS|2\rFTS|1\r", "hl7v2.batch-envelope")] == desk.kept_raw
    for done, outcome in zip(desk.waiting, ("kept", "kept", StoreUnable("log.x", "No."), "kept"), strict=True):
        done(outcome)
    assert codes(line) == ["AA 1", "AE 2", "AA 3"]
    assert line.written.count(b"\x0b") == 2
    assert line.written.startswith(b"\x0bBHS|")
    assert b"|B77\r" in line.written


def test_a_batch_of_one_message_gets_a_plain_answer() -> None:
    desk = Desk()
    conversation, line = desk.call()
    conversation.data_received(frame(b"BHS|^~\\&|\r" + adt("1") + b"BTS|1\r"))
    assert line.written.startswith(b"\x0bMSH|")
    assert codes(line) == ["AA 1"]


def test_a_fault_of_ours_keeps_the_message_as_it_came_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()

    def stumble(message: Message, peer: str, done: Done) -> None:
        raise ValueError(f"cannot read {message.text}")

    desk.door.receive = stumble
    conversation, line = desk.call()
    with caplog.at_level(logging.DEBUG):
        conversation.data_received(frame(adt("1", text="DUPONT")))
        desk.door.receive = desk.receive
        conversation.data_received(frame(adt("2")))
    assert codes(line) == ["AA 1", "AA 2"]
    assert [(adt("1", text="DUPONT"), "mllp.internal")] == desk.kept_raw
    assert "mllp.internal" in [getattr(record, "code", "") for record in caplog.records]
    assert "DUPONT" not in "".join(str(record.__dict__) for record in caplog.records)


def test_when_nothing_can_be_kept_the_sender_is_told_to_try_again() -> None:
    desk = Desk()

    def stumble(*_: Any) -> None:
        raise OSError("gone")

    desk.door.receive = desk.door.unreadable = stumble
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")) + frame(b"no HL7"))
    assert codes(line) == ["AE 1", "AR "]


def test_a_half_sent_block_that_stalls_is_kept_refused_and_hung_up_on() -> None:
    desk = Desk(stall_s=60)
    conversation, line = desk.call()
    conversation.data_received(b"\x0b" + adt("1")[:50])
    desk.seconds = 59
    desk.door.sweep()
    assert not line.is_closed
    desk.seconds = 61
    desk.door.sweep()
    assert codes(line) == ["AR 1"]
    assert line.is_closed
    assert [(adt("1")[:50], "mllp.cut")] == desk.kept_raw


def test_a_slow_sender_that_goes_on_is_not_stalled() -> None:
    desk = Desk(stall_s=60)
    conversation, line = desk.call()
    for byte in frame(adt("1")):
        desk.seconds += 50
        conversation.data_received(bytes([byte]))
        desk.door.sweep()
    assert codes(line) == ["AA 1"]
    assert not line.is_closed


def test_a_sender_that_never_ends_its_blocks_is_served_after_the_silence() -> None:
    desk = Desk(stall_s=60)
    conversation, line = desk.call()
    for number in ("1", "2"):
        conversation.data_received(b"\x0b" + adt(number))
        desk.seconds += 61
        desk.door.sweep()
    assert codes(line) == ["AA 1", "AA 2"]
    assert not line.is_closed


def test_somebody_who_speaks_another_protocol_is_told_so_after_the_silence() -> None:
    desk = Desk(stall_s=60)
    conversation, line = desk.call()
    conversation.data_received(b"GET / HTTP/1.1\r\nHost: h07\r\n\r\n")
    desk.seconds = 61
    desk.door.sweep()
    assert codes(line) == ["AR "]
    assert "MLLP" in answers(line)[0].sentence
    assert line.is_closed


def test_an_idle_connection_is_closed_and_one_that_waits_for_us_is_not() -> None:
    desk = Desk(idle_s=3600, at_once=False)
    idle, idle_line = desk.call()
    waiting, waiting_line = desk.call()
    waiting.data_received(frame(adt("1")))
    desk.seconds = 3601
    desk.door.sweep()
    assert idle_line.is_closed
    assert not waiting_line.is_closed
    idle.connection_lost(None)
    assert {waiting} == desk.door.conversations


def test_a_sender_that_does_not_wait_is_read_no_further_until_it_is_answered() -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    conversation.data_received(b"".join(frame(adt(str(number))) for number in range(UNANSWERED_MAX)))
    assert line.is_reading
    conversation.data_received(frame(adt("x")))
    assert not line.is_reading
    for done in desk.waiting[: UNANSWERED_MAX // 2]:
        done("kept")
    assert not line.is_reading
    for done in desk.waiting[UNANSWERED_MAX // 2 :]:
        done("kept")
    assert line.is_reading
    assert len(answers(line)) == UNANSWERED_MAX + 1


def test_a_peer_that_takes_no_answers_is_read_no_further_and_dropped_in_the_end() -> None:
    desk = Desk(idle_s=3600)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")))
    conversation.pause_writing()
    assert not line.is_reading
    conversation.resume_writing()
    assert line.is_reading
    conversation.pause_writing()
    desk.seconds = 3601
    desk.door.sweep()
    assert line.is_aborted


def test_one_connection_too_many_is_told_so() -> None:
    desk = Desk(connections_max=1)
    first, _ = desk.call()
    _, second_line = desk.call()
    assert second_line.is_closed
    assert "1 connections" in answers(second_line)[0].sentence
    first.connection_lost(None)
    third, third_line = desk.call()
    third.data_received(frame(adt("1")))
    assert codes(third_line) == ["AA 1"]


def test_a_connection_that_is_silent_the_longest_gives_its_place_to_a_new_one() -> None:
    desk = Desk(connections_max=2)
    calls = [desk.call()]
    desk.seconds = 5
    calls.append(desk.call())
    desk.seconds = 31
    third, third_line = desk.call()
    third.data_received(frame(adt("1")))
    assert codes(third_line) == ["AA 1"]
    assert [line.is_closed for _, line in calls] == [True, False]


def test_a_connection_that_waits_for_its_answer_keeps_its_place() -> None:
    desk = Desk(connections_max=1, at_once=False)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")))
    desk.seconds = 100
    _, second_line = desk.call()
    assert second_line.is_closed
    desk.waiting[0]("kept")
    assert codes(line) == ["AA 1"]


def test_a_door_that_closes_answers_what_it_owes_and_takes_nothing_more(run: Run) -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    _, idle_line = desk.call()

    async def play() -> None:
        conversation.data_received(frame(adt("1")))
        closing = asyncio.create_task(desk.door.close(drain_s=30))
        await asyncio.sleep(0)
        assert (line.is_closed, idle_line.is_closed, line.is_reading) == (False, True, False)
        conversation.data_received(frame(adt("2")))
        desk.waiting[0]("kept")
        assert line.is_closed
        for one in list(desk.door.conversations):
            one.connection_lost(None)
        await closing

    run(play())
    assert codes(line) == ["AA 1"]
    assert len(desk.received) == 1


def test_a_door_that_closes_does_not_wait_for_a_log_that_says_nothing(run: Run) -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")))
    run(desk.door.close(drain_s=0.01))
    assert line.is_aborted


def test_a_peer_that_has_said_all_still_gets_its_answers() -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")) + b"\x0b" + adt("2"))
    assert conversation.eof_received()
    assert not line.is_closed
    for done in desk.waiting:
        done("kept")
    assert codes(line) == ["AA 1", "AA 2"]
    assert line.is_closed


def test_an_unframed_message_is_told_what_it_lacks_when_its_sender_has_said_all() -> None:
    desk = Desk()
    conversation, line = desk.call()
    conversation.data_received(adt("1"))
    conversation.eof_received()
    assert codes(line) == ["AR 1"]
    assert [(adt("1").rstrip(), "mllp.noise")] == desk.kept_raw


def test_what_a_dying_peer_had_begun_is_kept_and_nobody_is_answered() -> None:
    desk = Desk(at_once=False)
    conversation, line = desk.call()
    conversation.data_received(frame(adt("1")) + b"\x0b" + adt("2"))
    line.close()
    conversation.connection_lost(ConnectionResetError())
    desk.waiting[0]("kept")
    assert line.written == b""
    assert [(adt("2"), "mllp.cut")] == desk.kept_raw
    assert [message.control_id for message in desk.received] == ["1"]


def test_control_ids_of_answers_are_all_different_and_short_enough() -> None:
    desk = Desk()
    ids = {desk.door.next_control_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert max(map(len, ids)) <= 20


# With sockets


def _serve(run: Run, use: Callable[[int], Any], *, tls: ssl.SSLContext | None = None) -> list[Message]:
    """Serve a door that keeps messages from another thread, while use runs in a thread of its own."""
    received: list[Message] = []

    def receive(message: Message, peer: str, done: Done) -> None:
        received.append(message)
        threading.Thread(target=done, args=("kept",)).start()  # as the log's writer does: from elsewhere

    async def play() -> None:
        door = MllpDoor(receive, lambda raw, peer, why, done: done("kept"))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            await door.serve(listening, tls)
            try:
                await asyncio.to_thread(use, listening.getsockname()[1])
            finally:
                await door.close()
        assert not door.conversations

    run(play())
    return received


@pytest.mark.peer
def test_the_client_of_python_hl7_reads_its_acknowledgements(run: Run) -> None:
    said: list[str] = []

    def use(port: int) -> None:
        with MLLPClient("127.0.0.1", port) as client:
            for number in ("1", "2"):
                read = hl7.parse(client.send_message(hl7.parse(adt(number).decode())).decode())
                said.append(f"{read.segment('MSA')[1]} {read.segment('MSA')[2]}")

    received = _serve(run, use)
    assert said == ["AA 1", "AA 2"]
    assert [adt("1"), adt("2")] == [message.raw for message in received]


@pytest.mark.peer
def test_a_message_of_twenty_megabytes_in_pieces_passes(run: Run) -> None:
    large = adt("1", text="x" * (20 * 2**20 - 200))

    def use(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(frame(large))
            assert b"MSA|AA|1" in sock.recv(4096)

    assert [large] == [message.raw for message in _serve(run, use)]


@pytest.mark.peer
def test_many_connections_are_served_at_the_same_time(run: Run) -> None:
    def use(port: int) -> None:
        lines = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(100)]
        for number, line in enumerate(lines):
            line.sendall(frame(adt(str(number)))[:-20])
        for number, line in enumerate(lines):
            line.sendall(frame(adt(str(number)))[-20:])
        for number, line in enumerate(lines):
            assert f"MSA|AA|{number}\r".encode() in line.recv(4096)
            line.close()

    assert len(_serve(run, use)) == 100


@pytest.mark.peer
def test_a_sender_that_never_waits_gets_every_answer_in_order(run: Run) -> None:
    count = 5000

    def use(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sending = threading.Thread(
                target=sock.sendall, args=(b"".join(frame(adt(str(number))) for number in range(count)),)
            )
            sending.start()
            answer = b""
            while answer.count(b"\x1c") < count:
                answer += sock.recv(65_536)
            sending.join()
        line = Line()
        line.write(answer)
        assert codes(line) == [f"AA {number}" for number in range(count)]

    assert len(_serve(run, use)) == count


@pytest.mark.peer
def test_a_sender_that_half_closes_reads_its_answers_and_then_the_end(run: Run) -> None:
    def use(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(frame(adt("1")) + b"\x0b" + adt("2"))
            sock.shutdown(socket.SHUT_WR)
            line = Line()
            while data := sock.recv(65_536):
                line.write(data)
        assert codes(line) == ["AA 1", "AA 2"]

    assert len(_serve(run, use)) == 2


@pytest.mark.peer
def test_the_door_speaks_tls(run: Run, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    theirs = ssl.create_default_context(cafile=str(certificate))

    def use(port: int) -> None:
        with MllpClient("localhost", port, timeout_s=30, tls=theirs) as client:
            assert parse_answers(client.exchange(adt("1"))) == [Answer("AA", "1", "")]
        with pytest.raises(Unanswered), MllpClient("127.0.0.1", port, timeout_s=30) as plain:
            plain.exchange(adt("2"))

    assert [message.raw for message in _serve(run, use, tls=ours)] == [adt("1")]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that signs itself; returns its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begun = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begun)
        .not_valid_after(begun + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "door.pem", folder / "door.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@pytest.mark.peer
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared public messages are not beside this checkout")
def test_every_public_file_is_answered_and_handed_on_byte_for_byte(run: Run) -> None:
    paths = sorted(SHARED.glob("hl7v2*/messages/**/*.hl7"))
    files = [path.read_bytes() for path in paths]

    def use(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            for path, content in zip(paths, files, strict=True):
                sock.sendall(frame(content))
                answer = b""
                while b"\x1c" not in answer:
                    answer += sock.recv(65_536)
                said = parse_answers(answer[1 : answer.index(b"\x1c")])
                assert {"AA"} | {one.code for one in said} <= {"AA", "CA"}, path.name
                assert len(re.findall(rb"(?:^|[\r\n])MSH\|", content)) == len(said), path.name

    received = b"".join(message.raw for message in _serve(run, use))
    assert all(content in received for content in files if content.startswith(b"MSH"))
