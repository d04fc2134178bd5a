import pytest

from translate.scene import adt, codes, content, contents, faults, statement

EVN = "EVN||20260315093000"
PID = "PID|1||42^^^CHU^PI"


def test_an_allergy_says_to_what_how_it_shows_and_how_bad() -> None:
    translation = adt("A28", EVN, PID, "AL1|1|DA|7980^Pénicilline^RXN|SV|Choc~Urticaire|20100512")
    allergy = content(translation, "AllergyIntolerance")
    assert allergy["code"]["text"] == "Pénicilline"
    assert (allergy["type"], allergy["category"], allergy["criticality"]) == ("allergy", ["medication"], "high")
    assert allergy["reaction"] == [{"manifestation": [{"text": "Choc"}, {"text": "Urticaire"}], "severity": "severe"}]
    assert allergy["onsetDateTime"] == "2010-05-12"
    assert faults(statement(translation, "AllergyIntolerance")) == []


@pytest.mark.parametrize("allergen", ["716186003^^SCT", "^No known allergies", "NKA", "^Aucune allergie connue"])
def test_none_known_is_said_in_the_code_that_fhir_has_for_it(allergen: str) -> None:
    translation = adt("A28", EVN, PID, f"AL1|1|MA|{allergen}")
    allergy = content(translation, "AllergyIntolerance")
    assert allergy["code"]["coding"][0]["code"] == "716186003"
    assert "type" not in allergy
    assert faults(statement(translation, "AllergyIntolerance")) == []


def test_the_same_allergy_sent_again_is_one_and_another_is_another() -> None:
    first = statement(adt("A28", EVN, PID, "AL1|1|DA|^Pénicilline"), "AllergyIntolerance")
    again = statement(adt("A08", EVN, PID, "AL1|7|DA|^Pénicilline|SV"), "AllergyIntolerance")
    other = statement(adt("A28", EVN, PID, "AL1|1|DA|^Latex"), "AllergyIntolerance")
    assert first.id == again.id != other.id


def test_an_allergy_to_nothing_is_remarked_and_the_others_are_charted() -> None:
    translation = adt("A28", EVN, PID, "AL1|1|DA|", "AL1|2|FA|^Arachide")
    assert [one["code"]["text"] for one in contents(translation, "AllergyIntolerance")] == ["Arachide"]
    assert {"hl7v2.allergy-unnamed"} == codes(translation)
