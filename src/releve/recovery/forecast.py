"""The forecast: until when, as a range that learns from the durations of the day.

The live dispatch is simulated many times from where the restart stands: what is done stays done, what runs has already
taken its time, the rest is drawn anew. A factor common to the whole day (everything is slow today) is learned: finished
steps say how long they took, running ones that they are not done yet; leaving those out would promise too much.
A plan's end is no forecast: simulated restarts exceed it nineteen times in twenty (recovery facts, sections 0 and 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, exp, log, sqrt
from random import Random
from statistics import NormalDist

from releve.clock import Instant
from releve.estate import REPAIR_TIMES, Duration, Estate
from releve.recovery.dispatch import Dispatch
from releve.recovery.journal import Happened
from releve.recovery.plan import make_plan
from releve.recovery.problem import UNKNOWN, Problem, restart_problem

RUNS = 200

#: Values of the day's factor that are weighed, three spreads to either side (recovery facts: 60 to 80 are enough).
GRID = 64

#: A step that failed and was repaired says little about the day: so much weight goes to "anything may have happened".
ODD_SHARE, ODD_SPREAD = 0.03, 2.0

#: A belief without any spread would let one step decide about the whole day.
SPREAD_MIN = 0.05

#: Nobody waits for what is essential beyond this tier.
ESSENTIAL_TIER_MAX = 1

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the moment of issue: as likely before as after p50_s, nine times in ten before p90_s."""

    p50_s: float
    p90_s: float


@dataclass(frozen=True)
class Progress:
    """Where a restart stands.

    done      unit → how long its start took; None: it was up already, or came by itself, and teaches nothing
    running   unit → how long its start has been running
    waited    units that come by themselves and are not here yet (power)
    lost      failed or blocked: a person must act, and no range can be given
    """

    done: dict[str, float | None]
    running: dict[str, float]
    waited: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def measured(self) -> int:
        """Number of starts whose duration is known."""
        return sum(took is not None for took in self.done.values())


@dataclass(frozen=True)
class Forecast:
    """What is expected, as of one moment. It is kept when it is replaced: a slip is shown with the old value.

    provisional  nothing has been measured today: these are beliefs alone
    after        units without whose return the clock does not run (power); every span counts from their return
    factor       how much slower than believed the day is, P50: 1.0 as believed, 2.0 twice as slow
    units        unit → span, for what is not back yet
    essential    until the last service of tier 0 and 1; None: all are back, or one of them is lost
    last         until the very last
    unknown      units for which nothing can be said until a person acts
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


def progress_of(estate: Estate, journal: Iterable[Happened], at: Instant) -> Progress:
    """Return where a restart stands, read from its journal."""
    done: dict[str, float | None] = {}
    running: dict[str, Instant] = {}
    lost: dict[str, None] = {}
    for line in journal:
        if line.at > at or not line.unit:
            continue
        if line.kind == "start-began":
            running.setdefault(line.unit, line.at)
            lost.pop(line.unit, None)
        elif line.kind in ("up", "already-up"):
            running.pop(line.unit, None)
            is_start = line.kind == "up" and estate.units[line.unit].start is not None
            done[line.unit] = line.took_s if is_start else None
        elif line.kind in ("failed", "blocked"):
            running.pop(line.unit, None)
            lost[line.unit] = None
    waited = tuple(
        unit.id
        for unit in estate.units.values()
        if unit.start is None and unit.probe is not None and unit.id not in done and unit.id not in lost
    )
    elapsed = {unit: max((at - since) / 1e6, 0.0) for unit, since in running.items()}
    return Progress(done, elapsed, waited, tuple(lost))


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
    problem = restart_problem(estate)
    ranks = priority or make_plan(estate).priority
    order = [ranks[name] for name in problem.names]
    beliefs = [unit.duration or (UNKNOWN if unit.start else None) for unit in estate.units.values()]
    grid, weights = learn(estate, progress)
    open_tasks = [
        task for task, name in enumerate(problem.names) if name not in progress.done and name not in progress.lost
    ]
    ends: list[list[float]] = [[] for _ in problem.names]
    lost: set[int] = set()
    for _ in range(runs):
        factor = rng.choices(grid, weights)[0]
        draw = _Draw(estate, beliefs, factor, rng)
        lost |= _play(problem, order, progress, draw, ends)
    known = [task for task in open_tasks if task not in lost]
    essential = [task for task in open_tasks if estate.units[problem.names[task]].tier <= ESSENTIAL_TIER_MAX]
    return Forecast(
        issued_at=at,
        provisional=not progress.measured,
        after=tuple(one for one in progress.waited if estate.units[one].duration is None),
        factor=exp(_median(grid, weights)),
        units={problem.names[task]: _span(ends[task]) for task in known},
        essential=_latest(ends, essential, lost),
        last=_latest(ends, open_tasks, lost),
        unknown=tuple(problem.names[task] for task in range(problem.size) if task in lost),
        runs=runs,
    )


def learn(estate: Estate, progress: Progress) -> tuple[list[float], list[float]]:
    """Return values of the logarithm of the day's factor, and how likely each is by now."""
    spread = estate.belief.day_spread
    grid = [spread * (-3 + 6 * step / (GRID - 1)) for step in range(GRID)]
    logs = [-0.5 * (value / spread) ** 2 for value in grid]
    for name, took_s in progress.done.items():
        belief = estate.units[name].duration
        if took_s and belief is not None:
            _weigh_finished(grid, logs, belief, log(took_s))
    for name, elapsed_s in progress.running.items():
        belief = estate.units[name].duration
        if elapsed_s > 0 and belief is not None:
            _weigh_running(grid, logs, belief, log(elapsed_s))
    highest = max(logs)
    return grid, [exp(value - highest) for value in logs]


def _weigh_finished(grid: Sequence[float], logs: list[float], belief: Duration, took: float) -> None:
    sigma = max(belief.sigma, SPREAD_MIN)
    odd = sqrt(sigma**2 + ODD_SPREAD**2)
    for index, factor in enumerate(grid):
        off = took - belief.mu - factor
        usual = exp(-0.5 * (off / sigma) ** 2) / sigma
        logs[index] += log((1 - ODD_SHARE) * usual + ODD_SHARE * exp(-0.5 * (off / odd) ** 2) / odd)


def _weigh_running(grid: Sequence[float], logs: list[float], belief: Duration, elapsed: float) -> None:
    sigma = max(belief.sigma, SPREAD_MIN)
    for index, factor in enumerate(grid):
        longer = 1 - _NORMAL.cdf((elapsed - belief.mu - factor) / sigma)
        logs[index] += log((1 - ODD_SHARE) * longer + ODD_SHARE)


class _Draw:
    """Durations of one imagined day."""

    __slots__ = ("_belief", "_beliefs", "_factor", "_rng")

    def __init__(self, estate: Estate, beliefs: Sequence[Duration | None], factor: float, rng: Random) -> None:
        self._belief = estate.belief
        self._beliefs = beliefs
        self._factor = factor
        self._rng = rng

    def whole_s(self, task: int) -> float:
        """Return how long a start takes, a repair included where it fails."""
        belief = self._beliefs[task]
        if belief is None:
            return 0.0
        length = exp(belief.mu + self._factor + belief.sigma * self._rng.gauss(0.0, 1.0))
        if self._rng.random() < self._belief.failure_share:
            length += self._repair_s(belief)
        return length

    def rest_s(self, task: int, elapsed_s: float) -> float:
        """Return how much longer a start takes that has been running for a while."""
        belief = self._beliefs[task]
        if belief is None or elapsed_s <= 0:
            return self.whole_s(task)
        sigma = max(belief.sigma, SPREAD_MIN)
        below = _NORMAL.cdf((log(elapsed_s) - belief.mu - self._factor) / sigma)
        failing = self._belief.failure_share
        # The longer it runs, the likelier it is that it has failed and is being repaired.
        if self._rng.random() * (failing + (1 - failing) * (1 - below)) < failing:
            return self._repair_s(belief)
        point = below + (1 - below) * self._rng.random()
        if point >= 1 - 1e-9:
            return elapsed_s * 0.25 * self._rng.random()
        return max(exp(belief.mu + self._factor + sigma * _NORMAL.inv_cdf(max(point, 1e-12))) - elapsed_s, 0.0)

    def _repair_s(self, belief: Duration) -> float:
        return self._rng.expovariate(1 / (self._belief.repair_s or REPAIR_TIMES * belief.p50_s))


def _play(
    problem: Problem, order: Sequence[float], progress: Progress, draw: _Draw, ends: list[list[float]]
) -> set[int]:
    """Play one imagined rest of the restart into `ends`, and return what can never come back in it."""
    number = problem.number()
    dispatch = Dispatch(problem, order)
    running = [number[name] for name in progress.running]
    lost = [number[name] for name in progress.lost]
    dispatch.resume([number[name] for name in progress.done], running, lost)
    coming: list[tuple[float, int]] = []
    for name, elapsed_s in progress.running.items():
        heappush(coming, (draw.rest_s(number[name], elapsed_s), number[name]))
    now = 0.0
    while True:
        for task in dispatch.start():
            heappush(coming, (now + draw.whole_s(task), task))
        if not coming:
            break
        now, task = heappop(coming)
        dispatch.finish(task)
        ends[task].append(now)
    return {*lost, *(task for task in range(problem.size) if dispatch.is_blocked(task))}


def _span(values: Sequence[float]) -> Span:
    return Span(_quantile(values, 0.5), _quantile(values, 0.9))


def _latest(ends: Sequence[Sequence[float]], tasks: Sequence[int], lost: set[int]) -> Span | None:
    """Return the span of the latest of some tasks, None when there are none or one of them may never come."""
    if not tasks or any(task in lost for task in tasks):
        return None
    return _span([max(together) for together in zip(*(ends[task] for task in tasks), strict=True)])


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(ceil(share * len(values)) - 1, 0)]


def _median(grid: Sequence[float], weights: Sequence[float]) -> float:
    half, so_far = sum(weights) / 2, 0.0
    for value, weight in zip(grid, weights, strict=True):
        so_far += weight
        if so_far >= half:
            return value
    return grid[-1]
