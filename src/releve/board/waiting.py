"""What waits for a person: steps by hand, releases to care, failures. Read from the journal, so that every node says
the same, whoever asks.

A question is open from its "asked" line until the journal answers it. The first decision counts; whoever decides second
is told who was first, by the page where it can be seen there, otherwise by the run in its journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from releve.clock import Instant
from releve.estate import Contact, Estate, Unit
from releve.recovery.folder import Decision, Verb
from releve.recovery.journal import Happened

#: What may be answered to each thing that is asked for.
ANSWERS: dict[str, tuple[Verb, ...]] = {
    "start": ("done", "not-done"),
    "stop": ("done", "not-done"),
    "check": ("done", "not-done"),
    "release": ("release", "refuse"),
    "failed": ("retry", "skip", "step-back"),
}
#: Decisions about the run as a whole.
RUN_VERBS: tuple[Verb, ...] = ("pause", "resume", "cancel")

#: Lines that answer what was asked for.
_ANSWERED = {
    "start": ("up", "already-up", "failed", "skipped", "blocked", "step-back"),
    "stop": ("down", "already-down", "left", "failed", "skipped", "blocked"),
    "check": ("checked", "check-failed", "skipped", "step-back"),
    "release": ("released", "skipped", "step-back"),
    "failed": ("start-began", "stop-began", "check-began", "up", "down", "checked", "skipped", "step-back"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """Something that waits for a person.

    act       what is asked for, see recovery.journal.ASKED
    detail    what is asked for; of a failure, what failed
    contact   whom to call; None where the estate names nobody
    refused   the line that said no to a release: a later yes still counts
    pending   a decision that is written and not answered yet
    """

    unit: Unit
    act: str
    hospital: str
    asked_at: Instant
    detail: str
    contact: Contact | None
    answers: tuple[Verb, ...]
    refused: Happened | None = None
    pending: Decision | None = None

    @property
    def key(self) -> str:
        """Return a name for its form."""
        return ".".join(part for part in (self.unit.id, self.act, self.hospital) if part)


def questions(estate: Estate, run: Sequence[Happened], decisions: Sequence[Decision]) -> list[Question]:
    """Return what waits for a person, oldest first.

    run  the lines of the last run
    """
    open_asks: dict[tuple[str, str, str], Happened] = {}
    refused: dict[tuple[str, str, str], Happened] = {}
    why: dict[str, str] = {}
    for line in run:
        if line.kind in ("failed", "check-failed"):
            why[line.unit] = line.detail
        if line.kind == "asked" and line.unit in estate.units and line.act in ANSWERS:
            open_asks[line.unit, line.act, line.hospital] = line
            refused.pop((line.unit, line.act, line.hospital), None)
        elif line.kind in ("run-ended", "cancelled"):
            open_asks.clear()
        elif line.kind == "refused":
            refused[line.unit, "release", line.hospital] = line
        else:
            for key in [key for key in open_asks if _answers(line, key)]:
                del open_asks[key]
    answered = {line.decision for line in run if line.decision}
    found = [
        Question(
            unit=estate.units[unit],
            act=act,
            hospital=hospital,
            asked_at=line.at,
            detail=why.get(unit, line.detail) if act == "failed" else line.detail,
            contact=_contact(estate, estate.units[unit], act),
            answers=ANSWERS[act],
            refused=refused.get((unit, act, hospital)),
            pending=_pending(decisions, answered, unit, hospital, line.at),
        )
        for (unit, act, hospital), line in open_asks.items()
    ]
    return sorted(found, key=lambda question: (question.asked_at, question.key))


def unanswered(run: Sequence[Happened], decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions of this run that it has not answered yet: it answers within a second where it is reached."""
    if not run:
        return []
    answered = {line.decision for line in run if line.decision}
    return [one for one in decisions if one.at >= run[0].at and one.verb != "declare" and one.id not in answered]


def earlier(
    decisions: Sequence[Decision], run: Sequence[Happened], unit: str, hospital: str, since: Instant
) -> Decision | None:
    """Return the decision that came first on the same question; None when nobody decided.

    since  when it was asked: what was decided before that was about another question
    """
    turned_down = {line.decision for line in run if line.kind == "not-obeyed"}
    return next(
        (
            one
            for one in decisions
            if one.unit == unit and one.at >= since and one.hospital in ("", hospital) and one.id not in turned_down
            and one.verb != "declare"
        ),
        None,
    )  # fmt: skip


def _answers(line: Happened, key: tuple[str, str, str]) -> bool:
    unit, act, hospital = key
    if line.unit != unit or line.kind not in _ANSWERED[act]:
        return False
    return act != "release" or line.kind != "released" or line.hospital in ("", hospital)


def _pending(
    decisions: Sequence[Decision], answered: set[str], unit: str, hospital: str, since: Instant
) -> Decision | None:
    return next(
        (
            one
            for one in decisions
            if one.unit == unit and one.hospital == hospital and one.at >= since and one.id not in answered
        ),
        None,
    )


def _contact(estate: Estate, unit: Unit, act: str) -> Contact | None:
    """Return whom to call: the one who does the step by hand, releases, or answers for the unit."""
    command = {"start": unit.start, "stop": unit.stop, "check": unit.check}.get(act)
    by_hand = command.address if command is not None and command.driver == "person" else ""
    named = unit.release if act == "release" else by_hand
    return estate.contacts.get(named or unit.owner)
