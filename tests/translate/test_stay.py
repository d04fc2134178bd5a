from typing import Any

import orjson
import pytest

from releve.clock import to_iso
from releve.ids import computed_id
from releve.translate import Translation
from translate.scene import adt, codes, content, contents, edge, needs_shared, oru, said, statement

PID = "PID|1||42^^^CHU^PI"
EVN = "EVN||20260315093000||||20260315091500"


def pv1(visit: str = "V1^^^CHU^VN", place: str = "CARDIO^101^1^CHU", **fields: str) -> str:
    values = ["PV1", "1", "I", place] + [""] * 48
    values[19] = visit
    for name, value in fields.items():
        values[int(name[1:])] = value
    return "|".join(values).rstrip("|")


def moved(translation: Translation) -> dict[str, Any]:
    return content(translation, "Encounter", "movement")


def at(translation: Translation) -> str:
    return to_iso(statement(translation, "Encounter", "movement").at)


def test_a_stay_is_named_by_its_visit_number_then_by_the_file_number() -> None:
    by_visit = statement(adt("A01", EVN, f"{PID}{'|' * 15}F9^^^CHU^AN", pv1()), "Encounter", "patch")
    by_file = statement(adt("A01", EVN, f"{PID}{'|' * 15}F9^^^CHU^AN", pv1(visit="")), "Encounter", "patch")
    assert computed_id("Encounter", "urn:id:CHU", "V1") == by_visit.id
    assert computed_id("Encounter", "urn:id:CHU", "F9") == by_file.id
    types = [number["type"]["coding"][0]["code"] for number in orjson.loads(by_visit.content)["identifier"]]
    assert types == ["VN", "AN"]


def test_without_any_number_the_messages_of_a_patient_are_about_one_stay() -> None:
    first, second = adt("A01", EVN, PID, pv1(visit="")), adt("A03", EVN, PID, pv1(visit="", f44="20260101"))
    assert statement(first, "Encounter", "patch").id == statement(second, "Encounter", "patch").id
    assert {"hl7v2.no-visit-number"} == codes(first)


def test_status_period_and_places_of_a_stay_are_never_stated() -> None:
    for trigger in ("A01", "A02", "A03", "A08", "A11", "A13"):
        stated = content(adt(trigger, EVN, PID, pv1(f44="20260314", f45="20260316")), "Encounter", "patch")
        assert not {"status", "period", "location"} & stated.keys()


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A04", "A05", "A06", "A07", "A14", "A21", "A22"])
def test_a_movement_is_inserted_with_its_event(trigger: str) -> None:
    movement = moved(adt(trigger, EVN, PID, pv1()))
    assert ("insert", trigger) == (movement["action"], movement["event"])
    assert "movement" not in movement


@pytest.mark.parametrize("trigger", ["A11", "A12", "A13", "A27", "A38", "A52", "A53"])
def test_a_cancel_without_an_id_counts_from_when_it_was_recorded(trigger: str) -> None:
    translation = adt(trigger, EVN, PID, pv1())
    assert ("cancel", trigger) == (moved(translation)["action"], moved(translation)["event"])
    assert at(translation) == "2026-03-15T08:30:00.000Z"


@pytest.mark.parametrize("trigger", ["A08", "A28", "A31"])
def test_an_update_moves_nobody(trigger: str) -> None:
    translation = adt(trigger, EVN, PID, pv1())
    assert translation.understood
    assert contents(translation, "Encounter", "movement") == []


def test_an_update_states_the_stay_and_only_mentions_where_the_patient_lies() -> None:
    translation = adt("A08", EVN, PID, pv1(f44="20260314080000"))
    mentioned = content(translation, "Encounter", "mention")
    assert mentioned["status"] == "in-progress"
    assert mentioned["location"][0]["location"]["display"] == "CARDIO 101-1"
    assert mentioned["period"] == {"start": "2026-03-14T08:00:00+01:00"}


def test_an_identity_message_says_nothing_of_a_stay() -> None:
    assert [one.type for one in adt("A31", EVN, PID, pv1()).statements] == ["Patient"]


def test_a_place_has_ward_room_and_bed_and_a_name() -> None:
    location = moved(adt("A02", EVN, PID, pv1()))["location"]
    assert tuple(location[k] for k in ("ward", "room", "bed", "display")) == ("CARDIO", "101", "1", "CARDIO 101-1")
    assert location["identifier"] == {"system": "urn:id:CHU", "value": "CARDIO/101/1"}
    assert "location" not in moved(adt("A02", EVN, PID, pv1(place="")))


def test_the_time_of_a_movement_is_zbe_2_then_evn_6_then_the_stay_s_own_then_evn_2() -> None:
    zbe = "ZBE|501^GAM|20260315081000||INSERT|N"
    assert at(adt("A01", EVN, PID, pv1(f44="20260315090000"), zbe)) == "2026-03-15T07:10:00.000Z"
    assert at(adt("A01", EVN, PID, pv1(f44="20260315090000"))) == "2026-03-15T08:15:00.000Z"
    assert at(adt("A01", "EVN||20260315093000", PID, pv1(f44="20260315090000"))) == "2026-03-15T08:00:00.000Z"
    assert at(adt("A01", "EVN||20260315093000", PID, pv1(f44="20260315"))) == "2026-03-15T08:30:00.000Z"
    assert at(adt("A03", "EVN||20260315103000", PID, pv1(f45="20260315100000"))) == "2026-03-15T09:00:00.000Z"


def test_a_plan_counts_for_its_day_as_a_movement_and_for_now_as_what_is_known() -> None:
    translation = adt("A05", "EVN||20260315093000||||20260420080000", PID, pv1())
    assert at(translation) == "2026-04-20T06:00:00.000Z"
    assert to_iso(statement(translation, "Patient").at) == "2026-03-15T08:30:00.000Z"


def test_a_movement_of_the_past_is_corrected_and_taken_back_by_its_id() -> None:
    inserted = adt("A01", EVN, PID, pv1(), "ZBE|501^GAM^1.2.3.4^ISO|20260315091500||INSERT|N")
    updated = adt("Z99", EVN, PID, pv1(), "ZBE|501^GAM^1.2.3.4^ISO|20260315084500||UPDATE|N|A01")
    cancelled = adt("A11", EVN, PID, pv1(), "ZBE|501^GAM^1.2.3.4^ISO|20260315091500||CANCEL|N|A01")
    assert {"urn:oid:1.2.3.4|501"} == {moved(one)["movement"] for one in (inserted, updated, cancelled)}
    assert [moved(one)["action"] for one in (inserted, updated, cancelled)] == ["insert", "update", "cancel"]
    assert [moved(one)["event"] for one in (inserted, updated, cancelled)] == ["A01", "A01", "A01"]
    assert at(updated) == "2026-03-15T07:45:00.000Z"


def test_a_correction_without_its_movement_needs_a_person() -> None:
    translation = adt("Z99", EVN, PID, pv1())
    assert not translation.understood
    assert translation.reason.startswith("hl7v2.no-movement")
    assert statement(translation, "Patient").verb == "patch"


def test_the_ward_that_is_responsible_is_kept() -> None:
    zbe = "ZBE|501^GAM|20260315091500||INSERT|N||CARDIOLOGIE^^^^^CHU^UF^^^4101"
    assert moved(adt("A01", EVN, PID, pv1(), zbe))["unit"] == {"name": "CARDIOLOGIE", "code": "4101"}


@pytest.mark.parametrize(
    ("sent", "code"), [("E", "EMER"), ("I", "IMP"), ("O", "AMB"), ("P", "PRENC"), ("R", "R"), ("X", "X")]
)
def test_the_class_of_a_stay(sent: str, code: str) -> None:
    translation = adt("A04", EVN, PID, pv1(f2=sent))
    assert code == content(translation, "Encounter", "patch")["class"]["code"] == moved(translation)["class"]["code"]


def test_who_is_in_charge_is_named() -> None:
    stated = content(adt("A01", EVN, PID, pv1(f7="1^MARTIN^PAUL", f17="2^DURAND^ZOÉ")), "Encounter", "patch")
    assert [(one["type"][0]["coding"][0]["code"], one["individual"]["display"]) for one in stated["participant"]] == [
        ("ATND", "PAUL MARTIN"),
        ("ADM", "ZOÉ DURAND"),
    ]


def test_an_admission_without_a_stay_charts_the_patient_and_asks_for_a_person() -> None:
    translation = adt("A01", EVN, PID)
    assert (translation.understood, translation.reason.split(":")[0]) == (False, "hl7v2.no-stay")
    assert [one.type for one in translation.statements] == ["Patient"]


def test_a_result_mentions_the_stay_it_was_made_in() -> None:
    translation = oru(PID, pv1(), "OBR|1||FL1|X", "OBX|1|ST|X||a||||||F")
    stay = statement(translation, "Encounter")
    assert stay.verb == "mention"
    assert {"reference": f"Encounter/{stay.id}"} == content(translation, "Observation")["encounter"]


@needs_shared
def test_the_edge_messages_about_one_movement_agree_on_its_name() -> None:
    names = {moved(said(edge(name)))["movement"] for name in ("fr-a01-utf8", "fr-z99-zbe-update", "fr-a11-zbe-cancel")}
    assert len(names) == 1
    transfer = said(edge("fr-a02-transfer-no-prior-a01"))
    assert transfer.understood
    assert moved(transfer)["movement"] not in names
    assert at(transfer) == "2026-03-16T09:15:00.000Z"


def test_a_stay_whose_class_nobody_said_has_one_that_gives_way() -> None:
    translation = adt("A02", EVN, PID, pv1(f2=""))
    assert "class" not in content(translation, "Encounter", "patch")
    assert content(translation, "Encounter", "mention")["class"]["code"] == "UNK"
