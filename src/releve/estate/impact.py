"""What falls if this falls: the question that is asked first, and that inventories refuse to answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from releve.estate.model import SERVICE, Estate


@dataclass(frozen=True, slots=True)
class Impact:
    """What a fall takes with it.

    fell       what fell first, as asked
    falls      unit id → the id it falls with, nearest first; those that fell first are not in it
    degraded   unit id → what it wants and no longer has
    hospitals  hospital id → services it loses, in the order in which care wants them back
    """

    fell: tuple[str, ...]
    falls: Mapping[str, str]
    degraded: Mapping[str, tuple[str, ...]]
    hospitals: Mapping[str, tuple[str, ...]]


def impact(estate: Estate, fell: Iterable[str]) -> Impact:
    """Return what falls when these units fall; an unknown id is our mistake.

    A unit falls with anything it needs, and with the last of those of which one is enough. What is needed only to
    start takes nobody down.
    """
    first = tuple(dict.fromkeys(fell))
    assert all(one in estate.units for one in first), f"unknown unit among {first}"
    down = dict.fromkeys(first, "")
    while True:
        new: dict[str, str] = {}
        for name, unit in estate.units.items():
            if name in down:
                continue
            cause = next((one for one in unit.needs if one in down), None)
            if cause is None and unit.needs_any and all(one in down for one in unit.needs_any):
                cause = unit.needs_any[-1]
            if cause is not None:
                new[name] = cause
        if not new:
            break
        down.update(new)
    degraded = {
        name: missing
        for name, unit in estate.units.items()
        if name not in down and (missing := tuple(one for one in (*unit.wants, *unit.needs_any) if one in down))
    }
    lost = [unit for unit in estate.services() if unit.kind == SERVICE and unit.id in down]
    hospitals = {
        site.id: services
        for site in estate.hospitals()
        if (services := tuple(unit.id for unit in lost if site.id in unit.hospitals))
    }
    return Impact(first, {name: cause for name, cause in down.items() if cause}, degraded, hospitals)
