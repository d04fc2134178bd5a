"""Published reports at every hospital: what one node published is shown by the public pages of all.

A published report travels as the lines of its register and its sheet, and lies at the others in
recovery/published/ORIGIN/, a register that nobody there writes in. Numbers are each node's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from releve.log.event import BODY_BYTES_MAX
from releve.sitrep import Edition, Register
from releve.sitrep.folder import put
from releve.sitrep.register import REGISTER, Action
from releve.sitrep.sheet import Sheet

PUBLISHED_FOLDER = "published"
REPORT = "report"

#: A sheet of 38 hospitals and two thousand journal lines is about half a megabyte before it is compressed.
SHEET_BYTES_MAX = 4 * BODY_BYTES_MAX
_ORIGIN = re.compile(r"[A-Za-z0-9]{1,16}")


def report_sources(register: Register, known: Iterable[int]) -> list[tuple[int, dict[str, Any]]]:
    """Return (number, what an event says) of the published reports that are not known yet."""
    actions = register.actions()
    wanted = sorted({one.number for one in actions if one.verb == "publish"} - set(known))
    found = []
    for number in wanted:
        own = [one for one in actions if one.number == number]
        sheet = register.edition(number).sheet
        source = {
            "file": REPORT,
            "number": number,
            "actions": [msgspec.json.encode(one).decode() for one in own],
            "sheet": msgspec.json.encode(sheet).decode(),
        }
        if len(source["sheet"]) <= SHEET_BYTES_MAX:  # type: ignore[arg-type] # it is the text just made
            found.append((number, source))
    return found


def keep_report(folder: Path, origin: str, source: dict[str, Any]) -> None:
    """Keep a report that another node published; one that is there already stays as it is.

    folder  of the recovery
    raises  ValueError, KeyError, TypeError  it is none; nothing was written
            OSError                          the disk refused; it is kept when it is taken again
    """
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{origin!r} is no site")
    number, sheet = source["number"], msgspec.json.decode(source["sheet"], type=Sheet)
    actions = [msgspec.json.decode(line, type=Action) for line in source["actions"]]
    if not actions or sheet.number != number or any(one.number != number for one in actions):
        raise ValueError("the lines and the sheet are of several reports")
    there = folder / PUBLISHED_FOLDER / origin
    register = Register(there)
    before = register.actions()
    if any(one.number == number for one in before):
        return
    there.mkdir(parents=True, exist_ok=True, mode=0o700)
    version = max(one.version for one in actions)
    put(there / f"draft-{int(number):04}.{int(version)}.json", msgspec.json.encode(sheet))
    # The register last: it is what makes the report count.
    put(there / REGISTER, b"".join(msgspec.json.encode(one) + b"\n" for one in (*before, *actions)))


def others_published(folder: Path) -> list[tuple[str, Edition]]:
    """Return (node, report) of what the other nodes published, newest first.

    folder  of the recovery
    """
    root = folder / PUBLISHED_FOLDER
    found = [
        (path.name, edition)
        for path in (sorted(root.iterdir()) if root.is_dir() else ())
        for edition in Register(path).editions()
        if edition.published is not None
    ]
    return by_hour(found)


def by_hour(found: Iterable[tuple[str, Edition]]) -> list[tuple[str, Edition]]:
    """Return published reports of several nodes, the newest first: the one that is in force."""
    return sorted(found, key=lambda one: one[1].published.at if one[1].published else 0, reverse=True)
