"""The dispatch: what may start now. Plan, live run, forecast and stop all ask this one, so they cannot disagree.

Parallel schedule generation: at each event every task that may start and fits the capacities starts, in the order of
its priority. A task is known by its number; what a number means stands in `problem`.
A task ends well or not; what needs one that did not end well is blocked, and nothing else is.
Source: Kolisch, "Serial and parallel resource-constrained project scheduling methods revisited" (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from releve.recovery.problem import Problem


class Dispatch:
    """The state of one restart (or stop), real or imagined.

    priority  per task: the lower starts first when both may; a permutation or any numbers
    """

    __slots__ = (
        "_failed",
        "_free",
        "_missing",
        "_order",
        "_parked",
        "_problem",
        "_ready",
        "_released",
        "_state",
        "done",
        "running",
    )

    def __init__(self, problem: Problem, priority: Sequence[float]) -> None:
        self._problem = problem
        self._free = list(problem.capacities)
        self._missing = [(1 << len(of_task)) - 1 for of_task in problem.groups]
        self._order = priority
        self._state = bytearray(problem.size)  # 0 waits, 1 ready, 2 runs, 3 done, 4 failed, 5 blocked
        self._failed: set[int] = set()
        self.running = 0
        self.done = 0
        self._ready: list[tuple[float, int]] = []
        self._parked: list[list[tuple[float, int]]] = [[] for _ in problem.capacities]
        self._released: set[int] = set()
        for task in range(problem.size):
            if not self._missing[task]:
                self._make_ready(task)

    def start(self) -> list[int]:
        """Take the capacities of every task that may start now and return them, most urgent first.

        What did not fit is parked with the capacity that it lacked and looked at again only when that is given back.
        """
        started: list[int] = []
        aside: list[tuple[int, tuple[float, int]]] = []
        free, uses = self._free, self._problem.uses
        heaps = [self._ready, *(self._parked[capacity] for capacity in self._released if free[capacity] > 0)]
        self._released.clear()
        while heaps := [heap for heap in heaps if heap]:
            entry = heappop(min(heaps, key=_top)) if len(heaps) > 1 else heappop(heaps[0])
            task = entry[1]
            for capacity, amount in uses[task]:
                if free[capacity] < amount:
                    aside.append((capacity, entry))
                    break
            else:
                for capacity, amount in uses[task]:
                    free[capacity] -= amount
                    if not free[capacity]:
                        heaps = [heap for heap in heaps if heap is not self._parked[capacity]]
                self._state[task] = 2
                started.append(task)
        for capacity, entry in aside:
            heappush(self._parked[capacity], entry)
        self.running += len(started)
        return started

    def finish(self, task: int, *, ok: bool = True) -> list[int]:
        """Give back what a running task held, and return the tasks that are blocked because it did not end well."""
        assert self._state[task] == 2, f"task {task} does not run"
        for capacity, amount in self._problem.uses[task]:
            self._free[capacity] += amount
            self._released.add(capacity)
        self.running -= 1
        self.done += 1
        if ok:
            self._state[task] = 3
            for group, follower in self._problem.opens[task]:
                self._meet(group, follower)
            return []
        self._state[task] = 4
        return self._block(task)

    def resume(self, done: Sequence[int], running: Sequence[int], lost: Sequence[int] = ()) -> None:
        """Take a state as it is: done before, running now, and lost; only for a dispatch that has started nothing."""
        assert not self.running
        assert not self.done
        for task in (*done, *running, *lost):
            # What runs or is done was allowed to start by the dispatch that started it; that is not asked again.
            self._state[task] = 2
            self._missing[task] = 0
            for capacity, amount in self._problem.uses[task]:
                self._free[capacity] -= amount
        self.running = len(done) + len(running) + len(lost)
        self._ready = [entry for entry in self._ready if self._state[entry[1]] == 1]
        heapify(self._ready)
        for task in done:
            self.finish(task)
        for task in lost:
            self.finish(task, ok=False)

    def is_blocked(self, task: int) -> bool:
        """Return whether a task can no longer start."""
        return self._state[task] == 5

    def _make_ready(self, task: int) -> None:
        self._state[task] = 1
        heappush(self._ready, (self._order[task], task))

    def _meet(self, group: int, follower: int) -> None:
        """Note that one member of a follower's group is up; the first one counts."""
        bit = 1 << group
        if self._missing[follower] & bit:
            self._missing[follower] ^= bit
            if not self._missing[follower] and self._state[follower] == 0:
                self._make_ready(follower)

    def _block(self, task: int) -> list[int]:
        """Return what can never start now, nearest first. What only waits softly goes on."""
        blocked: list[int] = []
        lost = [task]
        while lost:
            gone = lost.pop(0)
            self._failed.add(gone)
            for group, follower in self._problem.opens[gone]:
                if self._state[follower] != 0 or not self._missing[follower] >> group & 1:
                    continue
                members = self._problem.groups[follower][group]
                if group in self._problem.soft[follower]:
                    self._meet(group, follower)
                elif all(member in self._failed for member in members):
                    self._state[follower] = 5
                    self.done += 1
                    blocked.append(follower)
                    lost.append(follower)
        return blocked


def _top(heap: list[tuple[float, int]]) -> tuple[float, int]:
    return heap[0]


def timetable(
    problem: Problem, durations: Sequence[float], priority: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return when each task starts and ends if every one takes its duration, from 0."""
    starts, ends = [0.0] * problem.size, [0.0] * problem.size
    dispatch = Dispatch(problem, priority)
    now = 0.0
    coming: list[tuple[float, int]] = []
    while True:
        for task in dispatch.start():
            starts[task] = now
            ends[task] = now + durations[task]
            heappush(coming, (ends[task], task))
        if not coming:
            break
        now, task = heappop(coming)
        dispatch.finish(task)
        while coming and coming[0][0] <= now:
            dispatch.finish(heappop(coming)[1])
    assert dispatch.done == problem.size, "a task never started, although cycles and demands were checked"
    return starts, ends
