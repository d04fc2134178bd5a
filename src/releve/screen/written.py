"""Dates, ages and numbers as people read them: never all-numeric dates, 24 hours, a relative time only beside an
absolute one. Values only; what time it is, is an argument.

Source: ISB 1505 (NHS Common User Interface), date display: "23-Nov-2026"; numbers by the Imprimerie nationale.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from functools import lru_cache

from releve.clock import Instant
from releve.screen.catalogue import Catalogue

_MONTHS = {
    "fr": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US
_DAY_US = 24 * _HOUR_US
_NARROW_SPACE = "\u202f"


class Written:
    """Writes in one language and one time zone."""

    def __init__(self, catalogue: Catalogue, zone: tzinfo) -> None:
        self.language = catalogue.language
        self._months = _MONTHS[catalogue.language]
        self._zone = zone
        self._is_french = catalogue.language == "fr"
        self._now: Instant = 0
        self._today = self.local(0)

    def local(self, at: Instant) -> datetime:
        """Return an instant as a time of this place."""
        return datetime.fromtimestamp(at // 1_000_000, self._zone)

    def date(self, at: Instant) -> str:
        """23-nov.-2026."""
        return self._day(self.local(at))

    def time(self, at: Instant) -> str:
        """13:58."""
        return self.local(at).strftime("%H:%M")

    def moment(self, at: Instant) -> str:
        """23-nov.-2026 13:58."""
        local = self.local(at)
        return f"{self._day(local)} {local.hour:02}:{local.minute:02}"

    def near(self, at: Instant, now: Instant) -> str:
        """13:58 on the same day, otherwise 22-nov. 13:58, otherwise with the year."""
        if now != self._now:  # a page asks a hundred times about one moment
            self._now, self._today = now, self.local(now)
        local, today = self.local(at), self._today
        clock = f"{local.hour:02}:{local.minute:02}"
        if local.date() == today.date():
            return clock
        if local.year == today.year:
            return f"{local.day:02}-{self._months[local.month - 1]} {clock}"
        return f"{self._day(local)} {clock}"

    def on(self, at: Instant, now: Instant) -> str:
        """à 13:58; le 22-nov. à 13:58."""
        day, _, clock = self.near(at, now).rpartition(" ")
        if self._is_french:
            return f"le {day} à {clock}" if day else f"à {clock}"
        return f"on {day} at {clock}" if day else f"at {clock}"

    def ago(self, at: Instant, now: Instant) -> str:
        """il y a 4 min; a time that lies ahead (a sender's clock) is said to lie ahead."""
        span = self.span(abs(now - at))
        if abs(now - at) < _MINUTE_US:
            return "à l'instant" if self._is_french else "just now"
        if at > now:
            return f"dans {span}" if self._is_french else f"in {span}"
        return f"il y a {span}" if self._is_french else f"{span} ago"

    def span(self, us: int) -> str:
        """4 min; 3 h 05; 2 j."""
        if us < _MINUTE_US:
            return "moins d'une min" if self._is_french else "less than a min"
        if us < _HOUR_US:
            return f"{us // _MINUTE_US}\u00a0min"
        if us < 2 * _DAY_US:
            return f"{us // _HOUR_US}\u00a0h\u00a0{us % _HOUR_US // _MINUTE_US:02}"
        return f"{us // _DAY_US}\u00a0{'j' if self._is_french else 'd'}"

    def birth(self, iso: str) -> str:
        """02-mars-1950 of 1950-03-02; a birth date known by its month or year only keeps to that."""
        parts = iso.split("T")[0].split("-")
        if not parts[0].isdigit():
            return iso
        if len(parts) == 1 or not all(part.isdigit() for part in parts) or not 1 <= int(parts[1]) <= 12:
            return parts[0]
        month = self._months[int(parts[1]) - 1]
        return f"{month} {parts[0]}" if len(parts) == 2 else f"{parts[2]}-{month}-{parts[0]}"

    def age(self, iso: str, now: Instant) -> str:
        """74 ans; months below two years, days below a month; empty when the birth date does not tell."""
        return _age(iso.split("T")[0], self.local(now).date(), self._is_french)

    def number(self, value: float | int | str) -> str:
        """6,8 in French; digits are never rounded, 72.50 stays 72,50."""
        text = str(value)
        return text.replace(".", ",") if self._is_french else text

    def count(self, n: int) -> str:
        """12 345, grouped in threes."""
        return f"{n:,}".replace(",", _NARROW_SPACE if self._is_french else ",")

    def iso(self, at: Instant) -> str:
        """The machine's form, for the datetime attribute."""
        return self.local(at).isoformat(timespec="minutes")

    def _day(self, local: datetime) -> str:
        return f"{local.day:02}-{self._months[local.month - 1]}-{local.year}"


def sender_words(sender: str) -> str:
    """Return MSH-3|MSH-4 as people say it, without OIDs: "MEDITECH^2.16.840…^ISO|COCAA" → "MEDITECH COCAA"."""
    parts = (next((name for name in part.split("^") if name), "") for part in sender.split("|"))
    return " ".join(part for part in parts if part)


@lru_cache(maxsize=4096)
def _age(iso: str, today: date, is_french: bool) -> str:
    try:
        parts = [int(part) for part in iso.split("-")]
        if len(parts) < 3:
            years = today.year - parts[0] - (len(parts) == 2 and today.month < parts[1])
            word = "ans" if is_french else "y"
            return f"{'env.' if is_french else 'about'}\u00a0{years}\u00a0{word}" if years >= 0 else ""
        birth = date(*parts[:3])
    except (ValueError, IndexError):
        return ""
    if birth > today:
        return ""
    months = (today.year - birth.year) * 12 + today.month - birth.month - (today.day < birth.day)
    if months >= 24:
        return f"{months // 12}\u00a0{'ans' if is_french else 'y'}"
    if months >= 1:
        return f"{months}\u00a0{'mois' if is_french else 'months' if months > 1 else 'month'}"
    days = (today - birth).days
    return f"{days}\u00a0{'j' if is_french else 'd'}"
