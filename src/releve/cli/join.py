"""releve join DIR INVITATION: a node accepts what a hub gave it."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.config import load
from releve.replica.access import accept


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the node's folder")
    parser.add_argument("invitation", type=Path, nargs="+", metavar="INVITATION", help="file made by releve hub invite")


def run(options: argparse.Namespace) -> int:
    config = load(options.folder)
    for invitation in options.invitation:
        access = accept(config.folder, invitation)
        print(f"{config.site_id} may now exchange its history through {access.hub} ({access.url}).")
    print("A node that runs takes this up at its next start.")
    return 0
