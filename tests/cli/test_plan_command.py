"""releve plan as somebody types it: text, JSON, the stop, another hour, an unclean stop, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from releve.cli import main

EXAMPLE = str(Path(__file__).resolve().parents[2] / "docs" / "estate.example.toml")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["plan", EXAMPLE, *words]) == 0
    return capsys.readouterr().out


def test_the_plan_names_gates_people_and_what_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--lang", "fr", "--at", "2024-08-03T22:30", "--unclean", "all")
    for part in (
        "contrôle d’intégrité",
        "remise aux soins",
        "est sollicité pour",
        "2024-08-03 22:30",
        "Chemin critique",
    ):
        assert part in text
    assert "{" not in text


def test_without_an_unclean_stop_nothing_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert "integrity check" not in said(capsys, "--at", "2024-08-03T22:30")


def test_the_stop_takes_down_first_what_stands_on_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--stop")
    assert "as soon as record is down" in text
    order = [step["unit"] for step in json.loads(said(capsys, "--stop", "--json"))["steps"]]
    assert order.index("record") < order.index("hosts") < order.index("storage-a") < order.index("feed-a")


def test_a_program_reads_the_same_plan(capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads(said(capsys, "--json", "--at", "2024-08-03T22:30"))
    assert plan["at"].startswith("2024-08-03T20:30")
    assert plan["ratio"] >= 1
    releases = [step for step in plan["steps"] if step["act"] == "release"]
    assert releases
    assert all(step["asks"] for step in releases)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["--at", "tonight"], "--at must be a date and a time"), (["--unclean", "nowhere"], "no unit of this estate")],
)
def test_what_cannot_be_understood_is_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", EXAMPLE, *words]) == 2
    assert sentence in capsys.readouterr().err
