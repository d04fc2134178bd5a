"""Stays from movements: status, period and places of an Encounter. Pure.

A stay's status comes from its history, never from the last message. The movements ever stated are a set; what they say
is computed anew from the set, so the order of arrival does not matter:

    with an id (ZBE-1)   the last thing said about the id counts, by hybrid time: an UPDATE may move a movement to an
                         earlier time, so the time it happened cannot order what was said about it
    without an id        an insert of the same event at the same time is the same movement; a cancel (A11, A12, A13,
                         A38) takes back the latest movement of its kind at or before its time. An insert that was heard
                         again after the cancel stands again: somebody was admitted back for the same minute

Source: HL7 v2.5.1 chapter 3; IHE PAM (ITI-31) with the French extension; facts of the field in both.
"""

from __future__ import annotations

from bisect import insort
from typing import Any, NamedTuple

from releve.clock import to_iso
from releve.record.fold import Document, Place

#: Events by what they are in a stay.
PLANS = frozenset({"A05", "A14"})
ADMISSIONS = frozenset({"A01", "A04", "A05", "A14"})
TRANSFERS = frozenset({"A02", "A06", "A07", "A21", "A22"})
DISCHARGES = frozenset({"A03"})
#: Elements of an Encounter that its movements give as soon as there is one.
GIVEN = ("status", "period", "location")
#: What a cancel without an id takes back.
_CANCELLED_BY = {
    "A11": frozenset({"A01", "A04"}),
    "A38": PLANS,
    "A27": PLANS,
    "A12": frozenset({"A02"}),
    "A13": DISCHARGES,
    "A52": frozenset({"A21"}),
    "A53": frozenset({"A22"}),
}
#: A stay with more movements than this is a broken feed; the oldest are left out of the places, never of the log.
MOVEMENTS_MAX = 2000


class Movement(NamedTuple):
    """A movement as stated: content is what Statement says of verb "movement"."""

    place: Place
    content: Document


class PlaceOfStay(NamedTuple):
    """Where somebody lay, from a time on; until is None for the present place."""

    ward: str
    room: str
    bed: str
    location: Document
    since: int
    since_text: str
    until: int | None
    until_text: str
    is_planned: bool


class StayState(NamedTuple):
    """What the movements say together. status is None when there are none; class_ empty when they name none."""

    status: str | None
    started: str | None
    ended: str | None
    class_: Document | None
    places: list[PlaceOfStay]


class _Active:
    __slots__ = ("at", "at_text", "content", "event", "first_hlc", "is_cancelled", "last_hlc", "place")

    def __init__(self, event: str, at: int, at_text: str, movement: Movement) -> None:
        self.event = event
        self.at = at
        self.at_text = at_text
        self.place = movement.place
        self.content = movement.content
        self.first_hlc = self.last_hlc = movement.place[1]
        self.is_cancelled = False


def add(movements: list[Movement], new: Movement) -> None:
    """Add a movement to those known, which stay in order of place."""
    insort(movements, new, key=_by_place)
    del movements[:-MOVEMENTS_MAX]


def decode(encoded: Any) -> list[Movement]:
    """Return movements as they were written beside their Encounter."""
    return [Movement((p[0], p[1], p[2], p[3]), content) for p, content in encoded or ()]


def stay(movements: list[Movement]) -> StayState:
    """Return what movements say together."""
    found = _with_ids(movements) + _without_ids(movements)
    found.sort(key=_by_time)
    active = [one for one in found if not one.is_cancelled]
    admissions = [one for one in found if one.event in ADMISSIONS]
    status = _status(movements, active, admissions)
    real = [one for one in active if one.event not in PLANS]
    starts = [one for one in real if one.event not in DISCHARGES]
    ended = real[-1] if status == "finished" and real else None
    class_: Document | None = None
    for one in active:
        class_ = one.content.get("class") or class_
    return StayState(
        status,
        (starts or real or active or found)[0].at_text if found else None,
        ended.at_text if ended else None,
        class_,
        _places(active, ended),
    )


def _status(movements: list[Movement], active: list[_Active], admissions: list[_Active]) -> str | None:
    if not movements:
        return None
    if admissions and all(one.is_cancelled for one in admissions):
        return "cancelled"
    if not active:
        return "cancelled" if admissions else "unknown"
    status = "planned"
    for one in active:
        if one.event in DISCHARGES:
            status = "finished"
        elif one.event in TRANSFERS:
            # A transfer does not reopen what was discharged; the discharge must be taken back (A13).
            if status != "finished":
                status = "onleave" if one.event == "A21" else "in-progress"
        elif one.event not in PLANS:
            status = "in-progress"
    return status


def _places(active: list[_Active], ended: _Active | None) -> list[PlaceOfStay]:
    places: list[PlaceOfStay] = []
    for one in active:
        location = one.content.get("location")
        if not isinstance(location, dict) or not location or one.event in DISCHARGES:
            continue
        ward, room, bed = (_text(location, one.content, name) for name in ("ward", "room", "bed"))
        reference = {k: v for k, v in location.items() if k not in ("ward", "room", "bed")}
        is_planned = one.event in PLANS
        if places:
            before = places[-1]
            if (before.ward, before.room, before.bed, before.is_planned) == (ward, room, bed, is_planned):
                continue
            places[-1] = before._replace(until=one.at, until_text=one.at_text)
        places.append(PlaceOfStay(ward, room, bed, reference, one.at, one.at_text, None, "", is_planned))
    if places and ended is not None:
        places[-1] = places[-1]._replace(until=ended.at, until_text=ended.at_text)
    return places


def overlay(doc: Document, state: StayState) -> Document:
    """Return an Encounter with what its movements say laid over what was stated of it."""
    result = dict(doc)
    if state.status is None:
        result.setdefault("status", "unknown")
        return result
    result["status"] = state.status
    if state.class_ is not None:
        result["class"] = state.class_
    period = {}
    if state.started is not None:
        period["start"] = state.started
    if state.ended is not None:
        period["end"] = state.ended
    if period:
        result["period"] = period
    if state.places:
        result["location"] = [_encounter_location(place, state.status) for place in state.places]
    return result


def mentioned_place(doc: Document) -> tuple[str, str, str]:
    """Return ward, room and bed that a stay without movements was mentioned to be in; empty texts when nowhere."""
    locations = doc.get("location")
    last = locations[-1] if isinstance(locations, list) and locations else None
    reference = last.get("location") if isinstance(last, dict) else None
    identifier = reference.get("identifier") if isinstance(reference, dict) else None
    value = identifier.get("value") if isinstance(identifier, dict) else None
    if not isinstance(value, str):
        return "", "", ""
    parts = value.split("/")
    ward, bed = parts[0], parts[-1] if len(parts) > 1 else ""
    return ward, parts[1] if len(parts) > 2 else "", bed


def _encounter_location(place: PlaceOfStay, status: str) -> Document:
    reference = dict(place.location)
    if "display" not in reference and "reference" not in reference and "identifier" not in reference:
        reference["display"] = " ".join(part for part in (place.ward, place.room, place.bed) if part)
    is_present = place.until is None and status in ("in-progress", "onleave")
    state = "planned" if place.is_planned else "active" if is_present else "completed"
    period = {"start": place.since_text}
    if place.until is not None:
        period["end"] = place.until_text
    return {"location": reference, "status": state, "period": period}


def _with_ids(movements: list[Movement]) -> list[_Active]:
    last: dict[str, Movement] = {}
    kinds: dict[str, str] = {}
    for movement in movements:
        id_ = movement.content.get("movement")
        if not id_:
            continue
        known = last.get(id_)
        if known is None or _spoken(known) < _spoken(movement):
            last[id_] = movement
    for movement in movements:
        id_ = movement.content.get("movement")
        if id_ and movement.content.get("action", "insert") == "insert":
            kinds[id_] = movement.content.get("event", "")
    found = []
    for id_, movement in last.items():
        action = movement.content.get("action", "insert")
        event = kinds.get(id_) or _original(movement.content.get("event", ""))
        one = _Active(event, *_time(movement), movement)
        one.is_cancelled = action == "cancel"
        found.append(one)
    return found


def _original(event: str) -> str:
    """Return the event that a cancel takes back, when the insert itself was never heard."""
    kinds = _CANCELLED_BY.get(event)
    return min(kinds) if kinds else event


def _without_ids(movements: list[Movement]) -> list[_Active]:
    inserted: dict[tuple[str, int], _Active] = {}
    cancels = []
    for movement in movements:
        content = movement.content
        if content.get("movement"):
            continue
        event = content.get("event", "")
        if content.get("action") == "cancel" or event in _CANCELLED_BY:
            cancels.append(movement)
            continue
        at, at_text = _time(movement)
        known = inserted.get((event, at))
        if known is None:
            inserted[event, at] = _Active(event, at, at_text, movement)
            continue
        hlc = movement.place[1]
        if (hlc, movement.place) > (known.last_hlc, known.place):
            known.content, known.place = content, movement.place
        known.first_hlc, known.last_hlc = min(known.first_hlc, hlc), max(known.last_hlc, hlc)
    found = sorted(inserted.values(), key=_by_time)
    for cancel in cancels:
        _take_back(cancel, found)
    return found


def _take_back(cancel: Movement, found: list[_Active]) -> None:
    """Cancel the latest active movement of the kind, at or before the time of the cancel."""
    event = cancel.content.get("event", "")
    kinds = _CANCELLED_BY.get(event, frozenset({event}))
    at = cancel.place[0]
    for one in reversed(found):
        if one.event in kinds and one.at <= at and not one.is_cancelled:
            if not one.first_hlc < cancel.place[1] < one.last_hlc:
                one.is_cancelled = True
            return


def _time(movement: Movement) -> tuple[int, str]:
    text = movement.content.get("at")
    at = movement.place[0]
    return at, text if isinstance(text, str) and text else to_iso(at)


def _text(location: Document, content: Document, name: str) -> str:
    value: Any = location.get(name) or content.get(name) or ""
    return value if isinstance(value, str) else ""


def _spoken(movement: Movement) -> tuple[int, str, int, int]:
    at, hlc, origin, number = movement.place
    return hlc, origin, number, at


def _by_place(movement: Movement) -> Place:
    return movement.place


def _by_time(one: _Active) -> tuple[int, int, Place]:
    return one.at, 1 if one.event in DISCHARGES else 0, one.place
