"""An event loop that does nothing by itself: what it was asked for lies there until a test does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False)
class Appointment:
    """A call that is to come; cancelled, it is no longer among the others."""

    loop: Loop
    after_s: float
    call: Callable[[], None]

    def cancel(self) -> None:
        if self in self.loop.later:
            self.loop.later.remove(self)


class Loop:
    """What was asked for: calls for the next turn, and appointments."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[Appointment] = []

    def call_soon(self, call: Callable[[], None], /) -> None:
        self.soon.append(call)

    def call_later(self, after_s: float, call: Callable[[], None], /) -> Appointment:
        self.later.append(Appointment(self, after_s, call))
        return self.later[-1]

    def turn(self) -> None:
        """One turn, and no time gone by."""
        calls, self.soon[:] = list(self.soon), []
        for call in calls:
            call()

    def due(self, after_s: float) -> list[Callable[[], None]]:
        """Take out the calls whose appointments were made for so many seconds: their time has come."""
        due = [one.call for one in self.later if one.after_s == after_s]
        self.later = [one for one in self.later if one.after_s != after_s]
        return due
