"""The estate file: one TOML that a person writes, read once into a frozen Estate, or refused by line.

    [estate]    name, zone
    [restart]   at_once                       how many starts may run at the same time
    [forecast]  day_spread, failure_share, repair_s
    [[site]]    id, name, kind = "hospital" | "hosting", emergency
    [[capacity]] id, name, amount
    [[feed]] [[unit]] [[service]]             see model.Unit; the three differ in kind only

A name is a text, or {fr = "…", en = "…"}. Cycles are refused here, by naming their members in order.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

from releve.errors import WrongUse
from releve.estate.cycles import name_a_cycle
from releve.estate.model import (
    FEED,
    PROBE_SCHEMES,
    SERVICE,
    UNIT,
    Belief,
    Bilingual,
    Capacity,
    Command,
    Duration,
    Estate,
    Site,
    Unit,
)
from releve.wire.toml import Table, read_toml

#: Every start uses one of this capacity when [restart] at_once is given.
AT_ONCE = "at_once"

#: More units than the largest hospital group has; a file above it is a mistake of whatever wrote it.
UNITS_MAX = 20_000

#: Tries of a start before it is called failed: a second one is cheap, a tenth hides the failure from people.
TRIES = 2

TIER_MAX = 4

_Thing = TypeVar("_Thing", Site, Capacity, Unit)

_SITE_KINDS = ("hospital", "hosting")
_UNIT_KEYS = (
    "id",
    "name",
    "site",
    "tier",
    "clinical",
    "hospitals",
    "needs",
    "needs_any",
    "wants",
    "start_needs",
    "uses",
    "duration",
    "start",
    "stop",
    "probe",
    "probe_timeout_s",
    "up_within_s",
    "tries",
)


def load(path: Path) -> Estate:
    """Read an estate file.

    raises  WrongUse  unreadable, unknown keys, a reference to nothing, a demand above its capacity, a cycle: the
                      sentence names the line
    """
    top = read_toml(path)
    top.only("estate", "restart", "forecast", "site", "capacity", "feed", "unit", "service")
    head = top.table("estate")
    head.only("name", "zone")
    sites = _by_id([(table, _site(table)) for table in top.tables("site")])
    capacities = _by_id([(table, _capacity(table)) for table in top.tables("capacity")])
    restart = top.table("restart")
    restart.only("at_once")
    at_once = _positive_count(restart, "at_once", 0) if "at_once" in restart else None
    if at_once is not None:
        capacities[AT_ONCE] = Capacity(AT_ONCE, Bilingual("démarrages à la fois", "starts at once"), at_once)
    tables = [(table, kind) for kind in (FEED, UNIT, SERVICE) for table in top.tables(kind)]
    if len(tables) > UNITS_MAX:
        top.refuse(None, f"{path} has {len(tables)} units; at most {UNITS_MAX} are read")
    known = {table.text("id") for table, _ in tables}
    units = _by_id([(table, _unit(table, kind, sites, capacities, known)) for table, kind in tables])
    if not units:
        raise WrongUse("estate.empty", f"{path} names nothing to start; write at least one [[service]].")
    _refuse_cycle(path, units)
    return Estate(
        name=_name(head) if "name" in head else Bilingual(path.stem, path.stem),
        zone=head.text("zone", "Europe/Paris"),
        sites=MappingProxyType(sites),
        capacities=MappingProxyType(capacities),
        units=MappingProxyType(units),
        belief=_belief(top.table("forecast")),
    )


def _refuse_cycle(path: Path, units: dict[str, Unit]) -> None:
    walk = name_a_cycle(units)
    if walk is not None:
        raise WrongUse(
            "estate.cycle",
            f"{path}, line {units[walk[0]].line}: {' needs '.join(walk)}. None of them can start first; nothing was "
            "started. Take one of these needs away, or make it soft (wants).",
        )


def _by_id(rows: list[tuple[Table, _Thing]]) -> dict[str, _Thing]:
    things: dict[str, _Thing] = {}
    for table, thing in rows:
        if thing.id in things:
            table.refuse("id", f"must be given once; {thing.id!r} stands in the file before")
        things[thing.id] = thing
    return things


def _name(table: Table) -> Bilingual:
    if not table.holds_table("name"):
        text = table.text("name")
        return Bilingual(text, text)
    both = table.table("name")
    both.only("fr", "en")
    return Bilingual(both.text("fr"), both.text("en"))


def _id(table: Table) -> str:
    identity = table.text("id")
    if not identity or any(letter.isspace() for letter in identity):
        table.refuse("id", f"must be a short name without spaces, such as dns; found {identity!r}")
    return identity


def _site(table: Table) -> Site:
    table.only("id", "name", "kind", "emergency")
    kind = table.text("kind", "hospital")
    if kind not in _SITE_KINDS:
        table.refuse("kind", f"must be one of {', '.join(_SITE_KINDS)}; found {kind!r}")
    return Site(_id(table), _name(table), kind == "hospital", table.flag("emergency", False))


def _capacity(table: Table) -> Capacity:
    table.only("id", "name", "amount")
    identity = _id(table)
    if identity == AT_ONCE:
        table.refuse("id", f"is taken: {AT_ONCE!r} is what [restart] at_once sets")
    name = _name(table) if "name" in table else Bilingual(identity, identity)
    return Capacity(identity, name, _positive_count(table, "amount", None))


def _unit(table: Table, kind: str, sites: dict[str, Site], capacities: dict[str, Capacity], known: set[str]) -> Unit:
    table.only(*_UNIT_KEYS)
    identity = _id(table)
    start = _command(table, "start")
    duration = _duration(table)
    needs, wants = _needs(table, "needs", identity, known), _needs(table, "wants", identity, known)
    site = table.text("site", next(iter(sites), ""))
    if sites and site not in sites:
        table.refuse("site", f"must be a [[site]] of this file; found {site!r}")
    return Unit(
        id=identity,
        name=_name(table) if "name" in table else Bilingual(identity, identity),
        kind=kind,
        site=site,
        tier=_tier(table, 0 if kind != SERVICE else 1),
        clinical=_positive_count(table, "clinical", 9),
        hospitals=_hospitals(table, kind, sites),
        needs=needs,
        needs_any=_needs(table, "needs_any", identity, known),
        wants=wants,
        start_needs=_needs(table, "start_needs", identity, known),
        uses=MappingProxyType(_uses(table, capacities, start is not None)),
        duration=duration,
        start=start,
        stop=_command(table, "stop"),
        probe=_probe(table),
        probe_timeout_s=_positive(table, "probe_timeout_s", 3.0),
        up_within_s=_positive(table, "up_within_s", max(30.0, 3 * duration.p90_s) if duration else 300.0),
        tries=_positive_count(table, "tries", TRIES),
        line=table.line("id"),
    )


def _needs(table: Table, key: str, identity: str, known: set[str]) -> tuple[str, ...]:
    names = table.texts(key, [])
    for name in names:
        if name not in known:
            table.refuse(key, f"names {name!r}, which is no [[feed]], [[unit]] or [[service]] of this file")
        if name == identity:
            table.refuse(key, f"names {name!r} itself; {name} needs {name} can never start")
    return tuple(dict.fromkeys(names))


def _hospitals(table: Table, kind: str, sites: dict[str, Site]) -> tuple[str, ...]:
    """Return the hospitals served: as named, or all of them for a service that names none."""
    every = tuple(site.id for site in sites.values() if site.is_hospital)
    if "hospitals" not in table:
        return every if kind == SERVICE else ()
    names = table.texts("hospitals")
    for name in names:
        if name not in every:
            table.refuse("hospitals", f'names {name!r}, which is no [[site]] with kind = "hospital"')
    return tuple(dict.fromkeys(names))


def _uses(table: Table, capacities: dict[str, Capacity], is_started: bool) -> dict[str, int]:
    amounts = table.table("uses")
    uses = {key: amounts.count(key) for key in amounts.keys()}  # noqa: SIM118 - a Table is no mapping
    for key, amount in uses.items():
        if key not in capacities or key == AT_ONCE:
            table.refuse("uses", f"names {key!r}, which is no [[capacity]] of this file")
        if not 0 < amount <= capacities[key].amount:
            table.refuse("uses", f"takes {amount} of {key!r}, which has {capacities[key].amount}: it could never start")
    if is_started and AT_ONCE in capacities:
        uses[AT_ONCE] = 1
    return uses


def _duration(table: Table) -> Duration | None:
    if "duration" not in table:
        return None
    inner = table.table("duration")
    inner.only("p50_s", "p90_s")
    p50_s, p90_s = inner.number("p50_s"), inner.number("p90_s")
    if not 0 < p50_s <= p90_s:
        table.refuse("duration", f"must have 0 < p50_s <= p90_s; found {p50_s:g} and {p90_s:g}")
    return Duration(p50_s, p90_s)


def _command(table: Table, key: str) -> Command | None:
    if key not in table:
        return None
    inner = table.table(key)
    inner.only("command", "stays", "log", "timeout_s")
    argv = inner.texts("command")
    if not argv or not argv[0]:
        table.refuse(key, 'must have command = ["program", "argument", …]; found an empty one')
    if key == "stop" and inner.flag("stays", False):
        table.refuse(key, "cannot stay: a program that stops something ends")
    log = inner.text("log") if "log" in inner else None
    return Command(tuple(argv), inner.flag("stays", False), log, _positive(inner, "timeout_s", 60.0))


def _probe(table: Table) -> str | None:
    if "probe" not in table:
        return None
    url = table.text("probe")
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in PROBE_SCHEMES:
        table.refuse("probe", f"must begin with one of {', '.join(PROBE_SCHEMES)} and a colon; found {url!r}")
    if scheme == "command":
        if not rest.strip():
            table.refuse("probe", 'must name a program, such as "command:/usr/bin/systemctl is-active slapd"')
        return url
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    if not has_host:
        table.refuse("probe", f"must be {scheme}://HOST:PORT…; found {url!r}")
    return url


def _belief(table: Table) -> Belief:
    table.only("day_spread", "failure_share", "repair_s")
    default = Belief()
    share = table.number("failure_share", default.failure_share)
    if not 0 <= share < 1:
        table.refuse("failure_share", f"must lie between 0 and 1; found {share:g}")
    return Belief(
        day_spread=_positive(table, "day_spread", default.day_spread),
        failure_share=share,
        repair_s=_positive(table, "repair_s", 1.0) if "repair_s" in table else default.repair_s,
    )


def _tier(table: Table, default: int) -> int:
    tier = table.count("tier", default)
    if not 0 <= tier <= TIER_MAX:
        table.refuse("tier", f"must be 0 (base) to {TIER_MAX} (last); found {tier}")
    return tier


def _positive(table: Table, key: str, default: float) -> float:
    value = table.number(key, default)
    if value <= 0:
        table.refuse(key, f"must be more than 0; found {value:g}")
    return value


def _positive_count(table: Table, key: str, default: int | None) -> int:
    value = table.count(key, default)
    if value < 1:
        table.refuse(key, f"must be 1 or more; found {value}")
    return value
