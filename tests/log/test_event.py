"""Bodies and events as bytes: what was written once is read for ever."""

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import releve.log.event
from releve.log import Body, Event, Statement, decode_body, encode_body
from releve.log.event import decode_event, encode_event, event_hash

BODY = Body(
    {"door": "mllp", "sender": "LAB|H01", "control_id": "1", "type": "ORU^R01"},
    b"MSH|^~\\&|LAB|H01\rPID|1||42\r",
    b"",
    [Statement("put", "Observation", "0" * 36, 5, "1" * 36, b'{"status":"final"}')],
    ["hl7v2.x: a remark"],
)


def test_a_body_survives_the_way_to_bytes_and_back() -> None:
    assert decode_body(encode_body(BODY)) == BODY


@given(st.binary(max_size=3000))
def test_any_raw_input_survives(raw: bytes) -> None:
    assert decode_body(encode_body(Body({}, raw))).raw == raw


def test_a_body_that_was_written_without_a_dictionary_is_read() -> None:
    plain = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(BODY))
    assert decode_body(plain) == BODY


def test_every_frame_names_its_dictionary_and_the_dictionary_never_changes() -> None:
    assert zstandard.get_frame_parameters(encode_body(BODY)).dict_id == 1
    shipped = (Path(releve.log.event.__file__).parent / "body-1.dict").read_bytes()
    assert sha256(shipped).hexdigest() == "ae4918fb4e1b04378bffb612aab4b2d18583c5fc0aacd2a365d40cea35d532f4"


@given(st.binary(max_size=300))
def test_bytes_that_are_no_body_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ValueError, match="no event body"):
        decode_body(data)


def test_an_event_travels_and_its_hash_is_computed_anew() -> None:
    body = encode_body(BODY)
    digest = event_hash(bytes(32), "H01", 1, "group", 1, 7, 8, "hl7v2", b"i" * 16, body)
    event = Event("H01", 1, "group", 1, 7, 8, "hl7v2", b"i" * 16, body, bytes(32), digest, b"s" * 64)
    assert decode_event(encode_event(event)) == event
    altered = decode_event(encode_event(msgspec.structs.replace(event, body=encode_body(Body({})))))
    assert altered.hash != event.hash


@pytest.mark.parametrize("data", [b"", b"\xc1", msgspec.msgpack.encode([2, "H01"]), b"x" * 50])
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no event|version"):
        decode_event(data)
