"""Feeds: silence raises the alarm by itself."""

from releve.board.feeds import FeedWatch, feed_states
from releve.config import FeedRule
from releve.errors import StoreUnable
from releve.record.rows import Feed

NOW = 1_722_686_400_000_000
MINUTE = 60_000_000
LAB = FeedRule("LAB|H01", "Laboratoire", 300)


def heard(sender: str, minutes_ago: int, *, kind: str = "ORU^R01", count: int = 3, origin: str = "H01") -> Feed:
    return Feed(sender, kind, count, NOW - minutes_ago * MINUTE, origin)


def test_an_expected_feed_is_late_once_its_limit_has_passed() -> None:
    assert [state.state for state in feed_states([heard("LAB|H01", 5)], [LAB], "H01", NOW)] == ["normal"]
    assert [state.state for state in feed_states([heard("LAB|H01", 5)], [LAB], "H01", NOW + 1)] == ["late"]


def test_an_expected_feed_that_was_never_heard_is_late() -> None:
    (state,) = feed_states([], [LAB], "H01", NOW)
    assert (state.state, state.is_late, state.last_at) == ("never heard", True, 0)


def test_the_newest_message_of_any_type_counts() -> None:
    feeds = [heard("LAB|H01", 60, kind="ORU^R01", count=9), heard("LAB|H01", 1, kind="ORL^O22", count=1)]
    (state,) = feed_states(feeds, [LAB], "H01", NOW)
    assert (state.state, state.count) == ("normal", 10)
    assert state.types == (("ORU^R01", 9), ("ORL^O22", 1))


def test_a_sender_that_nobody_expects_is_shown_without_an_alarm() -> None:
    states = feed_states([heard("NEW|H01", 600), heard("LAB|H01", 60)], [LAB], "H01", NOW)
    assert [(state.sender, state.is_late) for state in states] == [("LAB|H01", True), ("NEW|H01", False)]


def test_a_feed_heard_at_another_hospital_does_not_hide_that_ours_is_silent() -> None:
    (state,) = feed_states([heard("LAB|H01", 0, origin="H02")], [LAB], "H01", NOW)
    assert state.is_late


def test_while_the_views_are_rebuilt_what_was_heard_before_grows_older() -> None:
    clock = [NOW]
    is_away = [True]

    def feeds() -> list[Feed]:
        if is_away[0]:
            raise StoreUnable("record.no-views", "The record is being rebuilt.")
        return [heard("LAB|H01", 4)]

    watch = FeedWatch(feeds, [LAB], "H01", lambda: clock[0])
    assert watch.late() == [], "nothing is known yet"
    is_away[0] = False
    assert [state.state for state in watch.states()] == ["normal"]
    is_away[0] = True
    clock[0] += 2 * MINUTE
    assert [state.state for state in watch.late()] == ["late"]


def test_many_pages_read_the_feeds_once_in_two_seconds() -> None:
    reads = []
    clock = [NOW]

    def feeds() -> list[Feed]:
        reads.append(clock[0])
        return [heard("LAB|H01", 4), heard("LAB|H02", 9, origin="H02")]

    watch = FeedWatch(feeds, [LAB], "H01", lambda: clock[0])
    for _ in range(10):
        assert watch.late() == []
    assert len(reads) == 1
    clock[0] += 2 * MINUTE
    assert [state.name for state in watch.late()] == ["Laboratoire"]
    assert watch.other_nodes() == [("H02", NOW - 9 * MINUTE)]
    assert len(reads) == 2
