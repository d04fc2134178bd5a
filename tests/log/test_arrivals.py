"""What came in is on the disk before it is understood, and is found again whatever was cut off."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.errors import StoreUnable
from releve.log import Arrival, Arrivals, read_arrivals
from releve.log.arrivals import ARRIVALS_FILE, BLOCK_BYTES, RECORD_BYTES_MAX

SMALL = 16 * BLOCK_BYTES


def _arrival(number: int, size: int = 100) -> Arrival:
    return Arrival(number, "10.0.0.7", b"MSH|^~\\&|" + str(number).encode().ljust(size, b"x"), "utf-8", [])


def _keep(arrivals: Arrivals, *what: Arrival) -> int:
    serial = 0
    while what:
        count, serial = arrivals.keep(what)
        what = what[count:]
    return serial


def test_what_was_kept_is_left_for_the_next_life_in_its_order(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    assert arrivals.left() == []
    _keep(arrivals, _arrival(1), _arrival(2))
    _keep(arrivals, _arrival(3))
    assert read_arrivals(tmp_path) == [_arrival(1), _arrival(2), _arrival(3)]
    assert Arrivals(tmp_path, size_bytes=SMALL).left() == [_arrival(1), _arrival(2), _arrival(3)]


def test_a_node_that_stops_well_leaves_nothing_to_look_at(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    arrivals.settle(_keep(arrivals, _arrival(1)))
    arrivals.close()
    again = Arrivals(tmp_path, size_bytes=SMALL)
    assert again.left() == []
    _keep(again, _arrival(2))
    again.close()  # not settled: it is not marked as such
    assert read_arrivals(tmp_path) == [_arrival(2)]


def test_what_is_not_settled_is_never_written_over(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    kept = [_arrival(number) for number in range(15)]
    serials = [_keep(arrivals, one) for one in kept]
    with pytest.raises(StoreUnable, match="log has not taken"):
        _keep(arrivals, _arrival(100))
    assert read_arrivals(tmp_path) == kept
    arrivals.settle(serials[0])
    _keep(arrivals, _arrival(200))
    assert read_arrivals(tmp_path) == [*kept[1:], _arrival(200)]
    with pytest.raises(StoreUnable, match="log has not taken"):
        _keep(arrivals, _arrival(201))


def test_the_file_goes_round_and_keeps_its_length(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    for number in range(1000):
        arrivals.settle(_keep(arrivals, _arrival(number, number % 9000)))
        assert read_arrivals(tmp_path)[-1] == _arrival(number, number % 9000)
    assert (tmp_path / ARRIVALS_FILE).stat().st_size == SMALL


def test_more_than_a_record_holds_is_written_as_several(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path)
    many = [_arrival(number, RECORD_BYTES_MAX // 5) for number in range(12)]
    _keep(arrivals, *many)
    assert read_arrivals(tmp_path) == many


@given(cut=st.integers(0, 3 * BLOCK_BYTES), garbage=st.binary(min_size=1, max_size=3 * BLOCK_BYTES))
def test_a_torn_record_is_passed_over_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes
) -> None:
    folder = tmp_path_factory.mktemp("arrivals")
    arrivals = Arrivals(folder, size_bytes=SMALL)
    _keep(arrivals, _arrival(1))
    _keep(arrivals, _arrival(2, 2 * BLOCK_BYTES))
    with (folder / ARRIVALS_FILE).open("r+b") as file:  # from the second record on, whatever the power cut left
        file.seek(2 * BLOCK_BYTES + cut)
        file.write(garbage)
    left = Arrivals(folder, size_bytes=SMALL).left()
    assert left[:1] == [_arrival(1)]
    assert left[1:] in ([], [_arrival(2, 2 * BLOCK_BYTES)])


def test_a_record_that_a_sender_made_up_is_not_believed(tmp_path: Path) -> None:
    """A message may hold, at the place of a block, the very bytes of a record: its digest has another key."""
    (tmp_path / "other").mkdir()
    other = Arrivals(tmp_path / "other", size_bytes=SMALL)
    _keep(other, _arrival(666))
    forged = (tmp_path / "other" / ARRIVALS_FILE).read_bytes()[BLOCK_BYTES : 2 * BLOCK_BYTES]
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    _keep(arrivals, Arrival(1, "", bytes(BLOCK_BYTES - 50) + forged * 2))
    _keep(arrivals, _arrival(2))
    assert [one.received_at for one in read_arrivals(tmp_path)] == [1, 2]


def test_a_file_of_something_else_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ARRIVALS_FILE).write_bytes(b"not arrivals")
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    _keep(arrivals, _arrival(1))
    assert read_arrivals(tmp_path) == [_arrival(1)]


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    Arrivals(tmp_path, size_bytes=SMALL)
    assert (tmp_path / ARRIVALS_FILE).stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnable, match="cannot be used"):
        Arrivals(tmp_path / "file", size_bytes=SMALL)


def test_a_file_system_that_does_not_take_blocks_past_its_cache_gets_them_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = Arrivals(tmp_path, size_bytes=SMALL)
    write, tries = os.pwritev, []

    def once_refused(file: int, data: list[memoryview], at: int) -> int:
        tries.append(file)
        if len(tries) == 1:
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(file, data, at)

    monkeypatch.setattr(os, "pwritev", once_refused)
    _keep(arrivals, _arrival(1))
    _keep(arrivals, _arrival(2))
    assert len(tries) == 3
    assert read_arrivals(tmp_path) == [_arrival(1), _arrival(2)]
