"""Seventeen public outages as estates: every one loads, and every cycle it had is found, named and opened."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.errors import WrongUse
from releve.estate import can_never_start, demanded_breaks, load, load_unproved, strongly_connected
from releve.estate.outage import ASSUMED, read_outage

OUTAGES = Path(__file__).resolve().parents[3] / "shared" / "data" / "outages"
CASES = sorted(path for path in OUTAGES.glob("*.json") if path.stem != "index")

CASE: dict[str, Any] = {
    "id": "cut",
    "title": "A cut",
    "services": [
        {"id": "power", "tier": 0, "up_by_min": 10},
        {"id": "dns", "tier": 0},
        {"id": "record", "tier": 1, "up_by_min": 40},
        {"id": "emergency", "tier": 1, "unaffected": True},
    ],
    "dependencies": [["dns", "power"], ["record", "power"], ["dns", "record"]],
    "capacity": [{"resource": "crew", "used_by": ["record"], "note": "two people"}],
    "timeline_min": [[0, "dark"]],
    "expected_cycles": [],
}


def needs_of(case: dict[str, Any]) -> dict[str, list[str]]:
    needs: dict[str, list[str]] = {service["id"]: [] for service in case["services"]}
    for needing, needed in case["dependencies"]:
        needs[needing].append(needed)
    return needs


def write(folder: Path, case: object) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(case), "utf-8")
    return path


@pytest.mark.skipif(not CASES, reason="shared/data/outages is not beside this checkout")
def test_there_are_seventeen_cases() -> None:
    assert len(CASES) == 17


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_case_of_an_outage_becomes_an_estate_that_can_start(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    outage = read_outage(path)
    assert set(outage.estate.units) == {service["id"] for service in case["services"]}
    assert can_never_start(outage.estate.units, outage.estate.breaks) == []
    assert {needing: set(unit.needs) for needing, unit in outage.estate.units.items()} == {
        needing: set(needed) for needing, needed in needs_of(case).items()
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_cycle_of_an_outage_is_found_and_opened_by_a_break_point_of_its_own(path: Path, tmp_path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    cycles = [sorted(members) for members in case["expected_cycles"]]
    outage = read_outage(path)
    assert strongly_connected(needs_of(case)) == sorted(cycles)
    assert sorted(sorted(members) for members in outage.cycles) == sorted(cycles)
    assert all(any({one.unit, one.without} <= set(members) for one in outage.estate.breaks) for members in cycles)
    file = tmp_path / "estate.toml"
    file.write_text(outage.text.partition("[[break]]")[0], "utf-8")
    if not cycles:
        load(file)
        return
    with pytest.raises(WrongUse) as caught:
        load(file)
    named = caught.value.sentence.split(": ", 1)[1].split(".")[0].split(" needs ")
    assert caught.value.code == "estate.cycle"
    assert named[0] == named[-1]
    assert sorted(set(named)) in cycles
    assert all(target in needs_of(case)[source] for source, target in pairwise(named))
    demands = demanded_breaks(load_unproved(file).units)
    assert [sorted(set(demand.walk)) for demand in demands] == cycles


def test_a_case_says_by_when_and_the_duration_is_read_from_that(tmp_path: Path) -> None:
    outage = read_outage(write(tmp_path, CASE))
    units = outage.estate.units
    assert (units["power"].kind, units["power"].start) == ("feed", None)
    assert units["record"].duration is not None
    assert units["record"].duration.p90_s == 30 * 60, "from the power at 10 to the record at 40"
    assert units["dns"].duration == ASSUMED
    assert dict(units["record"].uses) == {"crew": 1}
    assert outage.up_by_min == {"power": 10, "record": 40}
    assert outage.unaffected == {"emergency"}
    assert outage.timeline == ((0, "dark"),)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dependencies": [["dns", "moon"]]}, "names 'moon', which is none of its services"),
        ({"expected_cycles": [["dns", "record"]]}, "expects the cycles [['dns', 'record']]; found []"),
        ({"services": []}, "must have services"),
        ({"services": "none"}, "is no case of an outage"),
        ({"services": [{"id": "a b", "tier": 0}]}, "is no case of an outage"),
        ({"services": [{"id": "a", "tier": 0}] * 2, "dependencies": [], "capacity": []}, "an id of their own"),
    ],
)
def test_a_wrong_case_is_refused_by_what_is_wrong(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongUse) as caught:
        read_outage(write(tmp_path, CASE | change))
    assert says in caught.value.sentence


@given(
    identity=st.text(min_size=1, max_size=20),
    words=st.text(max_size=300),
    minute=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_words_in_a_case_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, identity: str, words: str, minute: float | None
) -> None:
    service = {"id": identity, "tier": 1, "note": words, "up_by_min": minute}
    case = {"id": "x", "title": words, "services": [service], "dependencies": []}
    path = write(tmp_path_factory.mktemp("case"), case)
    try:
        outage = read_outage(path)
    except WrongUse:
        return
    assert list(outage.estate.units) == [identity]
