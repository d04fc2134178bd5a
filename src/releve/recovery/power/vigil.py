"""The rule: what the UPS say in, lines of the journal and decisions out. Pure; the clock is an argument.

    a stop begins when   least of the three estimates <= P95 of the stop + margin
    at once when         the UPS says LB or FSD, or says nothing any more while on battery
    never undone         a unit that was decided on stays decided until the power has been steady
    only what falls      units whose last feed fails, and what stands on them

A UPS that cannot be read and was on line power before is no cut by itself: a dead network must not stop a centre. While
another one is on battery it counts as on battery too, with what its battery is believed to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from math import inf

import msgspec

from releve.estate import Estate
from releve.recovery.journal import Kind
from releve.recovery.power.budget import Left, PowerPaths, shed, sources, stages
from releve.recovery.power.estimate import Discharge, Held
from releve.recovery.power.memory import Memory, Shown, SourceMemory, Stop
from releve.recovery.power.reading import UpsReading

#: A line with the estimates is written so often at least, and when they fell by this share, but not more often.
TOLD_EVERY_S, TOLD_SHARE, TOLD_S_MIN = 30.0, 0.2, 5.0

#: Whoever looked away for so long cannot say that a battery lasted.
BLIND_S = 30.0

#: Load (percent) of a UPS that names none.
LOAD_UNKNOWN = 100.0

#: Names in a sentence; more are counted.
NAMED_MAX = 6


@dataclass(frozen=True)
class Heard:
    """What one round of readings means.

    lines   (kind, unit, detail) for the journal, in order
    stop    decided just now; None when nothing new was
    steady  the power has been steady for long enough after a cut; true until forget() is called
    """

    lines: tuple[tuple[Kind, str, str], ...] = ()
    stop: Stop | None = None
    steady: bool = False


class Vigil:
    """Watches the batteries of one estate.

    budget_s  returns the P95 of the stop of some units
    memory    of the guard before this one
    """

    def __init__(self, estate: Estate, budget_s: Callable[[frozenset[str]], float], memory: Memory) -> None:
        self._estate = estate
        self._budget_s = budget_s
        self.memory = memory
        self._rules = estate.battery
        self._sources = tuple(sources(estate))
        self._paths = PowerPaths(estate)
        self._last: dict[str, UpsReading] = {}
        self._lost_s: dict[str, float] = {}
        self._told: dict[str, _Told] = {}
        self._acting = frozenset(name for name, unit in estate.units.items() if unit.stop is not None)

    @property
    def is_on_battery(self) -> bool:
        """Return whether any source is on battery, or counts as such."""
        return any(one.is_on for one in self.memory.sources.values())

    @property
    def is_cut(self) -> bool:
        """Return whether the power has not been steady since a cut."""
        return any(one.discharge is not None for one in self.memory.sources.values())

    def hear(self, at_s: float, readings: Mapping[str, UpsReading]) -> Heard:
        """Take one round of readings; a source that is not in it is lost."""
        lines: list[tuple[Kind, str, str]] = []
        some_on = any(reading.is_on_battery for reading in readings.values())
        after = {}
        for name in self._sources:
            reading = readings.get(name, UpsReading(detail="it was not asked"))
            before = self.memory.sources.get(name, SourceMemory(line_s=at_s))
            after[name] = self._one(at_s, name, before, reading, some_on, lines)
        self._remember(at_s=at_s, sources=after, is_blind=self.memory.is_blind or self._is_blind(at_s))
        remaining = self._paths.left(self.left())
        if not self.memory.endangered.issuperset(remaining):
            self._remember(endangered=self.memory.endangered | remaining.keys())
        lines += self._readings(at_s)
        stop = self._decide(at_s, remaining)
        if stop is not None:
            self._remember(stops=(*self.memory.stops, stop), is_stopping=True)
            lines.append(("stop-decided", "", stop.reason))
        return Heard(tuple(lines), stop, self._is_steady(at_s))

    def is_down(self, unit: str) -> None:
        """Note that a unit of the stop was proved down."""
        self._remember(clean=self.memory.clean | {unit})

    def stop_ended(self) -> None:
        """Note that the stop was carried to its end."""
        self._remember(is_stopping=False)

    def forget(self) -> None:
        """Note that all is over: the next cut is a new one."""
        self._remember(
            sources={
                name: msgspec.structs.replace(one, discharge=None, is_assumed=False)
                for name, one in self.memory.sources.items()
            },
            stops=(),
            clean=frozenset(),
            endangered=frozenset(),
            is_blind=False,
        )
        self._told.clear()

    def least_s(self, name: str) -> float | None:
        """Return what is left of a source's battery: 0 when it is low or silent; None: on line power, or unknown."""
        one = self.memory.sources.get(name)
        if one is None or not one.is_on or one.discharge is None:
            return None
        discharge, after_s = one.discharge, self._rules.data_lost_after_s
        if discharge.is_low:
            return 0.0
        least_s = discharge.estimates().least_s
        if one.is_assumed:
            return least_s or 0.0
        if discharge.lost_s is not None and discharge.at_s - discharge.lost_s >= after_s:
            return 0.0
        if least_s is None and discharge.at_s - discharge.began_s >= after_s:
            return 0.0  # it says that it is on battery and nothing else, which is no data
        return least_s

    def _one(
        self,
        at_s: float,
        name: str,
        before: SourceMemory,
        reading: UpsReading,
        some_on: bool,
        lines: list[tuple[Kind, str, str]],
    ) -> SourceMemory:
        """Return what is known of one source after a reading."""
        if reading.is_on_battery:
            self._lost_s.pop(name, None)
            return self._on_battery(at_s, name, before, reading, lines)
        if not reading.is_lost:
            self._lost_s.pop(name, None)
            self._last[name] = reading
            if before.is_on:
                lines.append(("power-back", name, "on line power again"))
            return _at_rest(before, at_s)
        since_s = self._lost_s.setdefault(name, at_s)
        if before.is_on and before.discharge is not None and (some_on or not before.is_assumed):
            return msgspec.structs.replace(before, discharge=before.discharge.hear(at_s, reading))
        if before.is_on:
            lines.append(("power-back", name, "still cannot be read; taken as back with the others"))
            return _at_rest(before, at_s)
        if at_s - since_s < self._rules.data_lost_after_s:
            return before
        if some_on:
            lines.append(("power-lost", name, f"cannot be read ({reading.detail}) while another is on battery"))
            discharge = before.discharge or self._begun(at_s, name, self._last.get(name, reading), before.shown)
            return msgspec.structs.replace(before, discharge=discharge.hear(at_s, reading), is_on=True, is_assumed=True)
        if name not in self._told:
            self._told[name] = _Told(at_s, inf)
            lines.append(("power-reading", name, f"cannot be read: {reading.detail}; it was not on battery before"))
        return before

    def _on_battery(
        self, at_s: float, name: str, before: SourceMemory, reading: UpsReading, lines: list[tuple[Kind, str, str]]
    ) -> SourceMemory:
        discharge = before.discharge
        if discharge is None:
            discharge = self._begun(at_s, name, reading, before.shown)
            lines.append(("power-lost", name, f"on battery; {_shown(reading)}"))
        elif not before.is_on:
            lines.append(("power-lost", name, f"on battery again; {_shown(reading)}"))
            discharge = discharge.rest(at_s)
        elif discharge.held is None:
            found = self._held(name, reading, before.shown)
            discharge = replace(discharge, held=found) if found else discharge
        return msgspec.structs.replace(before, discharge=discharge.hear(at_s, reading), is_on=True, is_assumed=False)

    def _begun(self, at_s: float, name: str, reading: UpsReading, shown: Shown) -> Discharge:
        load = reading.load
        if load is None:
            test = self._rules.ups.get(name)
            load = test.at_load if test else LOAD_UNKNOWN
        return Discharge(
            began_s=at_s,
            at_s=at_s,
            charge=reading.charge,
            held=self._held(name, reading, shown),
            load=load,
            heard_s=at_s,
            runtime_s=reading.runtime_s,
        )

    def _held(self, name: str, reading: UpsReading, shown: Shown) -> Held | None:
        """Return what a full battery is believed to hold: tested counts in full, announced with a share only."""
        test = self._rules.ups.get(name)
        load = reading.load if reading.load is not None else (test.at_load if test else LOAD_UNKNOWN)
        at_load: float | None = load
        full: float | None = None
        if test is not None and test.tested_s is not None:
            full, at_load = test.tested_s * test.at_load, test.at_load
        elif test is not None and test.rated_s is not None:
            full, at_load = test.rated_s * test.at_load * self._rules.trusted_share, test.at_load
        elif reading.runtime_s and load > 0:
            charge = reading.charge if reading.charge else 100.0
            full = reading.runtime_s * load * 100 / charge * self._rules.trusted_share
        if full is None and not shown.proved:
            return None
        full = max(full or 0.0, shown.proved)
        return Held(full if shown.measured is None else min(full, shown.measured), at_load)

    def _is_blind(self, at_s: float) -> bool:
        """Return whether a battery may have been empty without anybody seeing it; asked before at_s is remembered."""
        was_away = self.is_on_battery and at_s - self.memory.at_s > BLIND_S
        return was_away or any(
            one.is_on
            and one.discharge is not None
            and one.discharge.lost_s is not None
            and at_s - one.discharge.lost_s >= self._rules.data_lost_after_s
            for one in self.memory.sources.values()
        )

    def left(self) -> dict[str, Left]:
        """Return what the batteries that are at work still give."""
        found = {}
        for name, one in self.memory.sources.items():
            left_s = self.least_s(name)
            if left_s is not None and one.discharge is not None:
                found[name] = Left(left_s, one.discharge.load)
        return found

    def _decide(self, at_s: float, remaining: Mapping[str, float]) -> Stop | None:
        """Return the largest stop that must begin now and was not decided before."""
        decided = self.memory.decided
        for left_s, units in reversed(stages(remaining)):
            if not (units & self._acting) - decided:
                continue
            # What is down already counts as well: a little early, and the same set whatever has been stopped so far.
            p95_s = self._budget_s(units)
            if left_s <= p95_s + self._rules.margin_s:
                return self._stop(at_s, units, left_s, p95_s)
        if self._rules.shed_tier is None or self._on_for_s(at_s) < self._rules.shed_after_s:
            return None
        units = shed(self._estate, remaining.keys(), self._rules.shed_tier)
        if not (units & self._acting) - decided:
            return None
        left_s = min(remaining[name] for name in units)
        return self._stop(at_s, units, left_s, self._budget_s(units), is_shed=True)

    def _stop(self, at_s: float, units: frozenset[str], left_s: float, p95_s: float, *, is_shed: bool = False) -> Stop:
        on = tuple(name for name in self._sources if self.memory.sources[name].is_on)
        why = "; ".join(f"{name}: {self._why(name)}" for name in on)
        acting = sorted(units & self._acting)
        what = f"{len(acting)} units ({_named(acting)})"
        if is_shed:
            reason = f"to save load, {what} are stopped after {self._on_for_s(at_s):.0f} s on battery. {why}"
        else:
            reason = (
                f"{what} are stopped. {why}. They have {left_s:.0f} s left; the stop takes up to {p95_s:.0f} s "
                f"(19 times in 20), and {self._rules.margin_s:.0f} s are kept"
            )
        return Stop(at_s, tuple(sorted(units)), on, left_s, p95_s, reason, is_shed)

    def _why(self, name: str) -> str:
        one = self.memory.sources[name]
        assert one.discharge is not None
        if one.discharge.is_low:
            return "its UPS calls the battery low"
        if one.discharge.lost_s is not None and not one.is_assumed:
            return f"nothing heard for {one.discharge.at_s - one.discharge.lost_s:.0f} s, which counts as low"
        return one.discharge.estimates().words()

    def _on_for_s(self, at_s: float) -> float:
        return max(
            (at_s - one.discharge.began_s for one in self.memory.sources.values() if one.is_on and one.discharge),
            default=0.0,
        )

    def _readings(self, at_s: float) -> list[tuple[Kind, str, str]]:
        """Return the estimates that are worth a line now."""
        lines: list[tuple[Kind, str, str]] = []
        for name, one in self.memory.sources.items():
            if not one.is_on:
                if one.discharge is None and name not in self._lost_s:
                    self._told.pop(name, None)
                continue
            left_s = self.least_s(name)
            told = self._told.get(name)
            shown_s = inf if left_s is None else left_s
            gone_s = inf if told is None else at_s - told.at_s
            has_fallen = told is not None and shown_s < told.left_s * (1 - TOLD_SHARE)
            if gone_s >= TOLD_EVERY_S or (has_fallen and gone_s >= TOLD_S_MIN):
                self._told[name] = _Told(at_s, shown_s)
                least = "unknown" if left_s is None else f"{left_s:.0f} s"
                lines.append(("power-reading", name, f"{least} left: {self._why(name)}"))
        return lines

    def _is_steady(self, at_s: float) -> bool:
        if not self.is_cut or self.memory.is_stopping:
            return False
        return all(
            not one.is_on and at_s - one.line_s >= self._rules.steady_s and self._is_charged(name)
            for name, one in self.memory.sources.items()
        )

    def _is_charged(self, name: str) -> bool:
        last = self._last.get(name)
        return last is None or last.charge is None or last.charge >= self._rules.charge_min

    def _remember(self, **changes: object) -> None:
        self.memory = msgspec.structs.replace(self.memory, **changes)


@dataclass(frozen=True, slots=True)
class _Told:
    """The last line with an estimate."""

    at_s: float
    left_s: float


def _at_rest(before: SourceMemory, at_s: float) -> SourceMemory:
    """Return a source on line power: its battery has shown something; the discharge is kept until power is steady."""
    if not before.is_on or before.discharge is None:
        return before
    shown, discharge = before.shown, before.discharge
    if not before.is_assumed:
        measured = discharge.measured_held()
        shown = Shown(max(shown.proved, discharge.drawn), measured if measured is not None else shown.measured)
    return msgspec.structs.replace(
        before, discharge=discharge.rest(at_s), is_on=False, is_assumed=False, line_s=at_s, shown=shown
    )


def _shown(reading: UpsReading) -> str:
    charge = "charge unknown" if reading.charge is None else f"charge {reading.charge:g} %"
    runtime = "no runtime announced" if reading.runtime_s is None else f"{reading.runtime_s:.0f} s announced"
    load = "load unknown" if reading.load is None else f"load {reading.load:g} %"
    return f"{charge}, {runtime}, {load}"


def _named(names: Collection[str]) -> str:
    some = list(names)[:NAMED_MAX]
    more = len(names) - len(some)
    return ", ".join(some) + (f" and {more} more" if more > 0 else "")
