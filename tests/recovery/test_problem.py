"""The estate as numbers: gates are tasks, shifts are steps of a calendar read off the wall clock there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from releve.clock import to_instant
from releve.estate import Bilingual, Capacity, Estate, Shift
from releve.recovery.plan import make_plan
from releve.recovery.problem import UNKNOWN_RELEASE, calendar, restart_problem, stop_problem

EstateOf = Callable[[str], Estate]

GATED = """\
[[site]]
id = "H01"
name = "H01"
[[site]]
id = "H02"
name = "H02"
[[site]]
id = "H03"
name = "H03"

[[contact]]
id = "duty"
name = "Duty"
phone = "1"

[[capacity]]
id = "validators-H01"
amount = 1

[[storage]]
id = "disks"
start = {command = ["x"]}
check = {command = ["fsck"]}
check_duration = {p50_s = 90, p90_s = 100}
duration = {p50_s = 10, p90_s = 20}

[[service]]
id = "record"
needs = ["disks"]
hospitals = ["H01", "H02", "H03"]
start = {command = ["x"]}
duration = {p50_s = 10, p90_s = 20}
release = "duty"
"""


def names(estate: Estate, **more: object) -> list[str]:
    return [task.name for task in restart_problem(estate, **more).tasks]  # type: ignore[arg-type] # passed on as it is


def test_a_unit_that_was_not_stopped_clean_is_checked_before_anything_stands_on_it(estate_of: EstateOf) -> None:
    estate = estate_of(GATED)
    assert "disks/check" not in names(estate)
    problem = restart_problem(estate, unclean=["disks", "record"])
    number = problem.number()
    assert problem.groups[number["record"]] == ((number["disks/check"],),)
    assert problem.beliefs[number["disks/check"]] == estate.units["disks"].check_duration
    assert "record/check" not in number, "there is no check for it"


def test_a_release_for_everybody_is_one_step_that_asks_its_contact(estate_of: EstateOf) -> None:
    problem = restart_problem(estate_of(GATED))
    (release,) = [task for task in problem.tasks if task.act == "release"]
    assert (release.name, release.unit, release.hospital, release.asks) == ("record/release", "record", "", "duty")
    number = problem.number()
    assert problem.beliefs[number["record/release"]] == UNKNOWN_RELEASE
    assert number["record/release"] in problem.assumed
    assert problem.weights[number["record"]] == 0 < problem.weights[number["record/release"]]


def test_hospitals_release_for_themselves_wave_by_wave(estate_of: EstateOf) -> None:
    problem = restart_problem(estate_of(GATED + "released_by_hospital = true\nwave = 2\n"))
    number = problem.number()
    first, second, third = (number[f"record/release/H0{place}"] for place in (1, 2, 3))
    assert problem.groups[first] == problem.groups[second] == ((number["record"],),)
    assert problem.groups[third] == ((number["record"],), (first,), (second,))
    assert problem.uses[first] == ((0, 1),), "it takes one of that hospital's validators"
    assert problem.uses[second] == ()
    assert {task.asks for task in problem.tasks if task.act == "release"} == {"duty"}


def test_a_wave_without_hospitals_that_decide_lets_them_in_after_the_one_release(estate_of: EstateOf) -> None:
    problem = restart_problem(estate_of(GATED + "wave = 2\n"))
    number = problem.number()
    assert problem.groups[number["record/release/H01"]] == ((number["record/release"],),)
    assert [task.asks for task in problem.tasks if task.act == "release"] == ["duty", "", "", ""]


def test_the_plan_says_who_is_asked_and_what_is_assumed(estate_of: EstateOf) -> None:
    plan = make_plan(estate_of(GATED), unclean=["disks"])
    assert [step.name for step in plan.steps] == ["disks", "disks/check", "record", "record/release"]
    assert [step.name for step in plan.gates] == ["disks/check", "record/release"]
    assert plan.assumed == ("record/release",)
    assert plan.critical[-1] == "record/release"


def test_a_stop_is_limited_by_how_many_run_at_once_and_by_no_crew(estate_of: EstateOf) -> None:
    text = "[restart]\nat_once = 1\n" + GATED.replace('command = ["x"]}', 'command = ["x"]}\nstop = {command = ["y"]}')
    problem = stop_problem(estate_of(text))
    assert problem.capacity_names == ("at_once",)
    assert {task.act for task in problem.tasks} == {"stop"}


def at(text: str) -> int:
    return to_instant(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Paris")))


def crew(*shifts: Shift, amount: int = 1) -> Capacity:
    return Capacity("crew", Bilingual("équipe", "crew"), amount, shifts)


WEEKDAYS = frozenset(range(5))


def test_a_crew_that_goes_home_is_another_amount_at_another_hour() -> None:
    steps = calendar(crew(Shift(WEEKDAYS, 8 * 3600, 18 * 3600, 6)), "Europe/Paris", at("2024-08-02T17:00"))
    assert steps[:3] == ((0.0, 6), (3600.0, 1), (63 * 3600.0, 6)), "Friday evening to Monday morning"


def test_a_night_shift_ends_the_day_after() -> None:
    night = Shift(frozenset((4,)), 20 * 3600, 6 * 3600, 3)
    steps = calendar(crew(night, amount=0), "Europe/Paris", at("2024-08-03T01:00"))
    assert steps[:2] == ((0.0, 3), (5 * 3600.0, 0))


def test_the_hour_that_a_night_loses_is_lost_to_the_shift() -> None:
    steps = calendar(crew(Shift(frozenset((6,)), 0, 6 * 3600, 4)), "Europe/Paris", at("2024-03-31T00:00"))
    assert steps[:2] == ((0.0, 4), (5 * 3600.0, 1))


def test_nothing_waits_for_ever_for_somebody_who_never_comes() -> None:
    steps = calendar(crew(Shift(WEEKDAYS, 8 * 3600, 9 * 3600, 2), amount=0), "Europe/Paris", at("2024-08-03T14:30"))
    assert steps[-1][1] == 2


def test_a_plan_at_night_waits_for_the_morning(estate_of: EstateOf) -> None:
    text = GATED.replace(
        'id = "validators-H01"\namount = 1',
        'id = "crew"\namount = 0\nshifts = [{days = "mon-sun", from = "08:00", until = "18:00", amount = 1}]',
    )
    estate = estate_of(text.replace('needs = ["disks"]', 'needs = ["disks"]\nuses = {crew = 1}'))
    plan = make_plan(estate, at=at("2024-08-03T07:00"))
    record = next(step for step in plan.steps if step.name == "record")
    assert (record.start_s, record.reason.kind, record.reason.capacity) == (3600.0, "shift", "crew")
