"""The guard against a real upsd with dummy-ups: a low battery, drivers that die, power that flaps, a kill -9."""

import asyncio
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recovery.probe.test_peers import UP_WITHIN_S, free_port, program
from releve.estate import Estate, load
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened
from releve.recovery.power.ask import ask_ups
from releve.recovery.power.memory import read_memory
from releve.recovery.power.reading import UpsReading

pytestmark = pytest.mark.peer

FEEDS = ("feed-a", "feed-b")


class Nut:
    """An upsd with a dummy-ups for each feed."""

    def __init__(self, folder: Path) -> None:
        upsd, driver = program("/lib/nut/upsd"), program("/lib/nut/dummy-ups")
        self.port = free_port()
        folder.mkdir()
        (folder / "nut.conf").write_text("MODE=netserver\n", "utf-8")
        (folder / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {self.port}\nMAXAGE 15\n", "utf-8")
        ups = "".join(f"[{one}]\n driver = dummy-ups\n port = {one}.dev\n mode = dummy-once\n" for one in FEEDS)
        (folder / "ups.conf").write_text(ups, "utf-8")
        for one in FEEDS:
            text = "ups.status: OL\nups.load: 40\nbattery.charge: 100\nbattery.runtime: 900\n"
            (folder / f"{one}.dev").write_text(text, "utf-8")
        (folder / "upsd.users").write_text("[t]\n password = p\n actions = SET\n instcmds = ALL\n", "utf-8")
        for path in folder.iterdir():
            path.chmod(0o600)
        env = {**os.environ, **{f"NUT_{name}PATH": str(folder) for name in ("CONF", "STATE", "PID")}}
        me = pwd.getpwuid(os.geteuid()).pw_name
        self._said = (folder / "said").open("ab")
        self.drivers = {one: self._start(env, driver, "-F", "-a", one, "-u", me) for one in FEEDS}
        self._server = self._start(env, upsd, "-F", "-u", me)

    def _start(self, env: dict[str, str], *argv: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said, start_new_session=True
        )

    def say(self, **variables: str) -> None:
        """Let both UPS say something else; names with _ for the dot."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as line, line.makefile("rw") as talk:
            for word in ("USERNAME t", "PASSWORD p", *self._words(variables)):
                talk.write(word + "\n")
                talk.flush()
                assert talk.readline().startswith("OK")

    @staticmethod
    def _words(variables: dict[str, str]) -> list[str]:
        return [f'SET VAR {one} {name.replace("_", ".")} "{v}"' for one in FEEDS for name, v in variables.items()]

    def end(self) -> None:
        for process in (*self.drivers.values(), self._server):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._said.close()


@pytest.fixture
def nut(tmp_path: Path) -> Iterator[Nut]:
    running = Nut(tmp_path / "nut")
    yield running
    running.end()


def until(found: Callable[[], bool], *, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until something is found; a little time passes between two looks."""
    deadline = time.monotonic() + UP_WITHIN_S
    while not found():
        assert time.monotonic() < deadline, "it never came"
        assert process is None or process.poll() is None, "the guard ended"
        threading.Event().wait(0.05)


def write_estate(tmp_path: Path, nut: Nut, rules: str = "") -> Path:
    """Two units on both feeds: files that stand for programs, which a stop takes away, the upper one slowly."""
    text = f"[battery]\nmargin_s = 1\nsteady_s = 1\ndata_lost_after_s = 1\n{rules}\n"
    for one in FEEDS:
        text += f'[[feed]]\nid = "{one}"\nprobe = "nut://127.0.0.1:{nut.port}/{one}"\n'
    for name, needs in (("storage", "[]"), ("record", '["storage"]')):
        path = tmp_path / name
        path.write_text("runs", "utf-8")
        stop = f"import pathlib,time; time.sleep(0.3); pathlib.Path({str(path)!r}).unlink(missing_ok=True)"
        text += f'[[unit]]\nid = "{name}"\nneeds = {needs}\nneeds_any = ["feed-a", "feed-b"]\n'
        text += f'probe = "command:/usr/bin/test -e {path}"\n'
        text += f"stop = {{command = {[sys.executable, '-c', stop]}}}\nstop_duration = {{p50_s = 1, p90_s = 2}}\n"
    file = tmp_path / "estate.toml"
    file.write_text(text, "utf-8")
    return file


def guard(tmp_path: Path, estate: Path) -> subprocess.Popen[bytes]:
    """Start a guard as a person would."""
    with (tmp_path / "guard.log").open("ab") as log:
        return subprocess.Popen(
            (
                *(sys.executable, "-m", "releve.cli", "guard", str(estate)),
                *("--folder", str(tmp_path / "recovery"), "--every", "0.2"),
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@pytest.fixture
def watched(tmp_path: Path, nut: Nut) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    estate = write_estate(tmp_path, nut)

    def begun() -> subprocess.Popen[bytes]:
        readings(load(estate), "OL")
        process = guard(tmp_path, estate)
        running.append(process)
        count = len(running)
        until(lambda: (tmp_path / "guard.log").read_text("utf-8").count("ready guard") == count, process=process)
        return process

    yield begun
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def readings(estate: Estate, flag: str) -> UpsReading:
    found: list[UpsReading] = []

    def look() -> bool:
        found[:] = [asyncio.run(ask_ups(estate.units[one])) for one in FEEDS]
        return all(flag in reading.flags for reading in found)

    until(look)
    return found[0]


def journal(tmp_path: Path) -> list[Happened]:
    return RecoveryFolder(tmp_path / "recovery").journal()


def kinds(tmp_path: Path) -> list[str]:
    return [line.kind for line in journal(tmp_path)]


def test_all_variables_of_a_real_upsd_are_read(tmp_path: Path, nut: Nut) -> None:
    estate = load(write_estate(tmp_path, nut))
    reading = readings(estate, "OL")
    assert (reading.charge, reading.runtime_s, reading.load, reading.is_on_battery) == (100, 900, 40, False)
    nut.say(battery_runtime="840", ups_status="OB DISCHRG LB")
    assert readings(estate, "LB").is_low
    os.killpg(nut.drivers["feed-a"].pid, signal.SIGKILL)
    nut.drivers["feed-a"].wait()
    until(lambda: asyncio.run(ask_ups(estate.units["feed-a"])).is_lost)
    assert asyncio.run(ask_ups(estate.units["feed-b"])).is_low


def test_a_low_battery_stops_everything_and_steady_power_says_what_is_next(
    tmp_path: Path, nut: Nut, watched: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = watched()
    nut.say(ups_status="OB LB")
    until(lambda: kinds(tmp_path).count("down") == 2, process=process)
    assert [line.unit for line in journal(tmp_path) if line.kind == "down"] == ["record", "storage"]
    assert not (tmp_path / "storage").exists()
    nut.say(ups_status="OL")
    until(lambda: kinds(tmp_path)[-1] == "power-back" and not journal(tmp_path)[-1].unit, process=process)
    assert "2 units were stopped clean; 0 were not" in journal(tmp_path)[-1].detail


def test_drivers_that_die_on_battery_count_as_low(
    tmp_path: Path, nut: Nut, watched: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = watched()
    nut.say(ups_status="OB DISCHRG")
    until(lambda: kinds(tmp_path).count("power-lost") == 2, process=process)
    assert "stop-decided" not in kinds(tmp_path), "900 s are left"
    for driver in nut.drivers.values():
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    until(lambda: kinds(tmp_path).count("down") == 2, process=process)
    reason = next(line.detail for line in journal(tmp_path) if line.kind == "stop-decided")
    assert "which counts as low" in reason


def test_power_that_comes_back_in_the_middle_and_a_kill_9_cancel_nothing(
    tmp_path: Path, nut: Nut, watched: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = watched()
    nut.say(ups_status="OB LB")
    until(lambda: read_memory(tmp_path / "recovery").is_stopping, process=process)
    process.kill()
    process.wait()
    nut.say(ups_status="OL")
    second = watched()
    until(lambda: not read_memory(tmp_path / "recovery").stops, process=second)
    assert not (tmp_path / "record").exists()
    assert not (tmp_path / "storage").exists()
    assert kinds(tmp_path).count("stop-decided") == 1
    assert "unclean" not in kinds(tmp_path)


def test_there_is_one_guard_of_a_folder(
    tmp_path: Path, nut: Nut, watched: Callable[[], subprocess.Popen[bytes]]
) -> None:
    watched()
    second = guard(tmp_path, tmp_path / "estate.toml")
    assert second.wait() == 2
    assert "another guard watches" in (tmp_path / "guard.log").read_text("utf-8")
