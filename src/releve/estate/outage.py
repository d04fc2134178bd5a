"""A past outage as an estate: a case file (JSON) of a public outage becomes what a drill can play.

A case says what stood on what, what was back by when, what was announced and what came of it. Lengths of single starts
were never published. Where a case knows by when a unit was back, the time since what it needs is taken as the P90 of
its start and half of it as the P50; elsewhere ASSUMED stands in, and the text says so. A cycle of the case gets the
break point that `demanded_breaks` proposes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec

from releve.errors import WrongUse
from releve.estate.cycles import demanded_breaks, strongly_connected
from releve.estate.file import load, load_unproved
from releve.estate.model import FEED, NETWORK, SERVICE, STORAGE, UNIT, UPS, Duration, Estate
from releve.estate.written import Value, write_entry, write_remark

#: A start of which the case says nothing.
ASSUMED = Duration(p50_s=900.0, p90_s=3600.0)

#: Whoever uses what failed: a public case seldom says where.
EVERYBODY = "all"

#: No case of a drill is larger; an export by mistake is.
CASE_BYTES_MAX = 4_000_000

_Identity = Annotated[str, msgspec.Meta(pattern=r"^[^\s]{1,80}$")]
_Minute = Annotated[float, msgspec.Meta(ge=-1e7, le=1e7)]
_LEAST_S = 60.0

# Kinds by the words in an id: for the picture, and because power comes by itself.
_KIND_WORDS = (
    (UPS, ("ups",)),
    (FEED, ("power", "generator")),
    (NETWORK, ("network", "backbone")),
    (STORAGE, ("storage", "volumes")),
)


class Announced(msgspec.Struct, frozen=True):
    """A return that was announced; minutes from t0, None where not known."""

    text: str
    issued_min: _Minute | None = None
    predicted_min: _Minute | None = None
    outcome: str = ""


class _Service(msgspec.Struct, frozen=True):
    id: _Identity
    tier: Annotated[int, msgspec.Meta(ge=0, le=4)]
    up_by_min: _Minute | None = None
    up_after_min: _Minute | None = None
    unaffected: bool = False
    count: int = 1
    note: str = ""


class _Limit(msgspec.Struct, frozen=True):
    resource: _Identity
    amount: Annotated[int, msgspec.Meta(ge=1)] | None = None
    used_by: tuple[str, ...] = ()
    note: str = ""


class _Case(msgspec.Struct, frozen=True):
    id: _Identity
    title: str
    services: tuple[_Service, ...]
    dependencies: tuple[tuple[str, str], ...]
    t0: str = ""
    timeline_min: tuple[tuple[_Minute, str], ...] = ()
    capacity: tuple[_Limit, ...] = ()
    expected_cycles: tuple[tuple[str, ...], ...] = ()
    published_forecasts: tuple[Announced, ...] = ()
    recovery_curve: tuple[tuple[_Minute, float], ...] = ()
    checks: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class OutageCase:
    """A past outage, ready to be played. Minutes count from t0, which is words.

    text          the estate file it became
    timeline      what happened, in order
    up_by_min     unit → back at this minute at the latest
    up_after_min  unit → still down at this minute
    unaffected    units that never went down
    forecasts     what was announced
    curve         (minute, share that was back)
    cycles        sets that waited for each other; estate.breaks has a way out for each
    checks        what a plan or a report should get right on this case, in words
    """

    id: str
    title: str
    t0: str
    text: str
    estate: Estate
    timeline: tuple[tuple[float, str], ...]
    up_by_min: Mapping[str, float]
    up_after_min: Mapping[str, float]
    unaffected: frozenset[str]
    forecasts: tuple[Announced, ...]
    curve: tuple[tuple[float, float], ...]
    cycles: tuple[tuple[str, ...], ...]
    checks: tuple[str, ...]
    sources: tuple[str, ...]


def read_outage(path: Path) -> OutageCase:
    """Read a case.

    raises  WrongUse  unreadable, not a case, a reference to nothing, or cycles other than those it says
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongUse("outage.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > CASE_BYTES_MAX:
        raise WrongUse("outage.too-long", f"{path} has {len(content)} bytes; a case has at most {CASE_BYTES_MAX}.")
    try:
        case = msgspec.json.decode(content, type=_Case)
    except msgspec.DecodeError as error:
        raise WrongUse("outage.refused", f"{path} is no case of an outage: {error}.") from error
    _refuse_wrong(path, case)
    text, estate = _as_estate(path, case)
    return OutageCase(
        id=case.id,
        title=case.title,
        t0=case.t0,
        text=text,
        estate=estate,
        timeline=case.timeline_min,
        up_by_min={one.id: one.up_by_min for one in case.services if one.up_by_min is not None},
        up_after_min={one.id: one.up_after_min for one in case.services if one.up_after_min is not None},
        unaffected=frozenset(one.id for one in case.services if one.unaffected),
        forecasts=case.published_forecasts,
        curve=case.recovery_curve,
        cycles=case.expected_cycles,
        checks=case.checks,
        sources=case.sources,
    )


def _refuse_wrong(path: Path, case: _Case) -> None:
    ids = {one.id for one in case.services}
    named = [one for edge in case.dependencies for one in edge]
    named += [user for limit in case.capacity for user in limit.used_by]
    wrong = next((one for one in named if one not in ids), None)
    if not ids or len(ids) < len(case.services) or len({one.resource for one in case.capacity}) < len(case.capacity):
        raise WrongUse("outage.refused", f"{path} must have services and capacities with an id of their own each.")
    if wrong is not None:
        raise WrongUse("outage.refused", f"{path} names {wrong!r}, which is none of its services.")
    found = strongly_connected(_needs(case))
    if found != sorted(sorted(members) for members in case.expected_cycles):
        expected = [list(members) for members in case.expected_cycles]
        raise WrongUse("outage.cycles", f"{path} expects the cycles {expected}; found {found}.")


def _needs(case: _Case) -> dict[str, list[str]]:
    needs: dict[str, list[str]] = {service.id: [] for service in case.services}
    for needing, needed in dict.fromkeys(case.dependencies):
        needs[needing].append(needed)
    return needs


def _as_estate(path: Path, case: _Case) -> tuple[str, Estate]:
    """Return the case as text and as what `load` makes of that text: there is one way into an Estate."""
    text = _as_text(case)
    with TemporaryDirectory(prefix="releve-outage-") as folder:
        file = Path(folder) / f"{path.stem}.toml"
        file.write_text(text, "utf-8")
        unproved = load_unproved(file)
        for demand in demanded_breaks(unproved.units):
            how = {
                "fr": "À la main, la première fois (proposé par Relève : l’étude de cas ne dit pas comment)",
                "en": "By hand, the first time (proposed by Relève: the case does not say how)",
            }
            text += "\n" + write_entry("break", {"unit": demand.unit, "without": demand.without, "how": how})
        file.write_text(text, "utf-8")
        return text, load(file)


def _as_text(case: _Case) -> str:
    durations = _durations(case)
    needs = _needs(case)
    parts = [
        write_remark(f"{case.title}. Made from a case of a public outage; durations are a reading, not a fact."),
        write_entry("[estate]", {"name": case.title}),
        write_entry(
            "site",
            {"id": "centre", "name": {"fr": "Centre d’hébergement", "en": "Hosting centre"}, "kind": "hosting"},
        ),
        write_entry("site", {"id": EVERYBODY, "name": {"fr": "Tous les utilisateurs", "en": "Everybody served"}}),
        write_entry("contact", {"id": "crew", "name": {"fr": "Équipe d’astreinte", "en": "Crew on call"}}),
    ]
    for limit in case.capacity:
        remarks = [limit.note] if limit.note else []
        parts.append(write_entry("capacity", {"id": limit.resource, "amount": limit.amount or 1}, remarks))
    for service in case.services:
        kind = _kind(service)
        fields: dict[str, Value | None] = {"id": service.id, "site": "centre", "tier": service.tier}
        fields["clinical"] = max(1, service.tier) if kind == SERVICE else None
        fields["needs"] = needs[service.id]
        fields["uses"] = {limit.resource: 1 for limit in case.capacity if service.id in limit.used_by} or None
        remarks = [service.note] if service.note else []
        duration = durations.get(service.id)
        if duration is not None:
            fields["duration"] = {"p50_s": duration.p50_s, "p90_s": duration.p90_s}
            if duration is ASSUMED:
                remarks.append("how long it took was not published: assumed")
            if kind not in (FEED, UPS):
                words = {"fr": f"Remettre en route : {service.id}", "en": f"Bring back: {service.id}"}
                fields["start"] = {"person": "crew", "do": words}
        parts.append(write_entry(kind, fields, remarks))
    return "\n".join(parts)


def _kind(service: _Service) -> str:
    words = service.id.lower().split("_")
    for kind, names in _KIND_WORDS:
        if service.tier <= 1 and any(name in words for name in names):
            return kind
    return UNIT if service.tier == 0 else SERVICE


def _durations(case: _Case) -> dict[str, Duration]:
    """Return how long each unit that went down is read to have taken once what it needs was back."""
    needs = _needs(case)
    by_id = {service.id: service for service in case.services}
    ready_min: dict[str, float] = {}
    durations: dict[str, Duration] = {}
    for name in _needed_first(needs):
        service = by_id[name]
        begun_min = max((ready_min.get(one, 0.0) for one in needs[name]), default=0.0)
        ready_min[name] = begun_min
        if service.unaffected:
            continue
        durations[name] = ASSUMED
        if service.up_by_min is not None:
            taken_s = max(_LEAST_S, (service.up_by_min - begun_min) * 60)
            durations[name] = Duration(max(_LEAST_S, taken_s / 2), taken_s)
            ready_min[name] = max(begun_min, service.up_by_min)
    return durations


def _needed_first(needs: Mapping[str, list[str]]) -> list[str]:
    """Return the units so that what is needed stands before what needs it, as far as cycles allow."""
    order: list[str] = []
    waiting = dict(needs)
    while waiting:
        ready = [name for name, of_name in waiting.items() if not any(one in waiting for one in of_name)]
        for name in ready or [next(iter(waiting))]:
            order.append(name)
            del waiting[name]
    return order
