import logging
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.translate import translate
from releve.translate.reading import REMARKS_MAX
from releve.wire.hl7v2 import Message, parse
from releve.wire.hl7v2.batch import split_batch
from translate.scene import (
    RECEIVED_AT,
    SHARED,
    adt,
    codes,
    contents,
    edge,
    faults,
    needs_shared,
    oru,
    said,
    text,
)

PID = "PID|1||42^^^CHU^PI||DOE^JANE||19800214|F"
PV1 = "PV1|1|I|CARDIO^101^1|||||||||||||||||V1^^^CHU^VN"
RESULT = (
    "OBR|1|PL1|FL1|X^Bilan^LN|||20260315080000|||||||||||||||20260315100000||HM|F",
    "OBX|1|NM|718-7^Hb^LN||13||||||F",
)


@pytest.mark.parametrize("type_", ["VXU^V04", "ORM^O01", "ADT^A17", "ADT^A60", "ORU", "ORU^R30", "RAS^O17", "", "é^x"])
def test_what_nobody_can_read_yet_is_kept_with_its_reason(type_: str) -> None:
    translation = said(text(PID, type_=type_))
    assert (translation.understood, translation.statements, translation.channel) == (False, [], "site")
    assert translation.reason.startswith("hl7v2.no-translation")


def test_what_is_charted_may_be_held_by_every_hospital() -> None:
    assert adt("A28", PID).channel == oru(PID, *RESULT).channel == "group"


def test_a_test_message_is_charted_only_where_tests_are_made() -> None:
    raw = text(PID, type_="ADT^A28", mode="T")
    production, elsewhere = said(raw), said(raw, production=False)
    assert (production.understood, production.reason.split(":")[0]) == (False, "hl7v2.test-message")
    assert production.statements == []
    assert elsewhere.understood


def test_a_message_without_a_time_counts_from_its_arrival_and_says_so() -> None:
    translation = adt("A28", PID, sent="")
    assert translation.statements[0].at == RECEIVED_AT
    assert {"hl7v2.no-time"} == codes(translation)


def test_a_clock_that_is_days_ahead_is_remarked() -> None:
    assert "hl7v2.time-ahead" in codes(adt("A28", PID, sent="20260401000000"))


def test_an_older_event_is_older_however_late_it_arrives() -> None:
    older = adt("A08", "EVN||20260315080000", PID, PV1, sent="20260315120000")
    newer = adt("A08", "EVN||20260315110000", PID, PV1, sent="20260315113000")
    assert older.statements[0].at < newer.statements[0].at


def test_a_broken_sender_cannot_fill_the_log_with_remarks() -> None:
    obx = [f"OBX|{n}|NM|X{n}||x||||||F|||wrong{n}" for n in range(500)]
    translation = oru(PID, RESULT[0], *obx)
    assert len(translation.remarks) == REMARKS_MAX
    assert len(contents(translation, "Observation")) == 500


class _BrokenZone(ZoneInfo):
    """A fault of ours that names the patient."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        raise RuntimeError("JANE DOE 19800214")


def test_a_fault_of_ours_keeps_the_message_and_tells_nothing_of_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    broken = _BrokenZone("Europe/Paris")
    with caplog.at_level(logging.ERROR):
        translation = translate(parse(text(PID, type_="ADT^A28")), received_at=RECEIVED_AT, zone=broken)
    assert (translation.understood, translation.statements) == (False, [])
    assert translation.reason.startswith("hl7v2.translation-failed")
    assert "DOE" not in translation.reason + caplog.text + str([vars(record) for record in caplog.records])


def _segments(raw: bytes) -> list[str]:
    return raw.decode().rstrip("\r").split("\r")


_FULL_PID = (
    "PID|1|A^^^B|42^^^CHU&1.2.3.4&ISO^PI^^20250101~1800^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS|C"
    "|DOE^JANE^J A^Jr^Dr^MD^L~X^Y^^^^^D|MOTHER^A|198002140312|F|ALIAS^B|"
    "|1 rue^b^Ville^25^25000^FRA^H~^^^^^^BDL^^25056||^PRN^PH^^33^6^7~^^^a@b|0203|fr^^L|M||F9^^^CHU^AN"
    "|||||Lyon||||||20260315|Y||VALI"
)
_FULL_PV1 = (
    "PV1|1|I|CARDIO^101^1^CHU|R^x^L|||1^M^P~2^N^Q|3^R^S||CAR^x^L||||7^y^L|||4^T^U||V1^^^CHU^VN"
    "|||||||||||||||||01^z^L||||||||20260315091500|20260316"
)
_FULL_OBX = (
    "OBX|1|NM|A^B^LN|1|<5|mg/L^^UCUM|2-3|H~L|||C|||20260315|L^Lab|9^M^P|M^x^L|D^S||S^y^L|I^S||Nord^L",
    "SPM|1|P^F||119297000^Sang^SCT",
)
_CHILD = (
    "OBR|2|P2|F2|Y^Z^LN|||20260315|20260316|||||||Sang&x|||||||20260317||RAD|A|A&B&LN^1^v|||P^FL1|||9&M&P"
    "||||||||||||||||||||||P&n^F&n"
)

_SEEDS = [
    text("EVN||20260315093000", _FULL_PID, "PD1||||9^M^P", _FULL_PV1, "PV2||||x", "AL1|1|DA|^L|SV|a~b|2010"),
    text(
        _FULL_PID, _FULL_PV1, "ORC|RE|P|F||CM", RESULT[0], "NTE|1||x", *_FULL_OBX, _CHILD, *_FULL_OBX, type_="ORU^R01"
    ),
    text(
        "EVN||20260315093000||||20260315091500", PID, PV1, "ZBE|501^GAM|20260315091500||INSERT|N", "AL1|1|DA|^Latex|SV"
    ),
    text("EVN||20260315093000", PID, "MRG|77^^^CHU^PI", type_="ADT^A40"),
    text(PID, PV1, *RESULT, "NTE|1||x", "OBX|2|SN|A^B^L||^1^:^128", "OBX|3|CWE|C||1^R^L~2^B^L", type_="ORU^R01"),
    text(PID, RESULT[0], "OBX|1|ED|P||^application^pdf^Base64^JVBERi0x", type_="ORU^R01"),
]
_PIECES = st.one_of(
    st.sampled_from(["|", "^", "~", "\\", "&", '""', "\r", "\n", "\x00", "\\X00\\", "\\.br\\", "0", "-", "+0100", "<"]),
    st.sampled_from(["20261025023000", "99999999999999", "NM", "ED", "SN", "F", "1.2.250.1.213.1.4.8"]),
    st.sampled_from(["\ud7ff", "𝄞", " ", "٣", "é"]),
)


@given(st.sampled_from(_SEEDS), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 4), _PIECES), max_size=12))
@settings(max_examples=400)
def test_no_mutation_of_a_message_breaks_its_translation(seed: bytes, changes: list[tuple[int, int, str]]) -> None:
    body = seed.decode()
    for place, cut, piece in changes:
        place = 8 + place % (len(body) - 7)
        body = body[:place] + piece + body[place + cut :]
    _is_sound(parse(body.encode()))


@given(st.binary(max_size=400))
def test_any_bytes_after_a_header_give_a_translation(tail: bytes) -> None:
    for type_ in (b"ADT^A01", b"ORU^R01", b"ADT^A40"):
        _is_sound(parse(b"MSH|^~\\&|A|B|C|D|20260315||" + type_ + b"|1|P|2.5\rPID|||1^^^A^PI\rOBX|1|" + tail))


def _is_sound(message: Message) -> None:
    """Try that a translation has its shape whatever came: JSON objects, ids, sentences; production or not."""
    for production in (True, False):
        translation = said(message, production=production)
        assert translation.understood == (not translation.reason)
        for statement in translation.statements:
            assert isinstance(orjson.loads(statement.content), dict)
            assert len(statement.id) == 36
        for remark in translation.remarks:
            assert ": " in remark


# --- every public message -------------------------------------------------------------------------------------------


def _public() -> Iterator[tuple[Path, Message]]:
    for path in sorted((SHARED / "hl7v2" / "messages").rglob("*.hl7")):
        raw = path.read_bytes()
        batch = split_batch(raw)
        for one in batch.messages if batch is not None else [raw]:
            yield path, parse(one)
    for path in sorted((SHARED / "hl7v2-edge" / "messages").glob("*.hl7")):
        yield path, parse(path.read_bytes())


@needs_shared
def test_every_public_admission_and_result_that_names_a_patient_is_translated() -> None:
    done: Counter[str] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    for _, message in _public():
        if message.code not in ("ADT", "ORU"):
            continue
        translation = said(message, production=False)
        if translation.understood:
            done[message.type] += 1
        else:
            left[message.type, translation.reason.split(":")[0]] += 1
    assert done["ADT^A01"] >= 50
    assert done["ORU^R01"] >= 150
    assert {"A01", "A02", "A03", "A04", "A05", "A08", "A11", "A13", "A28", "A31", "A40", "Z99"} <= {
        type_.split("^")[1] for type_ in done
    }
    assert {reason for _, reason in left} == {"hl7v2.no-patient-number", "hl7v2.no-stay", "hl7v2.no-translation"}
    for type_, reason in left:
        assert reason != "hl7v2.no-translation" or type_.split("^")[-1] not in {
            "A01",
            "A02",
            "A03",
            "A04",
            "A08",
            "R01",
        }


@needs_shared
def test_everything_put_of_every_public_message_is_valid_fhir() -> None:
    found: dict[str, str] = {}
    tried: Counter[str] = Counter()
    for path, message in _public():
        for statement in said(_with_a_patient(message), production=False).statements:
            if statement.verb == "put":
                tried[statement.type] += 1
                for fault in faults(statement):
                    found.setdefault(fault, path.name)
    assert found == {}
    assert tried["Observation"] > 500
    assert tried["DiagnosticReport"] > 200


@needs_shared
def test_the_facts_of_every_public_result_are_those_of_its_message() -> None:
    tried = 0
    for path, message in _public():
        if message.type != "ORU^R01":
            continue
        if message.first("PID") is None:
            continue
        message = _with_a_patient(message)
        told = contents(said(message, production=False), "Observation")
        sent = [segment for segment in message.segments if segment.name == "OBX"]
        assert len(sent) == len(told), path.name
        for obx, observation in zip(sent, told, strict=True):
            tried += 1
            code = obx.get(3) or obx.get(3, 4)
            if code:
                assert code.split() == observation["code"]["coding"][0]["code"].split(), path.name
            _same_value(obx.raw(2), obx.raw(5), observation, path.name)
            _same_status(obx.raw(11), observation, path.name)
    assert tried > 700


def _same_value(kind: str, value: str, observation: dict[str, Any], name: str) -> None:
    if kind == "NM" and value.replace(".", "", 1).isdigit():
        assert float(value) == observation["valueQuantity"]["value"], name
    if kind in ("CE", "CWE") and value.split("^")[0].isalnum() and "~" not in value:
        assert value.split("^")[0] == observation["valueCodeableConcept"]["coding"][0]["code"], name
    if kind in ("ST", "TX") and value.isalnum():
        assert value == observation["valueString"], name


def _same_status(code: str, observation: dict[str, Any], name: str) -> None:
    expected = {"F": "final", "C": "corrected", "P": "preliminary", "X": "cancelled", "W": "entered-in-error"}
    if code in expected:
        assert expected[code] == observation["status"], name


@needs_shared
def test_the_numbers_and_the_birth_date_of_every_public_patient_are_those_of_its_message() -> None:
    tried = 0
    for path, message in _public():
        pid = message.first("PID")
        translation = said(message, production=False)
        if pid is None or not translation.understood or message.trigger == "A40":
            continue
        told = contents(translation, "Patient")[0]
        tried += 1
        numbers = [number["value"] for number in told["identifier"]]
        sent = [pid.get(3, rep=rep) for rep in range(len(pid.reps(3)))]
        is_national = [pid.get(3, 5, rep=rep) == "INS" for rep in range(len(pid.reps(3)))]
        must = [value for value, national in zip(sent, is_national, strict=True) if value and not national]
        assert set(must) <= set(numbers), path.name
        day = pid.get(7)[:8]
        if len(day) == 8 and day.isdigit() and day[4:] != "0000":
            assert f"{day[:4]}-{day[4:6]}-{day[6:]}" == told["birthDate"], path.name
    assert tried > 200


def _with_a_patient(message: Message) -> Message:
    """Return a message whose PID names somebody: a third of the public results try data types and name nobody."""
    pid = message.first("PID")
    if pid is None or pid.raw(3):
        return message
    fields = [*pid.fields(), "", "", ""]
    fields[3] = "TEST-1^^^A^PI"
    return parse(message.text.replace(pid.text, "|".join(fields), 1).encode(message.charset))


@needs_shared
def test_a_broken_copy_of_every_public_message_is_still_translated() -> None:
    chance = random.Random(2024)
    for _, message in _public():
        raw = bytearray(message.raw)
        for _ in range(20):
            place = chance.randrange(60, max(61, len(raw)))
            raw[place : place + chance.randrange(4)] = chance.choice(
                (b"|", b"^", b"~", b"\\", b"", b"\xff", b"\r", b"&", b"0")
            )
        if bytes(raw[:3]) == b"MSH":
            _is_sound(parse(bytes(raw)))


@needs_shared
@pytest.mark.parametrize(
    ("name", "understood"),
    [("oru-preliminary", True), ("dup-same-msh10-other-content", True), ("ras-o17-admin", False)],
)
def test_the_remaining_edge_messages(name: str, understood: bool) -> None:
    assert understood == said(edge(name)).understood
