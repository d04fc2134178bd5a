"""What the degraded banner says, computed from the measured states of services. It is never typed and never guessed:
states that were not measured for a while are said to be unknown, not said to be good.
"""

from __future__ import annotations

import msgspec

from releve.clock import Instant

NORMAL, DEGRADED, DOWN, RETURNING, UNKNOWN = "normal", "degraded", "down", "returning", "unknown"

#: A state is declared within two minutes; what is older than that says nothing about now.
CHECKED_AGE_US_MAX = 120_000_000


class ServiceState(msgspec.Struct, frozen=True):
    """One service as it was measured last.

    state       "normal", "degraded", "down" or "returning"
    since       when this state began, microseconds
    checked_at  when it was measured last
    reason      what was measured, for staff, in English: "no answer on port 2575"
    reason_fr   the same in French; empty falls back to reason
    is_central  at the hosting centre: its loss raises the banner
    heard_at    when data came from it last; 0 when it gives none or that is not known
    set_by      the person who overrode the measure, for a limited time; empty for a measured state
    """

    id: str
    name: str
    state: str
    since: Instant
    checked_at: Instant
    reason: str = ""
    is_central: bool = False
    heard_at: Instant = 0
    set_by: str = ""
    reason_fr: str = ""

    def reason_in(self, lang: str) -> str:
        """Return what was measured, in "fr" or "en"."""
        return self.reason_fr if lang == "fr" and self.reason_fr else self.reason


class Degraded(msgspec.Struct, frozen=True):
    """The banner: since when, what is missing, how old the data of the centre is.

    kind        "down" something central is away; "returning" all of it answers again, not all is given back;
                "unknown" nothing was measured for two minutes
    since       the earliest loss
    missing     central services that are down
    weak        central services that answer badly, or were not measured for two minutes while others were
    returning   central services that are coming back
    data_until  the newest data that came from any of them; 0 when not known
    """

    kind: str
    since: Instant
    missing: tuple[str, ...]
    weak: tuple[str, ...]
    returning: tuple[str, ...]
    data_until: Instant


def degraded(services: list[ServiceState], now: Instant) -> Degraded | None:
    """Return what the banner must say; None when every central service is normal and was measured just now."""
    central = [service for service in services if service.is_central]
    if not central:
        return None
    data_until = max(service.heard_at for service in central)
    states = [(current(service, now), service) for service in central]
    if all(state == UNKNOWN for state, _ in states):
        return Degraded(UNKNOWN, max(service.checked_at for service in central), (), (), (), data_until)
    away = [(state, service) for state, service in states if state != NORMAL]
    if not away:
        return None
    missing = tuple(service.name for state, service in away if state == DOWN)
    weak = tuple(service.name for state, service in away if state in (DEGRADED, UNKNOWN))
    returning = tuple(service.name for state, service in away if state == RETURNING)
    return Degraded(
        kind=DOWN if missing or weak else RETURNING,
        since=min(service.checked_at if state == UNKNOWN else service.since for state, service in away),
        missing=missing,
        weak=weak,
        returning=returning,
        data_until=data_until,
    )


def current(service: ServiceState, now: Instant) -> str:
    """Return the state of a service as it may be said now: "unknown" when it was not measured for two minutes.

    A state that a person set holds until its time is over; it is not expected to be measured.
    """
    if service.set_by or now - service.checked_at <= CHECKED_AGE_US_MAX:
        return service.state
    return UNKNOWN
