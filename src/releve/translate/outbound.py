"""What a node captured, as HL7 v2 messages to a system that was away: written so that it can be told from live entry.

    note        MDM^T02      the text, when it took place, who wrote it; the patient's and the stay's numbers
    admission   ADT^A28, then ADT^A04 (emergency) or ADT^A01, under the temporary number
    merge       ADT^A40      PID-3 the survivor, MRG-1 the file that goes
    hl7v2       the message as it came, byte for byte, with its own MSH-10

Every message of ours has an MSH-10 computed of the event's id: the same for all its retries, from any process, after
any restart. MSH-7 is when it was captured; EVN-6, TXA-4 and OBX-14 are when it took place. HL7 v2 has no message that
takes an A40 back, so an unmerge is refused with a sentence: a person must do it there.
Source: HL7 v2.5.1 3.3 (ADT), 9.6.2 (MDM^T02), 9.7 (TXA); IHE PAM (A40 after A28/A04); facts of the field on replay.
"""

from __future__ import annotations

import base64
import binascii
from base64 import b32encode
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import orjson

from releve.clock import Instant, to_datetime
from releve.errors import Refused
from releve.log import Body, Event, Statement
from releve.translate.patient import IDENTITY_RELIABILITY
from releve.wire.hl7v2.escape import escape_text

#: (FHIR type, id) → the resource as it is now, None when it is not known.
LookUp = Callable[[str, str], dict[str, Any] | None]
#: sha256 → bytes kept beside the log, None when this node has them not.
ReadBlob = Callable[[bytes], bytes | None]

KINDS = ("hl7v2", "note", "admission", "merge", "unmerge")
_SEPARATORS = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
_CONTROL_ID_BYTES = 10  # 16 letters; with "-1" behind they fit MSH-10, which older receivers cut at 20 characters
_NOTE_CHARACTERS_MAX = 200_000  # longer than any note a page takes; a longer one is a fault of ours

_GENDERS = {"female": "F", "male": "M", "other": "O"}
_NAME_TYPES = {"official": "L", "usual": "D", "maiden": "M", "nickname": "N", "old": "BAD", "temp": "TEMP"}
_CLASSES = {"EMER": "E", "IMP": "I", "AMB": "O", "PRENC": "P"}


class Station(msgspec.Struct, frozen=True):
    """Who sends to whom, and how times are written.

    application, facility  MSH-3 and MSH-4: this node
    to_application, to_facility  MSH-5 and MSH-6: the system that is told
    zone                   local time of both
    """

    application: str
    facility: str
    to_application: str
    to_facility: str
    zone: ZoneInfo


def outbound(event: Event, body: Body, look_up: LookUp, station: Station, read_blob: ReadBlob) -> list[bytes]:
    """Return the messages that tell a captured event, in the order in which they must be accepted; none for others.

    look_up  what is known now of the patient and the stay that the event is about
    raises   Refused  it cannot be told: the sentence says why and what a person can do; nothing was sent
    """
    if event.kind == "hl7v2":
        return _as_it_came(body, read_blob)
    if event.kind == "note":
        return [_note(event, body, look_up, station)]
    if event.kind == "admission":
        return _admission(event, body, station)
    if event.kind == "merge":
        return [_merge(event, body, look_up, station)]
    if event.kind == "unmerge":
        raise Refused(
            "outbox.no-undo",
            "HL7 v2 has no message that undoes a merge. The merge is undone in this node only; "
            "undo it in the receiving system by hand, then settle this entry.",
        )
    return []


def control_id_of(event_id: bytes, number: int) -> str:
    """Return the MSH-10 of the number-th message (from 1) of an event; at most 20 letters, digits and one dash."""
    return f"{b32encode(event_id[:_CONTROL_ID_BYTES]).decode('ascii')}-{number}"


def _as_it_came(body: Body, read_blob: ReadBlob) -> list[bytes]:
    if body.raw:
        return [body.raw]
    part = str(body.source.get("part", "1/1"))
    if not part.startswith("1/"):
        return []  # the first piece of a large message carries it whole
    raw = read_blob(body.raw_sha256)
    if raw is None:
        raise Refused(
            "outbox.no-raw",
            f"The bytes of message {body.source.get('control_id', '?')} of {body.source.get('sender', '?')} are not on "
            "this node; its origin has them. Send it from there, then settle this entry.",
        )
    return [raw]


# Captures ----------------------------------------------------------------------------------------------------------


def _note(event: Event, body: Body, look_up: LookUp, station: Station) -> bytes:
    statement = _statement(body, "DocumentReference", "put", event)
    note = orjson.loads(statement.content)
    patient = look_up("Patient", statement.subject)
    if patient is None or not patient.get("identifier"):
        raise _unknown(event, "a patient whom")
    stay_reference = _first(note.get("context", {}).get("encounter")).get("reference", "")
    stay = look_up("Encounter", stay_reference.removeprefix("Encounter/")) if stay_reference else None
    concept = note.get("type", {})
    coding = _first(concept.get("coding"))
    title = coding.get("display") or concept.get("text") or "Note"
    took_place = _stamp(statement.at, station)
    author_id, author = str(body.source.get("author", "")), _first(note.get("author")).get("display", "")
    writer = f"{_e(author_id)}^{_e(author)}"
    txa = _segment(
        "TXA", {1: "1", 2: "PR", 3: "FT", 4: took_place, 6: _stamp(event.recorded_at, station), 9: writer,
                12: f"{statement.id}^{_e(station.application)}", 16: _e(str(title)), 17: "AU", 19: "AV"},
    )  # fmt: skip
    code = f"{_e(coding.get('code', ''))}^{_e(str(title))}^{'LN' if 'loinc' in coding.get('system', '') else 'L'}"
    obx = _segment("OBX", {1: "1", 2: "FT", 3: code, 5: _e(_note_text(note)), 11: "F", 14: took_place, 16: writer})
    head = _head(event, station, "MDM^T02^MDM_T02", 1, statement.at, writer)
    return _message(*head, _pid(patient, station), _pv1(stay, station), txa, obx)


def _admission(event: Event, body: Body, station: Station) -> list[bytes]:
    patient = orjson.loads(_statement(body, "Patient", "patch", event).content)
    stay = orjson.loads(_statement(body, "Encounter", "patch", event).content)
    statement = _statement(body, "Encounter", "movement", event)
    movement = orjson.loads(statement.content)
    trigger = movement.get("event") if movement.get("event") in ("A01", "A04") else "A01"
    stay = {**stay, "location": [{"location": movement.get("location", {})}]}
    stay.setdefault("class", movement.get("class", {}))
    writer = f"{_e(str(body.source.get('author', '')))}^{_e(str(body.source.get('author_display', '')))}"
    pid, pv1 = _pid(patient, station), _pv1(stay, station, admitted=_stamp(statement.at, station))
    reason = _first(stay.get("reasonCode")).get("text", "")
    pv2 = [_segment("PV2", {3: f"^{_e(reason)}"})] if reason else []
    ward = _e(movement.get("location", {}).get("ward", ""))
    zbe = _segment(
        "ZBE", {1: _ei(movement.get("movement", "")), 2: _stamp(statement.at, station), 4: "INSERT", 5: "N", 7: ward,
                8: ward, 9: "HMS"},
    )  # fmt: skip
    person = _head(event, station, "ADT^A28^ADT_A05", 1, statement.at, writer)
    arrival = _head(event, station, f"ADT^{trigger}^ADT_A01", 2, statement.at, writer)
    nowhere = _segment("PV1", {1: "1", 2: "N"})
    return [_message(*person, pid, nowhere), _message(*arrival, pid, pv1, *pv2, zbe)]


def _merge(event: Event, body: Body, look_up: LookUp, station: Station) -> bytes:
    statement = _statement(body, "Patient", "merge", event)
    winner_id = str(orjson.loads(statement.content).get("into", ""))
    winner, loser = look_up("Patient", winner_id), look_up("Patient", statement.id)
    if winner is None or loser is None or not loser.get("identifier") or not winner.get("identifier"):
        raise _unknown(event, "two patients one of whom")
    numbers = "~".join(_cx(number) for number in _named_first(loser["identifier"]))
    writer = _e(str(body.source.get("author", "")))
    head = _head(event, station, "ADT^A40^ADT_A39", 1, statement.at, writer)
    names = "~".join(_xpn(name) for name in loser.get("name", ()))
    return _message(*head, _pid(winner, station), _segment("MRG", {1: numbers, 7: names}))


def _statement(body: Body, type_: str, verb: str, event: Event) -> Statement:
    for statement in body.statements:
        if statement.type == type_ and statement.verb == verb:
            return statement
    raise Refused(
        "outbox.unreadable-capture",
        f"Event {event.event_id.hex()} of kind {event.kind} says nothing of a {type_}; it is kept and was not sent. "
        "Enter it in the receiving system by hand, then settle this entry.",
    )


def _unknown(event: Event, who: str) -> Refused:
    return Refused(
        "outbox.unknown-patient",
        f"Event {event.event_id.hex()} of kind {event.kind} is about {who} this node cannot name by a number; it is "
        "kept and was not sent. Enter it in the receiving system by hand, then settle this entry.",
    )


def _note_text(note: dict[str, Any]) -> str:
    """Return the text of a note; one that is no text is a fault of ours, and its place says so."""
    attachment = _first(note.get("content")).get("attachment", {})
    try:
        text = base64.b64decode(attachment.get("data", ""), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        text = ""
    return text[:_NOTE_CHARACTERS_MAX] or str(attachment.get("url", ""))


# Segments ----------------------------------------------------------------------------------------------------------


def _head(event: Event, station: Station, type_: str, number: int, at: Instant, writer: str) -> tuple[str, str]:
    """Return MSH and EVN; EVN-2 is when it was captured, EVN-6 when it took place."""
    captured = _stamp(event.recorded_at, station)
    here = f"{_e(station.application)}|{_e(station.facility)}|{_e(station.to_application)}|{_e(station.to_facility)}"
    control_id = control_id_of(event.event_id, number)
    msh = f"MSH|^~\\&|{here}|{captured}||{type_}|{control_id}|P|2.5|||||FRA|UNICODE UTF-8|FR"
    return msh, _segment("EVN", {2: captured, 5: writer, 6: _stamp(at, station)})


def _pid(patient: dict[str, Any], station: Station) -> str:
    numbers = "~".join(_cx(number) for number in _named_first(patient.get("identifier", ())))
    names = "~".join(_xpn(name) for name in patient.get("name", ()))
    addresses = "~".join(_xad(address) for address in patient.get("address", ()))
    phones = "~".join(_xtn(point) for point in patient.get("telecom", ()))
    fields = {1: "1", 3: numbers, 5: names, 7: _e(patient.get("birthDate", "").replace("-", "")),
              8: _GENDERS.get(patient.get("gender", ""), "U"), 11: addresses, 13: phones}  # fmt: skip
    if any(number.get("use") == "temp" for number in patient.get("identifier", ())):
        fields[31] = "Y"  # identity unknown
        fields[32] = "PROV"
    for extension in patient.get("extension", ()):
        if extension.get("url") == IDENTITY_RELIABILITY:
            fields[32] = _e(_first(extension.get("extension")).get("valueCoding", {}).get("code", ""))
    if patient.get("deceasedDateTime"):
        fields[30] = "Y"
    elif "deceasedBoolean" in patient:
        fields[30] = "Y" if patient["deceasedBoolean"] else "N"
    return _segment("PID", fields)


def _pv1(stay: dict[str, Any] | None, station: Station, admitted: str = "") -> str:
    if stay is None:
        return _segment("PV1", {1: "1", 2: "N"})
    class_ = stay.get("class", {}).get("code", "")
    places = stay.get("location") or [{}]
    numbers = stay.get("identifier", ())
    fields = {1: "1", 2: _CLASSES.get(class_, _e(class_) or "U"), 3: _pl(places[-1].get("location", {})), 44: admitted}
    if numbers:
        fields[19] = _cx(numbers[0], "VN")
    return _segment("PV1", fields)


def _segment(name: str, fields: dict[int, str]) -> str:
    last = max(fields)
    return "|".join((name, *(fields.get(index, "") for index in range(1, last + 1)))).rstrip("|")


def _message(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode("utf-8", "replace")


# Data types --------------------------------------------------------------------------------------------------------


def _e(text: str) -> str:
    """Return text made safe for a field."""
    return escape_text(text, "\\", _SEPARATORS)


def _first(values: Any) -> dict[str, Any]:
    """Return the first of a list of FHIR elements, {} when there is none."""
    return values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else {}


def _named_first(numbers: Any) -> list[dict[str, Any]]:
    """Return identifiers in order, the number that names the patient (PI, MR) in front: receivers read the first."""
    return sorted(numbers, key=lambda number: 0 if _kind(number) in ("PI", "MR") else 1)


def _kind(number: dict[str, Any]) -> str:
    code = str(_first(number.get("type", {}).get("coding")).get("code", ""))
    return "INS" if code.startswith("INS-") else code


def _cx(number: dict[str, Any], kind: str = "") -> str:
    namespace = number.get("assigner", {}).get("display", "")
    authority = _hd(number.get("system", ""), namespace)
    return f"{_e(str(number.get('value', '')))}^^^{authority}^{_e(_kind(number) or kind)}"


def _ei(movement: str) -> str:
    """Return a movement's name (system|value) as an EI."""
    system, _, value = movement.rpartition("|")
    return f"{_e(value)}^{_hd(system, '').replace('&', '^')}" if system else _e(value)


def _hd(system: str, namespace: str) -> str:
    """Return a system as the authority it was read from: the way back of identifier.py."""
    if system.startswith("urn:id:"):
        return _e(system.removeprefix("urn:id:").replace("%20", " "))
    if system.startswith("urn:oid:"):
        return f"{_e(namespace)}&{_e(system.removeprefix('urn:oid:'))}&ISO"
    if system.startswith("urn:uuid:"):
        return f"{_e(namespace)}&{_e(system.removeprefix('urn:uuid:'))}&UUID"
    return f"{_e(namespace)}&{_e(system)}&URI" if system else _e(namespace)


def _xpn(name: dict[str, Any]) -> str:
    """Return a name: L with the list of all given names in the third component, as IHE PAM France writes it."""
    given = [str(word) for word in name.get("given", ())]
    listed = " ".join(given) if len(given) > 1 else ""
    prefix = " ".join(name.get("prefix", ()))
    kind = _NAME_TYPES.get(name.get("use", ""), "U")
    return f"{_e(name.get('family', ''))}^{_e(given[0] if given else '')}^{_e(listed)}^^{_e(prefix)}^^{kind}"


def _xad(address: dict[str, Any]) -> str:
    lines = [*address.get("line", ()), "", ""]
    parts = (lines[0], lines[1], address.get("city", ""), address.get("state", ""), address.get("postalCode", ""))
    use = {"home": "H", "work": "B", "temp": "C", "old": "BA", "billing": "BI"}.get(address.get("use", ""), "")
    return f"{'^'.join(_e(part) for part in parts)}^{_e(address.get('country', ''))}^{use}"


def _xtn(point: dict[str, Any]) -> str:
    value = _e(point.get("value", ""))
    if point.get("system") == "email":
        return f"^NET^Internet^{value}"
    use = {"work": "WPN", "mobile": "PRS"}.get(point.get("use", ""), "PRN")
    kind = "CP" if use == "PRS" else {"fax": "FX", "pager": "BP"}.get(point.get("system", ""), "PH")
    return f"^{use}^{kind}{'^' * 9}{value}"


def _pl(location: dict[str, Any]) -> str:
    """Return a place: ward, room and bed as they were captured, else as translation wrote them into an identifier."""
    identifier = location.get("identifier", {})
    ward, room, bed = location.get("ward", ""), location.get("room", ""), location.get("bed", "")
    if not ward:
        ward, room, bed = [*str(identifier.get("value", "")).split("/"), "", "", ""][:3]
    if not ward:
        ward = location.get("display", "")
    facility = _hd(identifier.get("system", ""), "") if identifier else ""
    return "^".join((_e(ward), _e(room), _e(bed), facility)).rstrip("^")


def _stamp(at: Instant, station: Station) -> str:
    """Return an instant as a DTM in local time with its offset: nobody then has to guess."""
    return to_datetime(at).astimezone(station.zone).strftime("%Y%m%d%H%M%S%z")
