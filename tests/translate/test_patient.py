from typing import Any

import pytest

from releve.ids import computed_id
from releve.translate.patient import IDENTITY_RELIABILITY
from translate.scene import INS, adt, codes, content, edge, needs_shared, oru, said, statement, text

NUMBER = "42^^^CHU^PI"


def pid(**fields: str) -> str:
    """Return a PID with PID-3 and what is given as f5, f7…"""
    values = ["PID", "1", "", NUMBER] + [""] * 37
    for name, value in fields.items():
        values[int(name[1:])] = value
    return "|".join(values).rstrip("|")


def patient(**fields: str) -> dict[str, Any]:
    return content(adt("A28", pid(**fields)), "Patient")


def test_a_patient_is_named_by_a_number_and_who_gave_it() -> None:
    said_of = statement(adt("A28", pid()), "Patient", "patch")
    assert computed_id("Patient", "urn:id:CHU", "42") == said_of.id == said_of.subject


def test_all_numbers_are_kept_with_their_type() -> None:
    numbers = patient(f3="42^^^CHU&1.2.250.9&ISO^PI~A7^^^SAMU^AN~99")["identifier"]
    assert [(number["system"], number["value"]) for number in numbers] == [
        ("urn:oid:1.2.250.9", "42"),
        ("urn:id:SAMU", "A7"),
        ("urn:id:CHU", "99"),
    ]
    assert [number.get("type", {}).get("coding", [{}])[0].get("code") for number in numbers] == ["PI", "AN", None]


def test_the_name_of_birth_and_the_name_in_use_and_all_given_names() -> None:
    names = patient(f5="LÉGER^ÉLODIE^ÉLODIE ANNE^^^^L~NOËL^ÉLODIE^^^^^D")["name"]
    assert names == [
        {"use": "official", "family": "LÉGER", "given": ["ÉLODIE", "ANNE"]},
        {"use": "usual", "family": "NOËL", "given": ["ÉLODIE"]},
    ]


def test_a_middle_name_a_prefix_and_a_suffix_are_kept() -> None:
    assert patient(f5="Jones^William^A^Jr^Dr^PhD")["name"] == [
        {"use": "official", "family": "Jones", "given": ["William", "A"], "prefix": ["Dr"], "suffix": ["Jr", "PhD"]}
    ]


@pytest.mark.parametrize(
    ("sent", "gender"), [("F", "female"), ("M", "male"), ("A", "other"), ("f", "female"), ("7", "unknown")]
)
def test_the_sex_is_translated(sent: str, gender: str) -> None:
    assert gender == patient(f8=sent)["gender"]


def test_a_birth_date_stays_a_date_and_keeps_its_hour_beside_it() -> None:
    assert patient(f7="19800214")["birthDate"] == "1980-02-14"
    assert patient(f7="1980")["birthDate"] == "1980"
    newborn = patient(f7="202603150312")
    assert newborn["birthDate"] == "2026-03-15"
    assert newborn["_birthDate"]["extension"][0]["valueDateTime"] == "2026-03-15T03:12:00+01:00"
    assert "_birthDate" not in patient(f7="19800214000000")


def test_a_birth_date_that_is_none_is_left_as_it_was_and_remarked() -> None:
    translation = adt("A28", pid(f7="31/12/80", f8="F"))
    assert "birthDate" not in content(translation, "Patient")
    assert content(translation, "Patient")["gender"] == "female"
    assert {"hl7v2.birth-date-unreadable"} == codes(translation)


def test_addresses_and_the_place_of_birth_are_told_apart() -> None:
    found = patient(f11="12 rue^esc. B^BESANÇON^^25000^FRA^H~^^^^^^BDL^^25056")
    assert found["address"] == [
        {"line": ["12 rue", "esc. B"], "city": "BESANÇON", "postalCode": "25000", "country": "FRA", "use": "home"}
    ]
    (birth,) = [one for one in found["extension"] if one["url"].endswith("patient-birthPlace")]
    assert birth["valueAddress"]["extension"][0]["valueCoding"]["code"] == "25056"


def test_an_address_of_birth_alone_does_not_take_the_home_away() -> None:
    assert "address" not in patient(f11="^^^^^^BDL^^25056")


def test_telephones_of_every_form_are_kept() -> None:
    found = patient(f13="^PRN^PH^^^^^^^^^0102030405~^PRS^CP^^33^6^12345678~^NET^Internet^a@example.org", f14="0203")
    assert found["telecom"] == [
        {"system": "phone", "value": "0102030405", "use": "home"},
        {"system": "phone", "value": "+33 6 12345678", "use": "mobile"},
        {"system": "email", "value": "a@example.org", "use": "home"},
        {"system": "phone", "value": "0203", "use": "work"},
    ]


def test_a_death_has_a_date_or_a_flag_and_never_both() -> None:
    assert _death(patient(f29="202603150312", f30="Y")) == ("2026-03-15T03:12:00+01:00", None)
    assert _death(patient(f30="Y")) == ("absent", True)
    assert _death(patient(f30="N")) == (None, False)


def _death(found: dict[str, Any]) -> tuple[object, object]:
    return found.get("deceasedDateTime", "absent"), found.get("deceasedBoolean", "absent")


def test_two_quotes_delete_and_an_empty_field_says_nothing() -> None:
    found = patient(f5='""', f7='""', f8="", f11='""', f13='""', f16='""')
    for element in ("name", "birthDate", "address", "telecom", "maritalStatus"):
        assert found[element] is None
    assert "gender" not in found
    assert "deceasedBoolean" not in found


@needs_shared
def test_the_edge_message_with_nulls_deletes_what_it_says_and_nothing_else() -> None:
    found = content(said(edge("null-vs-empty-a08")), "Patient")
    assert (found["birthDate"], found["address"], found["telecom"]) == (None, None, None)
    assert found["name"] == [{"use": "official", "family": "LEGER", "given": ["ELODIE"]}]


def _ins(arc: int) -> str:
    return f"{NUMBER}~" + INS.format(value="180021400000001", arc=arc)


def _systems(found: dict[str, Any]) -> list[str]:
    return [number["system"] for number in found["identifier"]]


def test_an_ins_counts_under_its_authority_and_beside_a_qualified_identity() -> None:
    found = patient(f3=_ins(8), f32="VALI")
    assert _systems(found) == ["urn:id:CHU", "urn:oid:1.2.250.1.213.1.4.8"]
    assert found["identifier"][1]["type"]["coding"][0]["code"] == "INS-NIR"
    (reliability,) = found["extension"]
    assert (reliability["url"], reliability["extension"][0]["valueCoding"]["code"]) == (IDENTITY_RELIABILITY, "VALI")


@pytest.mark.parametrize("status", ["PROV", "DOUT", "FICT", ""])
def test_an_ins_beside_an_identity_that_is_not_qualified_is_taken_away(status: str) -> None:
    translation = adt("A31", pid(f3=_ins(8), f32=status))
    assert _systems(content(translation, "Patient")) == ["urn:id:CHU"]
    assert {"hl7v2.ins-not-qualified"} == codes(translation)


@pytest.mark.parametrize("arc", [10, 11])
def test_a_test_ins_is_no_identity_in_production_and_is_one_elsewhere(arc: int) -> None:
    raw = text(pid(f3=_ins(arc), f32="VALI"), type_="ADT^A28")
    production, training = said(raw), said(raw, production=False)
    assert _systems(content(production, "Patient")) == ["urn:id:CHU"]
    assert {"hl7v2.ins-test"} == codes(production)
    assert ["urn:id:CHU", f"urn:oid:1.2.250.1.213.1.4.{arc}"] == _systems(content(training, "Patient"))


def test_a_number_that_only_calls_itself_ins_is_left_out() -> None:
    translation = adt("A28", pid(f3=f"{NUMBER}~123^^^SOMEWHERE^INS", f32="VALI"))
    assert _systems(content(translation, "Patient")) == ["urn:id:CHU"]
    assert {"hl7v2.ins-authority"} == codes(translation)


def test_no_remark_holds_what_a_field_said_of_the_patient() -> None:
    translation = adt("A28", pid(f3=_ins(10), f5="SECRETFAMILY^X", f7="SECRETDATE", f8="M", f32="VALI"))
    assert translation.remarks
    assert not [remark for remark in translation.remarks if "SECRET" in remark or "180021400000001" in remark]


@needs_shared
def test_an_identity_that_is_no_longer_qualified_loses_its_ins() -> None:
    before = content(said(edge("fr-a01-utf8"), production=False), "Patient")
    after = content(said(edge("fr-a31-ins-qualified-then-removed"), production=False), "Patient")
    assert len(before["identifier"]) == 2
    assert _systems(after) == ["urn:id:CHU-TEST"]


@needs_shared
@pytest.mark.parametrize("name", ["fr-a01-utf8", "fr-a01-latin1", "fr-a01-declared-latin1-but-utf8"])
def test_the_same_admission_in_any_character_set_is_the_same_patient(name: str) -> None:
    found = content(said(edge(name)), "Patient")
    assert [one["family"] for one in found["name"]] == ["LÉGER", "NOËL"]
    assert found["address"][0]["line"][0] == "12 rue de l'Évêché"


def test_a_result_only_mentions_its_patient_and_deletes_nothing() -> None:
    translation = oru(pid(f5="DOE^JANE", f7='""', f13="0102030405"), "OBR|1||FL1|X", "OBX|1|ST|X||a||||||F")
    assert statement(translation, "Patient").verb == "mention"
    assert {"identifier", "name"} == content(translation, "Patient").keys()


@pytest.mark.parametrize("number", ["", '""', "^^^CHU^PI"])
def test_a_message_that_names_nobody_is_kept_and_not_charted(number: str) -> None:
    translation = adt("A28", pid(f3=number))
    assert not translation.understood
    assert translation.reason.startswith("hl7v2.no-patient-number")
    assert translation.statements == []


def test_the_older_number_fields_name_a_patient_when_pid_3_is_empty() -> None:
    assert patient(f3="", f2="7")["identifier"] == [{"system": "urn:id:CHU", "value": "7"}]
