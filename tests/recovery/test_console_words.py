"""What is typed at a console, and that every kind of line has its words."""

from __future__ import annotations

import contextlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.recovery.console_words import KINDS, VERBS, parse_decision
from releve.recovery.journal import Kind


def test_every_kind_of_line_has_a_mark_and_words_in_both_languages() -> None:
    assert set(KINDS) == set(get_args(Kind))
    assert all(all(words) for words in KINDS.values())


@pytest.mark.parametrize(
    ("line", "decision"),
    [
        ("pause", ("pause", "", "", "")),
        ("skip db: the disk is dead: all of it", ("skip", "db", "", "the disk is dead: all of it")),
        ("release lab H07", ("release", "lab", "H07", "")),
        ("declare the technician has left", ("declare", "", "", "the technician has left")),
        ("  done   key\n", ("done", "key", "", "")),
    ],
)
def test_a_decision_is_typed_as_it_is_said(line: str, decision: tuple[str, str, str, str]) -> None:
    assert parse_decision(line) == decision


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("stop", "is no decision"),
        ("pause db", "about the whole run"),
        ("skip", "names one unit"),
        ("", "is no decision"),
    ],
)
def test_what_is_no_decision_is_answered_with_what_is_expected(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_decision(line)


@given(st.text())
def test_any_line_is_a_decision_or_says_why_not(line: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_decision(line)[0] in VERBS
