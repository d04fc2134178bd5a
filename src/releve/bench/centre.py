"""An invented hosting centre by seed, as an Estate: what `plan` and `forecast` are measured on.

Full size: 38 hospitals with 8 services each, 480 hosts, 54 capacities, about 2,150 steps. Per hospital and service a
database, an application, a link to the hospital and the service itself, which the hospital's own people release to
care; per hospital four machines of its own. Durations are minutes, with the spread of restarts that were reported.
"""

from __future__ import annotations

from random import Random

from releve.estate import (
    FEED,
    HOST,
    NETWORK,
    SERVICE,
    STORAGE,
    UNIT,
    Belief,
    Bilingual,
    Capacity,
    Command,
    Contact,
    Duration,
    Estate,
    Site,
    Unit,
)

#: Service → tier and the order in which care wants it back.
SERVICES = (
    ("record", 1, 1),
    ("laboratory", 1, 2),
    ("imaging", 1, 3),
    ("telephony", 1, 4),
    ("pharmacy", 2, 5),
    ("messaging", 2, 6),
    ("appointments", 3, 7),
    ("administration", 4, 8),
)

#: Service → services of the same hospital that it shows or writes into, so that it comes after them.
_AFTER = {"imaging": ("record",), "pharmacy": ("record", "laboratory"), "appointments": ("messaging",)}

#: P90 over P50 of a duration: a lognormal spread of 0.45.
_P90_OVER_P50 = 1.78

#: Mean length of a repair (recovery facts, section 4).
REPAIR_S = 2700.0

_FEEDS, _STORAGES = 4, 6

#: Crews and the like: id → how many at once.
_CREWS = {
    "network-crew": 5,
    "system-crew": 8,
    "database-crew": 46,
    "application-crew": 62,
    "link-crew": 18,
    "sign-on": 9,
}

_START = Command(("true",))


def centre(seed: int, *, hospitals: int = 38, hosts: int = 480, services: int = len(SERVICES)) -> Estate:
    """Return the centre of a seed; crews shrink with the number of hospitals, so that they stay what is short."""
    return _Builder(Random(seed), hospitals, hosts, services).estate()  # noqa: S311 - an invented centre, no secret


class _Builder:
    """The units of one centre, one layer after the other."""

    def __init__(self, rng: Random, hospitals: int, hosts: int, services: int) -> None:
        self._rng = rng
        self._hospitals = [f"H{number:02d}" for number in range(1, hospitals + 1)]
        self._hosts = hosts
        self._services = SERVICES[:services]
        self._share = hospitals * services / (38 * 8)
        self._units: dict[str, Unit] = {}

    def estate(self) -> Estate:
        """Return it whole."""
        self._base()
        self._host_layer()
        for hospital in self._hospitals:
            self._hospital(hospital)
        sites = {"centre": Site("centre", _named("centre"), False)}
        sites |= {hospital: Site(hospital, _named(hospital), True, True) for hospital in self._hospitals}
        amounts = {f"inrush-{feed}": max(2, round(5 * self._hosts / 480)) for feed in range(_FEEDS)}
        amounts |= {f"boot-{storage}": max(2, round(4 * self._hosts / 480)) for storage in range(_STORAGES)}
        amounts |= {name: max(2, round(amount * self._share)) for name, amount in _CREWS.items()}
        amounts |= {f"validators-{hospital}": 1 for hospital in self._hospitals}
        return Estate(
            name=_named("bench"),
            zone="Europe/Paris",
            sites=sites,
            capacities={name: Capacity(name, _named(name), amount) for name, amount in amounts.items()},
            units=self._units,
            belief=Belief(repair_s=REPAIR_S),
            contacts={"validator": Contact("validator", _named("validator"))},
        )

    def _base(self) -> None:
        for feed in range(_FEEDS):
            self._add(f"feed-{feed}", FEED)
        for storage in range(_STORAGES):
            feeds = (f"feed-{storage % _FEEDS}", f"feed-{(storage + 1) % _FEEDS}")
            self._add(f"storage-{storage}", STORAGE, needs_any=feeds, minutes=(10, 20), uses={"system-crew": 1})
        self._add("core-network", NETWORK, needs_any=("feed-0", "feed-1"), minutes=(6, 12), uses={"network-crew": 2})
        self._add("dns", UNIT, needs=("core-network",), minutes=(2, 4), uses={"network-crew": 1})
        self._add("directory", UNIT, needs=("dns", "storage-0"), minutes=(8, 15), uses={"system-crew": 2})

    def _host_layer(self) -> None:
        for host in range(self._hosts):
            feed, storage = host % _FEEDS, host % _STORAGES
            self._add(
                f"host-{host:03d}",
                HOST,
                needs=(f"storage-{storage}", "core-network"),
                needs_any=(f"feed-{feed}", f"feed-{(feed + 1) % _FEEDS}"),
                minutes=(3, 12),
                uses={f"inrush-{feed}": 1, f"boot-{storage}": 1},
            )

    def _hospital(self, hospital: str) -> None:
        self._add(f"{hospital}-link", NETWORK, needs=("core-network",), minutes=(3, 8), uses={"network-crew": 1})
        self._add(f"{hospital}-gateway", UNIT, needs=(f"{hospital}-link", "dns"), minutes=(2, 5))
        self._add(f"{hospital}-directory", UNIT, needs=(f"{hospital}-link", "directory"), minutes=(3, 8))
        self._add(f"{hospital}-print", UNIT, needs=(f"{hospital}-directory",), minutes=(2, 6))
        for name, tier, clinical in self._services:
            self._service(hospital, name, tier, clinical)

    def _service(self, hospital: str, name: str, tier: int, clinical: int) -> None:
        one = f"{hospital}-{name}"
        hosts = [f"host-{self._rng.randrange(self._hosts):03d}" for _ in range(3)]
        self._add(
            f"{one}-db",
            UNIT,
            needs=tuple(dict.fromkeys((hosts[0], "dns"))),
            minutes=(5, 35),
            uses={"database-crew": self._rng.choice((1, 1, 2, 3))},
        )
        self._add(
            f"{one}-app",
            UNIT,
            needs=tuple(dict.fromkeys((f"{one}-db", *hosts[1:], "directory"))),
            minutes=(5, 40),
            uses={"application-crew": self._rng.choice((1, 2, 2, 3))},
        )
        self._add(
            f"{one}-link",
            UNIT,
            needs=(f"{one}-app", f"{hospital}-gateway"),
            minutes=(4, 18),
            uses={"link-crew": 1},
        )
        self._add(
            one,
            SERVICE,
            needs=(f"{one}-link", f"{hospital}-directory", *(f"{hospital}-{other}" for other in _AFTER.get(name, ()))),
            minutes=(2, 8),
            uses={"sign-on": 1},
            tier=tier,
            clinical=clinical,
            hospital=hospital,
        )

    def _add(
        self,
        identity: str,
        kind: str,
        *,
        needs: tuple[str, ...] = (),
        needs_any: tuple[str, ...] = (),
        minutes: tuple[float, float] | None = None,
        uses: dict[str, int] | None = None,
        tier: int = 0,
        clinical: int = 9,
        hospital: str = "",
    ) -> None:
        """Add a unit whose start takes something between so many minutes."""
        is_released = kind == SERVICE
        self._units[identity] = Unit(
            id=identity,
            name=_named(identity),
            kind=kind,
            site=hospital or "centre",
            tier=tier,
            clinical=clinical,
            hospitals=(hospital,) if hospital else (),
            needs=needs,
            needs_any=needs_any,
            wants=(),
            start_needs=(),
            uses=uses or {},
            duration=self._duration(*minutes) if minutes else None,
            start=_START if minutes else None,
            stop=None,
            probe=None,
            probe_timeout_s=3.0,
            up_within_s=300.0,
            tries=2,
            line=0,
            release="validator" if is_released else "",
            released_by_hospital=is_released,
            release_duration=self._duration(5, 25) if is_released else None,
        )

    def _duration(self, least_min: float, most_min: float) -> Duration:
        p50_s = round(60 * self._rng.uniform(least_min, most_min))
        return Duration(p50_s, p50_s * _P90_OVER_P50)


def _named(identity: str) -> Bilingual:
    return Bilingual(identity, identity)
