"""Messages all the way into the record: what the desk keeps of them, folded, read as pages and doors read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import fhirkit
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.ids import computed_id
from releve.log import Body, Draft, Log, Receipt, encode_body
from releve.record import Archive, Views
from translate.scene import SHARED, edge, needs_shared, said, text

ELODIE = computed_id("Patient", "urn:id:CHU-TEST", "000042")
STAY = computed_id("Encounter", "urn:id:CHU-TEST", "26000999")


class Record:
    """A node's folder that takes messages and shows what is known."""

    def __init__(self, folder: Path) -> None:
        self._log = Log(folder, "H01", Ed25519PrivateKey.generate())
        self._folder = folder
        self._count = 0
        self.views = Views(folder)

    def take(self, *raws: bytes) -> Record:
        """Keep messages, in this order, and fold them."""
        kept: SimpleQueue[object] = SimpleQueue()
        for raw in raws:
            told = said(raw, production=False)
            self._count += 1
            body = Body({"door": "mllp", "sender": "T|T"}, raw, b"", told.statements, told.remarks, told.understood)
            event_id = self._count.to_bytes(16, "big")
            self._log.append(Draft(told.channel, "hl7v2", event_id, encode_body(body)), kept.put)
        assert all(isinstance(kept.get(timeout=30), Receipt) for _ in raws)
        archive = Archive(self._folder)
        while archive.fold_new():
            pass
        archive.close()
        return self

    def resource(self, type_: str, id_: str) -> dict[str, Any]:
        stored = self.views.resource(type_, id_)
        assert stored is not None, f"no {type_}/{id_}"
        assert fhirkit.validate(stored.json.decode()) == []
        found: dict[str, Any] = orjson.loads(stored.json)
        return found

    def close(self) -> None:
        self.views.close()
        self._log.close()


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    record = Record(tmp_path)
    yield record
    record.close()


@needs_shared
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_movement_is_corrected_and_taken_back_in_whatever_order_the_messages_come(
    record: Record, order: tuple[int, ...]
) -> None:
    names = ("fr-a01-utf8", "fr-z99-zbe-update", "null-vs-empty-a08")
    record.take(*(edge(names[index]) for index in order))
    stay = record.resource("Encounter", STAY)
    assert stay["status"] == "in-progress"
    assert len(stay["location"]) == 1
    record.take(edge("fr-a11-zbe-cancel"))
    assert record.resource("Encounter", STAY)["status"] == "cancelled"


@needs_shared
def test_an_admission_stands_in_the_ward_list_and_an_update_does_not_take_it_away(record: Record) -> None:
    record.take(edge("fr-a01-utf8"), edge("null-vs-empty-a08"))
    (occupant,) = record.views.ward_list("CARDIO")
    assert (occupant.patient_id, occupant.room, occupant.bed) == (ELODIE, "101", "1")


@needs_shared
def test_an_ins_goes_with_the_qualification_of_the_identity(record: Record) -> None:
    record.take(edge("fr-a01-utf8"))
    assert len(record.resource("Patient", ELODIE)["identifier"]) == 2
    record.take(edge("fr-a31-ins-qualified-then-removed"))
    assert len(record.resource("Patient", ELODIE)["identifier"]) == 1


@needs_shared
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 0)])
def test_a_corrected_result_stands_whenever_its_preliminary_comes(record: Record, order: tuple[int, ...]) -> None:
    record.take(*(edge(("oru-preliminary", "oru-corrected")[index]) for index in order))
    found = record.resource("Observation", computed_id("Observation", "urn:id:CHU-TEST", "FL1", "718-7", ""))
    assert (found["status"], found["valueQuantity"]["value"]) == ("corrected", 13.1)


@needs_shared
def test_a_merged_file_is_found_under_the_one_that_stays(record: Record) -> None:
    record.take(edge("fr-a01-utf8"), edge("fr-a40-merge"))
    loser = record.resource("Patient", computed_id("Patient", "urn:id:CHU-TEST", "000077"))
    assert (loser["active"], loser["link"][0]["type"]) == (False, "replaced-by")
    person = record.views.person(loser["id"])
    assert person is not None
    assert person.id == ELODIE


def test_a_result_that_comes_first_shows_its_patient_until_the_admission_does(record: Record) -> None:
    result = text("PID|1||42^^^CHU^PI||DOE^J", "OBR|1||F1|X", "OBX|1|NM|A||1||||||F", type_="ORU^R01")
    admission = text("PID|1||42^^^CHU^PI||DOE^JANE||19800214|F", type_="ADT^A28")
    id_ = computed_id("Patient", "urn:id:CHU", "42")
    record.take(result)
    assert record.resource("Patient", id_)["name"][0]["given"] == ["J"]
    record.take(admission, result)
    assert record.resource("Patient", id_)["name"][0]["given"] == ["JANE"]


@needs_shared
def test_what_is_folded_of_every_public_message_is_valid_fhir(record: Record) -> None:
    raws = [path.read_bytes() for path in sorted((SHARED / "hl7v2" / "messages").rglob("*.hl7"))]
    raws = [raw for raw in raws if raw.startswith(b"MSH")]
    record.take(*raws)
    seen: Counter[str] = Counter()
    for raw in raws:
        for one in said(raw, production=False).statements:
            if one.type in ("Patient", "Encounter"):
                record.resource(one.type, one.id)
                seen[one.type] += 1
    assert seen["Patient"] > 200
    assert seen["Encounter"] > 60
