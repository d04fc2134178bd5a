"""A glance sees in a result what reading all of it sees, and leaves to others what is not written as results are."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.bench.messages import Traffic
from releve.record.archive import GLANCED
from releve.record.glance import glance
from releve.record.terms import clinical_time, first_code
from releve.translate import translate
from releve.wire.hl7v2 import parse

RESULT: dict[str, Any] = {
    "status": "final",
    "code": {"coding": [{"display": "K"}, {"system": "http://loinc.org", "code": "2823-3"}], "text": "Potassium"},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-08-03T11:00:00+02:00",
    "valueQuantity": {"value": 4.2},
}

_TIMES = st.sampled_from(["2024", "2024-08", "2024-08-03", "2024-08-03T11:00:00+02:00", "", "soon", "0001-01-01"])
_ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.lists(st.integers(), max_size=2))
_CODING = st.fixed_dictionaries({}, optional={"system": st.text(max_size=4) | st.none(), "code": st.text(max_size=4)})
_ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(["final", "amended"]) | _ODD,
    "code": st.fixed_dictionaries({}, optional={"coding": st.lists(_CODING, max_size=3), "text": st.text()}) | _ODD,
    "subject": st.sampled_from([{"reference": "Patient/p1"}, {"reference": "Group/g"}, {"display": "x"}, {}]) | _ODD,
    "effectiveDateTime": _TIMES | _ODD,
    "effectivePeriod": st.fixed_dictionaries({}, optional={"start": _TIMES}) | _ODD,
    "issued": _TIMES | _ODD,
    "date": _TIMES | _ODD,
    "period": st.fixed_dictionaries({}, optional={"start": _TIMES}) | _ODD,
    "identifier": st.lists(st.fixed_dictionaries({"value": st.text(max_size=3)}), max_size=2) | _ODD,
}


def test_a_result_is_seen_at_a_glance() -> None:
    seen = glance(json.dumps(RESULT).encode())
    assert seen is not None
    assert (seen.patient_id, seen.status, seen.code) == ("p1", "final", "http://loinc.org|2823-3")
    assert seen.at == clinical_time(RESULT)
    assert seen.identified is None


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"reference": "Group/g1"}},
        {"subject": {"display": "somebody"}},
        {"resourceType": "Observation"},
        {"status": None},
        {"code": "K"},
        {"effectiveDateTime": {"start": "2024"}},
    ],
)
def test_what_is_written_in_another_way_is_read_whole(change: dict[str, Any]) -> None:
    assert glance(json.dumps({**RESULT, **change}).encode()) is None


def test_what_is_no_json_is_read_whole_and_refused_there() -> None:
    assert glance(b"{") is None
    assert glance(b'{"status": "\xff"}') is None


@given(st.fixed_dictionaries({}, optional=_ELEMENTS))
def test_whatever_a_glance_sees_is_what_reading_all_of_it_sees(change: dict[str, Any]) -> None:
    doc = {**RESULT, **change}
    seen = glance(json.dumps(doc).encode())
    if seen is not None:
        assert seen.at == clinical_time(doc)
        assert seen.code == first_code(doc["code"])
        assert seen.status == doc["status"]
        assert f"Patient/{seen.patient_id}" == doc["subject"]["reference"]
        assert (seen.identified or {}).get("identifier") == doc.get("identifier")


def test_the_results_of_a_laboratory_are_seen_at_a_glance() -> None:
    told = [
        statement
        for raw in Traffic(1, 20).messages(50)
        for statement in translate(
            parse(raw), received_at=1_722_682_800_000_000, zone=ZoneInfo("Europe/Paris")
        ).statements
        if statement.type in GLANCED
    ]
    assert len(told) > 100
    assert all(glance(statement.content) is not None for statement in told)
