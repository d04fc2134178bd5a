"""Cycles: units that wait for themselves. Found as sets, and told as a sentence: "dns needs storage needs dns".

Source: Tarjan, "Depth-first search and linear graph algorithms" (1972), with a stack of our own instead of recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from releve.estate.model import Unit

Needs = Mapping[str, Iterable[str]]


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


def can_never_start(units: Mapping[str, Unit]) -> list[str]:
    """Return the units that no order can start, in the order of the file; empty when there is an order."""
    up: set[str] = set()
    waiting = dict(units)
    while True:
        ready = [
            name
            for name, unit in waiting.items()
            if all(one in up for one in unit.hard())
            and (not unit.needs_any or any(one in up for one in unit.needs_any))
        ]
        if not ready:
            return list(waiting)
        up.update(ready)
        for name in ready:
            del waiting[name]


def name_a_cycle(units: Mapping[str, Unit]) -> list[str] | None:
    """Return one cycle as a walk that ends where it began, [dns, storage, dns], or None when there is none."""
    stuck = set(can_never_start(units))
    if not stuck:
        return None
    # Whoever is stuck waits for another that is stuck, so this walk must meet itself.
    walk = [next(name for name in units if name in stuck)]
    while walk[-1] not in walk[:-1]:
        unit = units[walk[-1]]
        walk.append(next(one for one in (*unit.hard(), *unit.needs_any) if one in stuck))
    return walk[walk.index(walk[-1]) :]
