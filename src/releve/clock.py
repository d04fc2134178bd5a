"""Time: the wall clock as a value that is passed in, and the hybrid logical clock that orders events of several nodes.

A hybrid timestamp is one integer: milliseconds since 1970 in the high 48 bits, a counter in the low 16. It never goes
back, not even when the wall clock does, and is larger than every timestamp this node has heard.
Source: Kulkarni et al., "Logical Physical Clocks" (2014), section 3.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: Microseconds since 1970-01-01T00:00Z: the only form of an instant that is stored.
Instant = int

HLC_COUNTER_BITS = 16


def wall_us() -> Instant:
    """Return now in microseconds since 1970."""
    return time.time_ns() // 1000


def to_datetime(at: Instant) -> datetime:
    """Return an instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(at / 1_000_000, UTC)


def to_instant(at: datetime) -> Instant:
    """Return an aware datetime as microseconds since 1970; a naive one is our mistake."""
    assert at.tzinfo is not None, "a naive datetime has no instant"
    return round(at.timestamp() * 1_000_000)


def to_iso(at: Instant) -> str:
    """Return an instant as FHIR writes it: 2024-08-03T09:12:44.123Z."""
    return to_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class HybridClock:
    """Gives timestamps that only grow and stay close to the wall clock.

    now   returns microseconds since 1970; passed in so that tests own the time
    last  the largest timestamp known so far, from the log
    """

    def __init__(self, now: Callable[[], Instant] = wall_us, last: int = 0) -> None:
        self._now = now
        self.last = last

    def tick(self) -> int:
        """Return a timestamp larger than every one given or heard before."""
        wall = (self._now() // 1000) << HLC_COUNTER_BITS
        self.last = wall if wall > self.last else self.last + 1
        return self.last

    def hear(self, remote: int) -> None:
        """Take note of another node's timestamp, so that what is written after it sorts after it."""
        if remote > self.last:
            self.last = remote
