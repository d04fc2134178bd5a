"""Alerts of Alertmanager: what is read of a webhook, what is new, what is refused and why."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.errors import PeerError
from releve.recovery.alert import ALERTS_MAX, AlertsHeard, read_webhook
from releve.recovery.folder import RecoveryFolder

NOW = 1_722_675_900_000_000


def alert(name: str = "FeedDown", status: str = "firing", **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "severity": "critical", "releve_unit": "feed-a"} | more.pop("labels", {})
    return {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "Feed A lost power"},
        "startsAt": "2024-08-03T11:04:00.123456789+02:00",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2024-08-03T14:31:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": f"f-{name}",
        **more,
    }


def webhook(*alerts: dict[str, Any], version: str = "4") -> bytes:
    """Return a grouped webhook as Alertmanager 0.27 sends it."""
    group = {
        "receiver": "releve",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"site": "centre"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "version": version,
        "groupKey": '{}:{site="centre"}',
        "truncatedAlerts": 0,
    }
    return json.dumps(group).encode()


def test_a_firing_alert_is_read_with_the_unit_it_names() -> None:
    (found,) = read_webhook(webhook(alert()), (), NOW)
    assert (found.name, found.unit, found.severity, found.summary) == (
        "FeedDown",
        "feed-a",
        "critical",
        "Feed A lost power",
    )
    assert (found.status, found.since, found.until, found.received_at) == ("firing", 1_722_675_840_123_456, 0, NOW)
    assert found.sender == "releve"


def test_a_resolved_alert_says_when_it_ended() -> None:
    (found,) = read_webhook(webhook(alert(status="resolved")), (), NOW)
    assert (found.status, found.until) == ("resolved", 1_722_695_460_000_000)


def test_the_label_service_counts_when_it_is_a_unit_of_the_estate() -> None:
    one = alert(labels={"service": "record"})
    del one["labels"]["releve_unit"]
    assert [found.unit for found in read_webhook(webhook(one), {"record"}, NOW)] == ["record"]
    assert [found.unit for found in read_webhook(webhook(one), {"mail"}, NOW)] == [""]


def test_what_alertmanager_repeats_is_kept_once() -> None:
    heard = AlertsHeard()
    first = read_webhook(webhook(alert("A"), alert("B")), (), NOW)
    for one in heard.new(first):
        heard.kept(one)
    again = read_webhook(webhook(alert("A"), alert("B", "resolved")), (), NOW + 1)
    assert [(one.name, one.status) for one in heard.new(again)] == [("B", "resolved")]


def test_what_fires_is_known_after_a_restart(tmp_path: Path) -> None:
    folder = RecoveryFolder(tmp_path / "recovery")
    for one in read_webhook(webhook(alert("A"), alert("B"), alert("A", "resolved")), (), NOW):
        folder.alert(one)
    assert [one.name for one in AlertsHeard(folder.alerts()).firing()] == ["B"]
    assert AlertsHeard(folder.alerts()).new(read_webhook(webhook(alert("B")), (), NOW)) == []


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "no webhook of Alertmanager"),
        (b"[]", "no webhook of Alertmanager: Expected `object`, got `array`"),
        (b'{"alerts": 3}', "Expected `array`, got `int`"),
        (webhook(alert(), version="3"), "Expected a webhook of version '4', found '3'"),
        (webhook(alert(status="silenced")), "has the status 'silenced'; expected firing or resolved"),
        (webhook(alert(startsAt="yesterday")), "startsAt of alert 1 must be a time such as"),
        (webhook(alert(startsAt="2024-08-03T11:04:00")), "must be a time such as"),
        (webhook(*[alert()] * (ALERTS_MAX + 1)), "at most 2000 are taken"),
    ],
)
def test_what_is_no_webhook_is_refused_with_a_sentence(payload: bytes, says: str) -> None:
    with pytest.raises(PeerError, match=says):
        read_webhook(payload, (), NOW)


@given(st.binary(max_size=200), st.integers(0, 600))
def test_any_payload_is_read_or_refused(data: bytes, place: int) -> None:
    good = webhook(alert())
    for payload in (data, good[:place] + data + good[place + len(data) :]):
        with suppress(PeerError):
            read_webhook(payload, ("record",), NOW)
