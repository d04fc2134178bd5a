"""What people enter at a page, as drafts for the log: notes, unknown persons, merges and their undoing. Pure.

Every form carries a key that was made when the form was shown; the id of the event is computed from it, so a double
click, a second try after a lost answer and a browser's "send again" are one fact.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from releve.clock import Instant, to_iso
from releve.ids import computed_id, content_id
from releve.log import GROUP, SITE, Body, Draft, Statement, encode_body
from releve.record.chart import NOTE_CODE
from releve.record.temporary import TEMPORARY_SYSTEM

#: A note longer than this is a document: it would not pass between hospitals as one event.
NOTE_CHARS_MAX = 100_000

_LOINC = "http://loinc.org"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CLASS_DISPLAYS = {"EMER": "emergency", "IMP": "inpatient encounter", "AMB": "ambulatory"}


def note_draft(
    *,
    key: str,
    patient_id: str,
    encounter_id: str,
    text: str,
    author: str,
    author_display: str,
    at: Instant,
    title: str = "Note",
    channel: str = SITE,
) -> Draft:
    """Return a dated note as a draft.

    key             of the form; a second draft with the same key changes nothing
    encounter_id    the stay it belongs to; empty for none
    author          account of who wrote it; author_display is shown with the note
    at              when what it tells took place
    """
    assert len(text) <= NOTE_CHARS_MAX, "the page bounds the length of a note"
    content: dict[str, Any] = {
        "status": "current",
        "docStatus": "final",
        "type": {"coding": [{"system": _LOINC, "code": NOTE_CODE, "display": "Note"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "date": to_iso(at),
        "author": [{"display": author_display}],
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "data": base64.b64encode(text.encode()).decode(),
                    "title": title,
                }
            }
        ],
    }
    if encounter_id:
        content["context"] = {"encounter": [{"reference": f"Encounter/{encounter_id}"}]}
    note_id = computed_id("DocumentReference", "urn:releve:note", key)
    statement = Statement("put", "DocumentReference", note_id, at, patient_id, orjson.dumps(content))
    return _draft(channel, "note", key, author, [statement])


def reservation_draft(*, key: str, author: str) -> Draft:
    """Return the draft that reserves a temporary number: temporary_number(node, receipt.seq) once it is kept.

    key  of the admission form; asked again with it, the log answers with the same receipt
    """
    return _draft(SITE, "number", key, author, [])


def admission_draft(
    *,
    key: str,
    number: str,
    sex: str,
    description: str,
    ward: str,
    room: str,
    bed: str,
    class_: str,
    author: str,
    author_display: str,
    at: Instant,
    birth_year: int | None = None,
    family: str = "",
    given: str = "",
) -> Draft:
    """Return the admission of an unknown person as a draft.

    number       temporary number, see reservation_draft
    sex          FHIR: male, female, other, unknown
    description  what they look like, what they carry, who brought them
    class_       EMER, IMP or AMB
    birth_year   from the apparent age; None when nobody can say
    family       what the person is called until they are known; "INCONNU" when empty
    """
    patient_id, encounter_id = temporary_ids(number)
    type_ = {"coding": [{"system": _IDENTIFIER_TYPE, "code": "PT", "display": "Patient external identifier"}]}
    name: dict[str, Any] = {"use": "temp", "family": family or "INCONNU"}
    if given:
        name["given"] = [given]
    patient: dict[str, Any] = {
        "active": True,
        "identifier": [{"use": "temp", "type": type_, "system": TEMPORARY_SYSTEM, "value": number}],
        "name": [name],
        "gender": sex,
    }
    if birth_year is not None:
        patient["birthDate"] = f"{birth_year:04d}"
    encounter = {
        "identifier": [{"system": f"{TEMPORARY_SYSTEM}:stay", "value": number}],
        "class": _class(class_),
        "subject": {"reference": f"Patient/{patient_id}"},
    }
    if description:
        encounter["reasonCode"] = [{"text": description}]
    display = " ".join(part for part in (ward, "-".join(part for part in (room, bed) if part)) if part)
    movement = {
        "movement": f"{TEMPORARY_SYSTEM}:movement|{number}",
        "action": "insert",
        "event": "A04" if class_ == "EMER" else "A01",
        "at": to_iso(at),
        "location": {"type": "Location", "display": display, "ward": ward, "room": room, "bed": bed},
        "class": _class(class_),
    }
    statements = [
        Statement("patch", "Patient", patient_id, at, patient_id, orjson.dumps(patient)),
        Statement("patch", "Encounter", encounter_id, at, patient_id, orjson.dumps(encounter)),
        Statement("movement", "Encounter", encounter_id, at, patient_id, orjson.dumps(movement)),
    ]
    return _draft(GROUP, "admission", key, author, statements, number=number, author_display=author_display)


def temporary_ids(number: str) -> tuple[str, str]:
    """Return the ids of the Patient and the Encounter of a temporary number."""
    return (
        computed_id("Patient", TEMPORARY_SYSTEM, number),
        computed_id("Encounter", f"{TEMPORARY_SYSTEM}:stay", number),
    )


def merge_draft(*, key: str, loser_id: str, winner_id: str, author: str, at: Instant) -> Draft:
    """Return the draft that says: the loser is the winner."""
    assert loser_id != winner_id, "nobody can be merged into themselves"
    content = orjson.dumps({"into": winner_id})
    statement = Statement("merge", "Patient", loser_id, at, loser_id, content)
    return _draft(GROUP, "merge", key, author, [statement])


def unmerge_draft(*, key: str, loser_id: str, winner_id: str, author: str, at: Instant) -> Draft:
    """Return the draft that takes a merge back."""
    content = orjson.dumps({"from": winner_id})
    statement = Statement("unmerge", "Patient", loser_id, at, loser_id, content)
    return _draft(GROUP, "unmerge", key, author, [statement])


def event_id_of(kind: str, key: str) -> bytes:
    """Return the id of the event that a form with this key makes."""
    return content_id(b"capture", kind.encode(), key.encode())


def _class(code: str) -> dict[str, str]:
    coding = {"system": _ACT_CODE, "code": code}
    if code in _CLASS_DISPLAYS:
        coding["display"] = _CLASS_DISPLAYS[code]
    return coding


def _draft(channel: str, kind: str, key: str, author: str, statements: Sequence[Statement], **more: str) -> Draft:
    source = {"door": "page", "author": author, **more}
    return Draft(channel, kind, event_id_of(kind, key), encode_body(Body(source, b"", b"", list(statements), [], True)))
