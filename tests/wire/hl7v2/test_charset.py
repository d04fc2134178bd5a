"""Character sets: what MSH-18 says, what the bytes say, and what becomes of the difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.wire.hl7v2 import parse
from releve.wire.hl7v2.charset import codec_of, decode

NAME = "Éloïse LEFÈVRE-ÇELIK"


def _message(declared: str, name: bytes) -> bytes:
    return f"MSH|^~\\&|A|B|||20240803||ADT^A01|1|P|2.5||||||{declared}\rPID|||7||".encode() + name + b"\r"


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("UNICODE UTF-8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("ISO_8859-15", "iso8859-15"),
        ("ASCII", "ascii"),
        ("", ""),
        ('""', ""),
        ("8859/99", None),
        ("8859/12", None),
        ("KLINGON", None),
    ],
)
def test_a_declaration_names_a_codec(declared: str, codec: str | None) -> None:
    assert codec == codec_of(declared)


@pytest.mark.parametrize(
    ("declared", "codec"), [("UNICODE UTF-8", "utf-8"), ("8859/1", "iso8859-1"), ("8859/15", "iso8859-15")]
)
def test_a_true_declaration_gives_the_name_and_no_remark(declared: str, codec: str) -> None:
    message = parse(_message(declared, NAME.encode(codec)))
    assert message.all("PID")[0].get(5) == NAME
    assert codec == message.charset
    assert message.remarks == []


def test_only_the_first_repetition_of_msh_18_reads_the_message() -> None:
    assert parse(_message("8859/15~UNICODE UTF-8", NAME.encode("iso8859-15"))).all("PID")[0].get(5) == NAME


@pytest.mark.parametrize(
    ("declared", "codec", "says"),
    [
        ("8859/1", "utf-8", "hl7v2.charset-lies"),
        ("ASCII", "utf-8", "hl7v2.charset-lies"),
        ("UNICODE UTF-8", "iso8859-1", "hl7v2.charset-lies"),
        ("ASCII", "iso8859-1", "hl7v2.charset-lies"),
        ("", "iso8859-1", "hl7v2.charset-guessed"),
        ("8859/99", "utf-8", "hl7v2.charset-unknown"),
    ],
)
def test_a_lie_is_flagged_and_the_name_is_right_all_the_same(declared: str, codec: str, says: str) -> None:
    raw = _message(declared, NAME.encode(codec))
    message = parse(raw)
    assert message.all("PID")[0].get(5) == NAME
    assert says in [remark.split(":")[0] for remark in message.remarks]
    assert raw == message.encode() == message.text.encode(message.charset)


def test_latin_1_with_windows_characters_is_windows_1252() -> None:
    message = parse(_message("8859/1", "CŒUR d’or".encode("cp1252")))
    assert message.all("PID")[0].get(5) == "CŒUR d’or"
    assert message.charset == "cp1252"


def test_one_field_in_another_charset_does_not_spoil_the_others() -> None:
    raw = _message("UNICODE UTF-8", "Éloïse".encode()) + b"PV1||||" + "Réa".encode("latin-1") + b"\r"
    message = parse(raw)
    assert message.all("PID")[0].get(5) == "Éloïse"
    assert message.all("PV1")[0].get(4) == "Réa"
    assert message.remarks[0].split(":")[0] == "hl7v2.charset-mixed"
    assert raw == message.encode()


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_wide_characters_and_byte_order_marks_are_read(codec: str) -> None:
    raw = _message("", b"@").decode().replace("@", NAME).encode(codec)
    message = parse(raw)
    assert message.all("PID")[0].get(5) == NAME
    assert raw == message.text.encode(message.charset)


def test_single_bytes_declared_as_utf_16_are_read_as_what_they_are() -> None:
    message = parse(_message("UNICODE UTF-16", b"DUPONT"))
    assert message.all("PID")[0].get(5) == "DUPONT"
    assert message.remarks[0].split(":")[0] == "hl7v2.charset-lies"


def test_a_silent_sender_is_read_by_the_default_of_the_site() -> None:
    raw = _message("", "Œuvre €".encode("iso8859-15"))
    assert parse(raw, default_charset="iso8859-15").all("PID")[0].get(5) == "Œuvre €"


@given(
    raw=st.binary(max_size=80), declared=st.sampled_from(["", "ASCII", "UTF-8", "8859/6", "8859/15", "GB 18030-2000"])
)
def test_any_bytes_give_a_text_without_lone_surrogates(raw: bytes, declared: str) -> None:
    text, codec, remarks = decode(raw, declared, "utf-8")
    text.encode("utf-8")
    if not any("charset-mixed" in remark for remark in remarks) and codec != "gb18030":
        assert raw == text.encode(codec)
