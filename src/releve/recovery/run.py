"""The run: bring everything up for real, or take it down, several at a time, each step proved by its probe.

The same dispatch as the plan decides what starts next, with reality in place of the durations. Where the run stands is
what its journal says (`past`): each line is written before it counts, so a run that was killed goes on from its own
journal, and what people decided meanwhile is obeyed then. A failure is named, blocks what needs it, and nothing else;
people decide whether it is tried again or left out, and the order of what is left is made anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from random import Random

from releve.clock import Instant, wall_us
from releve.errors import StoreUnable
from releve.estate import Estate, Unit
from releve.recovery.bound import lower_bound
from releve.recovery.desk import Desk
from releve.recovery.dispatch import Dispatch
from releve.recovery.driver import Carrier
from releve.recovery.folder import Decision
from releve.recovery.journal import Happened, Kind
from releve.recovery.outcome import WELL, RunResult, StepResult, summary
from releve.recovery.past import RESTART, STOP, Ended, Past, note
from releve.recovery.people import People, Question
from releve.recovery.probe import probe
from releve.recovery.problem import Problem, Task, restart_problem, stop_problem
from releve.recovery.search import search
from releve.recovery.step import Ask, CarryOut, Steps

__all__ = ["RunResult", "StepResult", "restart", "shutdown"]

#: Decisions are looked for this often: "within a second", with room for what the second is spent on.
LOOK_S = 0.25

#: So many units are asked at the same time whether they are still up, when a run is resumed.
LOOKS_MAX = 100

#: A step that takes this many times its P90 has left the plan.
OVERRUN_TIMES = 1.5

#: How long the search goes on when the rest is planned again: the run, and every decision, waits for it. A small
#: estate is planned by tries, so that the same journal gives the same order.
REPLAN_SMALL, REPLAN_TRIES, REPLAN_CPU_S = 300, 20, 0.2

#: Failures that come together are one reason to plan again.
REPLAN_S_MIN = 2.0

_LOG = logging.getLogger(__name__)

OnEvent = Callable[[Happened], None]
NewDecisions = Callable[[], Iterable[Decision]]


async def restart(
    estate: Estate,
    on_event: OnEvent,
    *,
    carry_out: CarryOut | None = None,
    ask: Ask = probe,
    now: Callable[[], Instant] = wall_us,
    past: Past | None = None,
    decisions: NewDecisions | None = None,
    waits: bool = False,
) -> RunResult:
    """Bring everything up, in the order of the plan as far as reality lets it, and return how it went.

    on_event   called with each line of the journal, at once, from this task; what it raises ends the run
    carry_out  runs commands; given none, the drivers of the estate
    ask        asks probes
    past       where an earlier process of this run left it; given none, the run is new
    decisions  returns what people decided since it was called last; given none, nobody can decide
    waits      whether the run stays when only people can bring it further; otherwise it ends with what is left
    """
    past = past or Past()
    doubted = [u.id for u in estate.units.values() if u.check and (u.id not in past.clean or u.id in past.unclean)]
    at = past.began_at or now()
    problem = restart_problem(estate, unclean=doubted, at=at)
    run = _Run(estate, problem, RESTART, past, _World(on_event, carry_out or Carrier(estate), ask, now, decisions))
    return await run.all(waits=waits)


async def shutdown(
    estate: Estate,
    on_event: OnEvent,
    *,
    carry_out: CarryOut | None = None,
    ask: Ask = probe,
    now: Callable[[], Instant] = wall_us,
    past: Past | None = None,
    decisions: NewDecisions | None = None,
    waits: bool = False,
) -> RunResult:
    """Take everything down, most dependent first and what everything stands on last, and return how it went.

    A unit that does not go down blocks the stop of what it stands on: its data would be cut off under it. Arguments as
    in restart.
    """
    world = _World(on_event, carry_out or Carrier(estate), ask, now, decisions)
    run = _Run(estate, stop_problem(estate), STOP, past or Past(), world)
    return await run.all(waits=waits)


@dataclass(frozen=True)
class _World:
    """What a run acts on and hears from."""

    on_event: OnEvent
    carry_out: CarryOut
    ask: Ask
    now: Callable[[], Instant]
    decisions: NewDecisions | None


@dataclass
class _Run:
    """One run. Its state is its past; dispatch and running tasks follow from it."""

    estate: Estate
    problem: Problem
    act: str
    past: Past
    world: _World
    _running: dict[asyncio.Task[None], int] = field(default_factory=dict)
    _began: dict[int, float] = field(default_factory=dict)
    _stepping: asyncio.Task[None] | None = None
    is_cancelled: bool = False
    _stale: bool = False
    _replan: str = ""
    _replanned: float = float("-inf")

    def __post_init__(self) -> None:
        self.people = People(self._ask_person, can_answer=self.world.decisions is not None)
        self._steps = Steps(
            self.estate, self.past, self.tell, self.world.carry_out, self.world.ask, self.world.now, self.people
        )
        self._desk = Desk(self)
        self._number = self.problem.number()
        self._priority = self._planned(again=False)
        self._dispatch = Dispatch(self.problem, self._priority)

    async def all(self, *, waits: bool) -> RunResult:
        """Take every step when the dispatch lets it."""
        self._loop = asyncio.get_running_loop()
        await self._begin_or_resume()
        self._rebuild()
        self._desk.redo()
        if self.past.back and not self._stepping:
            self.take_back(set(self.past.back))
        try:
            while True:
                self._desk.obey(self.world.decisions() if self.world.decisions is not None else ())
                if self._stale:
                    self._rebuild()
                self._plan_again()
                if not (self.past.is_paused or self.is_cancelled or self._stepping):
                    for task in self._dispatch.start(self._loop.time() - self._began_at):
                        self._begin(task)
                if self._is_over(waits=waits):
                    break
                await self._something()
        finally:
            await self._let_go()
        return self._result()

    async def _begin_or_resume(self) -> None:
        resumed = bool(self.past.began_at)
        if not resumed:
            self.past.began_at = self.world.now()
        self._began_at = self._loop.time() - max((self.world.now() - self.past.began_at) / 1e6, 0.0)
        if not resumed:
            self.tell("run-began", detail=f"{self.problem.size} steps of {self.estate.name.en}", act=self.act)
            return
        fallen = await self._fallen()
        again = f"; {', '.join(fallen)} answer no more and are started again" if fallen else ""
        done = sum(ended.state in WELL for ended in self.past.ended.values())
        self.tell("run-resumed", detail=f"{done} of {self.problem.size} steps were done{again}", act=self.act)
        for unit in fallen:
            self.past.forget(unit)

    async def _fallen(self) -> list[str]:
        """Return what was up and, asked afresh, is not: what is finished stays finished, as far as that is true."""
        if self.act != RESTART:
            return []
        up = [name for name, one in self.past.ended.items() if one.state in ("up", "already-up")]
        units = [self.estate.units[name] for name in up if name in self.estate.units]
        gate = asyncio.Semaphore(LOOKS_MAX)

        async def look(unit: Unit) -> bool:
            async with gate:
                return await self._steps.look_again(unit)

        well = await asyncio.gather(*map(look, units))
        return [unit.id for unit, ok in zip(units, well, strict=True) if not ok]

    # Dispatch and the tasks that run.

    def _rebuild(self) -> None:
        """Make the dispatch anew from what the journal says and what runs."""
        self._stale = False
        running = sorted(self._running.values())
        done, lost = [], []
        for number, task in enumerate(self.problem.tasks):
            if number in running:
                continue
            state = self._state(task)
            if state in WELL:
                done.append(number)
            elif state:
                lost.append(number)
        self._dispatch = Dispatch(self.problem, self._priority)
        self._dispatch.resume(done, running, lost)
        self._tell_blocked(number for number in range(self.problem.size) if self._dispatch.is_blocked(number))

    def _state(self, task: Task) -> str:
        if task.unit in self.past.skipped:
            return "skipped"
        ended = self.past.ended.get(task.name)
        if ended is None:
            return ""
        if task.act == "release" and not task.asks and ended.state == "released":
            # A wave that was let in counts once it had time to sign on.
            since_s = (self.world.now() - ended.at) / 1e6
            return "released" if since_s >= self._sign_on_s(task) else ""
        return ended.state

    def _begin(self, number: int) -> None:
        task = self.problem.tasks[number]
        future = asyncio.ensure_future(self._treat(task))
        future.set_name(task.name)
        self._running[future] = number
        self._began[number] = self._loop.time()

    async def _treat(self, task: Task) -> None:
        try:
            await self._take(task)
        except StoreUnable:
            raise
        except Exception as error:  # noqa: BLE001 - top of a task: a fault in one step must not end all the others
            _LOG.exception("a step ended by a fault of ours", extra={"step": task.name})
            kind: Kind = "check-failed" if task.act == "check" else "refused" if task.act == "release" else "failed"
            self.tell(kind, task.unit, f"a fault of Relève, not of the unit: {error!r}", hospital=task.hospital)

    async def _take(self, task: Task) -> None:
        unit = self.estate.units[task.unit]
        match task.act:
            case "start":
                await self._steps.bring_up(unit)
            case "stop":
                await self._steps.take_down(unit)
            case "check":
                if unit.id in self.past.found_up and unit.id not in self.past.unclean:
                    # It was up all the time: there was no stop, so there is nothing to check after it.
                    self.past.ended[task.name] = Ended("checked", self.world.now(), None, "it never went down")
                else:
                    await self._steps.check(unit)
            case "release":
                await self._steps.release(task, self._sign_on_s(task))

    def _sign_on_s(self, task: Task) -> float:
        belief = self.problem.beliefs[self._number[task.name]]
        return belief.p50_s if belief is not None else 0.0

    async def _something(self) -> None:
        """Wait until a step ends, or it is time to look for decisions."""
        waited = {*self._running, *((self._stepping,) if self._stepping else ())}
        if waited:
            await asyncio.wait(waited, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(LOOK_S)
        for future in [one for one in self._running if one.done()]:
            number = self._running.pop(future)
            if future.cancelled():
                self._stale = True
                continue
            future.result()
            self._finish(number)
        if self._stepping is not None and self._stepping.done():
            self._stepping.result()
            self._stepping, self._stale = None, True
            self._replan = "a step back"
        if self._stale:
            self._rebuild()
        self._look_at_time()

    def _finish(self, number: int) -> None:
        task = self.problem.tasks[number]
        if self._stale:
            return  # the dispatch is made anew from the journal in any case
        ended = self.past.ended.get(task.name)
        ok = task.unit in self.past.skipped or (ended is not None and ended.state in WELL)
        self._tell_blocked(self._dispatch.finish(number, ok=ok))
        if not ok:
            self._replan = self._replan or f"{task.name} did not succeed"

    def _tell_blocked(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            task = self.problem.tasks[number]
            if task.act in ("start", "stop") and ("blocked", task.name) not in self.past.told:
                self.tell("blocked", task.unit, self._why_blocked(number))

    def _why_blocked(self, number: int) -> str:
        causes = [
            self.problem.tasks[member].name
            for members in self.problem.groups[number]
            for member in members
            if self._dispatch.is_blocked(member) or self._state(self.problem.tasks[member]) in ("failed", "refused")
        ]
        return f"needs {' and '.join(dict.fromkeys(causes))}, which did not succeed"

    def _is_over(self, *, waits: bool) -> bool:
        if self._stepping:
            return False
        if self._running:
            only_people = all(self.people.waits(self.problem.tasks[one].name) for one in self._running.values())
            return only_people and not waits and not self.past.is_paused
        if self.is_cancelled:
            return True
        if self._dispatch.done < self.problem.size:
            return False  # paused, or a shift has to begin
        return not (waits and self.people.can_answer and any(self._is_lost(task) for task in self.problem.tasks))

    def _is_lost(self, task: Task) -> bool:
        return self._state(task) in ("failed", "refused")

    async def _let_go(self) -> None:
        running = [*self._running, *((self._stepping,) if self._stepping else ())]
        for future in running:
            future.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # The plan of what is left.

    def _planned(self, *, again: bool) -> list[float]:
        """Return the rank of each task in the best order found for what is left."""
        durations = self.problem.believed_s()
        for number, task in enumerate(self.problem.tasks):
            if self._state(task):
                durations[number] = 0.0
            elif number in self._began:
                gone_s = self._loop.time() - self._began[number]
                durations[number] = max(durations[number] - gone_s, durations[number] * 0.1)
        rng = Random(1)  # noqa: S311 - a search, not a secret
        is_small = self.problem.size < REPLAN_SMALL
        tries = REPLAN_TRIES if again and is_small else None
        cpu_s = REPLAN_CPU_S if again and not is_small else None
        starts, ends = search(self.problem, durations, rng, tries, cpu_s=cpu_s)
        order = sorted(range(self.problem.size), key=lambda number: (starts[number], ends[number]))
        ranks = [0.0] * self.problem.size
        for rank, number in enumerate(order):
            ranks[number] = float(rank)
        return ranks

    def _plan_again(self) -> None:
        """Make the order of what is left anew, when reality has left the plan."""
        if not self._replan or self._stepping or self._loop.time() < self._replanned + REPLAN_S_MIN:
            return
        why, self._replan, self._replanned = self._replan, "", self._loop.time()
        left = sum(1 for number, task in enumerate(self.problem.tasks) if self._can_still_come(number, task))
        if not left:
            return
        self._priority = self._planned(again=True)
        self.tell("replanned", detail=f"{why}; {left} steps are left")
        self._rebuild()

    def _can_still_come(self, number: int, task: Task) -> bool:
        return not self._state(task) and not self._dispatch.is_blocked(number)

    def _look_at_time(self) -> None:
        """Tell which step takes far longer than anybody believed; it is waited for all the same."""
        for number in self._running.values():
            task, belief = self.problem.tasks[number], self.problem.beliefs[number]
            is_told = ("overrun", task.name) in self.past.told
            if task.act == "release" or belief is None or is_told or self.people.waits(task.name):
                continue
            gone_s = self._loop.time() - self._began[number]
            if gone_s > OVERRUN_TIMES * belief.p90_s:
                detail = f"{gone_s:.0f} s; nine of ten were expected within {belief.p90_s:.0f} s"
                self.tell("overrun", task.unit, detail, act=task.act if task.act == "check" else "")
                self._replan = self._replan or f"{task.name} takes longer"

    # What decisions do.

    def state_of(self, task: Task) -> str:
        """Return how a step ended, "" when it has not."""
        return self._state(task)

    def is_running(self, task: Task) -> bool:
        """Return whether a step is being taken."""
        return self._number[task.name] in self._running.values()

    def drop(self, tasks: Collection[Task]) -> None:
        """Take no more care of steps that are being taken."""
        names = {task.name for task in tasks}
        for future, number in self._running.items():
            if self.problem.tasks[number].name in names:
                future.cancel()

    def changed(self, why: str) -> None:
        """Make dispatch and plan anew: a decision has changed what is left."""
        self._stale, self._replan = True, why

    def cancel(self) -> None:
        """Start nothing new, and wait no more for people and for what comes by itself."""
        self.is_cancelled = True
        for future, number in self._running.items():
            task = self.problem.tasks[number]
            comes = task.act == "start" and self.estate.units[task.unit].start is None
            if task.act == "release" or comes or self.people.waits(task.name):
                future.cancel()

    @property
    def is_stepping_back(self) -> bool:
        """Return whether units are being stopped again."""
        return self._stepping is not None

    def take_back(self, units: set[str]) -> None:
        """Stop units again and start nothing meanwhile; afterwards they are brought up anew."""
        self.drop([task for task in self.problem.tasks if task.unit in units])
        self._stepping = asyncio.ensure_future(self._take_back(units))

    async def _take_back(self, units: set[str]) -> None:
        """Take units down, most dependent first; what does not go down stays, and is asked anew afterwards."""
        problem = stop_problem(self.estate)
        dispatch = Dispatch(problem, [0.0] * problem.size)
        dispatch.resume([number for number, task in enumerate(problem.tasks) if task.unit not in units], ())
        running: dict[asyncio.Task[bool], int] = {}
        try:
            while True:
                for number in dispatch.start():
                    unit: Unit = self.estate.units[problem.tasks[number].unit]
                    running[asyncio.ensure_future(self._steps.take_down(unit))] = number
                if not running:
                    break
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for future in done:
                    dispatch.finish(running.pop(future), ok=future.result())
        finally:
            for future in running:
                future.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for name in sorted(self.past.back):
            self.tell("left", name, "what stands on it did not go down, so it was not stopped")

    # Telling.

    def _ask_person(self, question: Question, before: str) -> None:
        detail = before + question.detail
        self.tell("asked", question.unit, detail, hospital=question.hospital, act=question.act)

    def tell(
        self,
        kind: Kind,
        unit: str = "",
        detail: str = "",
        *,
        began: float | None = None,
        took_s: float | None = None,
        hospital: str = "",
        by: str = "",
        decision: str = "",
        process: str = "",
        act: str = "",
        left: int | None = None,
    ) -> None:
        """Write a line of the journal; it is kept when this returns, and counts from then on."""
        if began is not None:
            took_s = self._loop.time() - began
        line = Happened(self.world.now(), kind, unit, detail, took_s, hospital, by, decision, process, act, left)
        self.world.on_event(line)
        note(self.past, line)

    def _result(self) -> RunResult:
        steps: dict[str, StepResult] = {}
        left: list[str] = []
        for number, task in enumerate(self.problem.tasks):
            ended = self.past.ended.get(task.name)
            if task.unit in self.past.skipped and (ended is None or ended.state not in WELL):
                steps[task.name] = StepResult(task.name, "skipped", None, 0.0, 0, "left out by a named decision")
            elif ended is not None:
                took_s = ended.took_s or 0.0
                began_s = max((ended.at - self.past.began_at) / 1e6 - took_s, 0.0)
                tries = self.past.tries.get(task.name, 0)
                steps[task.name] = StepResult(task.name, ended.state, began_s, took_s, tries, ended.detail)
            elif self._dispatch.is_blocked(number):
                steps[task.name] = StepResult(task.name, "blocked", None, 0.0, 0, self._why_blocked(number))
            else:
                left.append(task.name)
        makespan_s = self._loop.time() - self._began_at
        # What never began took no time of anybody, so the bound stays one.
        took = [steps[name].took_s if name in steps else 0.0 for name in self.problem.names]
        bound = lower_bound(self.problem, took)
        order = tuple(
            name for name in self.past.ended if name in self.estate.units and self.past.ended[name].state in WELL
        )
        result = RunResult(self.past.began_at, makespan_s, bound.least_s, bound.bottleneck, order, steps, tuple(left))
        undone = len(result.failed) + len(result.blocked) + len(left)
        self.tell("run-ended", detail=summary(result), took_s=makespan_s, act=self.act, left=undone)
        return result
