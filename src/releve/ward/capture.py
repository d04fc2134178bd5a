"""What is captured on a page: a dated note, the admission of somebody unknown. Merges are in merge.py.

The way is always the same: form → draft → append (synced) → wait until the views show it, at most two seconds → the
page that shows it. A form carries a key that names the fact: sent twice, it is one event.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from datetime import datetime, timedelta

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from releve.clock import Instant, to_datetime, to_instant
from releve.errors import ReleveError
from releve.log import Receipt
from releve.record.capture import admission_draft, note_draft, reservation_draft, temporary_ids
from releve.record.temporary import temporary_number
from releve.screen import Visitor
from releve.screen.gate import message
from releve.screen.screen import field, redirect
from releve.ward.chart import SEX_WORDS, draw_chart, no_such_person
from releve.ward.station import Station

NOTE_CHARS_MAX = 10_000
#: How somebody unknown comes in: emergency department first, it is where they come.
ADMISSION_CLASSES = ("EMER", "IMP")
#: How long a page waits for the fold before it says "saved, shown in a moment" instead of showing it.
SHOWN_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.02
#: An arrival may be written down later than it happened, not before it happened.
ARRIVAL_AHEAD_US_MAX = 5 * 60_000_000
#: Today, yesterday, the day before: who came earlier is known by now, or is entered by the admission office.
ARRIVAL_DAYS_MAX = 3
_DAY_US = 86_400_000_000
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])\s*[:hH.]?\s*([0-5][0-9])")
KEY = re.compile(r"[0-9a-f]{32}")

_log = logging.getLogger(__name__)


async def note_form(station: Station, request: Request, visitor: Visitor, form: FormData) -> Response:
    """Keep a dated note and show it on the chart; a note that cannot be kept is given back, not lost."""
    patient_id = str(request.path_params["patient_id"])
    text = field(form, "text", NOTE_CHARS_MAX + 1)
    key = field(form, "key")
    person = station.views.person(patient_id)
    if person is None:
        return no_such_person(station, request)
    problem = _note_problem(text, key)
    if problem:
        return draw_chart(station, request, visitor, person.id, status=400, draft_text=text, problem=problem)
    chart = station.views.chart(person.id, results_max=1)
    stay = next((stay for stay in chart.stays if stay.status == "in-progress"), None) if chart else None
    draft = note_draft(
        key=key,
        patient_id=person.id,
        encounter_id=stay.encounter_id if stay else "",
        text=text,
        author=visitor.user,
        author_display=visitor.display,
        at=station.screen.now(),
    )
    # Audited first: once the note is kept nothing may fail any more before the page says so.
    station.note_read(request, visitor, "note", patient_id=person.id, resource_type="DocumentReference")
    try:
        receipt = await station.append(draft)
    except ReleveError as error:
        _log.error("note refused by the log", extra={"code": error.code})
        problem = (
            "This note could not be saved just now. It is still in the field below: "
            "try again in a minute, or copy it to paper."
        )
        return draw_chart(station, request, visitor, person.id, status=503, draft_text=text, problem=problem)
    is_shown = await shown(station, receipt)
    return redirect(f"/patient/{person.id}?saved={'note' if is_shown else 'note-kept'}#documents")


def _note_problem(text: str, key: str) -> str:
    if not text:
        return "The note is empty. Nothing was saved."
    if len(text) > NOTE_CHARS_MAX:
        return "The note is longer than 10,000 characters. It was not saved; split it in two."
    if not KEY.fullmatch(key):
        return "This form was incomplete. The note was not saved; save it again."
    return ""


async def admission_page(station: Station, request: Request, visitor: Visitor) -> Response:
    """The form to admit somebody whose name nobody knows."""
    return _draw_admission(station, request)


async def admission_form(station: Station, request: Request, visitor: Visitor, form: FormData) -> Response:
    """Admit an unknown person under a temporary number that no other node can issue."""
    now = station.screen.now()
    ward, sex, age, key = field(form, "ward", 60), field(form, "sex"), field(form, "age", 3), field(form, "key")
    arrived_at = _arrival(field(form, "arrived_time"), field(form, "arrived_day"), station, now)
    class_ = field(form, "class")
    problem = ""
    if not KEY.fullmatch(key) or class_ not in ADMISSION_CLASSES:
        problem = "This form was incomplete. Nothing was saved; send it again."
    elif sex not in SEX_WORDS or not sex:
        problem = "Choose the sex, or “unknown”. Nothing was saved."
    elif not ward:
        problem = "Name the ward where the person lies. Nothing was saved."
    elif age and not (age.isdigit() and int(age) <= 120):
        problem = "The apparent age is a number of years up to 120. Nothing was saved."
    elif arrived_at is None:
        problem = "The time of arrival is not a time, or lies ahead. Nothing was saved."
    if problem or arrived_at is None:
        return _draw_admission(station, request, form=form, problem=problem, status=400)
    try:
        # Two events: the log's own sequence number of the first makes a number that no crash can issue twice.
        reserved = await station.append(reservation_draft(key=key, author=visitor.user))
        number = temporary_number(station.screen.site.id, reserved.seq, epoch=station.epoch)
        patient_id, _ = temporary_ids(number)
        station.note_read(request, visitor, "admission", patient_id=patient_id)
        receipt = await station.append(
            admission_draft(
                key=key,
                number=number,
                sex=sex,
                description=field(form, "description", 500),
                ward=ward,
                room=field(form, "room", 30),
                bed=field(form, "bed", 30),
                class_=class_,
                author=visitor.user,
                author_display=visitor.display,
                at=arrived_at,
                birth_year=station.pages.written(request).local(arrived_at).year - int(age) if age else None,
            )
        )
    except ReleveError as error:
        _log.error("admission refused by the log", extra={"code": error.code})
        problem = "The admission could not be saved just now. Try again in a minute, or admit on paper."
        return _draw_admission(station, request, form=form, problem=problem, status=503)
    if await shown(station, receipt):
        return redirect(f"/patient/{patient_id}?saved=admission")
    return message(
        station.pages,
        request,
        200,
        "Admission saved",
        "The admission is saved and will be in the list in a few seconds. Do not enter it again.",
        back=f"/patient/{patient_id}?saved=admission",
    )


def _draw_admission(
    station: Station, request: Request, *, form: FormData | None = None, problem: str = "", status: int = 200
) -> Response:
    now = station.screen.now()
    names = ("sex", "class", "age", "description", "ward", "room", "bed", "arrived_time", "arrived_day")
    typed = {name: field(form, name, 500) if form is not None else "" for name in names}
    typed["class"] = typed["class"] or ADMISSION_CLASSES[0]
    written = station.pages.written(request)
    typed["arrived_time"] = typed["arrived_time"] or written.time(now)
    typed["arrived_day"] = typed["arrived_day"] or "0"
    return station.pages.render(
        request,
        "admission.html",
        status,
        section="admission",
        typed=typed,
        days=[(str(ago), written.date(now - ago * _DAY_US)) for ago in range(ARRIVAL_DAYS_MAX)],
        problem=problem,
        wards=[count.ward for count in station.views.wards(station.origins)],
        key=(field(form, "key") if form is not None else "") or secrets.token_hex(16),
    )


def _arrival(clock: str, day: str, station: Station, now: Instant) -> Instant | None:
    """Return when somebody arrived: "14:05", "14h05" or "1405" on a day so many days ago; now for none given.

    returns  None for what is no time, or lies ahead
    """
    if not clock:
        return now
    match = _CLOCK.fullmatch(clock)
    if match is None or not (day or "0").isdigit() or int(day or 0) >= ARRIVAL_DAYS_MAX:
        return None
    today = to_datetime(now).astimezone(station.screen.zone)
    date = today.date() - timedelta(days=int(day or 0))
    hour, minute = int(match[1]), int(match[2])
    at = to_instant(datetime(date.year, date.month, date.day, hour, minute, tzinfo=station.screen.zone))
    return min(at, now) if at <= now + ARRIVAL_AHEAD_US_MAX else None


async def shown(station: Station, receipt: Receipt) -> bool:
    """Wait until the views have come to an event, at most SHOWN_WITHIN_S."""
    for _ in range(int(SHOWN_WITHIN_S / _LOOK_AGAIN_S)):
        if station.views.position() >= receipt.pos:
            return True
        await asyncio.sleep(_LOOK_AGAIN_S)
    return False
