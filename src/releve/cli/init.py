"""releve init DIR --site ID: a new node."""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.node.folder import make_folder


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the node's folder; made when it is not there")
    parser.add_argument("--site", required=True, metavar="ID", help="1 to 16 letters and digits, such as H07")
    parser.add_argument("--name", default="", help="the hospital's name, as the pages show it")
    parser.add_argument("--hubs", default="", metavar="URL,URL", help="addresses of the two hubs")
    parser.add_argument("--http", default="", metavar="HOST:PORT", help="listen address of the pages (127.0.0.1:8080)")
    parser.add_argument("--mllp", default="", metavar="HOST:PORT", help="listen address of HL7 v2 (127.0.0.1:2575)")


def run(options: argparse.Namespace) -> int:
    hubs = tuple(url for url in options.hubs.split(",") if url)
    path = make_folder(options.folder, options.site, options.name, hubs, http=options.http, mllp=options.mllp)
    print(f"{path} is written. Next:")
    print(f"  releve account add {options.folder} NAME --role nurse     somebody who may sign in")
    print(f"  releve run {options.folder}                               start the node")
    print(f"  releve send {options.mllp or '127.0.0.1:2575'} FILE…                  send it HL7 v2")
    return 0
