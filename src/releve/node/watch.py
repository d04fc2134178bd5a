"""From readings to states: what a service is said to be, declared by itself, never typed.

    reading well, quick                  normal; after an outage first "returning", until what is owed to it is given
    reading well, slow                   degraded after SLOW_READINGS in a row
    reading ill                          down after ILL_READINGS in a row, so that one lost packet raises no alarm

With one reading every five seconds a loss is declared within fifteen, well inside the two minutes that are promised.
"""

from __future__ import annotations

from dataclasses import dataclass

from releve.clock import Instant
from releve.estate import Bilingual
from releve.recovery.probe import Reading
from releve.screen.degraded import DEGRADED, DOWN, NORMAL, RETURNING, ServiceState
from releve.sitrep.wording import seen

NOTHING_SEEN = Bilingual("", "")

ILL_READINGS = 2
SLOW_READINGS = 3
SLOW_S = 2.0


@dataclass
class ServiceWatch:
    """One service under watch; hear() takes readings, state() says what it is."""

    id: str
    name: str
    is_central: bool
    state_name: str = NORMAL
    since: Instant = 0
    checked_at: Instant = 0
    reason: Bilingual = NOTHING_SEEN
    ill: int = 0
    slow: int = 0

    def hear(self, reading: Reading, owed: int) -> None:
        """Take a reading.

        owed  what this node still has to give the service; it is not normal again before it has it
        """
        self.checked_at = reading.at
        self.reason = seen(reading.state, reading.detail)
        if not reading.ok:
            self.ill += 1
            self.slow = 0
            if self.ill >= ILL_READINGS or self.since == 0:
                self._become(DOWN, reading.at)
            return
        self.ill = 0
        self.slow = self.slow + 1 if reading.took_s > SLOW_S else 0
        if self.slow >= SLOW_READINGS:
            self._become(DEGRADED, reading.at)
        elif self.state_name in (DOWN, RETURNING) and owed:
            self._become(RETURNING, reading.at)
        elif self.slow == 0:
            self._become(NORMAL, reading.at)

    def state(self) -> ServiceState:
        """Return the state as the pages show it."""
        return ServiceState(
            self.id,
            self.name,
            self.state_name,
            self.since,
            self.checked_at,
            self.reason.en,
            self.is_central,
            reason_fr=self.reason.fr,
        )

    def _become(self, name: str, at: Instant) -> None:
        if name != self.state_name or self.since == 0:
            # An outage keeps its beginning while the service returns: the banner counts from the loss.
            if not (self.state_name == DOWN and name == RETURNING):
                self.since = at
            self.state_name = name
