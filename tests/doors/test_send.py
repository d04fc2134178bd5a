"""Sending by MLLP: against a scripted receiver on a real socket, and against our own door."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.doors.mllp import MllpDoor
from releve.doors.send import (
    ACCEPTED,
    REFUSED,
    UNANSWERED,
    MllpClient,
    Sent,
    Unanswered,
    Unreachable,
    read_blocks,
    send_files,
)
from releve.errors import StoreUnable, WrongUse
from releve.wire.hl7v2 import Deframer, Message, frame, parse
from releve.wire.hl7v2.framing import Block

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def adt(control_id: str, text: str = "") -> bytes:
    return f"MSH|^~\\&|LAB|H07|||20240803||ADT^A01|{control_id}|P|2.5\rPID|1|{text}\r".encode()


def ack(control_id: str, code: str = "AA", text: str = "") -> bytes:
    return f"MSH|^~\\&|||||||ACK|R1|P|2.5\rMSA|{code}|{control_id}|{text}\r".encode()


def control_id(content: bytes) -> str:
    return parse(content).control_id


Script = Callable[[bytes], Sequence[bytes] | None]
"""Message → blocks that answer it; None hangs up instead."""


@contextmanager
def receiver(*scripts: Script) -> Iterator[tuple[int, list[bytes]]]:
    """Accept one connection after the other, each with its script; yields (port, everything that was received)."""
    received: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(20)

    def answer(sock: socket.socket, script: Script) -> None:
        deframer = Deframer()
        while data := sock.recv(65_536):
            for block in deframer.feed(data):
                assert isinstance(block, Block)
                received.append(block.content)
                answers = script(block.content)
                if answers is None:
                    return
                sock.sendall(b"".join(map(frame, answers)))

    def listen() -> None:
        for script in scripts:
            sock, _ = listening.accept()
            with sock:
                answer(sock, script)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listening.getsockname()[1], received
    finally:
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


def accept(content: bytes) -> list[bytes]:
    return [ack(control_id(content))]


def test_an_answer_belongs_to_its_message_by_control_id_and_not_by_place() -> None:
    late = [ack("0"), ack("1", "AE", "late"), ack("2")]
    scripted = receiver(lambda content: late if control_id(content) == "2" else accept(content))
    with scripted as (port, _), MllpClient("127.0.0.1", port, timeout_s=20) as client:
        assert client.exchange(adt("1")) == ack("1")
        assert client.exchange(adt("2")) == ack("2")


def test_after_a_timeout_the_line_is_closed_before_the_next_message() -> None:
    with receiver(lambda _: [], accept) as (port, received):
        with MllpClient("127.0.0.1", port, timeout_s=0.05) as client:
            with pytest.raises(Unanswered, match=r"no answer within 0\.05 s") as refusal:
                client.exchange(adt("1"))
            assert refusal.value.code == "mllp.timeout"
        with MllpClient("127.0.0.1", port, timeout_s=20) as client:
            assert ack("2") == client.exchange(adt("2"))
    assert [adt("1"), adt("2")] == received


def test_a_line_that_the_receiver_closed_meanwhile_is_opened_anew_and_the_message_sent_once_more() -> None:
    def once(content: bytes) -> list[bytes] | None:
        return accept(content) if control_id(content) == "1" else None

    with receiver(once, accept) as (port, received), MllpClient("127.0.0.1", port, timeout_s=20) as client:
        client.exchange(adt("1"))
        assert ack("2") == client.exchange(adt("2"))
        client.close()
    assert [control_id(content) for content in received] == ["1", "2", "2"]


def test_a_receiver_that_hangs_up_on_a_new_line_is_not_asked_again() -> None:
    with (
        receiver(lambda _: None) as (port, received),
        MllpClient("127.0.0.1", port, timeout_s=20) as client,
        pytest.raises(Unanswered, match=r"127\.0\.0\.1"),
    ):
        client.exchange(adt("1"))
    assert len(received) == 1


def test_nobody_there_is_said_and_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with MllpClient("127.0.0.1", port, timeout_s=5) as client, pytest.raises(Unreachable, match="nothing was sent"):
        client.exchange(adt("1"))


@pytest.mark.parametrize("content", [adt(""), b"no HL7"])
def test_a_message_without_control_id_takes_the_answer_that_comes(content: bytes) -> None:
    with receiver(lambda _: [ack("", "AR", "no")]) as (port, _), MllpClient("127.0.0.1", port, timeout_s=20) as client:
        assert client.exchange(content) == ack("", "AR", "no")


@pytest.mark.parametrize(
    ("stored", "blocks"),
    [
        (b"MSH|^~\\&|A\rPID|1\n2\r", [b"MSH|^~\\&|A\rPID|1\n2\r"]),
        (b"MSH|^~\\&|A\nPID|1\n", [b"MSH|^~\\&|A\rPID|1\r"]),
        (b"MSH|^~\\&|A\r\nPID|1\r\n", [b"MSH|^~\\&|A\rPID|1\r"]),
        (frame(adt("1")) + frame(adt("2")), [adt("1"), adt("2")]),
        (adt("1") + adt("2"), [adt("1"), adt("2")]),
        (b"BHS|^~\\&|\r" + adt("1") + adt("2") + b"BTS|2\r", [b"BHS|^~\\&|\r" + adt("1") + adt("2") + b"BTS|2\r"]),
        (b"anything", [b"anything"]),
    ],
)
def test_a_file_holds_blocks(tmp_path: Path, stored: bytes, blocks: list[bytes]) -> None:
    path = tmp_path / "a.hl7"
    path.write_bytes(stored)
    assert blocks == list(read_blocks(path))


def _files(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{number}.hl7" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_each_message_of_each_file_gets_its_outcome(tmp_path: Path) -> None:
    paths = _files(tmp_path, adt("1"), b"BHS|^~\\&|\r" + adt("2") + adt("3") + adt("4") + b"BTS|3\r", adt("5"))
    seen: list[Sent] = []

    def script(content: bytes) -> list[bytes]:
        if content.startswith(b"BHS"):
            return [b"BHS|^~\\&|\r" + ack("2") + ack("3", "AE", "full") + b"BTS|2\r"]
        return [ack(control_id(content), "AR" if control_id(content) == "5" else "CA", "why")]

    with receiver(script) as (port, _):
        tally = send_files("127.0.0.1", port, paths, timeout_s=20, print_progress=seen.append)
    assert tally.sent == seen
    assert [(one.control_id, one.outcome, one.code, one.sentence) for one in seen] == [
        ("1", ACCEPTED, "CA", ""),
        ("2", ACCEPTED, "AA", ""),
        ("3", REFUSED, "AE", "full"),
        ("4", UNANSWERED, "", "The batch was answered, this message of it not."),
        ("5", REFUSED, "AR", "why"),
    ]
    assert (tally.accepted, tally.refused, tally.unanswered) == (2, 2, 1)


def test_a_single_answer_to_a_batch_speaks_for_all_of_it(tmp_path: Path) -> None:
    paths = _files(tmp_path, b"BHS|^~\\&|A||||||||B7\r" + adt("1") + adt("2") + b"BTS|2\r")
    with receiver(lambda _: [ack("B7")]) as (port, _):
        assert send_files("127.0.0.1", port, paths, timeout_s=20).accepted == 2


def test_the_files_after_an_unanswered_one_are_sent(tmp_path: Path) -> None:
    paths = _files(tmp_path, adt("1"), adt("2"))
    with receiver(lambda _: None, accept) as (port, _):
        tally = send_files("127.0.0.1", port, paths, timeout_s=20)
    assert [one.outcome for one in tally.sent] == [UNANSWERED, ACCEPTED]


def test_when_nobody_is_there_the_rest_is_not_tried(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tally = send_files("127.0.0.1", port, _files(tmp_path, adt("1"), adt("2")), timeout_s=5)
    assert [one.outcome for one in tally.sent] == [UNANSWERED, UNANSWERED]
    assert "cannot be reached" in tally.sent[1].sentence


def test_a_file_that_cannot_be_read_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    [there] = _files(tmp_path, adt("1"))
    empty = tmp_path / "empty.hl7"
    empty.touch()
    for path, says in ((tmp_path / "absent.hl7", "cannot be read"), (tmp_path, "cannot be read"), (empty, "is empty")):
        with pytest.raises(WrongUse, match=says):
            send_files("127.0.0.1", 1, [there, path])


def _send_to_door(paths: list[Path], outcome: object = "kept") -> tuple[list[Sent], list[Message]]:
    received: list[Message] = []
    sent: list[Sent] = []

    async def play() -> None:
        door = MllpDoor(
            lambda message, peer, done: (received.append(message), done(outcome))[0],
            lambda raw, peer, why, done: done(outcome),
        )
        with socket.create_server(("127.0.0.1", 0)) as listening:
            await door.serve(listening)
            port = listening.getsockname()[1]
            await asyncio.to_thread(send_files, "127.0.0.1", port, paths, timeout_s=30, print_progress=sent.append)
            await door.close()

    asyncio.run(play())
    return sent, received


def test_our_own_door_refuses_with_its_sentence(tmp_path: Path) -> None:
    full = StoreUnable("log.disk-full", "The disk of this node is full; nothing was kept.")
    sent, _ = _send_to_door(_files(tmp_path, adt("1"), b"no HL7"), full)
    assert [(REFUSED, "AE", full.sentence), (REFUSED, "AR", sent[1].sentence)] == [
        (one.outcome, one.code, one.sentence) for one in sent
    ]
    assert "expected MSH" in sent[1].sentence


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared public messages are not beside this checkout")
def test_every_public_message_is_accepted() -> None:
    paths = sorted(SHARED.glob("hl7v2*/messages/**/*.hl7"))
    sent, received = _send_to_door(paths)
    assert {ACCEPTED} == {one.outcome for one in sent}
    assert len(received) == len(sent) >= len(paths)
