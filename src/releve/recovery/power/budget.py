"""What a failing feed takes with it, how long until then, and how long the orderly stop of that takes.

A unit loses its power with the first of what it needs, and with the last of those of which one is enough. Two feeds
that share a load do not last as long as the better one of them: when the first is empty its load goes to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil, exp, inf
from random import Random
from types import MappingProxyType

from releve.estate import FEED, HOST, UNIT, UPS, Duration, Estate, Unit
from releve.recovery.dispatch import Timetables
from releve.recovery.problem import stop_problem

#: Schemes of probes that read a UPS.
UPS_SCHEMES = ("nut", "snmp")

RUNS = 200

#: Stops that are drawn over all imagined runs: keeps the reckoning for two thousand units at two seconds.
DRAWN_MAX = 400_000

#: Fewer runs than this have no P95.
RUNS_MIN = 60

BUDGET_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Left:
    """How long something still has power, and the load (percent) of the battery that gives it."""

    seconds: float
    load: float = 0.0


NEVER = Left(inf)


def sources(estate: Estate) -> dict[str, Unit]:
    """Return the units whose battery can be read: feeds and UPS with a probe that speaks NUT or SNMP."""
    return {
        unit.id: unit
        for unit in estate.units.values()
        if unit.kind in (FEED, UPS) and unit.probe is not None and unit.probe.split(":", 1)[0] in UPS_SCHEMES
    }


class PowerPaths:
    """From which feeds each unit of an estate has its power; made once, asked every second.

    Units that lose their power together for the same reason share a path, and an estate of thousands has few of them.
    """

    def __init__(self, estate: Estate) -> None:
        self._paths: dict[_Path, int] = {}
        self._units: list[list[str]] = []
        self._sources = {name: self._add(_Path(source=name)) for name in sources(estate)}
        path_of: dict[str, int | None] = dict(self._sources)
        needs = {unit.id: (*unit.needs, *unit.needs_any) for unit in estate.units.values()}
        for name in _needs_first(needs):
            if name not in self._sources:
                path_of[name] = path = self._path(estate.units[name], path_of)
                if path is not None:
                    self._units[path].append(name)

    def left(self, left: Mapping[str, Left]) -> dict[str, float]:
        """Return for every unit that will lose its power how many seconds remain; the sources themselves left out.

        left  source → what its battery still gives; a source that is not in it stays
        """
        found: dict[str, float] = {}
        if not left:
            return found
        known: list[Left] = []
        for path, number in self._paths.items():
            if path.source:
                one = left.get(path.source, NEVER)
            else:
                one = min((known[need] for need in path.needs), key=_seconds, default=NEVER)
                if path.any_of:
                    one = min(one, _shared([known[need] for need in path.any_of]), key=_seconds)
            known.append(one)
            if one.seconds < inf:
                found.update(dict.fromkeys(self._units[number], one.seconds))
        return found

    def _path(self, unit: Unit, path_of: Mapping[str, int | None]) -> int | None:
        """Return the path of a unit, None when it hangs on no source at all."""
        needs = {path for one in unit.needs if (path := path_of.get(one)) is not None}
        any_of = {path_of.get(one) for one in unit.needs_any}
        several = frozenset(path for path in any_of if path is not None)
        if None in any_of:
            several = frozenset()  # one of them never fails
        elif len(several) == 1:
            needs |= several
            several = frozenset()
        if not needs and not several:
            return None
        if len(needs) == 1 and not several:
            return next(iter(needs))
        return self._add(_Path(frozenset(needs), several))

    def _add(self, path: _Path) -> int:
        if path not in self._paths:
            self._paths[path] = len(self._units)
            self._units.append([])
        return self._paths[path]


@dataclass(frozen=True, slots=True)
class _Path:
    """A source, or what a unit needs of other paths: all of needs, and one of any_of."""

    needs: frozenset[int] = frozenset()
    any_of: frozenset[int] = frozenset()
    source: str = ""


def power_left(estate: Estate, left: Mapping[str, Left]) -> dict[str, float]:
    """Return PowerPaths.left of an estate that is asked once."""
    return PowerPaths(estate).left(left)


def _needs_first(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return units so that what each needs comes before it; a circle (it has a break point) is cut where it is met."""
    ordered: dict[str, None] = {}
    met: set[str] = set()
    for first in needs:
        path = [first]
        while path:
            name = path[-1]
            met.add(name)
            deeper = next((one for one in needs[name] if one not in met), None)
            if deeper is None:
                ordered.setdefault(path.pop())
            else:
                path.append(deeper)
    return list(ordered)


def stages(remaining: Mapping[str, float]) -> list[tuple[float, frozenset[str]]]:
    """Return what must be down by when, soonest first: each set holds the ones before it.

    remaining  unit → seconds, as power_left gives it
    """
    found: list[tuple[float, frozenset[str]]] = []
    units: frozenset[str] = frozenset()
    for seconds in sorted(set(remaining.values())):
        units |= {name for name, left in remaining.items() if left == seconds}
        found.append((seconds, units))
    return found


def shed(estate: Estate, endangered: Collection[str], tier: int) -> frozenset[str]:
    """Return what may go first to save load: services of a tier or later, and machines nothing else stands on.

    What something of an earlier tier stands on stays, whatever its own tier.
    """
    standing: dict[str, set[str]] = {}
    for unit in estate.units.values():
        for one in (*unit.needs, *unit.needs_any):
            standing.setdefault(one, set()).add(unit.id)
    gone: set[str] = set()
    while True:
        more = {
            name
            for name in endangered
            if name not in gone
            and standing.get(name, set()) <= gone
            and (estate.units[name].tier >= tier or (name in standing and estate.units[name].kind in (HOST, UNIT)))
        }
        if not more:
            return frozenset(gone)
        gone |= more


def part(estate: Estate, names: Collection[str]) -> Estate:
    """Return an estate of some of its units only, with the needs among them."""

    def kept(needs: Iterable[str]) -> tuple[str, ...]:
        return tuple(one for one in needs if one in names)

    units = {
        name: replace(
            unit,
            needs=kept(unit.needs),
            needs_any=kept(unit.needs_any),
            wants=kept(unit.wants),
            start_needs=kept(unit.start_needs),
        )
        for name, unit in estate.units.items()
        if name in names
    }
    return replace(estate, units=MappingProxyType(units))


def stop_p95_s(estate: Estate, names: Collection[str], rng: Random) -> float:
    """Return within how many seconds the orderly stop of some units ends, nineteen times in twenty.

    The stop of the run itself is played with drawn durations: one factor for the whole day, a spread for each, and a
    second try for the share that fails.
    """
    problem = stop_problem(part(estate, names))
    if not problem.size or not any(problem.beliefs):
        return 0.0
    runs = min(RUNS, max(RUNS_MIN, DRAWN_MAX // problem.size))
    priority = [0.0] * problem.size
    tables = Timetables(problem, runs)
    lengths: list[float] = []
    for _ in range(runs):
        day = exp(estate.belief.day_spread * rng.gauss(0.0, 1.0))
        durations = [draw_stop_s(belief, day, estate.belief.failure_share, rng) for belief in problem.beliefs]
        tables.durations(durations)
        lengths.append(float(max(tables.play(priority)[1])))
    return sorted(lengths)[ceil(BUDGET_SHARE * runs) - 1]


def draw_stop_s(belief: Duration | None, day: float, failure_share: float, rng: Random) -> float:
    """Return how long one stop takes on one imagined day."""
    if belief is None:
        return 0.0
    tries = 2 if rng.random() < failure_share else 1
    return sum(day * exp(belief.mu + belief.sigma * rng.gauss(0.0, 1.0)) for _ in range(tries))


class StopBudget:
    """The P95 of stops, reckoned once for each set of units.

    rng  makes the random source of one reckoning: the same set has the same budget on every console
    """

    def __init__(self, estate: Estate, rng: Callable[[], Random] = lambda: Random(95)) -> None:  # noqa: S311 - a draw
        self._estate = estate
        self._rng = rng
        self._known: dict[frozenset[str], float] = {}

    def __call__(self, names: frozenset[str]) -> float:
        """Return the P95 in seconds."""
        if names not in self._known:
            self._known[names] = stop_p95_s(self._estate, names, self._rng())
        return self._known[names]


def _shared(feeds: Iterable[Left]) -> Left:
    """Return how long several batteries last that carry one load: who is empty hands its share to the others."""
    ordered = sorted(feeds, key=_seconds)
    if ordered[-1].seconds == inf:
        return NEVER
    together = sum(max(one.load, 1.0) for one in ordered)
    at_s, clock = 0.0, 0.0  # seconds of the wall, and seconds of drawing at today's load of each
    carrying = together
    for one in ordered:
        at_s += (one.seconds - clock) * carrying / together
        clock = one.seconds
        carrying -= max(one.load, 1.0)
    return Left(at_s, together)


def _seconds(left: Left) -> float:
    return left.seconds
