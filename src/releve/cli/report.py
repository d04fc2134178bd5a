"""releve report FILE: a situation report of now, drafted from what is measured, in French and English.

What each hospital sees comes from its own node's states (`--node DIR`, repeated); without any, this place asks every
service itself and says that it did. The journal of a restart (`releve restart --journal`) tells what came back when and
what the forecast may learn from.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from random import Random

from releve.clock import Instant, wall_us
from releve.config import load as load_node
from releve.errors import WrongUse
from releve.estate import Estate, load
from releve.node.folder import SERVICES_FILE, read_state
from releve.recovery.forecast import forecast, progress_of
from releve.recovery.journal import Happened, from_json
from releve.recovery.probe import Reading, probe
from releve.sitrep import Loss, Measured, draft, earlier_forecasts, next_number, seen, write

_PROBE_TIMEOUT_S = 3.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument("--folder", type=Path, default=Path("reports"), metavar="DIR", help="where reports are kept")
    parser.add_argument(
        "--node", type=Path, action="append", default=[], metavar="DIR", help="a node whose states count"
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="journal of the restart so far")
    parser.add_argument("--next", type=float, default=60, metavar="MIN", help="minutes until the next report")
    parser.add_argument("--exercise", action="store_true", help="say on every page that this is an exercise")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    readings = asyncio.run(_ask_all(estate))
    at = wall_us()
    journal = _read_journal(options.journal) if options.journal else []
    losses = [Loss(unit, reading.at, None, reading.detail) for unit, reading in readings.items() if not reading.ok]
    measured = [one for node in options.node for one in _of_node(node)] or _from_here(estate, readings)
    expected = None
    if losses and all(_has_duration(estate, loss.unit) for loss in losses):
        rng = Random(at)  # noqa: S311 - draws of a simulation
        expected = forecast(estate, progress_of(estate, journal, at), at, rng)
    report = draft(
        estate,
        number=next_number(options.folder),
        at=at,
        next_at=at + round(options.next * 60_000_000),
        measured=measured,
        losses=losses,
        journal=journal,
        forecast=expected,
        earlier=earlier_forecasts(options.folder),
        is_exercise=options.exercise,
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    written = write(report, options.folder)
    for path in (*written.html.values(), *written.text.values()):
        print(path)
    return 0


def _has_duration(estate: Estate, unit: str) -> bool:
    """Say whether the estate tells how long a unit takes to come back; without that no date is given at all."""
    known = estate.units[unit]
    return known.duration is not None or known.start is not None


async def _ask_all(estate: Estate) -> dict[str, Reading]:
    units = [unit for unit in estate.units.values() if unit.probe]
    readings = await asyncio.gather(*(probe(str(unit.probe), _PROBE_TIMEOUT_S) for unit in units))
    return {unit.id: reading for unit, reading in zip(units, readings, strict=True)}


def _from_here(estate: Estate, readings: dict[str, Reading]) -> list[Measured]:
    """Return the states as seen from here, for every hospital a service is for: one view, and the report says so."""
    return [
        Measured(
            unit.id,
            hospital,
            "normal" if readings[unit.id].ok else "down",
            None,
            readings[unit.id].at,
            seen(readings[unit.id].state, readings[unit.id].detail),
        )
        for unit in estate.services()
        if unit.id in readings
        for hospital in unit.hospitals
    ]


def _of_node(folder: Path) -> list[Measured]:
    """Return what a hospital's node last wrote of the services it watches."""
    config = load_node(folder)
    states = read_state(config.folder / SERVICES_FILE)
    if not isinstance(states, list):
        raise WrongUse("report.no-states", f"The node in {folder} has measured nothing yet; it must have run.")
    return [
        Measured(one["id"], config.site_id, one["state"], _instant(one["since"]), one["checked_at"], one["reason"])
        for one in states
    ]


def _instant(value: int) -> Instant | None:
    return value or None


def _read_journal(path: Path) -> list[Happened]:
    try:
        return [from_json(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise WrongUse("report.no-journal", f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError) as error:
        raise WrongUse("report.bad-journal", f"{path} is no journal of a restart: {error}.") from error
