"""The demo's night as an exercise: real programs are killed, and the evidence is of the same kind."""

import json
import os
from pathlib import Path

import pytest

from releve.cli import main


def test_only_the_programs_of_the_demo_are_ever_stopped_for_real(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drill", str(tmp_path / "estate.toml"), "--real"]) == 2
    assert "Nothing was started" in capsys.readouterr().err


@pytest.mark.peer
@pytest.mark.skipif(os.environ.get("RELEVE_TORTURE") != "1", reason="a whole night more: RELEVE_TORTURE=1")
def test_a_night_is_played_and_becomes_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "evidence"
    assert main(["drill", "demo", "--real", "--short", "--hospitals", "1", "--folder", str(folder)]) == 0
    assert "real programs stopped and restarted" in capsys.readouterr().out
    assert main(["drill", str(folder), "--check"]) == 0
    found = json.loads((folder / "drill.json").read_bytes())
    assert found["complete"]
    assert found["restart"]["makespan_s"] >= found["restart"]["lower_bound_s"] * 0.99 > 0
    assert found["unclean"] >= 2
    assert found["reports"] == 3
    assert found["forecasts"]["everything"]["settled"] > 10
    assert {one["mark"]: one["met"] for one in found["goals"]}["declare"]
    assert json.loads((folder / "manifest.json").read_bytes())["real"] is True
