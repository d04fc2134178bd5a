"""Files replaced whole: the old one or the new one, and secrets for their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from releve.errors import StoreUnable
from releve.replica.keyfile import write_private, write_public


def test_a_secret_is_for_its_owner_even_where_an_open_file_was(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "seed"
    write_public(path, b"open")
    write_private(path, b"secret")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"secret", 0o600)
    assert [entry.name for entry in path.parent.iterdir()] == ["seed"]


def test_what_cannot_be_written_leaves_the_old_file_and_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(StoreUnable, match="cannot be written"):
        write_private(tmp_path / "file" / "below", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
