"""releve bench NAME: one benchmark, beside its peer or its physical limit."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from releve.bench import battery, chart, forecast, intake, plan

_Measured = tuple[list[str], dict[str, Any]]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=tuple(_BENCHES), metavar="NAME", help=", ".join(_BENCHES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work; a temporary folder when not given")
    parser.add_argument("--messages", type=int, default=20_000, help="intake: messages a round")
    parser.add_argument("--rounds", type=int, default=3, help="intake: rounds")
    parser.add_argument("--patients", type=int, default=chart.PATIENTS, help="chart: patients in the full node")
    parser.add_argument("--results", type=int, default=chart.RESULTS, help="chart: results in the full node")
    parser.add_argument("--requests", type=int, default=2000, help="chart: pages to ask for in each state")
    parser.add_argument("--psplib", type=Path, metavar="DIR", help="plan: PSPLIB instances with best_known.json")
    parser.add_argument("--seed", type=int, help="plan, forecast, battery: another centre, other restarts, other cuts")
    parser.add_argument("--rival", type=float, default=plan.RIVAL_S, metavar="S", help="plan: seconds of CP-SAT")
    parser.add_argument("--days", type=int, default=forecast.DAYS, help="forecast: simulated restarts, a third wrong")
    parser.add_argument("--small", action="store_true", help="forecast: a small centre, its cost not measured")
    parser.add_argument("--cuts", type=int, default=battery.CUTS, help="battery: scripted cuts")


def run(options: argparse.Namespace) -> int:
    print(f"bench {options.name}: both sides in one run; only the ratios mean something on another machine", flush=True)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        return _measure(options, options.folder)
    with tempfile.TemporaryDirectory(prefix="releve-bench-") as folder:
        return _measure(options, Path(folder))


def _measure(options: argparse.Namespace, folder: Path) -> int:
    lines, values = _BENCHES[options.name](options, folder)
    print("\n".join(lines))
    if options.json is not None:
        options.json.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    # A bench that was asked for something says whether it holds.
    return 0 if values.get("holds", True) else 1


def _intake(options: argparse.Namespace, folder: Path) -> _Measured:
    taken = intake.measure(folder, messages=options.messages, rounds=options.rounds, say=_say)
    return intake.report(taken), intake.as_json(taken)


def _chart(options: argparse.Namespace, folder: Path) -> _Measured:
    read = chart.measure(
        folder, patients=options.patients, results=options.results, requests=options.requests, say=_say
    )
    return chart.report(read), chart.as_json(read)


def _plan(options: argparse.Namespace, folder: Path) -> _Measured:
    seed = 1 if options.seed is None else options.seed
    planned = plan.measure(psplib=options.psplib, seed=seed, rival_s=options.rival, say=_say)
    return plan.report(planned), plan.as_json(planned)


def _forecast(options: argparse.Namespace, folder: Path) -> _Measured:
    seed = 2024 if options.seed is None else options.seed
    hospitals, hosts = (3, 24) if options.small else (forecast.HOSPITALS, forecast.HOSTS)
    promised = forecast.measure(
        days=options.days,
        wrong_days=options.days // 3,
        hospitals=hospitals,
        hosts=hosts,
        seed=seed,
        cost=not options.small,
        say=_say,
    )
    return forecast.report(promised), forecast.as_json(promised)


def _battery(options: argparse.Namespace, folder: Path) -> _Measured:
    seed = battery.SEED if options.seed is None else options.seed
    survived = battery.measure(options.cuts, seed)
    return battery.report(survived), battery.as_json(survived)


_BENCHES: dict[str, Callable[[argparse.Namespace, Path], _Measured]] = {
    "intake": _intake,
    "chart": _chart,
    "plan": _plan,
    "forecast": _forecast,
    "battery": _battery,
}


def _say(line: str) -> None:
    print(line, flush=True)
