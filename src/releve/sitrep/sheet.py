"""A report as it is kept: worded for every audience in both languages, with its evidence and figures, all in one value.

A sheet stands by itself: what was published can be shown, printed and sent again without the estate or the measurements
it was made of, which by then are other ones.
"""

from __future__ import annotations

from typing import Any

import msgspec

from releve.clock import Instant, to_iso
from releve.estate import Bilingual, Unit
from releve.recovery.forecast import Forecast
from releve.recovery.journal import to_json
from releve.sitrep.evidence import Evidence, evidence
from releve.sitrep.report import Phase, SituationReport, State
from releve.sitrep.sections import Section, headline, return_text, sections
from releve.sitrep.wording import AUDIENCES, LANGS


class Component(msgspec.Struct, frozen=True):
    """One service: what was measured of it, and until when it is out.

    states         state → number of hospitals, worst first
    since          of the worst state; None: not known
    p50_at, p90_at the range as instants; None where no clock time can be given
    p50_s, p90_s   the range in seconds, from the report or from the return of what `Sheet.after` names
    until          language → audience → the range as a sentence, "" when it is not out
    """

    id: str
    name: Bilingual
    tier: int
    hospitals: int
    worst: State
    states: dict[State, int]
    since: Instant | None
    p50_at: Instant | None
    p90_at: Instant | None
    p50_s: float | None
    p90_s: float | None
    until: dict[str, dict[str, str]]


class Row(msgspec.Struct, frozen=True):
    """One hospital: service → state, for the services it has, and until when it has them all again, nine times in ten.

    p90_at  None where no clock time can be given
    p90_s   from the report, or from the return of what `Sheet.after` names
    """

    id: str
    name: Bilingual
    states: dict[str, State]
    p90_at: Instant | None = None
    p90_s: float | None = None


class Sheet(msgspec.Struct, frozen=True):
    """One report, worded.

    version     of the draft: the same number drafted again from newer facts
    sections    audience → language → sections
    after       units (power) without whose return the clock does not run
    supersedes  number of the report before it; 0: there is none
    """

    number: int
    version: int
    name: Bilingual
    zone: str
    issued_at: Instant
    next_at: Instant
    phase: Phase
    is_exercise: bool
    headline: Bilingual
    sections: dict[str, dict[str, tuple[Section, ...]]]
    evidence: tuple[Evidence, ...]
    components: tuple[Component, ...]
    rows: tuple[Row, ...]
    after: tuple[Bilingual, ...]
    forecast: Forecast | None
    losses: tuple[dict[str, Any], ...] = ()
    journal: tuple[dict[str, Any], ...] = ()
    supersedes: int = 0


def compose(report: SituationReport, *, version: int = 1) -> Sheet:
    """Return a report in words, for every audience and in both languages, with the evidence its sentences name."""
    worded = {audience: {lang: tuple(sections(report, lang, audience)) for lang in LANGS} for audience in AUDIENCES}
    named = {
        id_
        for of_audience in worded.values()
        for section in of_audience["fr"]
        for line in section.lines
        for id_ in line.evidence
    }
    ledger = evidence(report)
    assert named <= ledger.keys(), named - ledger.keys()
    forecast = report.forecast
    after = forecast.after if forecast is not None else ()
    return Sheet(
        number=report.number,
        version=version,
        name=report.estate.name,
        zone=report.estate.zone,
        issued_at=report.issued_at,
        next_at=report.next_at,
        phase=report.phase,
        is_exercise=report.is_exercise,
        headline=Bilingual(*(headline(report, lang) for lang in LANGS)),
        sections=worded,
        evidence=tuple(one for id_, one in ledger.items() if id_ in named or id_.startswith("state")),
        components=tuple(_component(report, unit) for unit in report.services()),
        rows=tuple(_rows(report)),
        after=tuple(report.estate.units[one].name for one in after),
        forecast=forecast,
        losses=tuple(
            {"unit": loss.unit, "at": to_iso(loss.at), "back_at": to_iso(loss.back_at) if loss.back_at else None}
            for loss in report.losses
        ),
        journal=tuple(to_json(line) for line in report.journal),
        supersedes=report.number - 1,
    )


def _component(report: SituationReport, unit: Unit) -> Component:
    forecast, states = report.forecast, report.by_state(unit)
    worst = report.worst(unit)
    is_out = worst in ("down", "returning")
    span = forecast.units.get(unit.id) if forecast is not None and is_out else None
    has_clock = forecast is not None and not forecast.after
    start = forecast.issued_at if forecast is not None else report.issued_at
    return Component(
        id=unit.id,
        name=unit.name,
        tier=unit.tier,
        hospitals=len(unit.hospitals),
        worst=worst,
        states={state: len(places) for state, places in states.items()},
        since=report.since(unit, worst),
        p50_at=start + round(span.p50_s * 1e6) if span and has_clock else None,
        p90_at=start + round(span.p90_s * 1e6) if span and has_clock else None,
        p50_s=span.p50_s if span else None,
        p90_s=span.p90_s if span else None,
        until={lang: {audience: return_text(report, unit, lang, audience) for audience in AUDIENCES} for lang in LANGS},
    )


def _rows(report: SituationReport) -> list[Row]:
    rows = []
    for site in report.estate.hospitals():
        states: dict[str, State] = {}
        for unit in report.services():
            if site.id in unit.hospitals:
                states[unit.id] = report.state_at(unit, site.id)
        forecast = report.forecast
        is_out = any(state in ("down", "returning") for state in states.values())
        span = forecast.hospitals.get(site.id) if forecast is not None and is_out else None
        p90_at = None
        if forecast is not None and span is not None and not forecast.after:
            p90_at = forecast.issued_at + round(span.p90_s * 1e6)
        rows.append(Row(site.id, site.name, states, p90_at, span.p90_s if span is not None else None))
    return rows
