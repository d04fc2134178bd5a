"""A report as PDF, by Typst: the template beside this file, the fonts that Typst carries, nothing fetched."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typst

from releve.sitrep.edition import Edition
from releve.sitrep.paper import SIGNS, lay_out
from releve.sitrep.report import STATES
from releve.sitrep.wording import WORDS

_HERE = Path(__file__).parent


def render_pdf(edition: Edition, lang: str, audience: str = "cell") -> bytes:
    """Return the report in "fr" or "en", for an audience; the same edition gives the same bytes."""
    words = WORDS[lang]
    paper = msgspec.to_builtins(lay_out(edition, audience, lang))
    paper |= {
        "columns": [words["column.service"], words["column.state"], words["column.return"]],
        "hospitals_title": words["section.hospitals"],
        "hospital_back": words["hospital.back"],
        "legend": [{"state": one, "sign": SIGNS[one], "word": words[f"state.{one}"]} for one in STATES],
    }
    return print_on_paper("report.typ", paper, at_s=edition.sheet.issued_at // 1_000_000)


def print_on_paper(template: str, paper: object, *, at_s: int, is_read_aloud: bool = True) -> bytes:
    """Return a template of this folder with its words as PDF.

    at_s           what the file says about when it was made, in seconds since 1970
    is_read_aloud  with the tags that screen readers need; a plan of two thousand steps is printed and has none
    """
    printed = typst.compile(
        _HERE / template,
        root=_HERE,
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"paper": msgspec.json.encode(paper).decode()},
        timestamp=at_s,
        pdf_tags=is_read_aloud,
    )
    assert isinstance(printed, bytes), "one document is one file"
    return printed
