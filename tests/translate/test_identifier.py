import pytest

from releve.translate.grammar import grammar_of
from releve.translate.identifier import Number, naming, read_cx, read_ei
from releve.wire.hl7v2 import parse
from translate.scene import text

GRAMMAR = grammar_of(parse(text("PID|1")))


@pytest.mark.parametrize(
    ("authority", "system"),
    [
        ("CHU-TEST&000000000&N", "urn:id:CHU-TEST"),
        ("CHU&1.2.250.1.99&ISO", "urn:oid:1.2.250.1.99"),
        ("&2.16.840.1.113883.3.72&ISO", "urn:oid:2.16.840.1.113883.3.72"),
        ("1.2.250.1.99", "urn:oid:1.2.250.1.99"),
        ("X&https://example.org/ipp&URI", "https://example.org/ipp"),
        ("X&9B4E1C9A-0000-4000-8000-000000000001&UUID", "urn:uuid:9b4e1c9a-0000-4000-8000-000000000001"),
        ("&lab.example.org&DNS", "urn:id:lab.example.org"),
        ("HOPITAL NORD", "urn:id:HOPITAL%20NORD"),
        ("", "urn:id:CHU"),
    ],
)
def test_who_gave_a_number_becomes_a_system(authority: str, system: str) -> None:
    number = read_cx(f"42^^^{authority}^PI", GRAMMAR)
    assert number is not None
    assert (number.system, number.value, number.type) == (system, "42", "PI")


def test_a_number_without_a_value_is_none() -> None:
    assert read_cx("^^^CHU^PI", GRAMMAR) is None
    assert read_cx('""^^^CHU^PI', GRAMMAR) is None


def test_a_number_keeps_the_time_it_holds_for() -> None:
    number = read_cx("42^^^CHU^PI^^20250101^20261231", GRAMMAR)
    assert number is not None
    assert number.fhir()["period"] == {"start": "2025-01-01", "end": "2026-12-31"}


def test_an_order_number_has_its_authority_in_the_following_components() -> None:
    assert Number("urn:oid:1.2.3.4", "FL1", "") == read_ei("FL1^SIL^1.2.3.4^ISO", GRAMMAR)
    assert Number("urn:id:SIL", "FL1", "") == read_ei("FL1^SIL", GRAMMAR)
    assert Number("urn:id:CHU", "FL1", "") == read_ei("FL1", GRAMMAR)
    assert read_ei("^SIL", GRAMMAR) is None


def test_the_naming_number_is_the_first_pi_or_mr_then_the_first_that_is_no_ins() -> None:
    ins = Number("urn:oid:1.2.250.1.213.1.4.8", "1", "INS")
    account, record, local = Number("a", "2", "AN"), Number("b", "3", "MR"), Number("c", "4", "PI")
    assert record == naming([ins, account, record, local])
    assert account == naming([ins, account])
    assert ins == naming([ins])
    assert naming([]) is None


def test_the_short_name_of_an_authority_is_kept_beside_its_oid_for_receivers_that_compare_it() -> None:
    named = read_cx("42^^^CHU&1.2.250.1.99&ISO^PI", GRAMMAR)
    assert named is not None
    assert named.fhir()["assigner"] == {"display": "CHU"}
    bare = read_cx("42^^^CHU^PI", GRAMMAR)
    assert bare is not None
    assert "assigner" not in bare.fhir()
