"""From readings to states: what a service is said to be, declared by itself, never typed.

    reading well, quick             normal; after an outage first "returning", until what is owed to it is given
    reading well, slow or weak      degraded after POOR_READINGS in a row, normal again after as many good ones
    reading ill                     down after ILL_READINGS in a row, so that one lost packet raises no alarm
    well and ill by turns           degraded, "flapping", until it was quiet for a while

With one reading every five seconds a loss is declared within fifteen; a server that does not answer is asked once more
with patience, so that a slow one is not called dead, and is declared within half a minute; one that flaps within a
minute and a quarter. All lie inside the two minutes that are promised.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from releve.clock import Instant
from releve.estate import Bilingual
from releve.recovery.probe import Reading
from releve.recovery.probe.reading import UNANSWERED
from releve.recovery.state import UnitState
from releve.screen.degraded import DEGRADED, DOWN, NORMAL, RETURNING, ServiceState
from releve.sitrep.wording import seen

NOTHING_SEEN = Bilingual("", "")

ILL_READINGS = 2

#: A garbage collection or a full backup slows one answer; three in a row are what people at the screen feel.
POOR_READINGS = 3
#: The probes ask for what a server has in memory: milliseconds. Two seconds are the moment people click again.
SLOW_S = 2.0

#: How long an answer is waited for. A server that just did not answer, or answered slowly, is given more: whoever takes
#: seven seconds is slow, which is not the same as dead, and the people in front of it know the difference.
PROMPT_S = 3.0
PATIENT_S = 10.0

#: Three losses and three returns within five minutes: two lost packets in sixty readings do not reach it, a service
#: that is restarted over and over by its supervisor (every 10 to 90 seconds) does.
FLAP_CHANGES = 6
FLAP_WITHIN_US = 300_000_000
#: It must be left alone for longer than one turn of such a restart before anybody is told that it is over.
FLAP_QUIET_US = 120_000_000
#: While it flaps, a loss that lasts longer than this is no turn any more: it is down.
FLAP_DOWN_US = 60_000_000


@dataclass
class ServiceWatch:
    """One service or unit under watch; hear() takes readings, state() says what it is.

    ill, poor, good  readings in a row
    ill_since        when the first of the ill ones was
    changes          when well turned to ill or back, in the last five minutes
    """

    id: str
    name: str
    is_central: bool
    state_name: str = NORMAL
    since: Instant = 0
    checked_at: Instant = 0
    reason: Bilingual = NOTHING_SEEN
    why: str = ""
    took_s: float = 0.0
    ill: int = 0
    poor: int = 0
    good: int = 0
    ill_since: Instant = 0
    is_flapping: bool = False
    changes: deque[Instant] = field(default_factory=deque)

    @property
    def patience_s(self) -> float:
        """How long the next answer is waited for."""
        return PATIENT_S if self.why in UNANSWERED or self.took_s > SLOW_S else PROMPT_S

    def hear(self, reading: Reading, owed: int) -> None:
        """Take a reading.

        owed  what this node still has to give the service; it is not normal again before it has it
        """
        self._note_change(reading)
        self.checked_at, self.took_s = reading.at, reading.took_s
        self.why, self.reason = reading.state, seen(reading.state, reading.detail)
        if reading.ok:
            self._hear_well(reading, owed)
        else:
            self._hear_ill(reading)
        if self.is_flapping and self.state_name == DEGRADED:
            self.why, self.reason = "flapping", _flapping(len(self.changes), self.reason)

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

    def unit_state(self) -> UnitState:
        """Return the state as the folder of a recovery keeps it."""
        return UnitState(
            self.id,
            self.state_name,
            self.since,
            self.checked_at,
            self.why,
            self.reason.fr,
            self.reason.en,
            round(self.took_s, 4),
        )

    def _note_change(self, reading: Reading) -> None:
        if self.checked_at and reading.ok == (self.ill > 0):
            self.changes.append(reading.at)
        while self.changes and reading.at - self.changes[0] > FLAP_WITHIN_US:
            self.changes.popleft()
        if not self.changes or reading.at - self.changes[-1] >= FLAP_QUIET_US:
            self.is_flapping = False
        elif len(self.changes) >= FLAP_CHANGES:
            self.is_flapping = True

    def _hear_ill(self, reading: Reading) -> None:
        self.ill_since = self.ill_since if self.ill else reading.at
        self.ill, self.poor, self.good = self.ill + 1, 0, 0
        if self.is_flapping and self.state_name != DOWN and reading.at - self.ill_since < FLAP_DOWN_US:
            self._become(DEGRADED, reading.at)
        elif self.ill >= ILL_READINGS or self.since == 0:
            self._become(DOWN, reading.at)

    def _hear_well(self, reading: Reading, owed: int) -> None:
        is_slow = reading.took_s > SLOW_S
        is_poor = is_slow or reading.state == "weak"
        self.ill, self.poor, self.good = 0, self.poor + 1 if is_poor else 0, 0 if is_poor else self.good + 1
        if is_slow:
            self.why, self.reason = "slow", _slow(reading.took_s)
        if self.is_flapping:
            self._become(DEGRADED, reading.at)
        elif self.state_name in (DOWN, RETURNING) and owed:
            self._become(RETURNING, reading.at)
        elif is_poor:
            # What was down, or was never seen well, is not called well for an answer like this.
            if self.poor >= POOR_READINGS or self.state_name == DOWN or self.since == 0:
                self._become(DEGRADED, reading.at)
        elif self.state_name != DEGRADED or self.good >= POOR_READINGS:
            self._become(NORMAL, reading.at)

    def _become(self, name: str, at: Instant) -> None:
        if name != self.state_name or self.since == 0:
            # An outage keeps its beginning while the service returns: the banner counts from the loss.
            if not (self.state_name == DOWN and name == RETURNING):
                self.since = at
            self.state_name = name


def _slow(took_s: float) -> Bilingual:
    text = f"{took_s:.1f}"
    return Bilingual(f"répond en {text.replace('.', ',')}\u202fs\u00a0: lent", f"answers in {text} s: slow")


def _flapping(changes: int, last: Bilingual) -> Bilingual:
    minutes = FLAP_WITHIN_US // 60_000_000
    return Bilingual(
        f"instable\u00a0: {changes} changements en {minutes}\u202fmin\u202f; vu en dernier\u00a0: {last.fr}",
        f"flapping: {changes} changes in {minutes} min; seen last: {last.en}",
    )
