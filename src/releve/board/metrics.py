"""What machines read: the state of this node in the Prometheus text format, version 0.0.4. Values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from releve.board.feeds import FeedState
from releve.board.situation import TOLD_AGE_US_MAX
from releve.board.timeline import split_name
from releve.clock import Instant
from releve.recovery.forecast import Forecast, Span
from releve.recovery.state import States
from releve.screen import ServiceState
from releve.screen.degraded import CHECKED_AGE_US_MAX, current
from releve.sitrep import Measured

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], float]


def exposition(name: str, kind: str, words: str, samples: Iterable[Sample]) -> str:
    """Return one metric: its help, its type and its samples; a metric without samples is left out."""
    lines = [f"{name}{_labels(labels)} {value:g}" for labels, value in samples]
    return "\n".join([f"# HELP {name} {words}", f"# TYPE {name} {kind}", *lines]) + "\n" if lines else ""


def service_metrics(
    services: Sequence[ServiceState], now: Instant, site: str = "", measured: Sequence[Measured] = ()
) -> str:
    """Return whether services are up; a state that was not measured for two minutes is not up.

    site      this node's hospital
    measured  what every hospital sees, as far as it is known here; another one's word holds for twelve minutes
    """
    labels = [({"service": s.id, "name": s.name, "state": current(s, now)}, s) for s in services]
    own = [
        ({"service": s.id, "central": str(s.is_central).lower(), "hospital": site}, float(mark["state"] == "normal"))
        for mark, s in labels
    ]
    named = {(s.id, site) for s in services}
    others = [
        ({"service": one.service, "hospital": one.hospital}, float(one.state == "normal" and _is_fresh(one, site, now)))
        for one in measured
        if (one.service, one.hospital) not in named
    ]
    return exposition(
        "releve_service_up",
        "gauge",
        "1 when the service answers a hospital and is normal there, measured lately.",
        [*own, *others],
    ) + exposition(
        "releve_service_state", "gauge", "1 for the state the service is in.", [(mark, 1.0) for mark, _ in labels]
    )


def unit_metrics(states: States | None, now: Instant) -> str:
    """Return what this node measured of the estate, unit by unit, and how long each answer took."""
    units = list(states.units.values()) if states else []
    return exposition(
        "releve_unit_up",
        "gauge",
        "1 when the unit of the estate answers this node and is normal, measured within two minutes.",
        [
            ({"unit": one.id}, float(one.state == "normal" and now - one.checked_at <= CHECKED_AGE_US_MAX))
            for one in units
        ],
    ) + exposition(
        "releve_unit_probe_seconds",
        "gauge",
        "How long the last question to the unit took.",
        [({"unit": one.id}, one.took_s) for one in units],
    )


def forecast_metrics(forecast: Forecast | None, now: Instant) -> str:
    """Return in how many seconds services are expected back, by the forecast in force; 0 when that time has passed.

    While power is waited for the clock of a forecast does not run, and its seconds count from the return of power.
    """
    if forecast is None:
        return ""
    gone_s = 0.0 if forecast.after else (now - forecast.issued_at) / 1_000_000
    wholes = {"essential": forecast.essential, "last": forecast.last}
    return (
        exposition(
            "releve_return_forecast_seconds",
            "gauge",
            "Seconds until a service or unit is expected back: 0.5 as likely before as after, 0.9 nearly sure.",
            _quantiles(_by_service(forecast.units), gone_s),
        )
        + exposition(
            "releve_return_forecast_whole_seconds",
            "gauge",
            "Seconds until the essential services, and until the very last, are expected back.",
            _quantiles([({"what": what}, span) for what, span in wholes.items() if span is not None], gone_s),
        )
        + exposition(
            "releve_return_forecast_age_seconds",
            "gauge",
            "Seconds since the forecast in force was published.",
            [({}, (now - forecast.issued_at) / 1_000_000)],
        )
    )


def _by_service(units: Mapping[str, Span]) -> list[tuple[dict[str, str], Span]]:
    """Return spans with their labels: a unit's own return, and its release to one hospital under that hospital."""
    found = []
    for name, span in units.items():
        unit, act, hospital = split_name(name)
        if act == "start" or hospital:
            found.append(({"service": unit} | ({"hospital": hospital} if hospital else {}), span))
    return found


def _quantiles(spans: Iterable[tuple[dict[str, str], Span]], gone_s: float) -> list[Sample]:
    return [
        (labels | {"quantile": quantile}, max(0.0, seconds - gone_s))
        for labels, span in spans
        for quantile, seconds in (("0.5", span.p50_s), ("0.9", span.p90_s))
    ]


def _is_fresh(one: Measured, site: str, now: Instant) -> bool:
    return now - one.at <= (CHECKED_AGE_US_MAX if one.hospital == site else TOLD_AGE_US_MAX)


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
