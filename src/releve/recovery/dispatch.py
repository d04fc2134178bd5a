"""The dispatch: what may start now. Plan, live run, forecast and stop all ask this one, so they cannot disagree.

    Dispatch    the state of one restart, driven by what really happens
    Timetables  many whole timetables of one problem, for the search; compiled where there is enough to do
    timetable   one of them

The rule itself stands in `schedule`; a task is known by its number, and what a number means stands in `problem`.
A task ends well or not; what needs one that did not end well is blocked, and nothing else is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from math import inf
from typing import Any

from releve.recovery import schedule
from releve.recovery.problem import Problem
from releve.recovery.schedule import Net, State, make_net, make_state

#: Dispatched tasks from which on importing the compiled core pays: it takes as long as so many uncompiled ones.
COMPILED_FROM = 60_000

#: The same once a process has it.
COMPILED_FROM_LOADED = 2_000

#: Set to 0 the compiled core is never used: slower on large estates, otherwise the same.
COMPILE_VARIABLE = "RELEVE_COMPILE"

_CORE = "releve.recovery.compiled"


class Dispatch:
    """The state of one restart (or stop).

    priority  per task: the lower starts first when both may; a permutation or any numbers
    """

    __slots__ = ("_net", "_started", "_state")

    def __init__(self, problem: Problem, priority: Sequence[float]) -> None:
        self._net = net_of(problem)
        self._state = make_state(self._net)
        self._started = [0] * problem.size
        set_ranks(self._state, priority)
        schedule.begin(self._net, self._state)

    @property
    def running(self) -> int:
        """Number of tasks that run."""
        return self._state.counts[schedule.N_RUNNING]

    @property
    def done(self) -> int:
        """Number of tasks that ended, well or not, or can never start."""
        return self._state.counts[schedule.N_ENDED]

    def start(self, at_s: float = 0.0) -> list[int]:
        """Take the capacities of every task that may start now and return them, most urgent first.

        at_s  seconds since second 0 of the problem's calendars; without shifts it does not matter
        """
        begun = schedule.start_ready(self._net, self._state, at_s, self._started)
        return self._started[:begun]

    def next_change_s(self) -> float | None:
        """Return the second at which somebody's shift may let a waiting task start; None when nothing waits for that.

        Whoever runs it asks `start` again then, even when nothing has ended.
        """
        clock = self._state.clock[0]
        return clock if self._state.counts[schedule.N_PARKED] and clock < inf else None

    def finish(self, task: int, *, ok: bool = True) -> list[int]:
        """Give back what a running task held, and return the tasks that are blocked because it did not end well."""
        assert self._state.state[task] == schedule.RUNS, f"task {task} does not run"
        if ok:
            schedule.end_well(self._net, self._state, task)
            return []
        known = schedule.end_badly(self._net, self._state, task)
        return self._state.queue[1:known]

    def resume(self, done: Sequence[int], running: Sequence[int], lost: Sequence[int] = ()) -> None:
        """Take a state as it is: done before, running now, and lost; only for a dispatch that has started nothing."""
        assert not self.running
        assert not self.done
        resume(self._net, self._state, done, running, lost)

    def is_blocked(self, task: int) -> bool:
        """Return whether a task can no longer start."""
        return self._state.state[task] == schedule.BLOCKED


class Timetables:
    """Whole timetables of one problem, one after the other.

    passes  about how many will be asked for: decides whether compiling pays
    """

    def __init__(self, problem: Problem, passes: int) -> None:
        net = net_of(problem)
        state = make_state(net)
        self._size = problem.size
        self._play: Any = schedule.play_ranked
        self.is_compiled = may_compile(problem.size * passes)
        if self.is_compiled:
            compiled = compiled_core()
            net, state, self._play = compiled.arrays_of(net), compiled.arrays_of(state), compiled.play_ranked
        self._net, self._state = net, state
        self._running = self._ints(0)
        self._coming, self._started = self._ints(problem.size), self._ints(problem.size)
        self._starts, self._ends = self._floats([0.0] * problem.size), self._floats([0.0] * problem.size)
        self._durations: Any = None

    def durations(self, durations: Sequence[float]) -> None:
        """Set how long each task takes from now on."""
        self._durations = self._floats([float(length) for length in durations])

    def play(self, priority: Sequence[float]) -> tuple[Any, Any]:
        """Return starts and ends, from 0, as sequences that the next call overwrites."""
        if self.is_compiled:
            self._state.by_rank[:] = import_module("numpy").argsort(priority, kind="stable")
        else:
            self._state.by_rank[:] = sorted(range(self._size), key=priority.__getitem__)
        self._play(
            self._net,
            self._state,
            self._durations,
            self._running,
            self._starts,
            self._ends,
            self._coming,
            self._started,
        )
        ended = self._state.counts[schedule.N_ENDED]
        assert ended == self._size, "a task never started, although cycles and demands were checked"
        return self._starts, self._ends

    def _ints(self, size: int) -> Any:
        return import_module("numpy").zeros(size, dtype="int64") if self.is_compiled else [0] * size

    def _floats(self, values: list[float]) -> Any:
        return import_module("numpy").array(values, dtype="float64") if self.is_compiled else values


def timetable(
    problem: Problem, durations: Sequence[float], priority: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return when each task starts and ends if every one takes its duration, from 0."""
    tables = Timetables(problem, 1)
    tables.durations(durations)
    starts, ends = tables.play(priority)
    return list(starts), list(ends)


def net_of(problem: Problem) -> Net:
    """Return the flat form of a problem."""
    return make_net(problem.groups, problem.soft, problem.uses, problem.calendars)


def set_ranks(state: State, priority: Sequence[float]) -> None:
    """Write down who goes first; ties by number."""
    state.by_rank[:] = sorted(range(len(priority)), key=priority.__getitem__)
    for rank, task in enumerate(state.by_rank):
        state.rank[task] = rank


def resume(net: Net, state: State, done: Sequence[int], running: Sequence[int], lost: Sequence[int]) -> None:
    """Take a state as it is, after `begin`.

    What runs or is done was allowed to start by the dispatch that started it; that is not asked again.
    """
    taken = {*done, *running, *lost}
    kept = [rank for rank in state.ready[: state.counts[schedule.N_READY]] if state.by_rank[rank] not in taken]
    state.counts[schedule.N_READY] = 0
    for rank in kept:
        schedule.push(state.ready, 0, state.counts[schedule.N_READY], rank)
        state.counts[schedule.N_READY] += 1
    for task in (*done, *running, *lost):
        schedule.take(net, state, task)
    for task in done:
        schedule.end_well(net, state, task)
    for task in lost:
        schedule.end_badly(net, state, task)


def may_compile(dispatched: int) -> bool:
    """Return whether so many dispatched tasks are worth the compiled core, and it is there and wanted."""
    if dispatched < COMPILED_FROM or os.environ.get(COMPILE_VARIABLE) == "0":
        return False
    return find_spec("numba") is not None


def is_worth_compiled(dispatched: int) -> bool:
    """Return the same for whoever gets the same numbers either way: less is enough once this process has the core."""
    return may_compile(dispatched) or (_CORE in sys.modules and dispatched >= COMPILED_FROM_LOADED)


def compiled_core() -> Any:
    """Return the compiled functions; imported here because numba alone takes longer than the plan of a small estate."""
    return import_module(_CORE)
