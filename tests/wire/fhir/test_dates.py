"""Dates are spans: every precision, every prefix, and nothing that crashes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.clock import to_instant
from releve.wire.fhir.dates import EARLIEST, LATEST, edges, holds, parse_span

PARIS = ZoneInfo("Europe/Paris")
PREFIXES = ("eq", "ne", "lt", "gt", "le", "ge", "sa", "eb", "ap")
DAY = 86_400_000_000


def instant(text: str) -> int:
    return to_instant(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", "2024-01-01T00:00+01:00", "2025-01-01T00:00+01:00"),
        ("2024-08", "2024-08-01T00:00+02:00", "2024-09-01T00:00+02:00"),
        ("2024-12", "2024-12-01T00:00+01:00", "2025-01-01T00:00+01:00"),
        ("2024-02-29", "2024-02-29T00:00+01:00", "2024-03-01T00:00+01:00"),
        ("2024-03-31", "2024-03-31T00:00+01:00", "2024-04-01T00:00+02:00"),  # the clocks went forward: 23 hours
        ("2024-08-03T09:12", "2024-08-03T09:12+02:00", "2024-08-03T09:13+02:00"),
        ("2024-08-03T09:12:44Z", "2024-08-03T09:12:44+00:00", "2024-08-03T09:12:45+00:00"),
        ("2024-08-03T09:12:44.1-03:30", "2024-08-03T09:12:44.1-03:30", "2024-08-03T09:12:44.2-03:30"),
        ("2024-08-03T09:12:44.123+02:00", "2024-08-03T09:12:44.123+02:00", "2024-08-03T09:12:44.124+02:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59+00:00", "2017-01-01T00:00:00+00:00"),
    ],
)
def test_a_date_of_any_precision_is_a_span_at_the_hospital(text: str, low: str, high: str) -> None:
    assert parse_span(text, PARIS) == (instant(low), instant(high))


def test_the_last_year_has_an_end() -> None:
    for text in ("9999", "9999-12", "9999-12-31"):
        assert parse_span(text, UTC)[1] == LATEST
    assert EARLIEST < parse_span("0001", UTC)[0] < parse_span("9999-12-31", UTC)[0] < LATEST


@pytest.mark.parametrize(
    "text",
    ["", "24", "2024-13", "2024-02-30", "2024-8-3", "2024-08-03T25:00", "2024-08-03T09", "0000", "yesterday",
     "2024-08-03T09:12+99:00", "２０２４", "2024-08-03T09:12:44.Z", "2024-08-03 09:12"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says which parameter it was
        parse_span(text, PARIS)


@given(text=st.text(st.characters(), max_size=40) | st.from_regex(r"\d{4}(-\d\d){0,2}(T\d\d:\d\d(:\d\d)?)?"))
def test_any_text_is_a_span_or_a_value_error(text: str) -> None:
    try:
        low, high = parse_span(text, PARIS)
    except (ValueError, OverflowError):
        return
    assert EARLIEST <= low < high <= LATEST


@pytest.mark.parametrize(
    ("prefix", "found", "expected"),
    [
        # hl7.org/fhir/R4/search.html#prefix, sought 2013-01-14
        ("eq", "2013-01-14T00:00", True), ("eq", "2013-01-14T10:00", True), ("eq", "2013-01-15T00:00", False),
        ("eq", "2013-01", False),
        ("ne", "2013-01-15T00:00", True), ("ne", "2013-01-14T10:00", False), ("ne", "2013-01", True),
        ("lt", "2013-01-13T23:59", True), ("lt", "2013-01-14T10:00", False), ("lt", "2013-01", True),
        ("gt", "2013-01-15T00:00", True), ("gt", "2013-01-14T10:00", False), ("gt", "2013-01", True),
        ("ge", "2013-01-14T10:00", True), ("ge", "2013-01-15T00:00", True), ("ge", "2013-01-13", False),
        ("le", "2013-01-14T10:00", True), ("le", "2013-01-13", True), ("le", "2013-01-15", False),
        ("sa", "2013-01-15", True), ("sa", "2013-01-14T10:00", False), ("sa", "2013-01", False),
        ("eb", "2013-01-13", True), ("eb", "2013-01-14T10:00", False), ("eb", "2013-01", False),
    ],
)  # fmt: skip
def test_prefixes_mean_what_the_standard_says(prefix: str, found: str, expected: bool) -> None:
    assert holds(prefix, parse_span("2013-01-14", UTC), parse_span(found, UTC), 0) is expected


def test_about_means_within_a_tenth_of_the_distance_to_now() -> None:
    now = instant("2024-08-11T00:00+00:00")
    sought = parse_span("2024-08-01", UTC)
    assert holds("ap", sought, parse_span("2024-08-02T12:00", UTC), now)
    assert not holds("ap", sought, parse_span("2024-08-03T12:00", UTC), now)


spans = st.tuples(st.integers(-50, 50), st.integers(1, 30)).map(lambda pair: (pair[0] * DAY, (pair[0] + pair[1]) * DAY))


@given(prefix=st.sampled_from(PREFIXES), sought=spans, found=spans)
def test_whatever_holds_overlaps_the_edges_that_an_index_is_asked_with(
    prefix: str, sought: tuple[int, int], found: tuple[int, int]
) -> None:
    low, high = edges(prefix, sought, 7 * DAY)
    if holds(prefix, sought, found, 7 * DAY):
        assert found[0] < high
        assert found[1] > low


@given(sought=spans, found=spans)
def test_equal_and_not_equal_divide_the_world(sought: tuple[int, int], found: tuple[int, int]) -> None:
    assert holds("eq", sought, found, 0) is not holds("ne", sought, found, 0)
    assert holds("sa", sought, found, 0) <= holds("gt", sought, found, 0)
    assert holds("eb", sought, found, 0) <= holds("lt", sought, found, 0)


@given(at=st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), zone=st.sampled_from([UTC, PARIS]))  # noqa: DTZ001
def test_a_full_instant_is_read_as_the_library_reads_it(at: datetime, zone: ZoneInfo) -> None:
    whole = at.replace(tzinfo=UTC)
    assert parse_span(whole.isoformat(timespec="microseconds").replace("+00:00", "Z"), zone)[0] == (
        whole - datetime(1970, 1, 1, tzinfo=UTC)
    ) // timedelta(microseconds=1)
