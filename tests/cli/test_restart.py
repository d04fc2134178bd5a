"""A restart that is killed, watched from a second console and decided about: real processes, a real kill -9."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.cli import main
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened

#: Whatever a test waits for comes sooner, even on a busy machine.
PATIENCE_S = 60.0

# Counts how often it ran; comes up when the file "go" is there, and not before.
SLOW = """
import pathlib, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
with open(folder / f"{name}.ran", "a") as ran:
    ran.write("x")
while not (folder / f"{name}.go").exists():
    time.sleep(0.02)
(folder / f"{name}.up").touch()
"""


class Centre:
    """An estate of programs that are slow until they are let go, and its consoles."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / "run"
        self.file = path / "estate.toml"
        self.consoles: list[subprocess.Popen[str]] = []
        (path / "slow.py").write_text(SLOW, "utf-8")
        self.file.write_text(
            '[[contact]]\nid = "anne"\nname = "Anne"\nphone = "01 40 00 00 01"\n'
            + self.unit("storage")
            + self.unit("db", "storage")
            + '[[unit]]\nid = "key"\nneeds = ["storage"]\nstart = {person = "anne", do = "turn the key"}\n',
            "utf-8",
        )

    def unit(self, name: str, *needs: str) -> str:
        up = self.path / f"{name}.up"
        return f"""
[[unit]]
id = "{name}"
needs = {list(needs)}
start = {{command = ["{sys.executable}", "{self.path}/slow.py", "{self.path}", "{name}"]}}
stop = {{command = ["rm", "{up}"]}}
probe = "command:test -f {up}"
duration = {{p50_s = 2, p90_s = 20}}
"""

    def console(self, *more: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "releve.cli", "restart", str(self.file), "--folder", str(self.run), *more]
        with (self.path / f"console{len(self.consoles)}").open("w") as said:
            console = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True)
        self.consoles.append(console)
        return console

    def said(self, number: int) -> str:
        return (self.path / f"console{number}").read_text("utf-8")

    def ran(self, name: str) -> int:
        counted = self.path / f"{name}.ran"
        return len(counted.read_text("utf-8")) if counted.exists() else 0

    def until(self, kind: str, unit: str = "") -> Happened:
        """Wait until a line stands in the journal."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in RecoveryFolder(self.run).journal():
                if (line.kind, line.unit) == (kind, unit):
                    return line
            assert all(one.poll() is None or one.returncode in (-9, 130) for one in self.consoles), self.said(
                len(self.consoles) - 1
            )
            time.sleep(0.02)
        raise AssertionError(f"no {kind} {unit}: {RecoveryFolder(self.run).journal()}")

    def go(self, name: str) -> None:
        (self.path / f"{name}.go").touch()

    def decide(self, *words: str) -> int:
        return main(["decide", str(self.run), *words])

    def end(self) -> None:
        for name in ("storage", "db"):
            self.go(name)
        for console in self.consoles:
            if console.poll() is None:
                console.kill()
            console.wait()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path)
    yield made
    made.end()


def test_a_killed_restart_goes_on_at_the_other_console_and_runs_no_command_twice(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    first = centre.console()
    centre.go("storage")
    centre.until("launched", "db")
    centre.until("asked", "key")
    assert centre.decide("done", "--unit", "key", "--by", "Anne", "--reason", "it turned") == 0
    assert centre.decide("done", "--unit", "key", "--by", "Bernard") == 1
    said = capsys.readouterr().out
    assert "Obeyed: done by Anne: it turned" in said
    assert "nobody is asked for it; Anne decided before" in said
    centre.until("up", "key")
    second = centre.console("--lang", "fr")
    deadline = time.monotonic() + PATIENCE_S
    while "Un autre processus" not in centre.said(1) and time.monotonic() < deadline:
        time.sleep(0.02)

    first.send_signal(signal.SIGKILL)
    first.wait()
    centre.until("run-resumed")
    assert centre.ran("db") == 1, "its start command still runs"
    centre.go("db")
    assert second.wait(PATIENCE_S) == 0, centre.said(1)
    assert (centre.ran("storage"), centre.ran("db")) == (1, 1)
    kinds = [(line.kind, line.unit) for line in RecoveryFolder(centre.run).journal()]
    assert kinds.count(("up", "key")) == kinds.count(("up", "db")) == kinds.count(("up", "storage")) == 1
    assert kinds[-1] == ("run-ended", "")
    assert "Le processus qui l’exécutait a disparu" in centre.said(1)
    assert "en service       db" in centre.said(1)


@pytest.mark.skipif("RELEVE_TORTURE" not in os.environ, reason="a minute of kills: make torture")
def test_killed_again_and_again_it_still_runs_every_command_once(centre: Centre) -> None:
    dice = random.Random(7)
    names = [f"s{index}" for index in range(24)]
    text = "".join(centre.unit(name, *(dice.sample(names[:index], min(index, 2)))) for index, name in enumerate(names))
    # A kill between a line and its command costs the whole time of that start: nobody can know that it did not run.
    centre.file.write_text(text.replace("duration", "up_within_s = 10\nduration"), "utf-8")
    for name in names:
        centre.go(name)
    (centre.path / "slow.py").write_text(SLOW.replace("while", "time.sleep(0.4)\nwhile"), "utf-8")
    kills = 0
    while kills < 200:
        console = centre.console("--no-wait")
        wanted = len(RecoveryFolder(centre.run).journal()) + dice.randint(1, 12)
        while console.poll() is None and len(RecoveryFolder(centre.run).journal()) < wanted:
            time.sleep(dice.uniform(0.0, 0.01))
        if console.poll() is not None:
            break
        console.send_signal(signal.SIGKILL)
        console.wait()
        kills += 1
    assert console.returncode == 0, centre.said(kills)
    assert {name: centre.ran(name) for name in names} == dict.fromkeys(names, 1)
    ups = [line.unit for line in RecoveryFolder(centre.run).journal() if line.kind in ("up", "already-up")]
    assert sorted(ups) == sorted(names)
    assert kills >= 5, kills


def test_a_command_that_ended_while_nobody_looked_is_not_run_again(centre: Centre) -> None:
    first = centre.console()
    centre.until("launched", "storage")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    centre.go("storage")
    centre.go("db")
    second = centre.console("--no-wait")
    assert second.wait(PATIENCE_S) == 1, "the key was not turned, and nobody was waited for"
    ended = RecoveryFolder(centre.run).journal()[-1]
    assert (ended.kind, ended.left) == ("run-ended", 1)
    assert (centre.ran("storage"), centre.ran("db")) == (1, 1)


def test_ctrl_c_cancels_what_has_not_begun_and_waits_for_what_runs(centre: Centre) -> None:
    console = centre.console("--by", "Anne")
    centre.until("launched", "storage")
    console.send_signal(signal.SIGINT)
    line = centre.until("cancelled")
    assert line.by == "Anne"
    centre.go("storage")
    assert console.wait(PATIENCE_S) == 1
    ended = RecoveryFolder(centre.run).journal()[-1]
    assert (ended.kind, ended.left) == ("run-ended", 2)
    assert centre.ran("db") == 0


def test_ctrl_c_twice_leaves_everything_as_it_is_for_whoever_goes_on(centre: Centre) -> None:
    console = centre.console("--by", "Anne")
    centre.until("launched", "storage")
    console.send_signal(signal.SIGINT)
    centre.until("cancelled")
    console.send_signal(signal.SIGINT)
    assert console.wait(PATIENCE_S) == 130
    centre.go("storage")
    centre.go("db")
    again = centre.console("--by", "Anne")
    centre.until("asked", "key")
    assert centre.decide("done", "--unit", "key", "--by", "Anne") == 0
    assert again.wait(PATIENCE_S) == 0, centre.said(1)
    assert (centre.ran("storage"), centre.ran("db")) == (1, 1)


def test_a_stop_takes_everything_down_and_the_folder_remembers_it(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("storage", "db"):
        (centre.path / f"{name}.up").touch()
    assert main(["stop", str(centre.file), "--folder", str(centre.run), "--yes"]) == 0
    lines = RecoveryFolder(centre.run).journal()
    assert [line.unit for line in lines if line.kind == "down"] == ["db", "storage"]
    assert "■ ended" in capsys.readouterr().out


def test_a_dry_run_says_what_would_be_executed_and_acts_on_nothing(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["restart", str(centre.file), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"[local] {sys.executable} {centre.path}/slow.py {centre.path} storage" in said
    assert "[person] Anne, 01 40 00 00 01: turn the key" in said
    assert centre.ran("storage") == 0
    assert not centre.run.exists()
    centre.file.write_text('[[unit]]\nid = "dns"\nstart = {command = ["/nowhere/at-all"]}\n', "utf-8")
    assert main(["restart", str(centre.file), "--dry-run"]) == 1
    assert "/nowhere/at-all is not on this machine" in capsys.readouterr().out


def test_a_decision_needs_a_run_a_name_and_what_it_is_about(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.run.mkdir()
    assert centre.decide("pause", "--by", "Anne") == 1
    assert centre.decide("skip", "--by", "Anne") == 2
    assert centre.decide("pause", "--unit", "db", "--by", "Anne") == 2
    assert centre.decide("pause", "--by", " ") == 2
    assert main(["decide", str(centre.path / "nowhere"), "pause", "--by", "Anne"]) == 2
    said = capsys.readouterr().err
    assert "no run is under way" in said
    assert "nothing was decided" in said
    assert not (centre.run / "decisions.jsonl").exists()


def test_a_decision_is_kept_for_the_run_that_was_killed(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RecoveryFolder(centre.run)
    folder.happened(Happened(1_722_643_200_000_000, "run-began", "", "x", act="restart"))
    assert centre.decide("pause", "--by", "Anne") == 0
    assert "Nobody carries the run out" in capsys.readouterr().out
    (decision,) = folder.decisions()
    assert (decision.verb, decision.by) == ("pause", "Anne")


def test_the_console_without_a_folder_keeps_a_journal_where_it_is_told(centre: Centre) -> None:
    centre.file.write_text('[[unit]]\nid = "dns"\nstart = {command = ["true"]}\n', "utf-8")
    journal = centre.path / "journal"
    assert main(["restart", str(centre.file), "--journal", str(journal)]) == 0
    assert json.loads(journal.read_text("utf-8").splitlines()[-1])["kind"] == "run-ended"


def test_a_host_gets_a_script_of_what_it_lets_us_do(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    key = centre.path / "id.pub"
    key.write_text("ssh-ed25519 AAAA releve\n", "utf-8")
    centre.file.write_text(
        '[[unit]]\nid = "dns"\n'
        'start = {ssh = "ssh://r@ns1", command = ["systemctl", "start", "it\'s"], key_file = "k"}\n',
        "utf-8",
    )
    assert main(["allow", str(centre.file), "ns1"]) == 0
    script = capsys.readouterr().out
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert main(["allow", str(centre.file), "ns1", "--key", str(key)]) == 0
    assert capsys.readouterr().out.endswith('",restrict ssh-ed25519 AAAA releve\n')
    assert main(["allow", str(centre.file), "ns2"]) == 1
