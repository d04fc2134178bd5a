"""forecast: whether what was promised held, over simulated restarts, and what a forecast costs beside a plan.

Each restart has its own day: every duration is drawn around its belief, all of them share a factor nobody told, three
in a hundred starts fail and are repaired; in a third of the restarts everything moreover takes 1.8 times what was
believed. The live dispatch plays it. At the start, at a quarter and at half of the way a forecast is made from what is
finished and what still runs, and compared with when the last service really was back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import exp
from random import Random
from typing import Any

from releve.bench.centre import centre
from releve.estate import REPAIR_TIMES, Estate
from releve.recovery.dispatch import Timetables
from releve.recovery.forecast import Forecast, Progress, forecast
from releve.recovery.plan import Plan, make_plan
from releve.recovery.problem import Problem, restart_problem

DAYS, WRONG_DAYS = 120, 40
HOSPITALS, HOSTS = 10, 60
WRONG_FACTOR = 1.8

#: Spread of the factor of a day that no belief tells.
DAY_SPREAD = 0.25

SHARES = (0.0, 0.25, 0.5)
RUNS = 300

#: The size on which the cost is measured, and on how many imagined days.
COST_RUNS = 2000

#: What is asked of it.
COVERED_MIN, COVERED_MAX, P50_ERROR_MAX, COST_CPU_S_MAX = 0.85, 0.95, 0.10, 10.0

#: Days enough that compiling pays from the first on.
_MANY = 1_000_000

Day = tuple[list[float], list[float], list[float]]


@dataclass(frozen=True)
class AtShare:
    """How the forecasts made at one share of the way turned out.

    covered        share of the restarts whose last service was back before P90
    covered_wrong  the same of those whose durations were all WRONG_FACTOR times the belief
    p50_error      mean distance of P50 from the truth, as share of the whole restart
    p50_error_rest the same as share of what was left of it
    """

    share: float
    covered: float
    covered_wrong: float
    p50_error: float
    p50_error_rest: float


@dataclass(frozen=True)
class ForecastFigures:
    """Shares, and process time."""

    steps: int
    days: int
    wrong_days: int
    plan_date_met: float
    at: tuple[AtShare, ...]
    cost_steps: int
    cost_runs: int
    cost_cpu_s: float
    plan_cpu_s: float


def measure(
    *,
    days: int = DAYS,
    wrong_days: int = WRONG_DAYS,
    hospitals: int = HOSPITALS,
    hosts: int = HOSTS,
    seed: int = 2024,
    runs: int = RUNS,
    cost: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> ForecastFigures:
    """Return how often the forecasts held, and what one of full size costs.

    cost  measure that as well; it takes the full centre
    """
    estate = centre(seed, hospitals=hospitals, hosts=hosts)
    plan = make_plan(estate)
    problem = restart_problem(estate)
    rng = Random(seed)  # noqa: S311 - draws of a simulation
    wrong = [True] * wrong_days + [False] * (days - wrong_days)
    outcomes: list[tuple[bool, list[tuple[bool, float, float]]]] = []
    met = 0
    for number, is_wrong in enumerate(wrong, 1):
        day = true_day(problem, estate, plan, rng, WRONG_FACTOR if is_wrong else 1.0)
        end_s = max(day[2])
        met += end_s <= plan.makespan_s
        rows = []
        for share in SHARES:
            found = forecast_at(estate, problem, plan, day, share, rng, runs)
            rest_s = end_s * (1 - share)
            assert found.last is not None
            off_s = abs(found.last.p50_s - rest_s)
            rows.append((rest_s <= found.last.p90_s, off_s / end_s, off_s / rest_s))
        outcomes.append((is_wrong, rows))
        if number % 20 == 0:
            say(f"  {number} of {days} restarts")
    costs = cost_of_full_size(say) if cost else (0, 0.0, 0.0)
    return ForecastFigures(
        steps=problem.size,
        days=days,
        wrong_days=wrong_days,
        plan_date_met=met / days,
        at=tuple(_at_share(share, place, outcomes) for place, share in enumerate(SHARES)),
        cost_steps=costs[0],
        cost_runs=COST_RUNS if cost else 0,
        cost_cpu_s=costs[1],
        plan_cpu_s=costs[2],
    )


def true_day(problem: Problem, estate: Estate, plan: Plan, rng: Random, scale: float) -> Day:
    """Return durations, starts and ends of one restart as it really went."""
    factor = scale * exp(rng.gauss(0.0, DAY_SPREAD))
    durations = []
    for belief, task in zip(problem.beliefs, problem.tasks, strict=True):
        if belief is None:
            durations.append(0.0)
            continue
        length = factor * exp(belief.mu + belief.sigma * rng.gauss(0.0, 1.0))
        if task.act == "start" and rng.random() < estate.belief.failure_share:
            length += rng.expovariate(1 / (estate.belief.repair_s or REPAIR_TIMES * belief.p50_s))
        durations.append(length)
    tables = Timetables(problem, _MANY)
    tables.durations(durations)
    starts, ends = tables.play([plan.priority[name] for name in problem.names])
    return durations, [float(start) for start in starts], [float(end) for end in ends]


def forecast_at(
    estate: Estate, problem: Problem, plan: Plan, day: Day, share: float, rng: Random, runs: int
) -> Forecast:
    """Return the forecast that was made when a share of the restart had passed."""
    durations, starts, ends = day
    now = share * max(ends)
    names = problem.names
    done = {names[task]: durations[task] or None for task in range(problem.size) if share and ends[task] <= now}
    running = {names[task]: now - starts[task] for task in range(problem.size) if starts[task] <= now < ends[task]}
    return forecast(estate, Progress(done, running if share else {}, (), ()), 0, rng, runs=runs, priority=plan.priority)


def cost_of_full_size(say: Callable[[str], None]) -> tuple[int, float, float]:
    """Return the steps of the full centre, and the process time of its forecast and of its plan."""
    say("  one forecast and one plan of the full centre")
    estate = centre(1)
    make_plan(estate, tries=50)  # what is compiled for the first time is not measured
    rng = Random(1)  # noqa: S311 - draws of a simulation
    forecast(estate, Progress({}, {}, (), ()), 0, rng, runs=200, priority={})
    began = time.process_time()
    plan = make_plan(estate)
    planned = time.process_time()
    forecast(estate, Progress({}, {}, (), ()), 0, rng, runs=COST_RUNS, priority=plan.priority)
    return len(plan.steps), time.process_time() - planned, planned - began


def report(figures: ForecastFigures) -> list[str]:
    """Return the figures as lines, each beside what is asked of it."""
    lines = [
        f"{figures.days} restarts of {figures.steps} steps, {figures.wrong_days} of them {WRONG_FACTOR:g} times slower "
        "than believed",
        f"  peer: the end of the plan as a promise     held {figures.plan_date_met:6.1%}",
    ]
    for at in figures.at:
        asked = f" (asked {COVERED_MIN:.0%} to {COVERED_MAX:.0%})" if at.share else " (the first: provisional)"
        lines.append(
            f"  P90 at {at.share:3.0%} of the way                    held {at.covered:6.1%}{asked}; "
            f"where beliefs were wrong {at.covered_wrong:.1%}"
        )
        asked = f" (asked at most {P50_ERROR_MAX:.0%})" if at.share == 0.5 else ""
        lines.append(
            f"  P50 at {at.share:3.0%} of the way                     off {at.p50_error:6.1%} of the restart{asked}, "
            f"{at.p50_error_rest:.1%} of what was left"
        )
    if figures.cost_runs:
        ratio = figures.cost_cpu_s / figures.plan_cpu_s
        lines.append(
            f"  {figures.cost_runs} imagined days of {figures.cost_steps} steps: {figures.cost_cpu_s:.2f} CPU-seconds "
            f"(asked at most {COST_CPU_S_MAX:g}), {ratio:.2f} × one plan ({figures.plan_cpu_s:.2f})"
        )
    return lines


def as_json(figures: ForecastFigures) -> dict[str, Any]:
    """Return the figures for a file."""
    ratio = figures.cost_cpu_s / figures.plan_cpu_s if figures.plan_cpu_s else None
    return asdict(figures) | {"ratio_to_one_plan": ratio, "holds": holds(figures)}


def holds(figures: ForecastFigures) -> bool:
    """Return whether everything that is asked is held."""
    on_the_way = [at for at in figures.at if at.share]
    half = next(at for at in figures.at if at.share == 0.5)
    return (
        all(COVERED_MIN <= at.covered <= COVERED_MAX for at in on_the_way)
        and half.p50_error <= P50_ERROR_MAX
        and figures.cost_cpu_s <= COST_CPU_S_MAX
    )


def _at_share(
    share: float, place: int, outcomes: Sequence[tuple[bool, Sequence[tuple[bool, float, float]]]]
) -> AtShare:
    rows = [of_day[place] for _, of_day in outcomes]
    wrong = [of_day[place] for is_wrong, of_day in outcomes if is_wrong]
    return AtShare(
        share=share,
        covered=_mean([held for held, _, _ in rows]),
        covered_wrong=_mean([held for held, _, _ in wrong]),
        p50_error=_mean([error for _, error, _ in rows]),
        p50_error_rest=_mean([error for _, _, error in rows]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
