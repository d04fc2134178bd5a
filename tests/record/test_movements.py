"""Stays from movements: status, period and places, in any order of arrival."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from releve.record import movements
from releve.record.movements import Movement, StayState, stay

HOUR = 3_600_000_000


def told(*said: tuple[Any, ...]) -> list[Movement]:
    """Movements as (event, hour, ward, id, action), heard in this order."""
    found: list[Movement] = []
    for hlc, (event, hour, *more) in enumerate(said, 1):
        ward, id_, action = (*more, "", "", "")[:3]
        content: dict[str, Any] = {"event": event, "action": action or "insert"}
        if ward:
            content["location"] = {"display": ward, "ward": ward}
        if id_:
            content["movement"] = id_
        movements.add(found, Movement((hour * HOUR, hlc, "H01", 0), content))
    return found


def seen(state: StayState) -> tuple[str | None, list[str]]:
    return state.status, [place.ward for place in state.places]


def test_an_admission_a_transfer_and_a_discharge_make_a_finished_stay_with_two_places() -> None:
    state = stay(told(("A01", 9, "CARDIO"), ("A02", 12, "REA"), ("A03", 20, "REA")))
    assert seen(state) == ("finished", ["CARDIO", "REA"])
    assert [(place.since, place.until) for place in state.places] == [(9 * HOUR, 12 * HOUR), (12 * HOUR, 20 * HOUR)]
    assert (state.started, state.ended) == ("1970-01-01T09:00:00.000Z", "1970-01-01T20:00:00.000Z")


def test_an_emergency_arrival_is_in_progress_and_a_preadmission_is_planned() -> None:
    assert stay(told(("A04", 9, "URG"))).status == "in-progress"
    assert stay(told(("A05", 9, "CHIR"))).status == "planned"
    assert seen(stay(told(("A05", 9, "CHIR"), ("A01", 12, "CHIR")))) == ("in-progress", ["CHIR", "CHIR"])


def test_a_transfer_of_somebody_never_admitted_here_is_in_progress() -> None:
    assert seen(stay(told(("A02", 9, "REA")))) == ("in-progress", ["REA"])


def test_a_cancelled_admission_cancels_the_stay() -> None:
    assert stay(told(("A01", 9, "CARDIO"), ("A11", 10))).status == "cancelled"


def test_an_admission_after_its_cancel_stands_even_for_the_same_minute() -> None:
    assert stay(told(("A01", 9, "CARDIO"), ("A11", 10), ("A01", 9, "CARDIO"))).status == "in-progress"


def test_a_cancelled_transfer_puts_somebody_back_where_they_were() -> None:
    state = stay(told(("A01", 9, "CARDIO"), ("A02", 12, "REA"), ("A12", 13, "CARDIO")))
    assert seen(state) == ("in-progress", ["CARDIO"])
    assert state.places[-1].until is None


def test_a_cancelled_discharge_reopens_the_stay() -> None:
    assert stay(told(("A01", 9, "C"), ("A03", 20), ("A13", 21))).status == "in-progress"


def test_a_transfer_told_after_the_discharge_does_not_reopen_the_stay() -> None:
    assert stay(told(("A01", 9, "C"), ("A03", 20), ("A02", 21, "R"))).status == "finished"


def test_a_cancel_without_an_id_takes_back_the_latest_of_its_kind_at_or_before_its_time() -> None:
    said = told(("A01", 9, "A"), ("A02", 10, "B"), ("A02", 14, "C"), ("A12", 12))
    assert seen(stay(said)) == ("in-progress", ["A", "C"])


def test_an_update_by_id_moves_a_movement_even_to_an_earlier_time() -> None:
    said = told(("A01", 9, "A", "m1"), ("A02", 12, "B", "m2"), ("A02", 11, "C", "m2", "update"))
    state = stay(said)
    assert seen(state) == ("in-progress", ["A", "C"])
    assert state.places[-1].since == 11 * HOUR


def test_a_cancel_by_id_takes_back_a_past_movement() -> None:
    said = told(("A01", 9, "A", "m1"), ("A02", 12, "B", "m2"), ("A02", 15, "C", "m3"), ("A02", 12, "", "m2", "cancel"))
    assert seen(stay(said)) == ("in-progress", ["A", "C"])


def test_a_cancel_by_id_of_an_admission_never_heard_leaves_a_cancelled_stay() -> None:
    assert stay(told(("A01", 9, "", "m1", "cancel"))).status == "cancelled"


def test_the_same_movement_from_two_roads_is_one() -> None:
    assert seen(stay(told(("A01", 9, "A"), ("A01", 9, "A"), ("A11", 10), ("A11", 10)))) == ("cancelled", [])


def test_what_was_stated_of_a_stay_stays_where_movements_say_nothing() -> None:
    doc = {"class": {"code": "EMER"}, "identifier": [1]}
    assert movements.overlay(doc, stay([])) == {**doc, "status": "unknown"}
    laid = movements.overlay({**doc, "status": "finished"}, stay(told(("A01", 9, "A"))))
    assert (laid["status"], laid["class"], laid["location"][0]["status"]) == ("in-progress", {"code": "EMER"}, "active")


_SAID = st.tuples(
    st.sampled_from(["A01", "A02", "A03", "A04", "A05", "A11", "A12", "A13", "A21", "A22"]),
    st.integers(8, 12),
    st.sampled_from(["A", "B", ""]),
    st.sampled_from(["", "", "m1", "m2"]),
    st.sampled_from(["insert", "insert", "update", "cancel"]),
)


@given(
    st.lists(_SAID, max_size=8).flatmap(lambda said: st.tuples(st.just(said), st.permutations(range(len(said))))),
)
def test_any_order_of_arrival_gives_the_same_stay(given_: Any) -> None:
    said, order = given_
    one = told(*said)
    other: list[Movement] = []
    for movement in sorted(one, key=lambda m: order[m.place[1] - 1]):
        movements.add(other, movement)
    assert stay(one) == stay(other)
    encoded = [[list(place), content] for place, content in one]
    assert movements.decode(encoded) == one
