"""releve guard FILE --folder DIR: watch the batteries for ever, and stop cleanly what they can no longer carry."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from releve.clock import to_datetime
from releve.errors import WrongUse
from releve.estate import Estate, load
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened
from releve.recovery.lock import hold
from releve.recovery.power.ask import ask_ups
from releve.recovery.power.budget import StopBudget, sources
from releve.recovery.power.guard import PAUSE_S_LINE, Guard, foresee
from releve.recovery.power.orderly import OrderlyStop, restart_in
from releve.recovery.power.reading import UpsReading

_LOCK = "guard.lock"

#: A look more seldom than this would see a cut when a small battery is half empty.
_EVERY_S_MAX = 30.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="the recovery folder: journal, decisions, memory")
    parser.add_argument(
        "--check", action="store_true", help="say what a cut now would mean, and end: 1 if time is short"
    )
    parser.add_argument(
        "--every", type=float, default=PAUSE_S_LINE, metavar="S", help="seconds between two looks on line power (5)"
    )
    parser.add_argument("--restart", action="store_true", help="restart by itself when power has been steady")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    if not sources(estate):
        raise WrongUse(
            "guard.blind",
            f"{options.file} has no [[feed]] or [[ups]] whose probe begins with nut:// or snmp://: no battery can be "
            "read. Give the feeds a probe such as nut://HOST:3493/UPS; nothing is watched.",
        )
    if options.check:
        return 0 if asyncio.run(_check(estate, StopBudget(estate))) else 1
    if options.folder is None:
        raise WrongUse("guard.folder", "releve guard needs --folder DIR, the recovery folder; nothing is watched.")
    if not 0 < options.every <= _EVERY_S_MAX:
        raise WrongUse(
            "guard.every", f"--every must be more than 0 and at most {_EVERY_S_MAX:g} s; found {options.every:g}."
        )
    folder = RecoveryFolder(options.folder)
    with _alone(options.folder):
        return asyncio.run(_watch(estate, folder, options))


async def _watch(estate: Estate, folder: RecoveryFolder, options: argparse.Namespace) -> int:
    def show(line: Happened) -> None:
        clock = to_datetime(line.at).astimezone(ZoneInfo(estate.zone)).strftime("%H:%M:%S")
        print(f"{clock} {line.kind:14} {line.unit:20} {line.detail}", flush=True)

    async def begin_restart() -> None:
        def keep(line: Happened) -> None:
            folder.happened(line)
            show(line)

        await restart_in(estate, folder, keep)

    restart = begin_restart if options.restart else None
    guard = Guard(estate, folder, OrderlyStop(folder), show, restart=restart, every_s=options.every)
    await _check(estate, guard.budget)  # what is reckoned now need not be in the first second of a cut
    watch = asyncio.ensure_future(guard.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, watch.cancel)
    print(f"ready guard of {estate.name.en}: {', '.join(sources(estate))}", flush=True)
    try:
        await watch
    except asyncio.CancelledError:
        return 0
    return 0


async def _check(estate: Estate, budget: StopBudget) -> bool:
    """Say what a cut of every feed now would mean, and return whether there is time for a clean stop."""
    units = sources(estate)
    asked = dict(zip(units, await asyncio.gather(*(ask_ups(unit) for unit in units.values())), strict=True))
    well = True
    for name, reading in asked.items():
        if reading.is_lost:
            well = False
            print(f"{name}: cannot be read: {reading.detail}")
        else:
            print(f"{name}: {_said(reading)}")
            well &= reading.charge is not None or reading.runtime_s is not None or name in estate.battery.ups
    seen = foresee(estate, {name: one for name, one in asked.items() if not one.is_lost}, budget)
    for left_s, needed_s, names in seen:
        is_enough = left_s >= needed_s
        well &= is_enough
        word = "enough" if is_enough else "NOT ENOUGH: the stop begins at once and may not end in time"
        print(
            f"if every feed fails now: {left_s:.0f} s for {len(names)} units, {needed_s:.0f} s needed with the margin: "
            f"{word}"
        )
    return well


def _said(reading: UpsReading) -> str:
    parts = [" ".join(sorted(reading.flags))]
    parts += [f"charge {reading.charge:g} %"] if reading.charge is not None else []
    parts += [f"announces {reading.runtime_s:.0f} s"] if reading.runtime_s is not None else []
    parts += [f"load {reading.load:g} %"] if reading.load is not None else []
    return ", ".join(parts)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only guard of a folder.

    raises  WrongUse  another one is, or the folder cannot be used
    """
    with ExitStack() as lock:
        try:
            is_alone = lock.enter_context(hold(folder / _LOCK))
        except OSError as error:
            raise WrongUse("guard.folder", f"{folder} cannot be used: {error.strerror}. Nothing is watched.") from error
        if not is_alone:
            raise WrongUse("guard.twice", f"another guard watches with {folder}; it goes on, this one was not started.")
        try:
            yield
        finally:
            sys.stdout.flush()
