"""The desk has the log commit soon when somebody waits, and in a while when nobody does."""

from collections.abc import Callable

from releve.log.writer import COMMIT_WITHIN_S
from releve.node.desk import Waker


class Loop:
    """The two calls of an event loop that are used, and what they were asked for."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[Appointment] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> "Appointment":
        self.later.append(Appointment(delay_s, call))
        return self.later[-1]


class Appointment:
    """What call_later returns."""

    def __init__(self, delay_s: float, call: Callable[[], None]) -> None:
        self.delay_s = delay_s
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


def _commit() -> None:
    raise AssertionError("nothing is committed before its time")


def test_what_nobody_waits_for_is_committed_in_a_while() -> None:
    loop = Loop()
    Waker(loop, _commit)(False)
    assert loop.soon == []
    assert [(one.delay_s, one.call) for one in loop.later] == [(COMMIT_WITHIN_S, _commit)]


def test_a_commit_that_comes_sooner_takes_the_place_of_the_one_that_was_to_come() -> None:
    loop = Loop()
    wake = Waker(loop, _commit)
    wake(False)
    wake(True)
    assert loop.soon == [_commit]
    assert [one.is_cancelled for one in loop.later] == [True]
    wake(False)  # the next group has a time of its own
    assert [one.is_cancelled for one in loop.later] == [True, False]
