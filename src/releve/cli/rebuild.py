"""releve rebuild DIR: the views of a stopped node made anew from its log."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.cli.progress import Progress
from releve.config import load
from releve.record import rebuild


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of a node that does not run")


def run(options: argparse.Namespace) -> int:
    config = load(options.folder)
    folded = rebuild(config.folder, Progress("views"), origin=config.site_id)
    print(f"The views are made anew from {folded:,} events.")
    return 0
