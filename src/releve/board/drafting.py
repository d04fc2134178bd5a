"""The facts of a situation report, gathered from what the board knows: the same at a node's own hour and when a person
asks for a draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from releve.board.recovery import Recovery
from releve.board.situation import situation
from releve.clock import Instant
from releve.estate import Bilingual, Estate
from releve.recovery.folder import Decision
from releve.recovery.journal import Happened
from releve.sitrep import Declared, Loss, Measured, SituationReport, draft, next_report_at
from releve.sitrep.report import STATES, State, Topic

#: Lines of the journal before the run that belong to it: the cut came before anybody restarted anything.
BEFORE_US = 86_400_000_000

#: Said of a hospital that has not said anything.
NO_WORD = Bilingual("aucune nouvelle de cet hôpital", "no word from this hospital")

#: What a declaration may be about, as its unit names it; words about anything else stay in the journal.
_TOPICS: tuple[Topic, ...] = get_args(Topic)


def situation_report(
    recovery: Recovery, at: Instant, *, own: str = "", number: int = 1, every_s: float = 0.0, is_exercise: bool = False
) -> SituationReport:
    """Return a report of this moment, drafted from facts; it needs an estate.

    own      this node's hospital
    number   the register gives the one that counts
    every_s  how far apart this node's readings lie
    """
    estate = recovery.estate
    assert estate is not None, "no estate, no report"
    run = recovery.run()
    since = (run[0].at if run else at) - BEFORE_US
    losses = [*_power_losses(estate, recovery.journal, since), *_losses(estate, recovery.measured)]
    began_at = min((loss.at for loss in losses), default=at)
    forecasts = [one for one in recovery.forecasts if run and one.issued_at >= run[0].at]
    return draft(
        estate,
        number=number,
        at=at,
        next_at=next_report_at(began_at, at),
        measured=_measured(estate, recovery, at, own),
        losses=losses,
        journal=[
            line for line in recovery.journal if line.at >= since and (not line.unit or line.unit in estate.units)
        ],
        forecast=forecasts[-1] if forecasts else None,
        earlier=forecasts[:-1],
        declared=[told for one in recovery.decisions if one.at >= since and (told := _declared(one)) is not None],
        every_s=every_s,
        is_exercise=is_exercise,
    )


def for_public(report: SituationReport) -> SituationReport:
    """Return a report without its forecast: the public page shows only ranges that a person published."""
    return replace(report, forecast=None, earlier=())


def _measured(estate: Estate, recovery: Recovery, at: Instant, own: str) -> list[Measured]:
    """Return what may be said now of each service and hospital: what was measured too long ago is unknown, and said.

    Nothing at all when nothing was ever measured: the report then says so in one sentence.
    """
    rows = situation(estate, recovery.measured, (), at, own=own).rows
    if all(cell.at is None for row in rows for cell in row.cells):
        return []
    return [
        Measured(row.unit.id, cell.hospital.id, _state(cell.state), cell.since, cell.at or at, cell.evidence or NO_WORD)
        for row in rows
        for cell in row.cells
    ]


def _state(name: str) -> State:
    return next(state for state in STATES if state == name)


def _power_losses(estate: Estate, journal: Sequence[Happened], since: Instant) -> list[Loss]:
    """Return the feeds and batteries that were seen to lose their power."""
    lost: dict[str, Loss] = {}
    for line in journal:
        if line.at < since or line.unit not in estate.units:
            continue
        if line.kind == "power-lost":
            lost.setdefault(line.unit, Loss(line.unit, line.at, None, line.detail))
        elif line.kind == "power-back" and line.unit in lost:
            lost[line.unit] = replace(lost[line.unit], back_at=line.at)
    return list(lost.values())


def _losses(estate: Estate, measured: Sequence[Measured]) -> list[Loss]:
    """Return what was seen to go and is not back, each unit once, as it was first missed anywhere."""
    first: dict[str, Measured] = {}
    for one in measured:
        if one.state != "down" or one.since is None or one.service not in estate.units:
            continue
        held = first.get(one.service)
        if held is None or one.since < (held.since or one.since):
            first[one.service] = one
    return [Loss(unit, one.since, None, one.evidence) for unit, one in first.items() if one.since is not None]


def _declared(one: Decision) -> Declared | None:
    topic = next((topic for topic in _TOPICS if topic == (one.unit or "cause")), None)
    if one.verb != "declare" or topic is None:
        return None
    return Declared(topic, Bilingual(one.reason, one.reason), one.by, one.at)
