"""HL7 v2 times: text of any precision → FHIR date or dateTime, and the instant it stands for.

A time without an offset is local time of the sender's zone. Two hours of a year need a rule:
an hour that occurs twice (October) is read as its first occurrence, and an hour that does not exist (March) with the
offset in force before the change, which is the instant a clock that was not changed would show. Both are remarked.
Source: HL7 v2.5.1 2.A.22 (DTM); FHIR R4 datatypes (dateTime needs an offset as soon as there are hours, and seconds).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from releve.clock import Instant

#: Times remembered: those of one message repeat in it, those of a minute's traffic repeat across messages.
_MOMENTS_MAX = 8192
_CHARACTERS_MAX = 40  # the longest DTM has 24; what is longer is none, and is not remembered
_HOURS_MAX = 4096
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FRACTION_DIGITS_MAX = 6  # more is no clock; an instant here is microseconds

AMBIGUOUS = "hl7v2.time-ambiguous"
NONEXISTENT = "hl7v2.time-nonexistent"


class Moment(NamedTuple):
    """A point in time as FHIR writes it and as an instant.

    iso         "2026-03-15T08:00:00+01:00", or "2026-03-15", "2026-03", "2026" when the sender gave no hour
    at          microseconds since 1970; of a date, its beginning in the sender's zone
    is_instant  whether there is a time of day
    flag        AMBIGUOUS, NONEXISTENT or ""
    """

    iso: str
    at: Instant
    is_instant: bool
    flag: str


def parse_moment(text: str, zone: ZoneInfo) -> Moment | None:
    """Return what a DTM or TS says; None when it is none.

    text  of the first component: YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ]; a fraction without its point is understood too
    """
    return _parse_moment(text, zone) if len(text) <= _CHARACTERS_MAX else None


@lru_cache(maxsize=_MOMENTS_MAX)
def _parse_moment(text: str, zone: ZoneInfo) -> Moment | None:
    digits, offset = _split_offset(text.strip())
    whole, _, fraction = digits.partition(".")
    if len(whole) > 14:
        whole, fraction = whole[:14], whole[14:] + fraction
    if not (whole.isascii() and whole.isdigit()) or (fraction and not (fraction.isascii() and fraction.isdigit())):
        return None
    try:
        if len(whole) <= 8:
            return _of_date(whole, zone) if not offset or _offset_of(offset) is not None else None
        if len(whole) not in (10, 12, 14):
            return None
        whole = whole.ljust(14, "0")
        return _at_offset(whole, fraction, offset) if offset else _at_zone(whole, fraction, zone)
    except ValueError:
        return None


def parse_date(text: str) -> str:
    """Return the date in a DT, DTM or TS as FHIR writes it, as precise as it is; "" when there is none.

    Parts that are unknown and written as 00 are left out: "19430000" is "1943".
    """
    text = text[:8]
    if not (text.isascii() and text.isdigit()) or len(text) not in (4, 6, 8):
        return ""
    year, month, day = text[:4], text[4:6], text[6:8]
    if month in ("", "00"):
        return year if year != "0000" else ""
    try:
        if day in ("", "00"):
            date(int(year), int(month), 1)
            return f"{year}-{month}"
        date(int(year), int(month), int(day))
    except ValueError:
        return ""
    return f"{year}-{month}-{day}"


def parse_clock(text: str) -> str:
    """Return the time of day in a TM as FHIR writes it, "08:12:00"; "" when it is none."""
    digits = _split_offset(text.strip())[0].partition(".")[0]
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in (2, 4, 6):
        return ""
    digits = digits.ljust(6, "0")
    if digits[:2] > "23" or digits[2:4] > "59" or digits[4:] > "59":
        return ""
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def _split_offset(text: str) -> tuple[str, str]:
    for sign in "+-":
        place = text.find(sign)
        if place > 0:
            return text[:place], text[place:]
    return text, ""


def _of_date(whole: str, zone: ZoneInfo) -> Moment | None:
    iso = parse_date(whole)
    if not iso:
        return None
    first = datetime(int(iso[:4]), int(iso[5:7] or 1), int(iso[8:10] or 1), tzinfo=zone)
    return Moment(iso, _instant(first.replace(tzinfo=None), first.utcoffset()), False, "")


def _offset_of(text: str) -> timedelta | None:
    hours_minutes = text[1:].replace(":", "")
    if len(hours_minutes) != 4 or not hours_minutes.isdigit() or hours_minutes > "1400" or hours_minutes[2:] > "59":
        return None
    minutes = int(hours_minutes[:2]) * 60 + int(hours_minutes[2:])
    return timedelta(minutes=-minutes if text[0] == "-" else minutes)


def _at_offset(whole: str, fraction: str, offset: str) -> Moment | None:
    delta = _offset_of(offset)
    if delta is None:
        return None
    return _moment(whole, fraction, _instant(_naive(whole), delta), _offset_text(delta), "")


def _at_zone(whole: str, fraction: str, zone: ZoneInfo) -> Moment:
    plain = _plain_hour(whole[:10], zone)
    if plain is None:
        local = _naive(whole).replace(tzinfo=zone)
        first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
        assert first is not None
        assert second is not None
        flag = AMBIGUOUS if first > second else NONEXISTENT if first < second else ""
        return _moment(whole, fraction, _instant(_naive(whole), first), _offset_text(first), flag)
    at, offset = plain
    minute, second_of = whole[10:12], whole[12:]
    if minute > "59" or second_of > "59":
        raise ValueError(whole)
    return _moment(whole, fraction, at + (int(minute) * 60 + int(second_of)) * 1_000_000, offset, "")


@lru_cache(maxsize=_HOURS_MAX)
def _plain_hour(text: str, zone: ZoneInfo) -> tuple[Instant, str] | None:
    """Return the instant at which a local hour begins and its offset; None for an hour that the clocks change in."""
    start = datetime(int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[8:10]), tzinfo=zone)
    end = start.replace(minute=59, second=59)
    offset = start.utcoffset()
    others = (start.replace(fold=1).utcoffset(), end.utcoffset(), end.replace(fold=1).utcoffset())
    if offset is None or any(other != offset for other in others):
        return None
    return _instant(start.replace(tzinfo=None), offset), _offset_text(offset)


def _naive(whole: str) -> datetime:
    year, month, day = int(whole[:4]), int(whole[4:6]), int(whole[6:8])
    return datetime(year, month, day, int(whole[8:10]), int(whole[10:12]), int(whole[12:14]))  # noqa: DTZ001 - the caller knows the offset


def _instant(local: datetime, offset: timedelta | None) -> Instant:
    assert offset is not None, "a zone that gives no offset"
    days = local.toordinal() - _EPOCH_DAY
    seconds = days * 86_400 + local.hour * 3600 + local.minute * 60 + local.second
    return (seconds - _offset_minutes(offset) * 60) * 1_000_000


def _offset_minutes(offset: timedelta) -> int:
    return round(offset.total_seconds() / 60)  # local mean times before 1911 have seconds; FHIR offsets have none


def _offset_text(offset: timedelta) -> str:
    minutes = _offset_minutes(offset)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _moment(whole: str, fraction: str, at: Instant, offset: str, flag: str) -> Moment:
    day_and_time = f"{whole[:4]}-{whole[4:6]}-{whole[6:8]}T{whole[8:10]}:{whole[10:12]}:{whole[12:14]}"
    if fraction:
        fraction = fraction[:_FRACTION_DIGITS_MAX]
        return Moment(f"{day_and_time}.{fraction}{offset}", at + int(fraction.ljust(6, "0")), True, flag)
    return Moment(day_and_time + offset, at, True, flag)
