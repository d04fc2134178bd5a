"""The past of a run, folded from its journal: what a run that was killed needs to go on and do nothing twice.

A run belongs to the last "run-began" line of its kind. One that ended with nothing left is over: the next begins anew,
and ticks and releases of an earlier night count no more. What was stopped clean is remembered across runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from releve.clock import Instant
from releve.recovery.journal import Happened
from releve.recovery.outcome import StepState

RESTART, STOP = "restart", "stop"


@dataclass(frozen=True, slots=True)
class Begun:
    """A try that has begun and has not ended.

    process  of its command on this machine, "" when none was noted
    """

    at: Instant
    process: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A step that has ended."""

    state: StepState
    at: Instant
    took_s: float | None
    detail: str


@dataclass
class Past:
    """Where a run stood when its journal stopped. Steps are known by the name of their task.

    began_at   0: it has not begun, or is over
    ended      how each step ended; blocked ones are not in it, since that follows from the rest
    begun      tries under way
    tries      commands run so far
    processes  the last process that was launched for a step
    asked      steps that a person was asked for
    answered   ids of decisions that were answered
    decided    step → who decided what about it last
    given      answers that were given and whose step has not ended yet
    pending    decisions to skip or to step back of which not every consequence is written yet, by id
    skipped    units that a person left out, with everything of theirs
    back       units that are to be stopped again, and are not yet
    told       (kind, step) that need not be told again
    found_up   units that were up before anything was done to them
    was_ended  the last process ended by itself and was not killed: what had failed is tried anew
    clean      units whose last stop was clean when this run began
    unclean    units that lost their power before they were stopped
    """

    began_at: Instant = 0
    is_paused: bool = False
    was_ended: bool = False
    ended: dict[str, Ended] = field(default_factory=dict)
    begun: dict[str, Begun] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    processes: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    decided: dict[str, str] = field(default_factory=dict)
    given: dict[str, Happened] = field(default_factory=dict)
    pending: dict[str, Happened] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    back: set[str] = field(default_factory=set)
    told: set[tuple[str, str]] = field(default_factory=set)
    found_up: set[str] = field(default_factory=set)
    clean: frozenset[str] = frozenset()
    unclean: frozenset[str] = frozenset()

    def forget(self, unit: str) -> None:
        """Forget what became of a unit and its gates: it is to be brought up again.

        Its processes are remembered: one that stayed, and that the next start would meet, is ended before that.
        """
        for steps in (self.ended, self.begun, self.tries, self.given):
            for name in [one for one in steps if one.partition("/")[0] == unit]:
                del steps[name]
        self.asked = {one for one in self.asked if one.partition("/")[0] != unit}
        self.told = {(kind, name) for kind, name in self.told if name.partition("/")[0] != unit}
        self.skipped.discard(unit)
        self.found_up.discard(unit)


def step_of(line: Happened) -> str:
    """Return the name of the task that a line is about (see problem), "" for the run as a whole."""
    if not line.unit:
        return ""
    if line.kind in ("checked", "check-failed", "check-began") or line.act == "check":
        return f"{line.unit}/check"
    if line.kind in ("released", "refused") or line.act in ("release", "refuse"):
        return f"{line.unit}/release" + (f"/{line.hospital}" if line.hospital else "")
    return line.unit


def past_of(journal: Iterable[Happened], act: str) -> Past:
    """Return where the run of an act ("restart" or "stop") stands; an empty past where none is under way."""
    now, whose = Past(), ""
    clean: set[str] = set()
    unclean: set[str] = set()
    answered: set[str] = set()
    for line in journal:
        if line.kind == "run-began":
            now, whose = Past(line.at, clean=frozenset(clean)), line.act or RESTART
        elif line.kind == "run-ended":
            if not line.left:
                now, whose = Past(), ""
            now.was_ended, now.is_paused = True, False
        elif line.kind == "run-resumed":
            _begin_anew_what_failed(now)
        else:
            note(now, line)
        _note_stop(line, clean, unclean)
        if line.decision:
            answered.add(line.decision)
    if whose != act:
        now = Past(clean=frozenset(clean))
    elif now.was_ended:
        _begin_anew_what_failed(now)
    if not now.began_at:
        now.clean = frozenset(clean)
    now.unclean = frozenset(unclean)
    now.answered = answered
    return now


def _begin_anew_what_failed(now: Past) -> None:
    """Let what failed be tried anew, when the run ended by itself and somebody has begun it again."""
    if not now.was_ended:
        return
    for name in [name for name, ended in now.ended.items() if ended.state in ("failed", "refused")]:
        del now.ended[name]
        now.tries.pop(name, None)
        now.asked.discard(name)
    now.told.clear()
    now.was_ended = False


def _note_stop(line: Happened, clean: set[str], unclean: set[str]) -> None:
    """Remember how units went down, across runs."""
    match line.kind:
        case "down":
            clean.add(line.unit)
            unclean.discard(line.unit)
        case "up" | "already-up":
            clean.discard(line.unit)
        case "unclean":
            clean.discard(line.unit)
            unclean.add(line.unit)
        case "checked":
            unclean.discard(line.unit)
        case "skipped":
            if line.act == "check":
                unclean.discard(line.unit)
        case _:
            pass


#: Kind of a line → the state in which it leaves its step.
_ENDS: dict[str, StepState] = {
    "up": "up",
    "already-up": "already-up",
    "down": "down",
    "already-down": "already-down",
    "left": "left",
    "failed": "failed",
    "checked": "checked",
    "check-failed": "failed",
    "released": "released",
    "refused": "refused",
}


def note(now: Past, line: Happened) -> None:
    """Take one line of a run under way into account; the run itself does so with every line it writes."""
    name = step_of(line)
    if line.decision and line.kind != "decided":
        now.pending.pop(line.decision, None)
    if line.kind in _ENDS:
        _end(now, line, name)
        return
    match line.kind:
        case "start-began" | "stop-began" | "check-began":
            now.tries[name] = now.tries.get(name, 0) + 1
            now.begun[name] = Begun(line.at)
        case "launched":
            if name in now.begun:
                now.begun[name] = Begun(now.begun[name].at, line.process)
            now.processes[name] = line.process
        case "try-failed":
            now.begun.pop(name, None)
        case "asked":
            now.asked.add(name if line.act != "failed" else f"{name}?")
        case "decided":
            _decide(now, line, name)
        case "skipped":
            _skip(now, line, name)
        case "step-back":
            now.forget(line.unit)
            now.back.add(line.unit)
        case "blocked" | "overrun":
            now.told.add((line.kind, name))
        case "paused":
            now.is_paused = True
        case "resumed":
            now.is_paused = False
        case _:
            pass


def _decide(now: Past, line: Happened, name: str) -> None:
    """Take a decision into account, so that nothing is lost of it when the process dies before it has obeyed."""
    now.decided[name] = line.by
    match line.act:
        case "retry":
            _retry(now, line.unit)
        case "pause" | "resume":
            now.is_paused = line.act == "pause"
        case "skip" | "step-back":
            now.pending[line.decision] = line
        case "done" | "not-done" | "release" | "refuse":
            asked = [one for one in now.asked if one.partition("/")[0] == line.unit and not one.endswith("?")]
            by_hand = [one for one in asked if "/release" not in one and one not in now.ended]
            step = name if line.act in ("release", "refuse") else next(iter(by_hand), name)
            if step in now.ended:
                now.ended[step] = Ended("released", line.at, None, f"by {line.by}")
            else:
                now.given[step] = line
        case _:
            pass


def _end(now: Past, line: Happened, name: str) -> None:
    if line.unit in now.back:  # stopped again: it is not the end of its step
        now.back.discard(line.unit)
        now.forget(line.unit)
        return
    if line.kind == "already-up" and not now.tries.get(name):
        now.found_up.add(line.unit)
    now.begun.pop(name, None)
    now.given.pop(name, None)
    now.ended[name] = Ended(_ENDS[line.kind], line.at, line.took_s, line.detail)


def _retry(now: Past, unit: str) -> None:
    for name in [one for one, ended in now.ended.items() if one.partition("/")[0] == unit and ended.state == "failed"]:
        del now.ended[name]
        now.tries.pop(name, None)
        now.asked -= {name, f"{name}?"}
    now.told.clear()


def _skip(now: Past, line: Happened, name: str) -> None:
    now.begun.pop(name, None)
    now.told.clear()
    if line.act in ("start", "stop", ""):
        now.skipped.add(line.unit)
    else:
        now.ended[name] = Ended("skipped", line.at, None, line.detail)
