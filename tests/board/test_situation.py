"""What is out for whom, since when, until when."""

from dataclasses import replace
from pathlib import Path

from releve.board.situation import TOLD_AGE_US_MAX, situation
from releve.clock import Instant
from releve.estate import Estate, load
from releve.recovery.forecast import Forecast, Span
from releve.sitrep import Measured
from ward.cast import MINUTE_US, NOON_US

from .scene import ESTATE


def estate(folder: Path) -> Estate:
    (folder / "estate.toml").write_text(ESTATE)
    return load(folder / "estate.toml")


def seen(service: str, hospital: str, state: str, *, since: Instant = NOON_US, at: Instant = NOON_US) -> Measured:
    return Measured(service, hospital, state, since, at, "x")  # type: ignore[arg-type]


def promised(at: Instant, p50_min: float, p90_min: float, *, after: tuple[str, ...] = ()) -> Forecast:
    span = Span(p50_min * 60, p90_min * 60)
    return Forecast(at, False, after, 1.0, {"record": span}, span, span, (), 200)


def test_a_service_is_shown_with_its_worst_state_its_hospitals_their_beds_and_the_earliest_loss(tmp_path: Path) -> None:
    measured = [
        seen("record", "H01", "down", since=NOON_US - MINUTE_US),
        seen("record", "H02", "down", since=NOON_US - 9 * MINUTE_US),
        seen("record", "H03", "normal"),
    ]
    row = situation(estate(tmp_path), measured, (), NOON_US, own="H01").rows[0]
    assert (row.state, row.out, row.beds_out, row.since) == ("down", 2, 830, NOON_US - 9 * MINUTE_US)
    assert row.counts() == [("down", 2), ("normal", 1)]


def test_what_nobody_measured_is_unknown_and_never_good(tmp_path: Path) -> None:
    found = situation(estate(tmp_path), [], (), NOON_US)
    assert {cell.state for row in found.rows for cell in row.cells} == {"unknown"}
    assert (found.out, found.hospitals, found.beds_out) == (3, 3, 920)


def test_this_nodes_word_is_old_after_two_minutes_and_another_hospitals_after_twelve(tmp_path: Path) -> None:
    measured = [seen("record", one, "normal", at=NOON_US) for one in ("H01", "H02")]
    states = {}
    for age_us in (2 * MINUTE_US, 2 * MINUTE_US + 1, TOLD_AGE_US_MAX, TOLD_AGE_US_MAX + 1):
        row = situation(estate(tmp_path), measured, (), NOON_US + age_us, own="H01").rows[0]
        states[age_us] = [cell.state for cell in row.cells[:2]]
    assert list(states.values()) == [
        ["normal", "normal"],
        ["unknown", "normal"],
        ["unknown", "normal"],
        ["unknown", "unknown"],
    ]


def test_a_service_concerns_only_the_hospitals_that_use_it(tmp_path: Path) -> None:
    mail = situation(estate(tmp_path), [], (), NOON_US).rows[-1]
    assert (mail.unit.id, [cell.hospital.id for cell in mail.cells]) == ("mail", ["H01", "H02"])


def test_a_slip_is_shown_with_the_old_value(tmp_path: Path) -> None:
    measured = [seen("record", "H01", "down")]
    said = [promised(NOON_US, 30, 60), promised(NOON_US + 10 * MINUTE_US, 40, 90)]
    outlook = situation(estate(tmp_path), measured, said, NOON_US + 10 * MINUTE_US).essential
    assert outlook.has_slipped
    assert [one.p90_at for one in outlook.before] == [NOON_US + 60 * MINUTE_US]
    assert outlook.now is not None
    assert outlook.now.p90_at == NOON_US + 100 * MINUTE_US


def test_a_range_that_did_not_move_is_no_slip(tmp_path: Path) -> None:
    said = [promised(NOON_US, 30, 60), promised(NOON_US + 10 * MINUTE_US, 20, 52)]
    outlook = situation(estate(tmp_path), [], said, NOON_US + 10 * MINUTE_US).last
    assert (outlook.before, outlook.has_slipped) == ((), False)


def test_a_range_that_has_passed_says_so(tmp_path: Path) -> None:
    window = situation(estate(tmp_path), [], [promised(NOON_US, 1, 2)], NOON_US).essential.now
    assert window is not None
    assert [window.is_over(NOON_US + 2 * MINUTE_US), window.is_over(NOON_US + 2 * MINUTE_US + 1)] == [False, True]


def test_each_hospital_has_what_it_misses_and_until_when_all_of_it_is_back(tmp_path: Path) -> None:
    measured = [seen("record", "H01", "down"), seen("laboratory", "H01", "normal"), seen("mail", "H01", "returning")]
    said = replace(promised(NOON_US, 30, 60), hospitals={"H01": Span(60, 120)})
    place = situation(estate(tmp_path), measured, [said], NOON_US).places[0]
    assert [(unit.id, state) for unit, state in place.missing] == [("record", "down"), ("mail", "returning")]
    assert place.outlook.now is not None
    assert place.outlook.now.p90_at == NOON_US + 2 * MINUTE_US


def test_no_clock_time_is_given_before_the_power_is_back(tmp_path: Path) -> None:
    found = situation(estate(tmp_path), [], [promised(NOON_US, 30, 60, after=("feed-a",))], NOON_US)
    assert found.essential.now is None
    assert found.after == ("feed-a",)
    assert found.waits["essential"].p90_s == 3600
