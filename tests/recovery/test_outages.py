"""Public outages without a cycle: each becomes an estate that plans, and whose plan the independent checker passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from releve.estate import Estate
from releve.recovery.plan import make_plan

EstateOf = Callable[[str], Estate]

OUTAGES = Path(__file__).resolve().parents[3] / "shared" / "data" / "outages"
CASES = [
    path
    for path in sorted(OUTAGES.glob("*.json"))
    if path.stem != "index" and not json.loads(path.read_text("utf-8"))["expected_cycles"]
]


@pytest.mark.skipif(not CASES, reason="shared/data/outages is not beside this checkout")
def test_thirteen_of_the_seventeen_can_be_planned() -> None:
    assert len(CASES) == 13


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_start_order_of_an_outage_holds(path: Path, estate_of: EstateOf) -> None:
    case = json.loads(path.read_text("utf-8"))
    text = ""
    for service in case["services"]:
        needs = [needed for needing, needed in case["dependencies"] if needing == service["id"]]
        text += f'[[service]]\nid = "{service["id"]}"\ntier = {service["tier"]}\nneeds = {json.dumps(needs)}\n'
        text += 'duration = {p50_s = 60, p90_s = 120}\nstart = {command = ["x"]}\n'
    plan = make_plan(estate_of(text))
    starts = {step.unit: step.start_s for step in plan.steps}
    ends = {step.unit: step.end_s for step in plan.steps}
    assert set(starts) == {service["id"] for service in case["services"]}
    assert all(ends[needed] <= starts[needing] for needing, needed in case["dependencies"])
    assert plan.makespan_s == plan.bound.least_s, "nothing is short here, so the chain of needs is all that counts"
