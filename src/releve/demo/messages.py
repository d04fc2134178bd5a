"""HL7 v2 as French hospitals write it: PAM 2.11 with ZBE, IPP and NDA, names with accents, times without an offset.

Each builder returns the bytes together with the facts that must be readable wherever the message is kept.
Source: IHE PAM national extension France 2.11; IHE LAB-3 for results.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from releve.demo.account import Fact
from releve.demo.cast import Person

ZONE = ZoneInfo("Europe/Paris")
_GENDER = {"F": "female", "M": "male"}


class Office(NamedTuple):
    """Who writes: MSH-3, MSH-4, and the authority of the numbers that it gives (namespace, oid)."""

    application: str
    facility: str
    namespace: str
    oid: str
    charset: str = "UNICODE UTF-8"

    @property
    def codec(self) -> str:
        """The Python codec of MSH-18."""
        return "iso8859-15" if self.charset == "8859/15" else "utf-8"


class Bed(NamedTuple):
    """A place to lie: ward (UF), room, bed."""

    ward: str
    room: str
    bed: str


class Stay(NamedTuple):
    """A stay of a person: the visit number (PV1-19), the administrative number (PID-18), class and place.

    Both numbers are of the authority that knows the person, whoever writes a message about the stay.
    """

    person: Person
    visit: str
    file: str
    class_: str
    bed: Bed
    admitted_at: str


class Analyte(NamedTuple):
    """A measured quantity: LOINC code, name, unit, reference range, spread of values, decimals."""

    code: str
    name: str
    unit: str
    low: float
    high: float
    decimals: int


ANALYTES = (
    Analyte("2823-3", "Potassium", "mmol/L", 3.5, 5.1, 1),
    Analyte("2951-2", "Sodium", "mmol/L", 136, 145, 0),
    Analyte("14682-9", "Créatinine", "umol/L", 45, 104, 0),
    Analyte("1988-5", "Protéine C réactive", "mg/L", 0, 5, 1),
    Analyte("718-7", "Hémoglobine", "g/dL", 12.0, 16.0, 1),
    Analyte("6690-2", "Leucocytes", "10*9/L", 4.0, 10.0, 2),
    Analyte("2345-7", "Glucose", "mg/dL", 70, 110, 0),
    Analyte("89579-7", "Troponine I hs", "ng/L", 0, 34, 0),
)


class Result(NamedTuple):
    """One measured value. status is OBX-11: P, F or C."""

    analyte: Analyte
    value: str
    status: str


def stamp(at: datetime) -> str:
    """Return a time as senders in Paris write it: local, to the second, no offset."""
    return at.astimezone(ZONE).strftime("%Y%m%d%H%M%S")


def adt(
    office: Office,
    receiver: tuple[str, str],
    event: str,
    control_id: str,
    stay: Stay,
    *,
    at: datetime,
    movement: str,
    status: str,
) -> tuple[bytes, list[Fact]]:
    """Return an admission (A01, A04), transfer (A02), discharge (A03) or update (A08).

    movement  id of the movement (ZBE-1); empty for A08, which moves nobody
    status    FHIR status of the stay once this is known
    """
    structure = {"A04": "A01", "A08": "A01"}.get(event, event)
    lines = [_msh(office, receiver, f"ADT^{event}^ADT_{structure}", control_id, at)]
    lines.append(f"EVN||{stamp(at)}||||{stamp(at)}|{office.facility}")
    lines += [_pid(stay.person, stay.file), _pv1(office, stay, stamp(at) if event == "A03" else "")]
    if movement:
        ward = f"{stay.bed.ward}^^^^^^UF^^^{stay.bed.ward}"
        lines.append(f"ZBE|{movement}^{office.namespace}^{office.oid}^ISO|{stamp(at)}||INSERT|N||{ward}|{ward}|HMS")
    facts = [
        person_fact(stay.person),
        Fact(
            "stay",
            f"urn:oid:{stay.person.oid}|{stay.visit}",
            {"status": status, "place": "/".join(stay.bed), "patient": person_key(stay.person)},
        ),
    ]
    return _encode(office, lines), facts


def oru(
    office: Office,
    receiver: tuple[str, str],
    control_id: str,
    stay: Stay,
    filler: str,
    results: list[Result],
    *,
    at: datetime,
) -> tuple[bytes, list[Fact]]:
    """Return the results of one order (filler: the laboratory's own number of it)."""
    order = f"{filler}^{office.namespace}^{office.oid}^ISO"
    status = results[0].status
    lines = [
        _msh(office, receiver, "ORU^R01^ORU_R01", control_id, at),
        _pid(stay.person, stay.file),
        _pv1(office, stay, ""),
        f"ORC|RE||{order}||CM",
        f"OBR|1||{order}|24323-8^Bilan biologique^LN|||{stamp(at)}|||||||||||||||{stamp(at)}||LAB|{status}",
    ]
    facts = [Fact("person", person_key(stay.person), {})]
    for number, (analyte, value, obx_status) in enumerate(results, 1):
        flag = "H" if float(value) > analyte.high else "L" if float(value) < analyte.low else "N"
        lines.append(
            f"OBX|{number}|NM|{analyte.code}^{analyte.name}^LN||{value}|{analyte.unit}^^UCUM"
            f"|{analyte.low:g}-{analyte.high:g}|{flag}|||{obx_status}|||{stamp(at)}"
            f"|||||||{filler}.{analyte.code}^{office.namespace}^{office.oid}^ISO"
        )
        facts.append(
            Fact(
                "result",
                f"urn:oid:{office.oid}|{filler}.{analyte.code}",
                {
                    "patient": person_key(stay.person),
                    "value": value,
                    "unit": analyte.unit,
                    "status": {"P": "preliminary", "F": "final", "C": "corrected"}[obx_status],
                },
            )
        )
    return _encode(office, lines), facts


def person_key(person: Person) -> str:
    """Return a person's identifier as FHIR searches for it: system|value."""
    return f"urn:oid:{person.oid}|{person.ipp}"


def person_fact(person: Person) -> Fact:
    """Return what every node that knows the person must say about them."""
    day = person.birth_date
    return Fact(
        "person",
        person_key(person),
        {
            "family": person.family,
            "given": person.given,
            "birthDate": f"{day[:4]}-{day[4:6]}-{day[6:]}",
            "gender": _GENDER[person.sex],
        },
    )


def _msh(office: Office, receiver: tuple[str, str], type_: str, control_id: str, at: datetime) -> str:
    return (
        f"MSH|^~\\&|{office.application}|{office.facility}|{receiver[0]}|{receiver[1]}|{stamp(at)}||{type_}|{control_id}"
        f"|P|2.5^FRA^2.11|||||FRA|{office.charset}|FR||2.11^IHE_FRANCE-2.11-PAM"
    )


def _pid(person: Person, file: str) -> str:
    name = f"{person.family}^{person.given}^^^^^L~{person.family}^{person.given}^^^^^D"
    number = f"{person.ipp}^^^{person.namespace}&{person.oid}&ISO^PI"
    visit_file = f"{file}^^^{person.namespace}&{person.oid}&ISO^AN"
    return f"PID|1||{number}||{name}||{person.birth_date}|{person.sex}||||||||||{visit_file}||||||||||||||PROV"


def _pv1(office: Office, stay: Stay, left_at: str) -> str:
    place = f"{stay.bed.ward}^{stay.bed.room}^{stay.bed.bed}^{office.facility}"
    visit = f"{stay.visit}^^^{stay.person.namespace}&{stay.person.oid}&ISO^VN"
    return f"PV1|1|{stay.class_}|{place}|{'|' * 15}{visit}{'|' * 25}{stay.admitted_at}|{left_at}"


def _encode(office: Office, lines: list[str]) -> bytes:
    """Encode in the sender's charset; an old analyser writes "?" for letters it does not have, as real ones do."""
    return ("\r".join(lines) + "\r").encode(office.codec, "replace")
