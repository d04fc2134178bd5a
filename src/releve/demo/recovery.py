"""The recovery of the night, in the folder that every hospital's node shows: the guard on battery, what it stops, the
restart, and every forecast on the way.

    on battery   the guard (recovery.power) decides when the orderly stop begins, and stops what it can
    cut          what was not down by then lost its power: the journal calls it unclean
    restart      from the journal: what was stopped clean goes straight on, what was not is checked first
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from releve.clock import wall_us
from releve.estate import Estate
from releve.recovery.folder import RecoveryFolder
from releve.recovery.forecast import Forecast, forecast, progress_of
from releve.recovery.journal import Happened
from releve.recovery.past import RESTART, past_of
from releve.recovery.plan import make_plan
from releve.recovery.power.guard import Guard
from releve.recovery.run import RunResult, restart, shutdown
from releve.recovery.score import Score, score

#: The guard of the night looks more often than a real one, whose cut lasts hours.
_GUARD_PAUSE_S = 0.5
#: Forecasts are published on change, and not more often than that.
_FORECAST_EVERY_S = 1.0
_FORECAST_RUNS = 100


@dataclass(frozen=True)
class Stops:
    """How the units went down: by an orderly stop, or because the power was gone."""

    clean: tuple[str, ...]
    unclean: tuple[str, ...]


class Recovery:
    """One recovery folder and what is done with it.

    on_event  told every line after it was written
    """

    def __init__(self, estate: Estate, path: Path, on_event: Callable[[Happened], None], rng: Random) -> None:
        self.folder = RecoveryFolder(path)
        self.forecasts: list[Forecast] = []
        self.journal: list[Happened] = []
        self.stops = Stops((), ())
        self.estate = estate
        self._on_event = on_event
        self._rng = rng
        self._priority = make_plan(estate).priority
        self._forecast_of = 0
        self._news = asyncio.Event()

    def down(self) -> tuple[str, ...]:
        """Return what was proved down so far."""
        return tuple(dict.fromkeys(line.unit for line in self.journal if line.kind == "down"))

    def is_stop_decided(self) -> bool:
        """Return whether the guard has decided to stop."""
        return any(line.kind == "stop-decided" for line in self.journal)

    async def guard(self) -> None:
        """Watch the batteries and stop what must be stopped, until cancelled."""
        guard = Guard(self.estate, self.folder, _stop, self._heard, pause=_pause)
        await guard.run()

    async def until_down(self, count: int, timeout_s: float) -> None:
        """Wait until so many units were stopped clean, or the battery gives no more time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._until(lambda: len(self.down()) >= count)
        except TimeoutError:
            pass  # the battery waits for nobody

    async def until_back(self, count: int) -> None:
        """Wait until so many units are up again, or the restart has ended."""
        at = len(self.journal)

        def is_back() -> bool:
            fresh = self.journal[at:]
            back = {line.unit for line in fresh if line.kind in ("up", "already-up")}
            return len(back) >= count or any(line.kind == "run-ended" for line in fresh)

        await self._until(is_back)

    def power_gone(self) -> Stops:
        """The batteries are empty: what was not proved down lost its power, and the journal says so."""
        clean = self.down()
        units = [unit.id for unit in self.estate.units.values() if unit.start is not None and unit.id not in clean]
        for unit in units:
            self._keep(Happened(wall_us(), "unclean", unit, "the battery was empty before it was stopped"))
        self.stops = Stops(clean, tuple(units))
        return self.stops

    def power_back(self, feeds: Iterable[str]) -> None:
        """The mains are back."""
        for feed in feeds:
            self._keep(Happened(wall_us(), "power-back", feed))

    async def restart(self) -> RunResult:
        """Bring everything up, from where the journal stands; decisions of any hospital are obeyed."""
        return await restart(
            self.estate,
            self._keep,
            past=past_of(self.folder.journal(), RESTART),
            decisions=self.folder.new_decisions(),
        )

    async def publish_on(self, ending: asyncio.Event) -> None:
        """Publish a forecast whenever something has changed, until the end."""
        while not ending.is_set():
            if self._forecast_of != len(self.journal):
                await self.publish()
            await asyncio.sleep(_FORECAST_EVERY_S)

    async def publish(self) -> Forecast:
        """Make a forecast of now, keep it, and return it."""
        at = wall_us()
        self._forecast_of = len(self.journal)
        progress = progress_of(self.estate, list(self.journal), at)
        made = await asyncio.to_thread(
            forecast, self.estate, progress, at, self._rng, runs=_FORECAST_RUNS, priority=self._priority
        )
        self.folder.publish(made)
        self.forecasts.append(made)
        return made

    def score(self) -> Score:
        """Return how the forecasts of the night did."""
        return score(self.estate, self.folder.forecasts(), self.journal, wall_us())

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; it is looked at with each new line of the journal."""
        while not is_so():
            self._news.clear()
            await self._news.wait()

    def _keep(self, line: Happened) -> None:
        self.folder.happened(line)
        self._heard(line)

    def _heard(self, line: Happened) -> None:
        self.journal.append(line)
        self._news.set()
        self._on_event(line)


async def _stop(estate: Estate, on_event: Callable[[Happened], None]) -> Iterable[str]:
    return (await shutdown(estate, on_event)).blocked


async def _pause(_: float) -> None:
    await asyncio.sleep(_GUARD_PAUSE_S)
