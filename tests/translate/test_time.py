from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.clock import to_instant
from releve.translate.time import AMBIGUOUS, NONEXISTENT, parse_clock, parse_date, parse_moment

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026", "2026"),
        ("202603", "2026-03"),
        ("20260315", "2026-03-15"),
        ("2026031508", "2026-03-15T08:00:00+01:00"),
        ("202603150812", "2026-03-15T08:12:00+01:00"),
        ("20260315081244", "2026-03-15T08:12:44+01:00"),
        ("20260715081244", "2026-07-15T08:12:44+02:00"),
        ("20260315081244.1234", "2026-03-15T08:12:44.1234+01:00"),
        ("20260315081244-0500", "2026-03-15T08:12:44-05:00"),
        ("202603150812+0530", "2026-03-15T08:12:00+05:30"),
        ("20170403011212000+0000", "2017-04-03T01:12:12.000+00:00"),
        ("20260315+0100", "2026-03-15"),
    ],
)
def test_a_time_keeps_its_precision_and_gets_the_senders_offset(text: str, iso: str) -> None:
    moment = parse_moment(text, PARIS)
    assert moment is not None
    assert iso == moment.iso
    assert moment.flag == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000",
        "00000000",
        "20261301",
        "20260230",
        "202603152",
        "2026031524",
        "20260315086000",
        "hier",
        "٢٠٢٦",
        "20260315081244+9900",
        "20260315081244+01",
        "2026-03-15",
        "20260315081244.x",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_moment(text, PARIS) is None


def test_the_hour_that_occurs_twice_is_read_as_the_first_and_flagged() -> None:
    moment = parse_moment("20261025023000", PARIS)
    assert moment is not None
    assert (moment.iso, moment.flag) == ("2026-10-25T02:30:00+02:00", AMBIGUOUS)
    assert to_instant(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == moment.at


def test_the_hour_that_does_not_exist_keeps_the_offset_before_the_change_and_is_flagged() -> None:
    moment = parse_moment("20260329023000", PARIS)
    assert moment is not None
    assert (moment.iso, moment.flag) == ("2026-03-29T02:30:00+01:00", NONEXISTENT)
    assert to_instant(datetime(2026, 3, 29, 1, 30, tzinfo=UTC)) == moment.at


def test_an_offset_that_was_sent_needs_no_rule() -> None:
    moment = parse_moment("20261025023000+0100", PARIS)
    assert moment is not None
    assert moment.flag == ""


def test_a_zone_that_changes_in_the_middle_of_an_hour_is_read_by_the_minute() -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")  # half an hour, at 02:00 local time
    before, within = parse_moment("20261004015900", lord_howe), parse_moment("20261004021500", lord_howe)
    assert before is not None
    assert within is not None
    assert (before.iso, before.flag) == ("2026-10-04T01:59:00+10:30", "")
    assert within.flag == NONEXISTENT


def test_the_time_of_the_city_before_1911_is_written_with_a_whole_minute_and_means_what_it_says() -> None:
    moment = parse_moment("190001011200", PARIS)  # Paris mean time was 9 min 21 s ahead
    assert moment is not None
    assert moment.iso == "1900-01-01T12:00:00+00:09"
    assert to_instant(datetime.fromisoformat(moment.iso)) == moment.at


@given(
    st.datetimes(min_value=datetime.fromisoformat("1912-01-01"), max_value=datetime.fromisoformat("2100-01-01")),
    st.sampled_from(["Europe/Paris", "America/New_York", "Indian/Reunion", "Pacific/Noumea"]),
)
def test_the_instant_and_the_text_say_the_same(local: datetime, zone: str) -> None:
    moment = parse_moment(local.strftime("%Y%m%d%H%M%S"), ZoneInfo(zone))
    assert moment is not None
    assert to_instant(datetime.fromisoformat(moment.iso)) == moment.at


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    moment = parse_moment(text, PARIS)
    assert moment is None or moment.iso[:4].isdigit()
    assert parse_date(text) == "" or parse_date(text)[:4].isdigit()
    parse_clock(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("19880818", "1988-08-18"),
        ("198808", "1988-08"),
        ("1988", "1988"),
        ("19880818103000", "1988-08-18"),
        ("19430000", "1943"),
        ("19430500", "1943-05"),
        ("0000", ""),
        ("19880230", ""),
        ("18/08/88", ""),
        ("", ""),
    ],
)
def test_a_date_is_as_precise_as_it_was_sent(text: str, day: str) -> None:
    assert day == parse_date(text)


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("0812", "08:12:00"),
        ("081259", "08:12:59"),
        ("08", "08:00:00"),
        ("0812+0100", "08:12:00"),
        ("2460", ""),
        ("x", ""),
    ],
)
def test_a_time_of_day_has_seconds(text: str, clock: str) -> None:
    assert clock == parse_clock(text)
