"""The report as a value: what was measured, what happened, what is expected, what is known of the cause.

The fields follow the record of EDXL-SitRep 1.0 where it has them: number, person and time, period, confidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from releve.clock import Instant
from releve.estate import Bilingual, Estate, Impact, Unit, impact
from releve.recovery.forecast import Forecast
from releve.recovery.journal import Happened
from releve.recovery.probe import Reading
from releve.sitrep.wording import seen

State = Literal["normal", "degraded", "down", "returning", "unknown"]
Phase = Literal["unmeasured", "cut", "restart", "back"]
Topic = Literal["care", "emergency", "cause", "staff"]

#: Worst first: the order in which a reader needs them.
STATES: tuple[State, ...] = ("down", "returning", "degraded", "unknown", "normal")


@dataclass(frozen=True, slots=True)
class Measured:
    """The state of one service as one hospital sees it.

    since     when this state began; None: not known
    at        when it was measured
    evidence  what was seen, from wording.seen() or as a plain sentence
    """

    service: str
    hospital: str
    state: State
    since: Instant | None
    at: Instant
    evidence: Bilingual | str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that was seen to go.

    at        of the first reading that missed it
    back_at   of the first reading that found it again
    evidence  what was seen, as in Measured
    """

    unit: str
    at: Instant
    back_at: Instant | None = None
    evidence: Bilingual | str = ""


@dataclass(frozen=True, slots=True)
class Captured:
    """What the hospitals' own nodes took in while central systems were away: counts, never names."""

    admissions: int = 0
    results: int = 0
    notes: int = 0
    others: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.admissions + self.results + self.notes + self.others


@dataclass(frozen=True, slots=True)
class Care:
    """What is measured about the work at the hospitals.

    open      hospital → whether its own node answered when it was asked
    captured  since the loss; None: not counted
    owed      events still to be written back to central systems; None: not counted
    refused   events that a central system refused, for a person to settle
    """

    open: Mapping[str, bool] = field(default_factory=dict)
    captured: Captured | None = None
    owed: int | None = None
    accepted: int | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """Words of a named person about what Relève cannot measure."""

    topic: Topic
    words: Bilingual
    by: str
    at: Instant


@dataclass(frozen=True)
class SituationReport:
    """One report. Superseded ones keep their number and their words.

    states      (service, hospital) → what was measured; absent pairs were not
    earlier     forecasts of the reports before, oldest first
    every_s     how far apart the readings behind `losses` lie: their order within that is not certain
    explained   what falls with the first loss, by the estate
    """

    number: int
    estate: Estate
    issued_at: Instant
    next_at: Instant
    is_exercise: bool
    states: Mapping[tuple[str, str], Measured]
    losses: tuple[Loss, ...]
    journal: tuple[Happened, ...]
    forecast: Forecast | None
    earlier: tuple[Forecast, ...]
    care: Care
    declared: tuple[Declared, ...]
    every_s: float
    explained: Impact | None

    @property
    def phase(self) -> Phase:
        """Return which of four shapes the report has."""
        if not self.states:
            return "unmeasured"
        if all(self.state_at(unit, hospital) == "normal" for unit in self.services() for hospital in unit.hospitals):
            return "back"
        if any(line.kind in ("start-began", "up") and line.unit for line in self.journal):
            return "restart"
        return "cut"

    def services(self) -> tuple[Unit, ...]:
        """Return the services, in the order in which care wants them back."""
        return self.estate.services()

    def state_at(self, unit: Unit, hospital: str) -> State:
        """Return the state of a service at a hospital; what answers and is not released to care is still returning."""
        measured = self.states.get((unit.id, hospital))
        if measured is None:
            return "unknown"
        return "returning" if measured.state == "normal" and hospital in self.unreleased(unit) else measured.state

    def unreleased(self, unit: Unit) -> frozenset[str]:
        """Return the hospitals that wait for a person to release a service that is up; none where nobody must."""
        return self._unreleased.get(unit.id, frozenset())

    @cached_property
    def _unreleased(self) -> dict[str, frozenset[str]]:
        waiting: dict[str, set[str]] = {}
        gated = {unit.id: unit for unit in self.services() if unit.release}
        for line in self.journal:
            if line.unit not in gated:
                continue
            if line.kind in ("up", "already-up"):
                waiting[line.unit] = set(gated[line.unit].hospitals)
            elif line.kind == "released" or (line.kind == "skipped" and line.act == "release"):
                passed = {line.hospital} if line.hospital else set(gated[line.unit].hospitals)
                waiting.setdefault(line.unit, set()).difference_update(passed)
        return {unit: frozenset(hospitals) for unit, hospitals in waiting.items() if hospitals}

    def by_state(self, unit: Unit) -> dict[State, list[str]]:
        """Return state → hospitals for one service, worst state first; what was not measured is unknown."""
        found: dict[State, list[str]] = {}
        for hospital in unit.hospitals:
            found.setdefault(self.state_at(unit, hospital), []).append(hospital)
        return {state: found[state] for state in STATES if state in found}

    def worst(self, unit: Unit) -> State:
        """Return the worst state of a service over its hospitals; unknown when it was measured nowhere."""
        return next(iter(self.by_state(unit)), "unknown")

    def since(self, unit: Unit, state: State) -> Instant | None:
        """Return when the first hospital came to see a service in this state."""
        found = [
            measured.since
            for hospital in unit.hospitals
            if (measured := self.states.get((unit.id, hospital)))
            and self.state_at(unit, hospital) == state
            and measured.since is not None
        ]
        return min(found, default=None)

    def declarations(self, topic: Topic) -> list[Declared]:
        """Return what people declared about a topic, in time order."""
        return sorted((one for one in self.declared if one.topic == topic), key=lambda one: one.at)

    def ups(self) -> list[Happened]:
        """Return the journal's returns, in time order, each unit once, as it last returned."""
        last = {line.unit: line for line in self.journal if line.kind in ("up", "already-up") and line.unit}
        return sorted(last.values(), key=lambda line: line.at)


def draft(
    estate: Estate,
    *,
    number: int,
    at: Instant,
    next_at: Instant,
    measured: Iterable[Measured] = (),
    losses: Sequence[Loss] = (),
    journal: Sequence[Happened] = (),
    forecast: Forecast | None = None,
    earlier: Sequence[Forecast] = (),
    care: Care | None = None,
    declared: Sequence[Declared] = (),
    every_s: float = 0.0,
    is_exercise: bool = False,
) -> SituationReport:
    """Return a report drafted from facts.

    measured  states by hospital; later readings of a pair replace earlier ones; readings after `at` are left out
    losses    what went, in any order; the first one decides what the estate can explain
    journal   of the restart, so far
    forecast  the one to publish now; earlier ones are shown beside it
    """
    states: dict[tuple[str, str], Measured] = {}
    for one in sorted(measured, key=lambda one: one.at):
        if one.at <= at:
            states[one.service, one.hospital] = one
    known = sorted((loss for loss in losses if loss.at <= at and loss.unit in estate.units), key=lambda loss: loss.at)
    return SituationReport(
        number=number,
        estate=estate,
        issued_at=at,
        next_at=next_at,
        is_exercise=is_exercise,
        states=states,
        losses=tuple(known),
        journal=tuple(line for line in journal if line.at <= at),
        forecast=forecast,
        earlier=tuple(earlier),
        care=care or Care(),
        declared=tuple(declared),
        every_s=every_s,
        explained=impact(estate, _first_lost(estate, known, every_s)) if known else None,
    )


#: What a reading says of a service; every other one says that it is down.
_OF_READING: dict[str, State] = {"up": "normal", "weak": "degraded", "starting": "returning"}


def one_view(
    estate: Estate, readings: Mapping[str, Reading], *, since: Mapping[str, Instant] | None = None
) -> list[Measured]:
    """Return readings of one place as what every hospital sees: for when only the centre itself was asked."""
    found = []
    for unit in estate.services():
        reading = readings.get(unit.id)
        if reading is None:
            continue
        state = _OF_READING.get(reading.state, "down")
        began = (since or {}).get(unit.id)
        evidence = seen(reading.state, reading.detail)
        found += [Measured(unit.id, one, state, began, reading.at, evidence) for one in unit.hospitals]
    return found


def _first_lost(estate: Estate, losses: Sequence[Loss], every_s: float) -> list[str]:
    """Return what was lost first: with the first loss count the feeds lost within one round of readings."""
    first = losses[0]
    window = first.at + int(max(every_s, 1.0) * 1e6)
    feeds = {unit.id for unit in estate.feeds()}
    together = [loss.unit for loss in losses if loss.at <= window and loss.unit in feeds]
    return together or [first.unit]
