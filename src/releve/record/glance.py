"""A glance: what is looked for in a result, read without reading the rest of it.

Nearly everything that comes is a result or a report that nobody spoke of before. Of such a one the tables need six
elements, and no dictionary of all of it. Whatever is not written as results are is left to the way that reads
everything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import orjson

from releve.record.terms import instant

_ABSENT = msgspec.Raw(b"")


class _Reference(msgspec.Struct, gc=False):
    reference: str


class _Coding(msgspec.Struct, gc=False):
    system: str = ""
    code: str | None = None


class _Concept(msgspec.Struct, gc=False):
    coding: list[_Coding] = []
    text: str | None = None


class _Period(msgspec.Struct, gc=False):
    start: str | None = None


class _Seen(msgspec.Struct, gc=False):
    subject: _Reference
    status: str
    code: _Concept
    effectiveDateTime: str | None = None
    effectivePeriod: _Period | None = None
    date: str | None = None
    issued: str | None = None
    recordedDate: str | None = None
    period: _Period | None = None
    identifier: msgspec.Raw = _ABSENT
    resourceType: str | None = None


_decoder = msgspec.json.Decoder(_Seen)


class Glance(NamedTuple):
    """What the tables need of an Observation or a DiagnosticReport; as terms reads it from the whole."""

    patient_id: str
    status: str
    code: str | None
    at: int | None
    identified: dict[str, Any] | None


def glance(content: bytes) -> Glance | None:
    """Return what is looked for in a result; None when it must be read whole."""
    try:
        seen = _decoder.decode(content)
        identified = {"identifier": orjson.loads(memoryview(seen.identifier))} if seen.identifier != _ABSENT else None
    except ValueError:  # no JSON, or not as results are written: reading it whole tells which
        return None
    reference = seen.subject.reference
    if seen.resourceType is not None or not reference.startswith("Patient/"):
        return None
    return Glance(reference[8:], seen.status, _first_code(seen.code), _clinical_time(seen), identified)


def _first_code(concept: _Concept) -> str | None:
    for coding in concept.coding:
        if coding.code is not None:
            return f"{coding.system}|{coding.code}"
    return concept.text


def _clinical_time(seen: _Seen) -> int | None:
    if seen.effectiveDateTime is not None:
        return instant(seen.effectiveDateTime)
    begun = seen.effectivePeriod.start if seen.effectivePeriod is not None else None
    ended = seen.period.start if seen.period is not None else None
    for text in (begun, seen.date, seen.issued, seen.recordedDate, ended):
        if text is not None:
            return instant(text)
    return None
