"""PID and PD1 → Patient: who somebody is, as the sender knows it now.

"" deletes, an empty field says nothing. A repeating field that says anything restates all its repetitions (HL7 v2.5.1
2.10.4, snapshot mode): an INS that is no longer among PID-3 is taken away with it.

The INS (France): it counts only under the OID of the NIR or NIA and only beside PID-32 = VALI; under the test and
demonstration OIDs never in production. What does not count is left out with a remark, and the person is known by the
other numbers. Source: IHE PAM France 2.11; fr-core-1, fr-core-2; HL7 v2.5.1 3.4.2 (PID), 3.4.10 (PD1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from releve.ids import computed_id
from releve.translate.coding import read_concept, read_practitioner
from releve.translate.grammar import Grammar
from releve.translate.identifier import INS_REAL, INS_TEST, Number, naming, read_cx
from releve.translate.person import read_address, read_birth_place, read_name, read_telecom
from releve.translate.reading import Reading
from releve.translate.tables import GENDERS, MARITAL_STATUS, MARITAL_STATUSES, NULL_FLAVOR
from releve.translate.time import parse_date
from releve.wire.hl7v2 import Segment
from releve.wire.hl7v2.message import NULL

IDENTITY_RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
IDENTITY_STATUS = "identityStatus"
IDENTITY_RELIABILITY_CODES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445"
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
_MOTHERS_NAME = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
_QUALIFIED = "VALI"
#: More fields than any version of PID has, so that each may be asked for without looking at the length.
_ABSENT = ("",) * 41


class Known(NamedTuple):
    """A patient as a segment names them.

    id       computed of the naming number
    numbers  those that count, for Patient.identifier
    """

    id: str
    numbers: list[Number]


def identify(pid: Segment, reading: Reading, *, production: bool) -> Known | None:
    """Return who a PID is about; None when it has no number that may be used."""
    grammar = reading.grammar
    fields = pid.fields()
    given = _numbers(pid.raw(3), grammar)
    if not given:
        given = _numbers(pid.raw(2), grammar) or _numbers(pid.raw(4), grammar)
    is_qualified = len(fields) > 32 and grammar.part(grammar.components(fields[32]), 0) == _QUALIFIED
    counted = []
    for number in given:
        if not number.is_ins or _counts(number, reading, is_qualified=is_qualified, production=production):
            counted.append(number)
    name = naming(counted)
    if name is None:
        return None
    return Known(computed_id("Patient", name.system, name.value), counted)


def _numbers(field: str, grammar: Grammar) -> list[Number]:
    numbers = []
    for repetition in grammar.repetitions(field):
        number = read_cx(repetition, grammar)
        if number is not None:
            numbers.append(number)
    return numbers


def _counts(number: Number, reading: Reading, *, is_qualified: bool, production: bool) -> bool:
    """Say whether an INS may be taken as one; remark why not, without its value."""
    if number.system in INS_TEST:
        if production:
            reading.remark("hl7v2.ins-test", f"PID-3 holds an INS under the test authority {number.system}; left out.")
        return not production
    if number.system not in INS_REAL:
        reading.remark(
            "hl7v2.ins-authority",
            f"PID-3 calls a number INS under {number.system}, which is neither NIR nor NIA; left out.",
        )
        return False
    if not is_qualified:
        reading.remark("hl7v2.ins-not-qualified", "PID-3 holds an INS but PID-32 is not VALI; left out.")
    return is_qualified


def read_patient(pid: Segment, known: Known, reading: Reading, pd1: Segment | None = None) -> dict[str, Any]:
    """Return what a PID says of the patient, as a merge patch: null deletes, what is absent keeps."""
    grammar = reading.grammar
    fields = (*pid.fields(), *_ABSENT)
    patient: dict[str, Any] = {"identifier": [number.fhir() for number in known.numbers]}
    _put_names(patient, fields, grammar)
    _put_birth(patient, fields, reading)
    sex = fields[8]
    if sex:
        patient["gender"] = None if sex == NULL else _gender(sex, reading)
    _put_contacts(patient, fields, grammar)
    _put_death(patient, fields, reading)
    if fields[16]:
        patient["maritalStatus"] = _marital_status(fields[16], grammar)
    if fields[15]:
        language = None if fields[15] == NULL else read_concept(fields[15], grammar)
        patient["communication"] = [{"language": language.json, "preferred": True}] if language else None
    _put_extensions(patient, fields, grammar)
    if pd1 is not None and pd1.raw(4):
        doctors = [read_practitioner(repetition, grammar) for repetition in grammar.repetitions(pd1.raw(4))]
        patient["generalPractitioner"] = [doctor for doctor in doctors if doctor is not None] or None
    return patient


def mention_patient(pid: Segment, known: Known, reading: Reading) -> dict[str, Any]:
    """Return the little a result or an order may say of a patient it is not about to change."""
    grammar = reading.grammar
    fields = (*pid.fields(), *_ABSENT)
    patient: dict[str, Any] = {"identifier": [number.fhir() for number in known.numbers]}
    _put_names(patient, fields, grammar)
    _put_birth(patient, fields, reading)
    if fields[8]:
        patient["gender"] = _gender(fields[8], reading)
    return {key: value for key, value in patient.items() if value is not None}


def _put_names(patient: dict[str, Any], fields: tuple[str, ...], grammar: Grammar) -> None:
    if fields[5] == NULL:
        patient["name"] = None
        return
    names = []
    for index, repetition in enumerate(grammar.repetitions(fields[5])):
        name = read_name(repetition, grammar, is_first=index == 0)
        if name:
            names.append(name)
    for repetition in grammar.repetitions(fields[9]):
        name = read_name(repetition, grammar, is_first=False)
        if name:
            names.append(name)
    if names:
        patient["name"] = names


def _put_birth(patient: dict[str, Any], fields: tuple[str, ...], reading: Reading) -> None:
    field = fields[7]
    if not field:
        return
    if field == NULL:
        patient["birthDate"] = patient["_birthDate"] = None
        return
    day = parse_date(field)
    if not day:
        reading.remark("hl7v2.birth-date-unreadable", "PID-7 is no date; the date of birth stays as it was.")
        return
    patient["birthDate"] = day
    if len(field) > 8 and field[8:12].strip("0"):
        moment = reading.moment(field, "PID-7")
        if moment is not None and moment.is_instant:
            patient["_birthDate"] = {"extension": [{"url": _BIRTH_TIME, "valueDateTime": moment.iso}]}


def _gender(sex: str, reading: Reading) -> str:
    gender = GENDERS.get(sex) or GENDERS.get(reading.grammar.part(reading.grammar.components(sex), 0).upper())
    if gender is None:
        reading.remark("hl7v2.sex-unknown", f"PID-8 {sex[:10]!r} is not in table 0001; charted as unknown.")
        return "unknown"
    return gender


def _put_contacts(patient: dict[str, Any], fields: tuple[str, ...], grammar: Grammar) -> None:
    """Put address and telecom: each is deleted only when its fields say so and none of them says anything else."""
    if fields[11]:
        addresses = [read_address(repetition, grammar) for repetition in grammar.repetitions(fields[11])]
        addresses = [address for address in addresses if address]
        if addresses or fields[11] == NULL:
            patient["address"] = addresses or None
    telecoms: list[dict[str, Any]] = []
    for index, use in ((13, "home"), (14, "work"), (40, "")):
        for repetition in grammar.repetitions(fields[index]):
            telecoms += read_telecom(repetition, grammar, use)
    if telecoms:
        patient["telecom"] = telecoms
    elif NULL in (fields[13], fields[14], fields[40]):
        patient["telecom"] = None


def _put_death(patient: dict[str, Any], fields: tuple[str, ...], reading: Reading) -> None:
    """Put deceased[x]: a date when there is one, else yes or no; either takes the other away."""
    died, flag = fields[29], fields[30]
    if not died and not flag:
        return
    moment = reading.moment(died, "PID-29")
    if moment is not None:
        patient["deceasedDateTime"], patient["deceasedBoolean"] = moment.iso, None
    elif flag in ("Y", "N"):
        patient["deceasedBoolean"] = flag == "Y"
        if flag == "N" or died == NULL:
            patient["deceasedDateTime"] = None
    elif NULL in (died, flag):
        patient["deceasedDateTime"] = patient["deceasedBoolean"] = None


def _marital_status(field: str, grammar: Grammar) -> Any:
    if field == NULL:
        return None
    concept = read_concept(field, grammar)
    if concept is None:
        return None
    code = MARITAL_STATUSES.get(concept.code)
    if code is not None:
        return {"coding": [{"system": MARITAL_STATUS, "code": code}], "text": concept.text}
    if concept.code == "U":
        return {"coding": [{"system": NULL_FLAVOR, "code": "UNK"}], "text": concept.text}
    return concept.json


def _put_extensions(patient: dict[str, Any], fields: tuple[str, ...], grammar: Grammar) -> None:
    """Put how sure the identity is (PID-32), where the patient was born, and the mother's name of birth."""
    extensions: list[dict[str, Any]] = []
    reliability = grammar.part(grammar.components(fields[32]), 0) if fields[32] else ""
    if reliability:
        coding = {"system": IDENTITY_RELIABILITY_CODES, "code": " ".join(reliability.split())}
        status = {"url": IDENTITY_STATUS, "valueCoding": coding}
        extensions.append({"url": IDENTITY_RELIABILITY, "extension": [status]})
    for repetition in grammar.repetitions(fields[11]):
        place = read_birth_place(repetition, grammar)
        if place:
            extensions.append({"url": _BIRTH_PLACE, "valueAddress": place})
            break
    else:
        if place_name := grammar.text(fields[23]):
            extensions.append({"url": _BIRTH_PLACE, "valueAddress": {"text": place_name}})
    if mother := grammar.part(grammar.components(fields[6]), 0):
        extensions.append({"url": _MOTHERS_NAME, "valueString": mother})
    if extensions:
        patient["extension"] = extensions
