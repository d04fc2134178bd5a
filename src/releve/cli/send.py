"""releve send HOST:PORT FILE…: HL7 v2 files to any receiver; what was not accepted a line each, then a count."""

from __future__ import annotations

import argparse
import ssl
import sys
from pathlib import Path

from releve.config import parse_listen
from releve.doors.send import ACCEPTED, TIMEOUT_S, Sent, send_files
from releve.errors import WrongUse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", metavar="HOST:PORT", help="an MLLP receiver, such as 127.0.0.1:2575")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="files of HL7 v2; of a folder every *.hl7")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help="seconds to wait for an answer")
    parser.add_argument("--tls", type=Path, metavar="CA", help="speak TLS and believe this authority (PEM)")
    parser.add_argument("--quiet", action="store_true", help="the count only")


def run(options: argparse.Namespace) -> int:
    # As `releve run` says it: mllp://127.0.0.1:2575.
    address = parse_listen(options.address.removeprefix("mllp://"))
    if address is None or "/" in address.host:
        raise WrongUse("send.address", f"Expected HOST:PORT, such as 127.0.0.1:2575; found {options.address!r}.")
    paths = [path for given in options.paths for path in _files(given)]
    tls = ssl.create_default_context(cafile=str(options.tls)) if options.tls else None

    def progress(sent: Sent) -> None:
        if sent.outcome != ACCEPTED and not options.quiet:
            print(f"{sent.outcome:10} {sent.code:2} {sent.path} {sent.control_id}: {sent.sentence}", flush=True)
        elif sys.stderr.isatty():
            print(f"\r{sent.path.name[:60]:60}", end="", file=sys.stderr, flush=True)

    tally = send_files(address.host, address.port, paths, timeout_s=options.timeout, tls=tls, print_progress=progress)
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    print(f"{tally.accepted} accepted, {tally.refused} refused, {tally.unanswered} unanswered")
    return 0 if tally.refused == tally.unanswered == 0 else 1


def _files(given: Path) -> list[Path]:
    return sorted(given.rglob("*.hl7")) if given.is_dir() else [given]
