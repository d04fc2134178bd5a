"""releve restart FILE: bring an estate back in order, each step gated by a probe that speaks the service's protocol."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from releve.clock import to_datetime
from releve.estate import Estate, load
from releve.recovery.journal import Happened, to_json
from releve.recovery.plan_text import plan_text
from releve.recovery.run import RunResult, restart


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and start nothing")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="append every line of the journal there, as JSON")
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the plan")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    if options.dry_run:
        print(plan_text(estate, options.lang))
        return 0
    if options.journal is None:
        result = _restart(estate, None)
    else:
        with options.journal.open("a", encoding="utf-8") as journal:
            result = _restart(estate, journal)
    _tell(result)
    return 0 if result.ok else 1


def _restart(estate: Estate, journal: IO[str] | None) -> RunResult:
    def show(happened: Happened) -> None:
        clock = to_datetime(happened.at).astimezone(ZoneInfo(estate.zone)).strftime("%H:%M:%S")
        took = f" ({happened.took_s:.1f} s)" if happened.took_s is not None else ""
        print(f"{clock} {happened.kind:14} {happened.unit:20} {happened.detail}{took}", flush=True)
        if journal is not None:
            journal.write(json.dumps(to_json(happened), ensure_ascii=False) + "\n")
            journal.flush()

    return asyncio.run(restart(estate, show))


def _tell(result: RunResult) -> None:
    limit = f"the capacity {result.bottleneck}" if result.bottleneck else "the chain of needs"
    print(
        f"{len(result.order)} up in {result.makespan_s:.1f} s; no order could have beaten {result.bound_s:.1f} s "
        f"({limit}): {result.ratio:.2f} of that."
    )
    for word, units in (("failed", result.failed), ("blocked behind them", result.blocked)):
        if units:
            print(f"{word}: {', '.join(units)}")
