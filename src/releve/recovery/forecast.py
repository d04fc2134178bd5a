"""The forecast: until when, as a range that learns from the durations of the day.

The live dispatch is simulated many times from where the restart stands (`imagined`): what is done stays done, what runs
has already taken its time, the rest is drawn anew; a start may fail and be repaired. A factor common to the whole day
(everything is slow today) is learned: finished steps say how long they took, running ones that they are not done yet;
leaving those out would promise too much.
A plan's end is no forecast: simulated restarts exceed it nineteen times in twenty (recovery facts, sections 0 and 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import exp
from random import Random
from typing import Any

from releve.clock import Instant
from releve.estate import Estate
from releve.recovery.journal import Happened
from releve.recovery.plan import make_plan
from releve.recovery.problem import Problem, Task, restart_problem

RUNS = 200

#: Before anything was measured the day may differ so much more than its spread says: of restarts whose durations are
#: all 1.8 times the belief, the first P90 otherwise holds 59 times in 100 (recovery facts, section 4).
FIRST_SPREAD = 1.3

#: Nobody waits for what is essential beyond this tier.
ESSENTIAL_TIER_MAX = 1


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the moment of issue: as likely before as after p50_s, nine times in ten before p90_s."""

    p50_s: float
    p90_s: float


@dataclass(frozen=True)
class Progress:
    """Where a restart stands, by names of tasks (`problem`): units, and their checks and releases.

    done      name → how long it took; None: it was up already, was skipped or came by itself, and teaches nothing
    running   name → how long it has been running
    waited    units that come by themselves and are not here yet (power)
    lost      failed or blocked: a person must act, and no range can be given
    unclean   units that went down without a clean stop
    """

    done: dict[str, float | None]
    running: dict[str, float]
    waited: tuple[str, ...]
    lost: tuple[str, ...]
    unclean: tuple[str, ...] = ()

    @property
    def measured(self) -> int:
        """Number of steps whose duration is known."""
        return sum(took is not None for took in self.done.values())


@dataclass(frozen=True)
class Forecast:
    """What is expected, as of one moment. It is kept when it is replaced: a slip is shown with the old value.

    provisional  nothing has been measured today: these are beliefs alone, and their range is wider for it
    after        units without whose return the clock does not run (power); every span counts from their return
    factor       how much slower than believed the day is, P50: 1.0 as believed, 2.0 twice as slow
    units        unit → span until it is back, released to care where that is asked for; only what is not back yet
    essential    until the last service of tier 0 and 1; None: all are back, or one of them is lost
    last         until the very last
    unknown      units for which nothing can be said until a person acts
    hospitals    hospital → span until all its services are back; none where one of them is lost
    at_hospital  unit → hospital → span, for what every hospital gets by itself
    """

    issued_at: Instant
    provisional: bool
    after: tuple[str, ...]
    factor: float
    units: dict[str, Span]
    essential: Span | None
    last: Span | None
    unknown: tuple[str, ...]
    runs: int
    hospitals: dict[str, Span] = field(default_factory=dict)
    at_hospital: dict[str, dict[str, Span]] = field(default_factory=dict)


def progress_of(estate: Estate, journal: Iterable[Happened], at: Instant) -> Progress:
    """Return where a restart stands, read from its journal."""
    standing = _Reading(estate)
    for line in journal:
        if line.at <= at and line.unit in estate.units:
            standing.take(line)
    return standing.progress(at)


def forecast(
    estate: Estate,
    progress: Progress,
    at: Instant,
    rng: Random,
    *,
    runs: int = RUNS,
    priority: dict[str, float] | None = None,
) -> Forecast:
    """Return when what is not back yet will be, from where the restart stands.

    priority  of the live run (plan.priority); made anew when not given
    """
    imagined: Any = import_module("releve.recovery.imagined")  # arrays: not before somebody asks
    problem = restart_problem(estate, unclean=progress.unclean, at=at)
    ranks = make_plan(estate, unclean=progress.unclean, at=at).priority if priority is None else priority
    order = [ranks.get(task.name, ranks.get(task.unit, 0.0)) for task in problem.tasks]
    standing = _standing(imagined, problem, progress)
    spread = estate.belief.day_spread * (1.0 if progress.measured else FIRST_SPREAD)
    factor = imagined.learn_factor(problem, standing, spread)
    ends, lost = imagined.imagine(problem, order, estate.belief, factor, standing, rng, runs)
    done = set(standing.done)
    spans = _Spans(ends, [task not in done for task in range(problem.size)], set(lost))
    of_unit: dict[str, list[int]] = {}
    for number, task in enumerate(problem.tasks):
        of_unit.setdefault(task.unit, []).append(number)
    essential = [task for unit, tasks in of_unit.items() if _is_essential(estate, unit) for task in tasks]
    return Forecast(
        issued_at=at,
        provisional=not progress.measured,
        after=tuple(one for one in progress.waited if estate.units[one].duration is None),
        factor=exp(_median(*factor)),
        units={unit: span for unit, tasks in of_unit.items() if (span := spans.until(tasks)) is not None},
        essential=spans.until(essential),
        last=spans.until(range(problem.size)),
        unknown=tuple(unit for unit, tasks in of_unit.items() if any(task in spans.lost for task in tasks)),
        runs=runs,
        hospitals=_by_hospital(estate, problem, of_unit, spans),
        at_hospital=_at_hospital(problem, spans),
    )


def learn(estate: Estate, progress: Progress) -> tuple[list[float], list[float]]:
    """Return values of the logarithm of the day's factor, and how likely each is by now."""
    imagined: Any = import_module("releve.recovery.imagined")
    problem = restart_problem(estate, unclean=progress.unclean)
    grid, weights = imagined.learn_factor(problem, _standing(imagined, problem, progress), estate.belief.day_spread)
    return grid.tolist(), weights.tolist()


class _Reading:
    """The journal of a restart, taken line by line."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._done: dict[str, float | None] = {}
        self._running: dict[str, Instant] = {}
        self._lost: dict[str, None] = {}
        self._unclean: dict[str, None] = {}

    def take(self, line: Happened) -> None:
        """Take one line about a unit."""
        unit = line.unit
        match line.kind:
            case "start-began":
                self._began(unit, line.at)
            case "up":
                self._ended(unit, line.took_s if self._estate.units[unit].start is not None else None)
            case "already-up" | "skipped":
                self._ended(unit, None)
            case "failed" | "blocked":
                self._gone(unit)
            case "check-began":
                self._began(f"{unit}/check", line.at)
            case "checked":
                self._ended(f"{unit}/check", line.took_s)
            case "check-failed":
                self._gone(f"{unit}/check")
            case "asked" if line.act == "release":
                self._each_release(line, lambda name: self._began(name, line.at))
            case "released":
                self._each_release(line, lambda name: self._ended(name, line.took_s))
            case "refused":
                self._each_release(line, self._gone)
            case "unclean":
                self._unclean[unit] = None
            case "down" | "stop-began" | "step-back":
                self._is_down(unit)

    def progress(self, at: Instant) -> Progress:
        """Return where it stands after the lines so far."""
        waited = tuple(
            unit.id
            for unit in self._estate.units.values()
            if unit.start is None and unit.probe is not None and unit.id not in self._done and unit.id not in self._lost
        )
        elapsed = {name: max((at - since) / 1e6, 0.0) for name, since in self._running.items()}
        return Progress(self._done, elapsed, waited, tuple(self._lost), tuple(self._unclean))

    def _began(self, name: str, at: Instant) -> None:
        self._running.setdefault(name, at)
        self._lost.pop(name, None)

    def _ended(self, name: str, took_s: float | None) -> None:
        self._running.pop(name, None)
        self._lost.pop(name, None)
        self._done[name] = took_s

    def _is_down(self, unit: str) -> None:
        """Forget how far a unit and its gates had come: it is to be started again."""
        for name in {*self._done, *self._running, *self._lost}:
            if name == unit or name.startswith(f"{unit}/"):
                self._done.pop(name, None)
                self._running.pop(name, None)
                self._lost.pop(name, None)

    def _gone(self, name: str) -> None:
        self._running.pop(name, None)
        self._lost[name] = None

    def _each_release(self, line: Happened, note: Callable[[str], None]) -> None:
        """Note something about the release of a unit, of one hospital or, where each is asked, of all of them."""
        unit = self._estate.units[line.unit]
        name = f"{unit.id}/release"
        if line.hospital:
            note(f"{name}/{line.hospital}")
        elif unit.released_by_hospital:
            for hospital in unit.hospitals:
                note(f"{name}/{hospital}")
        else:
            note(name)


class _Spans:
    """Spans out of imagined days."""

    def __init__(self, ends: Any, is_open: Sequence[bool], lost: set[int]) -> None:
        self._ends = ends
        self._is_open = is_open
        self.lost = lost

    def until(self, tasks: Iterable[int]) -> Span | None:
        """Return the span of the last of some tasks, None when all are done or one of them may never come."""
        open_tasks = [task for task in tasks if self._is_open[task]]
        if not open_tasks or any(task in self.lost for task in open_tasks):
            return None
        latest = self._ends[:, open_tasks].max(axis=1)
        latest.sort()
        days = len(latest)
        return Span(*(float(latest[max(-(-share * days // 100) - 1, 0)]) for share in (50, 90)))


def _standing(imagined: Any, problem: Problem, progress: Progress) -> Any:
    """Return where a restart stands in numbers of tasks; names that the problem does not know are past."""
    number = problem.number()
    done = [number[name] for name in progress.done if name in number]
    ended = set(done)
    running = {number[name]: seconds for name, seconds in progress.running.items() if name in number}
    return imagined.Standing(
        done=done,
        took={
            number[name]: took_s
            for name, took_s in progress.done.items()
            if name in number and took_s and number[name] not in problem.assumed
        },
        running={task: seconds for task, seconds in running.items() if task not in ended},
        lost=[number[name] for name in progress.lost if name in number and number[name] not in ended],
    )


def _by_hospital(estate: Estate, problem: Problem, of_unit: dict[str, list[int]], spans: _Spans) -> dict[str, Span]:
    """Return until when every service of a hospital is back there; what is released elsewhere is not waited for."""
    found = {}
    services = [(unit, of_unit[unit.id]) for unit in estate.services()]
    for hospital in estate.hospitals():
        tasks = [
            task
            for unit, numbers in services
            if hospital.id in unit.hospitals
            for task in numbers
            if problem.tasks[task].hospital in ("", hospital.id)
        ]
        if (span := spans.until(tasks)) is not None:
            found[hospital.id] = span
    return found


def _at_hospital(problem: Problem, spans: _Spans) -> dict[str, dict[str, Span]]:
    found: dict[str, dict[str, Span]] = {}
    for number, task in enumerate(problem.tasks):
        if _is_for_one(task) and (span := spans.until((number,))) is not None:
            found.setdefault(task.unit, {})[task.hospital] = span
    return found


def _is_for_one(task: Task) -> bool:
    return task.act == "release" and task.hospital != ""


def _is_essential(estate: Estate, unit: str) -> bool:
    return estate.units[unit].tier <= ESSENTIAL_TIER_MAX


def _median(grid: Sequence[float], weights: Sequence[float]) -> float:
    half, so_far = sum(weights) / 2, 0.0
    for value, weight in zip(grid, weights, strict=True):
        so_far += weight
        if so_far >= half:
            return float(value)
    return float(grid[-1])
