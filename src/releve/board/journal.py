"""The journal as people read it: everything that was seen, decided, done and announced, by whom, in one order.

It can be filtered and taken away as text, CSV or JSON; what a page shows and what a file holds are the same entries.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from releve.board.recovery import Recovery
from releve.clock import Instant, to_iso
from releve.recovery.folder import Decision
from releve.recovery.forecast import Forecast
from releve.recovery.journal import Happened

#: What a line of the journal is to a reader.
GROUPS = ("seen", "asked", "decided", "done", "announced")

_SEEN = frozenset({
    "already-up", "already-down", "power-lost", "power-back", "power-reading", "unclean", "checked", "check-failed",
    "overrun", "run-resumed",
})  # fmt: skip
_DECIDED = frozenset({
    "decided", "not-obeyed", "skipped", "released", "refused", "step-back", "cancelled", "paused", "resumed",
    "stop-decided",
})  # fmt: skip

#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line for a reader.

    group  one of GROUPS
    kind   as the journal names it; of a decision its verb
    who    the person behind it; "" when it was no person
    text   in people's or the run's own words
    """

    at: Instant
    group: str
    kind: str
    unit: str
    hospital: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the journal is wanted; an empty field wants everything."""

    unit: str = ""
    group: str = ""
    who: str = ""

    def takes(self, entry: Entry) -> bool:
        """Say whether an entry is wanted."""
        return (
            (not self.unit or entry.unit == self.unit)
            and (not self.group or entry.group == self.group)
            and (not self.who or entry.who == self.who)
        )


def entries(recovery: Recovery) -> list[Entry]:
    """Return everything, oldest first."""
    found = [
        *(_of_line(line) for line in recovery.journal),
        *(_of_decision(decision) for decision in recovery.decisions),
        *(_of_forecast(forecast) for forecast in recovery.forecasts),
    ]
    return sorted(found, key=lambda entry: entry.at)


def people(found: Iterable[Entry]) -> list[str]:
    """Return who is named, in alphabetical order."""
    return sorted({entry.who for entry in found if entry.who})


def to_text(found: Sequence[Entry]) -> str:
    """Return entries as lines for people."""
    return "".join(
        f"{to_iso(one.at)}  {one.group:9}  {one.kind:13}  {' '.join(p for p in (one.unit, one.hospital) if p):24}  "
        f"{(one.who + ': ' if one.who else '')}{' '.join(one.text.split())}\n"
        for one in found
    )


def to_csv(found: Sequence[Entry]) -> str:
    """Return entries as RFC 4180, safe to open in a spreadsheet."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(("at", "group", "kind", "unit", "hospital", "who", "text"))
    for one in found:
        cells = (to_iso(one.at), one.group, one.kind, one.unit, one.hospital, one.who, one.text)
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return sheet.getvalue()


def to_json(found: Sequence[Entry]) -> bytes:
    """Return entries as a JSON array."""
    return orjson.dumps(
        [
            {
                "at": to_iso(one.at),
                "group": one.group,
                "kind": one.kind,
                "unit": one.unit,
                "hospital": one.hospital,
                "who": one.who,
                "text": one.text,
            }
            for one in found
        ],
        option=orjson.OPT_INDENT_2,
    )


def _of_line(line: Happened) -> Entry:
    if line.kind == "asked":
        group = "asked"
    elif line.kind in _SEEN:
        group = "seen"
    else:
        group = "decided" if line.kind in _DECIDED else "done"
    return Entry(line.at, group, line.kind, line.unit, line.hospital, line.by, line.detail)


def _of_decision(decision: Decision) -> Entry:
    return Entry(decision.at, "decided", decision.verb, decision.unit, decision.hospital, decision.by, decision.reason)


def _of_forecast(forecast: Forecast) -> Entry:
    parts = [
        f"{name} P50 {round(span.p50_s / 60)} min, P90 {round(span.p90_s / 60)} min"
        for name, span in (("essential", forecast.essential), ("last", forecast.last))
        if span is not None
    ]
    if forecast.after:
        parts.append(f"after {', '.join(forecast.after)}")
    return Entry(forecast.issued_at, "announced", "forecast", "", "", "", "; ".join(parts) or "nothing can be said")
