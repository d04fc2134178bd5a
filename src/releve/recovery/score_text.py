"""The record of the forecasts as text, in French and English: the sums first, then services, then every slip."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_datetime
from releve.estate import Estate
from releve.recovery.plan_text import time_text
from releve.recovery.score import Promise, Record, Scope, Score, Slip

#: So many slips are listed, those of the two ends before those of services; the JSON has them all, machinery too.
SLIPS_MAX = 24

#: Every promise of the two ends is listed up to so many; the JSON has them all.
ENDS_MAX = 60

_WORDS = {
    "en": {
        "title": "Forecasts published: {n}, of which {provisional} before anything had been measured.",
        "none": "No forecast was published: there is nothing to score.",
        "head": ("what", "promises", "settled", "P90 held", "P50 off by (middle)"),
        "essential": "Essential services",
        "last": "Last service",
        "everything": "Everything",
        "nothing": "–",
        "aim": "A P90 that is right holds nine times in ten: much more is too careful, much less promises too much.",
        "ends": "The two ends, each time they were announced:",
        "end": "{issued} {what}: P50 {p50}, P90 {p90}; {outcome}",
        "end.power": "{issued} {what}: P90 within {p90} of the return of the power, which is not back",
        "held": "back at {came}: held",
        "missed": "back at {came}: NOT held",
        "overdue": "not back: NOT held",
        "open": "not settled",
        "provisional": " (first estimate)",
        "slips": "Slips, the old P90 beside the new one:",
        "slip": "{at} {what}: {old} → {new} (later by {later})",
        "no-slips": "No published date was moved later.",
        "more": "… and {n} more in the JSON.",
    },
    "fr": {
        "title": "Prévisions publiées\u202f: {n}, dont {provisional} avant toute mesure.",
        "none": "Aucune prévision n’a été publiée\u202f: il n’y a rien à noter.",
        "head": ("quoi", "annonces", "échues", "P90 tenues", "écart à P50 (médian)"),
        "essential": "Services essentiels",
        "last": "Dernier service",
        "everything": "Ensemble",
        "nothing": "–",
        "aim": (
            "Une P90 juste tient neuf fois sur dix\u202f: bien plus, elle est trop prudente\u202f; bien moins, elle "
            "promet trop."
        ),
        "ends": "Les deux fins, à chaque annonce\u202f:",
        "end": "{issued} {what}\u202f: P50 {p50}, P90 {p90}\u202f; {outcome}",
        "end.power": "{issued} {what}\u202f: P90 en moins de {p90} après le retour du courant, qui n’est pas revenu",
        "held": "de retour à {came}\u202f: tenue",
        "missed": "de retour à {came}\u202f: NON tenue",
        "overdue": "pas de retour\u202f: NON tenue",
        "open": "pas encore échue",
        "provisional": " (première estimation)",
        "slips": "Reculs, l’ancienne P90 à côté de la nouvelle\u202f:",
        "slip": "{at} {what}\u202f: {old} → {new} (plus tard de {later})",
        "no-slips": "Aucune date publiée n’a reculé.",
        "more": "… et {n} autres dans le JSON.",
    },
}


def score_text(estate: Estate, found: Score, lang: str = "en") -> str:
    """Return the record as text that a crisis cell can read aloud."""
    if not found.forecasts:
        return str(_WORDS[lang]["none"]) + "\n"
    return "\n".join(_Text(estate, found, lang).lines()) + "\n"


def record_row(record: Record, lang: str) -> tuple[str, str, str, str]:
    """Return promises, settled, held with its share, and the error of P50, as words for a row."""
    nothing = str(_WORDS[lang]["nothing"])
    held, error = nothing, nothing
    if record.coverage is not None:
        held = f"{record.held} ({_percent(record.coverage, lang)})"
    if record.p50_error_s is not None:
        error = time_text(record.p50_error_s)
        if record.p50_error_share is not None:
            error += f" ({_percent(record.p50_error_share, lang)})"
    return str(record.promises), str(record.settled), held, error


class _Text:
    def __init__(self, estate: Estate, found: Score, lang: str) -> None:
        self._estate = estate
        self._found = found
        self._lang = lang
        self._words = {key: value for key, value in _WORDS[lang].items() if isinstance(value, str)}
        times = [one.issued_at for one in found.promises] + [one.p90_at for one in found.promises if one.p90_at]
        # The day is written only where it is needed to tell two clock times apart.
        self._has_days = len({self._local(at).date() for at in times}) > 1
        self._has_seconds = max(times, default=0) - min(times, default=0) < 3_600_000_000

    def lines(self) -> list[str]:
        found, words = self._found, self._words
        lines = [words["title"].format(n=found.forecasts, provisional=found.provisional), "", *self._table(), ""]
        lines += [words["aim"], "", words["ends"]]
        ends = [one for one in found.promises if one.scope != "unit"]
        lines += ["  " + self._end(one) for one in ends[:ENDS_MAX]]
        if len(ends) > ENDS_MAX:
            lines.append("  " + words["more"].format(n=len(ends) - ENDS_MAX))
        lines.append("")
        if not found.slips:
            return [*lines, words["no-slips"]]
        lines.append(words["slips"])
        shown = [one for one in found.slips if one.scope != "unit"]
        shown += [one for one in found.slips if one.unit in found.services]
        lines += ["  " + self._slip(one) for one in shown[:SLIPS_MAX]]
        if len(found.slips) > len(shown[:SLIPS_MAX]):
            lines.append("  " + words["more"].format(n=len(found.slips) - len(shown[:SLIPS_MAX])))
        return lines

    def _table(self) -> list[str]:
        found = self._found
        rows = [tuple(_WORDS[self._lang]["head"])]
        rows += [
            (self._words[name], *record_row(record, self._lang))
            for name, record in (("everything", found.everything), ("essential", found.essential), ("last", found.last))
        ]
        rows += [
            (self._estate.units[unit].name.in_language(self._lang), *record_row(record, self._lang))
            for unit, record in found.services.items()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if column in (0, 4) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return [lines[0], "─" * max(len(line) for line in lines), *lines[1:]]

    def _end(self, one: Promise) -> str:
        what = self._name(one.scope, one.unit) + (self._words["provisional"] if one.is_provisional else "")
        issued = self._clock(one.issued_at)
        if one.p50_at is None or one.p90_at is None:
            return self._words["end.power"].format(issued=issued, what=what, p90=time_text(one.span.p90_s))
        outcome = "open" if one.held is None else "held" if one.held else "missed" if one.came_at else "overdue"
        came = self._clock(one.came_at) if one.came_at else ""
        return self._words["end"].format(
            issued=issued,
            what=what,
            p50=self._clock(one.p50_at),
            p90=self._clock(one.p90_at),
            outcome=self._words[outcome].format(came=came),
        )

    def _slip(self, one: Slip) -> str:
        return self._words["slip"].format(
            at=self._clock(one.at),
            what=self._name(one.scope, one.unit),
            old=self._clock(one.old_p90_at),
            new=self._clock(one.new_p90_at),
            later=time_text(one.later_s),
        )

    def _name(self, scope: Scope, unit: str) -> str:
        return self._estate.units[unit].name.in_language(self._lang) if scope == "unit" else self._words[scope]

    def _clock(self, at: Instant) -> str:
        when = self._local(at)
        clock = f"{when:%H:%M:%S}" if self._has_seconds else f"{when:%H:%M}"
        return f"{when:%d/%m} {clock}" if self._has_days else clock

    def _local(self, at: Instant) -> datetime:
        return to_datetime(at).astimezone(ZoneInfo(self._estate.zone))


def _percent(share: float, lang: str) -> str:
    return f"{share * 100:.0f}\u202f%" if lang == "fr" else f"{share * 100:.0f}%"
