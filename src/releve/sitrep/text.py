"""A report as plain text: for a terminal, an e-mail, a fax, or to be read aloud."""

from __future__ import annotations

from textwrap import fill

from releve.sitrep.edition import Edition
from releve.sitrep.paper import HospitalRow, Paper, Sentence, lay_out
from releve.sitrep.report import STATES
from releve.sitrep.wording import WORDS

#: A line fits on paper and in every mail client.
COLUMNS = 96


def render_text(edition: Edition, lang: str, audience: str = "cell") -> str:
    """Return the report in "fr" or "en", for an audience."""
    paper = lay_out(edition, audience, lang)
    lines = [paper.exercise] if paper.exercise else []
    lines += [f"{paper.title} — {paper.name}", f"{paper.reader}. {paper.issued}."]
    if paper.supersedes:
        lines.append(paper.supersedes)
    lines += ["", _wrapped(paper.headline), ""]
    for part in paper.parts:
        lines += [part.title.upper(), *(_sentence(one) for one in part.lines), ""]
        if part.key == "out" and paper.hospitals:
            lines += [WORDS[lang]["section.hospitals"].upper(), *_hospitals(paper), ""]
    lines += [paper.next, _wrapped(paper.signature)]
    if paper.edited:
        lines.append(_wrapped(paper.edited))
    if paper.notes:
        lines += ["", paper.evidence_title.upper()]
        lines += [_wrapped(note.text, f"  [{note.number}] ", "      ") for note in paper.notes]
    return "\n".join(lines) + "\n"


def _sentence(one: Sentence) -> str:
    indent, mark = ("    ", "") if one.indent else ("  ", "- ")
    text = one.text
    if one.seen:
        text += f" [{one.seen}]"
    if one.notes:
        text += f" [{', '.join(map(str, one.notes))}]"
    if one.todo:
        text += f" ({one.todo})"
    if one.by:
        text += f" ({one.by})"
    return _wrapped(text, indent + mark, indent + "  ")


def _hospitals(paper: Paper) -> list[str]:
    return [_hospital(paper, row) for row in paper.hospitals]


def _hospital(paper: Paper, row: HospitalRow) -> str:
    words = WORDS[paper.lang]
    colon, semicolon = ("\u00a0: ", "\u00a0; ") if paper.lang == "fr" else (": ", "; ")
    parts = []
    for state in STATES:
        names = [name for name, cell in zip(paper.units, row.cells, strict=True) if cell.state == state]
        if names:
            parts.append(f"{words[f'state.{state}']}{colon}{', '.join(names)}")
    until = f" {words['hospital.back']}{colon}{row.until}." if row.until else ""
    return _wrapped(f"{row.name} — {semicolon.join(parts)}.{until}", "  - ", "    ")


def _wrapped(text: str, first: str = "", rest: str = "") -> str:
    return fill(
        text, COLUMNS, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
