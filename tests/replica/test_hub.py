"""A hub as a process: it starts, says so, refuses in one sentence, takes up sites, and takes its server with it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from releve.clock import to_datetime, wall_us
from releve.errors import Refused, WrongUse
from releve.replica.access import read_request
from releve.replica.depot import connected
from releve.replica.enrolment import enrol, expel, open_epoch
from releve.replica.hub import SERVER_VARIABLE, Hub, find_server
from releve.replica.names import Channel, inbox

from .scene import WAIT_S, RunningHub, eventually, group, needs_server

pytestmark = [pytest.mark.peer, needs_server]

PROGRAM = """
import asyncio, sys
from pathlib import Path
from releve.replica.hub import run_hub
asyncio.run(run_hub(Path(sys.argv[1]), "127.0.0.1", 0, lambda url: print("ready", url, flush=True)))
"""


def launch(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a hub as a process of its own and return it with the port it listens on."""
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True)
    assert program.stdout
    line = program.stdout.readline()
    assert line.startswith("ready tls://127.0.0.1:"), line
    return program, int(line.rpartition(":")[2])


def is_open(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def closes(port: int) -> bool:
    until = time.monotonic() + WAIT_S
    while is_open(port) and time.monotonic() < until:
        pass
    return not is_open(port)


def listening_ports(pid: int) -> set[int]:
    """Return the TCP ports that a process listens on, from /proc."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and parts[9] in sockets:
                ports.add(int(parts[1].rpartition(":")[2], 16))
    return ports


def test_a_hub_stops_cleanly_on_sigterm(tmp_path: Path) -> None:
    program, port = launch(tmp_path / "hub")
    program.send_signal(signal.SIGTERM)
    assert program.wait(WAIT_S) == 0
    assert program.stdout
    program.stdout.close()
    assert not is_open(port)


def test_a_hub_that_is_killed_takes_its_server_with_it_and_starts_again(tmp_path: Path) -> None:
    program, port = launch(tmp_path / "hub")
    program.kill()
    program.wait(WAIT_S)
    assert program.stdout
    program.stdout.close()
    assert closes(port)
    program, _ = launch(tmp_path / "hub")
    program.terminate()
    assert program.wait(WAIT_S) == 0
    program.stdout.close() if program.stdout else None


def test_a_busy_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WrongUse, match=f"cannot listen on 127.0.0.1:{port}") as refusal:
            asyncio.run(Hub(tmp_path / "hub", "127.0.0.1", port).run(lambda _: None))
    assert refusal.value.exit_code == 2


def test_a_second_hub_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async def night() -> None:
        hub = RunningHub(tmp_path / "hub")
        await hub.start()
        with pytest.raises(WrongUse, match="already running"):
            await Hub(tmp_path / "hub", "127.0.0.1", 0).run(lambda _: None)
        await hub.stop()

    asyncio.run(night())


def test_a_named_server_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(WrongUse, match="no nats-server at"):
        find_server()


def test_a_server_that_ends_at_once_is_refused_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho the disk has gone >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv(SERVER_VARIABLE, str(broken))
    with pytest.raises(Refused, match="the disk has gone"):
        asyncio.run(Hub(tmp_path / "hub", "127.0.0.1", 0).run(lambda _: None))


def test_a_hub_opens_one_port_and_no_other(tmp_path: Path) -> None:
    async def night() -> None:
        hub = RunningHub(tmp_path / "hub")
        await hub.start()
        assert listening_ports(hub.server_pid) == {hub.port}
        await hub.stop()

    asyncio.run(night())


def test_the_server_carries_the_permissions_of_38_sites_and_their_epochs(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="") as scene:
            sites = [scene.hospital(f"H{n:02}") for n in range(1, 39)]
            scene.enrol(*sites)
            hub = scene.hubs["A"]
            for site in ("H03", "H38"):
                assert open_epoch(hub.folder, site, 2)
            await hub.stop()
            await hub.start()
            access = sites[37].accesses()[0]
            async with connected(access.url, access.tls(), access.nkey_seed, inbox("H38"), "H38") as depot:
                for _ in range(200):
                    if await depot.info(Channel("H38", 2, "site").stream):
                        break
                    await asyncio.sleep(0.05)
                assert await depot.fetch(Channel("H03", 2, "group").stream, 1) == []
                assert depot.refusals == []

    asyncio.run(night())


def test_a_site_shut_out_is_cut_and_the_others_are_not(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            first.write(3)
            await scene.settled()
            expel(scene.hubs["A"].folder, "H02")
            await eventually(lambda: not second.replica.states()[0].is_connected, "the other is cut")
            assert first.replica
            assert first.replica.states()[0].is_connected
            first.write(3)
            await eventually(lambda: first.replica.states()[0].owed == 0, "the first goes on")
            await eventually(lambda: "uthorization" in second.replica.states()[0].reason, "the reason is told")

    asyncio.run(night())


def test_a_new_invitation_ends_the_force_of_the_old_one(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            first = scene.hospitals["H01"]
            await eventually(lambda: first.replica.states()[0].is_connected, "it is in")
            enrol(scene.hubs["A"].folder, [read_request(first.folder / "keys/request.json")], at=to_datetime(wall_us()))
            await eventually(lambda: not first.replica.states()[0].is_connected, "it is out")

    asyncio.run(night())
