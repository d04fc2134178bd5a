"""A crisis at the house of the pages."""

import pytest

from ward.cast import House

from .scene import Crisis


@pytest.fixture
def crisis(house: House) -> Crisis:
    """A restart half-way: see scene.Crisis.begin."""
    opened = Crisis(house)
    opened.begin()
    return opened
