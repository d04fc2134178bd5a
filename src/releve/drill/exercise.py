"""One simulated exercise: the same dispatch and the same journal as a real restart, on a clock that does not wait.

    injects → what falls → probes see it → nodes declare it → forecasts, reports
            → the restart: dispatch, tries, checks, releases, questions to people and their decisions → everything back

Everything goes into a recovery folder as a real run would write it. Decisions come from the scenario, from whoever adds
them to the folder while it is played at a pace (`releve decide`, a page), or, when nobody answers in time, from
exercise control; whose answer it was is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from heapq import heappop, heappush
from random import Random

from releve.clock import Instant
from releve.drill.pace import AtOnce, Pace
from releve.drill.played import CONTROL, Moments, Played, Question
from releve.drill.scenario import Inject, Scenario, Scripted
from releve.drill.world import World
from releve.errors import Refused
from releve.estate import FEED, UPS, Estate, Unit
from releve.node.watch import ILL_READINGS
from releve.recovery.bound import lower_bound
from releve.recovery.dispatch import Dispatch
from releve.recovery.folder import Decision, RecoveryFolder, Verb
from releve.recovery.forecast import Forecast, forecast, progress_of
from releve.recovery.journal import Happened, Kind
from releve.recovery.plan import make_plan
from releve.recovery.problem import Problem, restart_problem

#: A node asks every service so often (config.probe_every_s).
PROBE_EVERY_S = 5.0

#: A forecast is made on change, but so many times in one restart and not more; each is kept and scored.
FORECASTS_MAX = 12
FORECAST_LEAST_EVERY_S = 60.0
FORECAST_RUNS = 100

#: Beyond this something goes round in circles: the exercise is ended and says so.
EVENTS_MAX = 100_000

#: While the exercise is paused and nothing runs, decisions are looked for so often, by its own clock.
PAUSED_LOOK_S = 60.0

_US = 1_000_000


#: Called for each report that is due, with the exercise as it stands.
OnReport = Callable[["Exercise"], None]


class Exercise:
    """One exercise from its first inject until everything is back, or nothing more can happen."""

    def __init__(
        self,
        estate: Estate,
        scenario: Scenario,
        folder: RecoveryFolder,
        at: Instant,
        *,
        on_report: OnReport,
        on_event: Callable[[Happened], None] = lambda _: None,
        pace: Pace | None = None,
        forecast_runs: int = FORECAST_RUNS,
    ) -> None:
        self.estate = estate
        self.world = World(estate, scenario)
        self.journal: list[Happened] = []
        self.forecasts: list[Forecast] = []
        self.played = Played(Moments(at))
        self.now_s = 0.0
        self.paused = self.cancelled = False
        self.scenario = scenario
        self._folder = folder
        self._on_report = on_report
        self._on_event = on_event
        self._pace = pace or AtOnce()
        self._forecast_runs = forecast_runs
        self._plan = make_plan(estate)
        self._began_at = at
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._rng = Random(f"{scenario.seed}:forecast")  # noqa: S311 - draws of a simulation
        self._problem: Problem | None = None
        self._dispatch: Dispatch | None = None
        self._order: list[float] = []
        self._running: dict[int, tuple[float, int]] = {}  # task → when it began, which event ends it
        self._tries: dict[int, int] = {}
        self._took: dict[int, float] = {}
        self._waiting: dict[str, int] = {}  # unit that comes by itself → task
        self._asked: dict[int, tuple[Question, int]] = {}  # task → question, which event is control's answer
        self._failed: set[int] = set()
        self._unclean: dict[str, None] = {}
        self._run_began_s = 0.0
        self._next_shift_s = 0.0
        self._firing = 0
        self._forecast_every_s = FORECAST_LEAST_EVERY_S
        self._last_forecast_s = -1e12
        self._decided = 0
        self._used: set[int] = set()

    def play(self) -> Played:
        """Play it and return what was measured; the journal, the decisions and the forecasts lie in the folder.

        raises  Refused  it does not come to an end
        """
        for inject in self.scenario.injects:
            self._later(inject.at_s, partial(self._inject, inject))
        for scripted in self.scenario.decisions:
            if scripted.at_s is not None:
                self._later(scripted.at_s, partial(self._script, scripted))
        events = 0
        while not self._is_over() and (self._events or self.paused):
            next_s = self._events[0][0] if self._events else self.now_s + PAUSED_LOOK_S
            decisions = self._pace.until(next_s)
            for at_s, decision in decisions:
                self.now_s = max(self.now_s, at_s)
                self._obey(decision)
            if not decisions:
                if not self._events and not self._pace.may_decide:
                    break
                self._fire_next(next_s)
                events += 1
            self._start_what_may()
            if events > EVENTS_MAX:
                raise Refused(
                    "drill.endless",
                    f"The exercise did not come to an end within {EVENTS_MAX} events; it stands at minute "
                    f"{self.now_s / 60:.0f}. What was played until then lies in {self._folder.path}.",
                )
        self._end()
        return self.played

    def _fire_next(self, next_s: float) -> None:
        self.now_s = max(self.now_s, next_s)
        if self._events:
            heappop(self._events)[2]()

    @property
    def now(self) -> Instant:
        """The moment that the clocks of the exercise show."""
        return self._began_at + round(self.now_s * _US)

    # What happens to the estate

    def _inject(self, inject: Inject) -> None:
        self.played.injected.append((self.now, inject))
        if inject.falls:
            self._fall(inject.falls)
        for unit in inject.returns:
            self._return(unit)
        moments = self.played.moments
        if inject.words is not None and moments.lost is not None and moments.seen is None:
            self._see("people")
        if self._problem is None and moments.lost is not None and self.scenario.restart_at_s is None:
            self._begin_when_nothing_is_waited_for()

    def _fall(self, units: Sequence[str]) -> None:
        new = self.world.fall(units, self.now_s)
        moments = self.played.moments
        if not new:
            return
        for unit in new:
            if self.estate.units[unit].start is not None:
                self._unclean.setdefault(unit)
                self._tell("unclean", unit, "it lost what it stands on before it was stopped")
            elif self.estate.units[unit].kind in (FEED, UPS):
                self._tell("power-lost", unit)
        if moments.lost is None:
            moments.lost = self.now
            probed = [unit for unit in new if self.estate.units[unit].probe is not None]
            if probed:
                seen_s = (self.now_s // PROBE_EVERY_S + 1) * PROBE_EVERY_S
                self._later(seen_s, lambda: self._see("probe"))
            elif not any(inject.words for inject in self.scenario.injects):
                self._later(self.now_s, lambda: self._see("people"))
            if self.scenario.restart_at_s is not None:
                self._later(self.scenario.restart_at_s, self._begin)
        if self._problem is not None:
            self._fall_back(new)

    def _return(self, unit: str) -> None:
        if unit not in self.world.down_s:
            return
        if self.estate.units[unit].start is None:
            self.world.bring(unit)
            if self.estate.units[unit].kind in (FEED, UPS):
                self._tell("power-back", unit)
            if unit in self._waiting:
                self._up(self._waiting.pop(unit))

    def _see(self, by: str) -> None:
        moments = self.played.moments
        if moments.seen is not None:
            return
        moments.seen, moments.seen_by = self.now, by
        declared_s = self.now_s + (ILL_READINGS - 1) * PROBE_EVERY_S if by == "probe" else self.now_s
        self._later(declared_s, self._declare)

    def _declare(self) -> None:
        self.played.moments.declared = self.now
        self._publish()
        self._later(self.now_s + self.scenario.report_after_s, self._report)
        if self._problem is None and self.scenario.restart_at_s is None:
            self._begin_when_nothing_is_waited_for()

    def _report(self) -> None:
        if self.played.moments.first_report is None:
            self.played.moments.first_report = self.now
        self._publish(least_s=0.0)
        self._on_report(self)
        self.played.reports += 1
        self._later(self.now_s + self.scenario.report_every_s, self._report)

    # The restart

    def _begin_when_nothing_is_waited_for(self) -> None:
        """Begin once all that comes by itself is back, or will not come: then it is waited for in the restart."""
        coming = {unit for inject in self.scenario.injects if inject.at_s > self.now_s for unit in inject.returns}
        if self.played.moments.declared is not None and not any(unit in self.world.down_s for unit in coming):
            self._begin()

    def _begin(self) -> None:
        if self._problem is not None:
            return
        self._problem = restart_problem(self.estate, unclean=tuple(self._unclean), at=self.now)
        self.played.plan = self._plan
        self.played.moments.restart_began = self.now
        ranks = self._plan.priority
        self._order = [
            ranks.get(name, ranks[task.unit])
            for name, task in zip(self._problem.names, self._problem.tasks, strict=True)
        ]
        self._dispatch = Dispatch(self._problem, self._order)
        self._run_began_s = self.now_s
        self._forecast_every_s = max(
            FORECAST_LEAST_EVERY_S, self._plan.makespan_s * self.scenario.factor / FORECASTS_MAX
        )
        self._tell("run-began", "", f"EXERCICE: {self._problem.size} steps of {self.estate.name.en}", act="restart")
        self._publish(least_s=0.0)

    def _start_what_may(self) -> None:
        while self._dispatch is not None and not self.paused and not self.cancelled:
            run_s = self.now_s - self._run_began_s
            started = self._dispatch.start(run_s)
            if not started:
                change_s = self._dispatch.next_change_s()
                if change_s is not None and change_s > self._next_shift_s:
                    # A crew comes or goes then: what had no place may have one.
                    self._next_shift_s = change_s
                    self._later(self._run_began_s + change_s, lambda: None)
                return
            for task in started:
                self._treat(task)

    def _treat(self, task: int) -> None:
        assert self._problem is not None
        what = self._problem.tasks[task]
        unit = self.estate.units[what.unit]
        if what.act == "check":
            self._tell("check-began", unit.id)
            self._run(task, asks=what.asks)
        elif what.act == "release":
            self._run(task, asks=what.asks)
        elif unit.id not in self.world.down_s:
            self._running[task] = (self.now_s, -1)
            self._tell("already-up", unit.id)
            self._finish(task)
        elif unit.start is None:
            self._running[task] = (self.now_s, -1)
            self._waiting[unit.id] = task
            self._tell("waiting", unit.id)
            if unit.id not in self._coming():
                # Nobody wrote down when it returns: it takes what the estate believes.
                self._later_end(task, lambda: self._up_by_itself(unit.id))
        else:
            self._try(task, unit)

    def _try(self, task: int, unit: Unit) -> None:
        self._tries[task] = self._tries.get(task, 0) + 1
        self._tell("start-began", unit.id, f"try {self._tries[task]} of {unit.tries}")
        asks = unit.start.address if unit.start is not None and unit.start.driver == "person" else ""
        self._run(task, asks=asks)

    def _run(self, task: int, *, asks: str) -> None:
        """Let a step take its time; where a person does it, that is how long the person takes."""
        assert self._problem is not None
        self._running.setdefault(task, (self.now_s, -1))
        length_s = self.world.start_s(self._problem, task, self.now_s)
        what = self._problem.tasks[task]
        if asks:
            self._ask(task, what.act, asks, after_s=length_s)
        else:
            self._later_end(task, lambda: self._ended(task), after_s=length_s)

    def _ended(self, task: int, by: str = "") -> None:
        """A step has taken its time: it is up, checked, released, or has failed."""
        assert self._problem is not None
        what = self._problem.tasks[task]
        unit = self.estate.units[what.unit]
        if what.act == "start":
            if self.world.fails(unit.id):
                self._fail(task, unit)
            else:
                self._up(task)
            return
        kind: Kind = "checked" if what.act == "check" else "released"
        self._tell(kind, unit.id, hospital=what.hospital, took_s=self._elapsed_s(task), by=by)
        self._finish(task)

    def _up(self, task: int) -> None:
        assert self._problem is not None
        unit = self._problem.tasks[task].unit
        self.world.bring(unit)
        took_s = self._elapsed_s(task)
        self._tell("up", unit, took_s=took_s)
        self._finish(task)

    def _up_by_itself(self, unit: str) -> None:
        if unit in self._waiting:
            self._up(self._waiting.pop(unit))

    def _fail(self, task: int, unit: Unit) -> None:
        if self._tries[task] < unit.tries:
            self._tell("try-failed", unit.id, "it did not come up (exercise)", took_s=self._elapsed_s(task))
            self._try(task, unit)
            return
        self._tell("failed", unit.id, "every try failed (exercise)", took_s=self._elapsed_s(task))
        assert self._dispatch is not None
        assert self._problem is not None
        self._running.pop(task, None)
        self._failed.add(task)
        for blocked in self._dispatch.finish(task, ok=False):
            what = self._problem.tasks[blocked]
            if what.act == "start":
                self._tell("blocked", what.unit, f"needs {unit.id}, which did not succeed")
        self._ask(task, "failed", unit.owner, after_s=self.scenario.answer_s + self.world.repair_s(unit.id))
        self._publish()

    def _finish(self, task: int) -> None:
        assert self._dispatch is not None
        began_s, _ = self._running.pop(task)
        self._took[task] = self.now_s - began_s
        self._dispatch.finish(task)
        self._publish()

    def _fall_back(self, new: Iterable[str]) -> None:
        """Something fell again while the restart was on: what is left is planned anew from what stands."""
        assert self._problem is not None
        lost = set(new)
        for task, what in enumerate(self._problem.tasks):
            if what.unit in lost:
                self._forget(task)
        self._tell("replanned", "", f"{len(lost)} fell again")
        self._again()
        self._publish(least_s=0.0)

    def _forget(self, task: int) -> None:
        """A step counts as never done."""
        for book in (self._running, self._took, self._tries, self._asked):
            book.pop(task, None)
        self._failed.discard(task)
        assert self._problem is not None
        self._waiting.pop(self._problem.tasks[task].unit, None)

    def _again(self) -> None:
        """Set the dispatch to what is done, runs and is lost now."""
        assert self._problem is not None
        self._dispatch = Dispatch(self._problem, self._order)
        self._dispatch.resume(list(self._took), list(self._running), sorted(self._failed))

    # Questions and decisions

    def _ask(self, task: int, act: str, whom: str, *, after_s: float) -> None:
        assert self._problem is not None
        what = self._problem.tasks[task]
        contact = self.estate.contacts.get(whom)
        call = "nobody is named for it"
        if contact is not None:
            call = f"call {contact.name.en}, {contact.phone or 'whose number is not written down'}"
        self._tell("asked", what.unit, f"{act}: {call}", hospital=what.hospital, act=act)
        question = Question(what.unit, what.hospital, act, self.now)
        number = self._later(self.now_s + after_s, lambda: self._control_answers(task))
        self._asked[task] = (question, number)
        for place, scripted in enumerate(self.scenario.decisions):
            is_about_this = (scripted.unit, scripted.hospital) == (what.unit, what.hospital)
            if scripted.after_s is not None and is_about_this and place not in self._used:
                # Once: a refusal is asked again, and the second answer is another decision.
                self._used.add(place)
                self._later(self.now_s + scripted.after_s, partial(self._script, scripted))
                break

    def _control_answers(self, task: int) -> None:
        """Nobody has answered in time: exercise control does, so that the exercise goes on."""
        if task not in self._asked or self._asked[task][1] != self._firing:
            return
        question, _ = self._asked[task]
        verb: Verb = "release" if question.act == "release" else "retry" if question.act == "failed" else "done"
        is_work = question.act in ("start", "stop")
        reason = "the step took its time (exercise)" if is_work else "nobody answered in time"
        self._decide(verb, CONTROL, question.unit, question.hospital, reason)

    def _script(self, scripted: Scripted) -> None:
        self._decide(scripted.verb, scripted.by, scripted.unit, scripted.hospital, scripted.reason, scripted.role)

    def _decide(self, verb: Verb, by: str, unit: str, hospital: str, reason: str, role: str = "") -> None:
        self._decided += 1
        decision = Decision(
            f"exercise-{self._decided:05}",
            self.now,
            verb,
            by,
            role,
            unit,
            hospital,
            reason,
        )
        self._folder.decide(decision)
        self._obey(decision)

    def _obey(self, decision: Decision) -> None:
        """Do what was decided, or say in the journal why not."""
        verb = decision.verb
        if verb in ("pause", "resume", "cancel", "declare"):
            self._note(decision)
            if verb == "declare" and self.played.moments.lost is not None:
                self._see("people")
            elif verb in ("pause", "resume"):
                self.paused = verb == "pause"
                self._tell("paused" if self.paused else "resumed", "", by=decision.by)
            elif verb == "cancel":
                self.cancelled = True
                self._tell("cancelled", "", by=decision.by)
            return
        task = self._task_of(decision)
        if task is None:
            self._tell(
                "not-obeyed", decision.unit, f"{verb}: nothing waits for it", by=decision.by, decision=decision.id
            )
            return
        self._note(decision)
        self._answer(task, decision)
        _VERBS[verb](self, task, decision)

    def _task_of(self, decision: Decision) -> int | None:
        """Return the step that a decision is about, None when it is about nothing that waits."""
        if self._problem is None:
            return None
        number = self._problem.number()
        if decision.verb in ("retry", "skip", "step-back"):
            task = number.get(decision.unit)
            if task is None:
                return None
            may = {
                "retry": task in self._failed,
                "skip": task in self._failed or task in self._running,
                "step-back": task in self._took,
            }
            return task if may[decision.verb] else None
        for task, (question, _) in self._asked.items():
            is_release = question.act == "release"
            if (
                question.unit == decision.unit
                and question.act != "failed"
                and is_release == (decision.verb in ("release", "refuse"))
                and (not decision.hospital or decision.hospital == question.hospital)
            ):
                return task
        return None

    def _note(self, decision: Decision) -> None:
        detail = f"{decision.verb}: {decision.reason}" if decision.reason else decision.verb
        self._tell("decided", decision.unit, detail, hospital=decision.hospital, by=decision.by, decision=decision.id)

    def _answer(self, task: int, decision: Decision) -> None:
        if task in self._asked:
            question, _ = self._asked.pop(task)
            self.played.questions.append(
                Question(
                    question.unit,
                    question.hospital,
                    question.act,
                    question.asked_at,
                    self.now,
                    decision.verb,
                    decision.by,
                )
            )

    def _retry(self, task: int, _: Decision) -> None:
        self._failed.discard(task)
        self._tries.pop(task, None)
        self._again()

    def _skip(self, task: int, decision: Decision) -> None:
        """Go on as if it were up; the world knows that it is not."""
        self._failed.discard(task)
        began_s, _ = self._running.pop(task, (self.now_s, -1))
        self._took[task] = self.now_s - began_s
        self._waiting.pop(decision.unit, None)
        self._tell("skipped", decision.unit, decision.reason, by=decision.by)
        self._again()
        self._publish()

    def _done(self, task: int, decision: Decision) -> None:
        self._ended(task, decision.by)

    def _not_done(self, task: int, decision: Decision) -> None:
        assert self._problem is not None
        what = self._problem.tasks[task]
        if what.act == "check":
            self._tell("check-failed", what.unit, decision.reason, by=decision.by)
            self._ask(task, "check", what.asks, after_s=self.scenario.answer_s + self.world.repair_s(what.unit))
        else:
            self._fail(task, self.estate.units[what.unit])

    def _refuse(self, task: int, decision: Decision) -> None:
        assert self._problem is not None
        what = self._problem.tasks[task]
        self._tell("refused", what.unit, decision.reason, hospital=what.hospital, by=decision.by)
        self._ask(task, "release", what.asks, after_s=self.scenario.answer_s + self.world.repair_s(what.unit))

    def _step_back(self, task: int, decision: Decision) -> None:
        assert self._problem is not None
        self._tell("step-back", decision.unit, decision.reason, by=decision.by)
        gone = set(self.world.fall([self._problem.tasks[task].unit], self.now_s))
        for other, what in enumerate(self._problem.tasks):
            if what.unit in gone:
                if what.act == "start" and what.unit != decision.unit:
                    self._tell("step-back", what.unit, f"it stands on {decision.unit}", by=decision.by)
                self._forget(other)
        self._again()
        self._publish(least_s=0.0)

    # Forecasts, the end, and the small things

    def _publish(self, *, least_s: float | None = None) -> None:
        """Make a forecast and keep it, not more often than it can say something new."""
        moments = self.played.moments
        every_s = self._forecast_every_s if least_s is None else least_s
        if moments.declared is None or self.now_s - self._last_forecast_s < every_s or not self.world.down_s:
            return
        progress = progress_of(self.estate, since_last_fall(self.journal), self.now)
        made = forecast(
            self.estate, progress, self.now, self._rng, runs=self._forecast_runs, priority=self._plan.priority
        )
        self._last_forecast_s = self.now_s
        self._folder.publish(made)
        self.forecasts.append(made)
        if moments.first_forecast is None:
            moments.first_forecast = self.now

    def _is_over(self) -> bool:
        """Return whether nothing more can happen: everything was played, nothing runs, nobody is asked."""
        if self._problem is None or self._running or self._asked or (self.paused and not self.cancelled):
            return False
        coming = [inject for inject in self.scenario.injects if inject.at_s > self.now_s]
        return not any(inject.falls or inject.returns or inject.words for inject in coming)

    def _end(self) -> None:
        moments = self.played.moments
        if self._problem is not None:
            left = [name for task, name in enumerate(self._problem.names) if task not in self._took]
            self.played.left = tuple(left)
            moments.restart_ended = self.now
            assert moments.restart_began is not None
            took_s = (self.now - moments.restart_began) / _US
            self._tell(
                "run-ended", "", f"{len(self._took)} of {self._problem.size} steps", took_s=took_s, left=len(left)
            )
            lengths = [self._took.get(task, 0.0) for task in range(self._problem.size)]
            self.played.bound = lower_bound(self._problem, lengths)
        for question, _ in self._asked.values():
            self.played.questions.append(question)
        moments.ended = self.now
        if moments.first_report is None:
            moments.first_report = self.now
        self._on_report(self)
        self.played.reports += 1

    def _coming(self) -> set[str]:
        return {unit for inject in self.scenario.injects if inject.at_s > self.now_s for unit in inject.returns}

    def _elapsed_s(self, task: int) -> float:
        return self.now_s - self._running.get(task, (self.now_s, -1))[0]

    def _later(self, at_s: float, act: Callable[[], None]) -> int:
        self._count += 1
        number = self._count

        def fire() -> None:
            self._firing = number
            act()

        heappush(self._events, (max(at_s, self.now_s), number, fire))
        return number

    def _later_end(self, task: int, act: Callable[[], None], *, after_s: float | None = None) -> None:
        """End a step later, unless it was forgotten, skipped or begun anew until then."""
        assert self._problem is not None
        length_s = self.world.start_s(self._problem, task, self.now_s) if after_s is None else after_s
        began_s = self._running[task][0]

        def end() -> None:
            if self._running.get(task) == (began_s, number):
                act()

        number = self._later(self.now_s + length_s, end)
        self._running[task] = (began_s, number)

    def _tell(
        self,
        kind: Kind,
        unit: str = "",
        detail: str = "",
        *,
        took_s: float | None = None,
        hospital: str = "",
        by: str = "",
        decision: str = "",
        act: str = "",
        left: int | None = None,
    ) -> None:
        line = Happened(self.now, kind, unit, detail, took_s, hospital, by, decision, "", act, left)
        self._folder.happened(line)
        self.journal.append(line)
        self._on_event(line)


def since_last_fall(journal: Sequence[Happened]) -> list[Happened]:
    """Return a journal without what was done to a unit before it fell again: that work must be done once more."""
    fell = {
        line.unit: number
        for number, line in enumerate(journal)
        if line.unit and line.kind in ("unclean", "power-lost", "step-back")
    }
    return [line for number, line in enumerate(journal) if number >= fell.get(line.unit, 0)]


_VERBS: dict[str, Callable[[Exercise, int, Decision], None]] = {
    "retry": Exercise._retry,
    "skip": Exercise._skip,
    "done": Exercise._done,
    "release": Exercise._done,
    "not-done": Exercise._not_done,
    "refuse": Exercise._refuse,
    "step-back": Exercise._step_back,
}
