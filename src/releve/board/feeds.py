"""Which feeds are late. Silence is the first sign of an outage, and nobody looks at a feed that is well.

A feed is one sender (MSH-3|MSH-4) heard by this node. A sender that the node's file expects has a time after which it
is late; one that it does not expect is shown without an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from releve.clock import Instant
from releve.errors import StoreUnable
from releve.record.rows import Feed
from releve.screen import sender_words

NORMAL, LATE, NEVER, UNWATCHED = "normal", "late", "never heard", "no limit set"
#: How long a reading of the feeds serves: every page asks, and a second changes nothing.
_KEEP_US = 2_000_000


class ExpectedFeed(Protocol):
    """A feed that is expected; the node's configuration has these."""

    @property
    def sender(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def late_after_s(self) -> float: ...


class FeedState(msgspec.Struct, frozen=True):
    """One sender.

    last_at  when it was heard last; 0 for never
    state    "normal", "late", "never heard", "no limit set"
    types    messages by type: (("ADT^A01", 12), …), most first
    """

    sender: str
    name: str
    count: int
    last_at: Instant
    late_after_s: float
    state: str
    types: tuple[tuple[str, int], ...]

    @property
    def is_late(self) -> bool:
        return self.state in (LATE, NEVER)


def feed_states(feeds: Sequence[Feed], expected: Sequence[ExpectedFeed], origin: str, now: Instant) -> list[FeedState]:
    """Return the state of every expected feed, then of the others heard by this node, the late ones first.

    feeds   what was heard, by sender and type, of any origin; only this node's own are judged
    """
    heard: dict[str, list[Feed]] = {}
    for feed in feeds:
        if feed.origin == origin:
            heard.setdefault(feed.sender, []).append(feed)
    states = [_state(rule.sender, rule.name, rule.late_after_s, heard.pop(rule.sender, []), now) for rule in expected]
    states += [_state(sender, "", 0, parts, now) for sender, parts in sorted(heard.items())]
    return sorted(states, key=lambda state: not state.is_late)


def _state(sender: str, name: str, late_after_s: float, parts: list[Feed], now: Instant) -> FeedState:
    last_at = max((part.last_at for part in parts), default=0)
    if not late_after_s:
        state = UNWATCHED
    elif not last_at:
        state = NEVER
    else:
        state = LATE if now - last_at > late_after_s * 1_000_000 else NORMAL
    types = sorted(((part.type, part.count) for part in parts), key=lambda pair: (-pair[1], pair[0]))
    count = sum(part.count for part in parts)
    return FeedState(sender, name or sender_words(sender), count, last_at, late_after_s, state, tuple(types))


class FeedWatch:
    """The states of the feeds, read at most every two seconds however many pages ask.

    feeds     what was heard: Views.feeds
    expected  what the node's file expects
    origin    this node
    """

    def __init__(
        self,
        feeds: Callable[[], list[Feed]],
        expected: Sequence[ExpectedFeed],
        origin: str,
        now: Callable[[], Instant],
    ) -> None:
        self._feeds, self._expected, self._origin, self._now = feeds, tuple(expected), origin, now
        self._read_at = 0
        self._heard: list[Feed] | None = None
        self._states: list[FeedState] = []
        self._others: list[tuple[str, Instant]] = []

    def states(self) -> list[FeedState]:
        """Return the state of every feed, late ones first."""
        self._read()
        return self._states

    def late(self) -> list[FeedState]:
        """Return the feeds that raise the alarm."""
        self._read()
        return [state for state in self._states if state.is_late]

    def other_nodes(self) -> list[tuple[str, Instant]]:
        """Return (origin, when its newest message was heard) of the other hospitals whose history is here."""
        self._read()
        return self._others

    def _read(self) -> None:
        now = self._now()
        if self._read_at and 0 <= now - self._read_at < _KEEP_US:
            return
        try:
            feeds = self._heard = self._feeds()
        except StoreUnable:
            # The views are being rebuilt: what was heard before still was, and grows older. Before the first reading
            # nothing is known, and nothing is called late.
            if self._heard is None:
                return
            feeds = self._heard
        self._states = feed_states(feeds, self._expected, self._origin, now)
        newest: dict[str, Instant] = {}
        for feed in feeds:
            if feed.origin != self._origin:
                newest[feed.origin] = max(feed.last_at, newest.get(feed.origin, 0))
        self._others = sorted(newest.items())
        self._read_at = now
