"""Alerts that a monitoring system sends: evidence for people, never a state of a service.

Alertmanager's webhook, version 4: groups of alerts, each firing or resolved, sent again as long as they fire. Only what
is new is kept. Whoever is alerted may be wrong in ways that our own probes are not (an alert that was silenced, a rule
that was never updated), so an alert stands beside what was measured and never in its place.

Source: Prometheus documentation, "Alerting: Configuration", <webhook_config>.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec

from releve.clock import Instant, to_instant
from releve.errors import PeerError

#: A rule names the unit of the estate by this label; without it a label `service` counts when it is a unit's id.
UNIT_LABEL = "releve_unit"

#: Alertmanager cuts at its own max_alerts; a centre that falls gives some hundreds.
ALERTS_MAX = 2000
TEXT_CHARS_MAX = 500
LABELS_MAX = 40


class Alert(msgspec.Struct, frozen=True):
    """One alert as it was sent.

    fingerprint  the same for the same labels
    status       "firing" or "resolved"
    name         what the rule is called
    unit         the unit of the estate that it is about; "" when it names none
    since, until when it began and ended by the sender's clock; until is 0 while it fires
    received_at  when it came here
    sender       the receiver's name in the sender's configuration, which says which way it came
    """

    fingerprint: str
    status: str
    name: str
    unit: str
    severity: str
    summary: str
    since: Instant
    until: Instant
    received_at: Instant
    sender: str
    labels: dict[str, str]

    @property
    def key(self) -> tuple[str, str, Instant]:
        """What makes it another one than before: Alertmanager repeats the rest."""
        return (self.fingerprint, self.status, self.since)


_NONE = Alert("", "", "", "", "", "", 0, 0, 0, "", {})


class _One(msgspec.Struct):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: str = ""
    endsAt: str = ""
    fingerprint: str = ""


class _Webhook(msgspec.Struct):
    alerts: list[_One]
    version: str = ""
    receiver: str = ""


def read_webhook(payload: bytes, units: Collection[str], now: Instant) -> list[Alert]:
    """Return the alerts of a webhook.

    units   ids of the estate, for alerts that name one by their label `service`
    raises  PeerError  it is no webhook of version 4; the sentence says what was expected and what came
    """
    try:
        told = msgspec.json.decode(payload, type=_Webhook)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerError(
            "alert.unreadable", f"This is no webhook of Alertmanager: {error}. Nothing was kept."
        ) from error
    if told.version != "4":
        raise PeerError(
            "alert.version", f"Expected a webhook of version '4', found {told.version[:20]!r}. Nothing was kept."
        )
    if len(told.alerts) > ALERTS_MAX:
        raise PeerError(
            "alert.too-many",
            f"{len(told.alerts)} alerts in one webhook; at most {ALERTS_MAX} are taken. Set max_alerts in the sender's "
            "webhook_config. Nothing was kept.",
        )
    return [_alert(one, place, told.receiver, units, now) for place, one in enumerate(told.alerts)]


class AlertsHeard:
    """What came last of each alert: tells new ones from repeated ones, and which still fire."""

    def __init__(self, before: Iterable[Alert] = ()) -> None:
        self._last = {alert.fingerprint: alert for alert in before}

    def new(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Return those that say something new."""
        return [alert for alert in alerts if (self._last.get(alert.fingerprint) or _NONE).key != alert.key]

    def kept(self, alert: Alert) -> None:
        """Note that an alert is on the disk."""
        self._last[alert.fingerprint] = alert

    def firing(self) -> list[Alert]:
        """Return the alerts that still fire, oldest first."""
        return sorted((one for one in self._last.values() if one.status == "firing"), key=lambda one: one.since)


def to_line(alert: Alert) -> dict[str, Any]:
    """Return an alert as a line of alerts.jsonl."""
    line: dict[str, Any] = msgspec.to_builtins(alert)
    return line


def from_line(line: dict[str, Any]) -> Alert:
    """Return the alert that to_line wrote.

    raises  msgspec.ValidationError  it is none
    """
    return msgspec.convert(line, Alert)


def _alert(one: _One, place: int, receiver: str, units: Collection[str], now: Instant) -> Alert:
    if one.status not in ("firing", "resolved"):
        raise PeerError(
            "alert.status",
            f"Alert {place + 1} has the status {one.status[:20]!r}; expected firing or resolved. Nothing was kept.",
        )
    labels = {name[:TEXT_CHARS_MAX]: value[:TEXT_CHARS_MAX] for name, value in sorted(one.labels.items())[:LABELS_MAX]}
    name = one.labels.get("alertname", "")
    service = one.labels.get("service", "")
    summary = one.annotations.get("summary") or one.annotations.get("description") or ""
    since = _instant(one.startsAt, f"startsAt of alert {place + 1}")
    return Alert(
        fingerprint=one.fingerprint[:TEXT_CHARS_MAX] or repr(sorted(labels.items())),
        status=one.status,
        name=name[:TEXT_CHARS_MAX],
        unit=one.labels.get(UNIT_LABEL, service if service in units else "")[:TEXT_CHARS_MAX],
        severity=one.labels.get("severity", "")[:TEXT_CHARS_MAX],
        summary=summary[:TEXT_CHARS_MAX],
        since=since or now,
        until=_instant(one.endsAt, f"endsAt of alert {place + 1}") if one.status == "resolved" else 0,
        received_at=now,
        sender=receiver[:TEXT_CHARS_MAX],
        labels=labels,
    )


def _instant(text: str, what: str) -> Instant:
    """Return a time of RFC 3339 as an instant; 0 for none, which Go writes as the year 1."""
    if not text or text.startswith("0001-"):
        return 0
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("it has no offset")
        return to_instant(at)
    except (ValueError, OverflowError) as error:
        raise PeerError(
            "alert.time",
            f"{what} must be a time such as 2024-08-03T11:04:00+02:00; found {text[:40]!r}. Nothing was kept.",
        ) from error
