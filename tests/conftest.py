import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ward.cast import ADMIT_LEO, ADMIT_MARIE, House, potassium

# The same examples at every run, so that a change is what makes a test fail; the long rounds look for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None, max_examples=1000)
settings.load_profile("new" if os.environ.get("RELEVE_TORTURE") else "same")


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
