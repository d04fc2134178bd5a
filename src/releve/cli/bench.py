"""releve bench NAME: one benchmark, beside its peer or its physical limit."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from releve.bench import chart, intake


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=("intake", "chart"), metavar="NAME", help="intake or chart")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work; a temporary folder when not given")
    parser.add_argument("--messages", type=int, default=20_000, help="intake: messages a round")
    parser.add_argument("--rounds", type=int, default=3, help="intake: rounds")
    parser.add_argument("--patients", type=int, default=chart.PATIENTS, help="chart: patients in the full node")
    parser.add_argument("--results", type=int, default=chart.RESULTS, help="chart: results in the full node")
    parser.add_argument("--requests", type=int, default=2000, help="chart: pages to ask for in each state")


def run(options: argparse.Namespace) -> int:
    print(f"bench {options.name}: both sides in one run; only the ratios mean something on another machine", flush=True)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        return _measure(options, options.folder)
    with tempfile.TemporaryDirectory(prefix="releve-bench-") as folder:
        return _measure(options, Path(folder))


def _measure(options: argparse.Namespace, folder: Path) -> int:
    if options.name == "intake":
        taken = intake.measure(folder, messages=options.messages, rounds=options.rounds, say=_say)
        lines, values = intake.report(taken), intake.as_json(taken)
    else:
        read = chart.measure(
            folder, patients=options.patients, results=options.results, requests=options.requests, say=_say
        )
        lines, values = chart.report(read), chart.as_json(read)
    print("\n".join(lines))
    if options.json is not None:
        options.json.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
