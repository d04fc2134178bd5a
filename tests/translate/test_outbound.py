from datetime import UTC, datetime
from typing import Any

import hl7
import orjson
import pytest

from releve.clock import to_instant
from releve.errors import Refused
from releve.ids import computed_id
from releve.log import Body, Draft, Event
from releve.log.event import decode_body
from releve.record.capture import admission_draft, merge_draft, note_draft, temporary_ids, unmerge_draft
from releve.translate.outbound import Station, control_id_of, outbound
from releve.wire.hl7v2 import Message, parse
from translate.scene import PARIS, content, contents, said, text

STATION = Station("RELEVE", "H01", "DPI", "CENTRE", PARIS)
TOOK_PLACE = to_instant(datetime(2024, 8, 3, 12, 30, tzinfo=UTC))
CAPTURED = to_instant(datetime(2024, 8, 3, 13, 5, tzinfo=UTC))
RAW = text(
    "EVN||20240803100000",
    "PID|1||A1^^^SAMU^AN~42^^^CHU&1.2.250.9&ISO^PI||LÉGER^ÉLODIE^ÉLODIE ANNE^^^^L~NOËL^ÉLODIE^^^^^D||19800214|F"
    "|||12 rue^^BESANÇON^^25000^FRA^H||^PRN^PH^^^^^^^^^0102030405|||||||||||||||||||VALI",
    "PV1|1|I|CARDIO^101^1^CHU||||||||||||||||V1^^^CHU&1.2.250.9&ISO^VN",
)
PATIENT = computed_id("Patient", "urn:oid:1.2.250.9", "42")
STAY = computed_id("Encounter", "urn:oid:1.2.250.9", "V1")
KNOWN: dict[tuple[str, str], dict[str, Any]] = {
    ("Patient", PATIENT): content(said(RAW), "Patient"),
    ("Encounter", STAY): {**content(said(RAW), "Encounter", "patch"), "location": []},
}


def _look_up(type_: str, id_: str) -> dict[str, Any] | None:
    return KNOWN.get((type_, id_))


def _event(draft: Draft) -> tuple[Event, Body]:
    event = Event(
        "H01", 1, draft.channel, 1, 0, CAPTURED, draft.kind, draft.event_id, draft.body, bytes(32), b"", b"", 7
    )  # fmt: skip
    return event, decode_body(draft.body)


def _sent(draft: Draft, look_up: Any = _look_up) -> list[Message]:
    return [parse(raw) for raw in outbound(*_event(draft), look_up, STATION, lambda _: None)]


def _note(words: str = "Vu à 14 h 30.\nTA 12/8 | ~ pouls & SpO₂ ^ \\ stables") -> Draft:
    return note_draft(
        key="k1", patient_id=PATIENT, encounter_id=STAY, text=words, author="m.durand", author_display="Zoé DURAND",
        at=TOOK_PLACE,
    )  # fmt: skip


ADMISSION = admission_draft(
    key="k2", number="T-H01-000001-X", sex="male", description="barbe, tatouage", ward="URG", room="2", bed="B",
    class_="EMER", author="m.durand", author_display="Zoé DURAND", at=TOOK_PLACE, birth_year=1970,
)  # fmt: skip


def test_a_note_tells_its_text_when_it_took_place_and_who_wrote_it() -> None:
    (message,) = _sent(_note())
    assert message.type == "MDM^T02"
    evn, txa, obx = message.first("EVN"), message.first("TXA"), message.first("OBX")
    assert evn is not None
    assert txa is not None
    assert obx is not None
    assert obx.get(5) == "Vu à 14 h 30.\nTA 12/8 | ~ pouls & SpO₂ ^ \\ stables"
    assert evn.get(6) == txa.get(4) == obx.get(14) == "20240803143000+0200"
    assert evn.get(2) == txa.get(6) == "20240803150500+0200"
    assert (txa.get(9), txa.get(9, 2)) == ("m.durand", "Zoé DURAND")


def test_a_note_names_patient_and_stay_by_the_numbers_of_the_receiver() -> None:
    (message,) = _sent(_note())
    pid, pv1 = message.first("PID"), message.first("PV1")
    assert pid is not None
    assert pv1 is not None
    assert pid.reps(3) == ["42^^^CHU&1.2.250.9&ISO^PI", "A1^^^SAMU^AN"]
    assert pv1.raw(19) == "V1^^^CHU&1.2.250.9&ISO^VN"


def test_what_is_told_of_a_patient_reads_back_as_the_same_patient() -> None:
    (message,) = _sent(_note())
    pid = message.first("PID")
    assert pid is not None
    back = content(said(text(pid.text, type_="ADT^A28")), "Patient")
    there = KNOWN["Patient", PATIENT]
    assert sorted(back.pop("identifier"), key=str) == sorted(there["identifier"], key=str)
    assert back == {name: value for name, value in there.items() if name != "identifier"}


def test_every_try_of_an_event_has_the_same_bytes_and_another_event_has_another_control_id() -> None:
    first, again, other = _sent(_note()), _sent(_note()), _sent(ADMISSION)
    assert first[0].raw == again[0].raw
    assert len({first[0].control_id, *(one.control_id for one in other)}) == 3
    assert all(len(one.control_id) <= 20 for one in (*first, *other))
    assert first[0].control_id == control_id_of(_note().event_id, 1)


def test_an_unknown_person_is_created_before_being_admitted() -> None:
    create, admit = _sent(ADMISSION)
    assert (create.type, admit.type) == ("ADT^A28", "ADT^A04")
    for message in (create, admit):
        pid = message.first("PID")
        assert pid is not None
        assert pid.get(3) == "T-H01-000001-X"
        assert (pid.get(31), pid.get(32)) == ("Y", "PROV")


def test_an_admission_that_is_told_reads_back_as_the_stay_that_was_captured() -> None:
    admit = said(_sent(ADMISSION)[1])
    assert admit.understood
    patient_id, stay_id = temporary_ids("T-H01-000001-X")
    assert {(one.type, one.id) for one in admit.statements} == {("Patient", patient_id), ("Encounter", stay_id)}
    movement = content(admit, "Encounter", "movement")
    captured = orjson.loads(decode_body(ADMISSION.body).statements[2].content)
    for name in ("movement", "action", "event"):
        assert captured[name] == movement[name]
    assert [movement["location"][name] for name in ("ward", "room", "bed")] == ["URG", "2", "B"]
    assert [one.at for one in admit.statements if one.verb == "movement"] == [TOOK_PLACE]


def test_a_merge_names_the_survivor_and_the_file_that_goes() -> None:
    temporary = temporary_ids("T-H01-000001-X")[0]
    patch = orjson.loads(decode_body(ADMISSION.body).statements[0].content)
    known = {**KNOWN, ("Patient", temporary): patch}
    draft = merge_draft(key="k3", loser_id=temporary, winner_id=PATIENT, author="m.durand", at=TOOK_PLACE)
    (message,) = _sent(draft, lambda type_, id_: known.get((type_, id_)))
    assert message.type == "ADT^A40"
    back = said(message)
    (merge,) = [one for one in back.statements if one.verb == "merge"]
    assert (merge.id, orjson.loads(merge.content)) == (temporary, {"into": PATIENT})
    assert contents(back, "Patient", "merge")


def test_a_merge_cannot_be_undone_over_hl7_and_a_person_is_told_so() -> None:
    draft = unmerge_draft(key="k4", loser_id="a", winner_id="b", author="m.durand", at=TOOK_PLACE)
    with pytest.raises(Refused, match="by hand") as refusal:
        _sent(draft)
    assert refusal.value.code == "outbox.no-undo"


def test_a_note_about_nobody_the_receiver_knows_is_refused_and_nothing_is_sent() -> None:
    with pytest.raises(Refused) as refusal:
        _sent(_note(), lambda *_: None)
    assert refusal.value.code == "outbox.unknown-patient"


def test_a_message_that_came_is_passed_on_byte_for_byte() -> None:
    raw = RAW.replace(b"\r", b"\n")
    draft = Draft("group", "hl7v2", b"x" * 16, b"")
    event, _ = _event(_note())
    for body in (Body(raw=raw), Body(raw_sha256=b"s" * 32), Body({"part": "1/3"}, raw_sha256=b"s" * 32)):
        assert outbound(_kind(event, draft), body, _look_up, STATION, {b"s" * 32: raw}.get) == [raw]
    later = Body({"part": "2/3"}, raw_sha256=b"s" * 32)
    assert outbound(_kind(event, draft), later, _look_up, STATION, {}.get) == []
    with pytest.raises(Refused, match="its origin has them"):
        outbound(_kind(event, draft), Body(raw_sha256=b"s" * 32), _look_up, STATION, {}.get)


def _kind(event: Event, draft: Draft) -> Event:
    return Event(*(getattr(draft if name in ("kind", "event_id") else event, name) for name in Event.__struct_fields__))


def test_events_that_concern_no_other_system_are_not_told() -> None:
    event, body = _event(_note())
    silent = _kind(event, Draft("site", "delivery", b"x" * 16, b""))
    assert outbound(silent, body, _look_up, STATION, lambda _: None) == []


@pytest.mark.peer
def test_a_parser_that_nobody_here_wrote_reads_what_is_told() -> None:
    for raw in [message.raw for draft in (_note(), ADMISSION) for message in _sent(draft)]:
        read = hl7.parse(raw.decode())
        assert str(read.segment("MSH")[10]) == parse(raw).control_id
        assert str(read.segment("PID")[3]) == parse(raw).segments[2].raw(3)
