"""Plans: every one passes an independent checker, none beats its lower bound, and the reasons are the true ones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.estate import Estate
from releve.recovery.bound import lower_bound
from releve.recovery.dispatch import timetable
from releve.recovery.plan import Reason, check, make_plan, search
from releve.recovery.plan_text import plan_text, time_text
from releve.recovery.problem import Problem, make_problem, restart_problem, stop_problem

EstateOf = Callable[[str], Estate]

CENTRE = """\
[[site]]
id = "H01"
name = "Nord"

[[capacity]]
id = "crew"
name = {fr = "équipe", en = "crew"}
amount = 1

[[feed]]
id = "feed-a"

[[feed]]
id = "feed-b"

[[unit]]
id = "storage"
needs_any = ["feed-a", "feed-b"]
duration = {p50_s = 10, p90_s = 20}
start = {command = ["x"]}

[[unit]]
id = "dns"
needs = ["feed-a"]
duration = {p50_s = 4, p90_s = 8}
start = {command = ["x"]}

[[service]]
id = "admin"
tier = 4
needs = ["storage", "dns"]
uses = {crew = 1}
duration = {p50_s = 5, p90_s = 8}
start = {command = ["x"]}

[[service]]
id = "record"
name = {fr = "Dossier patient", en = "Patient record"}
tier = 1
clinical = 1
needs = ["storage", "dns"]
uses = {crew = 1}
duration = {p50_s = 20, p90_s = 30}
start = {command = ["x"]}
"""


@st.composite
def problems(draw: st.DrawFn, tasks_max: int = 9) -> tuple[Problem, list[float]]:
    """Any small problem without a cycle: hard, soft and either-or needs, two capacities."""
    size = draw(st.integers(1, tasks_max))
    groups: list[list[tuple[int, ...]]] = []
    soft: list[frozenset[int]] = []
    for task in range(size):
        before = st.integers(0, task - 1) if task else st.nothing()
        of_task = draw(st.lists(st.lists(before, min_size=1, max_size=2, unique=True), max_size=3)) if task else []
        groups.append([tuple(members) for members in of_task])
        soft.append(frozenset(i for i, members in enumerate(of_task) if len(members) == 1 and draw(st.booleans())))
    uses = [[(capacity, draw(st.integers(1, 2))) for capacity in (0, 1) if draw(st.booleans())] for _ in range(size)]
    durations = [float(draw(st.integers(0, 9))) for _ in range(size)]
    weights = [float(draw(st.integers(0, 8))) for _ in range(size)]
    names = [f"t{task}" for task in range(size)]
    return make_problem(names, groups, uses, [("crew", 2), ("slots", 3)], soft=soft, weights=weights), durations


@given(problems(), st.randoms(use_true_random=False))
def test_every_timetable_passes_the_checker_and_keeps_to_the_bound(
    case: tuple[Problem, list[float]], rng: Random
) -> None:
    problem, durations = case
    priority = [rng.random() for _ in range(problem.size)]
    starts, ends = timetable(problem, durations, priority)
    assert check(problem, durations, starts, ends) == []
    assert max(ends) >= lower_bound(problem, durations).least_s - 1e-9


@settings(max_examples=40)
@given(problems(tasks_max=5))
def test_the_search_finds_what_trying_every_order_finds(case: tuple[Problem, list[float]]) -> None:
    problem, durations = case
    best = min(
        sum(w * end for w, end in zip(problem.weights, timetable(problem, durations, order)[1], strict=True))
        for order in permutations(range(problem.size))
    )
    _, ends = search(problem, durations, Random(1))
    found = sum(w * end for w, end in zip(problem.weights, ends, strict=True))
    assert found <= best * 1.05 + 1e-9


def test_the_checker_sees_a_start_before_its_need_and_an_overbooked_crew() -> None:
    problem = make_problem(["a", "b"], [[], [(0,)]], [[(0, 1)], [(0, 1)]], [("crew", 1)])
    flaws = check(problem, [5, 5], [0, 3], [5, 8])
    assert any("b starts before a is up" in flaw for flaw in flaws)
    assert any("crew is used 2 times" in flaw for flaw in flaws)
    assert check(problem, [5, 5], [0, 5], [5, 10]) == []
    assert check(problem, [5, 6], [0, 5], [5, 10]) == ["b takes 5 s in the plan, expected 6 s"]


def test_what_matters_more_goes_first_although_it_takes_longer(estate_of: EstateOf) -> None:
    plan = make_plan(estate_of(CENTRE))
    assert [step.unit for step in plan.steps] == ["feed-a", "feed-b", "dns", "storage", "record", "admin"]


def test_each_place_has_its_true_reason(estate_of: EstateOf) -> None:
    plan = make_plan(estate_of(CENTRE))
    reasons = {step.unit: step.reason for step in plan.steps}
    assert reasons["feed-a"] == Reason("comes")
    assert reasons["dns"] == Reason("after", ("feed-a",))
    assert reasons["record"] == Reason("after", ("storage",))
    assert reasons["admin"] == Reason("capacity", ("record",), "crew")
    assert plan.critical == ("feed-a", "storage", "record", "admin")


def test_the_bottleneck_is_named(estate_of: EstateOf) -> None:
    bound = make_plan(estate_of(CENTRE)).bound
    # Ten seconds to the storage, then 5 + 20 seconds of work through a crew of one.
    assert (bound.least_s, bound.bottleneck) == (35.0, "crew")
    assert (bound.chain, bound.chain_s) == (("feed-a", "storage", "record"), 30.0)


def test_with_crews_enough_the_chain_itself_is_the_bound(estate_of: EstateOf) -> None:
    plan = make_plan(estate_of(CENTRE.replace("amount = 1", "amount = 2")))
    assert plan.bound.bottleneck is None
    assert plan.makespan_s == plan.bound.least_s == 30.0


def test_one_of_two_feeds_is_enough_for_the_order(estate_of: EstateOf) -> None:
    text = CENTRE.replace('id = "feed-b"', 'id = "feed-b"\nduration = {p50_s = 100, p90_s = 200}')
    starts = {step.unit: step.start_s for step in make_plan(estate_of(text)).steps}
    assert starts["storage"] == 0.0


def test_the_same_file_gets_the_same_plan(estate_of: EstateOf) -> None:
    estate = estate_of(CENTRE)
    assert make_plan(estate) == make_plan(estate)


def test_a_wish_orders_but_never_makes_a_circle(estate_of: EstateOf) -> None:
    text = '[[unit]]\nid = "a"\nwants = ["b"]\n[[unit]]\nid = "b"\nneeds = ["a"]\n[[unit]]\nid = "c"\nwants = ["b"]\n'
    problem = restart_problem(estate_of(text))
    assert problem.groups == ((), ((0,),), ((1,),))
    assert problem.soft == (frozenset(), frozenset(), frozenset((0,)))


def test_the_stop_is_the_same_order_reversed(estate_of: EstateOf) -> None:
    problem = stop_problem(estate_of(CENTRE))
    starts, ends = timetable(problem, [1.0] * problem.size, [0.0] * problem.size)
    when = dict(zip(problem.names, starts, strict=True))
    assert check(problem, [1.0] * problem.size, starts, ends) == []
    assert when["record"] < when["storage"] < when["feed-a"]
    assert when["storage"] < when["feed-b"], "what one of two feeds carries goes before both"


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_text_names_every_place_its_reason_and_its_limits(estate_of: EstateOf, lang: str) -> None:
    text = plan_text(estate_of(CENTRE), lang)
    name = {"en": "Patient record (record)", "fr": "Dossier patient (record)"}[lang]
    crew = {"en": "crew: taken until then by record", "fr": "équipe : occupé jusque-là par record"}[lang]
    assert all(part in text for part in (name, crew, "feed-a → storage → record → admin", "35 s", "1.00 ×"))
    assert "{" not in text


def test_lengths_of_time_are_written_for_people() -> None:
    assert [time_text(seconds) for seconds in (0, 7.54, 99, 200, 3600, 7500)] == [
        "0 s",
        "7.5 s",
        "99 s",
        "3 min 20 s",
        "1 h 00 min",
        "2 h 05 min",
    ]
