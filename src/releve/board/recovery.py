"""The recovery as the pages see it: one snapshot of the folder, read anew only where something was added.

Nothing here decides or measures. What the folder does not hold is not known, and the pages say so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson

from releve.errors import ReleveError
from releve.estate import Estate, load
from releve.recovery.folder import DECISIONS, FORECASTS, JOURNAL, Decision
from releve.recovery.forecast import Forecast
from releve.recovery.journal import Happened, from_json
from releve.recovery.plan import Plan
from releve.recovery.tail import Tail
from releve.sitrep import Measured

ESTATE_FILE, PLAN_FILE = "estate.toml", "plan.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovery:
    """Everything the crisis pages are drawn from, as of one moment.

    estate     None: there is none, or it cannot be read; fault says why
    plan       None: not made yet
    journal    of every run in the folder, oldest first
    measured   states by service and hospital
    units      unit → its state as this node measured it last
    version    changes whenever anything else here does
    """

    estate: Estate | None = None
    fault: str = ""
    plan: Plan | None = None
    journal: tuple[Happened, ...] = ()
    decisions: tuple[Decision, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    measured: tuple[Measured, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def forecast(self) -> Forecast | None:
        """Return the forecast in force."""
        return self.forecasts[-1] if self.forecasts else None

    def run(self) -> tuple[Happened, ...]:
        """Return the lines of the last run; none when none ever began."""
        for index in range(len(self.journal) - 1, -1, -1):
            if self.journal[index].kind == "run-began":
                return self.journal[index:]
        return ()

    @property
    def is_running(self) -> bool:
        """Say whether a run has begun and not ended."""
        run = self.run()
        return bool(run) and not any(line.kind == "run-ended" for line in run)

    @property
    def is_paused(self) -> bool:
        """Say whether the run was told to start nothing new."""
        last = next((line.kind for line in reversed(self.run()) if line.kind in ("paused", "resumed")), "")
        return self.is_running and last == "paused"


class RecoveryReader:
    """Reads a recovery folder for the pages.

    measured  states by service and hospital, as this node knows them; as cheap as a file that did not change
    units     unit → state, as this node measured it
    estate    the estate file, where it is not estate.toml of the folder
    """

    def __init__(
        self,
        folder: Path,
        measured: Callable[[], Sequence[Measured]] = lambda: (),
        units: Callable[[], Mapping[str, str]] = dict,
        estate: Path | None = None,
    ) -> None:
        self.folder = folder
        self._estate = estate or folder / ESTATE_FILE
        self._measured, self._units = measured, units
        self._tails = {name: Tail(folder / name) for name in (JOURNAL, DECISIONS, FORECASTS)}
        self._lines: dict[str, list[Any]] = {name: [] for name in self._tails}
        self._marks: dict[str, tuple[int, int]] = {}
        self._now = Recovery()

    def read(self) -> Recovery:
        """Return the recovery as it stands; the same value as before when nothing changed."""
        changed = [self._read_lines(name) for name in self._tails]
        estate, fault, plan = self._now.estate, self._now.fault, self._now.plan
        if self._is_other(self._estate):
            estate, fault = self._read_estate()
            changed.append(True)
        if self._is_other(self.folder / PLAN_FILE):
            plan = self._read_plan()
            changed.append(True)
        measured, units = tuple(self._measured()), self._units()
        if any(changed) or _gist(measured) != _gist(self._now.measured) or units != self._now.units:
            version = self._now.version + 1
        elif measured != self._now.measured:
            version = self._now.version  # measured again, and nothing else: no page would look different
        else:
            return self._now
        self._now = Recovery(
            estate,
            fault,
            plan if estate is not None and plan is not None and _fits(plan, estate) else None,
            tuple(sorted(self._lines[JOURNAL], key=lambda line: line.at)),
            tuple(sorted(self._lines[DECISIONS], key=lambda decision: decision.at)),
            tuple(sorted(self._lines[FORECASTS], key=lambda forecast: forecast.issued_at)),
            measured,
            units,
            version,
        )
        return self._now

    def _read_lines(self, name: str) -> bool:
        lines, is_new = self._tails[name].new_lines()
        if is_new:
            self._lines[name] = []
        for line in lines:
            try:
                self._lines[name].append(_READ[name](orjson.loads(line)))
            except (ValueError, KeyError, msgspec.ValidationError) as error:
                # A line of a newer Relève, or a damaged one: the others still count, and IT is told.
                _log.warning("line not understood", extra={"file": name, "reason": str(error)})
        return bool(lines) or is_new

    def _is_other(self, path: Path) -> bool:
        name = str(path)
        try:
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            mark = (0, 0)
        if self._marks.get(name, (0, 0)) == mark:
            return False
        self._marks[name] = mark
        return True

    def _read_estate(self) -> tuple[Estate | None, str]:
        if not self._estate.exists():
            return None, ""
        try:
            return load(self._estate), ""
        except ReleveError as error:
            return None, error.sentence

    def _read_plan(self) -> Plan | None:
        try:
            return msgspec.json.decode((self.folder / PLAN_FILE).read_bytes(), type=Plan)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            _log.warning("plan not understood", extra={"reason": str(error)})
            return None


def _gist(measured: Sequence[Measured]) -> list[tuple[object, ...]]:
    """Return what of the states a page shows, without when they were measured."""
    return [(one.service, one.hospital, one.state, one.since, one.evidence) for one in measured]


def _fits(plan: Plan, estate: Estate) -> bool:
    """Say whether a plan is of this estate; one that was made before a change of the file is not shown."""
    return all(step.unit in estate.units for step in plan.steps)


_READ: dict[str, Callable[[Any], Any]] = {
    JOURNAL: from_json,
    DECISIONS: lambda line: msgspec.convert(line, Decision),
    FORECASTS: lambda line: msgspec.convert(line, Forecast),
}
