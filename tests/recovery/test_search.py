"""The search: the same tries give the same plan, and a justified timetable is legal and never longer."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from releve.bench.centre import centre
from releve.recovery.bound import lower_bound
from releve.recovery.dispatch import timetable
from releve.recovery.plan import check
from releve.recovery.problem import Problem, restart_problem
from releve.recovery.search import Justification, search


@pytest.fixture(scope="module")
def problem() -> Problem:
    """An invented centre of some three hundred steps."""
    return restart_problem(centre(3, hospitals=6, hosts=60))


def test_the_same_tries_give_the_same_timetable(problem: Problem) -> None:
    durations = problem.believed_s()
    assert search(problem, durations, Random(5), 250) == search(problem, durations, Random(5), 250)


def test_the_shortest_is_what_the_dispatch_itself_would_do(problem: Problem) -> None:
    durations = problem.believed_s()
    starts, ends = search(problem, durations, Random(5), 250, objective="makespan")
    assert check(problem, durations, starts, ends) == []
    assert max(timetable(problem, durations, starts)[1]) <= max(ends) + 1e-6
    assert max(ends) >= lower_bound(problem, durations).least_s


def test_what_may_wait_is_legal_too(problem: Problem) -> None:
    durations = problem.believed_s()
    found = search(problem, durations, Random(5), 250, objective="makespan", may_wait=True)
    assert check(problem, durations, *found) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_justified_timetable_is_legal_and_never_longer(problem: Problem, seed: int) -> None:
    durations = problem.believed_s()
    rng = Random(seed)
    starts, ends = timetable(problem, durations, [rng.random() for _ in durations])
    justify = Justification(problem, durations, (starts, ends))
    new_starts, new_ends = justify.twice(np.array(ends))
    assert check(problem, durations, new_starts.tolist(), new_ends.tolist()) == []
    assert max(new_ends) <= max(ends) + 1e-6


def test_the_search_ends_where_nothing_can_be_shorter(problem: Problem) -> None:
    durations = problem.believed_s()
    # With an hour without limit it would never come back; the first timetable is said to be as short as any.
    starts, ends = search(problem, durations, Random(5), objective="makespan", cpu_s=3600.0, least_s=1e9)
    assert check(problem, durations, starts, ends) == []
