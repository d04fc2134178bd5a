"""Cycles: units that wait for themselves. Found as sets, and told as a sentence: "dns needs storage needs dns".

A cycle is accepted when a declared break point opens it: a unit that can come up once without one of its needs.

Source: Tarjan, "Depth-first search and linear graph algorithms" (1972), with a stack of our own instead of recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from releve.estate.model import Bilingual, BreakPoint, Unit

Needs = Mapping[str, Iterable[str]]

#: So many places of a cycle are tried for its break point, those one would rather open first.
CANDIDATES_MAX = 24


def strongly_connected(needs: Needs) -> list[list[str]]:
    """Return every set of two or more that wait for each other, and every one that waits for itself; ids sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in needs:
        if root in index:
            continue
        work = [(root, iter(tuple(needs.get(root, ()))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(tuple(needs.get(other, ())))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    members, stack[at:] = stack[at:], []
                    on_stack.difference_update(members)
                    if len(members) > 1 or node in needs.get(node, ()):
                        found.append(sorted(members))
    return sorted(found)


def can_never_start(units: Mapping[str, Unit], breaks: Iterable[BreakPoint] = ()) -> list[str]:
    """Return the units that no order can start, in the order of the file; empty when there is an order.

    breaks  declared ways out of cycles: what they name is not waited for
    """
    first = first_needs(units, breaks)
    waits = {name: len(first[name]) + bool(unit.needs_any) for name, unit in units.items()}
    hard: dict[str, list[str]] = {name: [] for name in units}
    choice: dict[str, list[str]] = {name: [] for name in units}
    for name, unit in units.items():
        for one in first[name]:
            hard[one].append(name)
        for one in dict.fromkeys(unit.needs_any):
            choice[one].append(name)
    ready = [name for name, count in waits.items() if count == 0]
    chosen: set[str] = set()
    up: set[str] = set()
    while ready:
        one = ready.pop()
        up.add(one)
        met = [*hard[one], *(name for name in choice[one] if name not in chosen)]
        chosen.update(choice[one])
        for name in met:
            waits[name] -= 1
            if waits[name] == 0:
                ready.append(name)
    return [name for name in units if name not in up]


def first_needs(units: Mapping[str, Unit], breaks: Iterable[BreakPoint] = ()) -> dict[str, tuple[str, ...]]:
    """Return what each unit waits for at its first start, the choices of needs_any left out."""
    taken = {(one.unit, one.without) for one in breaks}
    return {
        name: tuple(one for one in unit.hard() if not taken or (name, one) not in taken) for name, unit in units.items()
    }


def name_a_cycle(units: Mapping[str, Unit], breaks: Iterable[BreakPoint] = ()) -> list[str] | None:
    """Return one cycle as a walk that ends where it began, [dns, storage, dns], or None when there is none."""
    breaks = tuple(breaks)
    stuck = set(can_never_start(units, breaks))
    if not stuck:
        return None
    first = first_needs(units, breaks)
    # Whoever is stuck waits for another that is stuck, so this walk must meet itself.
    place = {next(name for name in units if name in stuck): 0}
    walk = list(place)
    while True:
        unit = units[walk[-1]]
        following = next(one for one in (*first[unit.id], *unit.needs_any) if one in stuck)
        walk.append(following)
        if following in place:
            return walk[place[following] :]
        place[following] = len(walk) - 1


@dataclass(frozen=True, slots=True)
class Demand:
    """A cycle that nothing opens yet, and where a break point would.

    walk           the cycle, ending where it began
    unit, without  the break point that is proposed: this unit would come up once without that need; "" where only
                   choices (needs_any) close the circle, which no break point can open
    """

    walk: tuple[str, ...]
    unit: str
    without: str


def demanded_breaks(units: Mapping[str, Unit], breaks: Iterable[BreakPoint] = ()) -> list[Demand]:
    """Return one demand after another until everything could start; empty when everything can.

    Each names the cycle that is met next when the proposals before it are taken up.
    """
    declared = tuple(breaks)
    stuck = dict.fromkeys(can_never_start(units, declared))
    first = first_needs(units, declared)
    waits = {name: [one for one in (*first[name], *units[name].needs_any) if one in stuck] for name in stuck}
    place = {name: number for number, name in enumerate(stuck)}
    demands: list[Demand] = []
    for members in sorted(strongly_connected(waits), key=lambda members: min(place[name] for name in members)):
        demands += _demanded_in({name: units[name] for name in sorted(members, key=place.__getitem__)}, declared)
    return demands


def _demanded_in(circle: Mapping[str, Unit], breaks: tuple[BreakPoint, ...]) -> list[Demand]:
    """Return the demands of units that all wait for each other, as if everything else were up."""
    units = {name: _within(unit, circle) for name, unit in circle.items()}
    declared = list(breaks)
    demands: list[Demand] = []
    while (walk := name_a_cycle(units, declared)) is not None:
        first = first_needs(units, declared)
        candidates = [(one, other) for one, other in pairwise(walk) if other in first[one]]
        if not candidates:
            demands.append(Demand(tuple(walk), "", ""))
            break
        candidates.sort(key=lambda edge: (edge[1] in units[edge[0]].needs, units[edge[0]].tier))
        unit, without = min(candidates[:CANDIDATES_MAX], key=lambda edge: _cost(units, declared, edge))
        demands.append(Demand(tuple(walk), unit, without))
        declared.append(BreakPoint(unit, without, Bilingual("", "")))
    return demands


def _within(unit: Unit, circle: Mapping[str, Unit]) -> Unit:
    return replace(
        unit,
        needs=tuple(one for one in unit.needs if one in circle),
        start_needs=tuple(one for one in unit.start_needs if one in circle),
        needs_any=unit.needs_any if all(one in circle for one in unit.needs_any) else (),
    )


def _cost(units: Mapping[str, Unit], declared: list[BreakPoint], edge: tuple[str, str]) -> tuple[int, bool, int]:
    """Return how little one would like this break: what stays stuck, then needs of every hour, then what care sees."""
    unit, without = edge
    opened = [*declared, BreakPoint(unit, without, Bilingual("", ""))]
    return len(can_never_start(units, opened)), without in units[unit].needs, units[unit].tier
