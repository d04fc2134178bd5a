"""What an estate is made of, as frozen values. Nothing here reads a file or starts anything.

A *unit* is whatever can be down and stands on other units: a power feed, a rack, a name service, the patient record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

from releve.estate.battery import Battery

#: How a unit may be asked whether it is well; `recovery.probe` has one file for each.
PROBE_SCHEMES = (
    "command",
    "dicom",
    "dns",
    "http",
    "https",
    "imap",
    "ldap",
    "mllp",
    "ntp",
    "nut",
    "postgresql",
    "redfish",
    "redis",
    "sip",
    "smtp",
    "snmp",
    "ssh",
    "tcp",
    "tls",
)

#: What can carry out a command; `recovery.driver` has one file for each.
DRIVERS = ("local", "ssh", "redfish", "ansible", "person")

#: A repair nobody wrote a length for takes so many times the start itself: 45 minutes where a start takes nine.
REPAIR_TIMES = 5.0

#: The kinds of a unit: a feed brings power, a UPS keeps it, people know a service by name; the rest is machinery.
FEED, UPS, NETWORK, STORAGE, HOST, UNIT, SERVICE = "feed", "ups", "network", "storage", "host", "unit", "service"
KINDS = (FEED, UPS, NETWORK, STORAGE, HOST, UNIT, SERVICE)

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
    beds       of a hospital; 0 where nobody wrote it down
    """

    id: str
    name: Bilingual
    is_hospital: bool
    emergency: bool = False
    beds: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """A room of a site: what stands in it shares its cooling, its door and its smoke."""

    id: str
    name: Bilingual
    site: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or a duty desk that owns units, does steps by hand, or releases a service to care."""

    id: str
    name: Bilingual
    phone: str = ""
    email: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """Hours of the week in which a capacity has another amount than usual.

    days            0 Monday to 6 Sunday
    from_s, until_s seconds of the local day; until_s of 86400 is midnight
    """

    days: frozenset[int]
    from_s: int
    until_s: int
    amount: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """Something of which only so much can be used at once while things start: a crew, boot slots of a storage.

    shifts  when the amount is another one (a crew that goes home at night); `amount` counts outside of all of them
    """

    id: str
    name: Bilingual
    amount: int
    shifts: tuple[Shift, ...] = ()


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
    """How something is started, stopped or checked.

    argv       local, ssh: a program and its arguments, never through a shell; redfish: one reset type, such as "On";
               ansible: the playbook and its arguments; person: empty
    stays      the program is the service itself and runs on; otherwise it ends, and 0 is success
    log        file that takes what a staying program says; None lets it go
    timeout_s  a program that should end and does not is ended after so long; a person is reminded
    driver     one of DRIVERS
    address    ssh: ssh://user@host:port; redfish: the URL of the system; person: the id of a contact
    secret     file (0600) with the key or the password of the address
    words      person: what is to be done
    """

    argv: tuple[str, ...]
    stays: bool = False
    log: str | None = None
    timeout_s: float = 60.0
    driver: str = "local"
    address: str = ""
    secret: str = ""
    words: Bilingual | None = None


@dataclass(frozen=True, slots=True)
class BreakPoint:
    """The declared way out of a cycle: a unit that can come up once without one of its needs.

    without  the need that is not waited for at the first start; it stays a need in everything else
    how      what makes that possible: a local account, a static hosts file, a copy of the zone
    """

    unit: str
    without: str
    how: Bilingual


@dataclass(frozen=True, slots=True)
class Unit:
    """Whatever can be down and stands on other units.

    kind         one of KINDS
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
    room         id of the room it stands in, "" where that is not written
    owner        id of the contact that answers for it
    check        integrity check: runs after a stop that was not clean, and before anything may stand on the unit
    release      id of the contact that must release it to care after it is up; "" when up is enough
    released_by_hospital  every hospital releases it for itself
    wave         callers are let in wave by wave after release: 0 for all at once, else how many hospitals at a time
    stop_duration, check_duration, release_duration  how long its stop takes, its integrity check, and a person from
                 being asked for a release until it is given; None: nobody wrote it down
    repair       what a person does when every try failed
    line, file   where its id is written
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
    room: str = ""
    owner: str = ""
    check: Command | None = None
    release: str = ""
    released_by_hospital: bool = False
    wave: int = 0
    stop_duration: Duration | None = None
    check_duration: Duration | None = None
    release_duration: Duration | None = None
    repair: Bilingual | None = None
    file: str = ""

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
    """A hosting centre and what it serves: the whole of one file and those it includes.

    breaks     declared ways out of cycles; at the first start the need they name is not waited for
    stands_on  units that whoever runs the restart needs itself: none of them may be what is to be restarted
    files      what was read, the first one named first
    """

    name: Bilingual
    zone: str
    sites: Mapping[str, Site]
    capacities: Mapping[str, Capacity]
    units: Mapping[str, Unit]
    belief: Belief = field(default_factory=Belief)
    battery: Battery = field(default_factory=Battery)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    breaks: tuple[BreakPoint, ...] = ()
    stands_on: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def hospitals(self) -> tuple[Site, ...]:
        """Return the hospitals, in the order of the file."""
        return tuple(site for site in self.sites.values() if site.is_hospital)

    def services(self) -> tuple[Unit, ...]:
        """Return what people know by name, in the order in which care wants it back."""
        known = [unit for unit in self.units.values() if unit.kind == SERVICE]
        return tuple(sorted(known, key=lambda unit: (unit.clinical, unit.tier)))

    def first_needs(self, unit: Unit) -> tuple[str, ...]:
        """Return what must be up before a unit's first start: its hard needs without those a break point takes away."""
        taken = {one.without for one in self.breaks if one.unit == unit.id}
        return tuple(one for one in unit.hard() if one not in taken)

    def feeds(self) -> tuple[Unit, ...]:
        """Return the power feeds."""
        return tuple(unit for unit in self.units.values() if unit.kind == FEED)
