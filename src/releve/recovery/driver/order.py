"""An order to carry out a command, and what became of it, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from releve.estate import Command


def _unheard(process: str) -> None:
    """Nobody wants to know which process it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """One try of one step.

    act      "start", "stop" or "check"
    attempt  1, and one more for each time it was carried out well and the unit did not come up: a driver may do more
             then
    began    told which process carries it out, as soon as there is one on this machine
    """

    unit: str
    act: str
    command: Command
    attempt: int = 1
    began: Callable[[str], None] = _unheard


@dataclass(frozen=True, slots=True)
class Launched:
    """What became of a command.

    ok      it ended well, or it stays and runs
    detail  why not, as a sentence
    ended   returns how a program that stays ended, as a sentence; None while it runs, or when it does not stay
    end     ends a program that stays and did not come up, so that the next try does not meet it
    """

    ok: bool
    detail: str
    ended: Callable[[], str | None] = lambda: None
    end: Callable[[], None] = lambda: None


class Driver(Protocol):
    """One way to carry out commands."""

    async def carry_out(self, order: Order) -> Launched:
        """Carry an order out to its end, or until its program stays; never raises for what the other side does."""

    def words(self, command: Command) -> str:
        """Return exactly what would be executed, for a dry run; no secret."""

    async def flaws(self, command: Command) -> list[str]:
        """Return what would keep a command from being carried out, found without acting, as sentences."""
