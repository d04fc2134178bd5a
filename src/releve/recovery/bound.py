"""Lower bounds: no order whatever can be faster. A plan without one beside it says nothing about how good it is.

Two bounds, of which the larger counts: the longest chain of needs, and for each capacity an *energy* bound: what must
pass through it, after the shortest way to it (head) and before the shortest way out of it (tail).
Source: Baptiste, Le Pape, Nuijten, "Constraint-based scheduling" (2001), chapter 4; recovery facts, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from releve.recovery.problem import Problem

#: Above this many users of one capacity only every n-th head is tried: still a bound, a little weaker, never slow.
HEADS_MAX = 200


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time that any order needs.

    bottleneck    the capacity that sets it; None: the chain of needs does
    chain         the longest chain, first to last
    chain_s       its length
    capacities_s  capacity → its own bound
    """

    least_s: float
    bottleneck: str | None
    chain: tuple[str, ...]
    chain_s: float
    capacities_s: dict[str, float]


def lower_bound(problem: Problem, durations: Sequence[float]) -> Bound:
    """Return the bound of a problem whose tasks take these durations."""
    order = in_order(problem)
    heads = _heads(problem, durations, order)
    tails = tails_s(problem, durations, order)
    lengths = [heads[task] + durations[task] + tails[task] for task in range(problem.size)]
    chain_s = max(lengths, default=0.0)
    capacities_s = {
        name: _energy(problem, durations, heads, tails, capacity)
        for capacity, name in enumerate(problem.capacity_names)
    }
    bottleneck = max(capacities_s, key=lambda name: capacities_s[name], default=None)
    if bottleneck is not None and capacities_s[bottleneck] <= chain_s + 1e-9:
        bottleneck = None
    least_s = chain_s if bottleneck is None else capacities_s[bottleneck]
    return Bound(least_s, bottleneck, _chain(problem, durations, heads, tails), chain_s, capacities_s)


def in_order(problem: Problem) -> list[int]:
    """Return the tasks so that each comes after all that it may wait for, as far as hard groups go."""
    left = [len(groups) - len(problem.soft[task]) for task, groups in enumerate(problem.groups)]
    met = [[False] * len(groups) for groups in problem.groups]
    order = [task for task in range(problem.size) if not left[task]]
    for task in order:
        for group, follower in problem.opens[task]:
            if group in problem.soft[follower] or met[follower][group]:
                continue
            met[follower][group] = True
            left[follower] -= 1
            if not left[follower]:
                order.append(follower)
    assert len(order) == problem.size, "a cycle, which loading refuses"
    return order


def tails_s(problem: Problem, durations: Sequence[float], order: Sequence[int]) -> list[float]:
    """Return for each task the longest time that must pass after its end, soft needs left out."""
    tails = [0.0] * problem.size
    for task in reversed(order):
        for need in problem.sole_needs(task):
            tails[need] = max(tails[need], durations[task] + tails[task])
    return tails


def _heads(problem: Problem, durations: Sequence[float], order: Sequence[int]) -> list[float]:
    heads = [0.0] * problem.size
    for task in order:
        ends = [
            min(heads[member] + durations[member] for member in members)
            for group, members in enumerate(problem.groups[task])
            if group not in problem.soft[task]
        ]
        heads[task] = max(ends, default=0.0)
    return heads


def _energy(
    problem: Problem, durations: Sequence[float], heads: Sequence[float], tails: Sequence[float], capacity: int
) -> float:
    """Return max over heads h and tails q of: h + work of the users with head ≥ h and tail ≥ q / amount + q."""
    users = [
        (tails[task], heads[task], durations[task] * amount)
        for task in range(problem.size)
        for used, amount in problem.uses[task]
        if used == capacity and durations[task] > 0
    ]
    users.sort(reverse=True)
    amount = problem.capacities[capacity]
    best = 0.0
    starts = sorted({head for _, head, _ in users})
    for head in starts[:: max(1, -(-len(starts) // HEADS_MAX))]:
        work = 0.0
        for tail, user_head, energy in users:
            if user_head >= head:
                work += energy
                best = max(best, head + work / amount + tail)
    return best


def _chain(
    problem: Problem, durations: Sequence[float], heads: Sequence[float], tails: Sequence[float]
) -> tuple[str, ...]:
    """Return the longest chain, walked back from its last task."""
    if not problem.size:
        return ()
    task = max(range(problem.size), key=lambda one: (heads[one] + durations[one], -tails[one]))
    walk = [task]
    while arrivals := [
        min(members, key=lambda member: heads[member] + durations[member])
        for group, members in enumerate(problem.groups[task])
        if group not in problem.soft[task]
    ]:
        task = max(arrivals, key=lambda member: heads[member] + durations[member])
        walk.append(task)
    return tuple(problem.names[one] for one in reversed(walk))
