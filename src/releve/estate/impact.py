"""What falls if this falls: the question that is asked first, and that inventories refuse to answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from releve.errors import WrongUse
from releve.estate.model import SERVICE, Estate


@dataclass(frozen=True, slots=True)
class Impact:
    """What a fall takes with it.

    fell       what fell first, as asked
    falls      unit id → the id it falls with, nearest first; those that fell first are not in it
    degraded   unit id → what it wants and no longer has
    hospitals  hospital id → services it loses, in the order in which care wants them back
    held       unit id → what it needs to start and no longer has: it goes on, but must not be stopped now
    """

    fell: tuple[str, ...]
    falls: Mapping[str, str]
    degraded: Mapping[str, tuple[str, ...]]
    hospitals: Mapping[str, tuple[str, ...]]
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def impact(estate: Estate, fell: Iterable[str]) -> Impact:
    """Return what falls when these units fall; an unknown id is our mistake.

    A unit falls with anything it needs, and with the last of those of which one is enough. What is needed only to
    start takes nobody down.
    """
    first = tuple(dict.fromkeys(fell))
    assert all(one in estate.units for one in first), f"unknown unit among {first}"
    place = {name: number for number, name in enumerate(estate.units)}
    users = _users(estate)
    down = dict.fromkeys(first, "")
    edge: Iterable[str] = first
    while edge:
        new: dict[str, str] = {}
        for name in sorted({user for one in edge for user in users[one] if user not in down}, key=place.__getitem__):
            unit = estate.units[name]
            cause = next((one for one in unit.needs if one in down), None)
            if cause is None and unit.needs_any and all(one in down for one in unit.needs_any):
                cause = unit.needs_any[-1]
            if cause is not None:
                new[name] = cause
        down.update(new)
        edge = tuple(new)
    up = [unit for name, unit in estate.units.items() if name not in down]
    lost = [unit for unit in estate.services() if unit.kind == SERVICE and unit.id in down]
    return Impact(
        fell=first,
        falls={name: cause for name, cause in down.items() if cause},
        degraded={
            unit.id: missing
            for unit in up
            if (missing := tuple(one for one in (*unit.wants, *unit.needs_any) if one in down))
        },
        hospitals={
            site.id: services
            for site in estate.hospitals()
            if (services := tuple(unit.id for unit in lost if site.id in unit.hospitals))
        },
        held={unit.id: missing for unit in up if (missing := tuple(one for one in unit.start_needs if one in down))},
    )


def what_fell(estate: Estate, words: Sequence[str]) -> tuple[str, ...]:
    """Return the units that people name: an id, or room:ID and site:ID for everything that stands there.

    raises  WrongUse  a word that names nothing, with the nearest that does
    """
    found: list[str] = []
    for word in words:
        place, _, identity = word.partition(":")
        if word in estate.units:
            found.append(word)
        elif place == "room" and identity in estate.rooms:
            found += [unit.id for unit in estate.units.values() if unit.room == identity]
        elif place == "site" and identity in estate.sites:
            found += [unit.id for unit in estate.units.values() if unit.site == identity]
        else:
            names = [
                *estate.units,
                *(f"room:{room}" for room in estate.rooms),
                *(f"site:{one}" for one in estate.sites),
            ]
            near = get_close_matches(word, names, n=3)
            raise WrongUse(
                "impact.unknown",
                f"{word!r} is no unit, room:ID or site:ID of this estate"
                + (f"; near to it: {', '.join(near)}." if near else f"; it has {len(estate.units)} units."),
            )
    if not found:
        raise WrongUse("impact.empty", f"Nothing of this estate stands in {', '.join(words)}.")
    return tuple(dict.fromkeys(found))


def takes_down(estate: Estate) -> dict[str, frozenset[str]]:
    """Return for each unit the units whose fall alone takes it down, itself among them."""
    number = {name: bit for bit, name in enumerate(estate.units)}
    bits = {name: 1 << bit for name, bit in number.items()}
    users = _users(estate)
    waiting = dict.fromkeys(_needed_first(estate))
    # The least sets for which the rule of `impact` holds; a unit is looked at again when what it needs has grown.
    while waiting:
        name = next(iter(waiting))
        del waiting[name]
        unit = estate.units[name]
        known = bits[name]
        for one in unit.needs:
            known |= bits[one]
        if unit.needs_any:
            shared = bits[unit.needs_any[0]]
            for one in unit.needs_any[1:]:
                shared &= bits[one]
            known |= shared
        if known != bits[name]:
            bits[name] = known
            waiting.update(dict.fromkeys(users[name]))
    names = list(estate.units)
    return {name: frozenset(names[bit] for bit in _ones(known)) for name, known in bits.items()}


def _needed_first(estate: Estate) -> list[str]:
    """Return the units so that what is needed comes before what needs it, as far as cycles allow."""
    order: list[str] = []
    seen: set[str] = set()
    for root in estate.units:
        todo = [(root, False)]
        while todo:
            name, is_done = todo.pop()
            if is_done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                unit = estate.units[name]
                todo.append((name, True))
                todo += [(one, False) for one in (*unit.needs, *unit.needs_any) if one not in seen]
    return order


def _ones(bits: int) -> Iterable[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def _users(estate: Estate) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {name: [] for name in estate.units}
    for name, unit in estate.units.items():
        for one in dict.fromkeys((*unit.needs, *unit.needs_any)):
            users[one].append(name)
    return users
