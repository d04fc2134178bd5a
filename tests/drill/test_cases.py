"""Every public outage that is known to us can be drilled: as it was, and on an estate of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drill.scene import BEGAN_S
from releve.drill.assessment import assess
from releve.drill.exercise import Exercise
from releve.drill.scenario import Scenario, from_case, from_case_on
from releve.estate import Estate
from releve.estate.outage import OutageCase, read_outage
from releve.recovery.folder import RecoveryFolder

OUTAGES = Path(__file__).resolve().parents[3] / "shared" / "data" / "outages"
CASES = sorted(path for path in OUTAGES.glob("*.json") if path.stem != "index")
US = 1_000_000

CASE = {
    "id": "cut",
    "title": "A cut",
    "t0": "2024-08-03T11:00+02:00 (approx.)",
    "services": [
        {"id": "power", "tier": 0, "up_by_min": 210},
        {"id": "network", "tier": 0, "up_by_min": 300},
        {"id": "record", "tier": 1, "up_by_min": 400},
        {"id": "pay", "tier": 4, "up_after_min": 1000},
        {"id": "emergency", "tier": 0, "unaffected": True},
    ],
    "dependencies": [["network", "power"], ["record", "network"], ["pay", "network"]],
    "timeline_min": [[-20, "a feed is taken out for work"], [0, "dark"], [210, "power is back"]],
    "published_forecasts": [{"issued_min": 60, "text": "back by three", "predicted_min": 240, "outcome": "missed"}],
    "expected_cycles": [],
}


def play(estate: Estate, scenario: Scenario, folder: Path) -> Exercise:
    began = scenario.begins_at if scenario.begins_at is not None else BEGAN_S * US
    exercise = Exercise(estate, scenario, RecoveryFolder(folder), began, on_report=lambda _: None, forecast_runs=10)
    exercise.play()
    return exercise


@pytest.fixture
def case(tmp_path: Path) -> OutageCase:
    path = tmp_path / "cut.json"
    path.write_text(json.dumps(CASE), "utf-8")
    return read_outage(path)


@pytest.mark.skipif(not CASES, reason="shared/data/outages is not beside this checkout")
def test_there_are_seventeen_cases_to_drill() -> None:
    assert len(CASES) == 17


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_of_an_outage_is_drillable(path: Path, tmp_path: Path) -> None:
    outage = read_outage(path)
    scenario = from_case(outage)
    exercise = play(outage.estate, scenario, tmp_path / "exercise")
    assert exercise.played.left == ()
    assert not exercise.world.down_s
    assert exercise.forecasts
    found = assess(outage.estate, scenario, exercise.played, exercise.journal, exercise.forecasts)
    assert found.is_complete
    assert len(found.announced) == len(outage.forecasts)


def test_what_came_back_by_when_is_kept_to_the_minute(case: OutageCase, tmp_path: Path) -> None:
    exercise = play(case.estate, from_case(case), tmp_path / "exercise")
    ups = {line.unit: (line.at - BEGAN_S * US) / US / 60 for line in exercise.journal if line.kind == "up"}
    assert ups["network"] == pytest.approx(300)
    assert ups["record"] == pytest.approx(400)
    assert ups["pay"] > 1000
    assert "emergency" not in ups
    assert exercise.played.moments.began == (BEGAN_S - 20 * 60) * US
    assert exercise.played.moments.lost == BEGAN_S * US
    assert exercise.played.moments.seen_by == "people"


def test_a_past_outage_is_played_on_an_estate_of_ones_own(case: OutageCase, centre: Estate, tmp_path: Path) -> None:
    scenario = from_case_on(case, centre)
    exercise = play(centre, scenario, tmp_path / "exercise")
    assert exercise.played.left == ()
    power = [(line.kind, (line.at - exercise.played.moments.began) / US / 60) for line in exercise.journal[:30]]
    power = [one for one in power if one[0].startswith("power-")]
    assert power == [("power-lost", 20.0), ("power-back", 230.0)]
    ups = {line.unit: (line.at - exercise.played.moments.began) / US / 60 for line in exercise.journal}
    assert ups["record"] >= 420
