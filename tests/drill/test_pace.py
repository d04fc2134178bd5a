"""Decisions typed at a console, and time that passes faster than on the wall."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from releve.drill.pace import Live, parse_decision
from releve.estate import Estate
from releve.recovery.folder import Decision, RecoveryFolder


def test_a_line_at_the_console_is_a_decision(centre: Estate) -> None:
    found = parse_decision("release record H01 checked by the ward\n", centre, by="Dr Alice", at=7)
    assert (found.verb, found.unit, found.hospital, found.reason, found.by, found.at) == (
        "release",
        "record",
        "H01",
        "checked by the ward",
        "Dr Alice",
        7,
    )
    paused = parse_decision("pause we call the director", centre, by="Dr Alice", at=7)
    assert (paused.verb, paused.unit, paused.reason) == ("pause", "", "we call the director")


@pytest.mark.parametrize(
    ("line", "says"), [("shout\n", "expected one of pause"), ("skip nothing", "skip needs a unit"), ("skip", "a unit")]
)
def test_a_line_that_means_nothing_says_what_was_expected(centre: Estate, line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_decision(line, centre, by="Dr Alice", at=0)


def test_time_passes_faster_and_decisions_of_others_are_found(centre: Estate, tmp_path: Path) -> None:
    folder = RecoveryFolder(tmp_path)
    live = Live(centre, folder, 0, speed=1e6, by="Dr Alice", on_wrong=print)
    assert live.until(1000.0) == []
    folder.decide(Decision("d1", 0, "pause", "Dr Bob"))
    folder.decide(Decision("exercise-00001", 0, "done", "exercise control", unit="door"))
    [(at_s, found)] = live.until(1e12)
    assert at_s >= 1000.0
    assert found.id == "d1"
    assert live.until(at_s) == []


def test_a_wrong_line_is_told_and_a_right_one_goes_into_the_folder(centre: Estate, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"shout\nskip mail no disk\n")
    os.close(writing)
    wrong: list[str] = []
    folder = RecoveryFolder(tmp_path)
    with os.fdopen(reading, encoding="utf-8") as typed:
        console = io.TextIOWrapper(typed.buffer, line_buffering=True)
        live = Live(centre, folder, 0, speed=1.0, by="Dr Alice", on_wrong=wrong.append, console=console)
        [(_, found)] = live.until(1e9)
    assert (found.verb, found.unit, found.by) == ("skip", "mail", "Dr Alice")
    assert len(wrong) == 1
    assert folder.decisions() == [found]
