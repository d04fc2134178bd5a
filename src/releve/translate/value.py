"""OBX-5 by OBX-2 → Observation.value[x]: nothing becomes what it is not, and what has no shape in FHIR stays readable.

    NM                  Quantity with every digit; "<0.5" is a Quantity with a comparator; "4,5" stays a text
    SN                  Quantity, Ratio (1:128), Range (2-5), else text
    CWE CE CNE CF IS ID CodeableConcept
    DT TS DTM, TM       dateTime, time; text when it is none
    ST TX FT VR, none   text; repetitions are its lines
    DR, NR, CQ          Period, Range, Quantity
    NA MA, others       text: SampledData would need an interval that nobody sent
    ED RP               document.py

Several repetitions of anything but text become components, and a text that reads them all.
Source: HL7 v2.5.1 7.4.2 (OBX-5), v2-to-FHIR OBX[Observation].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from releve.translate.coding import parse_number, read_concept, read_unit
from releve.translate.grammar import Grammar
from releve.translate.reading import Reading
from releve.translate.tables import ABSENT_BY_STATUS, ABSENT_OTHERWISE, ABSENT_REASON
from releve.translate.time import parse_clock
from releve.wire.hl7v2.message import NULL

#: Repetitions that become components; the text reads them all.
_COMPONENTS_MAX = 100
_COMPARATORS = ("<=", ">=", "<", ">")
_SIGNS = ("", "=", *_COMPARATORS)
_TEXTS = frozenset(("ST", "TX", "FT", "VR", ""))
_CODES = frozenset(("CWE", "CE", "CNE", "CF", "IS", "ID"))

#: One value: (element name, value), such as ("valueString", "…"); None when there is nothing.
Value = tuple[str, Any] | None


def put_value(observation: dict[str, Any], kind: str, field: str, units: str, status: str, reading: Reading) -> None:
    """Put the value of an OBX into an Observation, or why there is none.

    kind    OBX-2
    field   OBX-5, exact
    units   OBX-6, exact
    status  OBX-11, for the reason of an absent value
    """
    grammar = reading.grammar
    if kind in _TEXTS:
        text = _text(field, grammar)
        value: Value = ("valueString", text) if text else None
    elif grammar.repetition and grammar.repetition in field:
        value = _put_components(observation, kind, field, units, reading)
    elif not field or field == NULL:
        value = None
    else:
        value = _one_value(kind, field, units, reading)
    if value is not None:
        observation[value[0]] = value[1]
    elif "component" not in observation:
        put_absence(observation, status, kind, field)


def put_absence(observation: dict[str, Any], status: str, kind: str, field: str) -> None:
    """Put why a result has no value; one that the laboratory emptied on purpose ("") says so in words."""
    code, display = ABSENT_BY_STATUS.get(status, ABSENT_OTHERWISE)
    reason: dict[str, Any] = {"coding": [{"system": ABSENT_REASON, "code": code, "display": display}]}
    if field == NULL:
        reason["text"] = f'{kind} sent as ""'
    observation["dataAbsentReason"] = reason


def _text(field: str, grammar: Grammar) -> str:
    if grammar.repetition and grammar.repetition in field:
        return "\n".join(grammar.text(text) for text in field.split(grammar.repetition)).strip()
    return grammar.text(field)


def _put_components(observation: dict[str, Any], kind: str, field: str, units: str, reading: Reading) -> Value:
    """Put each repetition as a component of its own, and return the text that reads them all."""
    components = []
    texts = []
    for number, repetition in enumerate(reading.grammar.repetitions(field), 1):
        texts.append(_readable(repetition, reading.grammar))
        value = _one_value(kind, repetition, units, reading)
        if value is not None and number <= _COMPONENTS_MAX:
            components.append({"code": {"text": f"OBX-5 repetition {number}"}, value[0]: value[1]})
    if len(components) > 1 and kind not in ("NA", "MA"):
        observation["component"] = components
    text = ("\n" if kind in ("NA", "MA") else "; ").join(text for text in texts if text)
    return ("valueString", text) if text else None


def _one_value(kind: str, exact: str, units: str, reading: Reading) -> Value:
    """Return what one repetition says, in the shape of its type, else as a text."""
    if kind == "NM":
        number = parse_number(exact)
        if number is not None:
            return "valueQuantity", read_unit(units, reading.grammar).quantity(number)
        return _no_number(exact, units, reading)
    if kind in _CODES:
        concept = read_concept(exact, reading.grammar)
        return ("valueCodeableConcept", concept.json) if concept is not None else None
    maker = _MAKERS.get(kind)
    value = maker(exact, units, reading) if maker is not None else None
    if value is not None:
        return value
    text = _readable(exact, reading.grammar)
    return ("valueString", text) if text else None


def _no_number(exact: str, units: str, reading: Reading) -> Value:
    """Return an NM that is not only a number: with a comparator in front, or as the text that it is."""
    text = reading.grammar.part(reading.grammar.components(exact), 0)
    comparator = next((sign for sign in _COMPARATORS if text.startswith(sign)), "")
    number = parse_number(text[len(comparator) :].strip())
    if number is not None:
        return "valueQuantity", read_unit(units, reading.grammar).quantity(number, comparator)
    text = _readable(exact, reading.grammar)
    if not text:
        return None
    reading.remark("hl7v2.not-a-number", "an OBX-5 of type NM is no number; charted as the text it is.")
    return "valueString", text


def _structured_number(exact: str, units: str, reading: Reading) -> Value:
    """Return an SN: comparator ^ number ^ separator ^ number."""
    grammar = reading.grammar
    parts = grammar.components(exact)
    sign, first, separator, second = (grammar.part(parts, index) for index in range(4))
    number, other = parse_number(first), parse_number(second)
    if sign in _SIGNS:
        comparator = sign if sign in _COMPARATORS else ""
        unit = read_unit(units, grammar)
        if number is not None and not separator and not second:
            return "valueQuantity", unit.quantity(number, comparator)
        if number is not None and other is not None and separator in (":", "/"):
            numerator: dict[str, Any] = {"value": number}
            if comparator:
                numerator["comparator"] = comparator
            return "valueRatio", {"numerator": numerator, "denominator": {"value": other}}
        if number is None or other is None or separator != "-" or comparator:
            pass  # a text, below
        elif float(first) <= float(second):
            return "valueRange", {"low": unit.quantity(number), "high": unit.quantity(other)}
    text = "".join(part for part in (sign, first, separator, second) if part)
    return ("valueString", f"{text} {read_unit(units, grammar).unit}".rstrip()) if text else None


def _date_time(exact: str, _units: str, reading: Reading) -> Value:
    moment = reading.moment(exact, "OBX-5")
    return ("valueDateTime", moment.iso) if moment is not None else None


def _clock(exact: str, _units: str, reading: Reading) -> Value:
    clock = parse_clock(reading.grammar.text(exact))
    return ("valueTime", clock) if clock else None


def _period(exact: str, _units: str, reading: Reading) -> Value:
    parts = [*reading.grammar.components(exact), ""]
    start, end = reading.moment(parts[0], "OBX-5"), reading.moment(parts[1], "OBX-5")
    if start is None and end is None:
        return None
    if start is not None and end is not None and start.at > end.at:
        return None
    period = {"start": start.iso if start else "", "end": end.iso if end else ""}
    return "valuePeriod", {key: value for key, value in period.items() if value}


def _range(exact: str, units: str, reading: Reading) -> Value:
    grammar = reading.grammar
    parts = grammar.components(exact)
    low, high = parse_number(grammar.part(parts, 0)), parse_number(grammar.part(parts, 1))
    if low is None and high is None:
        return None
    if low is not None and high is not None and float(grammar.part(parts, 0)) > float(grammar.part(parts, 1)):
        return None
    unit = read_unit(units, grammar)
    found = {"low": low, "high": high}
    return "valueRange", {key: unit.quantity(number) for key, number in found.items() if number is not None}


def _quantity(exact: str, units: str, reading: Reading) -> Value:
    """Return a CQ: quantity ^ units, the unit being the type's own, else that of OBX-6."""
    grammar = reading.grammar
    parts = grammar.components(exact)
    number = parse_number(grammar.part(parts, 0))
    if number is None:
        return None
    own = grammar.component.join(grammar.subcomponents(parts[1])) if len(parts) > 1 and grammar.component else ""
    return "valueQuantity", read_unit(own or units, grammar).quantity(number)


def _readable(exact: str, grammar: Grammar) -> str:
    """Return any type as a text: its parts in order, with blanks between."""
    if exact == NULL:
        return ""
    parts = [grammar.text(part) for component in grammar.components(exact) for part in grammar.subcomponents(component)]
    return " ".join(part for part in parts if part)


_MAKERS: dict[str, Callable[[str, str, Reading], Value]] = {
    "SN": _structured_number,
    "DT": _date_time,
    "TS": _date_time,
    "DTM": _date_time,
    "TM": _clock,
    "DR": _period,
    "NR": _range,
    "CQ": _quantity,
}
