"""Imagined days: durations drawn around what is believed and was learned, and the dispatch played through with them.

One row is one imagined rest of a restart. Everything here is arrays; it is imported only when a forecast is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, log, sqrt
from random import Random
from typing import Any

import numpy as np

from releve.estate import REPAIR_TIMES, Belief, Duration
from releve.recovery import schedule
from releve.recovery.dispatch import compiled_core, is_worth_compiled, net_of, resume, set_ranks
from releve.recovery.problem import Problem
from releve.recovery.schedule import make_state

#: Values of the day's factor that are weighed; the second time only where the first found anything.
GRID = 64

#: A step that failed and was repaired says little about the day: so much weight goes to "anything may have happened".
ODD_SHARE, ODD_SPREAD = 0.03, 2.0

#: A belief without any spread would let one step decide about the whole day.
SPREAD_MIN = 0.05

#: What is left of a restart is not like what is done: other machines, other people, another hour. So much spread more;
#: without it P90 held 84 times in 100 at a quarter of restarts that went as believed, with it 89.
DRIFT_SPREAD = 0.08

#: Imagined days at a time: their durations take a few megabytes.
ROWS_MAX = 500

#: How far apart the grid of the second look may lie from the likeliest, in its own likelihood.
_NEGLIGIBLE = 1e-7

#: The standard normal as a table: deviations, and the logarithm of the share below each.
_DEVIATIONS = np.linspace(-12.0, 8.0, 8001)
_LOG_BELOW = np.array([log(0.5 * erfc(-z / sqrt(2.0))) for z in _DEVIATIONS])


@dataclass(frozen=True)
class Standing:
    """Where a restart stands, in numbers of tasks.

    took     task → how long it took, of those that teach something
    running  task → how long it has been running
    """

    done: Sequence[int]
    took: Mapping[int, float]
    running: Mapping[int, float]
    lost: Sequence[int]


def learn_factor(problem: Problem, standing: Standing, spread: float) -> tuple[Any, Any]:
    """Return values of the logarithm of the day's factor, and how likely each is by now; they add up to one.

    spread  of the logarithm before anything was measured
    """
    finished = _beliefs_of(problem, standing.took)
    running = _beliefs_of(problem, standing.running)
    grid = np.linspace(-3 * spread, 3 * spread, GRID)
    weights = _weights(grid, spread, finished, running)
    likely = grid[weights > _NEGLIGIBLE * weights.max()]
    step = grid[1] - grid[0]
    grid = np.linspace(likely[0] - step, likely[-1] + step, GRID)
    weights = _weights(grid, spread, finished, running)
    return grid, weights / weights.sum()


def imagine(
    problem: Problem,
    priority: Sequence[float],
    belief: Belief,
    factor: tuple[Any, Any],
    standing: Standing,
    rng: Random,
    runs: int,
    drift_spread: float = DRIFT_SPREAD,
) -> tuple[Any, list[int]]:
    """Return when each task ends in each imagined day, and the tasks that can never end before a person acts.

    factor  what learn_factor returned
    returns (days × tasks) seconds from now, 0 where it is done; nothing sensible for the lost ones
    """
    dice = np.random.default_rng(rng.getrandbits(64))
    net = net_of(problem)
    origin = make_state(net)
    set_ranks(origin, priority)
    schedule.begin(net, origin)
    running = list(standing.running)
    resume(net, origin, standing.done, running, standing.lost)
    lost = [task for task, state in enumerate(origin.state) if state in (schedule.LOST, schedule.BLOCKED)]
    ends = np.zeros((runs, problem.size))
    play = _Play(net, origin, running, is_compiled=is_worth_compiled(runs * (problem.size - len(standing.done))))
    grid, weights = factor
    logs = _jittered(dice, grid, weights, runs) + drift_spread * dice.standard_normal(runs)
    draws = _Draws(problem, belief, standing)
    for first in range(0, runs, ROWS_MAX):
        rows = slice(first, min(first + ROWS_MAX, runs))
        play.into(draws.durations(dice, logs[rows]), ends[rows])
    return ends, lost


class _Play:
    """The dispatch, played from one state again and again."""

    def __init__(self, net: Any, origin: Any, running: list[int], *, is_compiled: bool) -> None:
        self._is_compiled = is_compiled
        self._play: Any = schedule.play_many
        size = len(net.waits)
        self._net, self._origin, self._state = net, origin, make_state(net)
        self._running: Any = running
        self._starts: Any = [0.0] * size
        self._coming: Any = [0] * size
        self._started: Any = [0] * size
        if is_compiled:
            core = compiled_core()
            self._play = core.play_many
            self._net, self._origin, self._state = map(core.arrays_of, (net, origin, self._state))
            self._running = np.array(running, dtype=np.int64)
            self._starts = np.zeros(size)
            self._coming, self._started = np.zeros(size, np.int64), np.zeros(size, np.int64)

    def into(self, durations: Any, ends: Any) -> None:
        """Play one day for each row of durations and write its ends."""
        rows = ends if self._is_compiled else ends.tolist()
        self._play(
            self._net,
            self._origin,
            self._state,
            durations if self._is_compiled else durations.tolist(),
            self._running,
            self._starts,
            rows,
            self._coming,
            self._started,
        )
        if not self._is_compiled:
            ends[:] = rows


class _Draws:
    """How long each task takes in imagined days: of a running one, how much longer."""

    def __init__(self, problem: Problem, belief: Belief, standing: Standing) -> None:
        beliefs = [one or Duration(1.0, 1.0) for one in problem.beliefs]
        self._is_ours = np.array([one is not None for one in problem.beliefs])
        self._mu = np.array([one.mu for one in beliefs])
        self._sigma = np.array([one.sigma for one in beliefs])
        self._repair_s = np.array([belief.repair_s or REPAIR_TIMES * one.p50_s for one in beliefs])
        # A person may take long, which is in the belief. Only what is started can fail and be repaired.
        self._failing = np.array([belief.failure_share if task.act == "start" else 0.0 for task in problem.tasks])
        self._running = [
            (task, elapsed_s)
            for task, elapsed_s in standing.running.items()
            if elapsed_s > 0 and problem.beliefs[task] is not None
        ]

    def durations(self, dice: Any, logs: Any) -> Any:
        """Return (days × tasks) seconds; logs holds the logarithm of each day's factor."""
        shape = (len(logs), len(self._mu))
        lengths = np.exp(self._mu + logs[:, None] + self._sigma * dice.standard_normal(shape))
        days, tasks = np.nonzero(dice.random(shape) < self._failing)
        lengths[days, tasks] += dice.standard_exponential(len(days)) * self._repair_s[tasks]
        lengths *= self._is_ours
        for task, elapsed_s in self._running:
            lengths[:, task] = self._rest(dice, logs, task, elapsed_s)
        return lengths

    def _rest(self, dice: Any, logs: Any, task: int, elapsed_s: float) -> Any:
        """Return how much longer a task takes that has been running for a while."""
        sigma = max(self._sigma[task], SPREAD_MIN)
        middle = self._mu[task] + logs
        log_still = _log_above((log(elapsed_s) - middle) / sigma)
        still = np.exp(log_still)
        # Among the starts that last so long the failed ones are more than their share: they end later.
        over_s = np.maximum(elapsed_s - np.exp(middle), 0.0)
        mending = (1.0 - still) * np.exp(-over_s / self._repair_s[task])
        failing = self._failing[task]
        weight = failing * (still + mending)
        is_failing = dice.random(len(logs)) * (weight + (1.0 - failing) * still) < weight
        is_mending = is_failing & (dice.random(len(logs)) * (still + mending) >= still)
        deviation = _deviation_above(log_still + np.log(dice.uniform(1e-12, 1.0, len(logs))))
        # Nothing believed lasts so long: nobody knows, and never is it promised for a moment that is past.
        beyond = elapsed_s * 0.25 * dice.random(len(logs))
        rest = np.exp(middle + sigma * deviation) - elapsed_s
        rest = np.where(rest > 0.0, rest, beyond)
        repair = dice.standard_exponential(len(logs)) * self._repair_s[task]
        return np.where(is_mending, repair, rest + is_failing * repair)


def _beliefs_of(problem: Problem, measured: Mapping[int, float]) -> tuple[Any, Any, Any]:
    """Return the logarithms of what was measured, and middle and spread of what was believed."""
    rows = [
        (log(seconds), belief.mu, max(belief.sigma, SPREAD_MIN))
        for task, seconds in measured.items()
        if seconds > 0 and (belief := problem.beliefs[task]) is not None
    ]
    columns = np.array(rows).reshape(-1, 3).T
    return columns[0], columns[1], columns[2]


def _weights(grid: Any, spread: float, finished: tuple[Any, Any, Any], running: tuple[Any, Any, Any]) -> Any:
    logs = -0.5 * (grid / spread) ** 2
    took, mu, sigma = finished
    if len(took):
        off = (took - mu)[:, None] - grid
        wide = np.sqrt(sigma**2 + ODD_SPREAD**2)[:, None]
        usual = (1 - ODD_SHARE) * np.exp(-0.5 * (off / sigma[:, None]) ** 2) / sigma[:, None]
        logs = logs + np.log(usual + ODD_SHARE * np.exp(-0.5 * (off / wide) ** 2) / wide).sum(axis=0)
    elapsed, mu, sigma = running
    if len(elapsed):
        off = (elapsed - mu)[:, None] - grid
        longer = np.exp(_log_above(off / sigma[:, None]))
        logs = logs + np.log((1 - ODD_SHARE) * longer + ODD_SHARE).sum(axis=0)
    return np.exp(logs - logs.max())


def _jittered(dice: Any, grid: Any, weights: Any, runs: int) -> Any:
    """Return a factor for each day: a value of the grid by its weight, and anything as near to it as to the next."""
    step = grid[1] - grid[0]
    return dice.choice(grid, runs, p=weights) + step * (dice.random(runs) - 0.5)


def _log_above(deviation: Any) -> Any:
    """Return the logarithm of the share of a standard normal above a deviation."""
    return np.interp(-deviation, _DEVIATIONS, _LOG_BELOW)


def _deviation_above(log_share: Any) -> Any:
    """Return the deviation above which so much of a standard normal lies."""
    return -np.interp(log_share, _LOG_BELOW, _DEVIATIONS)
