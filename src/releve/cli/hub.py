"""releve hub DIR --listen HOST:PORT runs a hub; releve hub invite DIR REQUEST… lets nodes in."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from releve.config import parse_listen
from releve.errors import WrongUse
from releve.replica.access import read_request
from releve.replica.enrolment import enrol, expel
from releve.replica.hub import run_hub


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="+",
        metavar="DIR | invite DIR REQUEST… | expel DIR SITE",
        help="a hub's folder to run it (made when it is not there); or invite nodes by their keys/request.json",
    )
    parser.add_argument("--listen", default="127.0.0.1:4222", metavar="HOST:PORT", help="where nodes connect")
    parser.add_argument("--url", default="", help="invite: the hub's address as the nodes see it, when it differs")


def run(options: argparse.Namespace) -> int:
    verb, *rest = options.words
    if verb == "invite":
        return _invite(rest, options.url)
    if verb == "expel":
        if len(rest) != 2:
            raise WrongUse("hub.words", "Expected: releve hub expel DIR SITE")
        expel(Path(rest[0]), rest[1])
        print(f"{rest[1]} is shut out; its history stays.")
        return 0
    if rest:
        raise WrongUse("hub.words", f"Expected one folder to run a hub in; found {' '.join(options.words)!r}.")
    address = parse_listen(options.listen)
    if address is None:
        raise WrongUse("hub.listen", f"--listen must be HOST:PORT, such as 0.0.0.0:4222; found {options.listen!r}.")
    asyncio.run(run_hub(Path(verb), address.host, address.port, lambda url: print(f"ready {url}", flush=True)))
    return 0


def _invite(words: list[str], url: str) -> int:
    if len(words) < 2:
        raise WrongUse(
            "hub.words", "Expected: releve hub invite DIR REQUEST…, a REQUEST being a node's keys/request.json"
        )
    folder, *requests = (Path(word) for word in words)
    for path in enrol(folder, [read_request(request) for request in requests], at=datetime.now(UTC), url=url):
        print(f"{path}: give it to its node, by a road that others cannot read; there: releve join DIR {path.name}")
    return 0
