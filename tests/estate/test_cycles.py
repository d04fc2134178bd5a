"""Cycles as sets, on graphs of any shape, and the break points they ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.estate import (
    Bilingual,
    BreakPoint,
    Estate,
    can_never_start,
    demanded_breaks,
    load_unproved,
    strongly_connected,
)

NODES = st.sampled_from("abcdefg")


def reaches(needs: dict[str, list[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(needs[start])
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(needs[node])
    return seen


@given(st.lists(st.tuples(NODES, NODES), max_size=20))
def test_the_sets_are_exactly_those_that_reach_each_other(edges: list[tuple[str, str]]) -> None:
    needs: dict[str, list[str]] = {node: [] for node in "abcdefg"}
    for source, target in edges:
        needs[source].append(target)
    expected = {
        tuple(sorted({node} | {other for other in reaches(needs, node) if node in reaches(needs, other)}))
        for node in needs
        if node in reaches(needs, node)
    }
    assert {tuple(members) for members in strongly_connected(needs)} == expected


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    length = 5_000
    needs = {str(number): [str(number + 1)] for number in range(length)} | {str(length): []}
    assert strongly_connected(needs) == []


def units_of(text: str, folder: Path) -> Estate:
    path = folder / "estate.toml"
    path.write_text(text, "utf-8")
    return load_unproved(path)


TWO_CYCLES = """
[[unit]]
id = "dns"
needs = ["storage"]
[[unit]]
id = "storage"
start_needs = ["dns"]
[[unit]]
id = "directory"
tier = 1
needs = ["hypervisor", "dns"]
[[unit]]
id = "hypervisor"
needs = ["directory"]
"""


def test_every_cycle_is_demanded_a_break_point_and_not_only_the_first(tmp_path: Path) -> None:
    demands = demanded_breaks(units_of(TWO_CYCLES, tmp_path).units)
    assert [set(demand.walk) for demand in demands] == [{"dns", "storage"}, {"directory", "hypervisor"}]
    assert [(demand.unit, demand.without) for demand in demands] == [
        ("storage", "dns"),
        ("hypervisor", "directory"),
    ], "a need to start only is opened before a need of every hour, and what stands lower before what stands higher"


def test_a_declared_break_point_opens_its_cycle(tmp_path: Path) -> None:
    estate = units_of(TWO_CYCLES + '[[break]]\nunit = "storage"\nwithout = "dns"\nhow = "hosts file"\n', tmp_path)
    assert can_never_start(estate.units, estate.breaks) == ["directory", "hypervisor"]
    assert [set(demand.walk) for demand in demanded_breaks(estate.units, estate.breaks)] == [
        {"directory", "hypervisor"}
    ]


def test_a_circle_of_choices_has_no_break_point_to_propose(tmp_path: Path) -> None:
    text = '[[unit]]\nid = "a"\nneeds_any = ["b"]\n[[unit]]\nid = "b"\nneeds_any = ["a"]\n'
    demands = demanded_breaks(units_of(text, tmp_path).units)
    assert [(demand.unit, demand.without) for demand in demands] == [("", "")]


@given(st.lists(st.tuples(NODES, NODES, st.sampled_from(["needs", "start_needs", "needs_any"])), max_size=16))
def test_the_demanded_break_points_are_enough(
    tmp_path_factory: pytest.TempPathFactory, edges: list[tuple[str, str, str]]
) -> None:
    text = ""
    for node in "abcdefg":
        text += f'[[unit]]\nid = "{node}"\n'
        for key in ("needs", "start_needs", "needs_any"):
            text += f"{key} = {[to for source, to, how in edges if (source, how) == (node, key) and to != node]}\n"
    estate = units_of(text, tmp_path_factory.mktemp("cycles"))
    demands = demanded_breaks(estate.units)
    breaks = [BreakPoint(one.unit, one.without, Bilingual("", "")) for one in demands if one.unit]
    assert bool(can_never_start(estate.units, breaks)) == any(not one.unit for one in demands)
