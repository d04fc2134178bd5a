"""What became of the steps of a run, and of the run, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from releve.clock import Instant

StepState = Literal[
    "up",
    "already-up",
    "down",
    "already-down",
    "left",
    "checked",
    "released",
    "skipped",
    "failed",
    "refused",
    "blocked",
]

#: What ends a step well: whatever waits for it goes on.
WELL = frozenset({"up", "already-up", "down", "already-down", "left", "checked", "released", "skipped"})


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one step.

    unit     id of the unit; of a gate the name of its task, such as record/check or record/release/H07
    began_s  seconds from the beginning of the run; None when it never began
    took_s   from its beginning until it was proved, or given up
    tries    commands that were run
    detail   the last sentence of its probe or of its failure
    """

    unit: str
    state: StepState
    began_s: float | None
    took_s: float
    tries: int
    detail: str


@dataclass(frozen=True)
class RunResult:
    """How a run went.

    order         units in the order in which they were proved
    makespan_s    from the beginning to the last one
    bound_s       what no order could have beaten, given the durations as measured in this run
    bottleneck    the capacity that set that bound; None: the chain of needs
    left          steps that were neither done nor tried: the run was cancelled
    """

    began_at: Instant
    makespan_s: float
    bound_s: float
    bottleneck: str | None
    order: tuple[str, ...]
    steps: dict[str, StepResult] = field(repr=False)
    left: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether everything came back (or went down)."""
        return not self.failed and not self.blocked and not self.left

    @property
    def failed(self) -> tuple[str, ...]:
        """Steps whose every try failed, or that a person refused."""
        return tuple(step.unit for step in self.steps.values() if step.state in ("failed", "refused"))

    @property
    def blocked(self) -> tuple[str, ...]:
        """Steps that were not tried, because something they need failed."""
        return tuple(step.unit for step in self.steps.values() if step.state == "blocked")

    @property
    def ratio(self) -> float:
        """Makespan over the bound: 1.0 cannot be beaten."""
        return self.makespan_s / self.bound_s if self.bound_s > 0 else 1.0


def summary(result: RunResult) -> str:
    """Return a run in one sentence."""
    well = sum(step.state in WELL for step in result.steps.values())
    parts = [f"{well} of {len(result.steps) + len(result.left)} steps in {result.makespan_s:.1f} s"]
    for word, names in (("failed", result.failed), ("blocked", result.blocked), ("not done", result.left)):
        if names:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts)
