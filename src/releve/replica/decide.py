"""What to do when a hub and the log are compared: a pure table, asked before anything is pushed.

A hub acknowledges and may still lose: its word moves a cursor, it frees nothing. The rules, first that holds:

    1  the hub has no such stream                    WAIT       its steward makes it; then all is sent again
    2  the last event both hold differs              STOP       two histories: only a person can tell which is true
    3  the hub cannot show the last event both hold  WAIT       a hole there: its steward mends it
    4  the hub goes further than the log             PULL_BACK  this node lost events: they come back first
    5  otherwise                                     PUSH       from the hub's last on; nothing to push is also this

Source: facts on replication, section 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from releve.replica.depot import StreamState


class Act(Enum):
    """What to do with one channel at one hub."""

    WAIT = "wait"
    STOP = "stop"
    PULL_BACK = "pull back"
    PUSH = "push"


class Likeness(Enum):
    """How the last event that both should hold compares."""

    NOTHING_SHARED = "one of them is empty"
    SAME = "the same"
    OTHER = "another"
    NOT_SHOWN = "the hub does not show it"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and what to tell.

    base      PUSH: the number on top of which to push
    hub_lost  events that were acknowledged and are no longer at the hub's end
    hole      events missing inside the hub's stream
    own_lost  events that the hub, or an earlier acknowledgement, shows that this node's log lost
    """

    act: Act
    base: int = 0
    hub_lost: int = 0
    hole: int = 0
    own_lost: int = 0


def decide(hub: StreamState | None, own_last: int, acked: int, likeness: Likeness) -> Decision:
    """Return what to do with one channel.

    hub       how far the hub's stream goes; None when there is none
    own_last  how far the log goes
    acked     the highest number that this hub ever acknowledged; a hint
    likeness  of the event numbered min(hub.last, own_last)
    """
    if hub is None:
        return Decision(Act.WAIT, hub_lost=acked)
    hole = max(0, hub.lost_inside)
    shared = min(hub.last, own_last)
    assert (likeness is Likeness.NOTHING_SHARED) == (shared == 0), "what is shared was compared, and nothing else"
    if likeness is Likeness.OTHER:
        return Decision(Act.STOP, hole=hole)
    if likeness is Likeness.NOT_SHOWN:
        return Decision(Act.WAIT, hole=max(hole, 1))
    if hub.last > own_last:
        return Decision(Act.PULL_BACK, hole=hole, own_lost=hub.last - own_last)
    return Decision(
        Act.PUSH,
        base=hub.last,
        hub_lost=max(0, acked - hub.last),
        hole=hole,
        own_lost=max(0, acked - own_last),
    )
