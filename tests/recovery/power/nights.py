"""Scripted UPS for the tests of power: an estate of two feeds, and transcripts of readings against a vigil."""

from collections.abc import Callable, Mapping

from releve.estate import Estate
from releve.recovery.power.memory import Memory, Stop
from releve.recovery.power.reading import UpsReading
from releve.recovery.power.vigil import Vigil

#: Portal stands on record, record on database, database on storage; all of them on both feeds. The rack of the archive
#: has one feed only.
ESTATE = """
[battery]
margin_s = 60
steady_s = 120
charge_min = 10
{rules}
[[feed]]
id = "feed-a"
probe = "nut://127.0.0.1:3493/feed-a"
[[feed]]
id = "feed-b"
probe = "nut://127.0.0.1:3493/feed-b"
[[storage]]
id = "storage"
needs_any = ["feed-a", "feed-b"]
stop = {{command = ["true"]}}
stop_duration = {{p50_s = 4, p90_s = 8}}
[[unit]]
id = "database"
needs = ["storage"]
stop = {{command = ["true"]}}
stop_duration = {{p50_s = 4, p90_s = 8}}
[[service]]
id = "record"
needs = ["database"]
stop = {{command = ["true"]}}
stop_duration = {{p50_s = 4, p90_s = 8}}
[[service]]
id = "portal"
tier = 3
needs = ["record"]
stop = {{command = ["true"]}}
stop_duration = {{p50_s = 4, p90_s = 8}}
[[service]]
id = "archive"
tier = 3
needs = ["feed-a"]
stop = {{command = ["true"]}}
stop_duration = {{p50_s = 4, p90_s = 8}}
"""

BOTH = {"storage", "database", "record", "portal"}


def ups(
    status: str,
    *,
    runtime_s: float | None = 600,
    charge: float | None = 100,
    load: float | None = 50,
) -> UpsReading:
    return UpsReading(frozenset(status.split()), charge=charge, runtime_s=runtime_s, load=load)


class Night:
    """A vigil and its clock; `says` takes readings for a while, one a second, and returns what was decided."""

    def __init__(self, estate: Estate, memory: Memory | None = None, p95_s: float = 100) -> None:
        self.estate = estate
        self.at_s = memory.at_s if memory else 1000.0
        self.vigil = Vigil(estate, lambda _: p95_s, memory or Memory())
        self.lines: list[tuple[str, str, str]] = []

    def says(self, seconds: float = 1, **readings: UpsReading) -> Stop | None:
        """Give the same readings for a while; feed_a stands for feed-a; a feed that is not named is on line power."""
        return self.script(seconds, lambda _: readings)

    def script(self, seconds: float, at: Callable[[float], Mapping[str, UpsReading]]) -> Stop | None:
        """Give readings that change with the seconds since the call; stops at a decision."""
        began_s = self.at_s
        while self.at_s < began_s + seconds:
            self.at_s += 1
            named = {name.replace("_", "-"): one for name, one in at(self.at_s - began_s).items()}
            heard = self.vigil.hear(self.at_s, {"feed-a": ups("OL"), "feed-b": ups("OL")} | named)
            self.lines += heard.lines
            if heard.stop is not None:
                return heard.stop
        return None

    def kinds(self) -> list[str]:
        return [f"{kind} {unit}".strip() for kind, unit, _ in self.lines if kind != "power-reading"]
