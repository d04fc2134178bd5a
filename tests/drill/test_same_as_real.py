"""The simulated exercise and the real run tell the same story of the same restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery.stage import Stage
from releve.drill.exercise import Exercise
from releve.drill.scenario import read_scenario
from releve.estate import load
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened

CENTRE = """
[[capacity]]
id = "crew"
amount = 1

[[feed]]
id = "power"
probe = "tcp://power:1"

[[unit]]
id = "database"
needs = ["power"]
uses = {crew = 1}
tries = 2
duration = {p50_s = 100, p90_s = 100.1}
start = {command = ["x"]}
check = {command = ["x"]}
check_duration = {p50_s = 30, p90_s = 30.1}
probe = "tcp://database:1"
up_within_s = 4000

[[service]]
id = "record"
tier = 1
needs = ["database"]
uses = {crew = 1}
duration = {p50_s = 200, p90_s = 200.1}
start = {command = ["x"]}
probe = "tcp://record:1"
up_within_s = 4000

[[service]]
id = "mail"
tier = 3
needs = ["power"]
uses = {crew = 1}
duration = {p50_s = 300, p90_s = 300.1}
start = {command = ["x"]}
probe = "tcp://mail:1"
up_within_s = 4000
"""

SCENARIO = """
[[inject]]
at_min = 0
falls = ["power"]

[[inject]]
at_min = 10
returns = ["power"]
"""

#: What both must tell, in the same order; what only one of them knows (processes, plans made anew) is left out.
TOLD = ("start-began", "try-failed", "failed", "blocked", "up", "already-up", "check-began", "checked", "run-began")


def story(journal: list[Happened]) -> list[str]:
    return [f"{line.kind} {line.unit}".strip() for line in journal if line.kind in TOLD]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_the_same_restart_reads_the_same_in_both_journals(failing: int, tmp_path: Path) -> None:
    (tmp_path / "centre.toml").write_text(CENTRE, "utf-8")
    failure = f'\n[[failure]]\nunit = "database"\ntries = {failing}\n' if failing else ""
    # A failure for good is never retried here: nobody is there, and the run ends without it.
    cancel = '\n[[decision]]\nverb = "cancel"\nby = "Anne"\nat_min = 40\n' if failing == 2 else ""
    (tmp_path / "scenario.toml").write_text(SCENARIO + failure + cancel, "utf-8")
    estate = load(tmp_path / "centre.toml")
    scenario = read_scenario(tmp_path / "scenario.toml", estate)
    exercise = Exercise(
        estate, scenario, RecoveryFolder(tmp_path / "exercise"), 0, on_report=lambda _: None, forecast_runs=2
    )
    exercise.play()

    takes_s = {"database": 100.0, "record": 200.0, "mail": 300.0}
    stage = Stage(estate, up={"power"}, takes_s=takes_s, fails={"database": failing})
    stage.play(waits=False)
    simulated, real = story(exercise.journal), story(stage.journal)
    if failing == 2:
        simulated = simulated[: len(real)]
    assert simulated == real
    assert "up mail" in real
