"""What an exercise leaves behind beside its folder: when things were first so, and who was asked what."""

from __future__ import annotations

from dataclasses import dataclass, field

from releve.clock import Instant
from releve.drill.scenario import Inject
from releve.recovery.bound import Bound
from releve.recovery.plan import Plan

#: Who answers when nobody else does. It is not a person, and the evidence says so.
CONTROL = "exercise control"

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a person was asked, and the answer.

    act        start, stop, check, release, or failed
    by         who answered; CONTROL when nobody did in time; "" while it is open
    """

    unit: str
    hospital: str
    act: str
    asked_at: Instant
    answered_at: Instant | None = None
    verb: str = ""
    by: str = ""

    @property
    def waited_s(self) -> float | None:
        """Return how long the answer took."""
        return None if self.answered_at is None else (self.answered_at - self.asked_at) / _US


@dataclass
class Moments:
    """When things were first so; None: never.

    seen_by  "probe", or "people" where nothing that fell is probed
    """

    began: Instant
    lost: Instant | None = None
    seen: Instant | None = None
    seen_by: str = ""
    declared: Instant | None = None
    first_forecast: Instant | None = None
    first_report: Instant | None = None
    restart_began: Instant | None = None
    restart_ended: Instant | None = None
    ended: Instant | None = None


@dataclass
class Played:
    """What an exercise left behind beside its folder."""

    moments: Moments
    questions: list[Question] = field(default_factory=list)
    reports: int = 0
    plan: Plan | None = None
    bound: Bound | None = None
    left: tuple[str, ...] = ()
    injected: list[tuple[Instant, Inject]] = field(default_factory=list)
