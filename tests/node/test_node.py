"""A whole node as a process: what is promised to whoever runs it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import hl7.client
import httpx
import pytest

from releve.bench.messages import Traffic, frame
from releve.bench.running import running_node
from releve.cli import main
from releve.doors.send import MllpClient, read_blocks, send_files
from releve.log import Ledger, decode_body
from releve.node.folder import make_folder
from releve.node.reception import unfinished
from releve.record import Views
from releve.wire.hl7v2 import parse, split_batch

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def _run(folder: Path, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "releve.cli", "run", str(folder)], capture_output=True, text=True, timeout=60, **more
    )


def _until_folded(folder: Path) -> Views:
    views, ledger = Views(folder), Ledger(folder)
    until = time.monotonic() + 60
    while unfinished(folder) or views.position() < ledger.last_pos():
        assert time.monotonic() < until, "the views did not follow the log"
        time.sleep(0.01)
    ledger.close()
    return views


def _listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_node_takes_a_message_and_shows_it(tmp_path: Path) -> None:
    message = Traffic(1, 10).admission(3, "A01")
    with running_node(tmp_path / "n") as node, MllpClient("127.0.0.1", node.mllp_port) as client:
        assert b"MSA|AA|1-1" in client.exchange(message)
        views = _until_folded(node.folder)
        assert [person.ipp for person in views.find("000000003")] == ["000000003"]
        assert views.wards()[0].occupied == 1
        views.close()
        health = httpx.get(f"http://127.0.0.1:{node.http_port}/healthz").json()
        assert (health["status"], health["log_position"]) == ("ok", 2)


def test_what_was_acknowledged_survives_kill_9_of_the_whole_group(tmp_path: Path) -> None:
    folder = tmp_path / "n"
    make_folder(folder, "H01", "", http="127.0.0.1:0", mllp="127.0.0.1:0")
    acknowledged = []
    for round_number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "releve.cli", "run", str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        port = int(process.stdout.readline().split("mllp://127.0.0.1:")[1].split()[0])
        with MllpClient("127.0.0.1", port) as client:
            for message in Traffic(round_number, 10).messages(40):
                assert b"MSA|AA|" in client.exchange(message)
                acknowledged.append(message)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with running_node(folder) as node:
        _until_folded(node.folder).close()
    ledger = Ledger(folder)
    kept = [decode_body(event.body).raw for event in ledger.every() if event.kind == "hl7v2"]
    ledger.close()
    assert kept == acknowledged
    assert main(["verify", str(folder)]) == 0


def test_no_post_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "n"
    make_folder(folder, "H01", "", http="127.0.0.1:0", mllp="127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-m", "releve.cli", "run", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().split("mllp://127.0.0.1:")[1].split()[0])
    assert _listening(port)
    process.kill()
    process.wait()
    process.stdout.close()
    until = time.monotonic() + 5
    while _listening(port):
        assert time.monotonic() < until, "a post still listens"
    with running_node(folder) as node:  # the lock and the ports are free again at once
        assert _listening(node.mllp_port)


@pytest.mark.parametrize("post", ["desk", "archive", "ward", "courier"])
def test_a_post_that_falls_is_started_again_and_its_callers_wait(tmp_path: Path, post: str) -> None:
    with running_node(tmp_path / "n") as node, MllpClient("127.0.0.1", node.mllp_port) as client:
        traffic = Traffic(1, 10)
        client.exchange(traffic.admission(1))
        (victim,) = [pid for name, pid in node.posts() if name == post]
        os.kill(victim, signal.SIGKILL)
        assert b"MSA|AA|" in client.exchange(traffic.admission(2))
        until = time.monotonic() + 20
        while victim in [pid for _, pid in node.posts()] or len(node.posts()) < 4:
            assert time.monotonic() < until, f"{post} was not started again"
            time.sleep(0.02)
        assert httpx.get(f"http://127.0.0.1:{node.http_port}/healthz", timeout=20).status_code == 200
        _until_folded(node.folder).close()


def test_a_busy_port_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        make_folder(tmp_path / "n", "H01", "", http="127.0.0.1:0", mllp=f"127.0.0.1:{port}")
        ended = _run(tmp_path / "n")
    assert ended.returncode == 2
    assert ended.stderr.strip().count("\n") == 0
    assert f"The mllp door cannot open 127.0.0.1:{port}: Address already in use" in ended.stderr


def test_a_second_node_in_one_folder_is_refused(tmp_path: Path) -> None:
    with running_node(tmp_path / "n") as node:
        ended = _run(node.folder)
    assert (ended.returncode, "A node already runs in" in ended.stderr) == (2, True)


def test_a_wrong_file_names_its_line_and_starts_nothing(tmp_path: Path) -> None:
    make_folder(tmp_path / "n", "H01", "")
    path = tmp_path / "n" / "node.toml"
    path.write_text(path.read_text().replace('listen = "127.0.0.1:2575"', "listen = 2575"))
    ended = _run(tmp_path / "n")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("listen = 2575"))
    assert ended.returncode == 2
    assert f"line {line}: [mllp] listen must be a text in quotes; found 2575" in ended.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = subprocess.run(
        [sys.executable, "-m", "releve.cli", "init", str(tmp_path / "file" / "n"), "--site", "H01"],
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, "cannot be written: Not a directory" in ended.stderr) == (2, True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be made here: mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_at_the_start_is_one_sentence_and_exit_code_2(tiny_disk: Path) -> None:
    make_folder(tiny_disk / "n", "H01", "", http="127.0.0.1:0", mllp="127.0.0.1:0")
    with (tiny_disk / "ballast").open("wb") as ballast:
        _fill(ballast.fileno())
    ended = _run(tiny_disk / "n")
    assert ended.returncode == 2
    assert "full" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_disk_that_fills_up_gives_ae_and_loses_nothing_that_was_acknowledged(tiny_disk: Path) -> None:
    folder = tiny_disk / "n"
    acknowledged, refused = [], 0
    with running_node(folder) as node, MllpClient("127.0.0.1", node.mllp_port) as client:
        ballast = (tiny_disk / "ballast").open("wb")
        ballast.write(bytes(18_000_000))
        ballast.flush()
        for message in Traffic(1, 500).messages(6000):
            answer = client.exchange(message)
            if b"MSA|AE|" in answer:
                assert b"disk of this node is full" in answer
                refused += 1
                if refused == 3:
                    break
            else:
                acknowledged.append(message)
        assert refused == 3
        ballast.close()
        (tiny_disk / "ballast").unlink()
        late = Traffic(2, 500).admission(1)
        assert b"MSA|AA|" in client.exchange(late)  # space again: the same node goes on
    ledger = Ledger(folder)
    kept = [decode_body(event.body).raw for event in ledger.every() if event.kind == "hl7v2"]
    ledger.close()
    assert kept == [*acknowledged, late]


def _fill(descriptor: int) -> None:
    for size in (65_536, 4096, 512, 1):
        try:
            while True:
                os.write(descriptor, bytes(size))
        except OSError:
            continue


@pytest.mark.peer
def test_python_hl7s_own_client_sends_to_a_node(tmp_path: Path) -> None:
    with running_node(tmp_path / "n") as node:
        with hl7.client.MLLPClient("127.0.0.1", node.mllp_port) as client:
            answer = client.send_message(hl7.parse(Traffic(1, 10).admission(3, "A01").decode()))
        assert b"MSA|AA|1-1" in answer
        _until_folded(node.folder).close()


def test_hostile_bytes_get_their_refusal_and_the_next_message_is_served(tmp_path: Path) -> None:
    good = Traffic(1, 10).admission(3, "A01")
    with running_node(tmp_path / "n") as node, socket.create_connection(("127.0.0.1", node.mllp_port)) as sock:
        for hostile in (b"\x00\xff\xfe", b"GET / HTTP/1.1", b"MSH", b"PID|1||42", b"{}"):
            sock.sendall(frame(hostile))
            answer = sock.recv(65_536)
            assert b"MSA|AR|" in answer
            assert b"ERR|" in answer
        sock.sendall(frame(good))
        assert b"MSA|AA|" in sock.recv(65_536)


def test_every_public_message_is_acknowledged_and_kept_byte_for_byte(tmp_path: Path) -> None:
    paths = sorted([*(SHARED / "hl7v2").rglob("*.hl7"), *(SHARED / "hl7v2-edge").rglob("*.hl7")])
    paths = [path for path in paths if not path.name.endswith(".expected.hl7")]
    if not paths:
        pytest.skip("shared/data/hl7v2 is not here")
    sent = [message for path in paths for block in read_blocks(path) for message in _messages(block)]
    with running_node(tmp_path / "n") as node:
        tally = send_files("127.0.0.1", node.mllp_port, paths)
        assert (tally.refused, tally.unanswered, tally.accepted) == (0, 0, len(sent))
        views = _until_folded(node.folder)
        ledger = Ledger(node.folder)
        kept, understood = Counter(), Counter()
        for event in ledger.every():
            body = decode_body(event.body)
            if event.kind == "hl7v2":
                kept[body.raw or ledger.blob(body.raw_sha256)] += 1
                understood[(body.source["type"].split("^")[0], body.understood)] += 1
        assert set(kept) == set(sent)
        assert max(kept.values()) <= max(Counter(sent).values())
        for kind in ("ADT", "ORU"):
            assert understood[kind, True] > 0.5 * (understood[kind, True] + understood[kind, False])
        waiting = views.kept_not_understood(1000)
        assert all(row.reason for row in waiting)
        assert sum(row.count for row in views.counts_not_understood()) >= len(waiting) > 100
        views.close()
        ledger.close()
    assert main(["verify", str(node.folder)]) == 0


def _messages(block: bytes) -> list[bytes]:
    batch = split_batch(block)
    messages = batch.messages if batch else [block]
    assert all(parse(message).raw == message for message in messages)
    return messages
