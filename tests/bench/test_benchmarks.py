"""The benchmarks run, small: they measure something on every side. How much is never asserted here."""

import json
from pathlib import Path

import pytest

from releve.cli import main


@pytest.mark.peer
def test_intake_measures_all_four_sides(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ["bench", "intake", "--messages", "300", "--rounds", "1", "--folder", str(tmp_path / "b")]
    assert main([*words, "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    (rates,) = figures["rounds"]
    assert set(rates) == {"python_hl7", "limit", "one", "many"}
    assert all(rate > 0 for rate in rates.values())
    assert figures["ratio_one_to_limit"] == pytest.approx(rates["one"] / rates["limit"])


def test_chart_measures_empty_full_and_busy(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ["bench", "chart", "--patients", "40", "--results", "1600", "--requests", "60"]
    assert main([*words, "--folder", str(tmp_path / "b"), "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert figures["ratio_p50"] == pytest.approx(figures["full_p50_ms"] / figures["empty_p50_ms"])
    assert figures["intake_meanwhile_per_s"] > 0
    assert figures["page_bytes"] > 1000
