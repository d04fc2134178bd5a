"""plan: how near a plan comes to what no order can beat, beside OR-tools CP-SAT in the same run.

Two measurements: an invented centre of full size (`centre`), where the makespan of one CPU-second of search stands
beside the lower bound, the plan that is shipped, a random order and CP-SAT; and PSPLIB instances where a folder of them
is named, beside the best makespans anybody has published. Only the search of the shortest is measured: the plan that is
shipped prefers what care waits for, and its makespan is printed for what that costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from releve.bench.centre import centre
from releve.bench.psplib import read_instances
from releve.recovery.bound import lower_bound
from releve.recovery.dispatch import timetable
from releve.recovery.plan import check
from releve.recovery.problem import Problem, restart_problem
from releve.recovery.search import search, weighted_return

SEARCH_CPU_S, RIVAL_S, PSPLIB_CPU_S = 1.0, 30.0, 2.0

#: What is asked of it: makespan over bound; share above the best known of each set.
RATIO_MAX = 1.20
ABOVE_MAX = {"J30": 0.002, "J60": None, "J120": 0.05}

#: CP-SAT counts in whole numbers: seconds are near enough.
_RIVAL_WORKERS = 2


@dataclass(frozen=True)
class CentreFigures:
    """Seconds of the plan, and ratios to the bound."""

    seed: int
    steps: int
    capacities: int
    bound_s: float
    bottleneck: str
    random_s: float
    makespan_s: float
    search_cpu_s: float
    ratio: float
    shipped_s: float
    shipped_mean_s: float
    makespan_mean_s: float
    rival_s: float | None
    rival_bound_s: float | None
    rival_cpu_s: float


@dataclass(frozen=True)
class SetFigures:
    """One set of PSPLIB: mean share above the best known makespan, and how often that was reached."""

    name: str
    instances: int
    above: float
    reached: int
    cpu_s: float


@dataclass(frozen=True)
class PlanFigures:
    """Both measurements; no sets where no folder was named."""

    centre: CentreFigures
    sets: tuple[SetFigures, ...]


def measure(
    *,
    psplib: Path | None = None,
    seed: int = 1,
    hospitals: int = 38,
    hosts: int = 480,
    search_cpu_s: float = SEARCH_CPU_S,
    rival_s: float = RIVAL_S,
    psplib_cpu_s: float = PSPLIB_CPU_S,
    say: Callable[[str], None] = lambda line: None,
) -> PlanFigures:
    """Return how good plans are.

    psplib   folder of instances with best_known.json
    rival_s  wall time of CP-SAT; 0 leaves it out
    """
    figures = measure_centre(seed, hospitals, hosts, search_cpu_s, rival_s, say)
    sets = () if psplib is None else tuple(measure_set(psplib, name, psplib_cpu_s, say) for name in ABOVE_MAX)
    return PlanFigures(figures, tuple(one for one in sets if one.instances))


def measure_centre(
    seed: int, hospitals: int, hosts: int, search_cpu_s: float, rival_s: float, say: Callable[[str], None]
) -> CentreFigures:
    """Return how near a plan of an invented centre comes to its bound."""
    problem = restart_problem(centre(seed, hospitals=hospitals, hosts=hosts))
    durations = problem.believed_s()
    bound = lower_bound(problem, durations)
    rng = Random(seed)  # noqa: S311 - a search and a random order, no secret
    shuffled = timetable(problem, durations, [rng.random() for _ in durations])
    search(problem, durations, rng, objective="makespan", cpu_s=0.01)  # compiles; not measured
    say(f"  {problem.size} steps: {search_cpu_s:g} CPU-seconds of search")
    began = time.process_time()
    starts, ends = search(problem, durations, rng, objective="makespan", cpu_s=search_cpu_s)
    took = time.process_time() - began
    shipped = search(problem, durations, rng)
    for found in ((starts, ends), shipped, shuffled):
        flaws = check(problem, durations, *found)
        assert not flaws, flaws
    rival: tuple[float | None, float | None] = (None, None)
    began = time.process_time()
    if rival_s > 0 and find_spec("ortools") is not None:
        say(f"  OR-tools CP-SAT: {rival_s:g} s on {_RIVAL_WORKERS} workers")
        rival = cp_sat(problem, durations, rival_s)
    return CentreFigures(
        seed=seed,
        steps=problem.size,
        capacities=len(problem.capacities),
        bound_s=bound.least_s,
        bottleneck=bound.bottleneck or "the chain of needs",
        random_s=max(shuffled[1]),
        makespan_s=max(ends),
        search_cpu_s=took,
        ratio=max(ends) / bound.least_s,
        shipped_s=max(shipped[1]),
        shipped_mean_s=weighted_return(problem, shipped[1]),
        makespan_mean_s=weighted_return(problem, ends),
        rival_s=rival[0],
        rival_bound_s=rival[1],
        rival_cpu_s=time.process_time() - began,
    )


def measure_set(folder: Path, name: str, cpu_s: float, say: Callable[[str], None]) -> SetFigures:
    """Return how far above the best known makespans the search stays, an instance proved best ends its search."""
    instances = read_instances(folder, name)
    above: list[float] = []
    began = time.process_time()
    for one in instances:
        least_s = one.best_known if one.is_proved else 0.0
        starts, ends = search(
            one.problem,
            one.durations,
            Random(1),  # noqa: S311 - a search, no secret
            objective="makespan",
            cpu_s=cpu_s,
            may_wait=True,
            least_s=least_s,
        )
        flaws = check(one.problem, one.durations, starts, ends)
        assert not flaws, flaws
        above.append(max(ends) / one.best_known - 1)
    if instances:
        say(f"  PSPLIB {name}: {len(instances)} instances")
    return SetFigures(
        name,
        len(instances),
        sum(above) / len(above) if above else 0.0,
        sum(share < 1e-9 for share in above),
        time.process_time() - began,
    )


def cp_sat(problem: Problem, durations: Sequence[float], wall_s: float) -> tuple[float | None, float | None]:
    """Return the makespan that CP-SAT finds, None when it finds no plan, and its own bound.

    The model its documentation shows: an interval per task, a cumulative per capacity, the end of the last to be least.
    Of several that would do, the first is waited for: here those take no time.
    """
    cp_model: Any = import_module("ortools.sat.python.cp_model")
    model = cp_model.CpModel()
    whole = [round(length) for length in durations]
    horizon = sum(whole)
    starts = [model.new_int_var(0, horizon, "") for _ in whole]
    intervals = [model.new_fixed_size_interval_var(start, size, "") for start, size in zip(starts, whole, strict=True)]
    makespan = model.new_int_var(0, horizon, "")
    for task, groups in enumerate(problem.groups):
        for members in groups:
            model.add(starts[task] >= starts[members[0]] + whole[members[0]])
        model.add(makespan >= starts[task] + whole[task])
    for capacity, limit in enumerate(problem.capacities):
        users = [
            (task, amount)
            for task, pairs in enumerate(problem.uses)
            for used, amount in pairs
            if used == capacity and whole[task]
        ]
        model.add_cumulative([intervals[task] for task, _ in users], [amount for _, amount in users], limit)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = wall_s
    solver.parameters.num_workers = _RIVAL_WORKERS
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return (solver.objective_value if found else None), solver.best_objective_bound


def report(figures: PlanFigures) -> list[str]:
    """Return the figures as lines, each beside its limit and its peer."""
    one = figures.centre
    rival = "not installed or left out" if not one.rival_cpu_s else "no plan found"
    if one.rival_s is not None:
        rival = (
            f"{_minutes(one.rival_s)}  {one.rival_s / one.bound_s:5.2f} × bound  ({one.rival_cpu_s:.0f} CPU-seconds)"
        )
    lines = [
        f"centre of {one.steps} steps and {one.capacities} capacities, seed {one.seed}; bottleneck {one.bottleneck}",
        f"  limit: no order is shorter than      {_minutes(one.bound_s)}",
        f"  peer: OR-tools CP-SAT                {rival}",
        f"  a random legal order                 {_minutes(one.random_s)}  {one.random_s / one.bound_s:5.2f} × bound",
        f"  shortest in {one.search_cpu_s:5.2f} CPU-seconds        {_minutes(one.makespan_s)} {one.ratio:5.2f} × bound "
        f"(asked at most {RATIO_MAX:.2f}); weighted return after {_minutes(one.makespan_mean_s).strip()}",
        f"  the shipped plan, by tier           {_minutes(one.shipped_s)}  {one.shipped_s / one.bound_s:4.2f} × bound; "
        f"weighted return after {_minutes(one.shipped_mean_s).strip()}",
    ]
    for of_set in figures.sets:
        limit = ABOVE_MAX.get(of_set.name)
        asked = f" (asked at most {limit:.1%})" if limit is not None else ""
        lines.append(
            f"  PSPLIB {of_set.name:<5} {of_set.above:6.2%} above the best known{asked}; "
            f"reached in {of_set.reached} of {of_set.instances}, {of_set.cpu_s / of_set.instances:.1f} CPU-seconds each"
        )
    return lines


def as_json(figures: PlanFigures) -> dict[str, Any]:
    """Return the figures for a file."""
    return asdict(figures) | {"holds": holds(figures)}


def holds(figures: PlanFigures) -> bool:
    """Return whether everything that is asked is held."""
    limits = [(one.above, ABOVE_MAX.get(one.name)) for one in figures.sets]
    return figures.centre.ratio <= RATIO_MAX and all(limit is None or above <= limit for above, limit in limits)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:7.1f} min"
