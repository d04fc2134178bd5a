"""The facts of a report under the questions that an incident declaration asks, as text to copy into the agency's form.

It is help to fill a form in, not the form: which portal and which thresholds apply is the hospital's to know. What
Relève does not measure is left open and says so; nothing is concluded about the cause.
"""

from __future__ import annotations

from textwrap import fill

from releve.clock import Instant
from releve.sitrep.edition import Edition
from releve.sitrep.paper import Paper, lay_out
from releve.sitrep.text import COLUMNS
from releve.sitrep.wording import WORDS, date_text

#: The questions, in the order of the form: key of the wording → section of the report that answers it.
_FROM_SECTIONS = (
    ("form.impact", ("out",)),
    ("form.works", ("back",)),
    ("form.care", ("care", "emergency")),
    ("form.measures", ("staff",)),
    ("form.cause", ("cause",)),
    ("form.return", ("restart", "forecast")),
)


def declaration(edition: Edition, lang: str) -> str:
    """Return the declaration in "fr" or "en", worded for the authorities."""
    paper, words = lay_out(edition, "authorities", lang), WORDS[lang]
    began_at = _began_at(edition)
    zone = edition.sheet.zone
    began = date_text(began_at, zone, lang) if began_at is not None else words["form.open"]
    signed = edition.authorized.by.text if edition.authorized is not None else words["form.open"]
    prepared = edition.prepared.by.text if edition.prepared is not None else words["form.open"]
    hospitals = ", ".join(row.name for row in paper.hospitals) or words["form.open"]
    lines = [paper.exercise] if paper.exercise else []
    lines += [words["form.title"].upper(), _wrapped(words["form.note"]), ""]
    lines += _answer(words["form.declarant"], [paper.name, f"{signed} / {prepared}"])
    lines += _answer(words["form.hospitals"], [hospitals])
    lines += _answer(words["form.report"], [f"{paper.title}. {paper.issued}."])
    lines += _answer(words["form.began"], [began])
    lines += _answer(words["form.kind"], [words["form.kind.measured"]])
    lines += _answer(words["form.summary"], [paper.headline])
    for key, sections in _FROM_SECTIONS:
        lines += _answer(words[key], _sentences(paper, sections))
    for key in ("form.data", "form.help", "form.contact"):
        lines += _answer(words[key], [words["form.open"]])
    return "\n".join([*lines, paper.next]) + "\n"


def _began_at(edition: Edition) -> Instant | None:
    """Return when it began: the first loss, or the first state that was not normal."""
    since = [one.since for one in edition.sheet.components if one.since is not None and one.worst != "normal"]
    lost = [one.at for one in edition.sheet.evidence if one.id.startswith("loss:")]
    return min([*since, *lost], default=None)


def _sentences(paper: Paper, keys: tuple[str, ...]) -> list[str]:
    return [
        line.text + (f" ({line.by})" if line.by else "")
        for key in keys
        for part in paper.parts
        if part.key == key
        for line in part.lines
    ]


def _answer(question: str, lines: list[str]) -> list[str]:
    return [question, *(_wrapped(line, "    ") for line in lines), ""]


def _wrapped(text: str, indent: str = "") -> str:
    return fill(
        text, COLUMNS, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
