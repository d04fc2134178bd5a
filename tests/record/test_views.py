"""Reading the record: charts, lists, searches, worklists; and that every question goes by an index."""

from __future__ import annotations

import base64
import re
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.scene import (
    NINE,
    SECOND,
    Scene,
    allergy,
    ipp,
    mention,
    merge,
    movement,
    named,
    patient,
    patient_id,
    put,
    result,
    stay,
    stay_id,
)
from releve.errors import StoreUnable
from releve.log import SITE, Body, Draft, encode_body
from releve.record import Views, persons, views
from releve.record.rows import Chart, Person


def chart_of(scene: Scene, number: str, **more: Any) -> Chart:
    found = scene.fold().chart(patient_id(number), **more)
    assert found is not None
    return found


def person_of(scene: Scene, number: str) -> Person:
    found = scene.fold().person(patient_id(number))
    assert found is not None
    return found


def test_a_chart_shows_results_newest_first_grouped_by_code(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Müller")))
    for n, (code, value) in enumerate([("2823-3", 4.1), ("718-7", 13.0), ("2823-3", 5.9)]):
        taken = f"2024-08-03T09:0{n}:00+02:00"
        scene.tell(
            result(
                f"r{n}",
                "1",
                value,
                code=code,
                effectiveDateTime=taken,
                referenceRange=[{"low": {"value": 3.5}, "high": {"value": 5.1}}],
                interpretation=[{"coding": [{"system": "http://x", "code": "H"}]}],
                note=[{"text": "hemolysed"}],
            ),
            source={"sender": "LAB|H01", "type": "ORU^R01"},
        )
    chart = chart_of(scene, "1")
    assert [(group.name, [point.value for point in group.points]) for group in chart.results] == [
        ("Analyte 2823-3", ["5.9", "4.1"]),
        ("Analyte 718-7", ["13.0"]),
    ]
    newest = chart.results[0].points[0]
    assert (newest.number, newest.unit, newest.low, newest.high, newest.range_text) == (
        5.9,
        "mmol/L",
        3.5,
        5.1,
        "3.5–5.1",
    )
    assert (newest.flag, newest.status, newest.is_void, newest.notes) == ("H", "final", False, ["hemolysed"])
    assert (newest.origin, newest.sender, newest.at) == ("H01", "LAB|H01", NINE + 120 * SECOND)
    block = chart.blocks["results"]
    assert (block.origin, block.sender, block.heard_at) == ("H01", "LAB|H01", newest.heard_at)
    assert chart.blocks["documents"].heard_at is None


def test_a_chart_says_when_older_results_are_left_out(scene: Scene) -> None:
    scene.tell(patient("1"), *(result(f"r{n}", "1", n, NINE + n * SECOND) for n in range(6)))
    chart = chart_of(scene, "1", results_max=4)
    assert (chart.results_are_cut, [point.value for point in chart.results[0].points]) == (True, ["5", "4", "3", "2"])
    assert not chart_of(scene, "1").results_are_cut


VALUES: dict[str, tuple[dict[str, Any], str, float | None]] = {
    "a bound": ({"valueQuantity": {"value": 0.5, "comparator": "<", "unit": "g"}}, "<0.5", None),
    "a text": ({"valueString": "see\nreport"}, "see\nreport", None),
    "a code": ({"valueCodeableConcept": {"coding": [{"code": "POS", "display": "Positive"}]}}, "Positive", None),
    "no number": ({"valueQuantity": {"unit": "g"}}, "", None),
    "a range": ({"valueRange": {"low": {"value": 2}, "high": {"value": 5}}}, "2 – 5", None),
    "a ratio": ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1 : 128", None),
    "an integer": ({"valueInteger": 7}, "7", 7.0),
    "absent": ({"dataAbsentReason": {"text": "not done"}}, "not done", None),
    "components": (
        {"component": [{"code": {"text": "sys"}, "valueQuantity": {"value": 120, "unit": "mmHg"}}]},
        "sys 120 mmHg",
        None,
    ),
    "a wrong kind": ({"valueQuantity": "4.1", "referenceRange": "x", "interpretation": {}}, "", None),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_shown_as_the_laboratory_gave_it_and_what_is_no_number_is_none(scene: Scene, name: str) -> None:
    content, value, number = VALUES[name]
    scene.tell(put("Observation", "obs-1", NINE, patient_id("1"), status="final", code={"text": "X"}, **content))
    (point,) = chart_of(scene, "1").results[0].points
    assert (point.value, point.number) == (value, number)


def test_a_withdrawn_result_is_plainly_void(scene: Scene) -> None:
    scene.tell(patient("1"), result("r", "1", 4.1))
    scene.tell(result("r", "1", 4.1, NINE + SECOND, status="entered-in-error"))
    (point,) = chart_of(scene, "1").results[0].points
    assert (point.is_void, point.earlier[0].status) == (True, "final")


def test_allergies_have_four_states(scene: Scene) -> None:
    scene.tell(mention("Patient", patient_id("0"), NINE, patient_id("0"), name=named("Mentioned")))
    for number in "123":
        scene.tell(patient(number))
    scene.tell(allergy("a", "1", "Latex", reaction=[{"manifestation": [{"text": "Urticaria"}]}], criticality="high"))
    scene.tell(allergy("b", "2", "x"), allergy("b2", "2", "no known allergies"))
    scene.tell(allergy("b", "2", "x", NINE + SECOND, verificationStatus={"coding": [{"code": "refuted"}]}))
    states = [person_of(scene, number).allergy_state for number in "0123"]
    assert states == ["unavailable", "known", "none-known", "not-recorded"]
    chart = chart_of(scene, "1")
    assert [(one.name, one.reaction, one.criticality) for one in chart.allergies] == [("Latex", "Urticaria", "high")]
    assert chart.red_band == ["Latex"]
    assert chart_of(scene, "2").red_band == []
    assert scene.fold().chart("nobody") is None


def test_the_red_band_of_a_merged_person_holds_the_allergies_of_all(scene: Scene) -> None:
    scene.tell(patient("1"), patient("2"), allergy("a", "1", "Latex"), allergy("b", "2", "Iode"))
    scene.tell(stay("s", "2"), movement("s", "2", "A01", place=("CARDIO", "1", "A")), merge("1", "2"))
    (occupant,) = scene.fold().ward_list("CARDIO")
    assert sorted(occupant.red_band) == ["Iode", "Latex"]
    assert sorted(chart_of(scene, "1").red_band) == ["Iode", "Latex"]


def test_a_stay_shows_its_moves(scene: Scene) -> None:
    scene.tell(patient("1"), stay("s", "1"), movement("s", "1", "A01", place=("CARDIO", "1", "A")))
    scene.tell(movement("s", "1", "A02", NINE + 60 * SECOND, place=("REA", "2", "B")))
    (one,) = chart_of(scene, "1").stays
    assert (one.encounter_id, one.status, one.class_, one.number, one.ward) == (
        stay_id("s"),
        "in-progress",
        "IMP",
        "s",
        "REA",
    )
    assert [(move.ward, move.room, move.bed, move.since, move.until) for move in one.moves] == [
        ("CARDIO", "1", "A", NINE, NINE + 60 * SECOND),
        ("REA", "2", "B", NINE + 60 * SECOND, None),
    ]


def test_notes_and_reports_are_documents_of_the_chart(scene: Scene) -> None:
    data = base64.b64encode("Douleur à 09:00".encode()).decode()
    note = {
        "type": {"coding": [{"system": "http://loinc.org", "code": "34109-9"}]},
        "docStatus": "final",
        "date": "2024-08-03T09:30:00+02:00",
        "author": [{"display": "Dr Y"}],
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data, "title": "Note"}}],
    }
    pdf = {"content": [{"attachment": {"contentType": "application/pdf", "url": "Binary/x", "title": "Scan"}}]}
    scene.tell(
        put("DocumentReference", "d1", NINE, patient_id("1"), **note),
        put("DocumentReference", "d2", NINE, patient_id("1"), date="2024-08-03T09:10:00+02:00", **pdf),
        put("DiagnosticReport", "p1", NINE, patient_id("1"), status="final", code={"text": "Bilan"}, conclusion="RAS"),
    )
    documents = chart_of(scene, "1").documents
    assert [(one.kind, one.title, one.text, one.author, one.url) for one in documents] == [
        ("note", "Note", "Douleur à 09:00", "Dr Y", ""),
        ("document", "Scan", "", "", "Binary/x"),
        ("report", "Bilan", "RAS", "", ""),
    ]


def test_a_person_shows_every_number_the_name_of_birth_and_the_status_of_the_identity(scene: Scene) -> None:
    url = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
    scene.tell(
        patient(
            "1",
            identifier=[ipp("190", "urn:oid:1.2.250.1.213.1.4.8", "INS"), ipp("1")],
            name=[
                {"use": "official", "family": "Née", "given": ["Zoé"]},
                {"use": "usual", "family": "Usuelle", "given": ["Zoé"]},
            ],
            gender="female",
            birthDate="1970-03-12",
            deceasedBoolean=True,
            extension=[{"url": url, "valueCoding": {"code": "VALI"}}],
        )
    )
    person = person_of(scene, "1")
    assert (person.family, person.birth_family, person.given, person.sex) == ("Usuelle", "Née", "Zoé", "female")
    assert (person.ipp, person.ins, person.identity_status, person.deceased) == ("1", "190", "VALI", "true")
    assert [one.type for one in person.identifiers] == ["INS", "PI"]


def test_people_are_found_without_accents_by_any_part_by_number_and_by_birth_date(scene: Scene) -> None:
    scene.tell(patient("8000123", name=named("Le Goff-Müller", "Zoé", "Anaïs"), birthDate="1970-03-12"))
    scene.tell(patient("8000999", name=named("Martin", "Zoé"), birthDate="1970"))
    views = scene.fold()
    for words in (
        "le goff",
        "GOFF",
        "muller",
        "Müll zo",
        "anais",
        "8000123",
        "12/03/1970",
        "1970-03-12",
        "12031970 zoe",
    ):
        assert [one.ipp for one in views.find(words)] == ["8000123"], words
    assert [one.ipp for one in views.find("zoe")] == ["8000123", "8000999"]
    assert [one.ipp for one in views.find("zoe", limit=1)] == ["8000123"]
    for words in ("", "   ", "off", "zoe dupont", "'; DROP TABLE person", "%", "\x00", "x" * 10_000):
        assert views.find(words) == [], words


def test_a_person_is_found_by_the_number_of_a_patient_merged_into_them_once(scene: Scene) -> None:
    scene.tell(patient("111", name=named("Durand")), patient("112", name=named("Durand")), merge("111", "112"))
    assert [one.id for one in scene.fold().find("11 durand")] == [patient_id("112")]
    assert [one.id for one in scene.fold().find("111")] == [patient_id("112")]


@given(st.text(max_size=40))
def test_any_words_are_a_search(words: str) -> None:
    assert isinstance(persons.days(words), list)


def test_wards_are_counted_by_hospital(scene: Scene) -> None:
    for number, ward in (("1", "CARDIO"), ("2", "CARDIO"), ("3", "REA")):
        scene.tell(patient(number), stay(number, number), movement(number, number, "A01", place=(ward, number, "A")))
    scene.tell(movement("3", "3", "A03", NINE + SECOND))
    found = scene.fold()
    assert [(one.ward, one.occupied) for one in found.wards()] == [("CARDIO", 2)]
    assert found.wards(origins=["H02"]) == []
    assert [one.room for one in found.ward_list(None, origins=["H01"])] == ["1", "2"]
    assert found.ward_list("CARDIO", origins=["H02"]) == []


def test_new_results_are_those_heard_since_somebody_looked(scene: Scene) -> None:
    scene.tell(patient("1"), result("r1", "1", 4.1), patient("2"))
    found = scene.fold()
    looked = scene.now
    scene.tell(result("r2", "1", 5.1), result("r3", "1", 5.2))
    scene.fold()
    ids = [patient_id("1"), patient_id("2")]
    assert found.new_results(ids, {}) == {ids[0]: 3, ids[1]: 0}
    assert found.new_results(ids, {ids[0]: looked}) == {ids[0]: 2, ids[1]: 0}
    assert found.new_results(ids, {ids[0]: scene.now}) == {ids[0]: 0, ids[1]: 0}


# Write-back


def delivery(scene: Scene, pos: int, event_id: bytes, state: str, n: int = 1) -> None:
    source = {
        "destination": "dpi",
        "pos": pos,
        "event_id": event_id.hex(),
        "state": state,
        "ack": "AE bad",
        "attempts": 2,
    }
    scene.keep(Draft(SITE, "delivery", f"{pos}{state}{n}".encode().ljust(16), encode_body(Body(source))))


def test_what_is_captured_is_owed_until_it_is_settled(scene: Scene) -> None:
    scene.tell(patient("1"))
    scene.tell(patient("1"), kind="note", source={"sender": ""})
    scene.tell(patient("2"), kind="admission", source={"sender": ""})
    found = scene.fold()
    owed = found.outbox("dpi", 10)
    assert [(one.pos, one.kind, one.patient_id) for one in owed] == [
        (2, "note", patient_id("1")),
        (3, "admission", patient_id("2")),
    ]
    assert [one.pos for one in found.outbox("dpi", 10, senders=["GAP|H01"])] == [1, 2, 3]
    assert [one.pos for one in found.outbox("dpi", 10, after_pos=2)] == [3]
    delivery(scene, 2, owed[0].event_id, "accepted")
    delivery(scene, 3, owed[1].event_id, "refused")
    scene.fold()
    assert found.outbox("dpi", 10) == []
    assert found.owed_count("dpi") == 0
    assert found.owed_count("other") == 2
    (refused,) = found.refused("dpi")
    assert (refused.pos, refused.ack, refused.attempts, refused.patient_id) == (3, "AE bad", 2, patient_id("2"))
    assert found.delivery_counts("dpi") == {"accepted": 1, "refused": 1}
    delivery(scene, 3, owed[1].event_id, "released")
    scene.fold()
    assert [one.pos for one in found.outbox("dpi", 10)] == [3]
    delivery(scene, 3, owed[1].event_id, "accepted", 2)
    scene.fold()
    assert (found.outbox("dpi", 10), found.refused("dpi")) == ([], [])
    assert [one.state for one in found.deliveries("dpi")] == ["accepted", "accepted"]


# The file


def test_views_that_are_not_there_yet_say_so_in_a_sentence(tmp_path: Path) -> None:
    found = Views(tmp_path)
    with pytest.raises(StoreUnable, match="rebuilt from the log"):
        found.position()


def test_views_are_read_from_several_threads_at_once(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Müller")), *(result(f"r{n}", "1", n) for n in range(20)))
    found = scene.fold()
    counts: list[int] = []

    def read() -> None:
        for _ in range(20):
            chart = found.chart(patient_id("1"))
            counts.append(len(chart.results[0].points) if chart else -1)
        found.close()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    scene.tell(patient("2"))
    scene.fold()
    for thread in threads:
        thread.join()
    assert counts == [20] * 80


def test_versions_and_history_are_whole_fhir(scene: Scene) -> None:
    scene.tell(patient("1", name=named("One")))
    scene.tell(patient("1", NINE + SECOND, name=named("Two")))
    found = scene.fold()
    history = found.history("Patient", patient_id("1"))
    assert [one.version for one in history] == [2, 1]
    assert history == [found.version("Patient", patient_id("1"), n) for n in (2, 1)]
    assert history[0] == found.resource("Patient", patient_id("1"))
    assert found.version("Patient", patient_id("1"), 3) is None
    assert found.resource("Patient", "nobody") is None
    assert found.resource("NoType", patient_id("1")) is None
    assert found.history("Patient", "nobody") == []
    doc = scene.doc("Patient", patient_id("1"))
    assert (doc["resourceType"], doc["id"], doc["meta"]["versionId"]) == ("Patient", patient_id("1"), "2")
    assert doc["meta"]["source"] == "urn:releve:H01"
    assert re.fullmatch(r"2024-08-03T07:00:00\.\d{3}Z", doc["meta"]["lastUpdated"])


#: Tables that stay small whatever the hospital: few senders, few reasons.
_SMALL = {"feed", "kept_count", "source", "meta", "sighting"}
#: A part of a question that an index has narrowed and that is walked as it comes; its own steps are looked at too.
_NARROWED = {"card"}
_QUERIES = {name: sql for name, sql in [*vars(views).items(), *vars(persons).items()] if name.startswith("SQL_")}


@pytest.mark.parametrize("name", sorted(_QUERIES))
def test_every_question_goes_by_an_index(scene: Scene, name: str) -> None:
    sql = _QUERIES[name]
    if name in ("SQL_OWED", "SQL_OWED_COUNT"):
        sql += f" AND {views._owed_filter(('note',), ('a', 'b'))[0]}"
    numbered = [int(n) for n in re.findall(r"\?(\d)", sql)]
    values = ["x"] * (max(numbered) if numbered else sql.count("?"))
    if "LIMIT ?" in sql:
        values[-1] = "5"
    plan = [row[3] for row in scene.fold().db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert plan
    for step in plan:
        scanned = re.match(r"SCAN (\w+)(.*)", step)
        if scanned is None or scanned[1] in _SMALL | _NARROWED or scanned[1] == "CONSTANT":
            continue
        # A ward list walks those who lie there, by an index that holds nobody else.
        assert "INDEX stay_by_ward" in scanned[2], f"{name} scans: {step}"
    assert not any("AUTOMATIC" in step for step in plan), plan
    if "ORDER BY" in sql and name not in ("SQL_FEEDS", "SQL_KEPT_COUNTS", "SQL_FAMILY", "SQL_MERGES"):
        assert not any("USE TEMP B-TREE FOR ORDER" in step for step in plan), plan


def test_the_rule_against_scans_sees_one(scene: Scene) -> None:
    plan = scene.fold().db.execute("EXPLAIN QUERY PLAN SELECT * FROM person WHERE family = 'x'").fetchall()
    assert plan[0][3].startswith("SCAN person")


def test_ids_of_any_shape_come_back_as_they_were(scene: Scene) -> None:
    for id_ in (
        "obs-1",
        "AAAAAAAA-AAAA-5AAA-8AAA-AAAAAAAAAAAA",
        "aaaaaaaa-aaaa-5aaa-8aaa-aaaaaaaaaaaa",
        "0123456789abcdef",
    ):
        scene.tell(put("Observation", id_, NINE, patient_id("1"), status="final"))
        stored = scene.fold().resource("Observation", id_)
        assert stored is not None
        assert stored.id == id_


def test_the_decimals_of_a_laboratory_are_shown_as_it_wrote_them(scene: Scene) -> None:
    exact = result("r", "1", 0).content.replace(b'"value":0', b'"value":4.10')
    scene.tell(patient("1"), msgspec.structs.replace(result("r", "1", 0), content=exact))
    chart = chart_of(scene, "1")
    (point,) = chart.results[0].points
    assert (point.value, point.number) == ("4.10", 4.1)
