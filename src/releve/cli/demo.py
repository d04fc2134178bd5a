"""releve demo: the seed night."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.demo.play import SEED, Choice, play


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hospitals", type=int, default=3, metavar="N", help="how many hospitals, 1 to 38")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed plays the same people")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="an empty folder to play in; kept afterwards")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict there too")
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards, to look at")
    parser.add_argument("--short", action="store_true", help="a compressed night")
    parser.add_argument("--plain", action="store_true", help="lines instead of the live view")
    parser.add_argument("--lang", choices=("fr", "en"), default=None, help="the language of the view")


def run(options: argparse.Namespace) -> int:
    return play(
        Choice(
            hospitals=options.hospitals,
            seed=options.seed,
            folder=options.folder,
            json=options.json,
            keep=options.keep,
            is_short=options.short,
            is_plain=options.plain,
            lang=options.lang,
        )
    )
