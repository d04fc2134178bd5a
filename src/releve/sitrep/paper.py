"""A report laid out for one audience in one language: what the page, the PDF and the text all say, in the same order.

Sentences carry the numbers of their evidence, counted as they are first used.
"""

from __future__ import annotations

import msgspec

from releve.recovery.forecast import Span
from releve.sitrep.edition import Edition
from releve.sitrep.report import STATES, State
from releve.sitrep.sections import Section
from releve.sitrep.sheet import Row, Sheet
from releve.sitrep.wording import WORDS, clock_text, date_text, length_text, span_clocks

#: A state is told by its sign and its word; its colour only helps.
SIGNS: dict[State, str] = {"normal": "✓", "degraded": "!", "down": "✕", "returning": "↻", "unknown": "?"}


class Sentence(msgspec.Struct, frozen=True):
    """One line of a section.

    seen    what was seen, for those who read that deep
    notes   numbers in the list of evidence
    todo    in a draft: what is still expected of a person
    by      who said it, when a person gave these words
    indent  it belongs to the sentence above
    lang    of the words, where it is not the page's own
    """

    text: str
    seen: str = ""
    notes: tuple[int, ...] = ()
    todo: str = ""
    by: str = ""
    indent: bool = False
    lang: str = ""


class Part(msgspec.Struct, frozen=True):
    """A heading and its lines."""

    key: str
    title: str
    lines: tuple[Sentence, ...]


class Note(msgspec.Struct, frozen=True):
    """One line of the list of evidence."""

    number: int
    id: str
    text: str


class StateCount(msgspec.Struct, frozen=True):
    """How many hospitals see a service in a state, since when."""

    state: State
    word: str
    sign: str
    count: int
    since: str


class ServiceRow(msgspec.Struct, frozen=True):
    """A service in the table at the top."""

    name: str
    states: tuple[StateCount, ...]
    hospitals: int
    until: str


class Cell(msgspec.Struct, frozen=True):
    """A service in a hospital; an empty state where it has none."""

    state: str
    word: str
    sign: str


class HospitalRow(msgspec.Struct, frozen=True):
    """A hospital in the table of all, and before when it has everything again, nine times in ten."""

    name: str
    cells: tuple[Cell, ...]
    until: str


class Paper(msgspec.Struct, frozen=True):
    """A report, laid out."""

    lang: str
    audience: str
    number: int
    title: str
    reader: str
    name: str
    phase: str
    exercise: str
    issued: str
    next: str
    supersedes: str
    headline: str
    parts: tuple[Part, ...]
    evidence_title: str
    notes: tuple[Note, ...]
    services: tuple[ServiceRow, ...]
    units: tuple[str, ...]
    hospitals: tuple[HospitalRow, ...]
    signature: str
    edited: str


def lay_out(edition: Edition, audience: str, lang: str) -> Paper:
    """Return a report for an audience ("cell", "staff", "authorities", "public") in "fr" or "en"."""
    sheet, words = edition.sheet, WORDS[lang]
    notes: dict[str, int] = {}
    parts = tuple(_part(edition, audience, section, lang, notes) for section in sheet.sections[audience][lang])
    texts = {one.id: one.text.in_language(lang) for one in sheet.evidence}
    edited = [part.title for part in parts if any(line.by for line in part.lines)]
    semicolon = "\u00a0; " if lang == "fr" else "; "
    return Paper(
        lang=lang,
        audience=audience,
        number=sheet.number,
        title=words["title"].format(number=sheet.number),
        reader=words[f"audience.{audience}"],
        name=sheet.name.in_language(lang),
        phase=sheet.phase,
        exercise=words["exercise"] if sheet.is_exercise else "",
        issued=words["issued"].format(when=date_text(sheet.issued_at, sheet.zone, lang)),
        next=words["next"].format(when=clock_text(sheet.next_at, sheet.issued_at, sheet.zone, lang)),
        supersedes=words["supersedes"].format(number=sheet.supersedes) if sheet.supersedes else "",
        headline=sheet.headline.in_language(lang),
        parts=parts,
        evidence_title=words["evidence"],
        notes=tuple(Note(number, id_, texts[id_]) for id_, number in notes.items()),
        services=_services(edition, audience, lang),
        units=tuple(one.name.in_language(lang) for one in sheet.components),
        hospitals=_hospitals(edition, lang),
        signature=_signature(edition, lang),
        edited=words["edited"].format(sections=semicolon.join(edited)) if edited else "",
    )


def _part(edition: Edition, audience: str, section: Section, lang: str, notes: dict[str, int]) -> Part:
    """Return a section: what was measured, then the words of a person, or those that were suggested."""
    words, sheet = WORDS[lang], edition.sheet
    spoken = edition.words(audience, lang, section.key)
    foreign = ""
    if spoken is None:
        # Words that a person gave in the other language only are shown as they are: they are what was approved.
        foreign = "en" if lang == "fr" else "fr"
        spoken = edition.words(audience, foreign, section.key)
        foreign = foreign if spoken is not None else ""
    lines = []
    for line in section.lines:
        if spoken is not None and not line.measured:
            continue
        numbers = tuple(notes.setdefault(id_, len(notes) + 1) for id_ in line.evidence)
        todo = words["todo"] if line.todo and edition.published is None else ""
        indent = line.text.startswith(" ")
        lines.append(Sentence(line.text.strip(), line.seen, numbers, todo=todo, indent=indent))
    if spoken is not None:
        when = clock_text(spoken.at, sheet.issued_at, sheet.zone, lang)
        by = words["words.by"].format(by=spoken.by.text, when=when)
        lines += [Sentence(text, by=by, lang=foreign) for text in spoken.after.split("\n") if text.strip()]
    return Part(section.key, section.title, tuple(lines))


def _services(edition: Edition, audience: str, lang: str) -> tuple[ServiceRow, ...]:
    sheet, words = edition.sheet, WORDS[lang]
    rows = []
    for one in sheet.components:
        counts = []
        for state in STATES:
            if state in one.states:
                has_since = one.since is not None and state == one.worst
                since = clock_text(one.since or 0, sheet.issued_at, sheet.zone, lang) if has_since else ""
                counts.append(StateCount(state, words[f"state.{state}"], SIGNS[state], one.states[state], since))
        rows.append(ServiceRow(one.name.in_language(lang), tuple(counts), one.hospitals, one.until[lang][audience]))
    return tuple(rows)


def _hospitals(edition: Edition, lang: str) -> tuple[HospitalRow, ...]:
    sheet, words = edition.sheet, WORDS[lang]
    rows = []
    for row in sheet.rows:
        cells = []
        for one in sheet.components:
            state = row.states.get(one.id)
            cells.append(Cell(state, words[f"state.{state}"], SIGNS[state]) if state else Cell("", "", ""))
        rows.append(HospitalRow(row.name.in_language(lang), tuple(cells), all_back_text(sheet, row, lang)))
    return tuple(rows)


def all_back_text(sheet: Sheet, row: Row, lang: str) -> str:
    """Return before when a hospital has all its services again, nine times in ten; "" where that is not known."""
    if row.p90_s is None:
        return ""
    if row.p90_at is None:
        return WORDS[lang]["hospital.after"].format(p90=length_text(row.p90_s))
    # Both come of the moment of the forecast, which may lie a little before that of the report.
    issued_at = row.p90_at - round(row.p90_s * 1e6)
    return span_clocks(Span(row.p90_s, row.p90_s), issued_at, sheet.zone, lang)[1]


def _signature(edition: Edition, lang: str) -> str:
    words = WORDS[lang]
    if edition.published is None or edition.prepared is None or edition.authorized is None:
        return words["drafted"]
    return words["signed"].format(prepared=edition.prepared.by.text, authorized=edition.authorized.by.text)
