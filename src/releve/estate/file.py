"""The estate file: TOML that a person writes, read once into a frozen Estate, or refused by file and line.

    include = ["power.toml", "hospitals/*.toml"]   more files, each read once
    [estate]    name, zone
    [restart]   at_once                       how many starts may run at the same time
    [recovery]  stands_on                     units that whoever restarts needs itself
    [forecast]  day_spread, failure_share, repair_s
    [battery]   when what runs on battery is stopped: see battery
    [[site]]    id, name, kind = "hospital" | "hosting", emergency
    [[room]]    id, name, site
    [[contact]] id, name, phone, email, role
    [[capacity]] id, name, amount, shifts = [{days = "mon-fri", from = "08:00", until = "18:00", amount = 6}]
    [[feed]] [[ups]] [[network]] [[storage]] [[host]] [[unit]] [[service]]    see model.Unit; they differ in kind only
    [[break]]   unit, without, how            the way out of a cycle

A name is a text, or {fr = "…", en = "…"}. A cycle that no break point opens is refused by naming its members in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from releve.errors import WrongUse
from releve.estate.battery import parse_battery
from releve.estate.command import parse_name
from releve.estate.cycles import demanded_breaks, name_a_cycle
from releve.estate.entries import (
    AT_ONCE,
    Known,
    by_id,
    parse_belief,
    parse_break,
    parse_capacity,
    parse_contact,
    parse_room,
    parse_site,
    parse_unit,
    positive_count,
)
from releve.estate.model import KINDS, Bilingual, Capacity, Estate, Unit
from releve.wire.toml import Table, read_toml

#: More units than the largest hospital group has; a file above it is a mistake of whatever wrote it.
UNITS_MAX = 20_000

#: One file for each hospital and some for the centre; above it a pattern has caught what it should not.
FILES_MAX = 500

#: Tables that stand in one file only.
_ONCE = ("estate", "restart", "recovery", "forecast", "battery")
_SECTIONS = ("site", "room", "contact", "capacity", "break", *KINDS)


def load(path: Path) -> Estate:
    """Read an estate file and those it includes.

    raises  WrongUse  unreadable, unknown keys, a reference to nothing, a demand above its capacity, a cycle that no
                      break point opens: the sentence names file and line
    """
    estate, tables = _read(path)
    for unit in estate.units.values():
        for capacity, amount in unit.uses.items():
            most = amount_max(estate.capacities[capacity])
            if amount > most:
                tables[unit.id].refuse(
                    "uses", f"takes {amount} of {capacity!r}, which has {most}: it could never start"
                )
    _refuse_cycle(estate)
    return estate


def load_unproved(path: Path) -> Estate:
    """Read an estate file whose cycles and demands `findings` will tell; everything else is refused as in load."""
    return _read(path)[0]


def amount_max(capacity: Capacity) -> int:
    """Return the most that there is of a capacity at any hour."""
    return max(capacity.amount, *(shift.amount for shift in capacity.shifts), 0)


def _read(path: Path) -> tuple[Estate, Mapping[str, Table]]:
    """Return the estate, and the table of each unit."""
    files = _files(path)
    once = {key: _only_one(files, key) for key in _ONCE}
    sections = {key: [table for top in files for table in top.tables(key)] for key in _SECTIONS}
    units_count = sum(len(sections[kind]) for kind in KINDS)
    if units_count > UNITS_MAX:
        files[0].refuse(None, f"{path} has {units_count} units; at most {UNITS_MAX} are read")
    if not units_count:
        raise WrongUse("estate.empty", f"{path} names nothing to start; write at least one [[service]].")
    known = Known(sites=by_id(sections["site"], parse_site), contacts=by_id(sections["contact"], parse_contact))
    known.rooms = by_id(sections["room"], partial(parse_room, known=known))
    known.capacities = by_id(sections["capacity"], parse_capacity) | _at_once(once["restart"])
    kinds = {id(table): kind for kind in KINDS for table in sections[kind]}
    tables = [table for kind in KINDS for table in sections[kind]]
    known.unit_ids = frozenset(table.text("id") for table in tables)
    units = by_id(tables, lambda table: parse_unit(table, kinds[id(table)], known))
    head = once["estate"]
    head.only("name", "zone")
    estate = Estate(
        name=parse_name(head, "name") if "name" in head else Bilingual(path.stem, path.stem),
        zone=head.text("zone", "Europe/Paris"),
        sites=MappingProxyType(known.sites),
        capacities=MappingProxyType(known.capacities),
        units=MappingProxyType(units),
        belief=parse_belief(once["forecast"]),
        battery=parse_battery(once["battery"], known.unit_ids),
        rooms=MappingProxyType(known.rooms),
        contacts=MappingProxyType(known.contacts),
        breaks=tuple(parse_break(table, units) for table in sections["break"]),
        stands_on=_stands_on(once["recovery"], units),
        files=tuple(str(top.path) for top in files),
    )
    return estate, {table.text("id"): table for table in tables}


def _files(path: Path) -> list[Table]:
    """Return the file and those it includes, each once, in the order in which they are named."""
    read: dict[Path, Table] = {}

    def include(file: Path, chain: tuple[Path, ...]) -> None:
        resolved = file.resolve()
        if resolved in read:
            return
        if len(read) >= FILES_MAX:
            raise WrongUse("estate.files", f"{path} includes more than {FILES_MAX} files; name fewer.")
        read[resolved] = top = read_toml(file)
        top.only("include", *_ONCE, *_SECTIONS)
        for pattern in top.texts("include", []):
            for found in _matches(top, file, pattern):
                if found.resolve() in (*chain, resolved):
                    top.refuse("include", f"names {pattern!r}, which includes this file again: a circle of files")
                include(found, (*chain, resolved))

    include(path, ())
    return list(read.values())


def _matches(top: Table, file: Path, pattern: str) -> list[Path]:
    """Return the files of a pattern, which lie in the folder of the file that names it or below."""
    if not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        top.refuse("include", f"must lie beside or below this file, such as hospitals/*.toml; found {pattern!r}")
    if not any(letter in pattern for letter in "*?["):
        if not (file.parent / pattern).is_file():
            top.refuse("include", f"names {pattern!r}, which is not there")
        return [file.parent / pattern]
    found = sorted(one for one in file.parent.glob(pattern) if one.is_file())
    if not found:
        top.refuse("include", f"names {pattern!r}, and no file is called so")
    return found


def _only_one(files: list[Table], key: str) -> Table:
    holders = [top for top in files if key in top]
    if len(holders) > 1:
        holders[1].refuse(key, f"stands in {holders[0].path} already; write it in one file")
    return (holders or files)[0].table(key)


def _at_once(restart: Table) -> dict[str, Capacity]:
    restart.only("at_once")
    if "at_once" not in restart:
        return {}
    amount = positive_count(restart, "at_once", None)
    return {AT_ONCE: Capacity(AT_ONCE, Bilingual("démarrages à la fois", "starts at once"), amount)}


def _stands_on(recovery: Table, units: Mapping[str, Unit]) -> tuple[str, ...]:
    recovery.only("stands_on")
    names = recovery.texts("stands_on", [])
    for name in names:
        if name not in units:
            recovery.refuse("stands_on", f"names {name!r}, which is no unit of this estate")
    return tuple(dict.fromkeys(names))


def _refuse_cycle(estate: Estate) -> None:
    walk = name_a_cycle(estate.units, estate.breaks)
    if walk is None:
        return
    first = estate.units[walk[0]]
    proposal = demanded_breaks(estate.units, estate.breaks)[0]
    way = (
        f'Declare the way out: [[break]] with unit = "{proposal.unit}", without = "{proposal.without}" and how it can '
        "come up once without it"
        if proposal.unit
        else "Write one of the choices (needs_any) as a need, and declare a [[break]] for it"
    )
    raise WrongUse(
        "estate.cycle",
        f"{first.file}, line {first.line}: {' needs '.join(walk)}. None of them can start first; nothing was started. "
        f"{way}; or make one of these needs soft (wants).",
    )
