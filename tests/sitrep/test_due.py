"""When a report is due: the hour that was promised, or what the hospitals cannot do without."""

from __future__ import annotations

from dataclasses import replace

from releve.sitrep import Measured, SituationReport, compose, due, next_report_at

Moments = dict[str, SituationReport]
S = 1_000_000
H = 3600 * S


def test_nothing_is_due_before_anything_was_measured_or_while_all_is_well(moments: Moments) -> None:
    assert due(None, moments["unmeasured"], 0) == ""
    assert due(None, moments["back"], moments["back"].issued_at) == ""


def test_the_first_loss_is_a_report(moments: Moments) -> None:
    assert due(None, moments["cut"], moments["cut"].issued_at) == "first"


def test_the_hour_that_was_promised_is_kept(moments: Moments) -> None:
    report = moments["cut"]
    assert due(compose(report), report, report.next_at - 1) == ""
    assert due(compose(report), report, report.next_at) == "time"


def test_a_change_of_an_essential_service_does_not_wait_for_the_hour(moments: Moments) -> None:
    before, at = compose(moments["cut"]), moments["cut"].issued_at + S
    states = dict(moments["cut"].states)
    mail = {pair: replace(one, state="normal") for pair, one in states.items() if pair[0] == "mail"}
    assert due(before, replace(moments["cut"], states={**states, **mail}), at) == "", "mail is tier 3: it can wait"
    record = {("record", "H01"): Measured("record", "H01", "returning", at, at)}
    assert due(before, replace(moments["cut"], states={**states, **record}), at) == "", (
        "still down at the other hospital"
    )
    both = {("record", one): Measured("record", one, "returning", at, at) for one in ("H01", "H02")}
    assert due(before, replace(moments["cut"], states={**states, **both}), at) == "change"


def test_one_more_hospital_without_an_essential_service_is_news(moments: Moments) -> None:
    report = moments["cut"]
    well = {("record", "H02"): Measured("record", "H02", "normal", None, report.issued_at)}
    before = compose(replace(report, states={**report.states, **well}))
    assert due(before, report, report.issued_at + S) == "change"


def test_the_end_is_told_at_once_and_once(moments: Moments) -> None:
    report = moments["back"]
    assert due(compose(moments["restart"]), report, report.issued_at) == "change"
    assert due(compose(report), report, report.next_at + 99 * H) == ""


def test_reports_come_every_hour_at_first_and_with_the_shifts_later() -> None:
    assert [next_report_at(0, lasted * H) // H - lasted for lasted in (0, 7, 8, 23, 24, 71, 72, 200)] == [
        *(1, 1),
        *(2, 2),
        *(4, 4),
        *(8, 8),
    ]
