"""Rows of the record made of FHIR JSON: results, stays, documents, allergies. Pure; what is malformed is shown as text.

A value is shown as the laboratory gave it: what is no number is never turned into one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from releve.record import band
from releve.record.band import concept_text
from releve.record.fold import VOID, Document
from releve.record.movements import StayState
from releve.record.person import as_list, text
from releve.record.rows import Allergy, Earlier, Move, Point, ResultGroup, Stay
from releve.record.rows import Document as DocumentRow
from releve.record.schema import DOCUMENT, TYPES
from releve.record.terms import first_code, identifier_type, instant

#: LOINC code of a note that somebody wrote at a page.
NOTE_CODE = "34109-9"
#: A text longer than this is not put into a chart page; its link is.
TEXT_CHARS_MAX = 200_000
#: Of a result corrected more often than this only the newest earlier values are shown; all are in its history.
EARLIER_MAX = 20


class Source(NamedTuple):
    """Where a resource came from and when it was heard."""

    heard_at: int
    origin: str
    sender: str


class _Exact(float):
    """A number that remembers how the laboratory wrote it: 4.10 says more than 4.1."""

    _text: str

    def __new__(cls, text: str) -> _Exact:
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text


_decoder = msgspec.json.Decoder(float_hook=_Exact)


def decode_result(json: bytes) -> Document:
    """Return an Observation whose decimals are shown as they were written."""
    doc: Document = _decoder.decode(json)
    return doc


class Reading(NamedTuple):
    """The value of an Observation: as text, as a number when it is one, with its unit."""

    text: str
    number: float | None
    unit: str


def reading(doc: Document) -> Reading:
    """Return the value of an Observation; of a panel's components their values in words."""
    quantity = doc.get("valueQuantity")
    if isinstance(quantity, dict):
        return _quantity(quantity)
    for name in ("valueString", "valueDateTime", "valueTime"):
        value = doc.get(name)
        if isinstance(value, str):
            return Reading(value, None, "")
    if isinstance(doc.get("valueCodeableConcept"), dict):
        return Reading(concept_text(doc["valueCodeableConcept"]), None, "")
    for name in ("valueInteger", "valueBoolean"):
        value = doc.get(name)
        if value is not None:
            return Reading(str(value), float(value) if isinstance(value, int | float) else None, "")
    for name in ("valueRange", "valueRatio", "valuePeriod", "valueSampledData"):
        value = doc.get(name)
        if isinstance(value, dict):
            return Reading(_structured(name, value), None, "")
    components = [
        f"{concept_text(one.get('code'))} {value.text} {value.unit}".strip()
        for one in as_list(doc.get("component"))
        if isinstance(one, dict) and (value := reading(one)).text
    ]
    if components:
        return Reading("\n".join(components), None, "")
    return Reading(concept_text(doc.get("dataAbsentReason")), None, "")


def _quantity(quantity: Document) -> Reading:
    value = quantity.get("value")
    unit = quantity.get("unit") or quantity.get("code") or ""
    comparator = quantity.get("comparator") or ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Reading(f"{comparator}{value or ''}", None, str(unit))
    # A bound is no value: "<0.5" has no place on a trend line.
    return Reading(f"{comparator}{value}", None if comparator else float(value), str(unit))


def _structured(name: str, value: Document) -> str:
    if name in ("valueRange", "valuePeriod"):
        first, second = ("low", "high") if name == "valueRange" else ("start", "end")
        return f"{_part(value.get(first))} – {_part(value.get(second))}"
    if name == "valueRatio":
        return f"{_part(value.get('numerator'))} : {_part(value.get('denominator'))}"
    return text(value, "data")


def _part(value: Any) -> str:
    if isinstance(value, dict):
        found = _quantity(value)
        return f"{found.text} {found.unit}".strip()
    return value if isinstance(value, str) else ""


class Range(NamedTuple):
    """The laboratory's reference range; text is its own words, or made of low and high."""

    low: float | None
    high: float | None
    text: str


def reference_range(doc: Document) -> Range:
    """Return the first reference range of an Observation."""
    for one in as_list(doc.get("referenceRange")):
        if not isinstance(one, dict):
            continue
        low, high = (_bound(one.get(name)) for name in ("low", "high"))
        words = text(one, "text")
        if not words and (low is not None or high is not None):
            words = f"{low:g}–{high:g}" if low is not None and high is not None else ""
            words = words or (f"> {low:g}" if low is not None else f"< {high:g}")
        return Range(low, high, words)
    return Range(None, None, "")


def _bound(quantity: Any) -> float | None:
    value = quantity.get("value") if isinstance(quantity, dict) else None
    return float(value) if isinstance(value, int | float) else None


def point(id_: str, at: int, doc: Document, source: Source, patient_id: str, earlier: list[Earlier]) -> Point:
    """Return an Observation as one point of a chart."""
    value, number, unit = reading(doc)
    low, high, range_text = reference_range(doc)
    status = text(doc, "status")
    flag = ""
    for concept in as_list(doc.get("interpretation")):
        flag = flag or _first_bare_code(concept)
    notes = [text(one, "text") for one in as_list(doc.get("note")) if isinstance(one, dict)]
    return Point(
        id_,
        at,
        value,
        number,
        unit,
        low,
        high,
        range_text,
        flag,
        status,
        status in VOID,
        [note for note in notes if note],
        earlier,
        source.heard_at,
        source.origin,
        source.sender,
        patient_id,
    )


def _first_bare_code(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    for coding in as_list(concept.get("coding")):
        if isinstance(coding, dict) and isinstance(coding.get("code"), str):
            return str(coding["code"])
    return text(concept, "text")


def earlier(rows: Iterable[tuple[int, int, bytes]]) -> list[Earlier]:
    """Return what earlier versions (n, heard_at, json), newest first, said."""
    found = []
    for n, heard_at, json in rows:
        doc = decode_result(json)
        value = reading(doc)
        found.append(Earlier(n, value.text, value.unit, text(doc, "status"), heard_at))
    return found[:EARLIER_MAX]


def groups(points: Iterable[tuple[Document, Point]]) -> list[ResultGroup]:
    """Return points, newest first, grouped by code; the group with the newest point comes first."""
    found: dict[str, ResultGroup] = {}
    for doc, one in points:
        concept = doc.get("code")
        code = first_code(concept) or "?"
        group = found.get(code)
        if group is None:
            found[code] = ResultGroup(code, concept_text(concept) or code, one.unit, [one])
        else:
            group.points.append(one)
    return list(found.values())


def stay(id_: str, doc: Document, state: StayState, source: Source) -> Stay:
    """Return an Encounter with its moves."""
    moves = [
        Move(
            place.ward,
            place.room,
            place.bed,
            text(place.location, "display"),
            place.since,
            place.until,
        )
        for place in state.places
        if not place.is_planned or state.status == "planned"
    ]
    last = moves[-1] if moves else Move("", "", "", "", 0, None)
    period = doc.get("period")
    period = period if isinstance(period, dict) else {}
    class_ = doc.get("class")
    return Stay(
        id_,
        text(doc, "status"),
        text(class_, "code") if isinstance(class_, dict) else "",
        _visit_number(doc),
        instant(text(period, "start")) if text(period, "start") else None,
        instant(text(period, "end")) if text(period, "end") else None,
        last.ward,
        last.room,
        last.bed,
        moves,
        source.heard_at,
        source.origin,
        source.sender,
    )


def _visit_number(doc: Document) -> str:
    identifiers = [one for one in as_list(doc.get("identifier")) if isinstance(one, dict)]
    for one in identifiers:
        if identifier_type(one) == "VN":
            return text(one, "value")
    return text(identifiers[0], "value") if identifiers else ""


def document(type_: int, id_: str, at: int, doc: Document, source: Source) -> DocumentRow:
    """Return a DocumentReference or DiagnosticReport as a document of the chart."""
    is_reference = type_ == DOCUMENT
    concept = doc.get("type" if is_reference else "code")
    contents = [one.get("attachment") for one in as_list(doc.get("content")) if isinstance(one, dict)]
    if not is_reference:
        contents = as_list(doc.get("presentedForm"))
    attachment = next((one for one in contents if isinstance(one, dict)), {})
    body = _plain(attachment) or ("" if is_reference else text(doc, "conclusion"))
    status = text(doc, "docStatus" if is_reference else "status")
    is_note = is_reference and (first_code(concept) or "").endswith(f"|{NOTE_CODE}")
    kind = "note" if is_note else "document" if is_reference else "report"
    return DocumentRow(
        TYPES[type_],
        id_,
        kind,
        text(attachment, "title") or text(doc, "description") or concept_text(concept),
        _author(doc),
        at,
        body,
        text(attachment, "contentType"),
        text(attachment, "url"),
        status,
        status in VOID or text(doc, "status") in ("entered-in-error", "superseded"),
        *source,
    )


def _plain(attachment: Document) -> str:
    """Return the text of an attachment when it is plain text that fits a page."""
    data = attachment.get("data")
    if not isinstance(data, str) or not text(attachment, "contentType").startswith("text/plain"):
        return ""
    try:
        return base64.b64decode(data).decode("utf-8", "replace")[:TEXT_CHARS_MAX]
    except (binascii.Error, ValueError):
        return ""


def _author(doc: Document) -> str:
    for name in ("author", "performer", "resultsInterpreter"):
        for one in as_list(doc.get(name)):
            if isinstance(one, dict) and text(one, "display"):
                return text(one, "display")
    return ""


def allergy(id_: str, doc: Document, source: Source) -> Allergy | None:
    """Return an AllergyIntolerance in force; None for one that no longer counts or says that there is none."""
    if not band.is_in_force(doc) or band.is_none_known(doc):
        return None
    reactions = [
        concept_text(manifestation)
        for one in as_list(doc.get("reaction"))
        if isinstance(one, dict)
        for manifestation in as_list(one.get("manifestation"))
    ]
    return Allergy(
        id_,
        concept_text(doc.get("code")),
        ", ".join(one for one in reactions if one),
        text(doc, "criticality"),
        *source,
    )
