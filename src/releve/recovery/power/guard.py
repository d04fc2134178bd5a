"""The guard: asks the UPS for ever, stops what the vigil decides, and knows afterwards what was stopped clean.

    a decision   is on the disk before anything is stopped; a guard that was killed goes on with it
    a stop       most dependent first, storage last (run.shutdown); what blocks is named, and what it blocked is stopped
                 without it in a second round: its power goes away anyway, and a storage that is stopped is worth more
    afterwards   what was not proved down and does not run any more gets an "unclean" line, so that its integrity is
                 checked before anything stands on it

A disk that refuses does not keep the guard from stopping anything: it says so and goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from releve.clock import Instant, wall_us
from releve.errors import StoreUnable
from releve.estate import Estate, Unit
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened, Kind
from releve.recovery.power.ask import AskUps, ask_ups
from releve.recovery.power.budget import Left, StopBudget, part, power_left, sources, stages
from releve.recovery.power.memory import Memory, read_memory, write_memory
from releve.recovery.power.reading import UpsReading
from releve.recovery.power.vigil import Vigil
from releve.recovery.probe import Reading, probe

#: Between two rounds of questions: while anything is on battery or has not been steady since, and else.
PAUSE_S_BATTERY, PAUSE_S_LINE = 1.0, 5.0

#: What is remembered of a discharge is written so often; what was drawn since is reckoned anew after a kill.
KEEP_EVERY_S = 5.0

OnEvent = Callable[[Happened], None]
Pause = Callable[[float], Awaitable[None]]
Look = Callable[[Unit], Awaitable[Reading | None]]


class Stopping(Protocol):
    """Whatever takes units down in order."""

    def __call__(self, estate: Estate, on_event: OnEvent, /) -> Awaitable[Iterable[str]]:
        """Take down all units of an estate and return those that were blocked behind a failed one."""


async def look_at(unit: Unit) -> Reading | None:
    """Return whether a unit runs now; None when it has no probe."""
    return None if unit.probe is None else await probe(unit.probe, unit.probe_timeout_s)


@dataclass
class Guard:
    """The guard of one estate, with its recovery folder.

    stop      takes an estate down
    on_event  is told every line after it was written
    restart   called once power is steady after a stop; None: a person does it
    now       microseconds since 1970
    pause     waits so many seconds
    every_s   between two rounds of questions while all is calm; on battery PAUSE_S_BATTERY at most
    """

    estate: Estate
    folder: RecoveryFolder
    stop: Stopping
    on_event: OnEvent
    ask: AskUps = ask_ups
    look: Look = look_at
    restart: Callable[[], Awaitable[None]] | None = None
    now: Callable[[], Instant] = wall_us
    pause: Pause = asyncio.sleep
    every_s: float = PAUSE_S_LINE
    vigil: Vigil = field(init=False)
    budget: StopBudget = field(init=False)
    _stopping: asyncio.Task[None] | None = field(init=False, default=None)
    _restarting: asyncio.Task[None] | None = field(init=False, default=None)
    _kept: Memory = field(init=False)

    def __post_init__(self) -> None:
        """Read what the guard before this one knew.

        raises  WrongUse  its memory cannot be read
        """
        self._kept = read_memory(self.folder.path)
        self.budget = StopBudget(self.estate)
        self.vigil = Vigil(self.estate, self.budget, self._kept)
        self._sources = sources(self.estate)

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            if self.vigil.memory.is_stopping:
                self._resume()
            while True:
                await self.round()
                is_calm = not self.vigil.is_cut and self._stopping is None
                await self.pause(self.every_s if is_calm else min(self.every_s, PAUSE_S_BATTERY))
        finally:
            for task in (self._stopping, self._restarting):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

    def _resume(self) -> None:
        """Go on with the stop that was decided before this guard, and write what the one before could not."""
        try:
            told = {line.detail for line in self.folder.journal() if line.kind == "stop-decided"}
        except OSError:
            told = set()
        for stop in self.vigil.memory.stops:
            if stop.reason not in told:
                self._tell("stop-decided", detail=stop.reason)
        self._begin()

    async def round(self) -> None:
        """Ask every UPS once, and do what follows."""
        self._see_ended()
        asked = await asyncio.gather(*(self.ask(unit) for unit in self._sources.values()))
        heard = self.vigil.hear(self.now() / 1e6, dict(zip(self._sources, asked, strict=True)))
        # The decision first: whoever is killed between here and the first command goes on with it.
        memory = self.vigil.memory
        if heard.lines or heard.stop or (self.vigil.is_cut and memory.at_s - self._kept.at_s >= KEEP_EVERY_S):
            self._keep()
        for kind, unit, detail in heard.lines:
            self._tell(kind, unit, detail)
        if heard.stop is not None:
            self._begin()
        if heard.steady:
            await self._afterwards()

    def _see_ended(self) -> None:
        """Take note of a stop that ended; one that broke is begun again, since nobody else will."""
        if self._stopping is None or not self._stopping.done():
            return
        ended, self._stopping = self._stopping, None
        broken = ended.exception()
        if broken is not None:
            self._tell(
                "try-failed", detail=f"the stop broke off ({type(broken).__name__}: {broken}); it is begun again"
            )
            self._begin()

    def _begin(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._carry_out())

    async def _carry_out(self) -> None:
        """Take down what was decided, until nothing more was decided meanwhile."""
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        tried: frozenset[str] = frozenset()
        while todo := self.vigil.memory.decided - tried:
            tried |= todo
            blocked = await self.stop(part(self.estate, tried - self.vigil.memory.clean), self._heard)
            if names := frozenset(blocked) - self.vigil.memory.clean:
                await self.stop(part(self.estate, names), self._heard)
        self.vigil.stop_ended()
        self._keep()

    def _heard(self, line: Happened) -> None:
        """Take a line of the stop."""
        self._write(line)
        if line.kind in ("down", "already-down"):
            self.vigil.is_down(line.unit)
            self._keep()

    async def _afterwards(self) -> None:
        """Say what was not stopped clean, and what comes next."""
        memory = self.vigil.memory
        unclean = await self._unclean()
        for name, detail in unclean.items():
            self._tell("unclean", name, detail)
        stopped = sorted(memory.clean)
        said = [f"steady for {self.estate.battery.steady_s:g} s"]
        if not stopped and not unclean:
            said.append("nothing was stopped")
        else:
            said.append(f"{len(stopped)} units were stopped clean")
            said.append(f"{len(unclean)} were not{': ' if unclean else ''}{', '.join(unclean)}")
            said.append("the restart begins" if self.restart else "now: releve restart with the same folder")
        self._tell("power-back", detail="; ".join(said))
        self.vigil.forget()
        self._keep()
        if self.restart is not None and (stopped or unclean):
            self._restarting = asyncio.ensure_future(self.restart())

    async def _unclean(self) -> dict[str, str]:
        """Return what lost its power, or may have, before it was proved down, with the evidence."""
        memory = self.vigil.memory
        suspects = memory.endangered | memory.decided if memory.is_blind else memory.decided
        units = [
            unit
            for name, unit in self.estate.units.items()
            if name in suspects and name not in memory.clean and name not in self._sources
            if unit.stop is not None or unit.check is not None
        ]
        readings = await asyncio.gather(*(self.look(unit) for unit in units))
        return {
            unit.id: "it was not proved down, and " + ("has no probe" if reading is None else reading.detail)
            for unit, reading in zip(units, readings, strict=True)
            if reading is None or not reading.ok
        }

    def _tell(self, kind: Kind, unit: str = "", detail: str = "") -> None:
        self._write(Happened(self.now(), kind, unit, detail))

    def _write(self, line: Happened) -> None:
        try:
            self.folder.happened(line)
        except StoreUnable as error:
            self.on_event(Happened(self.now(), "power-reading", "", f"{error.sentence} The guard goes on."))
        self.on_event(line)

    def _keep(self) -> None:
        if self.vigil.memory == self._kept:
            return
        try:
            write_memory(self.folder.path, self.vigil.memory)
            self._kept = self.vigil.memory
        except StoreUnable as error:
            self.on_event(Happened(self.now(), "power-reading", "", f"{error.sentence} The guard goes on."))


def foresee(
    estate: Estate, announced: dict[str, UpsReading], budget: Callable[[frozenset[str]], float]
) -> list[tuple[float, float, frozenset[str]]]:
    """Return for a cut of every source now: (seconds that would be left, P95 of the stop with its margin, units)."""
    vigil = Vigil(estate, budget, Memory())
    vigil.hear(0.0, {name: _cut(reading) for name, reading in announced.items()})
    left: dict[str, Left] = vigil.left()
    acting = frozenset(name for name, unit in estate.units.items() if unit.stop is not None)
    return [
        (left_s, budget(units) + estate.battery.margin_s, units)
        for left_s, units in stages(power_left(estate, left))
        if units & acting
    ]


def _cut(reading: UpsReading) -> UpsReading:
    """Return what a UPS would say in the first second of a cut."""
    return UpsReading(
        frozenset({"OB"}), reading.detail, reading.charge, reading.charge_low, reading.runtime_s, None, reading.load
    )
