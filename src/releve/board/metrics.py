"""What machines read: the state of this node in the Prometheus text format, version 0.0.4. Values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from releve.board.feeds import FeedState
from releve.clock import Instant
from releve.screen import ServiceState
from releve.screen.degraded import current

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], float]


def exposition(name: str, kind: str, words: str, samples: Iterable[Sample]) -> str:
    """Return one metric: its help, its type and its samples; a metric without samples is left out."""
    lines = [f"{name}{_labels(labels)} {value:g}" for labels, value in samples]
    return "\n".join([f"# HELP {name} {words}", f"# TYPE {name} {kind}", *lines]) + "\n" if lines else ""


def service_metrics(services: Sequence[ServiceState], now: Instant) -> str:
    """Return whether services are up; a state that was not measured for two minutes is not up."""
    labels = [({"service": s.id, "name": s.name, "state": current(s, now)}, s) for s in services]
    return exposition(
        "releve_service_up",
        "gauge",
        "1 when the service answers and is normal, measured within two minutes.",
        [({"service": s.id, "central": str(s.is_central).lower()}, float(m["state"] == "normal")) for m, s in labels],
    ) + exposition(
        "releve_service_state", "gauge", "1 for the state the service is in.", [(mark, 1.0) for mark, _ in labels]
    )


def feed_metrics(feeds: Sequence[FeedState], now: Instant) -> str:
    """Return how old each feed is, whether it is late and how much it sent."""
    return (
        exposition(
            "releve_feed_age_seconds",
            "gauge",
            "Seconds since the last message of a sender.",
            [({"sender": f.sender}, (now - f.last_at) / 1_000_000) for f in feeds if f.last_at],
        )
        + exposition(
            "releve_feed_late",
            "gauge",
            "1 when an expected feed is late or was never heard.",
            [({"sender": f.sender}, float(f.is_late)) for f in feeds if f.late_after_s],
        )
        + exposition(
            "releve_feed_messages_total",
            "counter",
            "Messages kept, by sender and type.",
            [({"sender": f.sender, "type": kind}, count) for f in feeds for kind, count in f.types],
        )
    )


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")
