"""Cycles as sets, on graphs of any shape."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from releve.estate import strongly_connected

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
