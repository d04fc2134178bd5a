"""Alerts: one entry a matter, the open ones first, never more than a page of them."""

from __future__ import annotations

from itertools import count

from releve.replica.alerts import Alerts


def made() -> Alerts:
    ticks = count(1)
    return Alerts(lambda: next(ticks))


def test_a_matter_seen_again_is_counted_not_repeated() -> None:
    alerts = made()
    alerts.add("A", "replica.fork", "H01", "first")
    alerts.add("A", "replica.fork", "H01", "second")
    (alert,) = alerts.of("A")
    assert (alert.count, alert.sentence, alert.first_at, alert.last_at, alert.is_open) == (2, "second", 1, 2, True)


def test_a_closed_matter_still_tells_what_happened_and_may_open_again() -> None:
    alerts = made()
    alerts.add("A", "replica.hole", "H01", "x")
    alerts.close("A", "replica.hole", "H01")
    alerts.close("A", "replica.hole", "H02")
    assert [alert.is_open for alert in alerts.of("A")] == [False]
    alerts.add("A", "replica.hole", "H01", "y")
    assert [(alert.is_open, alert.count) for alert in alerts.of("A")] == [(True, 2)]


def test_open_matters_come_first_and_hubs_are_apart() -> None:
    alerts = made()
    for subject in ("1", "2", "3"):
        alerts.add("A", "c", subject, "")
    alerts.close("A", "c", "3")
    assert [alert.subject for alert in alerts.of("A")] == ["2", "1", "3"]
    assert alerts.of("B") == []


def test_a_flood_forgets_closed_matters_before_open_ones() -> None:
    alerts = made()
    for number in range(100):
        alerts.add("A", "c", str(number), "")
    alerts.close("A", "c", "50")
    alerts.add("A", "c", "new", "")
    subjects = {alert.subject for alert in alerts.of("A")}
    assert len(subjects) == 100
    assert "50" not in subjects
    assert {"new", "0"} <= subjects
