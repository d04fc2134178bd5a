"""releve token DIR --role ROLE: a bearer token for a machine, shown once."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releve.clock import to_instant, wall_us
from releve.config import load
from releve.doors.tokens import ROLES, Tokens, describe


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the node's folder")
    parser.add_argument("--role", choices=ROLES, help="system reads all of /fhir/; monitor reads /metrics only")
    parser.add_argument("--label", default="", help="which system it is for; stands in the audit trail")
    parser.add_argument("--days", type=float, default=0, help="valid for so many days; without it, until revoked")
    parser.add_argument("--list", action="store_true", help="show who holds tokens")
    parser.add_argument("--revoke", default="", metavar="ID", help="make a token invalid, at the running node too")


def run(options: argparse.Namespace) -> int:
    tokens = Tokens(load(options.folder).folder)
    if options.list:
        print("\n".join(describe(holder, wall_us()) for holder in tokens.every()) or "No tokens.")
        return 0
    if options.revoke:
        holder = tokens.revoke(options.revoke)
        print(f"The token {holder.id} of {holder.label} is revoked.")
        return 0
    expires_at = to_instant(datetime.now(UTC) + timedelta(days=options.days)) if options.days else 0
    print(tokens.issue(options.role or "system", options.label, expires_at=expires_at))
    return 0
