"""releve restart FILE: bring an estate back in order, each step gated by a probe that speaks the service's protocol."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from releve.cli.console import console_arguments, run_console, run_in_memory
from releve.estate import Estate, load
from releve.recovery.dry_run import DryStep, dry_run
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened, to_json
from releve.recovery.past import RESTART, past_of
from releve.recovery.plan_text import plan_text


def arguments(parser: argparse.ArgumentParser) -> None:
    console_arguments(parser)
    parser.add_argument(
        "--unclean", action="append", default=[], metavar="UNIT", help="it lost its power: check its integrity first"
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="append every line of the journal there, as JSON")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    if options.dry_run:
        print(plan_text(estate, options.lang))
        return print_dry_run(estate, RESTART, _doubted(estate, options))
    if options.folder is not None:
        return run_console(estate, RESTART, options)
    if options.journal is None:
        return 0 if run_in_memory(estate, RESTART, options, lambda _: None).ok else 1
    with options.journal.open("a", encoding="utf-8") as journal:

        def keep(line: Happened) -> None:
            journal.write(json.dumps(to_json(line), ensure_ascii=False) + "\n")
            journal.flush()

        return 0 if run_in_memory(estate, RESTART, options, keep).ok else 1


def _doubted(estate: Estate, options: argparse.Namespace) -> list[str]:
    """Return whose integrity would be checked, for all that the folder knows."""
    past = past_of(RecoveryFolder(options.folder).journal(), RESTART) if options.folder else None
    clean = past.clean - past.unclean - {*options.unclean} if past else frozenset()
    return [unit.id for unit in estate.units.values() if unit.check and unit.id not in clean]


def print_dry_run(estate: Estate, act: str, unclean: list[str]) -> int:
    """Print what each step would execute, and return 1 when something would keep it from that."""
    steps = asyncio.run(dry_run(estate, act, unclean))
    print()
    for step in steps:
        print(f"{step.task.act:8} {step.task.name:24} {_words(step)}")
        for flaw in step.flaws:
            print(f"{'':8} {'':24} ✗ {flaw}")
    flawed = sum(bool(step.flaws) for step in steps)
    print(f"\n{len(steps)} steps, {flawed} with something in the way. Nothing was started or stopped.")
    return 1 if flawed else 0


def _words(step: DryStep) -> str:
    if step.driver:
        return f"[{step.driver}] {step.words}"
    return "is let in, wave by wave" if step.task.act == "release" else "is waited for; nothing is executed"
