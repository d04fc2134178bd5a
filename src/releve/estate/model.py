"""What an estate is made of, as frozen values. Nothing here reads a file or starts anything.

A *unit* is whatever can be down and stands on other units: a power feed, a rack, a name service, the patient record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

#: How a unit may be asked whether it is well; `recovery.probe` has one file for each.
PROBE_SCHEMES = (
    "command",
    "dns",
    "http",
    "https",
    "ldap",
    "mllp",
    "nut",
    "postgresql",
    "redis",
    "sip",
    "smtp",
    "tcp",
)

#: A repair nobody wrote a length for takes so many times the start itself: 45 minutes where a start takes nine.
REPAIR_TIMES = 5.0

#: The kinds of a unit: a feed brings power, a unit is machinery, a service is what people know by name.
FEED, UNIT, SERVICE = "feed", "unit", "service"

#: Ninety of a hundred lie below this many standard deviations above the middle.
_P90_SIGMAS = 1.2815515655446004


@dataclass(frozen=True, slots=True)
class Bilingual:
    """A name in the two languages of the reports."""

    fr: str
    en: str

    def in_language(self, lang: str) -> str:
        """Return the name in "fr" or "en"."""
        return self.fr if lang == "fr" else self.en


@dataclass(frozen=True, slots=True)
class Site:
    """A place: a hosting centre, a hospital.

    emergency  it has an emergency department, which the reports speak about
    """

    id: str
    name: Bilingual
    is_hospital: bool
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Capacity:
    """Something of which only so much can be used at once while things start: a crew, boot slots of a storage."""

    id: str
    name: Bilingual
    amount: int


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a start takes: half are done in p50_s, nine of ten in p90_s."""

    p50_s: float
    p90_s: float

    @property
    def mu(self) -> float:
        """Logarithm of the middle."""
        return log(self.p50_s)

    @property
    def sigma(self) -> float:
        """Spread of the logarithm."""
        return log(self.p90_s / self.p50_s) / _P90_SIGMAS


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments, started without a shell.

    stays      the program is the service itself and runs on; otherwise it ends, and 0 is success
    log        file that takes what a staying program says; None lets it go
    timeout_s  a program that should end and does not is ended after so long
    """

    argv: tuple[str, ...]
    stays: bool = False
    log: str | None = None
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Unit:
    """Whatever can be down and stands on other units.

    kind         FEED, UNIT or SERVICE
    tier         0 base, 1 essential, 2 important, 3 and 4 later
    clinical     order in which care wants it back, 1 first; ties are broken by tier
    hospitals    ids of the hospitals it serves
    needs        hard: it cannot start before them and falls with them
    needs_any    hard, but one of them is enough (two feeds)
    wants        soft: after them when it can be had; without them it is degraded
    start_needs  only to start: it does not fall with them
    uses         capacity id → how much of it the start takes
    start, stop  how; None: it comes by itself (power), or is left alone
    probe        how it is asked whether it is well; None: nothing proves it
    up_within_s  a start whose probe does not pass within this is a failed try
    tries        starts before it is called failed
    """

    id: str
    name: Bilingual
    kind: str
    site: str
    tier: int
    clinical: int
    hospitals: tuple[str, ...]
    needs: tuple[str, ...]
    needs_any: tuple[str, ...]
    wants: tuple[str, ...]
    start_needs: tuple[str, ...]
    uses: Mapping[str, int]
    duration: Duration | None
    start: Command | None
    stop: Command | None
    probe: str | None
    probe_timeout_s: float
    up_within_s: float
    tries: int
    line: int

    def hard(self) -> tuple[str, ...]:
        """Return what must be up before it can start, the choices of needs_any left out."""
        return (*self.needs, *(one for one in self.start_needs if one not in self.needs))


@dataclass(frozen=True, slots=True)
class Belief:
    """What a forecast takes for granted until the day has shown more.

    day_spread     spread of the logarithm of the factor by which everything is slower or faster today
    failure_share  share of starts that fail and need a repair
    repair_s       mean length of such a repair; None: REPAIR_TIMES what the start itself is believed to take

    Measured on fourteen steps: where all beliefs are off by 1.8, the P90 issued half-way holds 80 times in 100 with a
    spread of 0.40 and 86 with 0.55; where they are right, 90 and 89. Recovery facts, section 4, has 0.40 for 468 steps.
    """

    day_spread: float = 0.55
    failure_share: float = 0.03
    repair_s: float | None = None


@dataclass(frozen=True)
class Estate:
    """A hosting centre and what it serves: the whole of one file."""

    name: Bilingual
    zone: str
    sites: Mapping[str, Site]
    capacities: Mapping[str, Capacity]
    units: Mapping[str, Unit]
    belief: Belief = field(default_factory=Belief)

    def hospitals(self) -> tuple[Site, ...]:
        """Return the hospitals, in the order of the file."""
        return tuple(site for site in self.sites.values() if site.is_hospital)

    def services(self) -> tuple[Unit, ...]:
        """Return what people know by name, in the order in which care wants it back."""
        known = [unit for unit in self.units.values() if unit.kind == SERVICE]
        return tuple(sorted(known, key=lambda unit: (unit.clinical, unit.tier)))

    def feeds(self) -> tuple[Unit, ...]:
        """Return the power feeds."""
        return tuple(unit for unit in self.units.values() if unit.kind == FEED)
