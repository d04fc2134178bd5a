"""Lines are whole or not there at all, whatever the power or the disk did."""

import errno
import os
from pathlib import Path

import pytest

from releve.recovery.lines import add_lines


def test_lines_are_added_and_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    add_lines(path, b"one\n")
    add_lines(path, b"two\nthree\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [b"one\ntw", b"one\n", b"tw", b""])
def test_half_a_line_that_a_power_cut_left_is_cut_off_by_the_next_writer(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(left)
    add_lines(path, b"three\n")
    assert path.read_bytes() == left[: left.rfind(b"\n") + 1] + b"three\n"


def test_a_disk_that_takes_half_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    add_lines(path, b"one\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:2]))
    with pytest.raises(OSError, match="No space left") as refused:
        add_lines(path, b"two\n")
    assert refused.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"one\n"
