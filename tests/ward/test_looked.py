"""Last looks."""

from pathlib import Path

from releve.ward.looked import UNSEEN_S, Looked

from .cast import MINUTE_US, NOON_US


def test_what_came_within_a_day_is_new_to_who_never_looked(tmp_path: Path) -> None:
    looked = Looked(tmp_path)
    assert looked.since("nadia", ["p"], NOON_US) == {"p": NOON_US - UNSEEN_S * 1_000_000}
    looked.close()


def test_a_look_counts_for_its_own_account_and_survives_a_restart(tmp_path: Path) -> None:
    looked = Looked(tmp_path)
    looked.look("nadia", "p", NOON_US, is_auto=False)
    looked.close()
    looked = Looked(tmp_path)
    later = NOON_US + MINUTE_US
    assert looked.since("nadia", ["p"], later) == {"p": NOON_US}
    assert looked.since("paul", ["p"], later)["p"] < NOON_US
    looked.close()


def test_a_reload_gives_what_was_new_when_the_page_was_opened(tmp_path: Path) -> None:
    looked = Looked(tmp_path)
    looked.look("nadia", "p", NOON_US, is_auto=False)
    assert looked.look("nadia", "p", NOON_US + MINUTE_US, is_auto=False) == NOON_US
    assert looked.look("nadia", "p", NOON_US + 2 * MINUTE_US, is_auto=True) == NOON_US
    looked.close()


def test_looks_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    looked = Looked(tmp_path)
    looked.look("nadia", "p", NOON_US, is_auto=False)
    later = NOON_US + 100 * 86_400_000_000
    looked.forget(later)
    assert looked.since("nadia", ["p"], later)["p"] == later - UNSEEN_S * 1_000_000
    looked.close()
