"""ORU^R01 → Observation, DiagnosticReport and DocumentReference, each to the right patient.

    Observation         one per OBX; named by filler order number, OBX-3 and OBX-4
    DiagnosticReport    one per OBR; named by filler order number and OBR-4
    DocumentReference   one per OBX of type ED, or RP with an address; named as its Observation

A message is cut into orders, each with the PID in force: a second PID begins a second patient. Without a filler order
number the patient, the placer order number, OBR-4 and OBR-7 stand in for it. Two OBX of a message with the same name
(the standard wants OBX-4 to tell them apart) are told apart by their order, with a remark.

`at` of a statement orders the versions of one result: it is when the laboratory last changed it (OBR-22), else when it
wrote the message (MSH-7), and not when the sample was taken, which all versions share. effective[x] is OBX-14, OBR-7
or SPM-17. A susceptibility is tied to its isolate by derivedFrom, computed of OBR-26 and OBR-29; only the child bears
the tie, so a parent sent again cannot lose it. Source: HL7 v2.5.1 7.3, 7.4; v2-to-FHIR ORU_R01; OBR-26, 29 and 50.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from releve.clock import Instant
from releve.ids import computed_id
from releve.log import Statement
from releve.translate.coding import (
    Concept,
    encode,
    parse_number,
    read_concept,
    read_flags,
    read_organization,
    read_practitioner,
    read_range,
    read_unit,
)
from releve.translate.document import Attachment, read_document
from releve.translate.grammar import REMEMBERED_CHARACTERS_MAX, Grammar, remembered
from releve.translate.identifier import Number, read_ei, read_nested_ei
from releve.translate.orders import Order, PatientGroup, Result, orders_of
from releve.translate.patient import identify, mention_patient
from releve.translate.reading import Reading
from releve.translate.stay import identify_stay, mention_stay
from releve.translate.tables import (
    IMAGING_SECTIONS,
    OBSERVATION_CATEGORY,
    OBSERVATION_STATUSES,
    ORDER_STATUSES,
    OTHER_SECTIONS,
    REPORT_STATUSES,
    V2,
)
from releve.translate.time import Moment
from releve.translate.value import put_value
from releve.wire.hl7v2 import Segment

NOBODY = "hl7v2.no-patient-number: a PID of ORU^R01 has no number that names a patient here; its results are kept only."
_REPORT_EXTENDS = "http://hl7.org/fhir/StructureDefinition/diagnosticReport-extends"
_ABSENT = ("",) * 56
_DOCUMENT_STATUSES = {"preliminary": "preliminary", "final": "final", "corrected": "amended", "amended": "amended"}
_SECTIONS_MAX = 256
#: Analytes of all senders, with each range and flag they are sent with.
_MANNERS_MAX = 16_384
#: Patients whose PID and PV1 are remembered: those of a large hospital who have results in one day. About 8 MB.
_ABOUTS_MAX = 4096
_ABOUT_CHARACTERS_MAX = 2000


class Results:
    """What was made of an ORU so far.

    reason  why some of it could not be charted; "" when all could
    """

    __slots__ = ("attachments", "has_parents", "isolates", "reason", "seen", "statements")

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.attachments: list[Attachment] = []
        self.reason = ""
        self.has_parents = False
        self.seen: dict[str, int] = {}
        self.isolates: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    def once(self, kind: str, system: str, *values: str) -> tuple[str, int]:
        """Return the id of a thing and how often this message has named it before."""
        id_ = computed_id(kind, system, *values)
        before = self.seen.get(id_, 0)
        self.seen[id_] = before + 1
        if before:
            id_ = computed_id(kind, system, *values, f"#{before + 1}")
        return id_, before


class Context:
    """What all results of one order share."""

    __slots__ = ("at", "code", "encounter", "fields", "filler", "issued", "key", "patient_id", "section", "specimen")

    patient_id: str
    encounter: orjson.Fragment | None
    fields: tuple[str, ...]
    filler: Number | None
    key: tuple[str, ...]
    code: Concept | None
    at: Instant
    issued: Moment | None
    specimen: dict[str, Any] | None
    section: orjson.Fragment | None


def state_results(reading: Reading, *, production: bool) -> Results:
    """Return everything an ORU says."""
    results = Results()
    groups, remark = orders_of(reading.message)
    if remark:
        reading.remark("hl7v2.order-unreadable", remark)
    results.has_parents = any(order.obr.raw(26) for group in groups for order in group.orders if order.obr)
    for number, group in enumerate(groups, 1):
        about = _about(group, reading, production=production)
        if about is None:
            results.reason = NOBODY
            reading.remark(
                "hl7v2.no-patient-number", f"PID {number} of {len(groups)} names nobody; its results are not charted."
            )
            continue
        id_, at = about.patient_id, reading.sent_at
        results.statements.append(Statement("mention", "Patient", id_, at, id_, about.patient))
        if about.stay_id:
            results.statements.append(Statement("mention", "Encounter", about.stay_id, at, id_, about.stay))
        for order in group.orders:
            _state_order(results, order, id_, about.reference, reading)
    return results


class _About(NamedTuple):
    """Whom and which stay results are about: ids, what is mentioned of each, and the reference to the stay."""

    patient_id: str
    patient: bytes
    stay_id: str
    stay: bytes
    reference: orjson.Fragment | None


_abouts: dict[tuple[str, str, Grammar, ZoneInfo, bool], _About] = {}


def _about(group: PatientGroup, reading: Reading, *, production: bool) -> _About | None:
    """Return whom results are about; None when the PID names nobody.

    A laboratory repeats the same PID and PV1 with every result of a patient, so what was made of them is remembered,
    unless there was something to remark: that is said every time.
    """
    pid, pv1 = group.pid, group.pv1
    if pid is None:
        return None
    key = (pid.text, pv1.text if pv1 is not None else "", reading.grammar, reading.zone, production)
    known = _abouts.get(key)
    if known is not None:
        return known
    remarked_before = reading.remarked
    patient = identify(pid, reading, production=production)
    if patient is None:
        return None
    mentioned = encode(mention_patient(pid, patient, reading))
    stay = identify_stay(pv1, pid, patient.id, reading)
    if stay is None or pv1 is None:
        about = _About(patient.id, mentioned, "", b"", None)
    else:
        reference = orjson.Fragment(f'{{"reference":"Encounter/{stay.id}"}}'.encode())
        about = _About(patient.id, mentioned, stay.id, encode(mention_stay(pv1, stay, patient.id, reading)), reference)
    if reading.remarked == remarked_before and len(key[0]) + len(key[1]) <= _ABOUT_CHARACTERS_MAX:
        if len(_abouts) >= _ABOUTS_MAX:
            _abouts.clear()
        _abouts[key] = about
    return about


def _state_order(
    results: Results, order: Order, patient_id: str, encounter: orjson.Fragment | None, reading: Reading
) -> None:
    """State one OBR with its OBX: the results, their documents, and the report that holds them together."""
    context = _context(order, patient_id, encounter, reading)
    fields = context.fields
    parents = _parents(results, context, reading) if fields[26] else []
    statuses: list[str] = []
    references: list[dict[str, str]] = []
    documents: list[dict[str, Any]] = []
    statements = results.statements
    place = len(statements)
    for result in order.results:
        id_, status = _state_result(results, result, context, parents, documents, reading)
        references.append({"reference": f"Observation/{id_}"})
        statuses.append(status)
    if context.code is None:
        reading.remark("hl7v2.order-without-code", "OBR-4 is empty: its results are charted, the report is not.")
        return
    report = _report(order, context, statuses, reading)
    if references:
        report["result"] = references
    if documents:
        report["presentedForm"] = documents
    id_, before = results.once("DiagnosticReport", *context.key, context.code.code)
    if before:
        _remark_repeated("OBR-4", reading)
    statements.insert(place, Statement("put", "DiagnosticReport", id_, context.at, patient_id, encode(report)))


def _context(order: Order, patient_id: str, encounter: orjson.Fragment | None, reading: Reading) -> Context:
    grammar = reading.grammar
    context = Context()
    context.patient_id = patient_id
    context.encounter = encounter
    context.fields = fields = (*order.obr.fields(), *_ABSENT) if order.obr is not None else _ABSENT
    context.code = read_concept(fields[4], grammar)
    filler = read_ei(fields[3], grammar)
    placer = fields[2]
    if order.orc is not None:
        filler = filler or read_ei(order.orc.raw(3), grammar)
        placer = placer or order.orc.raw(2)
    context.filler = filler
    if filler is not None:
        context.key = (filler.system, filler.value)
    else:
        code = context.code.code if context.code else ""
        context.key = ("urn:id:releve:order-of", patient_id, placer, code, fields[7])
    context.issued = issued = reading.moment(fields[22], "OBR-22")
    context.at = issued.at if issued is not None else reading.sent_at
    context.specimen = _specimen(order, fields, grammar)
    context.section = _section(grammar.part([fields[24]], 0)) if fields[24] else None
    return context


class _Manner:
    """What an analyte of one sender shows with every value: name, unit, range, flags, and its status by OBX-11."""

    __slots__ = ("concept", "flags", "range", "status", "unit")

    def __init__(self, fields: tuple[str, ...], grammar: Grammar) -> None:
        self.concept = read_concept(fields[3], grammar)
        self.status = OBSERVATION_STATUSES.get(fields[11])
        self.unit = read_unit(fields[6], grammar)
        self.range = read_range(fields[7], fields[6], grammar) if fields[7] else None
        self.flags = read_flags(fields[8], grammar) if fields[8] else None


_manners: dict[tuple[str, str, str, str, str, Grammar], _Manner] = {}


def _manner(fields: tuple[str, ...], grammar: Grammar) -> _Manner:
    """Return the manner of an OBX; a laboratory has some thousands, and each passes all day."""
    key = (fields[3], fields[6], fields[7], fields[8], fields[11], grammar)
    known = _manners.get(key)
    if known is None:
        known = _Manner(fields, grammar)
        if sum(map(len, key[:5])) <= REMEMBERED_CHARACTERS_MAX:
            if len(_manners) >= _MANNERS_MAX:
                _manners.clear()
            _manners[key] = known
    return known


def _state_result(
    results: Results,
    result: Result,
    context: Context,
    parents: list[dict[str, str]],
    documents: list[dict[str, Any]],
    reading: Reading,
) -> tuple[str, str]:
    """State one OBX; returns the id of its Observation and the status it has."""
    grammar = reading.grammar
    fields = (*result.obx.fields(), *_ABSENT)
    manner = _manner(fields, grammar)
    concept = manner.concept
    if concept is None:
        concept = context.code or _UNNAMED
        reading.remark("hl7v2.result-unnamed", "OBX-3 is empty; the result is charted under the name of its order.")
    sub_id = grammar.text(fields[4])
    id_, before = results.once("Observation", *context.key, concept.code, sub_id)
    if before:
        _remark_repeated("OBX-3", reading)
    status = manner.status or _status(fields[11], context.fields[25], reading)
    observation: dict[str, Any] = {
        "status": status,
        "code": concept.json,
        "subject": {"reference": f"Patient/{context.patient_id}"},
    }
    if context.section is not None:
        observation["category"] = context.section
    if context.encounter is not None:
        observation["encounter"] = context.encounter
    effective = reading.moment(fields[14] or context.fields[7], "OBX-14" if fields[14] else "OBR-7")
    if effective is not None:
        observation["effectiveDateTime"] = effective.iso
    issued = context.issued
    if issued is not None and issued.is_instant:
        observation["issued"] = issued.iso
    kind = fields[2]
    number = parse_number(fields[5]) if kind == "NM" else None
    if number is not None:
        observation["valueQuantity"] = manner.unit.quantity(number)
    elif kind in ("ED", "RP"):
        _put_document(results, observation, fields, context, concept, (sub_id, before), documents, reading)
    else:
        put_value(observation, kind, fields[5], fields[6], fields[11], reading)
    if manner.range is not None:
        observation["referenceRange"] = manner.range
    if manner.flags is not None:
        observation["interpretation"] = manner.flags
    if any(fields[15:26]):
        _put_details(observation, fields, grammar)
    if context.specimen is not None:
        observation["specimen"] = context.specimen
    if result.notes:
        observation["note"] = [{"text": text} for text in _notes(result.notes, grammar)]
    if parents:
        observation["derivedFrom"] = [*observation.get("derivedFrom", ()), *parents]
    if results.has_parents:
        key = (*context.key, concept.code, sub_id)
        results.isolates.setdefault(key, []).append((id_, grammar.text(fields[5])))
    results.statements.append(Statement("put", "Observation", id_, context.at, context.patient_id, encode(observation)))
    return id_, status


_UNNAMED = Concept(orjson.Fragment(b'{"text":"?"}'), "?", "?", ())


def _remark_repeated(place: str, reading: Reading) -> None:
    reading.remark(
        "hl7v2.result-repeated",
        f"{place} stands more than once under one filler order number without telling apart; told apart by order.",
    )


def _status(own: str, of_order: str, reading: Reading) -> str:
    """Return the status of a result: OBX-11, else that of its order (OBR-25), else unknown."""
    status = OBSERVATION_STATUSES.get(own)
    if status is not None:
        return status
    if own:
        status = OBSERVATION_STATUSES.get(reading.grammar.text(own).upper())
        if status is None:
            reading.remark("hl7v2.status-unknown", f"OBX-11 {own[:10]!r} is not in table 0085; charted as unknown.")
        return status or "unknown"
    status = REPORT_STATUSES.get(of_order, "unknown")
    return "preliminary" if status == "partial" else status


def _put_details(observation: dict[str, Any], fields: tuple[str, ...], grammar: Grammar) -> None:
    """Put what seldom stands around a value: method, body site, who and with what."""
    performers = [read_practitioner(repetition, grammar) for repetition in grammar.repetitions(fields[16])]
    if fields[23]:
        performers.append(read_organization(fields[23], grammar))
    elif fields[15]:
        producer = read_concept(fields[15], grammar)
        performers.append(_display("Organization", producer.text) if producer else None)
    performers = [performer for performer in performers if performer is not None]
    if performers:
        observation["performer"] = performers
    for index, element in ((17, "method"), (20, "bodySite")):
        for repetition in grammar.repetitions(fields[index])[:1]:
            concept = read_concept(repetition, grammar)
            if concept is not None:
                observation[element] = concept.json
    device = read_ei(grammar.first(fields[18]), grammar)
    if device is not None:
        identifier = {"system": device.system, "value": device.value}
        observation["device"] = {"type": "Device", "identifier": identifier, "display": device.value}
    instance = read_ei(fields[21], grammar)
    if instance is not None:
        observation["identifier"] = [instance.fhir()]


def _display(type_: str, text: str) -> orjson.Fragment:
    return orjson.Fragment(encode({"type": type_, "display": text}))


def _put_document(
    results: Results,
    observation: dict[str, Any],
    fields: tuple[str, ...],
    context: Context,
    concept: Concept,
    name: tuple[str, int],
    documents: list[dict[str, Any]],
    reading: Reading,
) -> None:
    """State the documents of an OBX of type ED or RP, and make its Observation point at them."""
    sources: list[dict[str, str]] = []
    texts = []
    for number, repetition in enumerate(reading.grammar.repetitions(fields[5])):
        document = read_document(fields[2], repetition, concept.text, reading)
        if document is None:
            continue
        if document.blob is not None:
            results.attachments.append(document.blob)
        status = observation["status"]
        reference: dict[str, Any] = {
            "status": "entered-in-error" if status == "entered-in-error" else "current",
            "type": concept.json,
            "subject": observation["subject"],
            "description": concept.text,
            "content": [{"attachment": document.attachment}],
        }
        if status in _DOCUMENT_STATUSES:
            reference["docStatus"] = _DOCUMENT_STATUSES[status]
        if "issued" in observation:
            reference["date"] = observation["issued"]
        if context.encounter is not None:
            reference["context"] = {"encounter": [context.encounter]}
        part = [str(value) for value in (*name, number) if value]
        id_ = computed_id("DocumentReference", *context.key, concept.code, *part)
        statement = Statement("put", "DocumentReference", id_, context.at, context.patient_id, encode(reference))
        results.statements.append(statement)
        sources.append({"reference": f"DocumentReference/{id_}"})
        texts.append(document.name)
        documents.append(document.attachment)
    if sources:
        observation["derivedFrom"] = sources
        observation["valueString"] = "; ".join(texts)
    else:
        put_value(
            observation, "RP" if fields[2] == "RP" else "", fields[5] if fields[2] == "RP" else "", "", "", reading
        )


def _report(order: Order, context: Context, statuses: list[str], reading: Reading) -> dict[str, Any]:
    grammar = reading.grammar
    fields = context.fields
    assert context.code is not None
    report: dict[str, Any] = {
        "status": _report_status(fields[25], order.orc, statuses, reading),
        "code": context.code.json,
        "subject": {"reference": f"Patient/{context.patient_id}"},
    }
    if context.encounter is not None:
        report["encounter"] = context.encounter
    if context.filler is not None:
        report["identifier"] = [{"type": _FILLER, "system": context.filler.system, "value": context.filler.value}]
    placer = read_ei(fields[2], grammar) or (read_ei(order.orc.raw(2), grammar) if order.orc is not None else None)
    if placer is not None:
        identifier = {"type": _PLACER, "system": placer.system, "value": placer.value}
        report["basedOn"] = [{"type": "ServiceRequest", "identifier": identifier}]
    if context.section is not None:
        report["category"] = context.section
    started, ended = reading.moment(fields[7], "OBR-7"), reading.moment(fields[8], "OBR-8")
    if started is not None and ended is not None and started.at <= ended.at:
        report["effectivePeriod"] = {"start": started.iso, "end": ended.iso}
    elif started is not None:
        report["effectiveDateTime"] = started.iso
    if context.issued is not None and context.issued.is_instant:
        report["issued"] = context.issued.iso
    if context.specimen is not None:
        report["specimen"] = [context.specimen]
    if fields[32]:
        interpreter = _interpreter(fields[32], grammar)
        if interpreter is not None:
            report["resultsInterpreter"] = [interpreter]
    notes = _notes(order.notes, grammar)
    if notes:  # FHIR R4 has no note in a report; a comment of the laboratory on it must be read with it
        report["conclusion"] = "\n".join(notes)
    parent = _parent_order(fields, grammar)
    if parent is not None:
        identifier = {"system": parent.system, "value": parent.value}
        reference = {"type": "DiagnosticReport", "identifier": identifier}
        report["extension"] = [{"url": _REPORT_EXTENDS, "valueReference": reference}]
    return report


_FILLER = orjson.Fragment(orjson.dumps({"coding": [{"system": f"{V2}0203", "code": "FILL"}]}))
_PLACER = orjson.Fragment(orjson.dumps({"coding": [{"system": f"{V2}0203", "code": "PLAC"}]}))


def _report_status(own: str, orc: Segment | None, statuses: list[str], reading: Reading) -> str:
    """Return the status of a report: OBR-25, else what its results have in common, else ORC-5, else unknown."""
    status = REPORT_STATUSES.get(own)
    if status is not None:
        return status
    if own:
        reading.remark("hl7v2.status-unknown", f"OBR-25 {own[:10]!r} is not in table 0123; told from its results.")
    known = {status for status in statuses if status not in ("unknown", "cancelled", "entered-in-error")}
    if known & {"registered", "preliminary"}:
        return "registered" if known == {"registered"} else "partial" if "final" in known else "preliminary"
    for status in ("corrected", "amended", "final"):
        if status in known:
            return status
    if statuses and set(statuses) <= {"cancelled"}:
        return "cancelled"
    return ORDER_STATUSES.get(orc.get(5), "unknown") if orc is not None else "unknown"


def _parents(results: Results, context: Context, reading: Reading) -> list[dict[str, str]]:
    """Return the observation that an order hangs on: OBR-26 names it, under the filler order number in OBR-29.

    When OBX-4 is missing and the message holds several of that name, the text in OBR-26 chooses; else none is chosen:
    an antibiogram under the wrong germ is worse than one under none.
    """
    grammar = reading.grammar
    parts = grammar.components(context.fields[26])
    subs = grammar.subcomponents(parts[0])
    code = grammar.text(subs[0]) or (grammar.text(subs[1]) if len(subs) > 1 else "")
    sub_id = grammar.text(parts[1]) if len(parts) > 1 else ""
    if grammar.subcomponent:
        sub_id = sub_id.replace(grammar.subcomponent, grammar.component)  # an OG inside a PRL
    filler = _parent_order(context.fields, grammar)
    key = (filler.system, filler.value) if filler is not None else context.key
    if not code or (filler is None and context.filler is None):
        reading.remark(
            "hl7v2.parent-unnamed", "OBR-26 or OBR-29 does not name the parent result; it is not tied to one."
        )
        return []
    wanted = (*key, code, sub_id)
    known = results.isolates.get(wanted, [])
    if len(known) > 1:
        text = grammar.part(parts, 2)
        known = [one for one in known if text and text in one[1]]
        if len(known) != 1:
            reading.remark("hl7v2.parent-ambiguous", "OBR-26 fits several results; the order is not tied to one.")
            return []
    id_ = known[0][0] if known else computed_id("Observation", *wanted)
    return [{"reference": f"Observation/{id_}"}]


def _parent_order(fields: tuple[str, ...], grammar: Grammar) -> Number | None:
    """Return the filler order number in OBR-29, an EIP, or in its successor OBR-54."""
    for exact in (fields[29], fields[54]):
        parts = grammar.components(exact) if exact else []
        if len(parts) > 1:
            number = read_nested_ei(parts[1], grammar)
            if number is not None:
                return number
    return None


def _specimen(order: Order, fields: tuple[str, ...], grammar: Grammar) -> dict[str, Any] | None:
    """Return the specimen as a Reference: SPM-4 with SPM-2, else OBR-15 of older messages."""
    if order.spm is not None:
        kind = read_concept(order.spm.raw(4), grammar)
        text = kind.text if kind else ""
        parts = grammar.components(order.spm.raw(2))
        number = next((one for one in (read_nested_ei(part, grammar) for part in reversed(parts) if part) if one), None)
        specimen: dict[str, Any] = {"type": "Specimen"}
        if number is not None:
            specimen["identifier"] = {"system": number.system, "value": number.value}
        if text or number is not None:
            return {**specimen, "display": text or (number.value if number else "")}
        return None
    if not fields[15]:
        return None
    subs = grammar.subcomponents(grammar.components(fields[15])[0])
    text = (grammar.text(subs[1]) if len(subs) > 1 else "") or grammar.text(subs[0])
    return {"type": "Specimen", "display": text} if text else None


@remembered(_SECTIONS_MAX)
def _section(code: str) -> orjson.Fragment | None:
    """Return OBR-24 as a category, a list: the section itself, and laboratory or imaging."""
    if not code:
        return None
    concepts: list[Any] = []
    kind = "imaging" if code in IMAGING_SECTIONS else "" if code in OTHER_SECTIONS else "laboratory"
    if kind:
        coding = {"system": OBSERVATION_CATEGORY, "code": kind, "display": kind.capitalize()}
        concepts.append({"coding": [coding]})
    concepts.append({"coding": [{"system": f"{V2}0074", "code": " ".join(code.split())}]})
    return orjson.Fragment(encode(concepts))


@remembered(_SECTIONS_MAX)
def _interpreter(exact: str, grammar: Grammar) -> orjson.Fragment | None:
    """Return OBR-32 (an NDL, its person being subcomponents of the first component) as a Reference by name."""
    subs = grammar.subcomponents(grammar.components(grammar.first(exact))[0])
    words = [grammar.text(part) for part in subs[1:3]]
    display = " ".join(word for word in reversed(words) if word) or (grammar.text(subs[0]) if subs else "")
    return _display("Practitioner", display) if display else None


def _notes(notes: list[Segment], grammar: Grammar) -> list[str]:
    """Return the texts of NTE segments, each its repetitions as lines."""
    texts = []
    for note in notes:
        text = "\n".join(grammar.text(repetition) for repetition in grammar.repetitions(note.raw(3))).strip()
        if text:
            texts.append(text)
    return texts
