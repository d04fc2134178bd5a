"""The chart of a person and the page of one result: rows made ready in the language of the reader, then drawn.

What is shown is what the laboratory said: its flag, its range, its digits. Nothing is computed, rounded or coloured on
our own account. A result that was withdrawn is said to be withdrawn and never stands as the last value.

Source: ISB 1505 (patient banner); PAB-0064 (four states of allergies); HL7 table 0078 (interpretation codes).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from releve.clock import Instant
from releve.record.rows import Block, Document, Earlier, Person, Point, ResultGroup, Stay
from releve.record.temporary import TEMPORARY_SYSTEM
from releve.screen import Visitor, Written, sender_words
from releve.screen.gate import message
from releve.screen.screen import is_auto, redirect
from releve.ward.station import Station
from releve.ward.trend import POINTS_MAX, TREND, Trend, draw

#: Rows of results on one chart; older ones are behind each result's own page.
RESULTS_MAX = 400
_NUMBER_MARKS = frozenset("0123456789.,<>=+-–≤≥ ")


class Flag(msgspec.Struct, frozen=True, gc=False):
    """How an interpretation looks: arrows, letters, the word for those who do not see them, how grave."""

    arrows: str
    letters: str
    word: str
    grade: str


#: HL7 table 0078, English letters; the catalogue says the French ones. Off-scale has three arrows.
FLAGS = {
    "H": Flag("↑", "H", "high", "out"),
    "HU": Flag("↑↑", "HU", "significantly high", "out"),
    "HH": Flag("↑↑", "HH", "critically high", "critical"),
    ">": Flag("↑↑↑", ">", "above the scale", "critical"),
    "L": Flag("↓", "L", "low", "out"),
    "LU": Flag("↓↓", "LU", "significantly low", "out"),
    "LL": Flag("↓↓", "LL", "critically low", "critical"),
    "<": Flag("↓↓↓", "<", "below the scale", "critical"),
    "A": Flag("!", "A", "abnormal", "out"),
    "AA": Flag("!!", "AA", "critically abnormal", "critical"),
    "POS": Flag("+", "POS", "positive", "out"),
    "R": Flag("", "R", "resistant", "out"),
    "I": Flag("", "I", "intermediate", "out"),
    "S": Flag("", "S", "susceptible", "plain"),
    "NEG": Flag("", "NEG", "negative", "plain"),
}
#: What says nothing: normal, and "no flag given".
_SILENT = ("", "N")

STATUS_WORDS = {
    "registered": "ordered, no result yet",
    "preliminary": "PRELIMINARY",
    "partial": "PARTIAL",
    "final": "final",
    "corrected": "CORRECTED",
    "amended": "CORRECTED",
    "appended": "completed",
    "cancelled": "CANCELLED",
    "entered-in-error": "WITHDRAWN",
    "unknown": "status unknown",
}
INS_WORDS = {
    "PROV": "provisional identity",
    "RECUP": "retrieved identity",
    "VALI": "validated identity",
    "QUAL": "qualified identity",
    "DOUTE": "doubtful identity",
    "DOUB": "doubtful identity",
    "FICTI": "fictitious identity",
    "FICT": "fictitious identity",
    "HOMOM": "namesake",
}
SEX_WORDS = {"female": "female", "male": "male", "other": "indeterminate", "unknown": "sex unknown", "": "sex unknown"}


class WasRow(msgspec.Struct, frozen=True, gc=False):
    """What a corrected result said before."""

    value: str
    unit: str
    status: str
    heard: str


class ResultRow(msgspec.Struct, frozen=True, gc=False):
    """One line of results, ready to draw."""

    name: str
    url: str
    value: str
    unit: str
    is_text: bool
    flag: Flag | None
    range: str
    taken: str
    taken_ago: str
    count: int
    trend: Trend | None
    trend_words: str
    status: str
    is_final: bool
    is_void: bool
    is_new: bool
    was: list[WasRow]
    notes: list[str]
    source: str
    heard: str


class Teller:
    """Says where things came from and when, in one language, for one page."""

    def __init__(self, station: Station, request: Request, now: Instant) -> None:
        self.w: Written = station.pages.written(request)
        self.now = now
        self.is_french = self.w.language == "fr"
        self._names: Mapping[str, str] = station.sender_names
        self._entered_by = station.pages.text(request, "entered by {who}")

    def source(self, origin: str, sender: str) -> str:
        """Laboratoire (H01): the name of a sender where the node's file gives one, and the node that heard it.

        A sender without a bar is no MSH-3|MSH-4 but the account of who captured it.
        """
        name = self._names.get(sender) or sender_words(sender)
        if name and "|" not in sender and sender not in self._names:
            name = self._entered_by.format(who=name)
        return f"{name} ({origin})" if name else origin

    def block(self, block: Block | None) -> tuple[str, str]:
        """Return ("à 13:58 (il y a 4 min)", source) of a block, empty when nothing was ever received."""
        if block is None or block.heard_at is None:
            return "", ""
        at = block.heard_at
        return f"{self.w.on(at, self.now)} ({self.w.ago(at, self.now)})", self.source(block.origin, block.sender)

    def value(self, text: str) -> str:
        """A number with the decimal mark of the language; anything that is not plainly a number stays as it came."""
        return text.replace(".", ",") if self.is_french and text and _NUMBER_MARKS.issuperset(text) else text

    def range(self, point: Point) -> str:
        """3,5 – 5,1; < 5; or the laboratory's own words."""
        if point.range_text and not _NUMBER_MARKS.issuperset(point.range_text):
            return point.range_text
        low = self.w.number(f"{point.low:g}") if point.low is not None else ""
        high = self.w.number(f"{point.high:g}") if point.high is not None else ""
        if low and high:
            return f"{low} – {high}"
        return f"≥ {low}" if low else f"≤ {high}" if high else self.value(point.range_text)


async def chart_page(station: Station, request: Request, visitor: Visitor) -> Response:
    """The chart of a person; a merged identity leads to the person it belongs to."""
    return draw_chart(station, request, visitor, str(request.path_params["patient_id"]))


def draw_chart(
    station: Station,
    request: Request,
    visitor: Visitor,
    patient_id: str,
    *,
    status: int = 200,
    draft_text: str = "",
    problem: str = "",
) -> Response:
    """Draw the chart; draft_text is a note that is not saved yet, problem says why."""
    chart = station.views.chart(patient_id, results_max=RESULTS_MAX)
    if chart is None:
        station.note_read(request, visitor, "read", patient_id=patient_id, outcome="failed")
        return no_such_person(station, request)
    person = chart.person
    station.note_read(request, visitor, "read", patient_id=person.id)
    if person.id != patient_id and not draft_text:
        return redirect(f"/patient/{person.id}?from={patient_id}")
    now = station.screen.now()
    since = station.looked.look(visitor.user, person.id, now, is_auto=is_auto(request))
    teller = Teller(station, request, now)
    blocks = {name: teller.block(chart.blocks.get(name)) for name in _BLOCKS}
    rows = [row for group in chart.results for row in group_rows(teller, person.id, group, since)]
    return station.pages.render(
        request,
        "chart.html",
        status,
        section="ward",
        person=person,
        stay=_present_stay(chart.stays),
        chart=chart,
        # A report without a text of its own is a heading of results, and these stand above.
        documents=[document for document in chart.documents if document.text or document.url],
        temporary_system=TEMPORARY_SYSTEM,
        # Tuples: a template reads a name in a tenth of the time of an attribute, and a chart has two thousand of them.
        rows=[msgspec.structs.astuple(row) for row in rows],
        is_cut=chart.results_are_cut,
        new_count=sum(row.is_new for row in rows),
        blocks=blocks,
        source=teller.source,
        merges=[merge for merge in station.views.merges(person.id) if merge.is_in_force and merge.is_merge],
        from_id=request.query_params.get("from", ""),
        saved=request.query_params.get("saved", ""),
        key=secrets.token_hex(16),
        draft_text=draft_text,
        problem=problem,
        sex_words=SEX_WORDS,
        ins_words=INS_WORDS,
        stay_words=STAY_WORDS,
        class_words=CLASS_WORDS,
        document_title=_document_title,
        may_unmerge=visitor.role == "doctor",
        birth_age=teller.w.age(person.birth_date, now),
    )


_BLOCKS = ("identity", "stay", "results", "documents", "allergies")
STAY_WORDS = {
    "planned": "planned",
    "arrived": "arrived",
    "triaged": "arrived",
    "in-progress": "present",
    "onleave": "on leave",
    "finished": "left",
    "cancelled": "cancelled",
    "entered-in-error": "cancelled",
    "unknown": "status unknown",
}
CLASS_WORDS = {
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    "EMER": "emergency",
    "AMB": "outpatient",
    "OBSENC": "observation",
    "SS": "day hospital",
    "PRENC": "pre-admission",
    "HH": "home care",
    "VR": "remote",
}


def no_such_person(station: Station, request: Request) -> Response:
    return message(
        station.pages,
        request,
        404,
        "No such record here",
        "This node holds no record under this address. Search by name, number or birth date.",
    )


def group_rows(teller: Teller, patient_id: str, group: ResultGroup, since: Instant) -> list[ResultRow]:
    """Return the lines of one code: its newest result, and under a withdrawn one the newest that still counts."""
    newest = group.points[0]
    url = f"/patient/{patient_id}/result?{_code_query(group.code)}"
    rows = [_row(teller, group, newest, url, since, has_trend=not newest.is_void)]
    if newest.is_void:
        valid = next((point for point in group.points if not point.is_void), None)
        if valid is not None:
            rows.append(_row(teller, group, valid, url, since, has_trend=True))
    return rows


@lru_cache(maxsize=4096)  # the codes of a hospital's laboratory
def _code_query(code: str) -> str:
    return urlencode({"code": code})


def _row(teller: Teller, group: ResultGroup, point: Point, url: str, since: Instant, *, has_trend: bool) -> ResultRow:
    w, now = teller.w, teller.now
    trend, words = None, ""
    if has_trend and len(group.points) > 1:
        shown = [p for p in group.points if p.number is not None and not p.is_void and p.unit == point.unit][
            :POINTS_MAX
        ]
        if len(shown) > 1:
            shown.reverse()
            trend = draw([_dot(p) for p in shown], point.low, point.high)
            words = ", ".join(teller.value(p.value) for p in shown)
    return ResultRow(
        name=group.name,
        url=url,
        value=teller.value(point.value),
        unit=point.unit,
        is_text=point.number is None and len(point.value) > 24,
        flag=flag_of(point.flag),
        range=teller.range(point),
        taken=w.near(point.at, now),
        taken_ago=w.ago(point.at, now),
        count=len(group.points),
        trend=trend,
        trend_words=words,
        status=STATUS_WORDS.get(point.status, point.status),
        is_final=point.status == "final",
        is_void=point.is_void,
        is_new=point.heard_at > since,
        # A version that only became final said the same: nothing to warn of.
        was=[_was(teller, one) for one in point.earlier if (one.value, one.unit) != (point.value, point.unit)],
        notes=point.notes,
        source=teller.source(point.origin, point.sender),
        heard=w.near(point.heard_at, now),
    )


def _was(teller: Teller, earlier: Earlier) -> WasRow:
    status = STATUS_WORDS.get(earlier.status, earlier.status)
    return WasRow(teller.value(earlier.value), earlier.unit, status, teller.w.on(earlier.heard_at, teller.now))


def _dot(point: Point) -> tuple[int, float, bool]:
    assert point.number is not None, "a dot has a number"
    return point.at, point.number, point.flag not in _SILENT


def flag_of(code: str) -> Flag | None:
    """Return how a laboratory's flag looks; a code we do not know is shown as it came, never dropped."""
    if code in _SILENT:
        return None
    return FLAGS.get(code) or Flag("", code, "flag of the laboratory", "out")


async def result_page(station: Station, request: Request, visitor: Visitor) -> Response:
    """Every value of one result: a large trend and a table with what was corrected or withdrawn."""
    patient_id = str(request.path_params["patient_id"])
    code = request.query_params.get("code", "")
    chart = station.views.chart(patient_id, results_max=RESULTS_MAX)
    group = next((group for group in chart.results if group.code == code), None) if chart else None
    if chart is None or group is None:
        station.note_read(request, visitor, "read", patient_id=patient_id, outcome="failed")
        return no_such_person(station, request)
    station.note_read(request, visitor, "read", patient_id=chart.person.id, resource_type="Observation")
    now = station.screen.now()
    teller = Teller(station, request, now)
    newest = next((point for point in group.points if not point.is_void), group.points[0])
    numbers = [p for p in group.points if p.number is not None and not p.is_void and p.unit == newest.unit]
    numbers.reverse()
    return station.pages.render(
        request,
        "result.html",
        section="ward",
        person=chart.person,
        stay=_present_stay(chart.stays),
        chart=chart,
        group=group,
        rows=[_row(teller, group, point, "", now, has_trend=False) for point in group.points],
        trend=draw([_dot(p) for p in numbers], newest.low, newest.high, TREND) if len(numbers) > 1 else None,
        first_at=numbers[0].at if numbers else 0,
        last_at=numbers[-1].at if numbers else 0,
        range=teller.range(newest),
        sex_words=SEX_WORDS,
        ins_words=INS_WORDS,
        birth_age=teller.w.age(chart.person.birth_date, now),
    )


def _present_stay(stays: list[Stay]) -> Stay | None:
    """Return the stay a person is in now, if any."""
    return next((stay for stay in stays if stay.status in ("in-progress", "onleave", "arrived", "triaged")), None)


def _document_title(document: Document) -> str:
    return document.title or {"note": "Note", "report": "Report"}.get(document.kind, "Document")


def name_of(person: Person) -> str:
    """FAMILY, Given."""
    return ", ".join(part for part in (person.family.upper(), person.given) if part)
