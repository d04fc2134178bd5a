from collections.abc import Iterator
from pathlib import Path

import pytest

from ward.cast import ADMIT_LEO, ADMIT_MARIE, House, potassium


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A hospital where Marie and Léo lie, and Marie's potassium has risen from 4.4 to 6.8."""
    opened = House(tmp_path)
    try:
        opened.hear(
            ADMIT_MARIE,
            ADMIT_LEO,
            potassium("4.4", "", "20240802080000", number="K0"),
            potassium("6.8", "HH", "20240803130000", number="K1"),
        )
        yield opened
    finally:
        opened.close()
