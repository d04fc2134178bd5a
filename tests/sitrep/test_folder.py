"""The folder: numbered, whole or not at all, superseded ones kept."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from releve.errors import Refused, StoreUnable
from releve.sitrep import SituationReport, earlier_forecasts, edition_of, next_number, render_text, write

Moments = dict[str, SituationReport]


def test_reports_lie_beside_each_other_and_the_newest_is_in_force(tmp_path: Path, moments: Moments) -> None:
    folder = tmp_path / "reports"
    assert next_number(folder) == 1
    for report in moments.values():
        assert next_number(folder) == report.number
        written = write(report, folder)
        assert written.text["fr"].read_text("utf-8") == render_text(edition_of(report), "fr")
    names = {path.name for path in folder.iterdir()}
    assert {
        f"sitrep-000{n}.{form}" for n in range(1, 5) for form in ("fr.html", "en.html", "fr.txt", "en.txt", "json")
    } < names
    assert names == {name for name in names if not name.startswith(".")}, "no draft is left behind"
    entries = orjson.loads((folder / "index.json").read_bytes())
    assert [entry["number"] for entry in entries] == ["4", "3", "2", "1"]
    index = (folder / "index.html").read_text("utf-8")
    assert index.count("en vigueur") == 1
    assert index.index("sitrep-0004.fr.html") < index.index("en vigueur") < index.index("sitrep-0003.fr.html")


def test_a_number_is_never_written_twice(tmp_path: Path, moments: Moments) -> None:
    before = write(moments["cut"], tmp_path).html["fr"].read_bytes()
    with pytest.raises(Refused, match="has a situation report 2 already"):
        write(moments["cut"], tmp_path)
    assert (tmp_path / "sitrep-0002.fr.html").read_bytes() == before


def test_published_forecasts_are_read_back_as_they_were(tmp_path: Path, moments: Moments) -> None:
    for name in ("cut", "restart", "back"):
        write(moments[name], tmp_path)
    assert earlier_forecasts(tmp_path) == (moments["cut"].forecast, moments["restart"].forecast)


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path, moments: Moments) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreUnable, match="could not be written to"):
        write(moments["cut"], tmp_path / "file" / "reports")


def test_a_number_counts_only_when_its_report_is_whole(tmp_path: Path, moments: Moments) -> None:
    (tmp_path / "sitrep-0002.fr.html").write_text("half", "utf-8")
    assert next_number(tmp_path) == 1
    write(moments["cut"], tmp_path)
    assert next_number(tmp_path) == 3
