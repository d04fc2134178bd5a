"""Who is the same person: chains, reversals, undoing, shared numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from releve.record import merges
from releve.record.merges import Link, in_force, root


def link(loser: int, winner: int, at: int, *, is_merge: bool = True) -> Link:
    return Link(loser, winner, is_merge, (at, at, "H01", 0))


def test_a_chain_is_followed_to_its_end() -> None:
    current = in_force([link(1, 2, 10), link(2, 3, 20)])
    assert [root(key, current) for key in (1, 2, 3)] == [3, 3, 3]


def test_a_merge_taken_back_leaves_both() -> None:
    current = in_force([link(1, 2, 10), link(1, 2, 20, is_merge=False)])
    assert current == {}


def test_a_merge_taken_back_before_it_was_made_again_stands() -> None:
    assert root(1, in_force([link(1, 2, 10), link(1, 2, 20, is_merge=False), link(1, 2, 30)])) == 2


def test_a_reversed_merge_leaves_the_newer_target_and_no_loop() -> None:
    current = in_force([link(1, 2, 10), link(2, 1, 20)])
    assert [root(key, current) for key in (1, 2)] == [1, 1]
    again = in_force([link(1, 2, 10), link(2, 1, 20), link(1, 2, 30)])
    assert [root(key, again) for key in (1, 2)] == [2, 2]


def test_a_merge_that_closes_a_long_loop_lets_its_target_survive() -> None:
    current = in_force([link(1, 2, 10), link(2, 3, 20), link(3, 1, 30)])
    assert [root(key, current) for key in (1, 2, 3)] == [1, 1, 1]


def test_a_merge_with_oneself_says_nothing() -> None:
    assert in_force([link(1, 1, 10)]) == {}


def test_patients_with_one_number_are_one_person_and_every_node_names_the_same() -> None:
    names: dict[int, bytes | str] = {1: b"b", 2: b"a", 3: b"c"}
    assert merges.roots([1, 2, 3], {}, [{1, 2}, {1, 3}], names) == {1: 2, 2: 2, 3: 2}


def test_a_merged_patient_does_not_stand_for_those_who_share_its_number() -> None:
    names: dict[int, bytes | str] = {1: b"a", 2: b"z", 3: b"m"}
    found = merges.roots([1, 2, 3], in_force([link(1, 2, 10)]), [{1, 3}], names)
    assert found == {1: 3, 2: 3, 3: 3}


def test_a_merge_is_laid_over_what_was_stated_and_revives_nobody() -> None:
    doc = {"active": True, "link": [{"type": "seealso", "other": {"reference": "Patient/x"}}]}
    laid = merges.overlay(doc, "w", [])
    assert laid["active"] is False
    assert [one["type"] for one in laid["link"]] == ["seealso", "replaced-by"]
    assert merges.overlay(doc, None, []) is doc


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.booleans()), max_size=12).flatmap(
        lambda said: st.tuples(st.just(said), st.permutations(range(len(said))))
    )
)
def test_no_set_of_merges_makes_a_loop_and_order_of_arrival_does_not_matter(
    given_: tuple[list[tuple[int, int, bool]], list[int]],
) -> None:
    said, order = given_
    links = [link(loser, winner, at, is_merge=is_merge) for at, (loser, winner, is_merge) in enumerate(said)]
    current = in_force(links)
    assert current == in_force([links[n] for n in order])
    for key in range(1, 6):
        steps = 0
        while key in current:
            key = current[key].winner
            steps += 1
            assert steps <= 5, "a loop"
