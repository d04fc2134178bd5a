"""When a report is due: at the hour it was promised for, and as soon as an essential service changes."""

from __future__ import annotations

from typing import Literal

from releve.clock import Instant
from releve.sitrep.report import SituationReport, State
from releve.sitrep.sheet import Sheet

Due = Literal["", "first", "time", "change"]

#: Services up to this tier change what the hospitals do at once; the others wait for the hour.
ESSENTIAL_TIER_MAX = 1

#: How far apart reports are, by how long it has lasted: often in the first hours, then as the shifts need them.
INTERVALS_S = ((8 * 3600, 3600), (24 * 3600, 2 * 3600), (72 * 3600, 4 * 3600))
INTERVAL_LATER_S = 8 * 3600

_OUT: tuple[State, ...] = ("down", "returning")


def next_report_at(began_at: Instant, at: Instant) -> Instant:
    """Return when the next report is due, for something that began at `began_at`."""
    lasted_s = (at - began_at) / 1e6
    every_s = next((every for until, every in INTERVALS_S if lasted_s < until), INTERVAL_LATER_S)
    return at + every_s * 1_000_000


def due(before: Sheet | None, now: SituationReport, at: Instant) -> Due:
    """Say whether a report is due, and why; "" when it is not.

    before  the last report that was published or lies there as a draft; None: none yet
    now     what a report of this moment would stand on
    """
    if now.phase == "unmeasured":
        return ""
    if before is None:
        return "first" if now.phase != "back" else ""
    known = {one.id: one for one in before.components}
    for unit in now.services():
        if unit.tier > ESSENTIAL_TIER_MAX:
            continue
        one, states = known.get(unit.id), now.by_state(unit)
        if one is None or now.worst(unit) != one.worst:
            return "change"
        # More hospitals without it is news at once; hospitals that get it back one after the other wait for the hour.
        if sum(len(states.get(state, ())) for state in _OUT) > sum(one.states.get(state, 0) for state in _OUT):
            return "change"
    if before.phase != "back" and now.phase == "back":
        return "change"
    return "time" if before.phase != "back" and at >= before.next_at else ""
