"""What has gathered is done soon when there is reason to, and in a while when there is none."""

from node.scene import Loop
from releve.node.waker import Waker


def _call() -> None:
    raise AssertionError("nothing is done before its time")


def test_without_a_reason_it_is_done_in_a_while() -> None:
    loop = Loop()
    Waker(loop, _call, 0.05)(False)
    assert loop.soon == []
    assert [(one.after_s, one.call) for one in loop.later] == [(0.05, _call)]


def test_what_comes_sooner_takes_the_place_of_what_was_to_come() -> None:
    loop = Loop()
    wake = Waker(loop, _call, 0.05)
    wake(False)
    wake(True)
    assert (loop.soon, loop.later) == ([_call], [])
    wake(False)  # what gathers next has a time of its own
    assert len(loop.later) == 1
