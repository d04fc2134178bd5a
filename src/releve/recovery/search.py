"""The search for a good order: dispatch, disturb, dispatch again, keep what is better.

Which timetable is better: the one whose services return earlier, weighted by tier and by the order of care, then the
shorter; or, asked so, the shorter alone. First the longest remaining chain and what each second of work brings back,
then noise on the start times of the best, from small steps to large ones (recovery facts, section 3.1); where
shortness counts, each is justified (`serial`).

What is returned is always what the dispatch itself would do, because that is what the live run does; `may_wait` also
takes timetables in which something waits although it could start, for comparison with what others search for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from math import inf
from random import Random
from typing import Any, Literal

from releve.recovery.bound import in_order, tails_s
from releve.recovery.dispatch import Timetables, compiled_core
from releve.recovery.problem import Problem
from releve.recovery.serial import Arcs, Profile

Objective = Literal["return", "makespan"]

#: More tries than this bring little to a small estate (recovery facts, section 3.3).
TRIES_MAX = 300

#: Tasks dispatched over all tries: keeps a plan of two thousand steps below a second.
DISPATCHED_MAX = 2_000_000

#: Noise on start times, in shares of the makespan: small steps around the best plan, sometimes large ones.
NOISE_SHARES = (0.005, 0.02, 0.06, 0.2, 0.7)

#: The same where only the makespan counts: there justification takes the large steps.
NOISE_SHARES_MAKESPAN = (0.001, 0.003, 0.01, 0.03, 0.06)

#: Where something may wait, so many timetables walk, each so many steps at a time. Sometimes the worst is replaced by
#: a child: the order of one up to some moment, of another from there on. Larger problems see too few steps for that.
WALKERS, ROWS, CHILD_SHARE, WALK_SIZE_MAX = 40, 30, 0.3, 400

#: Noise on the longest chain with which a walk begins.
FIRST_SHARE = 0.3

_LEAST_S = 1e-6

Table = tuple[list[float], list[float]]


def tries_for(problem: Problem) -> int:
    """Return how often the search tries when nobody says."""
    return min(TRIES_MAX if problem.size < 1000 else 3 * TRIES_MAX, DISPATCHED_MAX // max(problem.size, 1))


def search(
    problem: Problem,
    durations: Sequence[float],
    rng: Random,
    tries: int | None = None,
    *,
    objective: Objective = "return",
    cpu_s: float | None = None,
    may_wait: bool = False,
    least_s: float = 0.0,
) -> Table:
    """Return starts and ends of the best timetable found.

    tries    how many orders are tried; the same number gives the same timetable
    cpu_s    instead of tries: until so many seconds of this process's time are used
    least_s  what no timetable can beat: the search of the shortest ends there
    """
    return _Search(problem, durations, rng, tries, cpu_s, objective, may_wait).run(least_s)


def weighted_return(problem: Problem, ends: Sequence[float]) -> float:
    """Return the mean return, weighted by what matters."""
    total = sum(problem.weights)
    return sum(w * end for w, end in zip(problem.weights, ends, strict=True)) / total if total else 0.0


class _Search:
    """One search: its timetables, its noise and the best so far."""

    def __init__(
        self,
        problem: Problem,
        durations: Sequence[float],
        rng: Random,
        tries: int | None,
        cpu_s: float | None,
        objective: Objective,
        may_wait: bool,
    ) -> None:
        self._problem, self._durations, self._rng = problem, [float(length) for length in durations], rng
        self._objective, self._may_wait = objective, may_wait
        self._until = None if cpu_s is None else time.process_time() + cpu_s
        self._tries = tries if tries is not None else tries_for(problem)
        self._tables = Timetables(problem, self._tries if cpu_s is None else 1_000_000)
        self._tables.durations(self._durations)
        self._numpy: Any = import_module("numpy") if self._tables.is_compiled else None
        self._dice: Any = self._numpy.random.default_rng(rng.getrandbits(64)) if self._numpy else None
        self._weights: Any = self._numpy.array(problem.weights) if self._numpy else problem.weights
        self._best: Any = None
        self._score = (inf, inf)

    def run(self, least_s: float) -> Table:
        """Search until the tries or the time are used up."""
        order = in_order(self._problem)
        tails = tails_s(self._problem, self._durations, order)
        chain = [-(tails[task] + self._durations[task]) for task in range(self._problem.size)]
        self._look(chain)
        if self._objective == "return":
            self._look(_by_worth(self._problem, self._durations, order))
        justify = None
        if self._objective == "makespan" and self._numpy and all(len(steps) == 1 for steps in self._problem.calendars):
            justify = Justification(self._problem, self._durations, self._best)
            if self._may_wait and self._is_small():
                self._walk(justify, self._numpy.array(chain), least_s)
        attempt = 0
        while self._goes_on(attempt) and not (self._objective == "makespan" and self._score[0] <= least_s + _LEAST_S):
            self._try(attempt, justify)
            attempt += 1
        return list(map(float, self._best[0])), list(map(float, self._best[1]))

    def _is_small(self) -> bool:
        return self._problem.size <= WALK_SIZE_MAX

    def _goes_on(self, attempt: int) -> bool:
        return attempt < self._tries if self._until is None else time.process_time() < self._until

    def _try(self, attempt: int, justify: Justification | None) -> None:
        shares = NOISE_SHARES if self._objective == "return" else NOISE_SHARES_MAKESPAN
        noise = shares[attempt % len(shares)] * float(max(self._best[1], default=0.0))
        if self._numpy:
            priority = self._best[0] + self._dice.normal(0.0, noise, self._problem.size)
        else:
            priority = [start + self._rng.gauss(0.0, noise) for start in self._best[0]]
        if justify is None:
            self._look(priority)
            return
        starts, ends = self._tables.play(priority)
        self._take(starts, ends)
        starts, ends = justify.twice(ends)
        if self._may_wait:
            self._take(starts, ends)
        else:
            self._look(starts)

    def _walk(self, justify: Justification, chain: Any, least_s: float) -> None:
        """Search among timetables in which something may wait, by many who walk."""
        walkers: list[tuple[Any, Any]] = []
        size = self._problem.size
        shares = self._numpy.resize(self._numpy.array(NOISE_SHARES_MAKESPAN), ROWS)[:, None]
        step = 0
        while self._goes_on(step * ROWS) and self._score[0] > least_s + _LEAST_S:
            if len(walkers) < WALKERS:
                keys = chain + self._dice.normal(0.0, FIRST_SHARE * self._score[0], size)
                walkers.append((keys, self._numpy.array([inf])))
                place = len(walkers) - 1
            elif self._dice.random() < CHILD_SHARE:
                place = max(range(WALKERS), key=lambda one: float(walkers[one][1][0]))
                walkers[place] = (self._child(walkers), self._numpy.array([inf]))
            else:
                place = int(self._dice.integers(0, WALKERS))
            noise = self._dice.standard_normal((ROWS, size)) * (shares * self._score[0])
            justify.walk(noise, *walkers[place])
            starts = walkers[place][0]
            self._take(starts, starts + justify.durations)
            step += 1

    def _child(self, walkers: list[tuple[Any, Any]]) -> Any:
        """Return start times: of one walker up to some moment, of another from there on."""
        picks = self._dice.integers(0, len(walkers), 4)
        early, score = min((walkers[place] for place in picks[:2]), key=lambda one: float(one[1][0]))
        late, _ = min((walkers[place] for place in picks[2:]), key=lambda one: float(one[1][0]))
        makespan = float(score[0])
        return self._numpy.where(early < makespan * self._dice.random(), early, late + 2 * makespan)

    def _look(self, priority: Any) -> None:
        """Dispatch in an order and keep what comes out if it is the best."""
        self._take(*self._tables.play(priority))

    def _take(self, starts: Any, ends: Any) -> None:
        score = self._value(ends)
        # As good counts too where only the makespan does: most neighbours are as long, and standing still finds none.
        if score < self._score or (self._objective == "makespan" and score == self._score):
            self._best, self._score = (starts.copy(), ends.copy()), score

    def _value(self, ends: Any) -> tuple[float, float]:
        if self._numpy:
            makespan = float(ends.max()) if len(ends) else 0.0
            mean = 0.0 if self._objective == "makespan" else float(self._weights @ ends)
        else:
            makespan = max(ends, default=0.0)
            mean = weighted_return(self._problem, ends)
        return (makespan, 0.0) if self._objective == "makespan" else (mean, makespan)


class Justification:
    """Pushes timetables right and left again; what is waited for among several is what came first in a given one."""

    def __init__(self, problem: Problem, durations: Sequence[float], reference: Any) -> None:
        self._core = compiled_core()
        self._numpy: Any = import_module("numpy")
        size = problem.size
        ends = reference[1]
        before: list[list[int]] = [
            [min(members, key=lambda member: float(ends[member])) for members in groups] for groups in problem.groups
        ]
        after: list[list[int]] = [[] for _ in range(size)]
        for task, needed in enumerate(before):
            for one in needed:
                after[one].append(task)
        users = [2] * len(problem.capacities)
        for pairs in problem.uses:
            for capacity, _ in pairs:
                users[capacity] += 2
        room_at = _offsets(users)
        self._arcs = self._core.arrays_of(
            Arcs(
                before_at=_offsets([len(needed) for needed in before]),
                before=[one for needed in before for one in needed],
                after_at=_offsets([len(followers) for followers in after]),
                after=[one for followers in after for one in followers],
                uses_at=_offsets([len(pairs) for pairs in problem.uses]),
                used=[capacity for pairs in problem.uses for capacity, _ in pairs],
                amount=[amount for pairs in problem.uses for _, amount in pairs],
                limit=list(problem.capacities),
                room_at=room_at,
            )
        )
        self._profile = self._core.arrays_of(
            Profile(since=[0.0] * room_at[-1], taken=[0] * room_at[-1], steps=[1] * len(problem.capacities))
        )
        self.durations = self._numpy.array(durations, dtype="float64")
        self._order = self._numpy.array(_topological(before, after), dtype="int64")
        self._place = self._numpy.empty(size, dtype="int64")
        self._place[self._order] = self._numpy.arange(size)
        self._starts, self._ends = self._numpy.zeros(size), self._numpy.zeros(size)
        self._last = -self._place
        self._keys, self._sorted = self._numpy.zeros(size), self._order.copy()
        self._right_starts, self._right_ends = self._numpy.zeros(size), self._numpy.zeros(size)

    def walk(self, noise: Any, parent: Any, score: Any) -> None:
        """Go a step from start times for each row of noise; parent and score are changed."""
        room = (self._starts, self._ends, self._keys, self._sorted)
        places = (self._order, self._place, self._last)
        self._core.walk(self._arcs, self._profile, self.durations, *places, noise, parent, score, *room)

    def twice(self, ends: Any) -> Any:
        """Return a timetable pushed to the right and then to the left."""
        right = self._numpy.lexsort((-self._place, -ends))
        self._put(right, self._right_starts, self._right_ends, False)
        left = self._numpy.lexsort((self._place, -self._right_ends))
        return self._put(left, self._starts, self._ends, True)

    def _put(self, order: Any, starts: Any, ends: Any, forward: bool) -> Any:
        self._core.place_all(self._arcs, self._profile, self.durations, order, starts, ends, forward)
        return starts, ends


def _by_worth(problem: Problem, durations: Sequence[float], order: Sequence[int]) -> list[float]:
    """Return priorities by what a second of work brings back: of the task itself, or of the best that waits for it."""
    worth = [problem.weights[task] / max(durations[task], _LEAST_S) for task in range(problem.size)]
    for task in reversed(order):
        for need in problem.sole_needs(task):
            worth[need] = max(worth[need], worth[task])
    return [-value for value in worth]


def _topological(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[int]:
    left = [len(needed) for needed in before]
    order = [task for task, count in enumerate(left) if not count]
    for task in order:
        for follower in after[task]:
            left[follower] -= 1
            if not left[follower]:
                order.append(follower)
    return order


def _offsets(lengths: Sequence[int]) -> list[int]:
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    return ends
