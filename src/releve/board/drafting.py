"""The facts of a situation report, gathered from what the board knows: the same at a node's own hour and when a person
asks for a draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from releve.board.recovery import Recovery
from releve.clock import Instant
from releve.estate import Bilingual, Estate
from releve.recovery.folder import Decision
from releve.sitrep import Declared, Loss, Measured, SituationReport, draft, next_report_at
from releve.sitrep.report import Topic

#: Lines of the journal before the run that belong to it: the cut came before anybody restarted anything.
BEFORE_US = 86_400_000_000

#: What a declaration may be about, as its unit names it; words about anything else stay in the journal.
_TOPICS: tuple[Topic, ...] = get_args(Topic)


def situation_report(
    recovery: Recovery, at: Instant, *, number: int = 1, every_s: float = 0.0, is_exercise: bool = False
) -> SituationReport:
    """Return a report of this moment, drafted from facts; it needs an estate.

    number   the register gives the one that counts
    every_s  how far apart this node's readings lie
    """
    estate = recovery.estate
    assert estate is not None, "no estate, no report"
    run = recovery.run()
    since = (run[0].at if run else at) - BEFORE_US
    losses = _losses(estate, recovery.measured)
    began_at = min((loss.at for loss in losses), default=at)
    forecasts = [one for one in recovery.forecasts if run and one.issued_at >= run[0].at]
    return draft(
        estate,
        number=number,
        at=at,
        next_at=next_report_at(began_at, at),
        measured=[one for one in recovery.measured if one.service in estate.units],
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
