"""The spaces of French print: narrow and unbreakable before the double signs and inside guillemets."""

from __future__ import annotations

import re

_NARROW = "\u202f"


def set_spaces(text: str) -> str:
    """Return a French sentence typed with common spaces as it is to be printed."""
    return re.sub(r"« ", f"«{_NARROW}", re.sub(r" ([:;!?»])", rf"{_NARROW}\1", text))
