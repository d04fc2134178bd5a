"""The evidence of an exercise: whole, marked, checkable by anybody, and an alteration is found."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from drill.scene import BEGAN_S, CENTRE, CUT, Play
from releve.cli import main
from releve.drill.chronogramme import Row, foreseen, observed, render_csv
from releve.drill.evidence import altered, digests
from releve.drill.words import WORDS
from releve.errors import WrongUse
from releve.estate import Estate


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("drill")
    (home / "centre.toml").write_text(CENTRE, "utf-8")
    (home / "cut.toml").write_text(CUT, "utf-8")
    folder = home / "evidence"
    words = ["drill", str(home / "centre.toml"), "--scenario", str(home / "cut.toml"), "--folder", str(folder)]
    assert main(words) == 0
    return folder


def test_the_folder_has_everything_that_an_auditor_asks_for(evidence: Path) -> None:
    files = set(digests(evidence))
    assert files >= {
        "manifest.json",
        "drill.json",
        "journal.jsonl",
        "decisions.jsonl",
        "forecasts.jsonl",
        "input/centre.toml",
        "input/scenario.toml",
        *(f"summary.{lang}.{form}" for lang in ("fr", "en") for form in ("html", "txt")),
        *(f"chronogramme.{lang}.{form}" for lang in ("fr", "en") for form in ("csv", "txt")),
    }
    assert any(name.startswith("reports/sitrep-0001") for name in files)
    assert (evidence / "input" / "centre.toml").read_text("utf-8") == CENTRE
    assert evidence.stat().st_mode & 0o077 == 0


def test_everything_that_people_read_says_that_it_is_an_exercise(evidence: Path) -> None:
    for path in evidence.rglob("*"):
        if path.suffix in (".html", ".txt", ".csv") and path.name != "index.html":
            assert "EXERCI" in path.read_text("utf-8"), path
    assert json.loads((evidence / "manifest.json").read_text())["exercise"] is True
    assert "EXERCICE" in (evidence / "journal.jsonl").read_text("utf-8")


def test_the_manifest_says_what_was_played_with_what(evidence: Path) -> None:
    manifest = json.loads((evidence / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"centre.toml", "scenario.toml"}
    assert re.fullmatch("[0-9a-f]{64}", manifest["inputs_sha256"])
    assert set(manifest["versions"]) == {"releve", "python", "system"}
    assert str(evidence.parent) not in (evidence / "manifest.json").read_text()


def test_an_alteration_is_found(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert altered(evidence) == []
    assert main(["drill", str(evidence), "--check"]) == 0
    journal = evidence / "journal.jsonl"
    before = journal.read_bytes()
    try:
        journal.write_bytes(before.replace(b"already-up", b"up", 1))
        (evidence / "more.txt").write_text("x")
        assert altered(evidence) == ["journal.jsonl", "more.txt"]
        assert main(["drill", str(evidence), "--check"]) == 1
        assert "journal.jsonl: not as it was" in capsys.readouterr().out
    finally:
        journal.write_bytes(before)
        (evidence / "more.txt").unlink()
    with pytest.raises(WrongUse, match="no SHA256SUMS"):
        altered(evidence.parent)


def test_the_json_scores_times_decisions_and_forecasts(evidence: Path) -> None:
    found = json.loads((evidence / "drill.json").read_text())
    marks = {one["mark"]: one["met"] for one in found["goals"]}
    # Exercise control had to answer both releases: that goal is not met by anybody.
    assert marks == {"declare": True, "forecast": True, "report": True, "decide": False, "ratio": True}
    assert found["decisions"]["questions"] == found["decisions"]["by_control"] == 2
    assert found["decisions"]["steps_by_hand"] == 1
    assert found["restart"]["makespan_s"] >= found["restart"]["lower_bound_s"] > 0
    assert found["forecasts"]["everything"]["settled"] > 10
    assert found["complete"]


def test_a_folder_that_holds_something_and_a_wrong_number_are_refused(
    evidence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    centre = str(evidence.parent / "centre.toml")
    assert main(["drill", centre, "--folder", str(evidence)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["drill", centre, "--factor", "0"]) == 2
    assert "--factor must be above 0" in capsys.readouterr().err


def test_the_chronogramme_begins_with_debex_and_ends_with_finex(play: Play, centre: Estate) -> None:
    exercise = play()
    scenario = exercise.scenario
    for lang in ("fr", "en"):
        for rows in (
            foreseen(centre, scenario, lang),
            observed(centre, scenario, exercise.played, exercise.journal, lang),
        ):
            table = list(csv.reader(io.StringIO(render_csv(rows, BEGAN_S * 10**6, centre.zone, lang)), delimiter=";"))
            assert (table[1][3], table[-1][3]) == ("DEBEX", "FINEX")
            assert table[1][1:3] == ["H+00:00", "03/08/2024 11:00:00"]
            assert [row[0] for row in table[1:]] == [str(number) for number in range(1, len(table))]
    falls = next(row for row in foreseen(centre, scenario, "fr") if "Tombe" in row.content)
    assert falls.content == "Tombe\u202f: Courant"


def test_no_cell_is_taken_for_a_formula() -> None:
    text = render_csv([Row(0.0, "INJECT", "=1+1", "", "@x")], BEGAN_S * 10**6, "Europe/Paris", "en")
    assert ";'=1+1;" in text
    assert ";'@x;" in text


def test_both_languages_have_the_same_words_and_blanks() -> None:
    assert list(WORDS["fr"]) == list(WORDS["en"])
    for key, text in WORDS["fr"].items():
        assert sorted(re.findall(r"\{\w+", text)) == sorted(re.findall(r"\{\w+", WORDS["en"][key])), key
        assert text.count("|") == WORDS["en"][key].count("|"), key


def test_the_demo_centre_is_drilled_and_its_chronogramme_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drill", "demo", "--chronogramme", str(tmp_path / "c.csv"), "--lang", "fr"]) == 0
    assert "DEBEX" in (tmp_path / "c.csv").read_text("utf-8")
    words = ["drill", "demo", "--minutes", "60", "--seed", "3", "--folder", str(tmp_path / "e"), "--lang", "fr"]
    assert main(words) == 0
    assert "Tout est revenu" in capsys.readouterr().out
