"""Forecasts: honest at the start, learning on the way, and never about what a person must first mend."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from random import Random

import msgspec
import pytest

from releve.estate import Estate
from releve.recovery.dispatch import timetable
from releve.recovery.forecast import Forecast, Progress, forecast, learn, progress_of
from releve.recovery.journal import Happened
from releve.recovery.plan import make_plan
from releve.recovery.problem import restart_problem

EstateOf = Callable[[str], Estate]

#: Durations, starts and ends of one restart as it really went.
Day = tuple[list[float], list[float], list[float]]

NOTHING = Progress({}, {}, (), ())


def centre(services: int = 8, belief: str = "failure_share = 0.0") -> str:
    text = f"""
[restart]
at_once = 3

[forecast]
{belief}

[[feed]]
id = "power"
probe = "tcp://127.0.0.1:1"

[[unit]]
id = "storage"
needs = ["power"]
duration = {{p50_s = 60, p90_s = 100}}
start = {{command = ["x"]}}

[[unit]]
id = "db"
needs = ["storage"]
duration = {{p50_s = 90, p90_s = 180}}
start = {{command = ["x"]}}
"""
    for index in range(services):
        text += f"""
[[service]]
id = "s{index}"
tier = {1 if index < services // 2 else 3}
needs = ["db"]
duration = {{p50_s = {40 + 10 * index}, p90_s = {90 + 15 * index}}}
start = {{command = ["x"]}}
"""
    return text


def test_before_anything_is_measured_it_is_provisional_and_counts_from_the_power(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    found = forecast(estate, progress_of(estate, [], 0), 0, Random(1))
    assert found.provisional
    assert found.after == ("power",)
    assert found.essential is not None
    assert found.last is not None
    assert found.essential.p50_s < found.last.p50_s < found.last.p90_s
    assert found.essential.p90_s <= found.last.p90_s


def test_the_plan_date_is_more_optimistic_than_the_forecast(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    found = forecast(estate, NOTHING, 0, Random(1))
    assert found.last is not None
    assert make_plan(estate).makespan_s < found.last.p50_s


def test_a_slow_day_is_learned_from_what_is_finished(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    as_believed = forecast(estate, Progress({"power": None, "storage": 60.0, "db": 90.0}, {}, (), ()), 0, Random(1))
    slow = forecast(estate, Progress({"power": None, "storage": 130.0, "db": 220.0}, {}, (), ()), 0, Random(1))
    assert as_believed.last is not None
    assert slow.last is not None
    assert 0.85 < as_believed.factor < 1.2
    assert 1.5 < slow.factor < 2.6
    assert slow.last.p50_s > 1.5 * as_believed.last.p50_s
    assert not slow.provisional


def test_what_still_runs_teaches_too(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    just_begun, long_running = (
        learn(estate, Progress({"power": None}, {"storage": elapsed}, (), ())) for elapsed in (1.0, 150.0)
    )
    means = [
        sum(g * w for g, w in zip(grid, weights, strict=True)) / sum(weights)
        for grid, weights in (just_begun, long_running)
    ]
    assert exp(means[0]) == pytest.approx(1.0, abs=0.05)
    assert exp(means[1]) > 1.4


def test_one_repaired_step_does_not_decide_about_the_day(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    usual = {"power": None, "db": 90.0, "s0": 40.0, "s1": 50.0, "s2": 60.0}
    odd = forecast(estate, Progress({**usual, "storage": 6000.0}, {}, (), ()), 0, Random(1))
    assert odd.factor < 1.5


def test_a_running_step_is_never_promised_into_the_past(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    found = forecast(estate, Progress({"power": None}, {"storage": 5000.0}, (), ()), 0, Random(1))
    assert all(0 <= span.p50_s <= span.p90_s for span in found.units.values())


def test_what_failed_has_no_range_and_neither_has_what_needs_it(estate_of: EstateOf) -> None:
    phone = '[[service]]\nid = "phone"\nduration = {p50_s = 5, p90_s = 9}\nstart = {command = ["x"]}\n'
    estate = estate_of(centre() + phone)

    found = forecast(estate, Progress({"power": None, "storage": 60.0}, {}, (), ("db",)), 0, Random(1))
    assert set(found.unknown) == {"db", *(f"s{index}" for index in range(8))}
    assert list(found.units) == ["phone"]
    assert found.essential is None
    assert found.last is None


def test_the_journal_says_where_the_restart_stands(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    journal = [
        Happened(0, "run-began", ""),
        Happened(1_000_000, "up", "power", took_s=1.0),
        Happened(1_000_000, "start-began", "storage"),
        Happened(61_000_000, "up", "storage", took_s=60.0),
        Happened(61_000_000, "start-began", "db"),
        Happened(70_000_000, "failed", "s0"),
        Happened(99_000_000, "up", "db", took_s=38.0),
    ]
    found = progress_of(estate, journal, 71_000_000)
    assert found == Progress({"power": None, "storage": 60.0}, {"db": 10.0}, (), ("s0",))
    assert progress_of(estate, journal[:1], 500_000).waited == ("power",)


def test_the_same_dice_give_the_same_forecast(estate_of: EstateOf) -> None:
    estate = estate_of(centre(belief="failure_share = 0.1\nrepair_s = 100"))
    assert forecast(estate, NOTHING, 5, Random(7)) == forecast(estate, NOTHING, 5, Random(7))


def true_day(estate: Estate, rng: Random, scale: float) -> Day:
    """Return durations, starts and ends of one restart as it really went."""
    factor = scale * exp(rng.gauss(0.0, 0.25))
    durations = [
        exp(unit.duration.mu + unit.duration.sigma * rng.gauss(0.0, 1.0)) * factor if unit.duration else 0.0
        for unit in estate.units.values()
    ]
    problem = restart_problem(estate)
    priority = make_plan(estate).priority
    return durations, *timetable(problem, durations, [priority[name] for name in problem.names])


def forecast_at(estate: Estate, day: Day, share: float) -> tuple[Forecast, float]:
    """Return the forecast issued when a share of the restart had passed, and how long the rest really took."""
    durations, starts, ends = day
    now = share * max(ends)
    names = list(estate.units)
    done = {name: durations[i] or None for i, name in enumerate(names) if ends[i] <= now}
    running = {name: now - starts[i] for i, name in enumerate(names) if starts[i] <= now < ends[i]}
    return forecast(estate, Progress(done, running, (), ()), 0, Random(3), runs=120), max(ends) - now


@pytest.mark.parametrize("scale", [1.0, 1.8])
def test_the_p90_holds_even_when_every_belief_was_wrong(scale: float, estate_of: EstateOf) -> None:
    estate = estate_of(centre(services=12))
    rng = Random(5)
    # The same beliefs, sure of themselves: a day that may not differ cannot be learned.
    sure = estate_of(centre(services=12, belief="failure_share = 0.0\nday_spread = 0.01"))
    kept = kept_sure = 0
    days = 60
    for _ in range(days):
        day = true_day(estate, rng, scale)
        learned, rest_s = forecast_at(estate, day, 0.5)
        unmoved, _ = forecast_at(sure, day, 0.5)
        assert learned.last is not None
        assert unmoved.last is not None
        kept += rest_s <= learned.last.p90_s
        kept_sure += rest_s <= unmoved.last.p90_s
    # Measured over many days: 0.89 and 0.86 (estate.Belief). Sixty days scatter by 0.04; three times that is a fault.
    assert kept / days >= 0.75
    # With beliefs that are right there is nothing to learn; with wrong ones a forecast that does not learn breaks down.
    assert scale == 1.0 or kept_sure / days < kept / days - 0.15


GATED = """\
[[site]]
id = "H01"
name = "Nord"
kind = "hospital"
[[site]]
id = "H02"
name = "Sud"
kind = "hospital"

[[contact]]
id = "duty"
name = "Duty"

[[storage]]
id = "disks"
start = {command = ["x"]}
check = {command = ["fsck"]}
duration = {p50_s = 60, p90_s = 100}
check_duration = {p50_s = 900, p90_s = 1500}

[[service]]
id = "record"
tier = 1
needs = ["disks"]
start = {command = ["x"]}
duration = {p50_s = 60, p90_s = 100}
release = "duty"
released_by_hospital = true
release_duration = {p50_s = 300, p90_s = 600}

[[service]]
id = "laundry"
tier = 4
hospitals = ["H02"]
start = {command = ["x"]}
duration = {p50_s = 5, p90_s = 9}
"""

SECOND = 1_000_000


def test_a_service_is_back_when_its_release_is_given_and_each_hospital_has_its_own_range(estate_of: EstateOf) -> None:
    estate = estate_of(GATED)
    journal = [
        Happened(0, "start-began", "disks"),
        Happened(60 * SECOND, "up", "disks", took_s=60.0),
        Happened(60 * SECOND, "start-began", "record"),
        Happened(120 * SECOND, "up", "record", took_s=60.0),
        Happened(120 * SECOND, "asked", "record", hospital="H01", act="release"),
        Happened(120 * SECOND, "asked", "record", hospital="H02", act="release"),
        Happened(300 * SECOND, "released", "record", took_s=180.0, hospital="H01", by="A"),
    ]
    progress = progress_of(estate, journal, 400 * SECOND)
    assert progress.done["record/release/H01"] == 180.0
    assert progress.running == {"record/release/H02": 280.0}
    found = forecast(estate, progress, 400 * SECOND, Random(1))
    assert set(found.at_hospital["record"]) == {"H02"}
    assert set(found.units) == {"record", "laundry"}, "the record is not back while one hospital waits"
    assert set(found.hospitals) == {"H02"}
    assert found.essential == found.units["record"] == found.at_hospital["record"]["H02"]


def test_what_went_down_unclean_is_waited_for_until_it_is_checked(estate_of: EstateOf) -> None:
    estate = estate_of(GATED)
    clean = forecast(estate, NOTHING, 0, Random(1))
    doubted = progress_of(estate, [Happened(0, "unclean", "disks")], 0)
    assert doubted.unclean == ("disks",)
    unclean = forecast(estate, doubted, 0, Random(1))
    assert clean.essential is not None
    assert unclean.essential is not None
    assert unclean.essential.p50_s > clean.essential.p50_s + 500
    broken = progress_of(estate, [Happened(0, "unclean", "disks"), Happened(0, "check-failed", "disks")], 0)
    assert set(forecast(estate, broken, 0, Random(1)).unknown) == {"disks", "record"}


def test_a_refusal_leaves_no_date_until_somebody_releases_after_all(estate_of: EstateOf) -> None:
    estate = estate_of(GATED)
    journal = [
        Happened(0, "up", "disks"),
        Happened(0, "up", "record"),
        Happened(0, "refused", "record", hospital="H01", by="A"),
    ]
    found = forecast(estate, progress_of(estate, journal, 0), 0, Random(1))
    assert found.unknown == ("record",)
    assert set(found.hospitals) == {"H02"}
    journal.append(Happened(9, "released", "record", by="B"))
    assert forecast(estate, progress_of(estate, journal, 9), 9, Random(1)).unknown == ()


def test_a_step_back_takes_its_gates_back_too(estate_of: EstateOf) -> None:
    estate = estate_of(GATED)
    journal = [
        Happened(0, "up", "disks", took_s=3.0),
        Happened(1, "checked", "disks", took_s=4.0),
        Happened(2, "step-back", "disks"),
    ]
    assert progress_of(estate, journal, 3) == Progress({}, {}, (), ())


def test_before_anything_is_measured_the_range_is_wider_than_what_was_measured_makes_it(estate_of: EstateOf) -> None:
    estate = estate_of(centre())
    first = forecast(estate, NOTHING, 0, Random(1))
    told = forecast(estate, Progress({"storage": 60.0}, {}, (), ()), 0, Random(1))
    assert first.provisional
    assert not told.provisional
    assert first.last is not None
    assert told.last is not None
    assert first.last.p90_s / first.last.p50_s > told.last.p90_s / told.last.p50_s


def test_a_forecast_is_kept_as_it_was_published(estate_of: EstateOf) -> None:
    found = forecast(estate_of(GATED), NOTHING, 5, Random(1))
    assert msgspec.convert(msgspec.to_builtins(found), Forecast) == found
