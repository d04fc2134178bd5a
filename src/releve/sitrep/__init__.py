"""Situation reports: what works, what does not, until when, drafted from measured states and never from hope.

    draft(estate, …) → SituationReport      the facts as a value; nothing typed, except what a named person declared
    compose(report) → Sheet                 its sentences for each audience, each with its evidence
    Register(folder)                        its life: drafted, edited, approved, published; lines only ever added
    due(before, now, at)                    whether a report is due: the hour, or a change
    lay_out(edition, audience, lang)        one paper, which page, text and PDF all say

Modules that are asked for by name, since they load more: publishing (every form on disk), pdf, mail, runbook.
A sentence never promises more than the P90, and a cause is never concluded: the evidence is listed, and what is not
known.
"""

from releve.sitrep.due import due, next_report_at
from releve.sitrep.edition import Edit, Edition, Person, Signature, drafted_words, edition_of
from releve.sitrep.evidence import Evidence, evidence
from releve.sitrep.folder import Written, earlier_forecasts, next_number, write
from releve.sitrep.html import render_html
from releve.sitrep.paper import Paper, lay_out
from releve.sitrep.register import Action, Register
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
from releve.sitrep.sections import FORM, Line, Section, headline, sections
from releve.sitrep.sheet import Sheet, compose
from releve.sitrep.text import render_text
from releve.sitrep.wording import AUDIENCES, seen

__all__ = [
    "AUDIENCES",
    "FORM",
    "Action",
    "Captured",
    "Care",
    "Declared",
    "Edit",
    "Edition",
    "Evidence",
    "Line",
    "Loss",
    "Measured",
    "Paper",
    "Person",
    "Register",
    "Section",
    "Sheet",
    "Signature",
    "SituationReport",
    "Written",
    "compose",
    "draft",
    "drafted_words",
    "due",
    "earlier_forecasts",
    "edition_of",
    "evidence",
    "headline",
    "lay_out",
    "next_number",
    "next_report_at",
    "one_view",
    "render_html",
    "render_text",
    "sections",
    "seen",
    "write",
]
