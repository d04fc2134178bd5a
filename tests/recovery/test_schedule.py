"""One rule: what the live dispatch starts is what plan and forecast simulate, compiled or not."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.estate import Belief, Duration
from releve.recovery.dispatch import Dispatch, Timetables, timetable
from releve.recovery.imagined import Standing, imagine
from releve.recovery.plan import check
from releve.recovery.problem import Problem, make_problem

Case = tuple[Problem, list[float], list[float]]

#: More passes than any machine would do uncompiled.
ENOUGH_TO_COMPILE = 10**9


@st.composite
def cases(draw: st.DrawFn, tasks_max: int = 10) -> Case:
    """Any small problem without a cycle, its durations and an order: soft and either-or needs, crews with shifts."""
    size = draw(st.integers(1, tasks_max))
    groups: list[list[tuple[int, ...]]] = []
    soft: list[frozenset[int]] = []
    for task in range(size):
        before = st.integers(0, task - 1) if task else st.nothing()
        of_task = draw(st.lists(st.lists(before, min_size=1, max_size=2, unique=True), max_size=3)) if task else []
        groups.append([tuple(members) for members in of_task])
        soft.append(frozenset(i for i, members in enumerate(of_task) if len(members) == 1 and draw(st.booleans())))
    uses = [[(capacity, draw(st.integers(1, 2))) for capacity in (0, 1) if draw(st.booleans())] for _ in range(size)]
    changes = draw(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2)), max_size=3, unique_by=lambda one: one[0]))
    shifts = ((0.0, 2), *((float(when), amount) for when, amount in sorted(changes)), (40.0, 2))
    problem = make_problem(
        [f"t{task}" for task in range(size)],
        groups,
        uses,
        [("crew", 2), ("slots", 3)],
        soft=soft,
        calendars=[shifts, ((0.0, 3),)],
        beliefs=[Duration(1.0, 1.0)] * size,
    )
    durations = [float(draw(st.integers(0, 9))) for _ in range(size)]
    return problem, durations, [float(draw(st.integers(0, 5))) for _ in range(size)]


def lived(problem: Problem, durations: list[float], priority: list[float]) -> tuple[list[float], list[float]]:
    """Run a dispatch as the live run does: on each end and each shift it is asked what may start."""
    dispatch = Dispatch(problem, priority)
    starts, ends = [0.0] * problem.size, [0.0] * problem.size
    coming: list[tuple[float, int]] = []
    now = 0.0
    while True:
        for task in dispatch.start(now):
            starts[task], ends[task] = now, now + durations[task]
            heappush(coming, (ends[task], task))
        shift_s = dispatch.next_change_s()
        if shift_s is not None and (not coming or shift_s < coming[0][0]):
            now = shift_s
            continue
        if not coming:
            break
        now = coming[0][0]
        while coming and coming[0][0] <= now:
            assert dispatch.finish(heappop(coming)[1]) == []
    assert dispatch.done == problem.size
    assert dispatch.running == 0
    return starts, ends


@given(cases())
def test_the_live_run_starts_everything_when_the_plan_said(case: Case) -> None:
    assert timetable(*case) == lived(*case)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_compiled_or_not_the_timetable_is_the_same(case: Case) -> None:
    problem, durations, priority = case
    tables = Timetables(problem, ENOUGH_TO_COMPILE)
    tables.durations(durations)
    starts, ends = tables.play(priority)
    assert tables.is_compiled
    assert (list(starts), list(ends)) == timetable(problem, durations, priority)


@given(cases())
def test_nobody_starts_outside_of_the_hours_of_a_crew(case: Case) -> None:
    problem, durations, priority = case
    assert check(problem, durations, *timetable(problem, durations, priority)) == []


@given(cases(), st.data())
def test_a_day_that_goes_as_believed_is_the_rest_of_the_timetable(case: Case, data: st.DataObject) -> None:
    problem, _, priority = case
    starts, ends = timetable(problem, [1.0] * problem.size, priority)
    now = data.draw(st.sampled_from(sorted({0.0, *ends})))
    if any(since <= now for since, _ in problem.calendars[0][1:]):
        return  # second 0 of a forecast is its own moment, and so is its calendar; here it would be another
    moved = make_problem(
        problem.tasks,
        problem.groups,
        problem.uses,
        list(zip(problem.capacity_names, problem.capacities, strict=True)),
        soft=problem.soft,
        calendars=[tuple((max(since - now, 0.0), amount) for since, amount in steps) for steps in problem.calendars],
        beliefs=problem.beliefs,
    )
    done = [task for task in range(problem.size) if ends[task] <= now]
    running = {task: now - starts[task] for task in range(problem.size) if starts[task] < now < ends[task]}
    standing = Standing(done=done, took={}, running=running, lost=[])
    certain = Belief(day_spread=1e-9, failure_share=0.0)
    factor = (np.array([0.0, 1e-9]), np.array([1.0, 0.0]))
    found, lost = imagine(moved, priority, certain, factor, standing, Random(1), 2, drift_spread=0.0)
    assert lost == []
    for task in range(problem.size):
        if ends[task] > now and task not in running:
            assert abs(found[0][task] - (ends[task] - now)) < 1e-6


@given(cases(), st.data())
def test_a_failure_blocks_what_needs_it_and_nothing_else(case: Case, data: st.DataObject) -> None:
    problem, _, priority = case
    failing = data.draw(st.sets(st.integers(0, problem.size - 1)))
    dispatch = Dispatch(problem, priority)
    succeeded: set[int] = set()
    blocked: list[int] = []
    now = 0.0
    while True:
        started = dispatch.start(now)
        if not started:
            shift_s = dispatch.next_change_s()
            if shift_s is None:
                break
            now = shift_s
        for task in started:
            blocked += dispatch.finish(task, ok=task not in failing)
            if task not in failing:
                succeeded.add(task)
    assert dispatch.done == problem.size
    assert sorted(blocked) == [task for task in range(problem.size) if dispatch.is_blocked(task)]
    for task in range(problem.size):
        hard = [members for group, members in enumerate(problem.groups[task]) if group not in problem.soft[task]]
        assert dispatch.is_blocked(task) == any(not succeeded.intersection(members) for members in hard)


def test_what_was_begun_is_finished_by_those_who_began_it() -> None:
    problem = make_problem(
        ["a", "b"], [[], []], [[(0, 1)], [(0, 1)]], [("crew", 1)], calendars=[((0.0, 1), (5.0, 0), (50.0, 1))]
    )
    starts, ends = timetable(problem, [8.0, 8.0], [0.0, 1.0])
    assert (starts, ends) == ([0.0, 50.0], [8.0, 58.0])
