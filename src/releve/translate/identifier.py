"""Identifiers: who gave a number, and which of a patient's numbers names the patient.

The authority in CX-4, EI-2 to 4 or any HD becomes a system, never an assigner, so that numbers are compared together
with who gave them. Source: HL7 v2.5.1 2.A.14 (CX), 2.A.28 (EI), 2.A.36 (HD); fr-core for the INS.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from releve.translate.grammar import Grammar, remembered
from releve.translate.tables import V2
from releve.translate.time import parse_date

#: Authorities and types remembered; a hospital has hundreds, a group some thousands.
_AUTHORITIES_MAX = 4096

_INS_ROOT = "urn:oid:1.2.250.1.213.1.4."
INS_REAL = (f"{_INS_ROOT}8", f"{_INS_ROOT}9")
"""NIR and NIA: the only two under which an identity may travel in production."""
INS_TEST = (f"{_INS_ROOT}10", f"{_INS_ROOT}11")
"""Test and demonstration."""
_INS_TYPES = ("INS", "INS-NIR", "INS-NIA")
_INS_CODES = {INS_REAL[0]: "INS-NIR", INS_REAL[1]: "INS-NIA"}
_FR_IDENTIFIER_TYPE = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
_NAMING_TYPES = ("PI", "MR")


class Number(NamedTuple):
    """One identifier as it was given.

    system     who gave it: urn:oid:…, urn:uuid:…, a URI, or urn:id:<namespace>
    type       table 0203: "PI", "AN", "INS"…; "" when the sender says none
    namespace  the short name of who gave it, when the system does not hold it: what older receivers compare
    """

    system: str
    value: str
    type: str
    starts: str = ""
    ends: str = ""
    namespace: str = ""

    @property
    def is_ins(self) -> bool:
        """Say whether this is a national health identity, real or test."""
        return self.system in INS_REAL or self.system in INS_TEST or self.type in _INS_TYPES

    def fhir(self, use: str = "") -> dict[str, Any]:
        """Return it as a FHIR Identifier."""
        identifier: dict[str, Any] = {}
        if use:
            identifier["use"] = use
        if self.type:
            identifier["type"] = _type_fragment(_INS_CODES.get(self.system, self.type))
        identifier["system"] = self.system
        identifier["value"] = self.value
        if self.namespace:
            identifier["assigner"] = {"display": self.namespace}
        if self.starts or self.ends:
            period = {"start": self.starts, "end": self.ends}
            identifier["period"] = {key: value for key, value in period.items() if value}
        return identifier


def read_cx(exact: str, grammar: Grammar) -> Number | None:
    """Return the number in one CX repetition; None when it has no value."""
    parts = exact.split(grammar.component) if grammar.component else [exact]
    value = grammar.part(parts, 0)
    if not value:
        return None
    count = len(parts)
    system, namespace = _authority(parts[3] if count > 3 else "", grammar)
    kind = grammar.part(parts, 4) if count > 4 else ""
    if count <= 6:
        return Number(system, value, kind, "", "", namespace)
    starts, ends = parse_date(grammar.part(parts, 6)), parse_date(grammar.part(parts, 7))
    return Number(system, value, kind, starts, ends, namespace)


def read_ei(exact: str, grammar: Grammar) -> Number | None:
    """Return the order number in an EI, its parts being components; None when it has no value."""
    if not exact:
        return None
    first, _, rest = exact.partition(grammar.component) if grammar.component else (exact, "", "")
    value = grammar.text(first)
    if not value:
        return None
    return Number(_order_authority(rest, grammar) if rest else authority("", grammar), value, "")


@remembered(_AUTHORITIES_MAX)
def _order_authority(exact: str, grammar: Grammar) -> str:
    """Return the system that EI-2 to 4 name, their parts being components."""
    return _system(*_three(grammar.components(exact)[:3], grammar), grammar)


def read_nested_ei(exact: str, grammar: Grammar) -> Number | None:
    """Return the order number in one component of an EIP, its parts being subcomponents; None when it has no value."""
    parts = grammar.subcomponents(exact)
    value = grammar.text(parts[0])
    return Number(_system(*_three(parts[1:4], grammar), grammar), value, "") if value else None


def authority(exact: str, grammar: Grammar) -> str:
    """Return the system that an HD names, its parts being subcomponents; the sending facility when it names none."""
    return _authority(exact, grammar)[0]


@remembered(_AUTHORITIES_MAX)
def _authority(exact: str, grammar: Grammar) -> tuple[str, str]:
    """Return the system that an HD names, and its namespace when the system does not hold it."""
    namespace, universal, kind = _three(grammar.subcomponents(exact)[:3], grammar)
    system = _system(namespace, universal, kind, grammar)
    return system, "" if system in (urn(namespace), f"urn:oid:{namespace}", urn("")) else namespace


def naming(numbers: list[Number]) -> Number | None:
    """Return the number that names a patient: the first PI or MR, else the first that is no INS, else the first."""
    for number in numbers:
        if number.type in _NAMING_TYPES and not number.is_ins:
            return number
    for number in numbers:
        if not number.is_ins:
            return number
    return numbers[0] if numbers else None


def urn(name: str) -> str:
    """Return a name that is no URI as one: urn:id:<name>, blanks written as %20."""
    return "urn:id:" + "%20".join(name.split())


def _three(parts: list[str], grammar: Grammar) -> tuple[str, str, str]:
    namespace, universal, kind = [*[grammar.text(part) for part in parts], "", "", ""][:3]
    return namespace, universal, kind


def _system(namespace: str, universal: str, kind: str, grammar: Grammar) -> str:
    if universal:
        kind = kind.upper()
        if _is_oid(universal):
            return f"urn:oid:{universal}"
        if kind in ("UUID", "GUID"):
            return f"urn:uuid:{universal.lower()}"
        if kind == "URI" or universal.lower().startswith(("http://", "https://", "urn:")):
            return "".join(universal.split())
        if kind == "DNS" and not namespace:
            return urn(universal)
    if _is_oid(namespace):  # an OID in the wrong place is still an OID
        return f"urn:oid:{namespace}"
    return urn(namespace or universal or grammar.facility)


def _is_oid(text: str) -> bool:
    return (
        text.count(".") >= 2 and text[0] in "012" and text.isascii() and all(arc.isdigit() for arc in text.split("."))
    )


@remembered(_AUTHORITIES_MAX)
def _type_fragment(code: str) -> orjson.Fragment:
    system = _FR_IDENTIFIER_TYPE if code.startswith("INS") else f"{V2}0203"
    return orjson.Fragment(orjson.dumps({"coding": [{"system": system, "code": " ".join(code.split())}]}))
