"""Deframing as transcripts: bytes in, values out, the same wherever the cuts fall."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.wire.hl7v2.framing import NOISE_BYTES_MAX, Block, Cut, Deframer, Framed, Noise, TooLong, frame

A01 = b"MSH|^~\\&|LAB|H07|||20240803||ADT^A01|1|P|2.5\rPID|1\r"
A03 = b"MSH|^~\\&|LAB|H07|||20240803||ADT^A03|2|P|2.5\rPID|1\r"

TRANSCRIPTS: dict[str, tuple[bytes, list[Framed]]] = {
    "one block": (frame(A01), [Block(A01)]),
    "two blocks in one packet": (frame(A01) + frame(A03), [Block(A01), Block(A03)]),
    "no CR behind FS": (b"\x0b" + A01 + b"\x1c" + frame(A03), [Block(A01), Block(A03)]),
    "LF behind FS": (b"\x0b" + A01 + b"\x1c\n" + frame(A03), [Block(A01), Block(A03)]),
    "CRLF behind FS": (b"\x0b" + A01 + b"\x1c\r\n" + frame(A03), [Block(A01), Block(A03)]),
    "no FS before the next VT": (b"\x0b" + A01 + frame(A03), [Block(A01, "no-end"), Block(A03)]),
    "a restarted peer cuts its block": (b"\x0b" + A01[:40] + frame(A03), [Cut(A01[:40]), Block(A03)]),
    "nothing but the beginning": (b"\x0b\x0b" + A01 + b"\x1c\r", [Block(A01)]),
    "VT in a pasted text is data": (frame(A01 + b"OBX|1|TX|||un\x0bdeux"), [Block(A01 + b"OBX|1|TX|||un\x0bdeux")]),
    "no VT": (A01 + b"\x1c\r" + frame(A03), [Block(A01, "no-start"), Block(A03)]),
    "noise before a block": (b"hello\r\n" + frame(A01), [Noise(b"hello"), Block(A01)]),
    "noise behind a block": (frame(A01) + b"\r\nGET / HTTP/1.1\r\n", [Block(A01), Noise(b"GET / HTTP/1.1")]),
    "blanks are not noise": (b"\r\n \x00" + frame(A01) + b"\r\n", [Block(A01)]),
    "an empty block is a block": (frame(b""), [Block(b"")]),
    "FS alone": (b"\x1c\r" + frame(A01), [Block(A01)]),
    "the stream ends behind a segment": (b"\x0b" + A01, [Block(A01, "no-end")]),
    "the stream ends inside a segment": (b"\x0b" + A01[:-3], [Cut(A01[:-3])]),
    "the stream ends right behind VT": (frame(A01) + b"\x0b", [Block(A01)]),
    "a VT and half a name at the end": (b"\x0b" + A01 + b"\x0bMS", [Cut(A01 + b"\x0bMS")]),
}


def _in_pieces(data: bytes, cuts: list[int], bytes_max: int = 1000) -> list[Framed]:
    deframer = Deframer(bytes_max)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    found = [value for start, end in pairwise(places) for value in deframer.feed(data[start:end])]
    return found + deframer.end()


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_gives_its_values_whole_and_byte_by_byte(name: str) -> None:
    data, expected = TRANSCRIPTS[name]
    assert expected == _in_pieces(data, [])
    assert expected == _in_pieces(data, list(range(len(data))))


_PIECES = st.sampled_from(
    [b"\x0b", b"\x1c", b"\r", b"\n", b"MSH", b"MSH|^~\\&|a", b"M", b"S", b"BHS|", b"junk", b" ", b"x" * 25, frame(A01)]
)


@settings(max_examples=300)
@given(data=st.lists(_PIECES, max_size=25).map(b"".join), cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_the_cuts_do_not_matter(data: bytes, cuts: list[int]) -> None:
    assert _in_pieces(data, [], 60) == _in_pieces(data, cuts, 60)


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_give_values_and_never_an_error(data: bytes, cuts: list[int]) -> None:
    assert _in_pieces(data, [], 50) == _in_pieces(data, cuts, 50)


@given(contents=st.lists(st.binary(max_size=60).map(lambda raw: raw.translate(None, b"\x0b\x1c")), max_size=8))
def test_framed_contents_come_out_as_they_went_in(contents: list[bytes]) -> None:
    assert [Block(content) for content in contents] == _in_pieces(b"".join(map(frame, contents)), [])


def test_a_block_at_the_limit_passes_and_one_above_is_told_of_before_it_ends() -> None:
    deframer = Deframer(100)
    assert [Block(b"MSH|" + b"x" * 96)] == deframer.feed(frame(b"MSH|" + b"x" * 96))
    assert deframer.feed(b"\x0bMSH|" + b"x" * 96) == []
    assert [TooLong(b"MSH|" + b"x" * 96, 100)] == deframer.feed(b"x")
    assert deframer.feed(b"x" * 100_000) == []
    assert [Block(A01)] == deframer.feed(b"\x1c\r" + frame(A01))


def test_the_sender_of_a_block_that_is_too_long_may_begin_anew_without_ending_it() -> None:
    deframer = Deframer(60)
    assert [TooLong(b"y" * 60, 60), Block(A01)] == deframer.feed(b"\x0b" + b"y" * 500 + frame(A01))


def test_the_rest_of_a_block_that_is_too_long_is_not_held_in_memory() -> None:
    deframer = Deframer(1000)
    deframer.feed(b"\x0b")
    for _ in range(100):
        deframer.feed(b"z" * 10_000)
    assert len(deframer._buffer) < 20_000


def test_a_flood_of_noise_is_told_of_once_and_kept_up_to_its_limit() -> None:
    deframer = Deframer()
    found = [value for _ in range(20) for value in deframer.feed(b"?" * 10_000)]
    assert [Noise(b"?" * NOISE_BYTES_MAX, is_flood=True)] == found
    assert [Block(A01)] == deframer.feed(frame(A01))


def _processor_s(deframer: Deframer, data: bytes, piece: int) -> float:
    begun = time.process_time()
    for start in range(0, len(data), piece):
        deframer.feed(data[start : start + piece])
    return time.process_time() - begun


@pytest.mark.parametrize(
    "unit", [b"x", b"\x0bx", b"\x0bMSH|", b"\x0bMS"], ids=["plain", "VT as data", "restarts", "almost restarts"]
)
def test_time_grows_with_the_bytes_and_not_with_their_square(unit: bytes) -> None:
    small, large = 200_000 // len(unit), 1_600_000 // len(unit)
    few = min(_processor_s(Deframer(), b"\x0bMSH|" + unit * small, 4096) for _ in range(3))
    many = min(_processor_s(Deframer(), b"\x0bMSH|" + unit * large, 4096) for _ in range(2))
    assert many < max(few, 0.002) * 8 * 3  # eight times the bytes; a square would give sixty-four times the time


def test_what_has_begun_and_not_ended_is_known() -> None:
    deframer = Deframer()
    assert not deframer.is_inside
    deframer.feed(b"\r\n")
    assert not deframer.is_inside
    deframer.feed(b"\x0bMSH")
    assert deframer.is_inside
    deframer.feed(b"|x\x1c\r")
    assert not deframer.is_inside
