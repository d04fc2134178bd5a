"""The filter of known ids: it never forgets one, and seldom takes a new one for known."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.ids import computed_id
from releve.record.known import Known
from releve.record.schema import encode_id

_IDS = st.lists(st.binary(min_size=16, max_size=16))


@given(_IDS, _IDS, _IDS)
def test_what_was_told_is_never_forgotten_and_the_order_is_kept(
    first: list[bytes], second: list[bytes], others: list[bytes]
) -> None:
    known = Known(field_bytes=64)
    known.tell(first)
    known.tell(iter(second))
    assert known.perhaps(first) == first
    assert known.perhaps([*second, *first]) == [*second, *first]
    assert [one for one in others if one in known.perhaps(others)] == known.perhaps(others)


def test_nothing_is_known_at_first() -> None:
    assert Known().perhaps([bytes(16), b"\xff" * 16]) == []


def test_of_a_million_known_ids_one_new_one_in_a_thousand_is_taken_for_known() -> None:
    known = Known()
    for tens in range(100):
        known.tell(one.to_bytes(8, "little") * 2 for one in range(tens * 10_000, (tens + 1) * 10_000))
    asked = [
        packed for n in range(20_000) if type(packed := encode_id(computed_id("Observation", "x", str(n)))) is bytes
    ]
    assert len(asked) == 20_000
    assert len(known.perhaps(asked)) < 20


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of a process by /proc")
def test_a_post_that_loads_it_has_one_thread_and_leaves_no_word_of_it_to_what_it_starts() -> None:
    look = (
        "import os, sys, releve.node.posts\n"
        "assert 'numpy' in sys.modules\n"
        "print(len(os.listdir('/proc/self/task')), os.environ.get('OPENBLAS_NUM_THREADS'))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    ran = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "None"]
