"""Situation reports: what works, what does not, until when, drafted from measured states and never from hope.

    draft(estate, …) → SituationReport      a value; nothing in it was typed, except what a named person declared
    sections(report, lang)                  its sentences, each with its evidence
    render_text, render_html                the two forms, in French and English
    write(report, folder)                   numbered, whole or not at all, what it supersedes is kept

A sentence never promises more than the P90, and a cause is never concluded: the evidence is listed, and what is not
known.
"""

from releve.sitrep.folder import Written, earlier_forecasts, next_number, write
from releve.sitrep.html import render_html
from releve.sitrep.report import (
    Captured,
    Care,
    Declared,
    Loss,
    Measured,
    SituationReport,
    draft,
    one_view,
)
from releve.sitrep.sections import Line, Section, headline, sections
from releve.sitrep.text import render_text
from releve.sitrep.wording import seen

__all__ = [
    "Captured",
    "Care",
    "Declared",
    "Line",
    "Loss",
    "Measured",
    "Section",
    "SituationReport",
    "Written",
    "draft",
    "earlier_forecasts",
    "headline",
    "next_number",
    "one_view",
    "render_html",
    "render_text",
    "sections",
    "seen",
    "write",
]
