"""Folding one resource: patches, puts and mentions, in any order of arrival."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from releve.record import fold
from releve.record.fold import Place, State, merge_patch

Told = tuple[str, dict[str, Any], Place]

# RFC 7396, appendix A, the rows whose target is an object.
RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


def test_a_merge_patch_does_what_the_rfc_says() -> None:
    for target, change, expected in RFC_7396:
        before = orjson.dumps(target)
        assert merge_patch(target, change) == expected
        assert orjson.dumps(target) == before


def folded(told: list[Told]) -> State:
    """Fold as the archive does: apply what comes last, fold all again for what comes late."""
    state = State()
    kept: list[tuple[str, bytes, Place]] = []
    for verb, content, place in told:
        raw = orjson.dumps(content)
        if verb == "mention":
            fold.mention(state, orjson.loads(raw), place)
            continue
        kept.append((verb, raw, place))
        if place > state.last:
            if verb == "put":
                fold.put(state, raw, place)
            elif not fold.restates(state, orjson.loads(raw), place):
                fold.patch(state, orjson.loads(raw), place)
        else:
            state = fold.refold(state, kept)
        encoded = fold.encode_state(state)
        state, _ = fold.decode_state(state.doc, state.raw or b"{}", state.last, encoded)
    return state


def at(seconds: int, origin: str = "H01") -> Place:
    return seconds, seconds, origin, 0


def test_an_older_patch_never_overwrites_a_newer_one() -> None:
    told: list[Told] = [("patch", {"gender": "female"}, at(20)), ("patch", {"gender": "male", "x": 1}, at(10))]
    assert folded(told).doc == {"gender": "female", "x": 1}


def test_what_an_older_patch_deleted_stays_when_a_newer_one_gave_it() -> None:
    told: list[Told] = [("patch", {"gender": "female"}, at(20)), ("patch", {"gender": None}, at(10))]
    assert folded(told).doc == {"gender": "female"}


def test_mention_then_patch_and_patch_then_mention_give_the_same() -> None:
    said: list[Told] = [
        ("mention", {"gender": "male", "telecom": [1], "maritalStatus": {"text": "M"}}, at(30)),
        ("patch", {"gender": "female", "maritalStatus": {"coding": [2]}}, at(10)),
    ]
    assert folded(said).doc == folded(said[::-1]).doc
    assert folded(said).doc == {"gender": "female", "telecom": [1], "maritalStatus": {"coding": [2]}}


def test_a_mention_does_not_bring_back_what_was_deleted() -> None:
    said: list[Told] = [("patch", {"birthDate": None}, at(10)), ("mention", {"birthDate": "1970"}, at(20))]
    assert folded(said).doc == {}
    assert folded(said[::-1]).doc == {}


def test_of_two_mentions_the_later_counts() -> None:
    said: list[Told] = [("mention", {"gender": "male"}, at(10)), ("mention", {"gender": "female"}, at(20))]
    assert folded(said).doc == folded(said[::-1]).doc == {"gender": "female"}


def test_a_resource_known_only_by_mentions_says_so() -> None:
    assert not folded([("mention", {"gender": "male"}, at(10))]).is_stated
    assert folded([("patch", {"gender": "male"}, at(10))]).is_stated


def test_a_late_preliminary_never_overrides_a_final() -> None:
    final: Told = ("put", {"status": "final", "v": 1}, at(10))
    for status in ("preliminary", "registered"):
        late: Told = ("put", {"status": status, "v": 2}, at(20))
        assert folded([final, late]).doc["v"] == 1
        assert folded([late, final]).doc["v"] == 1


def test_a_corrected_result_replaces_a_final_and_a_later_final_does_not_replace_it() -> None:
    corrected: list[Told] = [
        ("put", {"status": "final", "v": 1}, at(10)),
        ("put", {"status": "corrected", "v": 2}, at(20)),
    ]
    assert folded(corrected).doc["v"] == 2
    assert folded([*corrected, ("put", {"status": "final", "v": 3}, at(30))]).doc["v"] == 2


def test_a_withdrawn_result_wins_over_all_before_and_loses_to_what_comes_after() -> None:
    said: list[Told] = [
        ("put", {"status": "corrected", "v": 1}, at(10)),
        ("put", {"status": "entered-in-error", "v": 2}, at(20)),
    ]
    assert folded(said).doc["v"] == 2
    assert folded([*said, ("put", {"status": "preliminary", "v": 3}, at(30))]).doc["v"] == 3
    assert folded([*said, ("put", {"status": "corrected", "v": 3}, at(15))]).doc["v"] == 2


_NAMES = st.sampled_from(["status", "a", "b", "c"])
_VALUES = st.one_of(st.none(), st.integers(0, 3), st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2))
_STATUSES = st.sampled_from(["registered", "preliminary", "final", "corrected", "cancelled", "entered-in-error"])
_CONTENTS = st.dictionaries(_NAMES, _VALUES, max_size=3)
_PUTS = st.builds(lambda status, rest: {**rest, "status": status}, _STATUSES, _CONTENTS)
_SAID = st.one_of(
    st.tuples(st.just("mention"), _CONTENTS), st.tuples(st.just("patch"), _CONTENTS), st.tuples(st.just("put"), _PUTS)
)


@given(
    st.lists(st.tuples(_SAID, st.integers(0, 4), st.sampled_from(["H01", "H02"])), max_size=7).flatmap(
        lambda told: st.tuples(st.just(told), st.permutations(range(len(told))))
    )
)
def test_any_order_of_arrival_gives_the_same_resource(given_: Any) -> None:
    said, order = given_
    told = [(verb, content, (seconds, n, origin, 0)) for n, ((verb, content), seconds, origin) in enumerate(said)]
    one, other = folded(told), folded([told[n] for n in order])
    assert one.doc == other.doc
    assert one.stated == other.stated
