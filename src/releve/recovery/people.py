"""The people a run waits for: who was asked for what, and the decision that answers. The first one counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from releve.recovery.folder import Decision

#: A person is reminded so often; who has not come by then is known to be missing.
REMINDERS_MAX = 12


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked for.

    name      of the task that waits
    verbs     the decisions that answer it
    detail    what is to be done and whom to call
    remind_s  after so long without an answer it is asked again
    """

    name: str
    unit: str
    act: str
    hospital: str
    verbs: tuple[str, ...]
    detail: str
    remind_s: float


class People:
    """Questions that wait for an answer.

    tell        writes an "asked" line about a question, with what more there is to say
    can_answer  whether decisions can reach this run at all
    """

    def __init__(self, tell: Callable[[Question, str], None], *, can_answer: bool) -> None:
        self._tell = tell
        self.can_answer = can_answer
        self._waiting: dict[str, tuple[Question, asyncio.Future[Decision]]] = {}

    def waits(self, name: str) -> bool:
        """Return whether a task waits for a person."""
        return name in self._waiting

    def questions(self, unit: str, verb: str, hospital: str) -> list[Question]:
        """Return the questions that a decision answers; one without a hospital answers for all."""
        return [
            question
            for question, _ in self._waiting.values()
            if question.unit == unit and verb in question.verbs and hospital in ("", question.hospital)
        ]

    def answer(self, question: Question, decision: Decision) -> None:
        """Give a decision to the task that waits for it."""
        self._waiting.pop(question.name)[1].set_result(decision)

    def ask(self, question: Question, asked: Collection[str]) -> asyncio.Future[Decision]:
        """Ask, unless it was asked before this process began, and return what will be the decision."""
        if question.name not in asked:
            self._tell(question, "")
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[question.name] = (question, future)
        return future

    def remind(self, question: Question, times: int) -> None:
        """Ask again."""
        self._tell(question, f"reminder {times}: ")

    def forget(self, name: str) -> None:
        """Wait no more."""
        self._waiting.pop(name, None)
