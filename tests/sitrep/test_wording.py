"""Words: both languages whole, times rounded so that nothing is promised too early."""

from __future__ import annotations

from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.recovery.forecast import Span
from releve.sitrep.wording import EN, FR, clock_text, date_text, evidence_text, length_text, seen, span_clocks

#: 3 August 2024, 11:00 in Paris.
CUT = 1_722_675_600_000_000


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_sentences() -> None:
    assert FR.keys() == EN.keys()


@pytest.mark.parametrize("key", sorted(FR))
def test_a_sentence_has_the_same_blanks_in_both_languages(key: str) -> None:
    assert blanks(FR[key]) == blanks(EN[key])
    assert FR[key].strip()
    assert EN[key].strip()


@pytest.mark.parametrize("key", sorted(key for key in FR if not key.startswith(("column", "seen", "evidence"))))
def test_no_french_sentence_is_left_in_english(key: str) -> None:
    assert FR[key] != EN[key]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_clock_time_is_never_earlier_than_what_was_forecast(p50_s: int, more_s: int) -> None:
    span = Span(p50_s, p50_s + more_s)
    _, p90 = span_clocks(span, CUT, "Europe/Paris", "en")
    shown = p90.rpartition(" ")[2].split(":")
    told_s = int(shown[0]) * 3600 + int(shown[1]) * 60 + (int(shown[2]) if len(shown) == 3 else 0)
    true_s = (11 * 3600 + span.p90_s) % 86_400
    # Rounded up by a minute at most, by a second where seconds matter; midnight is where both wrap.
    assert (told_s - true_s) % 86_400 <= 60.001


@given(st.floats(0, 10**7))
def test_a_length_is_rounded_up(seconds: float) -> None:
    text = length_text(seconds).replace("\u00a0", " ")
    if " h " in text:
        hours, _, minutes = text.partition(" h ")
        told = int(hours) * 3600 + int(minutes) * 60
    else:
        parts = text.split()
        told = sum(int(parts[i]) * {"s": 1, "min": 60}[parts[i + 1]] for i in range(0, len(parts), 2))
    assert seconds - 1e-6 <= told < seconds + 60


def test_times_are_those_of_the_hospital_and_name_another_day() -> None:
    assert date_text(CUT, "Europe/Paris", "fr") == "samedi 3 août 2024 à 11:00"
    assert date_text(CUT, "Europe/Paris", "en") == "Saturday 3 August 2024, 11:00"
    assert clock_text(CUT, CUT + 86_400_000_000, "Europe/Paris", "fr") == "samedi 3 août à 11:00"
    assert clock_text(CUT, CUT + 60_000_000, "Europe/Paris", "en", seconds=True) == "11:00:00"


def test_what_a_probe_saw_is_told_in_both_languages() -> None:
    assert seen("refused", "nothing listens there").fr == "rien n’écoute à cette adresse"
    assert "«" in seen("wrong", "it answers 500").fr
    assert "it answers 500" in seen("wrong", "it answers 500").fr


def test_a_probes_own_sentence_is_told_in_french_or_quoted() -> None:
    assert evidence_text("no answer within 3 s", "fr") == "aucune réponse dans le délai"
    assert evidence_text("it says 3D000: no such database", "fr") == "«\u00a0it says 3D000: no such database\u00a0»"
    assert evidence_text("no answer within 3 s", "en") == "no answer within 3 s"
    assert evidence_text("", "fr") == ""
