"""A report as plain text: for a terminal, an e-mail, a fax, or to be read aloud."""

from __future__ import annotations

from textwrap import fill

from releve.sitrep.report import STATES, SituationReport
from releve.sitrep.sections import headline, issued_text, next_text, sections
from releve.sitrep.wording import WORDS

#: A line fits on paper and in every mail client.
COLUMNS = 96


def render_text(report: SituationReport, lang: str) -> str:
    """Return the report in "fr" or "en"."""
    words = WORDS[lang]
    name = report.estate.name.in_language(lang)
    lines = [f"{words['title'].format(number=report.number)} — {name}", f"{issued_text(report, lang)}."]
    if report.is_exercise:
        lines.insert(0, words["exercise"])
    if report.number > 1:
        lines.append(words["supersedes"].format(number=report.number - 1))
    lines += ["", _wrapped(headline(report, lang)), ""]
    for section in sections(report, lang):
        lines += [section.title.upper()]
        for line in section.lines:
            indent = "    " if line.text.startswith(" ") else "  "
            mark = "" if line.text.startswith(" ") else "- "
            seen = f" [{line.evidence}]" if line.evidence else ""
            lines.append(_wrapped(line.text.strip() + seen, indent + mark, indent + "  "))
        lines.append("")
        if section.key == "back":
            lines += [words["section.hospitals"].upper(), *_hospitals(report, lang), ""]
    lines += [next_text(report, lang), words["drafted"]]
    return "\n".join(lines) + "\n"


def _hospitals(report: SituationReport, lang: str) -> list[str]:
    words, lines = WORDS[lang], []
    colon, semicolon = ("\u00a0: ", "\u00a0; ") if lang == "fr" else (": ", "; ")
    for site in report.estate.hospitals():
        parts = []
        for state in STATES:
            names = [
                unit.name.in_language(lang)
                for unit in report.services()
                if site.id in unit.hospitals and site.id in report.by_state(unit).get(state, ())
            ]
            if names:
                parts.append(f"{words[f'state.{state}']}{colon}{', '.join(names)}")
        lines.append(_wrapped(f"{site.name.in_language(lang)} — {semicolon.join(parts)}.", "  - ", "    "))
    return lines


def _wrapped(text: str, first: str = "", rest: str = "") -> str:
    return fill(
        text, COLUMNS, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
