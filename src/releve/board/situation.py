"""What is out for whom, since when, and until when: services by hospitals, computed from what was measured.

A state that was not measured lately is unknown, never good. An expected return is a range; it is shown with what was
announced before, and a range that has passed is said to have passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from releve.clock import Instant
from releve.estate import Bilingual, Estate, Site, Unit
from releve.recovery.forecast import Forecast, Span
from releve.screen.degraded import CHECKED_AGE_US_MAX, DEGRADED, DOWN, NORMAL, RETURNING, UNKNOWN
from releve.sitrep import Measured

#: Worst first: the order in which a reader needs them.
WORST_FIRST = (DOWN, UNKNOWN, RETURNING, DEGRADED, NORMAL)
#: Another hospital says its states again every ten minutes although nothing changed; what is older says nothing.
TOLD_AGE_US_MAX = 12 * 60_000_000
#: An earlier range whose end lay within this of the next one's was not a slip.
SLIP_US = 5 * 60_000_000
SLIPS_SHOWN_MAX = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One service as one hospital sees it; state is UNKNOWN when nobody measured it lately."""

    hospital: Site
    state: str
    since: Instant | None
    at: Instant | None
    evidence: Bilingual | str

    @property
    def is_out(self) -> bool:
        """Say whether the hospital cannot count on it; an unknown state is nothing to count on."""
        return self.state != NORMAL


@dataclass(frozen=True, slots=True)
class Window:
    """When something is expected back.

    p50_at, p90_at  as likely before as after; nine times in ten before
    provisional     nothing had been measured that day
    """

    issued_at: Instant
    p50_at: Instant
    p90_at: Instant
    provisional: bool

    def is_over(self, now: Instant) -> bool:
        """Say whether the whole range lies behind us: then it says nothing any more."""
        return self.p90_at < now


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected now and what was announced before, oldest first; only what moved is kept."""

    now: Window | None
    before: tuple[Window, ...] = ()

    @property
    def has_slipped(self) -> bool:
        """Say whether the end moved later than once announced."""
        return self.now is not None and any(one.p90_at + SLIP_US < self.now.p90_at for one in self.before)


@dataclass(frozen=True, slots=True)
class Row:
    """One service.

    out       hospitals where it is not normal
    beds_out  beds of those hospitals; 0 where the estate does not say
    since     the earliest loss among them
    """

    unit: Unit
    cells: tuple[Cell, ...]
    state: str
    out: int
    beds_out: int
    since: Instant | None
    outlook: Outlook

    def counts(self) -> list[tuple[str, int]]:
        """Return (state, hospitals), worst first, for the states that occur."""
        found = [(state, sum(cell.state == state for cell in self.cells)) for state in WORST_FIRST]
        return [(state, count) for state, count in found if count]


@dataclass(frozen=True, slots=True)
class Place:
    """One hospital.

    missing  (service, state) of what it cannot count on, in the order in which care wants it back
    outlook  until when the last of them is back there
    """

    hospital: Site
    missing: tuple[tuple[Unit, str], ...]
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Situation:
    """The whole of it.

    places    hospitals that miss something, in the order of the estate
    out       hospitals that miss at least one service
    beds_out  their beds; beds is of all hospitals, 0 where the estate does not say
    after     units without whose return the clock of the forecast does not run
    waits     (P50, P90) in seconds after their return, for essential and last
    """

    rows: tuple[Row, ...]
    places: tuple[Place, ...]
    hospitals: int
    out: int
    beds: int
    beds_out: int
    essential: Outlook
    last: Outlook
    after: tuple[str, ...]
    waits: Mapping[str, Span]


def situation(
    estate: Estate, measured: Iterable[Measured], forecasts: Sequence[Forecast], now: Instant, *, own: str = ""
) -> Situation:
    """Return the situation as of now.

    measured   later readings of a pair replace earlier ones
    forecasts  every published one of this recovery, oldest first
    own        this node's hospital, whose states are measured here and must be fresh
    """
    newest: dict[tuple[str, str], Measured] = {}
    for one in measured:
        held = newest.get((one.service, one.hospital))
        if held is None or held.at <= one.at:
            newest[one.service, one.hospital] = one
    rows = tuple(_row(estate, unit, newest, forecasts, now, own) for unit in estate.services())
    out = {cell.hospital.id for row in rows for cell in row.cells if cell.is_out}
    current = forecasts[-1] if forecasts else None
    waits: dict[str, Span] = {}
    if current is not None and current.after:
        for name, span in (("essential", current.essential), ("last", current.last)):
            if span is not None:
                waits[name] = span
    return Situation(
        rows,
        places=tuple(_places(estate, rows, forecasts)),
        hospitals=len(estate.hospitals()),
        out=len(out),
        beds=sum(site.beds for site in estate.hospitals()),
        beds_out=sum(site.beds for site in estate.hospitals() if site.id in out),
        essential=outlook([(one, one.essential) for one in forecasts]),
        last=outlook([(one, one.last) for one in forecasts]),
        after=current.after if current is not None else (),
        waits=waits,
    )


def outlook(spans: Sequence[tuple[Forecast, Span | None]]) -> Outlook:
    """Return the range in force beside those that were announced before and moved."""
    windows = [window(forecast, span) for forecast, span in spans]
    current = windows[-1] if windows else None
    said = [one for one in windows[:-1] if one is not None]
    before: list[Window] = []
    for one in said:
        if not before or abs(one.p90_at - before[-1].p90_at) >= SLIP_US:
            before.append(one)
    if current is not None and before and abs(before[-1].p90_at - current.p90_at) < SLIP_US:
        before.pop()
    return Outlook(current, tuple(before[-SLIPS_SHOWN_MAX:]))


def window(forecast: Forecast, span: Span | None) -> Window | None:
    """Return a span as clock times; None when its clock does not run yet or nothing can be said."""
    if span is None or forecast.after:
        return None
    issued = forecast.issued_at
    return Window(issued, issued + round(span.p50_s * 1e6), issued + round(span.p90_s * 1e6), forecast.provisional)


def _places(estate: Estate, rows: Sequence[Row], forecasts: Sequence[Forecast]) -> Iterable[Place]:
    for site in estate.hospitals():
        missing = tuple(
            (row.unit, cell.state) for row in rows for cell in row.cells if cell.hospital.id == site.id and cell.is_out
        )
        if missing:
            yield Place(site, missing, outlook([(one, one.hospitals.get(site.id)) for one in forecasts]))


def _until_released(forecast: Forecast, unit: str) -> Span | None:
    """Return until when a service is back in care: after its last release, where it has any."""
    spans = [span for name, span in forecast.units.items() if name == unit or name.startswith(f"{unit}/")]
    if not spans:
        return None
    return Span(max(span.p50_s for span in spans), max(span.p90_s for span in spans))


def _row(
    estate: Estate,
    unit: Unit,
    newest: Mapping[tuple[str, str], Measured],
    forecasts: Sequence[Forecast],
    now: Instant,
    own: str,
) -> Row:
    cells = tuple(
        _cell(site, newest.get((unit.id, site.id)), now, own)
        for site in estate.hospitals()
        if site.id in unit.hospitals
    )
    out = [cell for cell in cells if cell.is_out]
    state = next((state for state in WORST_FIRST if any(cell.state == state for cell in cells)), UNKNOWN)
    return Row(
        unit,
        cells,
        state,
        len(out),
        sum(cell.hospital.beds for cell in out),
        min((cell.since for cell in out if cell.since is not None), default=None),
        outlook([(one, _until_released(one, unit.id)) for one in forecasts]) if out else Outlook(None),
    )


def _cell(site: Site, measured: Measured | None, now: Instant, own: str) -> Cell:
    if measured is None:
        return Cell(site, UNKNOWN, None, None, "")
    if now - measured.at > (CHECKED_AGE_US_MAX if site.id == own else TOLD_AGE_US_MAX):
        return Cell(site, UNKNOWN, measured.at, measured.at, measured.evidence)
    return Cell(site, measured.state, measured.since, measured.at, measured.evidence)
