"""Files and pure dialogues for the tests of recovery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from releve.estate import Estate, load
from releve.recovery.probe.dialogue import Dialogue
from releve.recovery.probe.reading import Unwell, Verdict

Transcript = tuple[Verdict, list[bytes]]


def _play(dialogue: Dialogue, answers: Iterable[bytes]) -> Transcript:
    said: list[bytes] = []
    coming = iter(answers)
    try:
        words = next(dialogue)
        while True:
            if words:
                said.append(words)
            words = dialogue.send(next(coming, b""))
    except StopIteration as end:
        return end.value, said
    except Unwell as unwell:
        return unwell.verdict, said


@pytest.fixture
def play() -> Callable[[Dialogue, Iterable[bytes]], Transcript]:
    """Play a dialogue against prepared answers; after the last one the other side hangs up."""
    return _play


@pytest.fixture
def play_byte_by_byte() -> Callable[[Dialogue, bytes], Transcript]:
    """Play a dialogue against answers that arrive one byte at a time, however little is asked."""

    def slowly(dialogue: Dialogue, answers: bytes) -> Transcript:
        return _play(dialogue, (answers[index : index + 1] for index in range(len(answers))))

    return slowly


@pytest.fixture
def estate_of(tmp_path: Path) -> Callable[[str], Estate]:
    """Write an estate file and load it."""

    def made(text: str) -> Estate:
        path = tmp_path / "estate.toml"
        path.write_text(text, "utf-8")
        return load(path)

    return made
