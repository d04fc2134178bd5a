"""releve plan FILE: the order of a restart, with the reason for each place; a cycle is refused by its name."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.estate import load
from releve.recovery.plan_text import plan_text


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the plan")


def run(options: argparse.Namespace) -> int:
    print(plan_text(load(options.file), options.lang))
    return 0
