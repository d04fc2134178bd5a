"""A report as one page that needs nothing else: no script, no address, no font to fetch. It prints on A4."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from releve.sitrep.edition import Edition
from releve.sitrep.paper import SIGNS, lay_out
from releve.sitrep.report import STATES
from releve.sitrep.wording import WORDS

PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_html(edition: Edition, lang: str, audience: str = "cell", *, other: str = "", index: str = "") -> str:
    """Return the report in "fr" or "en", for an audience.

    other  address of the same report in the other language
    index  address of the list of all reports
    """
    paper = lay_out(edition, audience, lang)
    return PAGES.get_template("report.html.j2").render(
        paper=paper,
        has_until=any(row.until for row in paper.hospitals),
        words=WORDS[lang],
        signs=SIGNS,
        states=STATES,
        other=other,
        index=index,
    )


def render_index(entries: list[dict[str, str]]) -> str:
    """Return the list of reports, newest first, in both languages.

    entries  number, issued_fr, issued_en, headline_fr, headline_en, stem; newest first
    """
    return PAGES.get_template("index.html.j2").render(entries=entries, words=WORDS)
