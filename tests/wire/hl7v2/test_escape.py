r"""Escape sequences: the known ones are replaced, everything else is text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.wire.hl7v2.escape import escape_text, unescape

LETTERS = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e" + "\\f"),
        (r"un\.br\deux\.br\\.br\quatre", "un\ndeux\n\nquatre"),
        (r"un\.sp\deux\.sp2\trois", "un\ndeux\n\ntrois"),
        (r"\H\gras\N\ maigre", "gras maigre"),
        (r"\.in+4\\.fi\texte\.ce\.", "texte."),
        (r"\XC3A9\t\XC3A9\ ", "été "),
        (r"\XC3\\XA9\t", "ét"),
        (r"\X0D0A\x", "\nx"),
        (r"\X00\x", r"\X00\x"),
        (r"\XC3A\x", r"\XC3A\x"),
        (r"C:\temp \Zxx\ 5\ fin", r"C:\temp \Zxx\ 5\ fin"),
        (r"\Zlocal\F\ et", r"\Zlocal\F\ et"),
        (r"\C2842\x\M2442\y", r"\C2842\x\M2442\y"),
        (r"50 \F", r"50 \F"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        (r"\.sp999999999\x", "\n" * 100 + "x"),
        (r"\.brx\ ", r"\.brx\ "),
    ],
)
def test_sequences(text: str, expected: str) -> None:
    assert expected == unescape(text, "\\", LETTERS, "utf-8")


def test_hex_is_in_the_charset_of_the_message() -> None:
    assert unescape(r"\XE9\ "[:-1], "\\", LETTERS, "iso8859-1") == "é"
    assert unescape(r"\XA4\ "[:-1], "\\", LETTERS, "iso8859-15") == "€"


def test_a_message_without_escape_character_has_no_sequences() -> None:
    assert unescape(r"a\F\b", "", LETTERS, "utf-8") == r"a\F\b"


@given(st.text(alphabet=st.sampled_from("ab|^&~\\\nXF.é"), max_size=30))
def test_what_is_escaped_comes_back(text: str) -> None:
    escaped = escape_text(text, "\\", LETTERS)
    assert not any(character in escaped for character in "|^&~\n\r")
    assert text == unescape(escaped, "\\", LETTERS, "utf-8")


@given(st.text(alphabet=st.sampled_from("ab\\XCFAE039.brspZ+ "), max_size=40))
def test_any_text_is_read(text: str) -> None:
    unescape(text, "\\", LETTERS, "iso8859-15")
