"""Coded values, units and people by name: text of one field → FHIR, made once and remembered as JSON.

The same hundred analytes, units and doctors pass all day, so what is made of them is kept as ready JSON, keyed by the
exact text and the sender's grammar. Source: HL7 v2.5.1 2.A.13 (CWE), 2.A.3 (CE), 2.A.88 (XCN); table 0396.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from releve.translate.grammar import Grammar, remembered
from releve.translate.identifier import authority, urn
from releve.translate.tables import CODE_SYSTEMS, INTERPRETATION, INTERPRETATIONS, UCUM, V2

#: Distinct coded texts remembered, over all senders; a laboratory has some 3,000 analytes.
_CONCEPTS_MAX = 16_384
_UNITS_MAX = 4096
_PEOPLE_MAX = 8192

_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2}))?\Z", re.ASCII)
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)\s*\Z", re.ASCII)
_BOUND = re.compile(r"\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*\Z", re.ASCII)
_V2_TABLE = re.compile(r"(?:HL7|v2-|V2-)?0*(\d{1,4})\Z", re.ASCII)
_NUMBER_DIGITS_MAX = 40  # what is longer is a text of digits, and no reader of JSON keeps it as a number


class Concept:
    """A coded value, ready to be put into a resource.

    json     a CodeableConcept
    code     the first code given, or its text: what identifiers are computed of
    text     how a person reads it
    codings  as dicts
    """

    __slots__ = ("code", "codings", "json", "text")

    def __init__(self, json: orjson.Fragment, code: str, text: str, codings: tuple[dict[str, str], ...]) -> None:
        self.json = json
        self.code = code
        self.text = text
        self.codings = codings


@remembered(_CONCEPTS_MAX)
def read_concept(exact: str, grammar: Grammar) -> Concept | None:
    """Return the coded value in one CWE, CE, CNE, CF, IS or ID; None when it is empty.

    All codings are kept, in the order of the sender; the text is what the sender wrote originally, else a name of it.
    """
    parts = [grammar.part(grammar.components(exact), index) for index in range(12)]
    codings = []
    for first, version in ((0, 6), (3, 7), (9, -1)):
        code, display, system = parts[first : first + 3]
        if code:
            coding = {"system": code_system(system, grammar), "code": " ".join(code.split()), "display": display}
            if system and version > 0:
                coding["version"] = parts[version]
            codings.append({key: value for key, value in coding.items() if value})
    text = parts[8] or parts[1] or parts[4] or parts[0] or parts[3]
    if not text:
        return None
    concept: dict[str, Any] = {"coding": codings, "text": text} if codings else {"text": text}
    return Concept(orjson.Fragment(encode(concept)), parts[0] or parts[3] or text, text, tuple(codings))


@remembered(_CONCEPTS_MAX)
def read_flags(exact: str, grammar: Grammar) -> orjson.Fragment | None:
    """Return OBX-8 as Observation.interpretation, a list; None when it is empty."""
    concepts: list[Any] = []
    for repetition in grammar.repetitions(exact):
        concept = read_concept(repetition, grammar)
        if concept is None:
            continue
        name = INTERPRETATIONS.get(concept.code)
        if name is not None:
            concepts.append({"coding": [{"system": INTERPRETATION, "code": concept.code, "display": name}]})
        elif concept.codings and "system" not in concept.codings[0]:
            coding = {"system": f"{V2}0078", **concept.codings[0]}
            concepts.append({"coding": [coding], "text": concept.text})
        else:
            concepts.append(concept.json)
    return orjson.Fragment(encode(concepts)) if concepts else None


class Unit:
    """A unit of measure: as people write it, and its UCUM code when the sender says that it is one.

    Compared by identity: read_unit gives the same one for the same text, and a range is remembered by it.
    """

    __slots__ = ("code", "unit")

    def __init__(self, unit: str, code: str) -> None:
        self.unit = unit
        self.code = code

    def quantity(self, number: orjson.Fragment, comparator: str = "") -> dict[str, Any]:
        """Return a number in this unit as a FHIR Quantity."""
        quantity: dict[str, Any] = {"value": number}
        if comparator:
            quantity["comparator"] = comparator
        if self.unit:
            quantity["unit"] = self.unit
        if self.code:
            quantity["system"] = UCUM
            quantity["code"] = self.code
        return quantity


NO_UNIT = Unit("", "")


@remembered(_UNITS_MAX)
def read_unit(exact: str, grammar: Grammar) -> Unit:
    """Return the unit in OBX-6; the UCUM coding wins wherever it stands, and nothing is called UCUM that was not."""
    concept = read_concept(exact, grammar)
    if concept is None:
        return NO_UNIT
    first = concept.codings[0] if concept.codings else {}
    unit = first.get("code") or concept.text
    for coding in concept.codings:
        if coding.get("system") == UCUM:
            return Unit(coding["code"], coding["code"])
    return Unit(unit, "")


def read_range(exact: str, units: str, grammar: Grammar) -> orjson.Fragment | None:
    """Return OBX-7 as Observation.referenceRange, a list; None when it is empty. Its text is always kept.

    units  OBX-6, exact
    """
    return _range(exact, read_unit(units, grammar), grammar)


@remembered(_UNITS_MAX)
def _range(exact: str, unit: Unit, grammar: Grammar) -> orjson.Fragment | None:
    text = grammar.text(exact)
    if not text:
        return None
    found: dict[str, Any] = {}
    if between := _RANGE.match(text):
        low, high = parse_number(between[1]), parse_number(between[2])
        if low is not None and high is not None and float(between[1]) <= float(between[2]):
            found = {"low": unit.quantity(low), "high": unit.quantity(high)}
    elif bound := _BOUND.match(text):
        number = parse_number(bound[2])
        if number is not None:
            found = {"high" if bound[1][0] == "<" else "low": unit.quantity(number)}
    found["text"] = text
    return orjson.Fragment(encode([found]))


@remembered(_CONCEPTS_MAX)
def parse_number(text: str) -> orjson.Fragment | None:
    """Return an NM as a JSON number with every digit it came with; None when it is no number.

    "72.50" stays 72.50, "+5" is 5, ".5" is 0.5; "4,5", "<0.5" and "" are no numbers.
    """
    match = _NUMBER.match(text)
    if match is None or len(text) > _NUMBER_DIGITS_MAX:
        return None
    sign, whole, fraction, exponent = match.groups()
    if not whole and not fraction:
        return None
    out = ("-" if sign == "-" else "") + (whole.lstrip("0") or "0")
    if fraction:
        out += f".{fraction}"
    if exponent:
        out += f"e{int(exponent)}"
    return orjson.Fragment(out.encode())


def code_system(name: str, grammar: Grammar) -> str:
    """Return the URI of a code system that table 0396 or the sender names; "" when it names none.

    A local one ("L", "99…") is the sender's own: the same code of two laboratories must not meet on one trend line.
    """
    if not name:
        return ""
    known = CODE_SYSTEMS.get(name.upper())
    if known is not None:
        return known
    if table := _V2_TABLE.match(name):
        return f"{V2}{table[1].zfill(4)}"
    if name == "L" or name.startswith("99"):
        return urn(f"{grammar.facility}:{name}")
    if name.startswith(("http://", "https://", "urn:")):
        return "".join(name.split())
    if name.count(".") >= 2 and name.replace(".", "").isdigit():
        return f"urn:oid:{name}"
    return urn(name)


@remembered(_PEOPLE_MAX)
def read_practitioner(exact: str, grammar: Grammar) -> orjson.Fragment | None:
    """Return one XCN as a Reference by number and name; None when it is empty."""
    parts = grammar.components(exact)
    value, family, given = grammar.part(parts, 0), grammar.part(parts, 1), grammar.part(parts, 2)
    prefix = grammar.part(parts, 5)
    display = " ".join(word for word in (prefix, given, family) if word)
    reference: dict[str, Any] = {"type": "Practitioner"}
    if value:
        reference["identifier"] = {"system": authority(parts[8] if len(parts) > 8 else "", grammar), "value": value}
    if display or value:
        reference["display"] = display or value
        return orjson.Fragment(encode(reference))
    return None


@remembered(_PEOPLE_MAX)
def read_organization(exact: str, grammar: Grammar) -> orjson.Fragment | None:
    """Return one XON as a Reference by name; None when it is empty."""
    name = grammar.part(grammar.components(exact), 0)
    return orjson.Fragment(encode({"type": "Organization", "display": name})) if name else None


def encode(content: Any) -> bytes:
    """Return FHIR JSON as bytes; characters that no encoding can carry become a question mark."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return orjson.dumps(_without_surrogates(content))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
