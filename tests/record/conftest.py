"""A scene that is closed after the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from record.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "node")
    yield made
    made.close()
