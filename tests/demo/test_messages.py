from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest

from releve.demo.cast import FAMILY_NAMES, invent
from releve.demo.feeder import oid_of
from releve.demo.messages import ANALYTES, Bed, Office, Result, Stay, adt, oru
from releve.translate import translate
from releve.wire.hl7v2 import parse

AT = datetime(2024, 8, 3, 9, 12, 44, tzinfo=UTC)
DESK = Office("GAM", "H01", "H01", oid_of("H01"))
ANALYSER = Office("AUTOMATE", "H01", "H01-LABO", oid_of("H01-LABO"), "8859/15")


def _stay(seed: int) -> Stay:
    person = invent(Random(seed), f"H01P{seed:06}", DESK.namespace, DESK.oid)
    return Stay(person, "H01V1", "H01D1", "I", Bed("MED", "MED01", "2"), "20240803111244")


@pytest.mark.parametrize("event", ["A01", "A02", "A03", "A04", "A08"])
def test_a_movement_is_read_as_it_was_meant(event: str) -> None:
    raw, facts = adt(DESK, ("RELEVE", "H01"), event, "1", _stay(1), at=AT, movement="M1", status="in-progress")
    message = parse(raw)
    assert message.encode() == raw
    assert (message.type.partition("^")[0], message.trigger, message.control_id) == ("ADT", event, "1")
    read = translate(message, received_at=0, zone=ZoneInfo("Europe/Paris"))
    assert read.understood
    assert {statement.type for statement in read.statements} == {"Patient", "Encounter"}
    assert {fact.kind for fact in facts} == {"person", "stay"}


def test_times_are_written_as_paris_clocks_show_them() -> None:
    raw, _ = adt(DESK, ("RELEVE", "H01"), "A01", "1", _stay(1), at=AT, movement="M1", status="in-progress")
    assert b"|20240803111244|" in raw


@pytest.mark.parametrize("seed", range(len(FAMILY_NAMES)))
def test_an_old_analyser_writes_a_question_mark_for_letters_it_lacks_and_the_result_stays_whole(seed: int) -> None:
    results = [Result(ANALYTES[2], "104", "F")]
    raw, facts = oru(ANALYSER, ("RELEVE", "H01"), "1", _stay(seed), "R1", results, at=AT)
    read = translate(parse(raw), received_at=0, zone=ZoneInfo("Europe/Paris"))
    assert read.understood
    assert "Créatinine".encode("iso8859-15") in raw
    assert facts[-1].says == {
        "patient": f"urn:oid:{DESK.oid}|H01P{seed:06}",
        "value": "104",
        "unit": "umol/L",
        "status": "final",
    }


def test_the_same_seed_gives_the_same_people() -> None:
    assert invent(Random(5), "1", "N", "2.25.1") == invent(Random(5), "1", "N", "2.25.1")
