"""releve impact FILE UNIT…: what falls if this falls, what is degraded, which hospitals lose which services."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.cli.estate import write_json
from releve.estate import impact, load
from releve.estate.impact import what_fell
from releve.estate.impact_text import impact_json, impact_text


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file")
    parser.add_argument(
        "units", nargs="+", metavar="UNIT", help="an id, or room:ID or site:ID for all that stands there"
    )
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the answer")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON here, - for the terminal")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    fallen = impact(estate, what_fell(estate, options.units))
    if options.json is not None:
        write_json(options.json, impact_json(estate, fallen))
    if options.json is None or str(options.json) != "-":
        print(impact_text(estate, fallen, options.lang))
    return 0
