"""releve plan FILE: the order of a restart or a stop, with the reason for each place; a cycle is refused by name."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from releve.clock import Instant, to_instant, to_iso, wall_us
from releve.errors import WrongUse
from releve.estate import Estate, load
from releve.recovery.plan import make_plan, make_stop_plan
from releve.recovery.plan_text import plan_text


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the plan")
    parser.add_argument("--json", action="store_true", help="the plan for a program, times in seconds")
    parser.add_argument("--stop", action="store_true", help="the order of a clean stop instead")
    parser.add_argument(
        "--at", metavar="TIME", help="when it begins, such as 2024-08-03T14:30 there; now, where shifts count"
    )
    parser.add_argument(
        "--unclean",
        action="append",
        default=[],
        metavar="UNIT",
        help="went down without a clean stop (repeated); all: every unit",
    )


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    if options.stop:
        plan = make_stop_plan(estate)
    else:
        plan = make_plan(estate, unclean=_unclean(estate, options.unclean), at=_at(estate, options.at))
    if options.json:
        at = to_iso(plan.at) if plan.at is not None else None
        print(json.dumps({**msgspec.to_builtins(plan), "at": at, "ratio": plan.ratio}, ensure_ascii=False, indent=2))
    else:
        print(plan_text(estate, options.lang, plan))
    return 0


def _at(estate: Estate, text: str | None) -> Instant | None:
    """Return when second 0 is; None where no shift makes a difference and nobody asked."""
    if text is None:
        return wall_us() if any(one.shifts for one in estate.capacities.values()) else None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUse(
            "plan.time",
            f"--at must be a date and a time such as 2024-08-03T14:30; found {text!r}. Nothing was planned.",
        ) from error
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(estate.zone)))


def _unclean(estate: Estate, names: list[str]) -> list[str]:
    if names == ["all"]:
        return list(estate.units)
    strange = [name for name in names if name not in estate.units]
    if strange:
        raise WrongUse(
            "plan.unit", f"--unclean names {strange[0]!r}, which is no unit of this estate. Nothing was planned."
        )
    return names
