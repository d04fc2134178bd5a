"""A way to play on the small centre."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drill.scene import CENTRE, CUT, Play
from releve.drill.exercise import Exercise
from releve.drill.pace import Pace
from releve.drill.scenario import Scenario, read_scenario
from releve.estate import Estate, load
from releve.recovery.folder import RecoveryFolder


@pytest.fixture
def centre(tmp_path: Path) -> Estate:
    path = tmp_path / "centre.toml"
    path.write_text(CENTRE, "utf-8")
    return load(path)


@pytest.fixture
def scenario_of(centre: Estate, tmp_path: Path) -> Callable[[str], Scenario]:
    def made(text: str) -> Scenario:
        path = tmp_path / "scenario.toml"
        path.write_text(text, "utf-8")
        return read_scenario(path, centre)

    return made


@pytest.fixture
def play(centre: Estate, scenario_of: Callable[[str], Scenario], tmp_path: Path) -> Play:
    """Play the cut with more added to it, and return the exercise when it has ended."""

    def played(more: str = "", *, cut: str = CUT, pace: Pace | None = None, folder: str = "exercise") -> Exercise:
        scenario = scenario_of(cut + more)
        assert scenario.begins_at is not None
        exercise = Exercise(
            centre,
            scenario,
            RecoveryFolder(tmp_path / folder),
            scenario.begins_at,
            on_report=lambda _: None,
            pace=pace,
            forecast_runs=8,
        )
        exercise.play()
        return exercise

    return played
