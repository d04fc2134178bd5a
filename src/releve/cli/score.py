"""releve score DIR: how the forecasts of a recovery did: P50 error, whether P90 held, and every slip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from releve.clock import wall_us
from releve.errors import WrongUse
from releve.estate import load
from releve.recovery.folder import RecoveryFolder
from releve.recovery.score import encode_score, score
from releve.recovery.score_text import score_text

_ESTATE = "estate.toml"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a recovery folder: journal and published forecasts")
    parser.add_argument("--estate", type=Path, metavar="FILE", help="the estate file; DIR/estate.toml when not given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record there too, as JSON")
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the record")


def run(options: argparse.Namespace) -> int:
    if not options.folder.is_dir():
        raise WrongUse(
            "score.no-folder",
            f"{options.folder} is no folder; expected the folder of a recovery, with its journal and its forecasts.",
        )
    estate = load(options.estate or options.folder / _ESTATE)
    folder = RecoveryFolder(options.folder)
    found = score(estate, folder.forecasts(), folder.journal(), wall_us())
    print(score_text(estate, found, options.lang), end="")
    if options.json is not None:
        options.json.write_text(json.dumps(encode_score(found), ensure_ascii=False, indent=2) + "\n", "utf-8")
    return 0
