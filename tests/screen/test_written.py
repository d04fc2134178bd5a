"""Dates, ages and numbers as people read them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.screen.catalogue import Catalogue
from releve.screen.written import Written, sender_words

NOON = 1_722_686_400_000_000  # 3 August 2024, 14:00 in Paris
MINUTE = 60_000_000
fr = Written(Catalogue("fr", {}), ZoneInfo("Europe/Paris"))
en = Written(Catalogue("en", {}), ZoneInfo("Europe/Paris"))


def test_a_date_is_never_all_numeric() -> None:
    assert fr.date(NOON) == "03-août-2024"
    assert en.moment(NOON) == "03-Aug-2024 14:00"


def test_the_hour_is_that_of_the_place_in_summer_and_in_winter() -> None:
    assert fr.time(NOON) == "14:00"
    assert fr.time(NOON + 182 * 86_400_000_000) == "13:00"


def test_a_near_time_says_no_more_than_is_needed() -> None:
    assert fr.near(NOON - 60 * MINUTE, NOON) == "13:00"
    assert fr.near(NOON - 24 * 60 * MINUTE, NOON) == "02-août 14:00"
    assert fr.near(NOON - 300 * 86_400_000_000, NOON) == "08-oct.-2023 14:00"
    assert fr.on(NOON - 24 * 60 * MINUTE, NOON) == "le 02-août à 14:00"
    assert en.on(NOON, NOON) == "at 14:00"


def test_ages_of_data_are_said_and_a_clock_ahead_is_not_hidden() -> None:
    assert fr.ago(NOON - 4 * MINUTE, NOON) == "il y a 4\xa0min"
    assert en.ago(NOON - 185 * MINUTE, NOON) == "3\xa0h\xa005 ago"
    assert fr.ago(NOON - 72 * 60 * MINUTE, NOON) == "il y a 3\xa0j"
    assert fr.ago(NOON - 1, NOON) == "à l'instant"
    assert fr.ago(NOON + 9 * MINUTE, NOON) == "dans 9\xa0min"


@pytest.mark.parametrize(
    ("iso", "written", "age"),
    [
        ("1950-03-02", "02-mars-1950", "74\xa0ans"),
        ("1950-08-03", "03-août-1950", "74\xa0ans"),
        ("1950-08-04", "04-août-1950", "73\xa0ans"),
        ("2023-01-15", "15-janv.-2023", "18\xa0mois"),
        ("2024-07-20", "20-juil.-2024", "14\xa0j"),
        ("2024-08-03", "03-août-2024", "0\xa0j"),
        ("1950-03", "mars 1950", "env.\xa074\xa0ans"),
        ("1950", "1950", "env.\xa074\xa0ans"),
        ("2030-01-01", "01-janv.-2030", ""),
        ("1950-13-40", "1950", ""),
        ("soon", "soon", ""),
        ("", "", ""),
    ],
)
def test_a_birth_date_says_no_more_than_is_known(iso: str, written: str, age: str) -> None:
    assert fr.birth(iso) == written
    assert fr.age(iso, NOON) == age


def test_numbers_have_the_mark_of_the_language_and_keep_their_digits() -> None:
    assert fr.number("72.50") == "72,50"
    assert en.number("72.50") == "72.50"
    assert fr.count(12345) == "12\u202f345"
    assert en.count(12345) == "12,345"


def test_a_sender_is_called_by_its_names_and_not_by_its_numbers() -> None:
    assert sender_words("LAB|H01") == "LAB H01"
    assert sender_words("MEDITECH^2.16.840.1^ISO|COCAA^2.16^ISO") == "MEDITECH COCAA"
    assert sender_words("^2.16.840.1^ISO|") == "2.16.840.1"
    assert sender_words("|") == ""


@given(st.text(max_size=20))
def test_no_birth_date_from_outside_breaks_a_page(iso: str) -> None:
    fr.birth(iso)
    fr.age(iso, NOON)
