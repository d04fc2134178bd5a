from typing import Any

import pytest

from translate.scene import codes, observation, oru


def _value(kind: str, field: str, units: str = "", status: str = "F") -> dict[str, Any]:
    found = observation(kind, "718-7^Hb^LN", "", field, units, "", "", "", "", status)
    names = ("dataAbsentReason", "component")
    return {name: value for name, value in found.items() if name.startswith("value") or name in names}


UCUM = {"unit": "mg/L", "system": "http://unitsofmeasure.org", "code": "mg/L"}
RATIO = {"numerator": {"value": 1}, "denominator": {"value": 128}}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("NM", "13.1", {"valueQuantity": {"value": 13.1, **UCUM}}),
        ("NM", "<0.5", {"valueQuantity": {"value": 0.5, "comparator": "<", **UCUM}}),
        ("NM", ">= 100", {"valueQuantity": {"value": 100, "comparator": ">=", **UCUM}}),
        ("NM", "4,5", {"valueString": "4,5"}),
        ("NM", "hémolysé", {"valueString": "hémolysé"}),
        ("SN", ">^100", {"valueQuantity": {"value": 100, "comparator": ">", **UCUM}}),
        ("SN", ">=^320", {"valueQuantity": {"value": 320, "comparator": ">=", **UCUM}}),
        ("SN", "^5", {"valueQuantity": {"value": 5, **UCUM}}),
        ("SN", "^1^:^128", {"valueRatio": RATIO}),
        ("SN", "^1^/^128", {"valueRatio": RATIO}),
        ("SN", "^2^-^5", {"valueRange": {"low": {"value": 2, **UCUM}, "high": {"value": 5, **UCUM}}}),
        ("SN", "^5^-^2", {"valueString": "5-2 mg/L"}),
        ("SN", "^2^+", {"valueString": "2+ mg/L"}),
        ("SN", "<>^3", {"valueString": "<>3 mg/L"}),
        ("DT", "20260301", {"valueDateTime": "2026-03-01"}),
        ("TS", "202603150812", {"valueDateTime": "2026-03-15T08:12:00+01:00"}),
        ("DTM", "demain", {"valueString": "demain"}),
        ("TM", "0812", {"valueTime": "08:12:00"}),
        ("TM", "25h", {"valueString": "25h"}),
        ("DR", "20260301^20260305", {"valuePeriod": {"start": "2026-03-01", "end": "2026-03-05"}}),
        ("NR", "2^5", {"valueRange": {"low": {"value": 2, **UCUM}, "high": {"value": 5, **UCUM}}}),
        ("CQ", "5^mL", {"valueQuantity": {"value": 5, "unit": "mL"}}),
        ("NA", "1^2^3~4^5^6", {"valueString": "1 2 3\n4 5 6"}),
        ("CX", "123^^^AUT", {"valueString": "123 AUT"}),
        ("VR", "1~3", {"valueString": "1\n3"}),
        ("", "texte libre", {"valueString": "texte libre"}),
        ("ST", "pipe\\F\\ caret\\S\\ tilde\\R\\", {"valueString": "pipe| caret^ tilde~"}),
        ("FT", "ligne 1\\.br\\ligne 2", {"valueString": "ligne 1\nligne 2"}),
        ("TX", "un~deux\\R\\trois", {"valueString": "un\ndeux~trois"}),
        ("IS", "POS", {"valueCodeableConcept": {"coding": [{"code": "POS"}], "text": "POS"}}),
    ],
)
def test_a_value_becomes_what_it_is(kind: str, field: str, value: dict[str, Any]) -> None:
    assert value == _value(kind, field, "mg/L^^UCUM")


@pytest.mark.parametrize("kind", ["NM", "SN", "CWE", "DT", "ST", ""])
@pytest.mark.parametrize("field", ["", '""'])
def test_no_value_is_no_value_and_never_zero(kind: str, field: str) -> None:
    found = _value(kind, field)
    assert {"dataAbsentReason"} == found.keys()
    assert found["dataAbsentReason"]["coding"][0]["code"] == "unknown"


@pytest.mark.parametrize(
    ("status", "reason"), [("X", "not-performed"), ("N", "not-asked"), ("I", "temp-unknown"), ("P", "temp-unknown")]
)
def test_why_there_is_no_value_follows_from_the_status(status: str, reason: str) -> None:
    assert reason == _value("NM", "", status=status)["dataAbsentReason"]["coding"][0]["code"]


def test_two_codings_of_one_value_are_both_kept() -> None:
    concept = _value("CWE", "112283007^Escherichia coli^SCT^ECO^E. coli^L")["valueCodeableConcept"]
    assert [coding["code"] for coding in concept["coding"]] == ["112283007", "ECO"]


def test_several_coded_values_are_components_and_one_text() -> None:
    found = _value("CWE", "1^Rouge^L~2^Bleu^L")
    assert "Rouge" in found["valueString"]
    assert "Bleu" in found["valueString"]
    assert [one["valueCodeableConcept"]["text"] for one in found["component"]] == ["Rouge", "Bleu"]


def test_a_value_that_is_no_number_is_remarked() -> None:
    translation = oru("PID|1||42^^^CHU^PI", "OBR|1||FL1|X", "OBX|1|NM|X||abc||||||F")
    assert "hl7v2.not-a-number" in codes(translation)
