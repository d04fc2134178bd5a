import orjson

from releve.ids import computed_id
from translate.scene import adt, codes, contents, edge, needs_shared, said

EVN = "EVN||20260315093000"


def _patient(value: str, system: str = "urn:id:CHU") -> str:
    return computed_id("Patient", system, value)


def test_each_group_of_a_message_is_a_merge_of_its_own() -> None:
    translation = adt("A40", EVN, "PID|1||42^^^CHU^PI", "MRG|77^^^CHU^PI", "PID|2||43^^^CHU^PI", "MRG|78^^^CHU^PI")
    merges = [one for one in translation.statements if one.verb == "merge"]
    assert [(_patient("77"), _patient("42")), (_patient("78"), _patient("43"))] == [
        (one.id, orjson.loads(one.content)["into"]) for one in merges
    ]
    assert translation.understood


def test_a_merge_states_what_it_says_of_the_survivor_and_takes_none_of_its_numbers_away() -> None:
    translation = adt("A40", EVN, "PID|1||42^^^CHU^PI||DOE^JANE", "MRG|77^^^CHU^PI|||||OLD^NAME")
    verbs = [(one.verb, one.id) for one in translation.statements]
    assert [
        ("mention", _patient("42")),
        ("patch", _patient("42")),
        ("mention", _patient("77")),
        ("merge", _patient("77")),
    ] == verbs
    assert {"name"} == orjson.loads(translation.statements[1].content).keys()
    loser = orjson.loads(translation.statements[2].content)
    assert (loser["identifier"][0]["use"], loser["identifier"][0]["value"]) == ("old", "77")


def test_the_name_before_the_merge_is_kept_with_the_file_that_goes() -> None:
    translation = adt("A40", EVN, "PID|1||42^^^CHU^PI", "MRG|77^^^CHU^PI||||||VIEUX^NOM")
    loser = [one for one in contents(translation, "Patient", "mention") if "name" in one]
    assert loser[0]["name"] == [{"use": "old", "family": "VIEUX", "given": ["NOM"]}]


def test_a_patient_is_not_merged_with_itself() -> None:
    translation = adt("A40", EVN, "PID|1||42^^^CHU^PI", "MRG|42^^^CHU^PI")
    assert translation.statements == []
    assert {"hl7v2.merge-with-itself"} == codes(translation)
    assert not translation.understood


def test_a_merge_that_names_no_loser_needs_a_person_and_the_others_happen() -> None:
    translation = adt("A40", EVN, "PID|1||42^^^CHU^PI", "MRG|", "PID|2||43^^^CHU^PI", "MRG|78^^^CHU^PI")
    assert sum(one.verb == "merge" for one in translation.statements) == 1
    assert translation.reason.startswith("hl7v2.merge-incomplete: 1 of 2")


def test_a_merge_without_any_mrg_needs_a_person() -> None:
    assert not adt("A40", EVN, "PID|1||42^^^CHU^PI").understood


@needs_shared
def test_the_edge_merge_takes_77_into_42() -> None:
    translation = said(edge("fr-a40-merge"))
    (merge,) = [one for one in translation.statements if one.verb == "merge"]
    assert _patient("000077", "urn:id:CHU-TEST") == merge.id == merge.subject
    assert _patient("000042", "urn:id:CHU-TEST") == orjson.loads(merge.content)["into"]
