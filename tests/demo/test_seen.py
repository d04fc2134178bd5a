from base64 import b64encode

from releve.demo.account import Entry, Fact, Sent
from releve.demo.seen import Comparison, _compare_fact, expected_facts


def _entry(at: float, code: str, *facts: Fact) -> Entry:
    return Entry(Sent(f"{at}", "GAM", "H01", True, "", list(facts), at), code)


def _result(value: str, status: str = "final") -> Fact:
    return Fact("result", "s|R1.2823-3", {"patient": "s|1", "value": value, "unit": "mmol/L", "status": status})


def _observation(value: float, number: str = "R1.2823-3") -> dict[str, object]:
    return {
        "identifier": [{"system": "s", "value": number}],
        "valueQuantity": {"value": value, "code": "mmol/L"},
        "status": "final",
    }


def _compared(fact: Fact, *resources: dict[str, object]) -> Comparison:
    comparison = Comparison()
    _compare_fact("H01", fact, list(resources), comparison)
    return comparison


def test_the_last_acknowledged_word_about_a_thing_is_expected() -> None:
    assert expected_facts([_entry(2, "AA", _result("4.4")), _entry(1, "AA", _result("4.2"))]) == [_result("4.4")]


def test_nothing_is_expected_of_a_thing_whose_last_message_has_no_answer() -> None:
    assert expected_facts([_entry(1, "AA", _result("4.2")), _entry(2, "", _result("4.4"))]) == []


def test_a_mention_of_somebody_does_not_hide_what_was_said_of_them() -> None:
    said, mentioned = Fact("person", "s|1", {"family": "X"}), Fact("person", "s|1", {})
    assert expected_facts([_entry(1, "AA", said), _entry(2, "AA", mentioned)]) == [said]


def test_a_value_is_compared_as_a_number() -> None:
    assert _compared(_result("4.20"), _observation(4.2)).found == 1


def test_another_value_is_wrong_an_absent_one_lost_and_a_second_one_doubled() -> None:
    assert _compared(_result("4.2"), _observation(4.3)).wrong == [
        "H01: result R1.2823-3: value is '4.3', '4.2' was sent"
    ]
    assert _compared(_result("4.2"), _observation(4.2, "R2.2823-3")).lost == ["H01: result R1.2823-3 is not there"]
    assert _compared(_result("4.2"), _observation(4.2), _observation(4.2)).duplicated == [
        "H01: result R1.2823-3 is there 2 times"
    ]


def test_a_note_is_found_by_what_it_says() -> None:
    data = b64encode(b"calme [H01-note-0001]").decode()
    document = {"content": [{"attachment": {"data": data}}]}
    assert _compared(Fact("note", "H01-note-0001", {"patient": "s|1"}), document).found == 1
    assert _compared(Fact("note", "H01-note-0002", {"patient": "s|1"}), document).found == 0
