"""The recovery as a node knows it: what its own probes see and what the other hospitals say they see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from releve.board.situation import TOLD_AGE_US_MAX
from releve.clock import Instant, wall_us
from releve.errors import StoreUnable
from releve.estate import Bilingual
from releve.record import Views
from releve.recovery.folder import STATES
from releve.recovery.state import UnitState, read_states
from releve.screen import ServiceState
from releve.sitrep import Measured, seen
from releve.sitrep.report import STATES as STATES_KNOWN
from releve.sitrep.report import State

#: What the other hospitals said is read at most this often, however many pages ask.
_KEEP_US = 1_000_000


class Sightings:
    """States by service and hospital, for the pages.

    site      this node's hospital; its own probes count before what its log says
    services  as this node's own probes left them
    """

    def __init__(
        self,
        site: str,
        folder: Path,
        views: Views,
        services: Callable[[], Sequence[ServiceState]],
        now: Callable[[], Instant] = wall_us,
    ) -> None:
        self._site, self._folder, self._views, self._services, self._now = site, folder, views, services, now
        self._read_at: Instant = 0
        self._told: list[Measured] = []
        self._mark = (0, 0)
        self._units: Mapping[str, str] = {}
        self._asked: list[Measured] = []

    def measured(self) -> list[Measured]:
        """Return what every hospital sees, as far as it is known here."""
        now = self._now()
        if not self._read_at or not 0 <= now - self._read_at < _KEEP_US:
            self._read_at = now
            try:
                self._told = [
                    Measured(one.service, one.hospital, _state(one.state), one.since, one.checked_at, seen(one.why, ""))
                    for one in self._views.sightings()
                    if one.hospital != self._site
                ]
            except StoreUnable:
                # The views are being rebuilt: what was said before still was, and grows older.
                self._told = [one for one in self._told if now - one.at <= TOLD_AGE_US_MAX]
        own = [_of_service(self._site, one) for one in self._services()]
        named = {one.service for one in own}
        return [*self._told, *(one for one in self._of_units() if one.service not in named), *own]

    def units(self) -> Mapping[str, str]:
        """Return the state of each unit as this node measured it."""
        self._of_units()
        return self._units

    def _of_units(self) -> list[Measured]:
        path = self._folder / STATES
        try:
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            mark = (0, 0)
        if mark != self._mark:
            self._mark = mark
            states = read_states(self._folder)
            units = list(states.units.values()) if states is not None else []
            self._units = {one.id: one.state for one in units}
            self._asked = [_of_unit(self._site, one) for one in units]
        return self._asked


def _of_service(site: str, one: ServiceState) -> Measured:
    return Measured(
        one.id, site, _state(one.state), one.since or None, one.checked_at, _words(one.reason_fr, one.reason)
    )


def _of_unit(site: str, one: UnitState) -> Measured:
    words = _words(one.reason_fr, one.reason_en)
    return Measured(one.id, site, _state(one.state), one.since or None, one.checked_at, words)


def _words(french: str, english: str) -> Bilingual:
    return Bilingual(french or english, english)


def _state(name: str) -> State:
    """Return a state as the reports know it; a word of a newer node is unknown, not normal."""
    return name if name in STATES_KNOWN else "unknown"
