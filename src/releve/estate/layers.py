"""The estate as boxes in rows: what a picture draws, before anybody thinks of ink.

    boxes(estate) → Box, Line       units alone, or same-shaped units as one box with a count
    rows(boxes, lines) → rows       by technical depth, what everything stands on first

Lines that another line already implies are left out: a record that needs a database that needs a storage needs no line
of its own to the storage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from releve.estate.cycles import strongly_connected
from releve.estate.model import Estate, Unit

#: More units than this are grouped: a person reads so many boxes on one page.
UNITS_ALONE_MAX = 70

#: A grouped picture has at most so many boxes.
BOXES_MAX = 48

LineKind = Literal["hard", "any", "soft", "start", "break"]
_STRENGTH: tuple[LineKind, ...] = ("break", "hard", "any", "start", "soft")
_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Box:
    """One unit, or several of the same kind that stand on the same kinds of things."""

    key: int
    units: tuple[Unit, ...]


class Line(NamedTuple):
    """Upper needs lower.

    hard   it cannot start before and falls with it
    any    one of several is enough
    soft   degraded without it
    start  needed to start only
    break  a hard need that a break point opens at the first start
    """

    upper: int
    lower: int
    kind: LineKind


def is_grouped(estate: Estate) -> bool:
    """Return whether a picture of it draws same-shaped units as one box."""
    return len(estate.units) > UNITS_ALONE_MAX


def boxes(estate: Estate) -> tuple[list[Box], list[Line]]:
    """Return the boxes of a picture and the lines between them."""
    units = list(estate.units.values())
    groups = _grouped(units) if is_grouped(estate) else [[unit] for unit in units]
    made = [Box(key, tuple(members)) for key, members in enumerate(groups)]
    box_of = {unit.id: box.key for box in made for unit in box.units}
    opened = {(point.unit, point.without) for point in estate.breaks}
    kinds: dict[tuple[int, int], LineKind] = {}
    for unit in units:
        for one, kind in _needs(unit, opened):
            pair = (box_of[unit.id], box_of[one])
            if pair[0] != pair[1] and (pair not in kinds or _STRENGTH.index(kind) < _STRENGTH.index(kinds[pair])):
                kinds[pair] = kind
    return made, _without_implied(made, [Line(*pair, kind) for pair, kind in kinds.items()])


def rows(made: list[Box], lines: list[Line]) -> list[list[int]]:
    """Return the keys of the boxes row by row, the deepest first, neighbours placed near what they stand on."""
    depth = _depths(made, lines)
    table: list[list[int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for box in made:
        table[depth[box.key]].append(box.key)
    below: dict[int, list[int]] = {box.key: [] for box in made}
    above: dict[int, list[int]] = {box.key: [] for box in made}
    for line in lines:
        below[line.upper].append(line.lower)
        above[line.lower].append(line.upper)
    for sweep in range(_SWEEPS):
        near = below if sweep % 2 == 0 else above
        place = {key: index / max(1, len(row)) for row in table for index, key in enumerate(row)}
        for row in table if sweep % 2 == 0 else reversed(table):
            middles = {
                key: sum(place[other] for other in near[key]) / len(near[key]) if near[key] else place[key]
                for key in row
            }
            row.sort(key=middles.__getitem__)
            place.update({key: index / max(1, len(row)) for index, key in enumerate(row)})
    return table


def around(estate: Estate, unit: str) -> Estate:
    """Return the part of an estate that a unit stands on and that stands on it."""
    down: dict[str, list[str]] = {one.id: list(_all_needs(one)) for one in estate.units.values()}
    up: dict[str, list[str]] = {name: [] for name in down}
    for name, needs in down.items():
        for one in needs:
            up[one].append(name)
    kept = _reached(unit, down) | _reached(unit, up) | {unit}
    part = {name: _only(one, kept) for name, one in estate.units.items() if name in kept}
    return replace(
        estate,
        units=part,
        breaks=tuple(one for one in estate.breaks if one.unit in kept and one.without in kept),
        stands_on=tuple(one for one in estate.stands_on if one in kept),
    )


def stem(name: str) -> str:
    """Return a name without its numbers: "Scanner 12" and "Scanner 7" are of one kind."""
    return re.sub(r"\d+", "#", name)


def _only(unit: Unit, kept: Collection[str]) -> Unit:
    def some(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in names if one in kept)

    return replace(
        unit,
        needs=some(unit.needs),
        needs_any=some(unit.needs_any),
        wants=some(unit.wants),
        start_needs=some(unit.start_needs),
    )


def _needs(unit: Unit, opened: Collection[tuple[str, str]]) -> list[tuple[str, LineKind]]:
    found: list[tuple[str, LineKind]] = []
    for names, kind in (
        (unit.needs, "hard"),
        (unit.needs_any, "any"),
        (unit.start_needs, "start"),
        (unit.wants, "soft"),
    ):
        for one in names:
            found.append((one, "break" if (unit.id, one) in opened else kind))  # type: ignore[arg-type]  # of a literal
    return found


def _all_needs(unit: Unit) -> tuple[str, ...]:
    return (*unit.needs, *unit.needs_any, *unit.start_needs, *unit.wants)


def _grouped(units: list[Unit]) -> list[list[Unit]]:
    """Return same-shaped units together: as finely told apart as BOXES_MAX allows.

    Begins with kind and rank and name without numbers, and then tells units apart by what they stand on, again and
    again, as long as there is room.
    """
    first: list[Callable[[Unit], object]] = [
        lambda unit: (unit.kind, unit.tier, stem(unit.name.fr)),
        lambda unit: (unit.kind, unit.tier, unit.site),
        lambda unit: (unit.kind, unit.tier),
    ]
    colours: dict[str, int] = {}
    for key in first:
        colours = _numbered({unit.id: key(unit) for unit in units})
        if len(set(colours.values())) <= BOXES_MAX:
            break
    while True:
        finer = _numbered(
            {unit.id: (colours[unit.id], frozenset(colours[one] for one in _all_needs(unit))) for unit in units}
        )
        if not len(set(colours.values())) < len(set(finer.values())) <= BOXES_MAX:
            break
        colours = finer
    groups: dict[int, list[Unit]] = {}
    for unit in units:
        groups.setdefault(colours[unit.id], []).append(unit)
    return list(groups.values())


def _numbered(keys: Mapping[str, object]) -> dict[str, int]:
    numbers: dict[object, int] = {}
    return {name: numbers.setdefault(key, len(numbers)) for name, key in keys.items()}


def _depths(made: list[Box], lines: list[Line]) -> dict[int, int]:
    """Return how far each box stands above the ground; boxes that wait for each other share a row."""
    needs: dict[str, list[str]] = {str(box.key): [] for box in made}
    for line in lines:
        if line.kind != "break":
            needs[str(line.upper)].append(str(line.lower))
    circle = {name: members[0] for members in strongly_connected(needs) for name in members}
    depth: dict[str, int] = {}

    def of(name: str) -> int:
        head = circle.get(name, name)
        if head not in depth:
            depth[head] = 0
            members = [one for one in needs if circle.get(one, one) == head]
            outside = {one for member in members for one in needs[member] if circle.get(one, one) != head}
            depth[head] = max((of(one) + 1 for one in outside), default=0)
        return depth[head]

    return {box.key: of(str(box.key)) for box in made}


def _without_implied(made: list[Box], lines: list[Line]) -> list[Line]:
    """Leave out the lines to what is reached by another way of at least the same strength."""
    direct: dict[str, list[str]] = {str(box.key): [] for box in made}
    any_of: dict[str, set[str]] = {str(box.key): set() for box in made}
    for line in lines:
        if line.kind == "hard":
            direct[str(line.upper)].append(str(line.lower))
        elif line.kind == "any":
            any_of[str(line.upper)].add(str(line.lower))
    reach = {name: _reached(name, direct) for name in direct}
    kept = []
    for line in lines:
        upper, lower = str(line.upper), str(line.lower)
        others = [one for one in direct[upper] if one != lower and upper not in reach[one]]
        if line.kind in ("hard", "start", "soft") and any(lower in reach[one] for one in others):
            continue
        if line.kind == "any" and any(any_of[upper] <= any_of[one] for one in reach[upper] - {upper}):
            continue
        kept.append(line)
    return kept


def _reached(start: str, needs: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        for one in needs[todo.pop()]:
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return seen
