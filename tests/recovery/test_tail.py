"""The tail of a file that grows: each whole line once."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.recovery.tail import Tail


def test_a_half_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    tail = Tail(path)
    assert tail.new_lines() == ([], False)
    path.write_bytes(b"one\ntw")
    assert tail.new_lines() == ([b"one"], False)
    assert tail.new_lines() == ([], False)
    with path.open("ab") as file:
        file.write(b"o\n")
    assert tail.new_lines() == ([b"two"], False)


def test_another_file_of_the_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path)
    tail.new_lines()
    (tmp_path / "other").write_bytes(b"three\nfour\nfive\n")
    (tmp_path / "other").replace(path)
    assert tail.new_lines() == ([b"three", b"four", b"five"], True)
    path.unlink()
    assert tail.new_lines() == ([], True)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=12))
def test_wherever_the_writer_was_cut_the_same_lines_come_once(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"")
    tail, found = Tail(path), []
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        found += tail.new_lines()[0]
    data = b"".join(pieces)
    assert found == [line for line in data[: data.rfind(b"\n") + 1].split(b"\n") if line]
