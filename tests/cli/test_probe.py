"""releve probe as somebody types it at night."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.cli import main


@pytest.fixture
def port() -> Iterator[int]:
    """A port where something accepts and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield listening.getsockname()[1]


def test_what_works_and_what_does_not_is_said_in_a_line_each(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--timeout", "0.3", f"tcp://127.0.0.1:{port}", f"mllp://127.0.0.1:{port}"]) == 1
    works, frozen, together = capsys.readouterr().out.splitlines()
    assert works.startswith(f"✓ tcp://127.0.0.1:{port} ")
    assert frozen.startswith(f"✗ mllp://127.0.0.1:{port} ")
    assert "frozen" in frozen
    assert together == "1 of 2 work."


def test_one_that_works_is_a_yes(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", f"tcp://127.0.0.1:{port}"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_estate_is_asked_by_the_names_of_its_units(
    port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "estate.toml"
    path.write_text(
        '[estate]\nname = "Centre"\n[[site]]\nid = "centre"\nname = "Centre"\nkind = "hosting"\n'
        f'[[unit]]\nid = "names"\nsite = "centre"\nprobe = "tcp://127.0.0.1:{port}"\n'
        '[[unit]]\nid = "disk"\nsite = "centre"\nprobe = "redis://127.0.0.1?password_file=/nowhere/at/all"\n',
        "utf-8",
    )
    assert main(["probe", "--estate", str(path)]) == 1
    said = capsys.readouterr().out
    assert "✓ names  up" in said
    assert "✗ disk   unasked" in said
    assert "/nowhere/at/all cannot be read for a probe" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Give addresses to probe, or --estate FILE"),
        (["gopher://probe:secret@host"], "cannot be probed; known are"),
        (["--timeout", "0", "tcp://127.0.0.1:1"], "--timeout must be more than 0"),
    ],
)
def test_wrong_use_says_what_was_expected(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "secret" not in said
