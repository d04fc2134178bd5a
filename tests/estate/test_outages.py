"""Seventeen public outages as estates: every one loads and plans, or is refused for the cycle it had."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from releve.errors import WrongUse
from releve.estate import can_never_start, load, strongly_connected

OUTAGES = Path(__file__).resolve().parents[3] / "shared" / "data" / "outages"
CASES = sorted(path for path in OUTAGES.glob("*.json") if path.stem != "index")


def as_toml(case: dict[str, Any]) -> str:
    """Write a case as the estate file that a person would have written before it."""
    lines = ["[estate]", f"name = {json.dumps(case['title'])}"]
    used: dict[str, list[str]] = {}
    for capacity in case["capacity"]:
        lines += ["[[capacity]]", f'id = "{capacity["resource"]}"', f"amount = {capacity.get('amount', 1)}"]
        for user in capacity.get("used_by", ()):
            used.setdefault(user, []).append(capacity["resource"])
    for service in case["services"]:
        needs = [needed for needing, needed in case["dependencies"] if needing == service["id"]]
        uses = ", ".join(f"{resource} = 1" for resource in used.get(service["id"], ()))
        lines += ["[[service]]", f'id = "{service["id"]}"', f"tier = {service['tier']}"]
        lines += [f"needs = {json.dumps(needs)}", f"uses = {{{uses}}}"]
    return "\n".join(lines) + "\n"


def needs_of(case: dict[str, Any]) -> dict[str, list[str]]:
    needs: dict[str, list[str]] = {service["id"]: [] for service in case["services"]}
    for needing, needed in case["dependencies"]:
        needs[needing].append(needed)
    return needs


@pytest.mark.skipif(not CASES, reason="shared/data/outages is not beside this checkout")
def test_there_are_seventeen_cases() -> None:
    assert len(CASES) == 17


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_cycle_of_an_outage_is_found(path: Path, tmp_path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    cycles = case["expected_cycles"]
    assert strongly_connected(needs_of(case)) == sorted(cycles)
    file = tmp_path / "estate.toml"
    file.write_text(as_toml(case), "utf-8")
    if not cycles:
        estate = load(file)
        assert set(estate.units) == {service["id"] for service in case["services"]}
        assert can_never_start(estate.units) == []
        return
    with pytest.raises(WrongUse) as caught:
        load(file)
    named = caught.value.sentence.split(": ", 1)[1].split(".")[0].split(" needs ")
    assert caught.value.code == "estate.cycle"
    assert named[0] == named[-1]
    assert sorted(set(named)) in cycles
    assert all(target in needs_of(case)[source] for source, target in pairwise(named))
