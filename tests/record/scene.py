"""A node's folder for tests of the record: statements go in as events, the record comes out; logs can be reordered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.ids import computed_id
from releve.log import GROUP, Body, Draft, Event, Ledger, Log, Receipt, Statement, encode_body
from releve.log.schema import LOG_FILE, open_for_writing
from releve.record import Archive, Views
from releve.record.schema import TYPES, decode_id

Json = dict[str, Any]
SECOND = 1_000_000
IPP = "urn:oid:1.2.250.1.999.1"
#: 3 August 2024, 09:00 in Paris.
NINE = 1_722_668_400 * SECOND


def patient_id(number: str, system: str = IPP) -> str:
    return computed_id("Patient", system, number)


def stay_id(number: str) -> str:
    return computed_id("Encounter", "urn:oid:1.2.250.1.999.3", number)


def result_id(number: str) -> str:
    return computed_id("Observation", "urn:oid:1.2.250.1.999.5", number)


def patient(number: str, at: int = NINE, **content: Any) -> Statement:
    """A Patient patch with its number."""
    content.setdefault("identifier", [ipp(number)])
    return patch("Patient", patient_id(number), at, patient_id(number), **content)


def ipp(value: str, system: str = IPP, type_: str = "PI", **more: str) -> Json:
    return {"system": system, "value": value, "type": {"coding": [{"code": type_}]}, **more}


def named(family: str, *given: str) -> list[Json]:
    return [{"use": "official", "family": family, "given": list(given)}]


def patch(type_: str, id_: str, at: int, of: str, /, **content: Any) -> Statement:
    return Statement("patch", type_, id_, at, of, orjson.dumps(content))


def mention(type_: str, id_: str, at: int, of: str, /, **content: Any) -> Statement:
    return Statement("mention", type_, id_, at, of, orjson.dumps(content))


def put(type_: str, id_: str, at: int, of: str, /, **content: Any) -> Statement:
    return Statement("put", type_, id_, at, of, orjson.dumps(content))


def result(
    number: str, of: str, value: float, at: int = NINE, *, status: str = "final", code: str = "2823-3", **more: Any
) -> Statement:
    """An Observation put."""
    return put(
        "Observation",
        result_id(number),
        at,
        patient_id(of),
        status=status,
        code={"coding": [{"system": "http://loinc.org", "code": code}], "text": f"Analyte {code}"},
        subject={"reference": f"Patient/{patient_id(of)}"},
        valueQuantity={"value": value, "unit": "mmol/L"},
        **more,
    )


def stay(number: str, of: str, at: int = NINE, **content: Any) -> Statement:
    """An Encounter patch."""
    content.setdefault("subject", {"reference": f"Patient/{patient_id(of)}"})
    content.setdefault("class", {"code": "IMP"})
    content.setdefault("identifier", [ipp(number, "urn:oid:1.2.250.1.999.3", "VN")])
    return patch("Encounter", stay_id(number), at, patient_id(of), **content)


def movement(
    number: str,
    of: str,
    event: str,
    at: int = NINE,
    *,
    movement: str = "",
    action: str = "insert",
    place: tuple[str, str, str] | None = None,
) -> Statement:
    """A movement of a stay; place is (ward, room, bed)."""
    content: Json = {"action": action, "event": event}
    if movement:
        content["movement"] = movement
    if place is not None:
        content["location"] = {"display": " ".join(place), "ward": place[0], "room": place[1], "bed": place[2]}
    return Statement("movement", "Encounter", stay_id(number), at, patient_id(of), orjson.dumps(content))


def merge(loser: str, winner: str, at: int = NINE) -> Statement:
    id_ = patient_id(loser)
    return Statement("merge", "Patient", id_, at, id_, orjson.dumps({"into": patient_id(winner)}))


def unmerge(loser: str, winner: str, at: int = NINE) -> Statement:
    id_ = patient_id(loser)
    return Statement("unmerge", "Patient", id_, at, id_, orjson.dumps({"from": patient_id(winner)}))


def allergy(number: str, of: str, text: str, at: int = NINE, **more: Any) -> Statement:
    id_ = computed_id("AllergyIntolerance", "urn:x", number)
    reference = {"reference": f"Patient/{patient_id(of)}"}
    return put("AllergyIntolerance", id_, at, patient_id(of), code={"text": text}, patient=reference, **more)


class Scene:
    """One node: tell it events, fold, read."""

    def __init__(self, folder: Path, origin: str = "H01") -> None:
        self.folder = folder
        self.origin = origin
        self.now = NINE
        folder.mkdir(parents=True, exist_ok=True)
        self.log = Log(folder, origin, Ed25519PrivateKey.generate(), now=self._tick)
        self.views = Views(folder)
        self._archive: Archive | None = None
        self._count = 0

    def _tick(self) -> int:
        self.now += 1000
        return self.now

    def tell(self, *statements: Statement, kind: str = "hl7v2", source: Json | None = None, **body: Any) -> Receipt:
        """Keep one event."""
        self._count += 1
        told = {
            "door": "mllp",
            "sender": "GAP|H01",
            "type": "ADT^A01",
            "control_id": str(self._count),
            **(source or {}),
        }
        content = Body(told, body.pop("raw", b""), b"", list(statements), **body)
        event_id = self._count.to_bytes(16, "big")
        return self.log.append_now(Draft(GROUP, kind, event_id, encode_body(content)))

    def keep(self, draft: Draft) -> Receipt:
        return self.log.append_now(draft)

    @property
    def archive(self) -> Archive:
        if self._archive is None:
            self._archive = Archive(self.folder, origin=self.origin)
        return self._archive

    def restart_archive(self) -> None:
        """Forget what the archive holds in memory."""
        self.archive.close()
        self._archive = None

    def fold(self) -> Views:
        self.archive.fold_all()
        return self.views

    def events(self) -> list[Event]:
        ledger = Ledger(self.folder)
        try:
            return list(ledger.every())
        finally:
            ledger.close()

    def doc(self, type_: str, id_: str) -> Json:
        stored = self.views.resource(type_, id_)
        assert stored is not None, f"{type_}/{id_} is not known"
        found: Json = orjson.loads(stored.json)
        return found

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        self.views.close()
        self.log.close()


def write_log(folder: Path, events: Sequence[Event], origin: str = "H01") -> None:
    """Write a log that kept these events in this order, as a node on another road would have."""
    folder.mkdir(parents=True, exist_ok=True)
    db = open_for_writing(folder / LOG_FILE)
    db.execute("PRAGMA synchronous=OFF")  # thousands of these are made, and none outlives its test
    db.execute("BEGIN")
    db.execute("INSERT INTO origin VALUES (?, ?, 0)", (origin, bytes(32)))
    for pos, e in enumerate(events, 1):
        db.execute(
            "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (pos, *msgspec.structs.astuple(e)[:-1]),
        )
    db.execute("COMMIT")
    db.close()


def record_of(folder: Path, origin: str = "H01", batch: int = 500) -> Json:
    """Fold a log and return all that the record says now, without what is each node's own (versions, positions)."""
    archive = Archive(folder, origin=origin)
    while archive.fold_new(batch):
        pass
    archive.close()
    views = Views(folder)
    db = views.db
    ids = {key: decode_id(id_) for key, id_ in db.execute("SELECT key, id FROM person")}
    found: Json = {
        "resources": {
            f"{TYPES[type_]}/{decode_id(id_)}": (orjson.loads(json), at, code, status, ids.get(patient))
            for type_, id_, json, at, code, status, patient in db.execute(
                "SELECT type, id, json, at, code, status, patient FROM resource"
            )
        },
        "roots": {ids[key]: ids[root] for key, root in db.execute("SELECT key, root FROM person")},
        "people": {
            ids[row[0]]: row[1:]
            for row in db.execute(
                "SELECT key, family, given, birth_date, sex, ipp, is_temporary, is_stated, red_band FROM person"
            )
        },
        "stays": sorted(
            (ids.get(row[0], ""), *row[1:])
            for row in db.execute("SELECT patient, status, class, ward, room, bed, since FROM stay")
        ),
        "tokens": sorted(
            (param, value, decode_id(id_))
            for param, value, id_ in db.execute(
                "SELECT param, value, id FROM token JOIN resource ON resource.key = token.key"
            )
        ),
        "links": sorted(
            (ids[row[0]], ids[row[1]], *row[2:])
            for row in db.execute("SELECT loser, winner, is_merge, at, hlc, origin, is_in_force FROM link")
        ),
    }
    views.close()
    return found
