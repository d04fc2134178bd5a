"""The judge: a resource answers a search or it does not."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.wire.fhir.match import is_before, judge_of, sort_key, target_of
from releve.wire.fhir.parameters import PARAMETERS
from releve.wire.fhir.query import Sort, parse_pairs, parse_query

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"lastUpdated": "2024-08-03T09:00:00.000Z"},
    "active": True,
    "identifier": [
        {"system": "urn:id:H01", "value": "42"},
        {"system": "urn:oid:1.2", "value": "0001", "type": {"text": "numéro de séjour"}},
    ],
    "name": [{"family": "Lefèvre-Roy", "given": ["Élodie", "Anne"]}, {"text": "Mme Roy"}],
    "birthDate": "1950-03-02",
    "gender": "female",
    "address": [{"city": "Saint-Denis", "postalCode": "93200"}],
    "link": [{"other": {"reference": "Patient/p0"}, "type": "replaces"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "category": [{"coding": [{"system": "http://example.org/category", "code": "laboratory"}]}],
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}, {"code": "HB"}],
        "text": "Hb",
    },
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-08-03T09:12:00+02:00",
    "basedOn": [{"reference": "ServiceRequest/r1"}, {"identifier": {"value": "r2"}}],
}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "in-progress",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "period": {"start": "2024-08-01T10:00:00+02:00"},
    "location": [{"location": {"reference": "Location/l1"}}, {"location": {"reference": "Location/l2"}}],
}
ALL = {"Patient": PATIENT, "Observation": OBSERVATION, "Encounter": ENCOUNTER}


def answers(kind: str, text: str) -> bool:
    query = parse_query(kind, parse_pairs(text.encode()), UTC)
    assert not query.ignored
    assert query.criteria
    return all(judge_of(criterion, UTC, 0)(ALL[kind]) for criterion in query.criteria)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Patient", "name=lefevre", True),
        ("Patient", "name=LEFÈVRE-R", True),
        ("Patient", "name=roy", True),
        ("Patient", "name=evre", False),
        ("Patient", "name:contains=roy", True),
        ("Patient", "name:exact=Anne", True),
        ("Patient", "name:exact=anne", False),
        ("Patient", "name=mme", True),
        ("Patient", "given=elo,zoe", True),
        ("Patient", "given=elo&given=zoe", False),
        ("Patient", "family=elodie", False),
        ("Patient", "identifier=42", True),
        ("Patient", "identifier=urn:id:H01|42", True),
        ("Patient", "identifier=urn:id:H02|42", False),
        ("Patient", "identifier=urn:oid:1.2|", True),
        ("Patient", "identifier=|42", False),
        ("Patient", "identifier:not=42", False),
        ("Patient", "identifier:text=numero", True),
        ("Patient", "birthdate=1950", True),
        ("Patient", "birthdate=1950-03-02", True),
        ("Patient", "birthdate=ge1950-03-03", False),
        ("Patient", "birthdate=lt1951&birthdate=gt1949", True),
        ("Patient", "gender=female", True),
        ("Patient", "gender=http://hl7.org/fhir/administrative-gender|female", True),
        ("Patient", "gender=http://example.org|female", False),
        ("Patient", "gender:not=male", True),
        ("Patient", "active=true", True),
        ("Patient", "deceased=false", True),
        ("Patient", "deceased=true", False),
        ("Patient", "death-date:missing=true", True),
        ("Patient", "birthdate:missing=true", False),
        ("Patient", "address-city=saint", True),
        ("Patient", "address-postalcode=93", True),
        ("Patient", "link=Patient/p0", True),
        ("Patient", "_id=p1", True),
        ("Patient", "_id=p2,p1", True),
        ("Patient", "_lastUpdated=2024-08-03", True),
        ("Patient", "_lastUpdated=gt2024-08-03", False),
        ("Observation", "code=718-7", True),
        ("Observation", "code=http://loinc.org|718-7", True),
        ("Observation", "code=http://loinc.org|HB", False),
        ("Observation", "code=|HB", True),
        ("Observation", "code:text=hemo", True),
        ("Observation", "code:not=HB", False),
        ("Observation", "category=laboratory&status=final,amended", True),
        ("Observation", "status:not=final", False),
        ("Observation", "patient=p1", True),
        ("Observation", "patient=p2,Patient/p1", True),
        ("Observation", "subject=p1", True),
        ("Observation", "subject=Group/p1", False),
        ("Observation", "encounter:missing=true", True),
        ("Observation", "based-on=r1", True),
        ("Observation", "based-on:identifier=r2", True),
        ("Observation", "based-on:identifier=urn:id:H01|r2", False),
        ("Observation", "based-on:identifier=r1", False),
        ("Observation", "date=2024-08-03", True),
        ("Observation", "date=2024-08-03T07:12Z", True),
        ("Observation", "date=sa2024-08-03", False),
        ("Encounter", "class=IMP&status=in-progress", True),
        ("Encounter", "date=ge2024-08-20", True),
        ("Encounter", "date=lt2024-08-01", False),
        ("Encounter", "date=eb2030", False),
        ("Encounter", "location=l2", True),
    ],
)
def test_a_resource_answers_what_the_standard_says_it_answers(kind: str, text: str, expected: bool) -> None:
    assert answers(kind, text) is expected


def test_a_date_of_death_says_that_somebody_is_deceased() -> None:
    (criterion,) = parse_query("Patient", [("deceased", "true")], UTC).criteria
    judge = judge_of(criterion, UTC, 0)
    assert judge({"deceasedDateTime": "2024-08-03"})
    assert judge({"deceasedBoolean": True})
    assert not judge({"deceasedBoolean": False})


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("Patient/p1", ("Patient", "p1")),
        ("Patient/p1/_history/3", ("Patient", "p1")),
        ("http://elsewhere.example/fhir/Patient/p1", ("", "")),
        ("#contained", ("", "")),
        ("urn:uuid:1", ("", "")),
        (7, ("", "")),
    ],
)
def test_only_a_reference_to_this_server_has_a_target(reference: object, target: tuple[str, str]) -> None:
    assert target_of({"reference": reference}) == target


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["coding", "code", "value", "system", "reference", "family", "start", "end", "text", "type"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(["Patient", "Observation", "Encounter", "DiagnosticReport", "DocumentReference"]),
    values=st.lists(json_values, min_size=1, max_size=4),
)
def test_a_resource_of_any_shape_is_judged_without_a_fall(kind: str, values: list[Any]) -> None:
    texts = {"token": "a|b", "string": "a", "date": "2024", "reference": "Patient/1"}
    for parameter in PARAMETERS[kind].values():
        resource = {path[0]: values[place % len(values)] for place, path in enumerate(parameter.paths)}
        text = texts[parameter.kind] if "Patient" in parameter.targets or parameter.kind != "reference" else "1"
        (criterion,) = parse_query(kind, [(parameter.name, text)], UTC).criteria
        assert judge_of(criterion, UTC, 0)(resource) in (True, False)
        sort_key(resource, [Sort(parameter, True)], UTC)


def sorted_by(kind: str, text: str, *resources: dict[str, Any]) -> list[str]:
    sorts = parse_query(kind, [("_sort", text)], UTC).sorts
    left = list(resources)
    ordered: list[str] = []
    while left:
        first = left[0]
        for other in left[1:]:
            if is_before(sort_key(other, sorts, UTC), sort_key(first, sorts, UTC), sorts) < 0:
                first = other
        ordered.append(first["id"])
        left.remove(first)
    return ordered


def test_sorting_goes_by_each_key_in_turn_and_puts_what_has_none_last() -> None:
    a = {"id": "a", "effectiveDateTime": "2024-08-03", "status": "final"}
    b = {"id": "b", "effectiveDateTime": "2024-08-04", "status": "final"}
    c = {"id": "c", "status": "amended"}
    assert sorted_by("Observation", "date", c, b, a) == ["a", "b", "c"]
    assert sorted_by("Observation", "-date", c, a, b) == ["b", "a", "c"]
    assert sorted_by("Observation", "status,-date", a, b, c) == ["c", "b", "a"]
