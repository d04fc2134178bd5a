"""Folding the statements about one resource into what is known of it. Pure: no SQL, no clock.

A statement has a place: when it happened, then hybrid time, origin and number in its event. Facts are folded in the
order of their places, so every node gets the same record, whatever road the events took. The rules:

    patch    RFC 7396, in order of place
    put      the whole resource, in order of place; of results the less final never replaces the more final, while
             "cancelled" and "entered-in-error" win over everything before them
    mention  lies below everything: it gives elements that no patch or put ever stated, null included; of two mentions
             of an element the later counts. What is stated once stays stated, so a mention of stated things may be
             forgotten at once, and mentions are never folded again.

Movements of stays are folded in movements.py, merges of patients in merges.py: both are sets, not sequences, and lie
above what is folded here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

Document = dict[str, Any]
#: (at, hlc, origin, number in the event): the order in which things happened, the same on every node.
Place = tuple[int, int, str, int]

NOWHERE: Place = (-(2**63), 0, "", 0)

#: How final a result is (FHIR R4 ObservationStatus and DiagnosticReportStatus). Those absent here rank as final.
_FINALITY = {
    "unknown": 0,
    "registered": 0,
    "partial": 1,
    "preliminary": 1,
    "final": 2,
    "amended": 3,
    "corrected": 3,
    "appended": 3,
}
#: These say that there is no result (any more): they win over what was before them, and are won over by what is after.
VOID = frozenset({"cancelled", "entered-in-error"})
_RANK_FINAL = 2


class State:
    """What is known of one resource, below movements and merges.

    doc       FHIR JSON without id and meta
    stated    top-level elements that a patch or put spoke of; None once a put spoke of all
    mentions  elements that only mentions gave, and the place of the mention that counts
    last      place of the last patch or put
    raw       the bytes of the put that gave the document, when nothing changed it since
    put_at    when that put happened; None when there was none, or since the state was read from its row
    """

    __slots__ = ("doc", "last", "mentions", "put_at", "raw", "stated")

    def __init__(self) -> None:
        self.doc: Document = {}
        self.stated: set[str] | None = set()
        self.mentions: dict[str, Place] = {}
        self.last: Place = NOWHERE
        self.raw: bytes | None = None
        self.put_at: int | None = None

    @property
    def is_stated(self) -> bool:
        """Say whether anything but mentions is known."""
        return self.stated is None or bool(self.stated)


def mention(state: State, content: Document, place: Place) -> bool:
    """Fill in what nobody has stated; returns whether the state is another one now."""
    if state.stated is None:
        return False
    changed = False
    for name, value in content.items():
        if name in state.stated or value is None or name == "resourceType":
            continue
        known = state.mentions.get(name)
        if known is None or known < place:
            state.mentions[name] = place
            state.doc[name] = value
            changed = True
    return changed


def is_moot(state: State, content: Document) -> bool:
    """Say whether a mention can say nothing, whenever it was made: what was stated once stays stated."""
    return state.stated is None or all(name in state.stated or name == "resourceType" for name in content)


def restates(state: State, content: Document, place: Place) -> bool:
    """Take in a patch that says nothing new and return True; return False, untouched, when it does say something."""
    doc, stated = state.doc, state.stated
    for name, value in content.items():
        if (stated is not None and name not in stated) or type(value) is dict or doc.get(name) != value:
            return False
        if value is None and name in doc:
            return False
    state.last = place
    return True


def patch(state: State, content: Document, place: Place) -> None:
    """Apply a merge patch that follows all that were folded before."""
    state.last = place
    content.pop("resourceType", None)
    if state.stated is not None:
        for name in content:
            if name not in state.stated:
                # A mention lies below: it is replaced as a whole, or the order of arrival would show inside elements.
                if state.mentions.pop(name, None) is not None:
                    del state.doc[name]
                state.stated.add(name)
    state.doc = merge_patch(state.doc, content)
    state.raw = None


def supersede(state: State, names: Iterable[str]) -> None:
    """Note that something above the fold gives these elements: what was mentioned of them no longer counts, ever."""
    if state.stated is None:
        return
    for name in names:
        if state.mentions.pop(name, None) is not None:
            del state.doc[name]
        state.stated.add(name)


def put(state: State, raw: bytes, place: Place) -> bool:
    """Put the whole resource if it may replace what is known; returns whether it did."""
    state.last = place
    content: Document = orjson.loads(raw)
    if content.pop("resourceType", None) is not None:
        raw = orjson.dumps(content)
    if state.stated is None and not replaces(content.get("status"), state.doc.get("status")):
        return False
    state.doc = content
    state.raw = raw
    state.put_at = place[0]
    state.stated = None
    state.mentions.clear()
    return True


def replaces(status: Any, current: Any) -> bool:
    """Say whether a result of this status, coming later, replaces one of the current status."""
    status = status if isinstance(status, str) else ""
    current = current if isinstance(current, str) else ""
    if status in VOID or current in VOID:
        return True
    return _FINALITY.get(status, _RANK_FINAL) >= _FINALITY.get(current, _RANK_FINAL)


def refold(state: State, statements: Iterable[tuple[str, bytes, Place]]) -> State:
    """Fold all patches and puts again, in order of place; what only mentions gave is kept.

    statements  (verb, content, place) of every patch and put of this resource
    """
    fresh = State()
    fresh.stated = set(state.stated or ())  # what was stated once, or superseded, stays so
    for name, place in state.mentions.items():
        fresh.doc[name] = state.doc[name]
        fresh.mentions[name] = place
    for verb, content, place in sorted(statements, key=_place):
        if verb == "patch":
            patch(fresh, orjson.loads(content), place)
        else:
            put(fresh, content, place)
    return fresh


def _place(statement: tuple[str, bytes, Place]) -> Place:
    return statement[2]


def merge_patch(target: Document, change: Document) -> Document:
    """Return a document changed by a JSON Merge Patch (RFC 7396, section 2); the target is not touched."""
    result = dict(target)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif type(value) is dict:
            before = result.get(name)
            result[name] = merge_patch(before if type(before) is dict else {}, value)
        else:
            result[name] = value
    return result


def encode_state(state: State, above: object = None) -> bytes | None:
    """Return what folding on needs to know beside the document; None when it was put as a whole.

    above  what lies above the fold: the movements of a stay, the merges of a patient
    """
    if state.stated is None and not above:
        return None
    stated = None if state.stated is None else sorted(state.stated)
    # Nothing above is written one way, whether it was never asked for or read back as an empty list.
    return orjson.dumps([stated, state.mentions, above or None], default=list)  # orjson knows no named tuples


def decode_state(doc: Document, raw: bytes, last: Place, encoded: bytes | None) -> tuple[State, Any]:
    """Return the state of a document and what lies above it."""
    state = State()
    state.doc = doc
    state.last = last
    if encoded is None:
        state.stated = None
        state.raw = raw
        return state, None
    stated, mentions, above = orjson.loads(encoded)
    state.stated = None if stated is None else set(stated)
    state.mentions = {name: (p[0], p[1], p[2], p[3]) for name, p in mentions.items()}
    return state, above
