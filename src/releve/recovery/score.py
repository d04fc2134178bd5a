"""The record of the forecasts: every one that was published, set beside what then happened.

    slips   where a date moved later: the old value beside the new one
    score   how far P50 was off, and whether P90 held: service by service, "essential services", "last service", all
    as_of   a forecast as it may still be shown now: no moment that has passed

A forecast that counts from the return of the power is judged from that return. Nothing is judged before it is settled:
it came back, or its P90 has passed without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from releve.clock import Instant, to_iso
from releve.estate import Estate, Unit
from releve.recovery.forecast import ESSENTIAL_TIER_MAX, Forecast, Span
from releve.recovery.journal import Happened

Scope = Literal["unit", "essential", "last"]

#: A P90 that moves by less than this share of itself has not slipped: two runs of the same simulation differ as much.
SLIP_SHARE = 0.1

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Promise:
    """What one published forecast said of one thing, and what came of it.

    scope     a unit, or one of the two ends that are forecast apart
    unit      id, "" for the two ends
    since     from when its spans count: its issue, or the return of the power; None: not back yet
    came_at   when it was back; None: it is not
    held      whether it was back by P90; None: not settled
    """

    scope: Scope
    unit: str
    issued_at: Instant
    since: Instant | None
    span: Span
    came_at: Instant | None
    held: bool | None
    is_provisional: bool

    @property
    def p50_at(self) -> Instant | None:
        """Return the moment named by P50; None while the power is away."""
        return None if self.since is None else self.since + round(self.span.p50_s * _US)

    @property
    def p90_at(self) -> Instant | None:
        """Return the moment named by P90; None while the power is away."""
        return None if self.since is None else self.since + round(self.span.p90_s * _US)

    @property
    def late_s(self) -> float | None:
        """Return how much later than P50 it came; negative when earlier."""
        if self.came_at is None or self.p50_at is None:
            return None
        return (self.came_at - self.p50_at) / _US

    @property
    def error_share(self) -> float | None:
        """Return how far off P50 was, as a share of what really remained when it was issued."""
        if self.late_s is None or self.came_at is None or self.since is None or self.came_at <= self.since:
            return None
        return abs(self.late_s) / ((self.came_at - self.since) / _US)


@dataclass(frozen=True, slots=True)
class Slip:
    """A date that was moved later: what had been said, and what was said instead."""

    scope: Scope
    unit: str
    at: Instant
    old_p90_at: Instant
    new_p90_at: Instant

    @property
    def later_s(self) -> float:
        """Return by how much."""
        return (self.new_p90_at - self.old_p90_at) / _US


@dataclass(frozen=True, slots=True)
class Record:
    """How a group of promises did.

    settled          promises of which the outcome is known
    held             of those, how many came by their P90
    p50_error_s      middle of how far off P50 was; None: nothing has come back
    p50_error_share  the same as a share of what really remained
    """

    promises: int
    settled: int
    held: int
    p50_error_s: float | None
    p50_error_share: float | None

    @property
    def coverage(self) -> float | None:
        """Return the share of settled promises whose P90 held: nine in ten is right, more is too careful."""
        return self.held / self.settled if self.settled else None


@dataclass(frozen=True)
class Score:
    """The record of one recovery.

    services   unit → its record, for what people know by name
    everything all promises of services, machinery and the two ends
    """

    at: Instant
    forecasts: int
    provisional: int
    promises: tuple[Promise, ...]
    slips: tuple[Slip, ...]
    services: dict[str, Record]
    essential: Record
    last: Record
    everything: Record


def score(estate: Estate, forecasts: Sequence[Forecast], journal: Iterable[Happened], at: Instant) -> Score:
    """Return how every published forecast did, as known at a moment."""
    back = returns(estate, (line for line in journal if line.at <= at))
    issued = sorted((one for one in forecasts if one.issued_at <= at), key=lambda one: one.issued_at)
    promises = tuple(promise for one in issued for promise in _promises(estate, one, back, at))
    of_unit: dict[str, list[Promise]] = {}
    for one in promises:
        if one.scope == "unit":
            of_unit.setdefault(one.unit, []).append(one)
    return Score(
        at=at,
        forecasts=len(issued),
        provisional=sum(one.provisional for one in issued),
        promises=promises,
        slips=slips(promises),
        services={unit.id: _record(of_unit[unit.id]) for unit in estate.services() if unit.id in of_unit},
        essential=_record([one for one in promises if one.scope == "essential"]),
        last=_record([one for one in promises if one.scope == "last"]),
        everything=_record(promises),
    )


def returns(estate: Estate, journal: Iterable[Happened]) -> dict[str, Instant]:
    """Return when each unit came back, as it last did: a step back makes the earlier return not count.

    What must be released to care is back when its last release is given, as forecasts count it; what was looked
    through is back when that has passed.
    """
    back: dict[str, Instant] = {}
    released: dict[str, set[str]] = {}
    for line in journal:
        unit = estate.units.get(line.unit)
        if unit is None:
            continue
        if line.kind in ("up", "already-up", "checked", "released"):
            if line.kind == "released":
                released.setdefault(unit.id, set()).add(line.hospital)
            if _releases(unit) <= released.get(unit.id, set()):
                back[unit.id] = line.at
        elif line.kind in ("failed", "blocked", "step-back", "check-failed", "refused", "down", "unclean"):
            back.pop(unit.id, None)
            if line.kind != "refused":
                released.pop(unit.id, None)
    return back


def _releases(unit: Unit) -> set[str]:
    """Return the releases that care waits for: "" is one for everybody."""
    if unit.released_by_hospital or unit.wave:
        return set(unit.hospitals)
    return {""} if unit.release else set()


def slips(promises: Iterable[Promise]) -> tuple[Slip, ...]:
    """Return every time that a P90 was moved later than the one published before it."""
    found = []
    before: dict[tuple[Scope, str], Promise] = {}
    for one in promises:
        old = before.get((one.scope, one.unit))
        before[one.scope, one.unit] = one
        if old is None or old.p90_at is None or one.p90_at is None:
            continue
        if (one.p90_at - old.p90_at) / _US > SLIP_SHARE * old.span.p90_s:
            found.append(Slip(one.scope, one.unit, one.issued_at, old.p90_at, one.p90_at))
    return tuple(found)


def as_of(forecast: Forecast, at: Instant) -> Forecast:
    """Return a forecast as it may be shown later than it was issued: no moment that has passed is named.

    A P50 that has passed becomes now; where the P90 has passed nothing can be said any more, until a new forecast is
    made. A forecast that counts from the return of the power does not age while the power is away.
    """
    gone_s = (at - forecast.issued_at) / _US
    if forecast.after or gone_s <= 0:
        return forecast
    units = {name: left for name, span in forecast.units.items() if (left := _left(span, gone_s)) is not None}
    return replace(
        forecast,
        issued_at=at,
        units=units,
        essential=_left(forecast.essential, gone_s),
        last=_left(forecast.last, gone_s),
        unknown=(*forecast.unknown, *(name for name in forecast.units if name not in units)),
    )


def encode_score(found: Score) -> dict[str, Any]:
    """Return the record as JSON."""
    return {
        "at": to_iso(found.at),
        "forecasts": found.forecasts,
        "provisional": found.provisional,
        "everything": _record_value(found.everything),
        "essential": _record_value(found.essential),
        "last": _record_value(found.last),
        "services": {unit: _record_value(record) for unit, record in found.services.items()},
        "slips": [
            {
                "scope": one.scope,
                "unit": one.unit,
                "at": to_iso(one.at),
                "old_p90_at": to_iso(one.old_p90_at),
                "new_p90_at": to_iso(one.new_p90_at),
                "later_s": round(one.later_s, 3),
            }
            for one in found.slips
        ],
        "promises": [_promise_value(one) for one in found.promises],
    }


def _promises(estate: Estate, one: Forecast, back: dict[str, Instant], at: Instant) -> Iterable[Promise]:
    since = _since(one, back)
    named = [unit for unit in one.units if unit in estate.units]
    whole = [*named, *(unit for unit in one.unknown if unit in estate.units)]
    for unit in named:
        # What comes by itself is waited for, not forecast.
        if estate.units[unit].start is not None:
            yield _promise("unit", unit, one, since, one.units[unit], back.get(unit), at)
    if one.essential is not None:
        essential = [unit for unit in whole if estate.units[unit].tier <= ESSENTIAL_TIER_MAX]
        yield _promise("essential", "", one, since, one.essential, _latest(essential, back), at)
    if one.last is not None:
        yield _promise("last", "", one, since, one.last, _latest(whole, back), at)


def _since(one: Forecast, back: dict[str, Instant]) -> Instant | None:
    if any(unit not in back for unit in one.after):
        return None
    return max([one.issued_at, *(back[unit] for unit in one.after)])


def _promise(
    scope: Scope,
    unit: str,
    one: Forecast,
    since: Instant | None,
    span: Span,
    came_at: Instant | None,
    at: Instant,
) -> Promise:
    held: bool | None = None
    if since is not None:
        due_at = since + round(span.p90_s * _US)
        if came_at is not None:
            held = came_at <= due_at
        elif at > due_at:
            held = False
    return Promise(scope, unit, one.issued_at, since, span, came_at, held, one.provisional)


def _latest(units: Iterable[str], back: dict[str, Instant]) -> Instant | None:
    found = [back.get(unit) for unit in units]
    known = [one for one in found if one is not None]
    return max(known) if known and len(known) == len(found) else None


def _record(promises: Sequence[Promise]) -> Record:
    settled = [one for one in promises if one.held is not None]
    errors = [abs(one.late_s) for one in settled if one.late_s is not None]
    shares = [one.error_share for one in settled if one.error_share is not None]
    return Record(
        promises=len(promises),
        settled=len(settled),
        held=sum(bool(one.held) for one in settled),
        p50_error_s=median(errors) if errors else None,
        p50_error_share=median(shares) if shares else None,
    )


def _left(span: Span | None, gone_s: float) -> Span | None:
    if span is None or span.p90_s <= gone_s:
        return None
    return Span(max(span.p50_s - gone_s, 0.0), span.p90_s - gone_s)


def _record_value(record: Record) -> dict[str, Any]:
    return {
        "promises": record.promises,
        "settled": record.settled,
        "held": record.held,
        "coverage": record.coverage,
        "p50_error_s": record.p50_error_s,
        "p50_error_share": record.p50_error_share,
    }


def _promise_value(one: Promise) -> dict[str, Any]:
    def iso(at: Instant | None) -> str | None:
        return None if at is None else to_iso(at)

    return {
        "scope": one.scope,
        "unit": one.unit,
        "issued_at": to_iso(one.issued_at),
        "provisional": one.is_provisional,
        "since": iso(one.since),
        "p50_s": one.span.p50_s,
        "p90_s": one.span.p90_s,
        "p50_at": iso(one.p50_at),
        "p90_at": iso(one.p90_at),
        "came_at": iso(one.came_at),
        "held": one.held,
        "late_s": one.late_s,
    }
