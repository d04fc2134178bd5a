"""Scripted cuts: where the plan says that there is time, everything is down before the battery is empty."""

import json
from pathlib import Path

from releve.bench import battery
from releve.cli import main


def test_wherever_the_plan_says_so_everything_is_down_before_the_battery_is_empty(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert main(["bench", "battery", "--cuts", "20", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert figures["failures"] == []
    assert figures["cuts"] == 20
    assert figures["could"] > 5
    assert figures["could_clean"] == figures["could"]


def test_the_same_seed_gives_the_same_cuts() -> None:
    assert battery.measure(5, 7) == battery.measure(5, 7)


def test_a_cut_that_was_not_clean_although_the_plan_said_so_is_named_and_is_no_success() -> None:
    figures = battery.Figures(cuts=1, could=1, could_clean=0, failures=["cut 0"])
    assert not figures.ok
    assert "NOT CLEAN although the plan said so: cut 0" in battery.report(figures)
