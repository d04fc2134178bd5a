"""The chronogramme: DEBEX, every inject, FINEX; what was foreseen, and after the exercise what was observed.

The form is that of the French crisis exercise guides: number, time, sender, receiver, content, expected reaction.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_datetime
from releve.drill.played import Played
from releve.drill.scenario import Inject, Scenario
from releve.estate import Estate
from releve.recovery.journal import Happened

_WORDS: dict[str, dict[str, str | tuple[str, ...]]] = {
    "fr": {
        "head": (
            "n°",
            "temps",
            "heure de l’exercice",
            "type",
            "émetteur",
            "destinataire",
            "contenu",
            "réaction attendue",
            "observé",
        ),
        "debex": "DEBEX",
        "finex": "FINEX",
        "inject": "INJECT",
        "observed": "OBSERVÉ",
        "begins": "EXERCICE EXERCICE EXERCICE — début de l’exercice\u202f: {name}",
        "ends": "EXERCICE EXERCICE EXERCICE — fin de l’exercice",
        "falls": "Tombe\u202f: {units}",
        "returns": "Revient\u202f: {units}",
        "control": "direction de l’exercice",
        "players": "joueurs",
        "asked": "Décision demandée\u202f: {unit} ({detail})",
        "decided": "{by} décide\u202f: {unit} {detail}",
        "failed": "Échec\u202f: {unit}",
        "service": "De retour\u202f: {unit}",
        "began": "Le redémarrage commence",
        "ended": "Le redémarrage se termine ({detail})",
        "estate": "hébergement",
    },
    "en": {
        "head": ("no.", "time", "exercise clock", "type", "from", "to", "content", "expected reaction", "observed"),
        "debex": "DEBEX",
        "finex": "FINEX",
        "inject": "INJECT",
        "observed": "OBSERVED",
        "begins": "EXERCISE EXERCISE EXERCISE — the exercise begins: {name}",
        "ends": "EXERCISE EXERCISE EXERCISE — the exercise ends",
        "falls": "Falls: {units}",
        "returns": "Returns: {units}",
        "control": "exercise control",
        "players": "players",
        "asked": "A decision is asked for: {unit} ({detail})",
        "decided": "{by} decides: {unit} {detail}",
        "failed": "Failed: {unit}",
        "service": "Back: {unit}",
        "began": "The restart begins",
        "ended": "The restart ends ({detail})",
        "estate": "hosting",
    },
}

#: More observed lines than this are no chronogramme any more; the journal has them all.
OBSERVED_MAX = 300

_NAMED_MAX = 6
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    at_s: float
    type: str
    source: str
    target: str
    content: str
    expected: str = ""
    observed: str = ""


def foreseen(estate: Estate, scenario: Scenario, lang: str) -> list[Row]:
    """Return the table as the director of the exercise prepares it."""
    words = _WORDS[lang]
    last_s = max(inject.at_s for inject in scenario.injects)
    return [
        _edge("debex", 0.0, str(words["begins"]).format(name=scenario.name.in_language(lang)), words),
        *(_inject_row(estate, inject, inject.at_s, lang) for inject in scenario.injects),
        _edge("finex", last_s, str(words["ends"]), words),
    ]


def observed(estate: Estate, scenario: Scenario, played: Played, journal: Sequence[Happened], lang: str) -> list[Row]:
    """Return the table as it was played: injects, and between them what happened, in time order."""
    words = _WORDS[lang]
    began = played.moments.began
    rows = [_inject_row(estate, inject, (at - began) / _US, lang) for at, inject in played.injected]
    seen = [row for line in journal if (row := _journal_row(estate, line, began, lang)) is not None]
    rows += seen[:OBSERVED_MAX]
    ended = played.moments.ended if played.moments.ended is not None else began
    return [
        _edge("debex", 0.0, str(words["begins"]).format(name=scenario.name.in_language(lang)), words),
        *sorted(rows, key=lambda row: row.at_s),
        _edge("finex", (ended - began) / _US, str(words["ends"]), words),
    ]


def render_csv(rows: Iterable[Row], began: Instant, zone: str, lang: str) -> str:
    """Return the table as CSV: semicolons, as French spreadsheets read it, with a byte order mark for them."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(_WORDS[lang]["head"])
    for number, row in enumerate(rows, 1):
        cells = (
            str(number),
            elapsed_text(row.at_s),
            _clock(began, row.at_s, zone),
            row.type,
            row.source,
            row.target,
            row.content,
            row.expected,
            row.observed,
        )
        writer.writerow([_harmless(cell) for cell in cells])
    return "\ufeff" + out.getvalue()


def render_text(rows: Iterable[Row], began: Instant, zone: str, lang: str) -> str:
    """Return the table as plain text, one line and its expected reaction each."""
    lines = []
    for number, row in enumerate(rows, 1):
        ends = f"{row.source} → {row.target}: " if row.source and row.target else ""
        lines.append(
            f"{number:>3}  {elapsed_text(row.at_s):>9}  {_clock(began, row.at_s, zone)}  {row.type:<8} "
            f"{ends}{row.content}{row.observed}"
        )
        if row.expected:
            lines.append(f"{'':>38}{_WORDS[lang]['head'][7]}: {row.expected}")
    return "\n".join(lines) + "\n"


def elapsed_text(seconds: float) -> str:
    """Return the time since DEBEX as exercises write it: H+03:30, also beyond a day."""
    minutes = round(seconds) // 60
    return f"H+{minutes // 60:02d}:{minutes % 60:02d}"


def _edge(key: str, at_s: float, content: str, words: dict[str, str | tuple[str, ...]]) -> Row:
    return Row(at_s, str(words[key]), str(words["control"]), str(words["players"]), content)


def _inject_row(estate: Estate, inject: Inject, at_s: float, lang: str) -> Row:
    words = _WORDS[lang]
    parts = [inject.words.in_language(lang)] if inject.words is not None else []
    for key, units in (("falls", inject.falls), ("returns", inject.returns)):
        if units:
            parts.append(str(words[key]).format(units=_names(estate, units, lang)))
    return Row(
        at_s,
        str(words["inject"]),
        inject.source or str(words["control"]),
        inject.target or str(words["players"]),
        ". ".join(part.rstrip(".") for part in parts),
        inject.expected.in_language(lang) if inject.expected is not None else "",
    )


def _journal_row(estate: Estate, line: Happened, began: Instant, lang: str) -> Row | None:
    """Return what an observer would write down of a line; most lines of a restart are not for this table."""
    words = _WORDS[lang]
    unit = estate.units.get(line.unit)
    name = unit.name.in_language(lang) if unit is not None else ""
    is_service = unit is not None and unit.kind == "service"
    key = {"asked": "asked", "decided": "decided", "failed": "failed", "run-began": "began", "run-ended": "ended"}.get(
        line.kind, "service" if line.kind == "up" and is_service else ""
    )
    if not key or (line.kind == "asked" and line.act == "start"):
        return None
    text = str(words[key]).format(unit=name, detail=line.detail, by=line.by)
    # A journal keeps milliseconds; an inject of the same moment must not seem to come after it.
    return Row(round((line.at - began) / _US, 2) + 0.01, str(words["observed"]), str(words["estate"]), "", "", "", text)


def _names(estate: Estate, units: Sequence[str], lang: str) -> str:
    names = [estate.units[unit].name.in_language(lang) for unit in units]
    more = f" … ({len(names)})" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more


def _clock(began: Instant, at_s: float, zone: str) -> str:
    return f"{to_datetime(began + round(at_s * _US)).astimezone(ZoneInfo(zone)):%d/%m/%Y %H:%M:%S}"


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t")) else cell
