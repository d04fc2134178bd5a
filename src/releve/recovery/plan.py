"""The plan: in which order everything comes back, why each stands where it stands, and how good the order is.

Gates stand in it as steps of their own (`problem`), capacities with the hours of their shifts and how much of them the
plan uses. How the order is found is told in `search`; whatever the search returns passes `check`, which knows nothing
of how it was made. The stop is planned by the same functions on the reversed needs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from releve.clock import Instant
from releve.estate import Estate
from releve.recovery.bound import Bound, in_order, lower_bound
from releve.recovery.problem import Act, Calendar, Problem, restart_problem, stop_problem
from releve.recovery.search import search, weighted_return

__all__ = ["CapacityUse", "Plan", "PlanStep", "Reason", "check", "make_plan", "make_stop_plan", "search"]

_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a step stands where it stands.

    kind      first     it stands on nothing
              comes     nothing here starts it: it is waited for
              after     it starts as soon as these are up (stop: down)
              capacity  its needs were up before; these held what it uses until then
              shift     its needs were up before; there was not enough of the capacity until a shift began
    units     names of the steps it waited for last
    capacity  what was taken or not there
    """

    kind: Literal["first", "comes", "after", "capacity", "shift"]
    units: tuple[str, ...] = ()
    capacity: str = ""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step; times in seconds from the beginning.

    name      of the task: the unit, or unit/check, unit/release, unit/release/hospital
    asks      contact that must decide or do it, "" when nobody is asked
    """

    place: int
    unit: str
    start_s: float
    end_s: float
    reason: Reason
    name: str = ""
    act: Act = "start"
    hospital: str = ""
    asks: str = ""


@dataclass(frozen=True, slots=True)
class CapacityUse:
    """How much of a capacity a plan uses.

    amount  the most there ever is
    peak    the most that is used at once
    share   of what is there from the first use to the last, how much is used
    """

    capacity: str
    amount: int
    peak: int
    share: float


@dataclass(frozen=True)
class Plan:
    """An order of return, or of the stop.

    steps     in the order of their starts
    critical  what waited for what, back from the last end: shortening anything else does not help
    assumed   names of the steps whose duration nobody wrote down
    priority  name of a step → its rank, for the live run, which follows this plan where reality lets it
    uses      the capacities that are used at all, the fullest first
    at        when second 0 is, if the shifts were asked for
    """

    steps: tuple[PlanStep, ...]
    makespan_s: float
    weighted_s: float
    critical: tuple[str, ...]
    bound: Bound
    assumed: tuple[str, ...]
    priority: dict[str, float]
    uses: tuple[CapacityUse, ...] = ()
    at: Instant | None = None
    is_stop: bool = False

    @property
    def ratio(self) -> float:
        """Makespan over lower bound: 1.0 cannot be beaten."""
        return self.makespan_s / self.bound.least_s if self.bound.least_s > 0 else 1.0

    @property
    def gates(self) -> tuple[PlanStep, ...]:
        """Steps that are no start and no stop: integrity checks and releases."""
        return tuple(step for step in self.steps if step.act in ("check", "release"))


def make_plan(
    estate: Estate,
    *,
    rng: Random | None = None,
    tries: int | None = None,
    unclean: Collection[str] = (),
    at: Instant | None = None,
) -> Plan:
    """Return a plan for bringing everything up from nothing.

    rng      randomness of the search; given none, the same estate always gets the same plan
    tries    how often the search tries; given none, as many as search.tries_for says
    unclean  units that need their integrity check before anything stands on them
    at       when it begins, for the shifts; None: everybody is there all the time
    """
    return _plan(estate, restart_problem(estate, unclean=unclean, at=at), rng, tries, at, is_stop=False)


def make_stop_plan(estate: Estate, *, rng: Random | None = None, tries: int | None = None) -> Plan:
    """Return a plan for taking everything down: most dependent first, what everything stands on last."""
    return _plan(estate, stop_problem(estate), rng, tries, None, is_stop=True)


def _plan(
    estate: Estate, problem: Problem, rng: Random | None, tries: int | None, at: Instant | None, *, is_stop: bool
) -> Plan:
    durations = problem.believed_s()
    dice = rng or Random(1)  # noqa: S311 - a search, not a secret
    # What is stopped early is no gain for anybody: the shortest stop is the best.
    starts, ends = search(problem, durations, dice, tries, objective="makespan" if is_stop else "return")
    flaws = check(problem, durations, starts, ends)
    assert not flaws, flaws
    reasons = _reasons(estate, problem, starts, ends)
    depth = {task: place for place, task in enumerate(in_order(problem))}  # no time passes, and yet it comes after
    order = sorted(range(problem.size), key=lambda task: (starts[task], ends[task], depth[task]))
    steps = []
    for place, number in enumerate(order, 1):
        task = problem.tasks[number]
        steps.append(
            PlanStep(
                place,
                task.unit,
                starts[number],
                ends[number],
                reasons[number],
                task.name,
                task.act,
                task.hospital,
                task.asks,
            )
        )
    return Plan(
        steps=tuple(steps),
        makespan_s=max(ends, default=0.0),
        weighted_s=weighted_return(problem, ends),
        critical=_critical(problem, starts, ends, reasons),
        bound=lower_bound(problem, durations),
        assumed=tuple(problem.tasks[number].name for number in sorted(problem.assumed)),
        priority={problem.tasks[number].name: float(rank) for rank, number in enumerate(order)},
        uses=_uses(problem, starts, ends),
        at=at,
        is_stop=is_stop,
    )


def check(problem: Problem, durations: Sequence[float], starts: Sequence[float], ends: Sequence[float]) -> list[str]:
    """Return what is wrong with any plan, as sentences; knows nothing of how it was made.

    Of a capacity no more may be used at any start than there is at that moment; what runs when a shift ends runs on.
    """
    flaws = []
    names = problem.names
    for task, name in enumerate(names):
        if abs(ends[task] - starts[task] - durations[task]) > _SLACK_S:
            flaws.append(f"{name} takes {ends[task] - starts[task]:g} s in the plan, expected {durations[task]:g} s")
        for group, members in enumerate(problem.groups[task]):
            if min(ends[member] for member in members) > starts[task] + _SLACK_S and group not in problem.soft[task]:
                flaws.append(f"{name} starts before {' or '.join(names[member] for member in members)} is up")
    moves: list[list[tuple[float, int, str]]] = [[] for _ in problem.capacities]
    for task, name in enumerate(names):
        for capacity, amount in problem.uses[task]:
            if durations[task] > 0:
                moves[capacity] += [(starts[task], amount, name), (ends[task] - _SLACK_S, -amount, name)]
    for capacity, of_capacity in enumerate(moves):
        in_use = 0
        for when, amount, name in sorted(of_capacity):
            in_use += amount
            limit = amount_at(problem.calendars[capacity], when + _SLACK_S)
            if amount > 0 and in_use > limit:
                which = problem.capacity_names[capacity]
                flaws.append(f"{which} is used {in_use} times when {name} starts, of {limit}")
    return flaws


def amount_at(steps: Calendar, when: float) -> int:
    """Return how much of a capacity there is at a second."""
    return steps[max(bisect_right(steps, (when, 1 << 62)) - 1, 0)][1]


def _reasons(estate: Estate, problem: Problem, starts: Sequence[float], ends: Sequence[float]) -> list[Reason]:
    users: list[list[tuple[int, int]]] = [[] for _ in problem.capacities]
    for user, pairs in enumerate(problem.uses):
        for capacity, amount in pairs:
            users[capacity].append((user, amount))
    names = problem.names
    reasons = []
    for number, task in enumerate(problem.tasks):
        arrivals = [min(members, key=lambda member: ends[member]) for members in problem.groups[number]]
        ready = max((ends[member] for member in arrivals), default=0.0)
        held = _held(problem, names, users, number, starts, ends) if starts[number] > ready + _SLACK_S else None
        if held is not None:
            reasons.append(held)
        elif task.act == "start" and estate.units[task.unit].start is None and not arrivals:
            reasons.append(Reason("comes"))
        elif not arrivals:
            reasons.append(Reason("first"))
        else:
            last = tuple(dict.fromkeys(names[one] for one in arrivals if ends[one] >= ready - _SLACK_S))
            reasons.append(Reason("after", last))
    return reasons


def _held(
    problem: Problem,
    names: Sequence[str],
    users: Sequence[Sequence[tuple[int, int]]],
    task: int,
    starts: Sequence[float],
    ends: Sequence[float],
) -> Reason | None:
    """Return the capacity that was short just before this start, and who gave it back at that moment, or that a shift
    began then.
    """
    now = starts[task]
    for capacity, amount in problem.uses[task]:
        holding = [
            (other, used)
            for other, used in users[capacity]
            if other != task and starts[other] < now - _SLACK_S and ends[other] >= now - _SLACK_S
        ]
        before = amount_at(problem.calendars[capacity], now - _SLACK_S)
        if sum(used for _, used in holding) + amount <= before:
            continue
        name = problem.capacity_names[capacity]
        freed = tuple(names[other] for other, _ in holding if ends[other] <= now + _SLACK_S)
        if not freed and amount_at(problem.calendars[capacity], now + _SLACK_S) > before:
            return Reason("shift", (), name)
        return Reason("capacity", freed or tuple(names[other] for other, _ in holding), name)
    return None


def _uses(problem: Problem, starts: Sequence[float], ends: Sequence[float]) -> tuple[CapacityUse, ...]:
    found = []
    for capacity, name in enumerate(problem.capacity_names):
        held = [
            (starts[task], ends[task], amount)
            for task, pairs in enumerate(problem.uses)
            for used, amount in pairs
            if used == capacity and ends[task] > starts[task]
        ]
        if not held:
            continue
        first, last = min(begin for begin, _, _ in held), max(end for _, end, _ in held)
        moves = sorted([(begin, amount) for begin, _, amount in held] + [(end, -amount) for _, end, amount in held])
        peak = in_use = 0
        for _, amount in moves:
            in_use += amount
            peak = max(peak, in_use)
        work = sum((end - begin) * amount for begin, end, amount in held)
        there = _work_there(problem.calendars[capacity], first, last)
        found.append(CapacityUse(name, problem.capacities[capacity], peak, work / there if there > 0 else 1.0))
    return tuple(sorted(found, key=lambda use: -use.share))


def _work_there(steps: Calendar, first: float, last: float) -> float:
    """Return how much could have been done between two moments."""
    total = 0.0
    for place, (since, amount) in enumerate(steps):
        until = steps[place + 1][0] if place + 1 < len(steps) else last
        total += max(min(until, last) - max(since, first), 0.0) * amount
    return total


def _critical(
    problem: Problem, starts: Sequence[float], ends: Sequence[float], reasons: Sequence[Reason]
) -> tuple[str, ...]:
    if not problem.size:
        return ()
    names, number = problem.names, problem.number()
    task = max(range(problem.size), key=lambda one: (ends[one], -starts[one]))
    walk = [task]
    while reasons[task].units:
        task = max((number[unit] for unit in reasons[task].units), key=lambda one: ends[one])
        walk.append(task)
    return tuple(names[one] for one in reversed(walk))
