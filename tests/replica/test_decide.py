"""Every cell of the table: what the hub holds × how far it goes × what both share × what was acknowledged."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.replica.decide import Act, Decision, Likeness, decide
from releve.replica.depot import StreamState

EMPTY, SAME, OTHER, NOT_SHOWN = Likeness.NOTHING_SHARED, Likeness.SAME, Likeness.OTHER, Likeness.NOT_SHOWN


def whole(last: int) -> StreamState:
    return StreamState(last, 1 if last else 0, last)


def holed(last: int, lost: int) -> StreamState:
    return StreamState(last - lost, 1, last)


@pytest.mark.parametrize(
    ("hub", "own_last", "acked", "likeness", "expected"),
    [
        # rule 1: no stream
        (None, 0, 0, EMPTY, Decision(Act.WAIT)),
        (None, 9, 0, EMPTY, Decision(Act.WAIT)),
        (None, 9, 7, EMPTY, Decision(Act.WAIT, hub_lost=7)),
        # rule 2: two histories, whoever goes further
        (whole(5), 9, 5, OTHER, Decision(Act.STOP)),
        (whole(9), 9, 9, OTHER, Decision(Act.STOP)),
        (whole(12), 9, 9, OTHER, Decision(Act.STOP)),
        (holed(9, 2), 9, 9, OTHER, Decision(Act.STOP, hole=2)),
        # rule 3: nothing can be compared
        (holed(9, 2), 9, 9, NOT_SHOWN, Decision(Act.WAIT, hole=2)),
        (whole(9), 12, 9, NOT_SHOWN, Decision(Act.WAIT, hole=1)),
        (holed(12, 3), 9, 9, NOT_SHOWN, Decision(Act.WAIT, hole=3)),
        # rule 4: this node lost events
        (whole(12), 9, 9, SAME, Decision(Act.PULL_BACK, own_lost=3)),
        (whole(12), 9, 12, SAME, Decision(Act.PULL_BACK, own_lost=3)),
        (whole(12), 0, 0, EMPTY, Decision(Act.PULL_BACK, own_lost=12)),
        (holed(12, 1), 9, 9, SAME, Decision(Act.PULL_BACK, hole=1, own_lost=3)),
        # rule 5: push from the hub's last on
        (whole(0), 0, 0, EMPTY, Decision(Act.PUSH, base=0)),
        (whole(0), 9, 0, EMPTY, Decision(Act.PUSH, base=0)),
        (whole(0), 9, 9, EMPTY, Decision(Act.PUSH, base=0, hub_lost=9)),
        (whole(5), 9, 0, SAME, Decision(Act.PUSH, base=5)),
        (whole(5), 9, 5, SAME, Decision(Act.PUSH, base=5)),
        (whole(5), 9, 8, SAME, Decision(Act.PUSH, base=5, hub_lost=3)),
        (whole(9), 9, 5, SAME, Decision(Act.PUSH, base=9)),
        (whole(9), 9, 9, SAME, Decision(Act.PUSH, base=9)),
        (whole(5), 9, 12, SAME, Decision(Act.PUSH, base=5, hub_lost=7, own_lost=3)),
        (holed(5, 2), 9, 5, SAME, Decision(Act.PUSH, base=5, hole=2)),
    ],
)
def test_the_table(hub: StreamState | None, own_last: int, acked: int, likeness: Likeness, expected: Decision) -> None:
    assert decide(hub, own_last, acked, likeness) == expected


def test_every_cell_is_decided_and_nothing_is_pushed_over_a_doubt() -> None:
    hubs = [None, whole(0), whole(5), whole(9), whole(12), holed(5, 1), holed(12, 2)]
    for hub, own_last, acked, likeness in product(hubs, (0, 5, 9), (0, 5, 20), Likeness):
        shared = min(hub.last, own_last) if hub else 0
        if hub is not None and (likeness is EMPTY) != (shared == 0):
            with pytest.raises(AssertionError):
                decide(hub, own_last, acked, likeness)
            continue
        made = decide(hub, own_last, acked, likeness)
        if made.act is Act.PUSH:
            assert likeness in {SAME, EMPTY}
            assert hub is not None
            assert made.base == hub.last <= own_last


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_two_that_agree_never_stop_and_always_meet(hub_last: int, own_last: int, acked: int) -> None:
    likeness = SAME if min(hub_last, own_last) else EMPTY
    made = decide(whole(hub_last), own_last, acked, likeness)
    assert made.act is (Act.PULL_BACK if hub_last > own_last else Act.PUSH)
    assert made.hub_lost == (max(0, acked - hub_last) if made.act is Act.PUSH else 0)
