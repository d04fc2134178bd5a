"""Programs on this machine: no shell, nothing left behind, and known again by more than their number."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
from pathlib import Path

from releve.estate import Command, Estate
from releve.estate.model import Bilingual
from releve.recovery.driver import Carrier, Launched, Order
from releve.recovery.driver.local import Local, found_again
from releve.recovery.driver.process import find, identity, is_running, pid_of

NOWHERE = Estate(Bilingual("rien", "nothing"), "Europe/Paris", {}, {}, {})


async def launched(command: Command) -> Launched:
    return await Local(NOWHERE).carry_out(Order("db", "start", command))


def test_a_command_is_a_list_and_there_is_no_shell(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    came = asyncio.run(launched(Command(("echo", f"; touch {touched}"))))
    assert came.ok
    assert not touched.exists()


def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); open(sys.argv[1], 'w').write(str(p.pid))"
    command = Command((sys.executable, "-c", program + "; p.wait()", str(child)), timeout_s=1.5)
    came = asyncio.run(launched(command))
    assert came.detail.endswith("did not end within 1.5 s")
    try:
        gone = os.pidfd_open(int(child.read_text("utf-8")))
    except ProcessLookupError:
        return
    assert select.select([gone], [], [], 10)[0], "the child outlived its parent by ten seconds"
    os.close(gone)


def test_a_program_that_is_not_there_is_named() -> None:
    for stays in (False, True):
        came = asyncio.run(launched(Command(("/nowhere/at-all",), stays=stays)))
        assert (came.ok, came.detail) == (False, "/nowhere/at-all cannot be run: No such file or directory")


def test_a_failing_command_is_quoted() -> None:
    command = Command((sys.executable, "-c", "print('first'); print('disk is full'); raise SystemExit(7)"))
    assert asyncio.run(launched(command)).detail.endswith("ended with 7: disk is full")


def test_which_process_it_is_is_told_as_soon_as_it_runs() -> None:
    heard: list[str] = []
    sleeps = Command((sys.executable, "-c", "import time; time.sleep(600)"), stays=True)
    came = asyncio.run(Local(NOWHERE).carry_out(Order("db", "start", sleeps, began=heard.append)))
    (process,) = heard
    assert came.ok
    assert came.ended() is None
    assert is_running(process)
    again = found_again(process, None)
    assert again.ended() is None
    again.end()
    os.waitpid(pid_of(process), 0)
    assert again.ended() == "the program is not there any more"
    assert not is_running(process)


def test_a_number_that_was_given_again_is_not_taken_for_the_same_process() -> None:
    mine = identity(os.getpid())
    number, started, boot = mine.split("/")
    assert is_running(mine)
    assert not is_running(f"{number}/{int(started) - 1}/{boot}")
    assert not is_running(f"{number}/{started}/another")
    assert not is_running("")


def test_a_process_is_found_by_its_words_when_its_number_was_not_noted() -> None:
    words = (sys.executable, "-c", "import time; time.sleep(600)", f"releve-{os.getpid()}")
    came = asyncio.run(launched(Command(words, stays=True)))
    process = find(words, time.time() - 60)
    assert is_running(process)
    assert find(words, time.time() + 60) == "", "it was there before: another start"
    came.end()
    assert "SIGKILL" in (came.ended() or "") or os.waitpid(pid_of(process), 0)
    assert find(words, 0) == ""


def test_a_program_that_ended_says_how_as_often_as_it_is_asked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "print('no space left'); raise SystemExit(3)"
    came = asyncio.run(launched(Command((sys.executable, "-c", program), stays=True, log=str(log))))
    while came.ended() is None:
        pass
    assert [came.ended(), came.ended()] == ["the program ended with 3: no space left"] * 2


def test_what_the_estate_does_not_name_is_not_carried_out(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    came = asyncio.run(Carrier(NOWHERE)(Order("db", "start", Command(("touch", str(touched))))))
    assert came.detail == "the estate names no such command to start db; nothing was done"
    assert not touched.exists()
