"""The plan: in which order everything comes back, why each stands where it stands, and how good the order is.

Which plan is better: the one whose services return earlier, weighted by tier and by the order of care; then the
shorter. Search: dispatch by longest remaining chain and by what each second of work brings back, then again with noise
on the start times of the best, keeping what is better (recovery facts, section 3.1).
The number of tries is fixed, not the time, so that the same file gives the same plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from releve.estate import Estate
from releve.recovery.bound import Bound, in_order, lower_bound, tails_s
from releve.recovery.dispatch import timetable
from releve.recovery.problem import Problem, believed_s, restart_problem

#: More tries than this bring little (recovery facts, section 3.3).
TRIES_MAX = 300

#: Tasks dispatched over all tries: keeps a plan of two thousand steps at about a second.
DISPATCHED_MAX = 400_000

#: Noise on start times, in shares of the makespan: small steps around the best plan, sometimes large ones.
NOISE_SHARES = (0.005, 0.02, 0.06, 0.2, 0.7)

_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a step stands where it stands.

    kind      first     it stands on nothing
              comes     nothing here starts it: it is waited for
              after     it starts as soon as these are up
              capacity  its needs were up before; these held what it uses until then
    units     what it waited for last
    capacity  what was taken, when kind is capacity
    """

    kind: Literal["first", "comes", "after", "capacity"]
    units: tuple[str, ...] = ()
    capacity: str = ""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One start; times in seconds from the beginning."""

    place: int
    unit: str
    start_s: float
    end_s: float
    reason: Reason


@dataclass(frozen=True)
class Plan:
    """An order of return.

    steps     in the order of their starts
    critical  what waited for what, back from the last end: shortening anything else does not help
    assumed   units whose duration nobody wrote down
    priority  unit → its rank, for the live run, which follows this plan where reality lets it
    """

    steps: tuple[PlanStep, ...]
    makespan_s: float
    weighted_s: float
    critical: tuple[str, ...]
    bound: Bound
    assumed: tuple[str, ...]
    priority: dict[str, float]

    @property
    def ratio(self) -> float:
        """Makespan over lower bound: 1.0 cannot be beaten."""
        return self.makespan_s / self.bound.least_s if self.bound.least_s > 0 else 1.0


def make_plan(estate: Estate, *, rng: Random | None = None, tries: int | None = None) -> Plan:
    """Return a plan for bringing everything up from nothing.

    rng    randomness of the search; given none, the same estate always gets the same plan
    tries  how often the search tries; given none, as many as TRIES_MAX and DISPATCHED_MAX allow
    """
    problem = restart_problem(estate)
    durations = [believed_s(unit) for unit in estate.units.values()]
    starts, ends = search(problem, durations, rng or Random(1), tries)  # noqa: S311 - a search, not a secret
    flaws = check(problem, durations, starts, ends)
    assert not flaws, flaws
    reasons = _reasons(estate, problem, starts, ends)
    depth = {
        task: place for place, task in enumerate(in_order(problem))
    }  # what takes no time still comes after its needs
    order = sorted(range(problem.size), key=lambda task: (starts[task], ends[task], depth[task]))
    return Plan(
        steps=tuple(
            PlanStep(place, problem.names[task], starts[task], ends[task], reasons[task])
            for place, task in enumerate(order, 1)
        ),
        makespan_s=max(ends, default=0.0),
        weighted_s=weighted_return(problem, ends),
        critical=_critical(problem, starts, ends, reasons),
        bound=lower_bound(problem, durations),
        assumed=tuple(unit.id for unit in estate.units.values() if unit.duration is None and unit.start is not None),
        priority={problem.names[task]: float(rank) for rank, task in enumerate(order)},
    )


def search(
    problem: Problem, durations: Sequence[float], rng: Random, tries: int | None = None
) -> tuple[list[float], list[float]]:
    """Return starts and ends of the best timetable found."""
    order = in_order(problem)
    tails = tails_s(problem, durations, order)
    by_chain = [-(tails[task] + durations[task]) for task in range(problem.size)]
    best = timetable(problem, durations, by_chain)
    best_score = _score(problem, best[1])
    found = timetable(problem, durations, _by_worth(problem, durations, order))
    score = _score(problem, found[1])
    if score < best_score:
        best, best_score = found, score
    if tries is None:
        tries = min(TRIES_MAX, DISPATCHED_MAX // max(problem.size, 1))
    for attempt in range(tries):
        noise = NOISE_SHARES[attempt % len(NOISE_SHARES)] * best_score[1]
        priority = [start + rng.gauss(0.0, noise) for start in best[0]]
        found = timetable(problem, durations, priority)
        score = _score(problem, found[1])
        if score < best_score:
            best, best_score = found, score
    return best


def weighted_return(problem: Problem, ends: Sequence[float]) -> float:
    """Return the mean return, weighted by what matters."""
    total = sum(problem.weights)
    return sum(w * end for w, end in zip(problem.weights, ends, strict=True)) / total if total else 0.0


def check(problem: Problem, durations: Sequence[float], starts: Sequence[float], ends: Sequence[float]) -> list[str]:
    """Return what is wrong with any plan, as sentences; knows nothing of how it was made."""
    flaws = []
    for task, name in enumerate(problem.names):
        if abs(ends[task] - starts[task] - durations[task]) > _SLACK_S:
            flaws.append(f"{name} takes {ends[task] - starts[task]:g} s in the plan, expected {durations[task]:g} s")
        for group, members in enumerate(problem.groups[task]):
            if min(ends[member] for member in members) > starts[task] + _SLACK_S and group not in problem.soft[task]:
                flaws.append(f"{name} starts before {' or '.join(problem.names[member] for member in members)} is up")
    for capacity, limit in enumerate(problem.capacities):
        moves: list[tuple[float, int, str]] = []
        for task, name in enumerate(problem.names):
            for used, amount in problem.uses[task]:
                if used == capacity and durations[task] > 0:
                    moves += [(starts[task], amount, name), (ends[task], -amount, name)]
        in_use = 0
        for _, amount, name in sorted(moves):  # ends sort before starts at the same moment, being negative
            in_use += amount
            if in_use > limit:
                which = problem.capacity_names[capacity]
                flaws.append(f"{which} is used {in_use} times when {name} starts, of {limit}")
    return flaws


def _by_worth(problem: Problem, durations: Sequence[float], order: Sequence[int]) -> list[float]:
    """Return priorities by what a second of work brings back: of the task itself, or of the best that waits for it."""
    worth = [problem.weights[task] / max(durations[task], _SLACK_S) for task in range(problem.size)]
    for task in reversed(order):
        for need in problem.sole_needs(task):
            worth[need] = max(worth[need], worth[task])
    return [-value for value in worth]


def _score(problem: Problem, ends: Sequence[float]) -> tuple[float, float]:
    return weighted_return(problem, ends), max(ends, default=0.0)


def _reasons(estate: Estate, problem: Problem, starts: Sequence[float], ends: Sequence[float]) -> list[Reason]:
    reasons = []
    for task, name in enumerate(problem.names):
        arrivals = [min(members, key=lambda member: ends[member]) for members in problem.groups[task]]
        ready = max((ends[member] for member in arrivals), default=0.0)
        holding = _holders(problem, task, starts, ends) if starts[task] > ready + _SLACK_S else None
        if holding is not None:
            reasons.append(Reason("capacity", holding[1], holding[0]))
        elif estate.units[name].start is None and not arrivals:
            reasons.append(Reason("comes"))
        elif not arrivals:
            reasons.append(Reason("first"))
        else:
            last = tuple(dict.fromkeys(problem.names[one] for one in arrivals if ends[one] >= ready - _SLACK_S))
            reasons.append(Reason("after", last))
    return reasons


def _holders(
    problem: Problem, task: int, starts: Sequence[float], ends: Sequence[float]
) -> tuple[str, tuple[str, ...]] | None:
    """Return the capacity that was short just before this start, and who gave it back at that moment."""
    now = starts[task]
    for capacity, amount in problem.uses[task]:
        users = [
            (other, used)
            for other in range(problem.size)
            if other != task and starts[other] < now - _SLACK_S and ends[other] >= now - _SLACK_S
            for place, used in problem.uses[other]
            if place == capacity
        ]
        if sum(used for _, used in users) + amount > problem.capacities[capacity]:
            freed = tuple(problem.names[other] for other, _ in users if ends[other] <= now + _SLACK_S)
            return problem.capacity_names[capacity], freed or tuple(problem.names[other] for other, _ in users)
    return None


def _critical(
    problem: Problem, starts: Sequence[float], ends: Sequence[float], reasons: Sequence[Reason]
) -> tuple[str, ...]:
    if not problem.size:
        return ()
    number = problem.number()
    task = max(range(problem.size), key=lambda one: (ends[one], -starts[one]))
    walk = [task]
    while reasons[task].units:
        task = max((number[unit] for unit in reasons[task].units), key=lambda one: ends[one])
        walk.append(task)
    return tuple(problem.names[one] for one in reversed(walk))
