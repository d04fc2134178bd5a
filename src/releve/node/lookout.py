"""The lookout: asks every service and unit at its turn, keeps a watch on each, and says what changed.

Each target has its own turn, so that one that does not answer holds up no other. The turns begin spread out and at most
ASKING_MAX questions are open at once: the estate must not feel that 38 hospitals look at it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from releve.clock import Instant, wall_us
from releve.config import Config
from releve.errors import ReleveError, WrongUse
from releve.estate import SERVICE, Estate, Unit
from releve.estate import load as load_estate
from releve.log import Draft, Receipt
from releve.node.watch import ServiceWatch
from releve.record.rows import Sighting
from releve.record.sighting import sighting_draft
from releve.recovery.probe import Reading, probe
from releve.recovery.probe.address import without_password
from releve.recovery.state import States

_log = logging.getLogger(__name__)

#: 500 mixed probes, 100 at once, took 6.8 s where it was measured; half of that leaves the courier its other work.
ASKING_MAX = 50
#: A state that did not change is said again after so long, so that silence can be told apart from peace.
SAID_AGAIN_US = 600_000_000
#: Changes are gathered for so long before they are said: a cut takes eight services within seconds.
GATHER_S = 3.0

Ask = Callable[[str, float], Awaitable[Reading]]
Pause = Callable[[float], Awaitable[None]]


class Owing(Protocol):
    """What this node still has to give a service."""

    def count(self) -> int: ...


@dataclass(frozen=True)
class Target:
    """Something to be asked.

    first_s  when its turns begin
    every_s  between an answer and the next question
    """

    id: str
    probe: str
    first_s: float
    every_s: float


@dataclass
class Lookout:
    """Everything this node watches.

    site      whose view it is
    services  ids of the [[service]] tables, in their order; the others are units of the estate
    spoken    ids of which the other hospitals are told: the services, of either kind
    unasked   units whose probe may not be used here
    """

    site: str
    watches: dict[str, ServiceWatch]
    targets: list[Target]
    services: tuple[str, ...]
    spoken: tuple[str, ...]
    units: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    estate: str = ""
    said: dict[str, tuple[str, Instant]] = field(default_factory=dict)

    def states(self, now: Instant) -> States:
        """Return what was measured of the estate; what was not asked yet is left out."""
        watches = [self.watches[one] for one in self.units]
        units = {watch.id: watch.unit_state() for watch in watches if watch.checked_at}
        return States(self.site, now, units, self.estate, self.unasked)

    def news(self, now: Instant) -> list[Sighting]:
        """Return what the other hospitals are to be told: what changed, or everything when the last word is old."""
        asked = [self.watches[one] for one in self.spoken if self.watches[one].checked_at]
        is_old = any(now - at >= SAID_AGAIN_US for _, at in self.said.values())
        return [
            Sighting(watch.id, self.site, watch.state_name, watch.since, watch.checked_at, watch.why)
            for watch in asked
            if is_old or self.said.get(watch.id, ("", 0))[0] != watch.state_name
        ]

    def told(self, news: Sequence[Sighting], now: Instant) -> None:
        """Note that the other hospitals will hear of it: it is kept."""
        self.said.update({one.service: (one.state, now) for one in news})


def lookout(config: Config, estate: Estate | None, before: Lookout | None = None) -> Lookout:
    """Return what this node watches: the [[service]] tables, and the units of the estate that concern it.

    A [[service]] of the same id goes before a unit: it knows what is owed. A service that is only for other hospitals
    is theirs to look at.

    before  the lookout until now: its watches go on
    """
    known = before.watches if before else {}
    watches = {
        rule.id: known.get(rule.id) or ServiceWatch(rule.id, rule.name, rule.central) for rule in config.services
    }
    targets = [Target(rule.id, rule.probe, 0.0, config.probe_every_s) for rule in config.services]
    services = tuple(watches)
    concerned = [unit for unit in _concerned(estate, config.site_id) if unit.probe]
    allowed = [unit for unit in concerned if config.estate.commands or not str(unit.probe).startswith("command:")]
    asked = [unit for unit in allowed if unit.id not in watches]
    for place, unit in enumerate(asked):
        watches[unit.id] = known.get(unit.id) or ServiceWatch(unit.id, unit.name.fr, is_central=False)
        targets.append(
            Target(unit.id, str(unit.probe), config.estate.every_s * place / len(asked), config.estate.every_s)
        )
    found = Lookout(
        config.site_id,
        watches,
        targets,
        services,
        (*services, *(unit.id for unit in asked if unit.kind == SERVICE)),
        tuple(unit.id for unit in allowed),
        tuple(unit.id for unit in concerned if unit not in allowed),
        estate.files[0] if estate and estate.files else "",
    )
    if before:
        found.said = {one: said for one, said in before.said.items() if one in watches}
    return found


def read_estate(path: Path, before: Estate | None = None) -> Estate | None:
    """Return the estate in a file; None where there is none.

    A file that cannot be used leaves the one before in force, and is logged: it must not end the courier, since the
    exchange of histories matters more.
    """
    if not path.exists():
        return None
    try:
        return load_estate(path)
    except WrongUse as error:
        _log.error("estate kept as last read", extra={"code": error.code, "reason": error.sentence})
        return before


def estate_mark(path: Path, estate: Estate | None) -> tuple[int, ...]:
    """Return what changes when a file of an estate is replaced."""
    marks = []
    for file in (path, *(Path(one) for one in (estate.files if estate else ()))):
        try:
            found = file.stat()
        except OSError:
            marks += [0, 0]
        else:
            marks += [found.st_mtime_ns, found.st_ino]
    return tuple(marks)


async def keep_asking(
    found: Lookout,
    debts: Mapping[str, Owing],
    *,
    ask: Ask = probe,
    pause: Pause = asyncio.sleep,
) -> None:
    """Ask every target at its turn until cancelled; also when there is none.

    debts  by name of the destination; a service of that id is not normal again before it has what is owed to it
    """
    room = asyncio.Semaphore(ASKING_MAX)

    async def take_turns(target: Target) -> None:
        watch, debt = found.watches[target.id], debts.get(target.id)
        await pause(target.first_s)
        while True:
            async with room:
                reading = await _ask(ask, target.probe, watch.patience_s)
            watch.hear(reading, debt.count() if debt else 0)
            await pause(target.every_s)

    async with asyncio.TaskGroup() as turns:
        turns.create_task(_rest())
        for target in found.targets:
            turns.create_task(take_turns(target))


async def _rest() -> None:
    await asyncio.Event().wait()


async def keep_telling(
    current: Callable[[], Lookout],
    append: Callable[[Draft], Awaitable[Receipt]],
    *,
    now: Callable[[], Instant] = wall_us,
    pause: Pause = asyncio.sleep,
) -> None:
    """Tell the other hospitals, by the log, what this one sees, until cancelled."""
    while True:
        await pause(GATHER_S)
        found, at = current(), now()
        news = found.news(at)
        if not news:
            continue
        try:
            await append(sighting_draft(news, secrets.token_bytes(16)))
        except ReleveError as error:
            # The desk is away or its disk is full: what was not kept is news still, and is said at the next turn.
            _log.warning("sighting not kept", extra={"code": error.code})
            continue
        found.told(news, at)


async def _ask(ask: Ask, url: str, timeout_s: float) -> Reading:
    try:
        return await ask(url, timeout_s)
    except WrongUse as error:
        return Reading(without_password(url), "unasked", error.sentence, 0.0, wall_us())
    except Exception as error:  # noqa: BLE001 - a fault in one probe must not end the watch over all the others
        _log.error("probe failed", extra={"url": without_password(url), "reason": repr(error)})
        return Reading(without_password(url), "unasked", f"the probe itself failed: {error!r}", 0.0, wall_us())


def _concerned(estate: Estate | None, site: str) -> list[Unit]:
    units = list(estate.units.values()) if estate else []
    if estate is None or site not in estate.sites:
        return units
    return [unit for unit in units if unit.kind != SERVICE or not unit.hospitals or site in unit.hospitals]
