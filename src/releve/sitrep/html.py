"""A report as one page that needs nothing else: no script, no address, no font to fetch. It prints on A4."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from releve.sitrep.report import STATES, SituationReport
from releve.sitrep.sections import headline, issued_text, next_text, return_text, sections
from releve.sitrep.wording import WORDS, clock_text

#: A state is told by its sign and its word; its colour only helps.
SIGNS = {"normal": "✓", "degraded": "!", "down": "✕", "returning": "↻", "unknown": "?"}

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_html(report: SituationReport, lang: str, *, other: str = "", index: str = "") -> str:
    """Return the report in "fr" or "en".

    other  address of the same report in the other language
    index  address of the list of all reports
    """
    words = WORDS[lang]
    return _PAGES.get_template("report.html.j2").render(
        lang=lang,
        words=words,
        report=report,
        title=words["title"].format(number=report.number),
        name=report.estate.name.in_language(lang),
        issued=issued_text(report, lang),
        next=next_text(report, lang),
        supersedes=words["supersedes"].format(number=report.number - 1) if report.number > 1 else "",
        headline=headline(report, lang),
        sections=sections(report, lang),
        rows=_rows(report, lang),
        matrix=_matrix(report, lang),
        signs=SIGNS,
        states=STATES,
        other=other,
        index=index,
    )


def render_index(entries: list[dict[str, str]]) -> str:
    """Return the list of reports, newest first, in both languages.

    entries  number, issued_fr, issued_en, headline_fr, headline_en, stem; newest first
    """
    return _PAGES.get_template("index.html.j2").render(entries=entries, words=WORDS)


def _rows(report: SituationReport, lang: str) -> list[dict[str, object]]:
    """Return one row per service: its states with their hospitals, since when, until when."""
    rows: list[dict[str, object]] = []
    for unit in report.services():
        states = []
        for state, places in report.by_state(unit).items():
            since = report.since(unit, state)
            clock = clock_text(since, report.issued_at, report.estate.zone, lang) if since is not None else ""
            states.append({"state": state, "count": len(places), "since": clock})
        rows.append(
            {
                "name": unit.name.in_language(lang),
                "states": states,
                "all": len(unit.hospitals),
                "until": return_text(report, unit, lang),
            }
        )
    return rows


def _matrix(report: SituationReport, lang: str) -> dict[str, list[dict[str, object]] | list[str]]:
    """Return hospitals by services: who has what."""
    units = report.services()
    rows: list[dict[str, object]] = []
    for site in report.estate.hospitals():
        cells = []
        for unit in units:
            measured = report.states.get((unit.id, site.id))
            served = site.id in unit.hospitals
            cells.append({"state": (measured.state if measured else "unknown") if served else "", "unit": unit.id})
        rows.append({"name": site.name.in_language(lang), "id": site.id, "cells": cells})
    return {"units": [unit.name.in_language(lang) for unit in units], "rows": rows}
