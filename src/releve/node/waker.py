"""An appointment with the event loop: something is done soon, or in a while, and never for what was done already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Appointment(Protocol):
    """A call that is to come."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """What is needed of an event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...
    def call_later(self, delay: float, callback: Callable[[], None], /) -> Appointment: ...


class Waker:
    """Has a call made soon or within a time; of two appointments only the earlier one is kept.

    call  does what has gathered, and nothing when nothing has
    """

    def __init__(self, loop: Loop, call: Callable[[], None], within_s: float) -> None:
        self._loop = loop
        self._call = call
        self._within_s = within_s
        self._later: Appointment | None = None

    def __call__(self, now: bool, /) -> None:
        if not now:
            self._later = self._loop.call_later(self._within_s, self._call)
            return
        if self._later is not None:
            self._later.cancel()  # or it would find what gathers next half gathered
            self._later = None
        self._loop.call_soon(self._call)
