"""releve demo: the seed night, with real processes, sockets and power cuts; the verdict, from outside."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.demo.play import SEED, Choice, play


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hospitals", type=int, default=3, metavar="N", help="how many of the 38 hospitals (3)")
    parser.add_argument("--seed", type=int, default=SEED, metavar="N", help=f"people and values of the night ({SEED})")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where everything lies; kept (default: temporary)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict as JSON")
    parser.add_argument("--keep", action="store_true", help="leave everything running after the verdict, until Ctrl-C")
    parser.add_argument("--short", action="store_true", help="a night of half a minute, as the tests play it")
    parser.add_argument("--plain", action="store_true", help="lines instead of a picture, as when it is no terminal")
    parser.add_argument("--lang", choices=("fr", "en"), help="language of the night (from LANG)")


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
