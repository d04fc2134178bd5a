import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.translate.coding import (
    encode,
    parse_number,
    read_concept,
    read_flags,
    read_practitioner,
    read_range,
    read_unit,
)
from releve.translate.grammar import grammar_of
from releve.wire.hl7v2 import parse
from translate.scene import text

GRAMMAR = grammar_of(parse(text("PID|1")))


def _concept(exact: str) -> object:
    concept = read_concept(exact, GRAMMAR)
    return orjson.loads(encode(concept.json)) if concept else None


def test_both_codings_and_the_original_text_are_kept() -> None:
    assert _concept("112283007^Escherichia coli^SCT^ECO^E. coli^L^2025^^colibacille") == {
        "coding": [
            {"system": "http://snomed.info/sct", "code": "112283007", "display": "Escherichia coli", "version": "2025"},
            {"system": "urn:id:CHU:L", "code": "ECO", "display": "E. coli"},
        ],
        "text": "colibacille",
    }


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("LN", "http://loinc.org"),
        ("ln", "http://loinc.org"),
        ("UCUM", "http://unitsofmeasure.org"),
        ("HL70078", "http://terminology.hl7.org/CodeSystem/v2-0078"),
        ("L", "urn:id:CHU:L"),
        ("99LAB", "urn:id:CHU:99LAB"),
        ("WinPath", "urn:id:WinPath"),
        ("1.2.250.1.213", "urn:oid:1.2.250.1.213"),
    ],
)
def test_a_code_system_is_named_by_a_uri_and_a_local_one_belongs_to_its_sender(name: str, system: str) -> None:
    concept = read_concept(f"X^x^{name}", GRAMMAR)
    assert concept is not None
    assert system == concept.codings[0]["system"]


def test_a_text_without_a_code_is_a_text() -> None:
    assert _concept("^Hémoglobine") == {"text": "Hémoglobine"}
    assert _concept("^^LN") is None
    assert _concept("") is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("72.50", "72.50"),
        ("+5", "5"),
        ("-0.5", "-0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("0", "0"),
        ("0.00", "0.00"),
        ("1E3", "1e3"),
        ("12345678901234567890.123", "12345678901234567890.123"),
    ],
)
def test_a_number_keeps_every_digit(sent: str, kept: str) -> None:
    number = parse_number(sent)
    assert number is not None
    assert kept == encode(number).decode()


@pytest.mark.parametrize(
    "sent", ["", "<0.5", "4,5", "1 000", "-", ".", "NaN", "inf", "0x10", "1_000", "٣", "9" * 50, "1e310"]
)
def test_what_is_no_number_is_none_and_never_zero(sent: str) -> None:
    assert parse_number(sent) is None


@given(st.text(alphabet="0123456789.+-eE", max_size=12))
def test_a_number_is_json_of_the_same_value(sent: str) -> None:
    number = parse_number(sent)
    if number is not None:
        assert float(sent) == orjson.loads(encode(number))


def test_the_ucum_coding_is_the_unit_wherever_it_stands_and_nothing_is_called_ucum_that_was_not() -> None:
    assert _unit("g/dL^grams per deciliter^UCUM") == ("g/dL", "g/dL")
    assert _unit("MCGML^^L^ug/mL^^UCUM") == ("ug/mL", "ug/mL")
    assert _unit("mmol/L") == ("mmol/L", "")
    assert _unit("") == ("", "")


def _unit(exact: str) -> tuple[str, str]:
    unit = read_unit(exact, GRAMMAR)
    return unit.unit, unit.code


def test_a_reference_range_is_two_numbers_when_it_is_and_its_text_always() -> None:
    unit = {"unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
    assert [{"low": {"value": 12.0, **unit}, "high": {"value": 16.0, **unit}, "text": "12.0-16.0"}] == _range(
        "12.0-16.0"
    )
    assert [{"high": {"value": 5, **unit}, "text": "<5"}] == _range("<5")
    assert [{"low": {"value": 60, **unit}, "text": ">= 60"}] == _range(">= 60")
    assert _range("négatif") == [{"text": "négatif"}]
    assert _range("16-12") == [{"text": "16-12"}]
    assert _range("") is None


def _range(exact: str) -> object:
    found = read_range(exact, "g/dL^^UCUM", GRAMMAR)
    return orjson.loads(encode(found)) if found else None


def test_flags_have_their_names_and_unknown_ones_stay_what_they_were() -> None:
    flags = read_flags("H~QQ^bizarre", GRAMMAR)
    assert flags is not None
    high, odd = orjson.loads(encode(flags))
    assert high["coding"][0]["display"] == "High"
    assert odd["coding"][0] == {
        "system": "http://terminology.hl7.org/CodeSystem/v2-0078",
        "code": "QQ",
        "display": "bizarre",
    }


def test_a_doctor_is_referred_to_by_number_and_name() -> None:
    doctor = read_practitioner("10000000011^MARTIN^PAUL^^^DR^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO", GRAMMAR)
    assert doctor is not None
    assert orjson.loads(encode(doctor)) == {
        "type": "Practitioner",
        "identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "10000000011"},
        "display": "DR PAUL MARTIN",
    }


def test_characters_that_no_encoding_carries_do_not_lose_the_resource() -> None:
    assert orjson.loads(encode({"a": ["x\ud800"], "b\ud800": "\udfff"})) == {"a": ["x?"], "b?": "?"}
