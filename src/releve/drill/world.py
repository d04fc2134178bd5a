"""The world of a simulated exercise: what is down, and how long things really take there. It knows what players do not.

Durations are drawn once for each try from the beliefs of the estate, times the factor of the day, times the unit's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp
from random import Random

from releve.drill.scenario import Scenario
from releve.estate import REPAIR_TIMES, Duration, Estate, impact
from releve.recovery.problem import UNKNOWN, Problem

#: A start whose return is known to the minute takes at least so long, as in the estate that is made of a case.
_LEAST_S = 60.0


class World:
    """What is down, since when, and what a try takes."""

    def __init__(self, estate: Estate, scenario: Scenario) -> None:
        self._estate = estate
        self._scenario = scenario
        self._rng = Random(f"{scenario.seed}:{estate.name.en}:world")  # noqa: S311 - durations, not secrets
        self._failing = dict(scenario.failures)
        #: unit → second at which it went down; what is in it is down.
        self.down_s: dict[str, float] = {}
        #: Of those, what lost its power, disk or network under it; what fell first and has no start comes by itself.
        self.fell_first: set[str] = set()

    def fall(self, units: Iterable[str], at_s: float) -> list[str]:
        """Take units down with everything that stands on them, and return what was up until now."""
        gone = [unit for unit in units if unit not in self.down_s]
        whole = [*gone, *impact(self._estate, [*self.down_s, *gone]).falls] if gone else []
        new = [unit for unit in whole if unit not in self.down_s]
        self.fell_first.update(gone)
        self.down_s.update(dict.fromkeys(new, at_s))
        return new

    def bring(self, unit: str) -> None:
        """A unit is up again."""
        self.down_s.pop(unit, None)
        self.fell_first.discard(unit)

    def fails(self, unit: str) -> bool:
        """Return whether this try of a start fails, and count it."""
        left = self._failing.get(unit, 0)
        if left:
            self._failing[unit] = left - 1
        return left > 0

    def start_s(self, problem: Problem, task: int, now_s: float) -> float:
        """Return how long one try of a step takes, the step of a person too."""
        what = problem.tasks[task]
        belief = problem.beliefs[task] or UNKNOWN
        length = self._drawn(belief) * self._scenario.factor * self._scenario.slow.get(what.unit, 1.0)
        if what.act != "start":
            return length
        if what.unit in self._scenario.ends_s:
            return max(self._scenario.ends_s[what.unit] - now_s, _LEAST_S)
        away_s = self._scenario.not_before_s.get(what.unit)
        return length if away_s is None else max(away_s - now_s, 0.0) + length

    def repair_s(self, unit: str) -> float:
        """Return how long a person needs to mend what failed."""
        belief = self._estate.units[unit].duration or UNKNOWN
        mean = self._estate.belief.repair_s or REPAIR_TIMES * belief.p50_s
        return self._rng.expovariate(1 / mean) * self._scenario.factor

    def _drawn(self, belief: Duration) -> float:
        return exp(belief.mu + belief.sigma * self._rng.gauss(0.0, 1.0))
