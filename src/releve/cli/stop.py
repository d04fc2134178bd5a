"""releve stop FILE: take an estate down cleanly, what depends first, what everything stands on last."""

from __future__ import annotations

import argparse
import sys

from releve.cli.console import console_arguments, run_console, run_in_memory
from releve.cli.restart import print_dry_run
from releve.estate import Estate, load
from releve.recovery.past import STOP


def arguments(parser: argparse.ArgumentParser) -> None:
    console_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask at the terminal whether it is meant")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    if options.dry_run:
        return print_dry_run(estate, STOP, [])
    if not _is_meant(estate, options):
        print("Nothing was stopped.")
        return 1
    if options.folder is not None:
        return run_console(estate, STOP, options)
    return 0 if run_in_memory(estate, STOP, options, lambda _: None).ok else 1


def _is_meant(estate: Estate, options: argparse.Namespace) -> bool:
    """Ask a person at a terminal whether so much is to be stopped; a script has said so by calling."""
    if options.yes or not sys.stdin.isatty():
        return True
    stopped = [unit for unit in estate.units.values() if unit.stop is not None]
    hospitals = {site for unit in stopped for site in unit.hospitals}
    print(f"This stops {len(stopped)} units of {estate.name.en}, for {len(hospitals)} hospitals.")
    return input('Type "stop" to go on: ').strip() == "stop"
