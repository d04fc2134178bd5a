"""releve estate and releve impact, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from releve.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "estate.example.toml"
CYCLE = '[[unit]]\nid = "a"\nneeds = ["b"]\n[[unit]]\nid = "b"\nneeds = ["a"]\n'


def test_an_estate_with_nothing_grave_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estate", "check", str(EXAMPLE), "--lang", "fr"]) == 0
    assert "0 grave(s)" in capsys.readouterr().out


def test_a_cycle_ends_with_1_and_is_named_in_text_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, verdict = tmp_path / "estate.toml", tmp_path / "findings.json"
    file.write_text(CYCLE, "utf-8")
    assert main(["estate", "check", str(file), "--json", str(verdict)]) == 1
    assert "Cycle: a needs b needs a." in capsys.readouterr().out
    assert json.loads(verdict.read_text())["findings"][0]["kind"] == "cycle"
    assert main(["estate", "check", str(file), "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["grave"] == 1


def test_a_wrong_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estate", "check", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_what_falls_is_told_and_an_unknown_unit_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["impact", str(EXAMPLE), "storage-a", "--lang", "fr"]) == 0
    assert "1. Dossier patient — tous les hôpitaux (2)" in capsys.readouterr().out
    assert main(["impact", str(EXAMPLE), "room:salle-1", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["fell"] == ["feed-a", "ups-a", "core"]
    assert main(["impact", str(EXAMPLE), "storage"]) == 2
    assert "near to it: storage-a" in capsys.readouterr().err


def test_the_picture_and_a_draft_go_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estate", "picture", str(EXAMPLE), "--lang", "fr"]) == 0
    assert capsys.readouterr().out.startswith("<svg ")
    inventory = tmp_path / "hosts"
    inventory.write_text("[db]\ndb1\n", "utf-8")
    assert main(["estate", "import", "ansible", str(inventory)]) == 0
    assert '[[host]]\nid = "db1"' in capsys.readouterr().out
