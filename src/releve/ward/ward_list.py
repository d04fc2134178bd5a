"""Who lies where, what must be seen first, what is new; and finding somebody by name, number or birth date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from releve.record.rows import Occupant, Person
from releve.screen import Visitor
from releve.ward.chart import SEX_WORDS
from releve.ward.station import Station

WARD_COOKIE = "releve_service"
#: A list of every ward is long; more beds than this are reached by their ward.
BEDS_MAX = 400
FOUND_MAX = 30
QUERY_CHARS_MIN = 2
_WARD_COOKIE_S = 30 * 86_400
_BIRTH_DATE = re.compile(r"(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4})")


class BedRow(msgspec.Struct, frozen=True):
    """A bed and who lies in it, with what is new to the reader."""

    who: Occupant
    new_results: int


async def ward_list_page(station: Station, request: Request, visitor: Visitor) -> Response:
    """The list of one ward, or the wards to choose from."""
    wards = station.views.wards(station.origins)
    names = [count.ward for count in wards]
    # None is no choice yet; "" is the ward of those whose sender names none.
    ward: str | None = request.query_params.get("ward")
    if ward is None:
        ward = unquote(request.cookies[WARD_COOKIE]) if WARD_COOKIE in request.cookies else None
        if ward not in names:
            ward = names[0] if len(names) == 1 else None
    occupants = station.views.ward_list(ward, station.origins) if ward is not None else []
    rows = _rows(station, visitor, occupants[:BEDS_MAX])
    if rows:
        station.note_read(
            request, visitor, "list", patient_ids=[row.who.patient_id for row in rows], resource_type="Encounter"
        )
    answer = station.pages.render(
        request,
        "ward_list.html",
        section="ward",
        wards=wards,
        ward=ward,
        rows=rows,
        is_cut=len(occupants) > BEDS_MAX,
        heard_until=max((feed.last_at for feed in station.views.feeds()), default=0),
        query="",
        sex_words=SEX_WORDS,
        source=lambda row: row.who.origin if row.who.origin != station.screen.site.id else "",
    )
    if ward in names:
        # Quoted: a ward's name is the sender's own text, and a header holds Latin-1 only.
        answer.set_cookie(
            WARD_COOKIE,
            quote(ward or "", safe=""),
            max_age=_WARD_COOKIE_S,
            httponly=True,
            samesite="lax",
            secure=station.screen.is_secure,
        )
    return answer


async def search_page(station: Station, request: Request, visitor: Visitor) -> Response:
    """People found by the beginning of a name, a number, or a birth date."""
    query = " ".join(request.query_params.get("q", "").split())[:100]
    is_short = len(query) < QUERY_CHARS_MIN
    found: list[Person] = [] if is_short else station.views.find(as_searched(query), limit=FOUND_MAX + 1)
    # The audit trail notes that somebody searched and whom they saw; what they typed may be a name.
    station.note_read(
        request, visitor, "search", patient_ids=[person.id for person in found], query="name-number-birthdate"
    )
    return station.pages.render(
        request,
        "search.html",
        section="ward",
        query=query,
        is_short=is_short,
        found=found[:FOUND_MAX],
        is_cut=len(found) > FOUND_MAX,
        sex_words=SEX_WORDS,
    )


def as_searched(query: str) -> str:
    """Return a query as the record looks for it: a birth date as people write it becomes 1950-03-02.

    02/03/1950, 2.3.1950 and 02-03-1950 are day, month, year on both sides of the Channel; anything else stays.
    """
    match = _BIRTH_DATE.fullmatch(query)
    if match is None:
        return query
    day, month, year = match.groups()
    return f"{year}-{int(month):02}-{int(day):02}"


def _rows(station: Station, visitor: Visitor, occupants: Sequence[Occupant]) -> list[BedRow]:
    patients = [who.patient_id for who in occupants]
    since = station.looked.since(visitor.user, patients, station.screen.now())
    fresh = station.views.new_results(patients, since)
    return [BedRow(who, fresh.get(who.patient_id, 0)) for who in occupants]
