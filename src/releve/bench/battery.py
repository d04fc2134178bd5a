"""battery: scripted cuts on a virtual clock: was everything down clean before the battery was empty?

Each cut has an estate, batteries that give what they announce or less (down to four tenths), UPS that say so or lie,
and a script: short, long, flapping, a driver that dies, one feed of two. The guard's own rule is fed second by second;
its stops take durations drawn from what the estate believes, one factor for the whole day. Before each cut the plan
says whether it can be done. Beside it, on the same cuts with the same ordered stop: the usual fixed rule, which begins
when every feed of a unit is on battery and calls it low (upsmon, MINSUPPLIES 1, DEADTIME 15).
Nothing is waited for; the same seed gives the same cuts.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp
from pathlib import Path
from random import Random
from typing import Any

from releve.estate import Battery, BatteryTest, Estate, load
from releve.recovery.dispatch import Timetables
from releve.recovery.power.budget import Left, PowerPaths, StopBudget, draw_stop_s, part
from releve.recovery.power.guard import foresee
from releve.recovery.power.memory import Memory
from releve.recovery.power.reading import UpsReading, lost
from releve.recovery.power.vigil import Vigil
from releve.recovery.problem import stop_problem

CUTS = 100
SEED = 2024
KINDS = ("short", "long", "flapping", "dead driver", "one feed")

#: A battery that announces more than a night is no test of a rule.
CUT_S_MAX = 3 * 3600

#: Every cut begins then.
BEGINS_S = 5.0

#: What upsmon and most UPS have by default.
LOW_CHARGE, LOW_RUNTIME_S, DEAD_S = 20.0, 120.0, 15.0

_FEEDS = ("feed-a", "feed-b")


@dataclass(frozen=True, slots=True)
class Cell:
    """One battery and how its UPS speaks of it.

    announced_s  at the load of the evening
    true_share   of the announced energy that is really there
    speaks       honest: charge and runtime follow what is there; optimist: the charge does, the runtime is the
                 announced one in proportion; liar: both follow what was announced, and it dies with charge left;
                 stuck: the runtime never changes
    tested_s     as the hospital measured it at that load; None: never tested
    """

    announced_s: float
    true_share: float
    speaks: str
    tested_s: float | None


@dataclass(frozen=True)
class Cut:
    """One scripted night: when each feed has line power, and when its driver is dead."""

    kind: str
    estate: Estate
    cells: dict[str, Cell]
    load: float
    day: float
    on_line: Callable[[str, float], bool]
    is_mute: Callable[[str, float], bool]
    rng_seed: int
    ends_s: float


@dataclass(frozen=True)
class Outcome:
    """What a rule made of a cut.

    lost    units that lost their power before they were down
    began_s when the first stop began after the cut, None: never
    needless  units were stopped that would not have lost their power
    """

    lost: tuple[str, ...]
    began_s: float | None
    needless: bool

    @property
    def is_clean(self) -> bool:
        """Return whether nothing lost its power before it was down."""
        return not self.lost


@dataclass
class Figures:
    """Counts over all cuts."""

    cuts: int = 0
    could: int = 0
    could_clean: int = 0
    could_not_clean: int = 0
    clean: int = 0
    needless: int = 0
    tested: int = 0
    tested_needless: int = 0
    fixed_could_clean: int = 0
    fixed_clean: int = 0
    fixed_needless: int = 0
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether everything went down clean wherever the plan said it could."""
        return self.could_clean == self.could


def measure(cuts: int = CUTS, seed: int = SEED) -> Figures:
    """Play the cuts and return what became of them."""
    figures = Figures()
    estates = [_estate(size, seed) for size in (8, 20, 40)]
    budgets = [StopBudget(estate) for estate in estates]
    for number in range(cuts):
        rng = Random(f"{seed}:{number}")  # noqa: S311 - invented cuts, not secrets
        chosen = rng.randrange(len(estates))
        cut = _cut(KINDS[number % len(KINDS)], estates[chosen], rng)
        plan_says = _could(cut, budgets[chosen])
        paths = PowerPaths(cut.estate)
        bare = _without_a_stop(cut, paths)
        guarded = _play(cut, paths, _Guarded(cut, budgets[chosen]), bare)
        fixed = _play(cut, paths, _Fixed(paths), bare)
        _count(figures, number, cut, plan_says, guarded, fixed)
    return figures


def report(figures: Figures) -> list[str]:
    """Return the figures as lines for people."""
    could_not = figures.cuts - figures.could
    lines = [
        f"{figures.cuts} cuts; the plan said beforehand that {figures.could} leave time for a clean stop, and that "
        f"{could_not} do not, or that a UPS cannot be read",
        f"{'':34}{'guard':>10}{'fixed rule':>12}",
        f"{'clean where the plan said so':34}{_of(figures.could_clean, figures.could):>10}"
        f"{_of(figures.fixed_could_clean, figures.could):>12}",
        f"{'clean in all':34}{_of(figures.clean, figures.cuts):>10}{_of(figures.fixed_clean, figures.cuts):>12}",
        f"{'needless stops':34}{figures.needless:>10}{figures.fixed_needless:>12}",
        f"where the plan said so and both batteries were tested: {figures.tested_needless} needless stops in "
        f"{figures.tested} cuts",
        "",
        f"{'kind':14}{'cuts':>6}{'could':>7}{'clean':>7}{'needless':>10}{'fixed: clean':>14}{'needless':>10}",
    ]
    for kind, row in figures.kinds.items():
        lines.append(
            f"{kind:14}{row['cuts']:>6}{row['could']:>7}{row['clean']:>7}{row['needless']:>10}"
            f"{row['fixed_clean']:>14}{row['fixed_needless']:>10}"
        )
    return [*lines, *(f"NOT CLEAN although the plan said so: {one}" for one in figures.failures)]


def as_json(figures: Figures) -> dict[str, Any]:
    """Return the figures for machines."""
    return asdict(figures) | {"ok": figures.ok}


def _of(part_count: int, whole: int) -> str:
    return f"{part_count}/{whole}"


def _count(figures: Figures, number: int, cut: Cut, could: bool, guarded: Outcome, fixed: Outcome) -> None:
    figures.cuts += 1
    figures.could += could
    figures.could_clean += could and guarded.is_clean
    figures.could_not_clean += not could and guarded.is_clean
    figures.clean += guarded.is_clean
    figures.needless += guarded.needless
    is_tested = could and all(cell.tested_s is not None for cell in cut.cells.values())
    figures.tested += is_tested
    figures.tested_needless += is_tested and guarded.needless
    figures.fixed_could_clean += could and fixed.is_clean
    figures.fixed_clean += fixed.is_clean
    figures.fixed_needless += fixed.needless
    row = Counter(figures.kinds.get(cut.kind, {}))
    row.update(
        cuts=1,
        could=int(could),
        clean=int(guarded.is_clean),
        needless=int(guarded.needless),
        fixed_clean=int(fixed.is_clean),
        fixed_needless=int(fixed.needless),
    )
    figures.kinds[cut.kind] = dict(row)
    if could and not guarded.is_clean:
        figures.failures.append(
            f"cut {number} ({cut.kind}, {cut.cells}): {', '.join(guarded.lost[:5])}, began {guarded.began_s}"
        )


def _could(cut: Cut, budget: StopBudget) -> bool:
    """Return what the plan says just before the cut: every UPS is read, and there is time for a clean stop."""
    world = _World(cut, PowerPaths(cut.estate))
    announced = {name: world.reading(name, BEGINS_S - 1) for name in _FEEDS}
    return not any(one.is_lost for one in announced.values()) and all(
        left_s >= needed_s for left_s, needed_s, _ in foresee(cut.estate, announced, budget)
    )


class _World:
    """Batteries, loads and units of one cut, second by second."""

    def __init__(self, cut: Cut, paths: PowerPaths) -> None:
        self._cut = cut
        self._paths = paths
        self.drawn = dict.fromkeys(_FEEDS, 0.0)
        self.gone: set[str] = set()
        self.lost: set[str] = set()
        self.dead: frozenset[str] = frozenset()
        self.acting = frozenset(name for name, unit in cut.estate.units.items() if unit.stop is not None)
        self._weight = cut.load / len(self.acting)
        self._single = {feed: {name for name in self.acting if feed in cut.estate.units[name].needs} for feed in _FEEDS}
        self._loads = self._carried()

    @property
    def is_over(self) -> bool:
        """Return whether nothing is left that could go down or lose its power."""
        return len(self.gone) == len(self.acting)

    def load(self, feed: str) -> float:
        """Return the percent a feed carries: its own units, and its share of those on both."""
        return self._loads[feed]

    def goes_down(self, unit: str) -> bool:
        """Take a unit down; False when it lost its power before."""
        if unit in self.lost:
            return False
        self.gone.add(unit)
        self._loads = self._carried()
        return True

    def passes(self, at_s: float) -> None:
        """Let one second pass."""
        for feed in _FEEDS:
            if not self._cut.on_line(feed, at_s):
                self.drawn[feed] += self._loads[feed]
        dead = frozenset(feed for feed in _FEEDS if self._is_dead(feed, at_s))
        if dead == self.dead:
            return
        self.dead = dead
        lost_now = self._paths.left({feed: Left(0.0) for feed in dead})
        self.lost |= (lost_now.keys() & self.acting) - self.gone
        self.gone |= self.lost
        self._loads = self._carried()

    def _is_dead(self, feed: str, at_s: float) -> bool:
        cell = self._cut.cells[feed]
        return not self._cut.on_line(feed, at_s) and self.drawn[feed] >= self._held(cell) * cell.true_share

    def _carried(self) -> dict[str, float]:
        up = self.acting - self.gone
        own = {feed: len(self._single[feed] & up) for feed in _FEEDS}
        shared = len(up) - sum(own.values())
        living = len(_FEEDS) - len(self.dead)
        return {feed: 0.0 if feed in self.dead else self._weight * (own[feed] + shared / living) for feed in _FEEDS}

    def reading(self, feed: str, at_s: float) -> UpsReading:
        """Return what the UPS of a feed says."""
        cell = self._cut.cells[feed]
        if self._cut.is_mute(feed, at_s) or feed in self.dead:
            return lost("Driver not connected")
        load = max(self.load(feed), 0.5)
        held, drawn = self._held(cell), self.drawn[feed]
        true_charge = 100 * max(1 - drawn / (held * cell.true_share), 0)
        charge = 100 * max(1 - drawn / held, 0) if cell.speaks == "liar" else true_charge
        if cell.speaks == "honest":
            runtime_s = held * cell.true_share * charge / 100 / load
        elif cell.speaks == "stuck":
            runtime_s = cell.announced_s
        else:
            runtime_s = held * charge / 100 / load
        flags = {"OL"} if self._cut.on_line(feed, at_s) else {"OB", "DISCHRG"}
        if "OB" in flags and (charge <= LOW_CHARGE or runtime_s <= LOW_RUNTIME_S):
            flags.add("LB")
        return UpsReading(frozenset(flags), "", float(int(charge)), LOW_CHARGE, runtime_s, LOW_RUNTIME_S, round(load))

    def _held(self, cell: Cell) -> float:
        return cell.announced_s * self._cut.load / 2


class _Guarded:
    """The guard's rule."""

    def __init__(self, cut: Cut, budget: Callable[[frozenset[str]], float]) -> None:
        self._vigil = Vigil(cut.estate, budget, Memory())

    def hear(self, at_s: float, readings: dict[str, UpsReading]) -> frozenset[str]:
        """Return everything that is to be stopped by now."""
        self._vigil.hear(at_s, readings)
        return self._vigil.memory.decided

    def is_down(self, unit: str) -> None:
        self._vigil.is_down(unit)


class _Fixed:
    """The usual rule: stop what has no feed left that is not on battery and low; no data for a while is low."""

    def __init__(self, paths: PowerPaths) -> None:
        self._paths = paths
        self._decided: frozenset[str] = frozenset()
        self._was_on: dict[str, bool] = dict.fromkeys(_FEEDS, False)
        self._mute_s: dict[str, float] = {}

    def hear(self, at_s: float, readings: dict[str, UpsReading]) -> frozenset[str]:
        """Return everything that is to be stopped by now."""
        low = {}
        for feed, reading in readings.items():
            if reading.is_lost:
                since_s = self._mute_s.setdefault(feed, at_s)
                if self._was_on[feed] and at_s - since_s >= DEAD_S:
                    low[feed] = Left(0.0)
                continue
            self._mute_s.pop(feed, None)
            self._was_on[feed] = reading.is_on_battery
            if reading.is_low:
                low[feed] = Left(0.0)
        if low:
            self._decided |= self._paths.left(low).keys()
        return self._decided

    def is_down(self, unit: str) -> None:
        """It does not matter to this rule."""


def _play(cut: Cut, paths: PowerPaths, rule: _Guarded | _Fixed, bare: frozenset[str]) -> Outcome:
    """Play a cut under a rule.

    bare  what would lose its power if nobody stopped anything
    """
    world = _World(cut, paths)
    rng = Random(cut.rng_seed)  # noqa: S311 - invented durations, not secrets
    ends: list[tuple[float, str]] = []
    stopped: set[str] = set()
    began_s: float | None = None
    at_s = 0.0
    while at_s < cut.ends_s and not (world.is_over and not ends):
        at_s += 1
        world.passes(at_s)
        while ends and ends[-1][0] <= at_s:
            name = ends.pop()[1]
            if name in world.acting and world.goes_down(name):
                rule.is_down(name)
        decided = rule.hear(at_s, {feed: world.reading(feed, at_s) for feed in _FEEDS})
        if not ends and (todo := decided - stopped):
            began_s = at_s if began_s is None else began_s
            stopped |= todo
            ends = _ends(cut, todo, at_s, rng)
    acting = stopped & world.acting
    return Outcome(tuple(sorted(world.lost)), began_s, bool(acting) and not acting & bare)


def _without_a_stop(cut: Cut, paths: PowerPaths) -> frozenset[str]:
    """Return what loses its power in a cut when nobody stops anything."""
    world = _World(cut, paths)
    at_s = 0.0
    while at_s < cut.ends_s and not world.is_over:
        at_s += 1
        world.passes(at_s)
    return frozenset(world.lost)


def _ends(cut: Cut, units: Iterable[str], at_s: float, rng: Random) -> list[tuple[float, str]]:
    """Return when each unit of an ordered stop is down, the last first."""
    problem = stop_problem(part(cut.estate, frozenset(units)))
    tables = Timetables(problem, 1)
    failing = cut.estate.belief.failure_share
    tables.durations([draw_stop_s(belief, cut.day, failing, rng) for belief in problem.beliefs])
    _, ends = tables.play([0.0] * problem.size)
    return sorted(((at_s + end, name) for end, name in zip(ends, problem.names, strict=True)), reverse=True)


def _cut(kind: str, estate: Estate, rng: Random) -> Cut:
    """Invent a cut of a kind."""
    cells = {feed: _cell(rng) for feed in _FEEDS}
    tests = {
        feed: BatteryTest(feed, tested_s=cell.tested_s, at_load=30.0)
        for feed, cell in cells.items()
        if cell.tested_s is not None
    }
    estate = replace(estate, battery=replace(Battery(), ups=tests))
    day = exp(estate.belief.day_spread * rng.gauss(0.0, 1.0))
    mute_s = float("inf")
    spans: list[tuple[float, float]] = [(BEGINS_S, CUT_S_MAX)]
    if kind == "short":
        spans = [(BEGINS_S, BEGINS_S + rng.uniform(5, 150))]
    elif kind == "flapping":
        spans, at_s = [], BEGINS_S
        for _ in range(rng.randrange(4, 60)):
            long_s = rng.uniform(3, 45)
            spans.append((at_s, at_s + long_s))
            at_s += long_s + rng.uniform(2, 25)
        if rng.random() < 0.5:
            spans.append((at_s, CUT_S_MAX))
    elif kind == "dead driver":
        mute_s = BEGINS_S + rng.uniform(-4, 200)
    dark = _FEEDS if kind != "one feed" else (rng.choice(_FEEDS),)
    mute = rng.choice((_FEEDS, _FEEDS[:1], _FEEDS[1:]))
    return Cut(
        kind=kind,
        estate=estate,
        cells=cells,
        load=60.0,
        day=day,
        on_line=lambda feed, at_s: feed not in dark or not any(first <= at_s < last for first, last in spans),
        is_mute=lambda feed, at_s: feed in mute and at_s >= mute_s,
        rng_seed=rng.getrandbits(32),
        ends_s=min(spans[-1][1] + 600, 2 * max(cell.announced_s for cell in cells.values()) + 1200),
    )


def _cell(rng: Random) -> Cell:
    """Invent a battery: half of them were tested once and have aged a little since."""
    announced_s = rng.choice((240.0, 480.0, 600.0, 900.0, 1800.0))
    true_share = rng.choice((1.0, 0.9, 0.7, 0.5, 0.4))
    speaks = rng.choice(("honest", "optimist", "liar", "stuck"))
    is_tested = rng.random() < 0.5
    tested_s = announced_s * true_share * rng.uniform(1.0, 1.05) if is_tested else None
    return Cell(announced_s, true_share, speaks, tested_s)


def _estate(services: int, seed: int) -> Estate:
    """Invent a centre: storages and networks, a host for each service, some of them on one feed only."""
    rng = Random(f"{seed}:estate:{services}")  # noqa: S311 - an invented centre, not a secret
    lines = ["[restart]", "at_once = 8"]
    for feed in _FEEDS:
        lines += ["[[feed]]", f'id = "{feed}"', f'probe = "nut://127.0.0.1/{feed}"']
    storages = max(services // 10, 1)

    def unit(kind: str, name: str, needs: Sequence[str], power: str, p50_s: float) -> None:
        lines.extend((f"[[{kind}]]", f'id = "{name}"', f"needs = {_listed(needs)}"))
        if power:
            lines.append(f"needs_any = {_listed(_FEEDS)}" if power == "both" else f'wants = ["{power}"]')
        lines.append(f"stop_duration = {{p50_s = {p50_s:.1f}, p90_s = {p50_s * rng.uniform(1.5, 3):.1f}}}")
        lines.append('stop = {command = ["true"]}')

    for number in range(storages):
        unit("storage", f"storage-{number}", (), "both", rng.uniform(4, 12))
    for number in range(services):
        single = rng.random() < 0.15
        needs = [f"storage-{rng.randrange(storages)}"] + ([rng.choice(_FEEDS)] if single else [])
        unit("host", f"host-{number}", needs, "" if single else "both", rng.uniform(2, 12))
        below = [f"host-{number}"] + ([f"service-{rng.randrange(number)}"] if number and rng.random() < 0.4 else [])
        unit("service", f"service-{number}", below, "", rng.uniform(1, 8))
    with tempfile.TemporaryDirectory(prefix="releve-bench-") as folder:
        path = Path(folder) / "estate.toml"
        path.write_text("\n".join(lines), "utf-8")
        return load(path)


def _listed(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
