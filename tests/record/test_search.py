"""FHIR searches over a real record: an index narrows, the judge decides, too much is refused, pages hold still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.clock import to_instant
from releve.ids import content_id
from releve.log import GROUP, Body, Draft, Log, Statement, encode_body
from releve.record import Archive, Views, narrow
from releve.record import search as search_module
from releve.record.search import Found, everything, search
from releve.record.terms import normal
from releve.wire.fhir import FhirRefusal, folded, parse_pairs, parse_query
from releve.wire.fhir.match import judge_of

NOW = to_instant(datetime(2024, 8, 3, 12, tzinfo=UTC))
HOUR = 3_600_000_000
LOINC = "http://loinc.org"
PAGES_MAX = 50  # a test that turns pages in a circle fails instead of turning for ever

PATIENTS = {
    "alice": {"identifier": [{"system": "urn:id:H01", "value": "1"}], "gender": "female", "birthDate": "1950-03-02",
              "name": [{"family": "Lefèvre-Roy", "given": ["Alice", "Anne"]}]},
    "bob": {"identifier": [{"system": "urn:id:H01", "value": "2"}, {"system": "urn:id:H02", "value": "1"}],
            "gender": "male", "birthDate": "1950", "name": [{"family": "Le Goff", "given": ["Bob"]}]},
    "carol": {"identifier": [{"system": "urn:id:H01", "value": "10"}], "gender": "female", "birthDate": "1972-12-31",
              "name": [{"family": "LEFEVRE", "given": ["Carol"]}], "deceasedDateTime": "2024-08-01"},
    "dora": {"identifier": [{"value": "1"}], "name": [{"text": "Inconnue"}]},
}  # fmt: skip
RESULTS = [  # id, patient, code, at, status, stay
    ("hb-1", "alice", "718-7", "2024-08-03T06:00:00Z", "final", "stay-a"),
    ("hb-2", "alice", "718-7", "2024-08-03T08:00:00Z", "preliminary", "stay-a"),
    ("k-1", "alice", "2823-3", "2024-08-02T23:30:00+02:00", "final", "stay-a"),
    ("hb-3", "bob", "718-7", "2024-08-01", "final", ""),
    ("k-2", "carol", "2823-3", "2024-07-31", "cancelled", "stay-c"),
]


class Hospital:
    """A log with a record, fed statement by statement."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.log = Log(folder, "H01", Ed25519PrivateKey.generate(), now=self.now)
        self.archive = Archive(folder, origin="H01")
        self.views = Views(folder)

    def now(self) -> int:
        return NOW + self.count * 1_000_000

    def state(self, *statements: Statement) -> None:
        self.count += 1
        body = encode_body(Body({"door": "mllp", "sender": "LAB|H01", "type": "ORU^R01"}, statements=list(statements)))
        self.log.append_now(Draft(GROUP, "hl7v2", content_id(b"%d" % self.count), body))

    def put(self, kind: str, id_: str, content: dict[str, object], subject: str = "") -> None:
        self.state(Statement("put", kind, id_, NOW, subject, orjson.dumps(content)))

    def patch(self, kind: str, id_: str, content: dict[str, object], subject: str = "") -> None:
        self.state(Statement("patch", kind, id_, NOW, subject, orjson.dumps(content)))

    def merge(self, loser: str, winner: str) -> None:
        self.state(Statement("merge", "Patient", loser, NOW, loser, orjson.dumps({"into": winner})))
        self.archive.fold_all()

    def result(self, id_: str, patient: str, code: str, at: str, status: str = "final", stay: str = "") -> None:
        content: dict[str, object] = {
            "status": status,
            "code": {"coding": [{"system": LOINC, "code": code}, {"code": "LOCAL-" + code}]},
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": at,
            "valueQuantity": {"value": 7, "unit": "mmol/L"},
        }
        if stay:
            content["encounter"] = {"reference": f"Encounter/{stay}"}
        self.put("Observation", id_, content, patient)

    def fill(self) -> None:
        for id_, patient in PATIENTS.items():
            self.patch("Patient", id_, patient)
        for id_, patient in (("stay-a", "alice"), ("stay-c", "carol")):
            about = {"reference": f"Patient/{patient}"}
            identifier = [{"system": "urn:id:H01-VN", "value": id_}]
            self.patch(
                "Encounter", id_, {"subject": about, "identifier": identifier, "class": {"code": "IMP"}}, patient
            )
            place = {"reference": "Location/bed-1", "display": "CARDIO 12 1"}
            content = {"movement": "", "action": "insert", "event": "A01", "at": "2024-08-01T10:00:00+02:00",
                       "location": {**place, "ward": "CARDIO", "room": "12", "bed": "1"}}  # fmt: skip
            self.state(Statement("movement", "Encounter", id_, NOW, patient, orjson.dumps(content)))
        for row in RESULTS:
            self.result(*row)
        alice = {"reference": "Patient/alice"}
        report = {
            "status": "final",
            "code": {"text": "NFS"},
            "subject": alice,
            "identifier": [{"system": "urn:id:LAB", "value": "R7"}],
            "result": [{"reference": "Observation/hb-1"}],
        }
        self.put("DiagnosticReport", "report-1", report, "alice")
        self.put("AllergyIntolerance", "allergy-1", {"patient": alice, "code": {"text": "Pénicilline"}}, "alice")
        self.put("Location", "bed-1", {"name": "Lit 1", "status": "active"})
        self.archive.fold_all()

    def search(self, kind: str, text: str) -> Found:
        query = parse_query(kind, parse_pairs(text.encode()), UTC)
        with self.views.one_moment() as db:
            return search(db, query, zone=UTC, now=NOW)

    def ids(self, kind: str, text: str) -> list[str]:
        return [hit.id for hit in self.search(kind, text).matches]

    def close(self) -> None:
        self.views.close()
        self.archive.close()
        self.log.close()


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    there = Hospital(tmp_path)
    there.fill()
    yield there
    there.close()


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Patient", "_id=alice", {"alice"}),
        ("Patient", "_id=alice,dora,nobody", {"alice", "dora"}),
        ("Patient", "identifier=1", {"alice", "bob", "dora"}),
        ("Patient", "identifier=urn:id:H01|1", {"alice"}),
        ("Patient", "identifier=|1", {"dora"}),
        ("Patient", "identifier=urn:id:H02|", {"bob"}),
        ("Patient", "family=lefevre", {"alice", "carol"}),
        ("Patient", "family=goff", {"bob"}),
        ("Patient", "family:exact=LEFEVRE", {"carol"}),
        ("Patient", "name=inconnue", {"dora"}),
        ("Patient", "given=ann,car", {"alice", "carol"}),
        ("Patient", "given=ann&family=goff", set()),
        ("Patient", "birthdate=1950-03-02", {"alice"}),
        ("Patient", "birthdate=1950", {"alice", "bob"}),
        ("Patient", "birthdate=1950-03", {"alice"}),
        ("Patient", "birthdate=ge1950-03-02&birthdate=lt1972", {"alice", "bob"}),
        ("Patient", "birthdate=gt1972-12-30", {"carol"}),
        ("Patient", "birthdate=ne1950", {"carol"}),
        ("Patient", "birthdate:missing=true", {"dora"}),
        ("Patient", "gender=female", {"alice", "carol"}),
        ("Patient", "gender:not=female", {"bob", "dora"}),
        ("Patient", "deceased=true", {"carol"}),
        ("Patient", "", {"alice", "bob", "carol", "dora"}),
        ("Patient", "_lastUpdated=gt2024-08-03", set()),
        ("Encounter", "", {"stay-a", "stay-c"}),
        ("Encounter", "status=in-progress", {"stay-a", "stay-c"}),
        ("Encounter", "status=finished", set()),
        ("Encounter", "identifier=stay-a", {"stay-a"}),
        ("Encounter", "patient=alice&class=IMP", {"stay-a"}),
        ("Encounter", "location=bed-1&status=in-progress", {"stay-a", "stay-c"}),
        ("Encounter", "patient.family=lefevre", {"stay-a", "stay-c"}),
        ("Observation", "patient=alice", {"hb-1", "hb-2", "k-1"}),
        ("Observation", "subject=Patient/alice&code=718-7", {"hb-1", "hb-2"}),
        ("Observation", f"patient=alice&code={LOINC}|2823-3,{LOINC}|718-7&status=final", {"hb-1", "k-1"}),
        ("Observation", "patient=alice&code=|LOCAL-718-7", {"hb-1", "hb-2"}),
        ("Observation", "patient=alice&code:not=718-7", {"k-1"}),
        ("Observation", "patient=alice,bob&code=718-7", {"hb-1", "hb-2", "hb-3"}),
        ("Observation", "patient=alice&patient=bob", set()),
        ("Observation", "patient=alice&date=2024-08-02", {"k-1"}),
        ("Observation", "patient=alice&date=ge2024-08-03T07:00:00Z", {"hb-2"}),
        ("Observation", "patient=alice&date=ge2024-08-03T09:00:00%2B02:00", {"hb-2"}),
        ("Observation", "encounter=stay-a", {"hb-1", "hb-2", "k-1"}),
        ("Observation", "encounter=Encounter/nowhere", set()),
        ("Observation", "_id=hb-3,k-2&status=final", {"hb-3"}),
        ("Observation", "patient.identifier=urn:id:H01|2", {"hb-3"}),
        ("Observation", "subject:Patient.birthdate=gt1970", {"k-2"}),
        ("Observation", "patient.identifier=none-such", set()),
        ("Observation", "encounter.identifier=stay-c", {"k-2"}),
        ("DiagnosticReport", "identifier=urn:id:LAB|R7", {"report-1"}),
        ("DiagnosticReport", "patient=alice&result=hb-1", {"report-1"}),
        ("AllergyIntolerance", "patient=alice&code:text=penicil", {"allergy-1"}),
        ("Location", "_id=bed-1", {"bed-1"}),
    ],
)
def test_a_search_finds_what_the_standard_says(hospital: Hospital, kind: str, text: str, expected: set[str]) -> None:
    found = hospital.search(kind, text)
    assert {hit.id for hit in found.matches} == expected
    assert (found.total, found.next_cursor) == (len(expected), "")


@pytest.mark.parametrize(
    ("kind", "text", "add"),
    [
        ("Observation", "code=718-7", "patient"),
        ("Observation", "", "patient"),
        ("Observation", "based-on=r1", "patient"),
        ("Observation", "patient:missing=true", "patient"),
        ("Observation", "subject=Group/g1", "patient"),
        ("DocumentReference", "date=2024", "identifier"),
        ("AllergyIntolerance", "code=x", "patient"),
        ("Location", "name=lit", "_id"),
        ("Patient", "_sort=family", "identifier"),
        ("Patient", "gender=male&_total=accurate&_count=1", "identifier"),
    ],
)
def test_what_nothing_narrows_is_refused_with_what_to_add(hospital: Hospital, kind: str, text: str, add: str) -> None:
    with pytest.raises(FhirRefusal, match=add) as refusal:
        hospital.search(kind, text)
    assert (refusal.value.status, refusal.value.code) == (400, "fhir.too-costly")


def test_a_merged_patient_is_searched_as_one_person(hospital: Hospital) -> None:
    hospital.merge("bob", "alice")
    for asked in ("alice", "bob", "Patient/bob"):
        assert set(hospital.ids("Observation", f"patient={asked}")) == {"hb-1", "hb-2", "k-1", "hb-3"}
    assert hospital.ids("Observation", "patient.identifier=urn:id:H01|2&date=2024-08-01") == ["hb-3"]
    # As resources they stay two, each with its link.
    assert hospital.ids("Patient", "_id=bob") == ["bob"]
    assert hospital.ids("Patient", "link=alice") == ["bob"]
    assert {hit.id for hit in hospital.search("Patient", "_id=alice&_revinclude=Observation:patient").included} == {
        "hb-1", "hb-2", "k-1", "hb-3"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["patient=alice,bob,carol", "patient=alice,bob,carol&_sort=-date", "patient=alice,bob,carol&status:not=x"]
)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_pages_together_hold_everything_once(hospital: Hospital, text: str, count: int) -> None:
    whole = hospital.ids("Observation", text)
    gathered: list[str] = []
    cursor, pages = "", 0
    while (cursor or not pages) and pages < PAGES_MAX:
        found = hospital.search("Observation", f"{text}&_count={count}" + (f"&_cursor={cursor}" if cursor else ""))
        assert len(found.matches) <= count
        gathered += [hit.id for hit in found.matches]
        cursor, pages = found.next_cursor, pages + 1
    assert gathered == whole
    assert len(whole) == 5
    assert pages == -(-5 // count)


def test_a_result_that_arrives_between_two_pages_neither_doubles_nor_hides_another(hospital: Hospital) -> None:
    for text in ("patient=alice&_count=2", "patient=alice&_count=2&_sort=-date"):
        first = hospital.search("Observation", text)
        before = hospital.ids("Observation", text.replace("_count=2", "_count=50"))
        hospital.result(f"new-{len(before)}", "alice", "718-7", "2024-08-03T11:00:00Z")
        hospital.archive.fold_all()
        second = hospital.search("Observation", f"{text}&_cursor={first.next_cursor}")
        seen = [hit.id for hit in (*first.matches, *second.matches)]
        assert set(before) <= set(seen) | {"hb-1", "hb-2", "k-1"}
        assert len(seen) == len(set(seen))
        assert before[: len(first.matches)] == [hit.id for hit in first.matches]
        assert before[2] in seen


def test_listing_patients_turns_pages_without_reading_them_all(hospital: Hospital) -> None:
    first = hospital.search("Patient", "_count=3")
    second = hospital.search("Patient", f"_count=3&_cursor={first.next_cursor}")
    assert [hit.id for hit in (*first.matches, *second.matches)] == list(PATIENTS)
    assert (first.total, second.next_cursor) == (None, "")
    assert hospital.search("Patient", "_count=3&_total=accurate").total == 4
    assert hospital.search("Patient", "_summary=count").total == 4
    assert hospital.search("Encounter", "_count=0").total == 2


def test_a_page_stops_where_it_would_cost_too_much_and_the_next_goes_on(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "EXAMINED_MAX", 2)
    monkeypatch.setattr(search_module, "_BATCH", 2)
    for kind, text, expected in (
        ("Patient", "gender=female", ["alice", "carol"]),
        ("Observation", "patient=alice,bob,carol&code=2823-3", ["k-1", "k-2"]),
    ):
        gathered: list[str] = []
        cursor, pages = "", 0
        while (cursor or not pages) and pages < PAGES_MAX:
            found = hospital.search(kind, text + (f"&_cursor={cursor}" if cursor else ""))
            gathered += [hit.id for hit in found.matches]
            cursor, pages = found.next_cursor, pages + 1
        assert gathered == expected
        assert pages > 1
    for text in ("patient=alice&_sort=date", "patient=alice&status=final&_total=accurate&_count=1"):
        with pytest.raises(FhirRefusal, match="at most 2"):
            hospital.search("Observation", text)


def test_sorting_goes_by_the_values(hospital: Hospital) -> None:
    text = "patient=alice,bob,carol"
    assert hospital.ids("Observation", f"{text}&_sort=date") == ["k-2", "hb-3", "k-1", "hb-1", "hb-2"]
    assert hospital.ids("Observation", f"{text}&_sort=-date") == ["hb-2", "hb-1", "k-1", "hb-3", "k-2"]
    assert hospital.ids("Observation", f"{text}&_sort=status,-date") == ["k-2", "hb-1", "k-1", "hb-3", "hb-2"]
    assert hospital.ids("Patient", "birthdate=ge1950&_sort=-birthdate") == ["carol", "bob", "alice"]


def test_includes_bring_what_is_pointed_at_and_what_points(hospital: Hospital) -> None:
    found = hospital.search("Observation", "patient=alice&_include=Observation:patient&_include=Observation:encounter")
    assert [(hit.type, hit.id) for hit in found.included] == [("Patient", "alice"), ("Encounter", "stay-a")]
    found = hospital.search("Patient", "_id=alice&_revinclude=Observation:patient&_revinclude=Encounter:subject")
    assert {hit.id for hit in found.included} == {"hb-1", "hb-2", "k-1", "stay-a"}
    found = hospital.search("Encounter", "_id=stay-a&_revinclude=Observation:encounter&_include=Encounter:location")
    assert {hit.id for hit in found.included} == {"hb-1", "hb-2", "k-1", "bed-1"}
    found = hospital.search("DiagnosticReport", "patient=alice&_include=*")
    assert {hit.id for hit in found.included} == {"alice", "hb-1"}
    assert found.patient_ids() == ["alice"]


def test_too_many_included_resources_are_cut_with_a_warning(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "INCLUDED_MAX", 2)
    found = hospital.search("Patient", "_id=alice&_revinclude=Observation:patient")
    assert len(found.included) == 2
    assert "first 2" in found.warnings[0]


def test_a_chain_that_leads_to_too_many_is_refused(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "CHAIN_TARGETS_MAX", 1)
    with pytest.raises(FhirRefusal, match="more than 1"):
        hospital.search("Observation", "patient.family=lefevre")


def test_an_index_that_gives_too_many_keys_is_refused(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow, "KEYS_MAX", 1)
    with pytest.raises(FhirRefusal, match="more than 1"):
        hospital.search("Patient", "family=lefevre")


@pytest.mark.parametrize(
    "cursor", ["x", "%F0%9F%98%80", "W10", "WzFd", "WyJhIl0", "WzEsMiwzLDRd", "bnVsbA", "Wy0xXQ", "W3RydWVd"]
)
@pytest.mark.parametrize("text", ["patient=alice", "patient=alice&_sort=date", "patient=alice&_sort=status"])
def test_a_page_link_that_was_made_up_is_refused_or_harmless(hospital: Hospital, text: str, cursor: str) -> None:
    try:
        found = hospital.search("Observation", f"{text}&_cursor={cursor}")
    except FhirRefusal as refusal:
        assert refusal.code == "fhir.cursor"  # noqa: PT017 - both outcomes are right, neither is a crash
    else:
        assert {hit.id for hit in found.matches} <= {"hb-1", "hb-2", "k-1"}


def test_everything_is_the_person_with_all_merged_records(hospital: Hospital) -> None:
    hospital.merge("bob", "alice")
    with hospital.views.one_moment() as db:
        found = everything(db, "alice", count=100)
        assert found is not None
        assert {hit.id for hit in found.matches} == {
            "alice", "bob", "stay-a", "hb-1", "hb-2", "k-1", "hb-3", "report-1", "allergy-1"
        }  # fmt: skip
        only = everything(db, "bob", types=["Encounter", "Patient"], count=2)
        assert only is not None
        assert only.total == 3
        rest = everything(db, "bob", types=["Encounter", "Patient"], count=2, cursor=only.next_cursor)
        assert rest is not None
        assert len({hit.id for hit in (*only.matches, *rest.matches)}) == 3
        assert everything(db, "nobody", count=10) is None


def test_every_query_goes_by_an_index(hospital: Hospital) -> None:
    queries = [
        (narrow.SQL_BY_ID, (b"", 1)),
        (narrow.SQL_BY_WORD, ("Patient:family", "a", "b", 9)),
        (narrow.SQL_BY_PATIENT, (1, 3, 9)),
        (narrow.SQL_RECORDS, (b"",)),
        (narrow.SQL_RECORDS_OF_KEY, (1,)),
        (narrow.SQL_PATIENT_OF, (b"", 2)),
        (narrow.SQL_PERSON, (b"",)),
        (search_module.SQL_LIST_PATIENTS, (0, 9)),
        (search_module.SQL_LIST_ENCOUNTERS, (0, 9)),
        (search_module.SQL_ROWS.format("?,?"), (1, 2)),
    ]
    for sql, values in queries:
        plan = " | ".join(row[3] for row in hospital.views.db.execute("EXPLAIN QUERY PLAN " + sql, values))
        assert "SCAN" not in plan, (sql, plan)
        assert "TEMP B-TREE" not in plan, (sql, plan)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_names_are_compared_as_the_index_holds_them(text: str) -> None:
    assert folded(text) == normal(text)


# Against a judge that reads everything

PARTS = st.sampled_from(
    ["patient=alice", "patient=bob", "patient=alice,carol", "subject=carol", "encounter=stay-a", "encounter=stay-c",
     "code=718-7", "code=2823-3,x", f"code={LOINC}|718-7", "code:not=718-7", "status=final", "status:not=final",
     "date=2024-08-03", "date=lt2024-08-03", "date=ge2024-08-02T12:00", "_id=hb-1,k-2", "_id=hb-3",
     "date:missing=false", "encounter:missing=true", "patient:missing=false", "code:text=x", "_lastUpdated=2024-08-03"]
)  # fmt: skip


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    there = Hospital(tmp_path_factory.mktemp("standing"))
    there.fill()
    yield there
    there.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PARTS, min_size=1, max_size=4), count=st.integers(1, 6))
def test_an_index_never_changes_the_answer(standing: Hospital, parts: list[str], count: int) -> None:
    text = "&".join(parts)
    query = parse_query("Observation", parse_pairs(text.encode()), UTC)
    judges = [judge_of(criterion, UTC, NOW) for criterion in query.criteria]
    every = [orjson.loads(standing.views.resource("Observation", row[0]).json) for row in RESULTS]  # type: ignore[union-attr]
    expected = {resource["id"] for resource in every if all(judge(resource) for judge in judges)}
    gathered: list[str] = []
    cursor, pages = "", 0
    while (cursor or not pages) and pages < PAGES_MAX:
        try:
            found = standing.search("Observation", f"{text}&_count={count}" + (f"&_cursor={cursor}" if cursor else ""))
        except FhirRefusal as refusal:
            assert refusal.code == "fhir.too-costly"  # noqa: PT017 - nothing narrowed it, which is an answer too
            return
        gathered += [hit.id for hit in found.matches]
        cursor, pages = found.next_cursor, pages + 1
    assert sorted(gathered) == sorted(expected)
