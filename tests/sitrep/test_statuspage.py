"""summary.json: the shape that dashboards know, with the forecast beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson

from releve.sitrep import Edition, SituationReport, compose
from releve.sitrep.statuspage import summary

Moments = dict[str, SituationReport]
STATUSES = {"operational", "degraded_performance", "partial_outage", "major_outage"}
S = 1_000_000


def test_the_shape_is_that_of_statuspage(moments: Moments, signed: Callable[..., Edition]) -> None:
    value = orjson.loads(summary(compose(moments["cut"]), [signed("cut")]))
    assert {"page", "status", "components", "incidents", "scheduled_maintenances", "releve"} == value.keys()
    assert {"id", "name", "url", "time_zone", "updated_at"} == value["page"].keys()
    assert value["status"]["indicator"] == "critical"
    assert {one["status"] for one in value["components"]} <= STATUSES
    assert value["incidents"][0]["status"] == "identified"
    assert value["incidents"][0]["incident_updates"][0]["display_at"] == "2024-08-03T09:10:02.000Z"
    forecast = value["components"][0]["releve"]["forecast"]
    assert forecast["p50_s"] < forecast["p90_s"]
    assert forecast["after"] == [{"fr": "Arrivée électrique A", "en": "Power feed A"}]


def test_what_was_not_measured_is_not_called_operational(moments: Moments) -> None:
    value = orjson.loads(summary(compose(moments["unmeasured"]), []))
    assert {one["status"] for one in value["components"]} == {"degraded_performance"}
    assert value["components"][0]["releve"]["state"] == "unknown"
    assert value["incidents"] == []


def test_a_forecast_nobody_published_is_not_told(moments: Moments) -> None:
    value = orjson.loads(summary(compose(moments["restart"]), []))
    assert [one["releve"]["forecast"] for one in value["components"]] == [None, None]


def test_an_announced_hour_that_passed_is_called_not_held(moments: Moments, signed: Callable[..., Edition]) -> None:
    edition = signed("restart")
    late = replace(moments["restart"], issued_at=moments["restart"].issued_at + 86_400 * S)
    value = orjson.loads(summary(compose(late), [edition]))
    record = next(one for one in value["components"] if one["id"] == "record")
    assert record["releve"]["forecast"]["held"] is False
    now = orjson.loads(summary(compose(moments["restart"]), [edition]))
    assert next(one for one in now["components"] if one["id"] == "record")["releve"]["forecast"]["held"] is None


def test_the_incident_ends_with_the_report_that_says_so(moments: Moments, signed: Callable[..., Edition]) -> None:
    first, second = signed("cut"), signed("restart")
    value = orjson.loads(summary(compose(moments["restart"]), [second, first]))
    assert [one["id"] for one in value["incidents"][0]["incident_updates"]] == ["report-0002", "report-0001"]
    ended = orjson.loads(summary(compose(moments["back"]), [signed("back"), second, first]))
    assert (ended["incidents"], ended["status"]["indicator"]) == ([], "none")
