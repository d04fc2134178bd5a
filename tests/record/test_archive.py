"""Events folded into the views: each rule of the record, versions, any order of arrival, and calamities."""

from __future__ import annotations

import gc
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from record.scene import (
    IPP,
    NINE,
    SECOND,
    Scene,
    allergy,
    ipp,
    mention,
    merge,
    movement,
    named,
    patch,
    patient,
    patient_id,
    record_of,
    result,
    result_id,
    stay,
    stay_id,
    unmerge,
    write_log,
)
from releve.errors import StoreUnable, WrongUse
from releve.log import Body, Statement, encode_body
from releve.record import Archive, Views, index
from releve.record.archive import delete_views
from releve.record.rebuild import TABLES
from releve.record.schema import VIEWS_FILE

A01_PLACE = ("CARDIO", "12", "A")


def test_an_admission_lists_the_patient_in_the_ward(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Müller", "Zoé")), stay("s", "1"), movement("s", "1", "A01", place=A01_PLACE))
    (occupant,) = scene.fold().ward_list("CARDIO")
    assert (occupant.family, occupant.given, occupant.ipp, occupant.room, occupant.bed) == (
        "Müller",
        "Zoé",
        "1",
        "12",
        "A",
    )
    assert occupant.patient_id == patient_id("1")
    assert occupant.since == NINE


def test_an_update_of_the_person_does_not_unadmit(scene: Scene) -> None:
    scene.tell(patient("1"), stay("s", "1"), movement("s", "1", "A01", place=A01_PLACE))
    scene.tell(patient("1", NINE + SECOND, gender="male"), stay("s", "1", NINE + SECOND, priority={"text": "R"}))
    scene.tell(mention("Encounter", stay_id("s"), NINE + SECOND, patient_id("1"), status="finished"))
    scene.fold()
    found = scene.doc("Encounter", stay_id("s"))
    assert (found["status"], found["priority"]) == ("in-progress", {"text": "R"})
    assert len(scene.views.ward_list("CARDIO")) == 1


def test_a_stay_known_only_by_a_mention_lies_where_it_was_mentioned(scene: Scene) -> None:
    place = {"identifier": {"system": "urn:id:H01", "value": "REA/3/B"}, "display": "REA 3-B"}
    scene.tell(
        mention("Patient", patient_id("1"), NINE, patient_id("1"), name=named("Müller")),
        mention(
            "Encounter",
            stay_id("s"),
            NINE,
            patient_id("1"),
            status="in-progress",
            subject={"reference": f"Patient/{patient_id('1')}"},
            location=[{"location": place}],
        ),
    )
    (occupant,) = scene.fold().ward_list("REA")
    assert (occupant.room, occupant.bed, occupant.is_known) == ("3", "B", False)
    person = scene.views.person(patient_id("1"))
    assert person is not None
    assert (person.is_known, person.allergy_state) == (False, "unavailable")


def test_a_corrected_result_keeps_the_earlier_value_readable(scene: Scene) -> None:
    scene.tell(patient("1"), result("r", "1", 4.1))
    scene.tell(result("r", "1", 5.2, NINE + SECOND, status="corrected"))
    chart = scene.fold().chart(patient_id("1"))
    assert chart is not None
    (point,) = chart.results[0].points
    assert (point.value, point.status) == ("5.2", "corrected")
    assert [(one.value, one.status, one.version) for one in point.earlier] == [("4.1", "final", 1)]
    first = scene.views.version("Observation", result_id("r"), 1)
    assert first is not None
    assert orjson.loads(first.json)["valueQuantity"]["value"] == 4.1


def test_a_late_preliminary_makes_no_version(scene: Scene) -> None:
    scene.tell(patient("1"), result("r", "1", 4.1))
    scene.tell(result("r", "1", 9.9, NINE + SECOND, status="preliminary"))
    history = scene.fold().history("Observation", result_id("r"))
    assert [orjson.loads(one.json)["valueQuantity"]["value"] for one in history] == [4.1]


def test_a_result_that_came_late_goes_under_the_one_that_is_newer(scene: Scene) -> None:
    scene.tell(patient("1"), result("r", "1", 5.0, NINE + 2 * SECOND))
    scene.tell(result("r", "1", 4.0, NINE))
    scene.fold()
    assert scene.doc("Observation", result_id("r"))["valueQuantity"]["value"] == 5.0


def test_a_result_before_any_word_of_its_patient_is_kept_for_them(scene: Scene) -> None:
    scene.tell(result("r", "1", 4.1))
    views = scene.fold()
    person = views.person(patient_id("1"))
    assert person is not None
    assert (person.family, person.is_known) == ("", False)
    scene.tell(patient("1", name=named("Müller")))
    chart = scene.fold().chart(patient_id("1"))
    assert chart is not None
    assert (chart.person.family, chart.person.is_known, len(chart.results)) == ("Müller", True, 1)


def test_a_message_with_two_patients_gives_each_their_own(scene: Scene) -> None:
    scene.tell(patient("1"), result("r1", "1", 4.1), patient("2"), result("r2", "2", 5.1))
    views = scene.fold()
    for number, value in (("1", "4.1"), ("2", "5.1")):
        chart = views.chart(patient_id(number))
        assert chart is not None
        assert [point.value for group in chart.results for point in group.points] == [value]


def test_the_chart_of_a_merged_patient_is_that_of_the_person(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Old")), result("r1", "1", 4.1))
    scene.tell(patient("2", name=named("New")), result("r2", "2", 5.1))
    scene.tell(merge("1", "2", NINE + SECOND))
    views = scene.fold()
    for number in ("1", "2"):
        chart = views.chart(patient_id(number))
        assert chart is not None
        assert chart.person.id == patient_id("2")
        assert chart.person.family == "New"
        assert [alias.patient_id for alias in chart.person.aliases] == [patient_id("1")]
        assert chart.person.aliases[0].why == "merged"
        assert sum(len(group.points) for group in chart.results) == 2
    loser, winner = scene.doc("Patient", patient_id("1")), scene.doc("Patient", patient_id("2"))
    assert loser["active"] is False
    assert loser["link"] == [{"other": {"reference": f"Patient/{patient_id('2')}"}, "type": "replaced-by"}]
    assert winner["link"] == [{"other": {"reference": f"Patient/{patient_id('1')}"}, "type": "replaces"}]


def test_a_later_update_changes_a_merged_patient_but_does_not_revive_it(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Old"), active=True), patient("2", name=named("New")))
    scene.tell(merge("1", "2", NINE + SECOND))
    scene.tell(patient("1", NINE + 2 * SECOND, name=named("Newer"), active=True))
    scene.tell(result("r", "1", 4.1, NINE + 2 * SECOND))
    chart = scene.fold().chart(patient_id("2"))
    assert chart is not None
    loser = scene.doc("Patient", patient_id("1"))
    assert (loser["active"], loser["name"][0]["family"]) == (False, "Newer")
    assert len(chart.results) == 1


def test_a_merge_taken_back_gives_each_their_own_again(scene: Scene) -> None:
    scene.tell(patient("1", name=named("One")), result("r1", "1", 4.1), patient("2", name=named("Two")))
    scene.tell(merge("1", "2", NINE + SECOND))
    scene.fold()
    scene.tell(unmerge("1", "2", NINE + 2 * SECOND), kind="unmerge")
    views = scene.fold()
    one, two = views.chart(patient_id("1")), views.chart(patient_id("2"))
    assert one is not None
    assert two is not None
    assert (one.person.family, len(one.results)) == ("One", 1)
    assert (two.person.family, len(two.results), two.person.aliases) == ("Two", 0, [])
    assert "link" not in scene.doc("Patient", patient_id("1"))
    assert "active" not in scene.doc("Patient", patient_id("1"))
    assert [(m.is_merge, m.is_in_force) for m in views.merges(patient_id("1"))] == [(True, False), (False, False)]


def test_a_chain_of_merges_and_a_reversed_one_leave_one_person(scene: Scene) -> None:
    scene.tell(patient("1"), patient("2"), patient("3"))
    scene.tell(merge("1", "2", NINE + SECOND))
    scene.tell(merge("2", "3", NINE + 2 * SECOND))
    views = scene.fold()
    assert {str(views.person(patient_id(n)).id) for n in "123"} == {patient_id("3")}  # type: ignore[union-attr]  # told above
    scene.tell(merge("3", "1", NINE + 3 * SECOND))
    scene.tell(merge("3", "1", NINE + 3 * SECOND))
    scene.fold()
    assert {str(views.person(patient_id(n)).id) for n in "123"} == {patient_id("1")}  # type: ignore[union-attr]  # told above
    assert sorted(views.patient_ids(patient_id("2"))) == sorted(patient_id(n) for n in "123")


def test_a_merge_into_a_patient_nobody_spoke_of_can_be_followed(scene: Scene) -> None:
    scene.tell(patient("1", name=named("One")))
    scene.tell(merge("1", "2"))
    scene.fold()
    assert scene.doc("Patient", patient_id("2"))["link"][0]["type"] == "replaces"


def test_one_number_on_two_patients_makes_them_one_person(scene: Scene) -> None:
    shared = ipp("77", "urn:oid:1.2.3", "MR")
    scene.tell(patient("1", identifier=[ipp("1"), shared]), result("r1", "1", 4.1))
    scene.tell(patient("2", identifier=[ipp("2"), shared]), result("r2", "2", 5.1))
    views = scene.fold()
    person = views.person(patient_id("1"))
    assert person is not None
    assert [alias.why for alias in person.aliases] == ["same-identifier"]
    scene.tell(patient("2", NINE + SECOND, identifier=[ipp("2")]))
    scene.fold()
    apart = views.person(patient_id("1"))
    assert apart is not None
    assert (apart.id, apart.aliases) == (patient_id("1"), [])


@pytest.mark.parametrize(
    "number",
    [
        ipp("190", "urn:oid:1.2.250.1.213.1.4.8", "INS"),
        ipp("190", IPP, "AN"),
        ipp("190", IPP, "PI", use="old"),
    ],
    ids=["INS", "number of a file", "old number"],
)
def test_a_number_that_names_no_person_links_nobody(scene: Scene, number: dict[str, Any]) -> None:
    scene.tell(patient("1", identifier=[ipp("1"), number]), patient("2", identifier=[ipp("2"), number]))
    person = scene.fold().person(patient_id("1"))
    assert person is not None
    assert person.aliases == []


def test_a_number_that_everybody_bears_links_nobody(scene: Scene) -> None:
    for number in "123456":
        scene.tell(patient(number, identifier=[ipp(number), ipp("0", "urn:oid:1.2.3")]))
    views = scene.fold()
    for number in "123456":
        person = views.person(patient_id(number))
        assert person is not None
        assert (person.id, person.aliases) == (patient_id(number), [])


def test_a_visit_told_again_for_the_surviving_patient_moves_to_them(scene: Scene) -> None:
    scene.tell(patient("1"), patient("2"), stay("s", "1"), movement("s", "1", "A01", place=A01_PLACE))
    scene.tell(stay("s", "2", NINE + SECOND), movement("s", "2", "A02", NINE + SECOND, place=("REA", "1", "B")))
    views = scene.fold()
    (occupant,) = views.ward_list("REA")
    assert occupant.patient_id == patient_id("2")
    assert views.ward_list("CARDIO") == []


def test_the_same_event_twice_changes_nothing(scene: Scene) -> None:
    told = [patient("1", name=named("Müller")), result("r", "1", 4.1)]
    scene.tell(*told)
    scene.tell(*told)
    views = scene.fold()
    assert [one.version for one in views.history("Observation", result_id("r"))] == [1]
    assert [one.version for one in views.history("Patient", patient_id("1"))] == [1]


def test_input_that_is_not_understood_is_listed_with_its_reason(scene: Scene) -> None:
    reason = "hl7v2.no-translation: VXU^V04 is kept, not charted"
    scene.tell(source={"type": "VXU^V04", "sender": "VAX|H01"}, understood=False, remarks=[reason])
    scene.tell(source={"type": "VXU^V04", "sender": "VAX|H01", "part": "2/2"}, understood=False, remarks=[reason])
    views = scene.fold()
    (kept,) = views.kept_not_understood(10)
    assert (kept.type, kept.sender, kept.control_id, kept.reason, kept.pos) == ("VXU^V04", "VAX|H01", "1", reason, 1)
    assert [(one.type, one.reason, one.count) for one in views.counts_not_understood()] == [("VXU^V04", reason, 1)]
    assert views.counts_by_type() == {"VXU^V04": 1}
    assert views.kept_not_understood(10, before_pos=1) == []


@pytest.mark.parametrize(
    "bad",
    [
        Statement("patch", "Patient", patient_id("9"), NINE, "", b"{no json"),
        Statement("patch", "Nonsense", patient_id("9"), NINE, "", b"{}"),
        Statement("sing", "Patient", patient_id("9"), NINE, "", b"{}"),
        Statement("patch", "Patient", patient_id("9"), NINE, "", b"[1]"),
        Statement("put", "Observation", result_id("9"), NINE, "", b'{"status":["a"],"code":"x","subject":"p"}'),
    ],
    ids=["no JSON", "no FHIR type", "no verb", "no object", "elements of wrong kinds"],
)
def test_an_event_that_cannot_be_folded_stops_nothing(scene: Scene, bad: Statement) -> None:
    scene.tell(patient("1", name=named("Before")))
    scene.tell(patient("1", NINE + SECOND, name=named("Torn")), bad)
    scene.tell(patient("2", name=named("After")))
    views = scene.fold()
    assert views.position() == 3
    assert views.find("after")[0].family == "After"
    listed = views.kept_not_understood(10)
    assert [one.pos for one in listed] in ([], [2])
    if listed:
        assert listed[0].reason.startswith("record.cannot-fold")
        assert views.find("torn") == []


def test_feeds_are_counted_by_sender_and_type(scene: Scene) -> None:
    for _ in range(3):
        scene.tell(patient("1"))
    scene.tell(source={"type": "ORU^R01", "sender": "LAB|H01"})
    feeds = {(one.sender, one.type): one.count for one in scene.fold().feeds()}
    assert feeds == {("GAP|H01", "ADT^A01"): 3, ("LAB|H01", "ORU^R01"): 1}


def test_a_second_archive_is_refused_while_the_first_folds(scene: Scene) -> None:
    scene.fold()
    with pytest.raises(WrongUse, match="Stop that node first"):
        Archive(scene.folder)


def test_views_deleted_while_the_node_runs_are_made_anew(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Müller")))
    scene.fold()
    for name in (VIEWS_FILE, f"{VIEWS_FILE}-wal", f"{VIEWS_FILE}-shm"):
        (scene.folder / name).unlink(missing_ok=True)
    with pytest.raises(StoreUnable, match="rebuilt"):
        scene.views.find("muller")
    assert scene.fold().find("muller")[0].family == "Müller"


@pytest.mark.parametrize(
    "bytes_", [b"this is no database, whatever its name says" * 100, b""], ids=["foreign", "empty"]
)
def test_views_that_are_no_views_are_made_anew(scene: Scene, bytes_: bytes) -> None:
    scene.tell(patient("1", name=named("Müller")))
    (scene.folder / VIEWS_FILE).write_bytes(bytes_)
    assert scene.fold().find("muller")[0].family == "Müller"


def test_views_of_another_version_are_made_anew(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Müller")))
    db = sqlite3.connect(scene.folder / VIEWS_FILE)
    db.execute("PRAGMA user_version = 999")
    db.close()
    assert scene.fold().find("muller")[0].family == "Müller"


def test_a_full_disk_leaves_the_views_where_they_stood(scene: Scene) -> None:
    scene.tell(patient("1", name=named("Müller")))
    views = scene.fold()
    db = scene.archive._sql
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(40):
        scene.tell(patient(f"x{number}", name=named("Full" * 500)))
    with pytest.raises(StoreUnable, match="log is whole"):
        scene.archive.fold_all()
    assert views.position() < 41
    db.execute("PRAGMA max_page_count = 1000000")
    scene.fold()
    assert views.position() == 41
    assert len(views.find("full", limit=100)) == 0 or views.find("fullfull")


def test_a_killed_archive_goes_on_where_it_committed(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "node")
    for number in range(30):
        scene.tell(patient(f"{number}", name=named("Müller")), result(f"r{number}", f"{number}", 4.1))
    scene.archive.fold_new(10)
    child = os.fork()
    if child == 0:  # the child folds on in the middle of a transaction and dies in it, as by kill -9
        scene.archive._sql.execute("BEGIN IMMEDIATE")
        scene.archive._sql.execute("DELETE FROM resource")
        os._exit(9)
    os.waitpid(child, 0)
    os.close(scene.archive._lock)
    scene.archive._lock = os.open(os.devnull, os.O_RDONLY)
    scene.close()
    expected = record_of(_copy(tmp_path / "node", tmp_path / "fresh"))
    assert record_of(tmp_path / "node") == expected


def _copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.glob("log.db*"):
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_a_torn_journal_leaves_whole_batches_only(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "node")
    for number in range(12):
        scene.tell(patient(f"{number}"), result(f"r{number}", f"{number}", 4.1))
    archive = scene.archive
    while archive.fold_new(3):
        pass
    db_bytes = (scene.folder / VIEWS_FILE).read_bytes()
    wal = (scene.folder / f"{VIEWS_FILE}-wal").read_bytes()
    scene.close()
    positions = set()
    for cut in (*range(0, len(wal), max(1, len(wal) // 97)), len(wal)):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / VIEWS_FILE).write_bytes(db_bytes)
        (folder / f"{VIEWS_FILE}-wal").write_bytes(wal[:cut])
        db = sqlite3.connect(folder / VIEWS_FILE)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        if db.execute("PRAGMA user_version").fetchone()[0]:
            row = db.execute("SELECT value FROM meta WHERE name = 'position'").fetchone()
            position = row[0] if row else 0
            found = db.execute("SELECT count(*) FROM resource WHERE type = 3").fetchone()[0]
            assert (position % 3, found) == (0, position)
            positions.add(position)
        db.close()
    assert positions == {0, 3, 6, 9, 12}


# Any order of arrival

_AT = st.integers(0, 4).map(lambda n: NINE + n * SECOND)
_NUMBER = st.sampled_from("123")
_EVENT = st.sampled_from(["A01", "A02", "A03", "A05", "A11", "A12", "A13"])
_IDENTIFIERS = st.lists(
    st.sampled_from([ipp("1"), ipp("2"), ipp("7", "urn:x", "MR"), ipp("8", "urn:x", "MR")]), max_size=2
)
_STATEMENT = st.one_of(
    st.builds(
        lambda n, at, ids, g: patient(n, at, identifier=ids, gender=g),
        _NUMBER,
        _AT,
        _IDENTIFIERS,
        st.sampled_from([None, "male"]),
    ),
    st.builds(lambda n, at, f: patient(n, at, name=named(f)), _NUMBER, _AT, st.sampled_from(["Müller", "Le Goff"])),
    st.builds(
        lambda n, at, f: mention("Patient", patient_id(n), at, patient_id(n), name=named(f), birthDate="1970"),
        _NUMBER,
        _AT,
        st.sampled_from(["Muller", "Legoff"]),
    ),
    st.builds(
        lambda n, at, v, s: result(n, n, v, at, status=s),
        _NUMBER,
        _AT,
        st.sampled_from([1.5, 2.5]),
        st.sampled_from(["preliminary", "final", "corrected", "entered-in-error"]),
    ),
    st.builds(lambda n, at: stay(n, n, at), _NUMBER, _AT),
    st.builds(
        lambda n, at, e, m, w: movement(n, n, e, at, movement=m, place=(w, "1", "A")),
        _NUMBER,
        _AT,
        _EVENT,
        st.sampled_from(["", "m1"]),
        st.sampled_from(["CARDIO", "REA"]),
    ),
    st.builds(lambda a, b, at: merge(a, b, at), _NUMBER, _NUMBER, _AT),
    st.builds(lambda a, b, at: unmerge(a, b, at), _NUMBER, _NUMBER, _AT),
    st.builds(lambda n, at, t: allergy(n + t, n, t, at), _NUMBER, _AT, st.sampled_from(["Latex", "NKA"])),
    st.builds(lambda n, at: patch("Observation", result_id(n), at, patient_id(n), note=[{"text": "x"}]), _NUMBER, _AT),
)
_EVENTS = st.lists(st.lists(_STATEMENT, min_size=1, max_size=3), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    _EVENTS.flatmap(
        lambda told: st.tuples(st.just(told), st.permutations(range(len(told))), st.sampled_from([1, 2, 500]))
    )
)
def test_any_order_of_arrival_from_two_nodes_gives_the_same_record(given_: Any) -> None:
    told, order, batch = given_
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, two = Scene(folder / "one", "H01"), Scene(folder / "two", "H02")
        for n, statements in enumerate(told):
            (one if n % 2 else two).tell(*statements)
        events = sorted(one.events() + two.events(), key=lambda event: event.hlc)
        one.close()
        two.close()
        write_log(folder / "in-order", events)
        write_log(folder / "shuffled", [events[n] for n in order])
        assert record_of(folder / "shuffled", batch=batch) == record_of(folder / "in-order")


def test_views_made_in_small_batches_equal_those_made_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "node")
    for n in range(40):
        number = str(n % 7)
        scene.tell(
            patient(number, NINE + (n * 13 % 11) * SECOND, name=named(f"Name{n % 3}")),
            result(f"r{n % 9}", number, n / 10, NINE + (n * 7 % 5) * SECOND),
            stay(number, number),
            movement(number, number, ("A01", "A02", "A03")[n % 3], NINE + n * SECOND, place=(f"W{n % 4}", "1", "A")),
        )
        if n % 11 == 10:
            scene.tell(merge(str(n % 7), str((n + 1) % 7), NINE + n * SECOND))
    scene.close()
    write_log(tmp_path / "other", Scene.events(scene))
    tables = []
    for folder, batch in ((tmp_path / "node", 1), (tmp_path / "other", 500)):
        record_of(folder, batch=batch)
        tables.append(_tables(folder))
    assert tables[0] == tables[1]


def test_names_and_cards_that_are_sorted_in_are_found_like_new_ones_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path / "node")
    for n in range(60):
        number = str(n * 7 % 11)
        scene.tell(
            result(f"r{n * 5 % 23}", number, n / 10, NINE + n * SECOND, status=("preliminary", "final")[n % 2]),
            result(f"s{n}", number, n / 10, NINE - n * SECOND),
            stay(number, number, NINE + n * SECOND),
        )
    scene.close()
    write_log(tmp_path / "sorted", Scene.events(scene))
    record_of(tmp_path / "node")
    monkeypatch.setattr(index, "NAMES_NEW_MAX", 10)
    monkeypatch.setattr(index, "NAMES_AT_ONCE", 4)
    for restart_every in (2, 9):
        archive = Archive(tmp_path / "sorted", origin="H01")
        while archive.fold_new(2):
            if archive.position % restart_every == 0:
                archive.close()
                archive = Archive(tmp_path / "sorted", origin="H01")
        archive.close()
        assert _tables(tmp_path / "sorted") == _tables(tmp_path / "node")
        views = Views(tmp_path / "sorted")
        of_one = views.chart(patient_id("3"))
        assert of_one is not None
        times = [point.at for group in of_one.results for point in group.points]
        assert len(times) > 5
        assert times == sorted(times, reverse=True)
        views.close()
        delete_views(tmp_path / "sorted" / VIEWS_FILE)


def _tables(folder: Path) -> dict[str, list[Any]]:
    views = Views(folder)
    rows = {name: sorted(views.db.execute(f"SELECT * FROM {name}"), key=repr) for name in TABLES}
    views.close()
    return rows


@pytest.mark.parametrize("batch", [1, 500])
def test_a_fact_that_two_lives_of_this_node_kept_is_owed_once_and_settled_by_its_name(
    tmp_path: Path, batch: int
) -> None:
    scene = Scene(tmp_path / "node")
    scene.tell(patient("1"), kind="note")
    scene.tell(patient("2"), kind="note")
    first, second = scene.events()
    again = msgspec.structs.replace(first, epoch=2, seq=1)
    told = {"destination": "dpi", "event_id": first.event_id, "state": "accepted"}
    delivered = msgspec.structs.replace(
        second, seq=3, kind="delivery", event_id=bytes(15) + b"d", body=encode_body(Body(told))
    )
    scene.close()
    owed = {}
    for name, events in (("kept", [first, second, again]), ("delivered", [first, second, again, delivered])):
        write_log(tmp_path / name, events)
        record_of(tmp_path / name, batch=batch)
        views = Views(tmp_path / name)
        owed[name] = [one.event_id for one in views.outbox("dpi", 9, kinds=("note",))]
        views.close()
    assert owed == {"kept": [first.event_id, second.event_id], "delivered": [second.event_id]}


def test_a_fold_leaves_the_collector_of_cycles_nothing_for_the_archive_has_switched_it_off(scene: Scene) -> None:
    def tell(first: int) -> None:
        for n in range(first, first + 30):
            number = str(n % 7)
            scene.tell(
                patient(number, NINE + n * SECOND, name=named(f"Name{n}")),
                mention("Encounter", stay_id(number), NINE + n * SECOND, patient_id(number), status="in-progress"),
                movement(number, number, ("A01", "A02")[n % 2], NINE + n * SECOND, place=(f"W{n % 4}", "1", "A")),
                result(f"r{n}", number, n / 10, NINE + n * SECOND),
                result(f"r{first}", number, n / 10, NINE - n * SECOND),
                allergy(number, number, f"Latex {n}"),
            )
        scene.tell(merge("1", "2", NINE + first * SECOND))

    tell(0)
    scene.fold()
    tell(100)
    gc.collect()
    gc.disable()
    try:
        scene.fold()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_sorting_in_that_the_disk_refuses_is_said_and_done_the_next_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "NAMES_NEW_MAX", 2)
    whole = index.SQL_SORT_IN
    monkeypatch.setattr(index, "SQL_SORT_IN", (*whole[:2], "INSERT INTO no_such_table VALUES (1)"))
    scene.tell(patient("1"), result("r1", "1", 4.2))
    with pytest.raises(StoreUnable, match=r"the log is whole"):
        scene.fold()
    monkeypatch.setattr(index, "SQL_SORT_IN", whole)
    scene.tell(result("r2", "1", 4.4))
    views = scene.fold()
    assert views.db.execute("SELECT (SELECT count(*) FROM name_new), (SELECT count(*) FROM name_old)").fetchone() == (
        0,
        3,
    )
    chart = views.chart(patient_id("1"))
    assert chart is not None
    assert len(chart.results[0].points) == 2
