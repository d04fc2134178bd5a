"""The journal of a restart or stop: what happened, as values. Whoever shows, keeps or sums it up gets the same ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from releve.clock import Instant, to_instant, to_iso

Kind = Literal[
    "run-began",  # detail: how many units, and of which estate
    "already-up",  # its probe passed before anything was done: nothing was started
    "already-down",  # (stop) its probe failed before anything was done
    "start-began",  # its needs are up, its place came; detail: which try
    "waiting",  # nothing here starts it: its probe is asked until it passes
    "try-failed",  # one try did not bring it up; another follows
    "up",  # its probe passed, or it has none and its command ended well
    "failed",  # every try failed; what needs it is blocked
    "blocked",  # it cannot start, because something it needs failed
    "stop-began",
    "down",
    "left",  # (stop) there is no command to stop it: left as it is
    "run-ended",  # left: how many steps were not done; none means that the run is complete
    "run-resumed",  # the process that carries it out was killed or changed; detail: what was found as it was
    "paused",
    "resumed",
    "asked",  # a person is wanted: a step by hand, a release, a failure to decide about; detail: what, whom to call
    "decided",  # a person's decision was obeyed; detail: who, what and why
    "skipped",  # by a named decision: what needs it goes on without
    "checked",  # its integrity check passed
    "check-failed",  # its integrity check did not pass: nothing may stand on it until a person decides
    "released",  # to care; detail: for which hospital, by whom
    "step-back",  # it is stopped again with what stands on it, by a named decision
    "replanned",  # reality left the plan: the order of what is left was made anew
    "power-lost",  # a feed's UPS runs on battery
    "power-back",
    "power-reading",  # remaining time as reported, from load and charge, from the measured slope
    "stop-decided",  # the stop plan's P95 and margin reached what is left of the battery; it is not cancelled any more
    "unclean",  # it lost its power before it was stopped: its integrity is checked before anything stands on it
    "launched",  # the command of its start, stop or check runs as this process: whoever resumes the run looks for it
    "check-began",
    "refused",  # a person did not release it; a later release still counts
    "not-obeyed",  # a decision that came too late, came second, or that nothing waits for; detail: why
    "cancelled",  # by a named decision: nothing new starts, what runs is waited for
    "overrun",  # it takes far longer than believed; it is still waited for
]


#: What a person may be asked for, as `act` of an "asked" line: a step by hand, whether an integrity check by hand
#: passed, a release to care, or what to do about something that failed (retry, skip, step back, cancel).
ASKED = ("start", "stop", "check", "release", "failed")


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the journal.

    at      microseconds since 1970
    unit    id, "" for the run as a whole
    detail  a sentence for people; never a secret: addresses stand in it without passwords
    took_s  from the beginning of this unit's start (or stop, check, release) to this line

    hospital  of a release, "" for all
    by        who decided; "" when nobody did
    decision  id of the decision that this line answers
    process   of a launched command: number, start time and boot, so that no other process is taken for it
    act       of a line about the whole run: "restart" or "stop"; of "asked": what is asked for, see ASKED
    left      of "run-ended": steps that were not done
    """

    at: Instant
    kind: Kind
    unit: str
    detail: str = ""
    took_s: float | None = None
    hospital: str = ""
    by: str = ""
    decision: str = ""
    process: str = ""
    act: str = ""
    left: int | None = None


def to_json(happened: Happened) -> dict[str, Any]:
    """Return a line as JSON, with its time as FHIR writes it."""
    line = {key: value for key, value in asdict(happened).items() if value not in ("", None)}
    return line | {"at": to_iso(happened.at)}


def from_json(line: dict[str, Any]) -> Happened:
    """Return the line that to_json wrote.

    raises  KeyError, ValueError  it is none
    """
    at = to_instant(datetime.fromisoformat(line["at"]))
    more = {key: line[key] for key in ("hospital", "by", "decision", "process", "act", "left") if key in line}
    return Happened(at, line["kind"], line.get("unit", ""), line.get("detail", ""), line.get("took_s"), **more)
