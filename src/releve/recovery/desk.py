"""The desk of a run: every decision is answered in the journal, as obeyed or with the reason why not.

Two people may decide the same at two consoles: the first decision counts, the second is told that it came too late and
who was first. A decision is read once, whatever happens to the process that reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from releve.estate import Estate, impact
from releve.recovery.folder import Decision
from releve.recovery.outcome import WELL
from releve.recovery.past import RESTART, Past
from releve.recovery.people import People
from releve.recovery.problem import Problem, Task
from releve.recovery.step import Tell

#: Decisions that answer a question.
_ANSWERS = ("done", "not-done", "release", "refuse")


class Course(Protocol):
    """The run as the desk sees it."""

    estate: Estate
    problem: Problem
    act: str
    past: Past
    people: People
    is_cancelled: bool

    @property
    def tell(self) -> Tell:
        """Return what writes the journal."""

    @property
    def is_stepping_back(self) -> bool:
        """Return whether units are being stopped again."""

    def state_of(self, task: Task) -> str:
        """Return how a step ended, "" when it has not."""

    def is_running(self, task: Task) -> bool:
        """Return whether a step is being taken."""

    def drop(self, tasks: Collection[Task]) -> None:
        """Take no more care of steps that are being taken."""

    def changed(self, why: str) -> None:
        """Make dispatch and plan anew."""

    def cancel(self) -> None:
        """Start nothing new."""

    def take_back(self, units: set[str]) -> None:
        """Stop units again."""


class Desk:
    """Obeys decisions."""

    def __init__(self, run: Course) -> None:
        self._run = run
        self._early: list[Decision] = []

    def obey(self, decisions: Iterable[Decision]) -> None:
        """Obey what is new and answer all of it; what answers a question of before the kill waits until it is put."""
        early, self._early = self._early, []
        for decision in (*early, *decisions):
            if decision.id in self._run.past.answered:
                continue
            if self._comes_early(decision):
                self._early.append(decision)
                continue
            self._run.past.answered.add(decision.id)
            if decision.at < self._run.past.began_at:
                self._refuse(decision, "it was taken before this run began")
            elif decision.unit and decision.unit not in self._run.estate.units:
                self._refuse(decision, f"the estate has no unit {decision.unit}")
            else:
                self._obey(decision)

    def _comes_early(self, decision: Decision) -> bool:
        """Return whether a decision answers what was asked before this process began and is not waited for yet."""
        return decision.verb in _ANSWERS and any(
            task.unit == decision.unit
            and task.name in self._run.past.asked
            and not self._run.state_of(task)
            and not self._run.people.waits(task.name)
            and task.name not in self._run.past.given
            and (task.act == "release") == (decision.verb in ("release", "refuse"))
            and decision.hospital in ("", task.hospital)
            for task in self._run.problem.tasks
        )

    def redo(self) -> None:
        """Do what was decided and answered when the process before this one died, and had not been done."""
        for line in list(self._run.past.pending.values()):
            if line.act == "skip" and (task := self._skippable(line.unit, line.hospital)) is not None:
                self._leave_out(task, line.hospital, line.by, line.decision)
            elif line.act == "step-back" and not self._run.is_stepping_back:
                touched = {*self._standing_on(line.unit), *self._run.past.back, line.unit}
                self._stop_again(touched, line.unit, line.by, line.decision)

    def _obey(self, decision: Decision) -> None:
        match decision.verb:
            case "pause" | "resume":
                self._pause(decision)
            case "cancel":
                self._cancel(decision)
            case "declare":
                self._decided(decision)
            case _ if not decision.unit:
                self._refuse(decision, "it has to name a unit")
            case "skip":
                self._skip(decision)
            case "retry":
                self._retry(decision)
            case "step-back":
                self._step_back(decision)
            case _:
                self._answer(decision)

    def _pause(self, decision: Decision) -> None:
        pause = decision.verb == "pause"
        if self._run.past.is_paused == pause:
            self._refuse(decision, "it is paused already" if pause else "it is not paused")
            return
        self._decided(decision)
        self._run.tell("paused" if pause else "resumed", detail=f"by {decision.by}", by=decision.by)

    def _cancel(self, decision: Decision) -> None:
        if self._run.is_cancelled:
            self._refuse(decision, "it is cancelled already")
            return
        self._decided(decision)
        self._run.tell("cancelled", detail=f"by {decision.by}; what runs is waited for", by=decision.by)
        self._run.cancel()

    def _skip(self, decision: Decision) -> None:
        task = self._skippable(decision.unit, decision.hospital)
        if task is None:
            self._refuse(decision, "it is done already" + self._who(decision.unit))
            return
        self._decided(decision, task)
        self._leave_out(task, decision.hospital, decision.by, decision.id)

    def _leave_out(self, task: Task, hospital: str, by: str, decision: str) -> None:
        act = "" if task.act in ("start", "stop") else task.act
        names = [
            one
            for one in self._run.problem.tasks
            if one.unit == task.unit
            and (not act or (one.act == act and hospital in ("", one.hospital) and self._run.state_of(one) not in WELL))
        ]
        self._run.drop(names)
        told = names if act else [task]
        for one in told:
            last = decision if one is told[-1] else ""  # the last consequence says that all are written
            self._run.tell("skipped", one.unit, f"by {by}", by=by, act=one.act, hospital=one.hospital, decision=last)
        self._run.changed(f"{task.name} is left out")

    def _skippable(self, unit: str, hospital: str) -> Task | None:
        """Return the first step of a unit that is not done: its start or stop, its check, its release."""
        for task in self._run.problem.tasks:
            if task.unit == unit and self._run.state_of(task) not in WELL:
                if task.act == "release" and hospital not in ("", task.hospital):
                    continue
                return task
        return None

    def _retry(self, decision: Decision) -> None:
        names = [task for task in self._run.problem.tasks if task.unit == decision.unit]
        failed = [task for task in names if self._run.state_of(task) == "failed"]
        if not failed:
            self._refuse(decision, "it has not failed" + self._who(decision.unit))
            return
        self._decided(decision, failed[0])
        self._run.changed(f"{failed[0].name} is tried again")

    def _answer(self, decision: Decision) -> None:
        """Give a decision to whoever waits for it; the first one counts."""
        questions = self._run.people.questions(decision.unit, decision.verb, decision.hospital)
        for question in questions:
            task = next(one for one in self._run.problem.tasks if one.name == question.name)
            self._decided(decision, task)
            self._run.people.answer(question, decision)
        if not questions:
            self._answer_late(decision)

    def _answer_late(self, decision: Decision) -> None:
        refused = [
            task
            for task in self._run.problem.tasks
            if task.unit == decision.unit
            and task.act == "release"
            and decision.hospital in ("", task.hospital)
            and self._run.state_of(task) == "refused"
        ]
        if decision.verb != "release" or not refused:
            self._refuse(decision, "nobody is asked for it" + self._who(decision.unit))
            return
        for task in refused:
            self._decided(decision, task)
            self._run.tell("released", task.unit, f"by {decision.by}", by=decision.by, hospital=task.hospital)
        self._run.changed(f"{decision.unit} is released after all")

    def _who(self, unit: str) -> str:
        by = [who for name, who in self._run.past.decided.items() if name.partition("/")[0] == unit]
        return f"; {by[-1]} decided before" if by else ""

    def _decided(self, decision: Decision, task: Task | None = None) -> None:
        reason = f": {decision.reason}" if decision.reason else ""
        role = f" ({decision.role})" if decision.role else ""
        self._run.tell(
            "decided",
            decision.unit,
            f"{decision.verb} by {decision.by}{role}{reason}",
            by=decision.by,
            decision=decision.id,
            hospital=task.hospital if task else decision.hospital,
            act=decision.verb,
        )
        if task is not None:
            self._run.past.decided[task.name] = decision.by

    def _refuse(self, decision: Decision, why: str) -> None:
        self._run.tell(
            "not-obeyed",
            decision.unit,
            f"{decision.verb} by {decision.by}: {why}",
            by=decision.by,
            decision=decision.id,
            hospital=decision.hospital,
            act=decision.verb,
        )

    # Step back.

    def _step_back(self, decision: Decision) -> None:
        if self._run.act != RESTART or self._run.is_stepping_back:
            self._refuse(
                decision, "a stop has no step back" if self._run.act != RESTART else "a step back is under way"
            )
            return
        touched = self._standing_on(decision.unit)
        if decision.unit not in touched:
            self._refuse(decision, "it has not been started")
            return
        self._decided(decision)
        self._stop_again(touched, decision.unit, decision.by, decision.id)

    def _standing_on(self, unit: str) -> set[str]:
        """Return a unit and what stands on it, as far as anything was done about them."""
        units = {unit, *impact(self._run.estate, [unit]).falls}
        return {
            task.unit
            for task in self._run.problem.tasks
            if task.unit in units and (self._run.state_of(task) or self._run.is_running(task))
        }

    def _stop_again(self, touched: set[str], unit: str, by: str, decision: str) -> None:
        for one in [*sorted(touched - {unit}), unit]:
            last = decision if one == unit else ""  # the last consequence says that all are written
            self._run.tell("step-back", one, f"stopped again with {unit}, by {by}", by=by, decision=last)
        self._run.take_back(touched)
