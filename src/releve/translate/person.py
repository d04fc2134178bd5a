"""Names, addresses and telephones: one repetition of XPN, XAD or XTN → FHIR HumanName, Address, ContactPoint.

Source: HL7 v2.5.1 2.A.89 (XPN), 2.A.88 (XAD), 2.A.90 (XTN); IHE PAM France 2.11 for L, D and the given names.
"""

from __future__ import annotations

from typing import Any

from releve.translate.grammar import Grammar
from releve.translate.tables import (
    ADDRESS_TYPES,
    ADDRESS_USES,
    BIRTH_PLACES,
    NAME_USES,
    TELECOM_SYSTEMS,
    TELECOM_USES,
)

_INSEE_CODE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
_INSEE_SYSTEM = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"


def read_name(exact: str, grammar: Grammar, *, is_first: bool) -> dict[str, Any]:
    """Return one name; {} when it is empty.

    In France the third component lists all given names, the first among them; elsewhere it holds the further ones.
    is_first  the first name of a patient is the legal one when it does not say what it is
    """
    parts = grammar.texts(exact, 7)
    family, first, further = parts[0], parts[1], parts[2]
    given = [first] if first else []
    if further:
        if first and (further == first or further.startswith(f"{first} ")):
            further = further[len(first) :]
        given += further.split()
    name: dict[str, Any] = {}
    kind = parts[6]
    use = NAME_USES.get(kind) or ("official" if is_first and not kind else "")
    if use:
        name["use"] = use
    if family:
        name["family"] = family
    if given:
        name["given"] = given
    if parts[4]:
        name["prefix"] = [parts[4]]
    if parts[3] or parts[5]:
        name["suffix"] = [part for part in (parts[3], parts[5]) if part]
    return name if family or given else {}


def read_address(exact: str, grammar: Grammar) -> dict[str, Any]:
    """Return one address; {} when it is empty or says where somebody was born."""
    parts = grammar.texts(exact, 9)
    kind = parts[6]
    if kind in BIRTH_PLACES:
        return {}
    address: dict[str, Any] = {}
    lines = [line for line in (parts[0], parts[1]) if line]
    if lines:
        address["line"] = lines
    for index, element in ((2, "city"), (8, "district"), (3, "state"), (4, "postalCode"), (5, "country")):
        value = parts[index]
        if value:
            address[element] = value
    if not address:
        return {}
    if kind in ADDRESS_USES:
        address["use"] = ADDRESS_USES[kind]
    if kind in ADDRESS_TYPES:
        address["type"] = ADDRESS_TYPES[kind]
    return address


def read_birth_place(exact: str, grammar: Grammar) -> dict[str, Any]:
    """Return the place of birth in an address of type BDL or N; {} when it is another address.

    The code of the commune (INSEE) stands in the ninth component.
    """
    parts = grammar.texts(exact, 9)
    if parts[6] not in BIRTH_PLACES:
        return {}
    place: dict[str, Any] = {}
    code = parts[8]
    if code:
        place["extension"] = [{"url": _INSEE_CODE, "valueCoding": {"system": _INSEE_SYSTEM, "code": code}}]
    for index, element in ((2, "city"), (4, "postalCode"), (5, "country")):
        value = parts[index]
        if value:
            place[element] = value
    return place


def read_telecom(exact: str, grammar: Grammar, use: str) -> list[dict[str, Any]]:
    """Return the ways to reach somebody in one XTN: a number, an address of electronic mail, or both.

    use  what the field is for when the repetition does not say: "home", "work" or ""
    """
    parts = grammar.texts(exact, 12)
    kind = parts[2].upper()
    system = TELECOM_SYSTEMS.get(kind, "phone")
    use = "mobile" if kind == "CP" else TELECOM_USES.get(parts[1], use)
    number = parts[0] or parts[11] or _composed(parts)
    mail = parts[3]
    if number and "@" in number:
        system = "email"
    points = []
    if number:
        points.append({"system": system, "value": number})
    if mail and mail != number:
        points.append({"system": "email" if "@" in mail else system, "value": mail})
    return [{**point, "use": use} if use else point for point in points]


def _composed(parts: list[str]) -> str:
    country, area, local, extension = (parts[index] for index in (4, 5, 6, 7))
    if not local:
        return ""
    number = " ".join(part for part in (f"+{country.lstrip('+')}" if country else "", area, local) if part)
    return f"{number} ext. {extension}" if extension else number
