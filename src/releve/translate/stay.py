"""PV1, PV2 and ZBE → Encounter: what is stated of a stay, and each movement in it as a fact of its own.

Status, period and places of a stay are folded from its movements and never stated here. What an update (A08) or a
result says in passing about where the patient lies is a mention: it stands only until a movement is known.
Without PV1-19 and PID-18 all stays of a patient are one, which is better than one stay for each message.
Source: HL7 v2.5.1 3.4.3 (PV1), 3.4.4 (PV2); IHE PAM France 2.11 for ZBE and Z99.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from releve.clock import Instant
from releve.ids import computed_id
from releve.log import Statement
from releve.translate.coding import encode, read_concept, read_practitioner
from releve.translate.grammar import Grammar, remembered
from releve.translate.identifier import Number, authority, read_cx, read_ei, urn
from releve.translate.reading import Reading
from releve.translate.tables import ACT_CODE, ENCOUNTER_CLASSES, ENCOUNTER_CLASSES_V2, NULL_FLAVOR, PARTICIPATION, V2
from releve.wire.hl7v2 import Segment
from releve.wire.hl7v2.message import NULL

#: Beds remembered; the largest hospital group has some 25,000, one hospital at most 2,500.
_PLACES_MAX = 8192
_ABSENT = ("",) * 55  # one more than any version of PV1 has

ACTIONS = {"INSERT": "insert", "UPDATE": "update", "CANCEL": "cancel"}
_PARTICIPANTS = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
)
#: FHIR wants a class of every stay; this one only stands while nobody has stated another.
_CLASS_UNKNOWN = orjson.Fragment(orjson.dumps({"system": NULL_FLAVOR, "code": "UNK", "display": "unknown"}))
#: Classes in which somebody is there, so far as a message that moves nobody can tell.
_PRESENT = ("I", "E", "O", "B", "R")


class Stay(NamedTuple):
    """A stay as a message names it: the id of the Encounter, and the numbers that name it."""

    id: str
    numbers: list[Number]


class Place(NamedTuple):
    """A place to lie, as one PL names it; location is a Reference with ward, room and bed beside it."""

    location: dict[str, Any]
    reference: orjson.Fragment


def identify_stay(pv1: Segment | None, pid: Segment, patient_id: str, reading: Reading) -> Stay | None:
    """Return which stay a message is about; None when it is about none (no PV1, or one of class N without a number).

    The visit number (PV1-19) names it, else the administrative file (PID-18).
    """
    if pv1 is None:
        return None
    grammar = reading.grammar
    numbers = []
    for field, kind in ((pv1.raw(19), "VN"), (pid.raw(18), "AN")):
        for repetition in grammar.repetitions(field)[:1]:
            number = read_cx(repetition, grammar)
            if number is not None:
                numbers.append(number if number.type else number._replace(type=kind))
    if numbers:
        return Stay(computed_id("Encounter", numbers[0].system, numbers[0].value), numbers)
    if pv1.get(2) in ("N", ""):
        return None
    reading.remark(
        "hl7v2.no-visit-number", "neither PV1-19 nor PID-18 names the stay; all stays of the patient are one."
    )
    return Stay(computed_id("Encounter", "urn:id:releve:stay-of", patient_id), [])


def read_stay(pv1: Segment, pv2: Segment | None, stay: Stay, patient_id: str, reading: Reading) -> dict[str, Any]:
    """Return what PV1 and PV2 state of a stay, as a merge patch without status, period and places."""
    grammar = reading.grammar
    fields = (*pv1.fields(), *_ABSENT)
    encounter: dict[str, Any] = {"subject": {"reference": f"Patient/{patient_id}"}}
    if stay.numbers:
        encounter["identifier"] = [number.fhir() for number in stay.numbers]
    class_ = read_class(fields[2], grammar)
    if class_ is not None:
        encounter["class"] = class_
    for index, element in ((4, "type"), (10, "serviceType")):
        if fields[index]:
            concept = None if fields[index] == NULL else read_concept(grammar.first(fields[index]), grammar)
            json = concept.json if concept else None
            encounter[element] = [json] if json is not None and element == "type" else json
    _put_participants(encounter, fields, grammar)
    hospitalization = {}
    for index, element in ((14, "admitSource"), (36, "dischargeDisposition")):
        if fields[index]:
            concept = None if fields[index] == NULL else read_concept(grammar.first(fields[index]), grammar)
            hospitalization[element] = concept.json if concept else None
    if hospitalization:
        encounter["hospitalization"] = hospitalization
    if pv2 is not None and pv2.raw(3):
        reason = None if pv2.is_null(3) else read_concept(grammar.first(pv2.raw(3)), grammar)
        encounter["reasonCode"] = [reason.json] if reason else None
    return encounter


def _put_participants(encounter: dict[str, Any], fields: tuple[str, ...], grammar: Grammar) -> None:
    """Put who is in charge; the list is restated as soon as one of its fields says anything."""
    found = []
    is_said = False
    for index, code, name in _PARTICIPANTS:
        if not fields[index]:
            continue
        is_said = True
        role = [{"coding": [{"system": PARTICIPATION, "code": code, "display": name}]}]
        for repetition in grammar.repetitions(fields[index]):
            individual = read_practitioner(repetition, grammar)
            if individual is not None:
                found.append({"type": role, "individual": individual})
    if is_said:
        encounter["participant"] = found or None


def mention_stay(pv1: Segment, stay: Stay, patient_id: str, reading: Reading) -> dict[str, Any]:
    """Return what a message that moves nobody lets one suppose of a stay nothing else is known of."""
    grammar = reading.grammar
    fields = (*pv1.fields(), *_ABSENT)
    encounter: dict[str, Any] = {"subject": {"reference": f"Patient/{patient_id}"}}
    if stay.numbers:
        encounter["identifier"] = [number.fhir() for number in stay.numbers]
    encounter["class"] = read_class(fields[2], grammar) or _CLASS_UNKNOWN
    started, ended = reading.moment(fields[44], "PV1-44"), reading.moment(fields[45], "PV1-45")
    if ended is not None:
        encounter["status"] = "finished"
    elif fields[2] in _PRESENT:
        encounter["status"] = "in-progress"
    if started is not None or ended is not None:
        period = {"start": started.iso if started else None, "end": ended.iso if ended else None}
        encounter["period"] = {key: value for key, value in period.items() if value}
    place = read_place(fields[3], grammar)
    if place is not None:
        encounter["location"] = [{"location": place.reference}]
    return encounter


def state_movement(
    trigger: str,
    zbe: Segment | None,
    pv1: Segment,
    stay: Stay,
    patient_id: str,
    at: Instant,
    iso: str,
    reading: Reading,
) -> Statement:
    """Return one movement of a stay.

    trigger  the event of the message: A01, A02, A11, Z99…
    at, iso  when it happened, for a movement whose ZBE-2 does not say
    """
    grammar = reading.grammar
    action = "cancel" if trigger in ("A11", "A12", "A13", "A27", "A38", "A52", "A53") else "insert"
    event = trigger
    content: dict[str, Any] = {}
    if zbe is not None:
        number = read_ei(zbe.raw(1), grammar)
        if number is not None:
            content["movement"] = f"{number.system}|{number.value}"
        action = ACTIONS.get(zbe.get(4).upper(), action)
        if action != "insert" or trigger == "Z99":
            event = zbe.get(6) or ("" if trigger == "Z99" else trigger)
        moment = reading.moment(zbe.raw(2), "ZBE-2")
        if moment is not None:
            at, iso = moment.at, moment.iso
        unit = _unit(zbe.raw(7), grammar)
        if unit:
            content["unit"] = unit
    content["action"] = action
    content["event"] = event
    content["at"] = iso
    place = read_place(pv1.raw(3), grammar)
    if place is not None:
        content["location"] = place.location
    class_ = read_class(pv1.raw(2), grammar)
    if class_ is not None:
        content["class"] = class_
    return Statement("movement", "Encounter", stay.id, at, patient_id, encode(content))


def read_class(field: str, grammar: Grammar) -> orjson.Fragment | None:
    """Return PV1-2 as Encounter.class; None when it is empty or null, for a stay always has one."""
    return None if not field or field == NULL else _class(field, grammar)


@remembered(_PLACES_MAX)
def _class(field: str, grammar: Grammar) -> orjson.Fragment | None:
    code = grammar.part(grammar.components(field), 0)
    if not code:
        return None
    if code in ENCOUNTER_CLASSES:
        act, display = ENCOUNTER_CLASSES[code]
        return orjson.Fragment(encode({"system": ACT_CODE, "code": act, "display": display}))
    coding = {"system": f"{V2}0004", "code": " ".join(code.split())}
    if code in ENCOUNTER_CLASSES_V2:
        coding["display"] = ENCOUNTER_CLASSES_V2[code]
    return orjson.Fragment(encode(coding))


@remembered(_PLACES_MAX)
def read_place(exact: str, grammar: Grammar) -> Place | None:
    """Return the place in a PL: ward (point of care), room, bed, within a facility; None when it names none.

    It is referred to by identifier and name: nobody sends the places themselves, and a link must not lead nowhere.
    """
    if not exact or exact == NULL:
        return None
    repetition = grammar.first(exact)
    parts = grammar.components(repetition)
    ward, room, bed = grammar.part(parts, 0), grammar.part(parts, 1), grammar.part(parts, 2)
    display = " ".join(part for part in (ward, "-".join(part for part in (room, bed) if part)) if part)
    if not display:
        display = grammar.part(parts, 8)
        if not display:
            return None
        ward = display
    facility = authority(parts[3], grammar) if len(parts) > 3 and parts[3] else urn(grammar.facility)
    reference = {
        "type": "Location",
        "identifier": {"system": facility, "value": "/".join(part for part in (ward, room, bed) if part)},
        "display": display,
    }
    return Place({**reference, "ward": ward, "room": room, "bed": bed}, orjson.Fragment(encode(reference)))


@remembered(_PLACES_MAX)
def _unit(exact: str, grammar: Grammar) -> dict[str, str]:
    """Return the ward of medical responsibility (ZBE-7, an XON): its name, and its number when it has one."""
    parts = grammar.components(exact)
    unit = {"name": grammar.part(parts, 0), "code": grammar.part(parts, 9)}
    return {key: value for key, value in unit.items() if value}
