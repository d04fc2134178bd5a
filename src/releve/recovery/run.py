"""The run: bring everything up for real, or take it down, several at a time, each step proved by its probe.

The same dispatch as the plan decides what starts next, with reality in place of the durations. A unit whose probe
passes already is left alone, so a run that was cut short can simply be run again. A failure is named, blocks what needs
it, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from releve.clock import Instant, wall_us
from releve.estate import Command, Estate, Unit
from releve.recovery.bound import lower_bound
from releve.recovery.dispatch import Dispatch
from releve.recovery.journal import Happened, Kind
from releve.recovery.launch import Launched, launch
from releve.recovery.plan import make_plan
from releve.recovery.probe import Reading, probe
from releve.recovery.problem import Problem, believed_s, restart_problem, stop_problem

#: Pauses between two askings of a probe: a short start is noticed at once, a long one is not pestered.
PAUSE_S_MIN, PAUSE_S_MAX = 0.05, 2.0

#: The pause as a share of the believed duration: an error of one part in forty of what is measured.
PAUSE_SHARE = 1 / 40

OnEvent = Callable[[Happened], None]


class Launch(Protocol):
    """Whatever carries out a command: a local program here, SSH or Redfish later."""

    def __call__(self, command: Command, /) -> Awaitable[Launched]:
        """Run it to its end, or until it stays."""


class Ask(Protocol):
    """Whatever asks a probe."""

    def __call__(self, url: str, timeout_s: float, /) -> Awaitable[Reading]:
        """Return a fresh reading."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one unit.

    state    up, already-up, failed, blocked; of a stop: down, already-down, left, failed, blocked
    began_s  seconds from the beginning of the run; None when it never began
    took_s   from its beginning until it was proved, or given up
    tries    commands that were run
    detail   the last sentence of its probe or of its failure
    """

    unit: str
    state: Literal["up", "already-up", "down", "already-down", "left", "failed", "blocked"]
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
    """

    began_at: Instant
    makespan_s: float
    bound_s: float
    bottleneck: str | None
    order: tuple[str, ...]
    steps: dict[str, StepResult] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Return whether everything came back (or went down)."""
        return not self.failed and not self.blocked

    @property
    def failed(self) -> tuple[str, ...]:
        """Units whose every try failed."""
        return tuple(step.unit for step in self.steps.values() if step.state == "failed")

    @property
    def blocked(self) -> tuple[str, ...]:
        """Units that were not tried, because something they need failed."""
        return tuple(step.unit for step in self.steps.values() if step.state == "blocked")

    @property
    def ratio(self) -> float:
        """Makespan over the bound: 1.0 cannot be beaten."""
        return self.makespan_s / self.bound_s if self.bound_s > 0 else 1.0


async def restart(
    estate: Estate,
    on_event: OnEvent,
    *,
    carry_out: Launch = launch,
    ask: Ask = probe,
    now: Callable[[], Instant] = wall_us,
) -> RunResult:
    """Bring everything up, in the order of the plan as far as reality lets it, and return how it went.

    on_event   called with each line of the journal, at once, from this task
    carry_out  runs start commands
    ask        asks probes
    """
    plan = make_plan(estate)
    run = _Run(estate, on_event, carry_out, ask, now)
    problem = restart_problem(estate)
    return await run.all(problem, [plan.priority[name] for name in problem.names], run.bring_up)


async def shutdown(
    estate: Estate,
    on_event: OnEvent,
    *,
    carry_out: Launch = launch,
    ask: Ask = probe,
    now: Callable[[], Instant] = wall_us,
) -> RunResult:
    """Take everything down, most dependent first and what everything stands on last, and return how it went.

    A unit that does not go down blocks the stop of what it stands on: its data would be cut off under it.
    """
    run = _Run(estate, on_event, carry_out, ask, now)
    problem = stop_problem(estate)
    return await run.all(problem, [0.0] * problem.size, run.take_down)


class _Run:
    """One run: its clock, its journal, and the two ways to treat a unit."""

    def __init__(
        self, estate: Estate, on_event: OnEvent, carry_out: Launch, ask: Ask, now: Callable[[], Instant]
    ) -> None:
        self._estate = estate
        self._on_event = on_event
        self._carry_out = carry_out
        self._ask = ask
        self._now = now
        self._began = 0.0

    async def all(
        self, problem: Problem, priority: list[float], treat: Callable[[Unit], Awaitable[StepResult]]
    ) -> RunResult:
        """Treat every unit when the dispatch lets it."""
        began_at, self._began = self._now(), time.monotonic()
        self._tell("run-began", detail=f"{problem.size} units of {self._estate.name.en}")
        dispatch = Dispatch(problem, priority)
        steps: dict[str, StepResult] = {}
        order: list[str] = []
        running: dict[asyncio.Task[StepResult], int] = {}
        try:
            while True:
                for task in dispatch.start():
                    unit = self._estate.units[problem.names[task]]
                    running[asyncio.ensure_future(treat(unit))] = task
                if not running:
                    break
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for future in done:
                    task, step = running.pop(future), future.result()
                    steps[step.unit] = step
                    if step.state != "failed":
                        order.append(step.unit)
                    for blocked in dispatch.finish(task, ok=step.state != "failed"):
                        steps[problem.names[blocked]] = self._blocked(problem, blocked, steps)
        finally:
            for future in running:
                future.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        makespan_s = time.monotonic() - self._began
        # What never began took no time of anybody, so the bound stays one.
        took = [steps[name].took_s if steps[name].began_s is not None else 0.0 for name in problem.names]
        bound = lower_bound(problem, took)
        result = RunResult(began_at, makespan_s, bound.least_s, bound.bottleneck, tuple(order), steps)
        self._tell("run-ended", detail=_summary(result), took_s=makespan_s)
        return result

    async def bring_up(self, unit: Unit) -> StepResult:
        """Start one unit and wait until its probe passes; a unit without a command is only waited for."""
        began = time.monotonic()
        reading = await self._read(unit)
        if reading is not None and reading.ok:
            self._tell("already-up", unit, reading.detail)
            return self._step(unit, "already-up", began, 0, reading.detail)
        if unit.start is None:
            return await self._wait_for(unit, began)
        detail = ""
        for attempt in range(1, unit.tries + 1):
            self._tell("start-began", unit, f"try {attempt} of {unit.tries}")
            launched = await self._carry_out(unit.start)
            detail = launched.detail
            if launched.ok:
                ok, detail = await self._until(unit, launched, want_up=True)
                if ok:
                    self._tell("up", unit, detail, began)
                    return self._step(unit, "up", began, attempt, detail)
            if attempt < unit.tries:
                launched.end()
                self._tell("try-failed", unit, detail, began)
        self._tell("failed", unit, detail, began)
        return self._step(unit, "failed", began, unit.tries, detail)

    async def take_down(self, unit: Unit) -> StepResult:
        """Stop one unit and wait until its probe fails."""
        began = time.monotonic()
        if unit.stop is None:
            self._tell("left", unit, "there is no command to stop it")
            return self._step(unit, "left", began, 0, "there is no command to stop it")
        reading = await self._read(unit)
        if reading is not None and reading.state == "refused":
            self._tell("already-down", unit, reading.detail)
            return self._step(unit, "already-down", began, 0, reading.detail)
        detail = ""
        for attempt in range(1, unit.tries + 1):
            self._tell("stop-began", unit, f"try {attempt} of {unit.tries}")
            launched = await self._carry_out(unit.stop)
            detail = launched.detail
            if launched.ok:
                ok, detail = await self._until(unit, launched, want_up=False)
                if ok:
                    self._tell("down", unit, detail, began)
                    return self._step(unit, "down", began, attempt, detail)
            if attempt < unit.tries:
                self._tell("try-failed", unit, detail, began)
        self._tell("failed", unit, detail, began)
        return self._step(unit, "failed", began, unit.tries, detail)

    async def _wait_for(self, unit: Unit, began: float) -> StepResult:
        if unit.probe is None:
            detail = "it comes by itself and has no probe: taken as up"
            self._tell("up", unit, detail, began)
            return self._step(unit, "up", began, 0, detail)
        self._tell("waiting", unit, f"asked until it passes, for {unit.up_within_s:g} s at most")
        ok, detail = await self._until(unit, None, want_up=True)
        kind: Literal["up", "failed"] = "up" if ok else "failed"
        self._tell(kind, unit, detail, began)
        return self._step(unit, kind, began, 0, detail)

    async def _until(self, unit: Unit, launched: Launched | None, *, want_up: bool) -> tuple[bool, str]:
        """Ask until the probe says what is wanted, the program ends, or the time is over."""
        if unit.probe is None:
            return True, "its command ended well; it has no probe, so nothing else proves it"
        deadline = time.monotonic() + unit.up_within_s
        pause_s = min(max(believed_s(unit) * PAUSE_SHARE, PAUSE_S_MIN), PAUSE_S_MAX)
        while True:
            reading = await self._read(unit)
            assert reading is not None
            # On the way down "starting" and "battery" still come from something that runs; silence is a host switched
            # off, and counts because the command that stopped it ended well.
            if reading.ok if want_up else reading.state not in ("up", "weak", "starting", "battery"):
                return True, reading.detail
            if launched is not None and (ended := launched.ended()) is not None:
                return False, f"{ended}; its probe said: {reading.detail}"
            if time.monotonic() > deadline:
                wanted = "up" if want_up else "down"
                return False, f"not {wanted} within {unit.up_within_s:g} s; its probe said: {reading.detail}"
            await asyncio.sleep(pause_s)

    async def _read(self, unit: Unit) -> Reading | None:
        return await self._ask(unit.probe, unit.probe_timeout_s) if unit.probe is not None else None

    def _blocked(self, problem: Problem, task: int, steps: dict[str, StepResult]) -> StepResult:
        name = problem.names[task]
        causes = [
            problem.names[member]
            for members in problem.groups[task]
            for member in members
            if (step := steps.get(problem.names[member])) and step.state in ("failed", "blocked")
        ]
        detail = f"needs {' and '.join(dict.fromkeys(causes))}, which did not succeed"
        self._tell("blocked", self._estate.units[name], detail)
        return StepResult(name, "blocked", None, 0.0, 0, detail)

    def _step(
        self,
        unit: Unit,
        state: Literal["up", "already-up", "down", "already-down", "left", "failed"],
        began: float,
        tries: int,
        detail: str,
    ) -> StepResult:
        return StepResult(unit.id, state, began - self._began, time.monotonic() - began, tries, detail)

    def _tell(
        self,
        kind: Kind,
        unit: Unit | None = None,
        detail: str = "",
        began: float | None = None,
        took_s: float | None = None,
    ) -> None:
        if began is not None:
            took_s = time.monotonic() - began
        self._on_event(Happened(self._now(), kind, unit.id if unit else "", detail, took_s))


def _summary(result: RunResult) -> str:
    parts = [f"{len(result.order)} of {len(result.steps)} in {result.makespan_s:.1f} s"]
    if result.failed:
        parts.append(f"failed: {', '.join(result.failed)}")
    if result.blocked:
        parts.append(f"blocked: {', '.join(result.blocked)}")
    return "; ".join(parts)
