"""Public outages as estates: every one plans, those with a cycle by the break point that opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.estate import FEED, UPS
from releve.estate.outage import read_outage
from releve.recovery.plan import make_plan

OUTAGES = Path(__file__).resolve().parents[3] / "shared" / "data" / "outages"
CASES = [path for path in sorted(OUTAGES.glob("*.json")) if path.stem != "index"]


@pytest.mark.skipif(not CASES, reason="shared/data/outages is not beside this checkout")
def test_all_seventeen_can_be_planned() -> None:
    assert len(CASES) == 17


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_start_order_of_an_outage_holds(path: Path) -> None:
    estate = read_outage(path).estate
    plan = make_plan(estate)
    starts = {step.unit: step.start_s for step in plan.steps}
    ends = {step.unit: step.end_s for step in plan.steps}
    assert set(starts) == set(estate.units)
    assert all(ends[needed] <= starts[unit.id] for unit in estate.units.values() for needed in estate.first_needs(unit))
    assert all(starts[unit.id] == 0 for unit in estate.units.values() if unit.kind in (FEED, UPS) and not unit.needs)
