"""One discharge of one battery: how much longer it lasts, reckoned three ways. The least counts.

    reported   what the UPS announces, less the time since it said so
    by load    what the battery is believed to hold, less what was drawn since the cut, at the load of now
    by slope   how fast the charge really falls, measured from step to step of its percentage

What a battery holds is counted in percent-seconds: 100 is full load for one second. Drawing is counted here and not
taken from the charge that the UPS shows, since a UPS that announces too much usually shows too much as well.
Batteries have given four of ten announced minutes (recovery facts, section 5): an announcement that no test of the
hospital and no earlier discharge has confirmed counts with a share only (`Battery.trusted_share`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from releve.recovery.power.reading import UpsReading

#: Above the load of its test a battery gives less than in proportion (Peukert; 1.2 for lead-acid).
PEUKERT_EXTRA = 0.2

#: So many steps of the charge make a slope, over at least so many percent and seconds; the last of them count alone
#: too, since the end goes faster.
EDGES_MIN, DROP_MIN, SPAN_S_MIN, RECENT_EDGES = 3, 2.0, 10.0, 6

#: Steps of the charge that are kept: one per percent.
EDGES_MAX = 120


@dataclass(frozen=True, slots=True)
class Held:
    """What a battery holds when full.

    percent_s  full load for one second is 100
    at_load    percent, at which that was tested or announced; None: not known
    """

    percent_s: float
    at_load: float | None = None

    def drawn(self, load: float, seconds: float) -> float:
        """Return what a load takes out of it."""
        extra = 1.0
        if self.at_load and load > self.at_load:
            extra = (load / self.at_load) ** PEUKERT_EXTRA
        return load * extra * seconds


@dataclass(frozen=True, slots=True)
class Estimates:
    """Seconds left, by each way; None where it cannot be reckoned."""

    reported_s: float | None = None
    by_load_s: float | None = None
    by_slope_s: float | None = None

    @property
    def least_s(self) -> float | None:
        """Return the one that counts, None when there is none."""
        known = [value for value in (self.reported_s, self.by_load_s, self.by_slope_s) if value is not None]
        return min(known, default=None)

    def words(self) -> str:
        """Return them as a sentence of the journal."""
        ways = (("reported", self.reported_s), ("by load", self.by_load_s), ("by slope", self.by_slope_s))
        return ", ".join(f"{way} {'unknown' if value is None else f'{value:.0f} s'}" for way, value in ways)


@dataclass(frozen=True, slots=True)
class Discharge:
    """A battery at work since a cut. Seconds are those of the caller's clock.

    charge     at the beginning, percent
    held       what it is believed to hold when full; None: nobody knows
    drawn      percent-seconds taken since the beginning; goes on while the data are lost
    load       the last one that was heard
    heard_s    when the UPS was last heard; lost_s: since when its data are lost, None while they come
    runtime_s  what it announced then
    edges      (second, percent) at each step of the charge, the first reading not counted
    """

    began_s: float
    at_s: float
    charge: float | None
    held: Held | None
    load: float
    drawn: float = 0.0
    heard_s: float = 0.0
    lost_s: float | None = None
    runtime_s: float | None = None
    shown: float | None = None
    is_low: bool = False
    edges: tuple[tuple[float, float], ...] = field(default=())

    def hear(self, at_s: float, reading: UpsReading) -> Discharge:
        """Return the discharge after one more reading; a clock that went back counts as no time."""
        drawn = self.drawn + self._draws(max(at_s - self.at_s, 0.0))
        if reading.is_lost:
            since = at_s if self.lost_s is None else self.lost_s
            return replace(self, at_s=at_s, drawn=drawn, lost_s=since)
        edges = self.edges
        if reading.charge is not None and self.shown is not None and reading.charge < self.shown:
            edges = (*edges, (at_s, reading.charge))[-EDGES_MAX:]
        return replace(
            self,
            at_s=at_s,
            drawn=drawn,
            load=reading.load if reading.load is not None else self.load,
            heard_s=at_s,
            lost_s=None,
            runtime_s=reading.runtime_s,
            shown=reading.charge if reading.charge is not None else self.shown,
            # What called itself low once in this discharge is low until it has been charged.
            is_low=self.is_low or reading.is_low,
            edges=edges,
        )

    def rest(self, at_s: float) -> Discharge:
        """Return it after a while on line power in between: nothing is drawn, and what was drawn is not given back."""
        return replace(self, at_s=at_s, heard_s=at_s, lost_s=None, is_low=False, shown=None, edges=())

    def estimates(self) -> Estimates:
        """Return what is left now."""
        silent_s = max(self.at_s - self.heard_s, 0.0)
        reported = None if self.runtime_s is None else max(self.runtime_s - silent_s, 0.0)
        slope = self.slope()
        by_slope = None
        if slope is not None:
            edge_s, percent = self.edges[-1]
            by_slope = max(percent / slope - max(self.at_s - edge_s, 0.0), 0.0)
        return Estimates(reported, self._by_load_s(), by_slope)

    def slope(self) -> float | None:
        """Return percent of charge lost per second, the faster of all and of the last steps; None: not measured yet."""
        found = [rate for edges in (self.edges, self.edges[-RECENT_EDGES:]) if (rate := _rate(edges)) is not None]
        return max(found, default=None)

    def measured_held(self) -> float | None:
        """Return what a full battery holds by the charge that fell and the load that was drawn; None: too little."""
        slope = self.slope()
        return None if slope is None else 100 * self.load / slope

    def _draws(self, seconds: float) -> float:
        return self.held.drawn(self.load, seconds) if self.held else self.load * seconds

    def _by_load_s(self) -> float | None:
        if self.held is None:
            return None
        rate = self._draws(1.0)
        if rate <= 0:
            return None
        full = self.held.percent_s
        left = full * (self.charge if self.charge is not None else 100.0) / 100 - self.drawn
        if self.shown is not None:
            left = min(left, full * self.shown / 100)
        return max(left, 0.0) / rate


def _rate(edges: tuple[tuple[float, float], ...]) -> float | None:
    if len(edges) < EDGES_MIN:
        return None
    (first_s, first), (last_s, last) = edges[0], edges[-1]
    if first - last < DROP_MIN or last_s - first_s < SPAN_S_MIN:
        return None
    return (first - last) / (last_s - first_s)
