"""Batches: messages exactly as they stand, nothing lost around them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.wire.hl7v2 import split_batch

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "hl7v2" / "messages"
A = b"MSH|^~\\&|A|B||||||1\rPID|1\r"
B = b"MSH|^~\\&|A|B||||||2\rPID|2\r"


def test_a_plain_message_is_no_batch() -> None:
    assert split_batch(A) is None
    assert split_batch(b"") is None
    assert split_batch(b"no HL7 at all") is None


def test_a_batch_gives_its_messages_and_its_envelope() -> None:
    batch = split_batch(b"FHS|^~\\&|A\rBHS|^~\\&|A||||||||B77\r" + A + B + b"BTS|2\rFTS|1\r")
    assert batch is not None
    assert batch.messages == [A, B]
    assert batch.envelope == b"FHS|^~\\&|A\rBHS|^~\\&|A||||||||B77\rBTS|2\rFTS|1\r"
    assert batch.control_id == "B77"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_do_not_matter(end: bytes) -> None:
    batch = split_batch((b"BHS|^~\\&|\r" + A + B + b"BTS|2").replace(b"\r", end))
    assert batch is not None
    assert [A.replace(b"\r", end), B.replace(b"\r", end)] == batch.messages


def test_messages_may_share_a_block_without_an_envelope() -> None:
    batch = split_batch(A + B)
    assert batch is not None
    assert (batch.messages, batch.envelope, batch.control_id) == ([A, B], b"", "")


def test_a_line_feed_in_a_text_begins_no_message() -> None:
    quoted = A + b"OBX|1|TX|||il dit:\nMSH est un nom\nFTS aussi||||||F\r"
    assert split_batch(quoted) is None


def test_a_batch_without_messages_is_one() -> None:
    batch = split_batch(b"BHS|^~\\&|\rBTS|0\r")
    assert batch is not None
    assert (batch.messages, batch.envelope) == ([], b"BHS|^~\\&|\rBTS|0\r")


@given(
    st.lists(st.sampled_from([A, B, b"BHS|^~\\&|x\r", b"BTS|1\r", b"FHS|\r", b"FTS\r", b"junk\r", b"\n"]), max_size=12)
)
def test_no_byte_is_lost(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    batch = split_batch(content)
    if batch is not None:
        together = b"".join(batch.messages) + batch.envelope
        assert sorted(content.replace(b"\n", b"")) == sorted(together.replace(b"\n", b""))
        assert all(message.startswith(b"MSH") for message in batch.messages)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared public messages are not beside this checkout")
def test_public_batches_are_split() -> None:
    batches = [path.read_bytes() for path in SHARED.glob("**/*.hl7") if path.read_bytes()[:3] == b"FHS"]
    assert len(batches) == 4
    for content in batches:
        batch = split_batch(content)
        assert batch is not None
        assert content.count(b"MSH|") == len(batch.messages)
        assert batch.control_id or b"BHS" in content
