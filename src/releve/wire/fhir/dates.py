"""FHIR dates: text of any precision ⇄ the span of instants it stands for.

"2024-08" is a month, "2024-08-03T09:12" a minute: a search compares spans, never points. A date without an offset is a
date at the hospital, so its zone is passed in. Leap second 60 is read as 59.
Source: FHIR R4 datatypes (date, dateTime, instant) and Search, "date", prefixes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from releve.clock import Instant

#: From the instant, included, to the instant, excluded; microseconds since 1970.
Span = tuple[Instant, Instant]

#: Before and after every date that FHIR can write (years 1 to 9999).
EARLIEST: Instant = -(10**17)
LATEST: Instant = 10**18

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=8192)
def parse_span(text: str, zone: tzinfo) -> Span:
    """Return the span of a FHIR date, dateTime or instant.

    zone  the zone of a text that names none

    raises  ValueError  no such date
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no date such as 2024, 2024-08, 2024-08-03 or 2024-08-03T09:12:44+02:00")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    where = _zone(offset) if offset else zone
    if hour is None:
        return _days(int(year), int(month) if month else None, int(day) if day else None, where)
    start = datetime(
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        59 if second == "60" else int(second or 0),
        tzinfo=where,
    )
    low = (start - _EPOCH) // _MICROSECOND
    if second is None:
        return low, low + 60_000_000
    if fraction is None:
        return low, low + 1_000_000
    digits = fraction[:6]
    return low + int(digits.ljust(6, "0")), low + int(digits.ljust(6, "0")) + 10 ** (6 - len(digits))


def _days(year: int, month: int | None, day: int | None, where: tzinfo) -> Span:
    start = datetime(year, month or 1, day or 1, tzinfo=where)
    if day:
        end_of = (year, month or 1, day)
        end = None if end_of == (9999, 12, 31) else (datetime(*end_of) + timedelta(days=1)).replace(tzinfo=where)  # noqa: DTZ001 - calendar arithmetic; the zone follows
    elif month:
        end = None if (year, month) == (9999, 12) else datetime(year + month // 12, month % 12 + 1, 1, tzinfo=where)
    else:
        end = None if year == 9999 else datetime(year + 1, 1, 1, tzinfo=where)
    return (start - _EPOCH) // _MICROSECOND, LATEST if end is None else (end - _EPOCH) // _MICROSECOND


def _zone(offset: str) -> tzinfo:
    if offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError(f"{offset!r} is no offset from UTC")
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if offset[0] == "-" else ahead)


def holds(prefix: str, sought: Span, found: Span, now: Instant) -> bool:
    """Say whether a span that was found answers a search with a prefix.

    prefix  eq ne lt gt le ge sa eb ap
    now     for ap alone: within a tenth of the distance between now and what is sought
    """
    low, high = found
    inside = sought[0] <= low and high <= sought[1]
    if prefix == "eq":
        return inside
    if prefix == "ge":
        return inside or high > sought[1]
    if prefix == "le":
        return inside or low < sought[0]
    if prefix == "gt":
        return high > sought[1]
    if prefix == "lt":
        return low < sought[0]
    if prefix == "ne":
        return not inside
    if prefix == "sa":
        return low >= sought[1]
    if prefix == "eb":
        return high <= sought[0]
    assert prefix == "ap", prefix
    margin = abs(now - sought[0]) // 10
    return low < sought[1] + margin and high > sought[0] - margin


def edges(prefix: str, sought: Span, now: Instant) -> Span:
    """Return the instants between which whatever holds must overlap; what an index may be asked with.

    Everything that holds overlaps this span; not everything that overlaps it holds.
    """
    if prefix == "eq":
        return sought
    if prefix in ("ge", "gt", "sa"):
        return sought[0], LATEST
    if prefix in ("le", "lt", "eb"):
        return EARLIEST, sought[1]
    if prefix == "ap":
        margin = abs(now - sought[0]) // 10
        return sought[0] - margin, sought[1] + margin
    return EARLIEST, LATEST
