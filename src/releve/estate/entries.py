"""The entries of an estate file, one by one: sites, rooms, contacts, capacities, units, break points.

An entry is read by itself; what it names elsewhere is looked up in a Known, and refused by line when it is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from releve.estate.command import parse_command, parse_duration, parse_name, parse_positive, parse_probe
from releve.estate.model import (
    SERVICE,
    Belief,
    Bilingual,
    BreakPoint,
    Capacity,
    Command,
    Contact,
    Room,
    Shift,
    Site,
    Unit,
)
from releve.wire.toml import Table

#: Every start uses one of this capacity when [restart] at_once is given.
AT_ONCE = "at_once"

#: Tries of a start before it is called failed: a second one is cheap, a tenth hides the failure from people.
TRIES = 2

TIER_MAX = 4

#: Days and names of the week, as they are written.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY_S = 86_400
_SITE_KINDS = ("hospital", "hosting")
#: What may be written of a unit.
UNIT_KEYS = (
    "id",
    "name",
    "site",
    "room",
    "owner",
    "tier",
    "clinical",
    "hospitals",
    "needs",
    "needs_any",
    "wants",
    "start_needs",
    "uses",
    "duration",
    "stop_duration",
    "check_duration",
    "release_duration",
    "start",
    "stop",
    "check",
    "probe",
    "probe_timeout_s",
    "up_within_s",
    "tries",
    "repair",
    "release",
    "released_by_hospital",
    "wave",
)

_Thing = TypeVar("_Thing", Site, Room, Contact, Capacity, Unit)


@dataclass
class Known:
    """What an entry may name: filled by the file's reader, in the order in which things name each other."""

    sites: dict[str, Site] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    capacities: dict[str, Capacity] = field(default_factory=dict)
    unit_ids: frozenset[str] = frozenset()


def by_id(tables: list[Table], parse: Callable[[Table], _Thing]) -> dict[str, _Thing]:
    """Return the parsed tables by id; an id given twice is refused."""
    things: dict[str, _Thing] = {}
    for table in tables:
        thing = parse(table)
        if thing.id in things:
            table.refuse("id", f"must be given once; {thing.id!r} stands in the file before")
        things[thing.id] = thing
    return things


def parse_site(table: Table) -> Site:
    """Return a site."""
    table.only("id", "name", "kind", "emergency", "beds")
    kind = table.text("kind", "hospital")
    if kind not in _SITE_KINDS:
        table.refuse("kind", f"must be one of {', '.join(_SITE_KINDS)}; found {kind!r}")
    beds = table.count("beds", 0)
    if beds < 0:
        table.refuse("beds", f"must be 0 or more; found {beds}")
    name = parse_name(table, "name")
    return Site(_id(table), name, kind == "hospital", table.flag("emergency", False), beds)


def parse_room(table: Table, known: Known) -> Room:
    """Return a room of a site."""
    table.only("id", "name", "site")
    site = _one_of(table, "site", known.sites, "[[site]]", next(iter(known.sites), ""))
    return Room(_id(table), _name_or_id(table), site)


def parse_contact(table: Table) -> Contact:
    """Return a person or a duty desk."""
    table.only("id", "name", "phone", "email", "role")
    name = _name_or_id(table)
    return Contact(_id(table), name, table.text("phone", ""), table.text("email", ""), table.text("role", ""))


def parse_capacity(table: Table) -> Capacity:
    """Return a capacity with the hours in which it has another amount."""
    table.only("id", "name", "amount", "shifts")
    identity = _id(table)
    if identity == AT_ONCE:
        table.refuse("id", f"is taken: {AT_ONCE!r} is what [restart] at_once sets")
    shifts = tuple(part for inner in table.tables("shifts") for part in _shifts(inner))
    amount = table.count("amount")
    if amount < 0 or not any((amount, *(shift.amount for shift in shifts))):
        table.refuse("amount", f"must be 1 or more; found {amount}" if not shifts else "must be above 0 at some hour")
    return Capacity(identity, _name_or_id(table), amount, shifts)


def parse_unit(table: Table, kind: str, known: Known) -> Unit:
    """Return a unit; what it demands of a capacity is not compared with the amount here."""
    table.only(*UNIT_KEYS)
    identity = _id(table)
    start = _command(table, "start", known)
    duration = parse_duration(table, "duration")
    room = _one_of(table, "room", known.rooms, "[[room]]", "")
    site = known.rooms[room].site if room and "site" not in table else next(iter(known.sites), "")
    return Unit(
        id=identity,
        name=_name_or_id(table),
        kind=kind,
        site=_one_of(table, "site", known.sites, "[[site]]", site),
        tier=_tier(table, 0 if kind != SERVICE else 1),
        clinical=positive_count(table, "clinical", 9),
        hospitals=_hospitals(table, kind, known.sites),
        needs=_needs(table, "needs", identity, known),
        needs_any=_needs(table, "needs_any", identity, known),
        wants=_needs(table, "wants", identity, known),
        start_needs=_needs(table, "start_needs", identity, known),
        uses=MappingProxyType(_uses(table, known.capacities, start is not None)),
        duration=duration,
        start=start,
        stop=_command(table, "stop", known),
        probe=parse_probe(table),
        probe_timeout_s=parse_positive(table, "probe_timeout_s", 3.0),
        up_within_s=parse_positive(table, "up_within_s", max(30.0, 3 * duration.p90_s) if duration else 300.0),
        tries=positive_count(table, "tries", TRIES),
        line=table.line("id"),
        file=str(table.path),
        room=room,
        owner=_one_of(table, "owner", known.contacts, "[[contact]]", ""),
        check=_command(table, "check", known),
        release=_one_of(table, "release", known.contacts, "[[contact]]", ""),
        released_by_hospital=_by_hospital(table),
        wave=_wave(table),
        stop_duration=parse_duration(table, "stop_duration"),
        check_duration=parse_duration(table, "check_duration"),
        release_duration=parse_duration(table, "release_duration"),
        repair=parse_name(table, "repair") if "repair" in table else None,
    )


def parse_break(table: Table, units: Mapping[str, Unit]) -> BreakPoint:
    """Return a break point; it must take away a need that is there."""
    table.only("unit", "without", "how")
    unit, without = table.text("unit"), table.text("without")
    if unit not in units:
        table.refuse("unit", f"names {unit!r}, which is no unit of this estate")
    if without not in units[unit].hard():
        needs = ", ".join(units[unit].hard()) or "nothing"
        table.refuse("without", f"must be one of what {unit!r} needs or start_needs ({needs}); found {without!r}")
    return BreakPoint(unit, without, parse_name(table, "how") if "how" in table else Bilingual("", ""))


def parse_belief(table: Table) -> Belief:
    """Return what a forecast takes for granted at first."""
    table.only("day_spread", "failure_share", "repair_s")
    default = Belief()
    share = table.number("failure_share", default.failure_share)
    if not 0 <= share < 1:
        table.refuse("failure_share", f"must lie between 0 and 1; found {share:g}")
    return Belief(
        day_spread=parse_positive(table, "day_spread", default.day_spread),
        failure_share=share,
        repair_s=parse_positive(table, "repair_s", 1.0) if "repair_s" in table else default.repair_s,
    )


def positive_count(table: Table, key: str, default: int | None) -> int:
    """Return a whole number from 1."""
    value = table.count(key, default)
    if value < 1:
        table.refuse(key, f"must be 1 or more; found {value}")
    return value


def _id(table: Table) -> str:
    identity = table.text("id")
    if not identity or any(letter.isspace() for letter in identity):
        table.refuse("id", f"must be a short name without spaces, such as dns; found {identity!r}")
    return identity


def _name_or_id(table: Table) -> Bilingual:
    if "name" in table:
        return parse_name(table, "name")
    identity = _id(table)
    return Bilingual(identity, identity)


def _one_of(table: Table, key: str, known: Mapping[str, object], section: str, default: str) -> str:
    name = table.text(key, default)
    if name not in known and (key in table or (name and known)):
        table.refuse(key, f"must be a {section} of this estate; found {name!r}")
    return name


def _command(table: Table, key: str, known: Known) -> Command | None:
    command = parse_command(table, key)
    if command is not None and command.driver == "person" and command.address not in known.contacts:
        table.refuse(key, f"must name a [[contact]] of this estate; found person = {command.address!r}")
    return command


def _needs(table: Table, key: str, identity: str, known: Known) -> tuple[str, ...]:
    names = table.texts(key, [])
    for name in names:
        if name not in known.unit_ids:
            table.refuse(key, f"names {name!r}, which is no unit of this estate")
        if name == identity:
            table.refuse(key, f"names {name!r} itself; {name} needs {name} can never start")
    return tuple(dict.fromkeys(names))


def _hospitals(table: Table, kind: str, sites: Mapping[str, Site]) -> tuple[str, ...]:
    """Return the hospitals served: as named, or all of them for a service that names none."""
    if "hospitals" not in table:
        return tuple(site.id for site in sites.values() if site.is_hospital) if kind == SERVICE else ()
    names = table.texts("hospitals")
    for name in names:
        if name not in sites or not sites[name].is_hospital:
            table.refuse("hospitals", f'names {name!r}, which is no [[site]] with kind = "hospital"')
    return tuple(dict.fromkeys(names))


def _uses(table: Table, capacities: Mapping[str, Capacity], is_started: bool) -> dict[str, int]:
    amounts = table.table("uses")
    uses = {key: amounts.count(key) for key in amounts.keys()}  # noqa: SIM118 - a Table is no mapping
    for key, amount in uses.items():
        if key not in capacities or key == AT_ONCE:
            table.refuse("uses", f"names {key!r}, which is no [[capacity]] of this estate")
        if amount < 1:
            table.refuse("uses", f"takes {amount} of {key!r}; must be 1 or more")
    if is_started and AT_ONCE in capacities:
        uses[AT_ONCE] = 1
    return uses


def _tier(table: Table, default: int) -> int:
    tier = table.count("tier", default)
    if not 0 <= tier <= TIER_MAX:
        table.refuse("tier", f"must be 0 (base) to {TIER_MAX} (last); found {tier}")
    return tier


def _by_hospital(table: Table) -> bool:
    is_by_hospital = table.flag("released_by_hospital", False)
    if is_by_hospital and "release" not in table:
        table.refuse("released_by_hospital", "has no meaning without release = CONTACT, who releases where none does")
    return is_by_hospital


def _wave(table: Table) -> int:
    wave = table.count("wave", 0)
    if wave < 0:
        table.refuse("wave", f"must be 0 (all at once) or how many hospitals at a time; found {wave}")
    return wave


def _shifts(table: Table) -> tuple[Shift, ...]:
    """Return one shift, or two when it goes over midnight."""
    table.only("days", "from", "until", "amount")
    days = _days(table)
    from_s, until_s = _time_s(table, "from"), _time_s(table, "until")
    amount = table.count("amount")
    if amount < 0:
        table.refuse("amount", f"must be 0 or more; found {amount}")
    if from_s in (until_s, _DAY_S):
        table.refuse("until", "must be another time than from, and from must lie before 24:00")
    if from_s < until_s:
        return (Shift(days, from_s, until_s, amount),)
    evening = Shift(days, from_s, _DAY_S, amount)
    return (evening, Shift(frozenset((day + 1) % 7 for day in days), 0, until_s, amount)) if until_s else (evening,)


def _days(table: Table) -> frozenset[int]:
    """Return the days of "mon-fri", "sat,sun", "fri-mon", "every"; every day when nothing is said."""
    text = table.text("days", "every").replace(" ", "").lower()
    if text == "every":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            table.refuse("days", f'must be such as "mon-fri", "sat,sun" or "every"; found {text!r}')
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)


def _time_s(table: Table, key: str) -> int:
    text = table.text(key)
    found = re.fullmatch(r"(\d\d):(\d\d)", text)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 if found and int(found[2]) < 60 else -1
    if not 0 <= seconds <= _DAY_S:
        table.refuse(key, f'must be a time such as "08:00", at most "24:00"; found {text!r}')
    return seconds
