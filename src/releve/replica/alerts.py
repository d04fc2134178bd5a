"""What a person should know about the exchange: one entry for each matter, however often it is seen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from releve.clock import Instant

#: More matters than this at once is one matter: the hub. The oldest closed ones are forgotten first.
_ALERTS_MAX = 100

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Alert:
    """One matter at one hub.

    code      stable: replica.hub-lost, replica.fork, replica.hole, replica.own-lost, replica.refused…
    subject   the channel it is about; empty for the hub itself
    count     how often it was seen
    is_open   it still stands; a closed one tells what happened
    """

    hub: str
    code: str
    subject: str
    sentence: str
    first_at: Instant
    last_at: Instant
    count: int = 1
    is_open: bool = True


class Alerts:
    """The alerts of all hubs of a node."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._held: dict[tuple[str, str, str], Alert] = {}

    def add(self, hub: str, code: str, subject: str, sentence: str) -> None:
        """Open an alert, or note that it was seen again."""
        at = self._now()
        known = self._held.get((hub, code, subject))
        if known is not None and known.is_open:
            known.last_at, known.sentence = at, sentence
            known.count += 1
            return
        _log.error("alert opened", extra={"code": code, "hub": hub, "subject": subject, "reason": sentence})
        if known is not None:
            known.sentence, known.last_at, known.is_open = sentence, at, True
            known.count += 1
            return
        self._make_room()
        self._held[hub, code, subject] = Alert(hub, code, subject, sentence, at, at)

    def close(self, hub: str, code: str, subject: str) -> None:
        """Note that a matter is over; nothing happens when there was none."""
        known = self._held.get((hub, code, subject))
        if known is not None and known.is_open:
            known.is_open = False
            _log.warning("alert closed", extra={"code": code, "hub": hub, "subject": subject})

    def of(self, hub: str) -> list[Alert]:
        """Return a hub's alerts: open ones first, the latest first."""
        mine = [alert for alert in self._held.values() if alert.hub == hub]
        return sorted(mine, key=lambda alert: (not alert.is_open, -alert.last_at))

    def _make_room(self) -> None:
        if len(self._held) >= _ALERTS_MAX:
            least = min(self._held.items(), key=lambda item: (item[1].is_open, item[1].last_at))
            del self._held[least[0]]
