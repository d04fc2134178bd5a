"""The weak probe: something accepts a connection. A frozen server does too, so use it only where nothing else is."""

from __future__ import annotations

from releve.recovery.probe.dialogue import Dialogue
from releve.recovery.probe.reading import Verdict


def accepts() -> Dialogue:
    """Return a dialogue that says nothing and is content with the connection."""
    return Verdict("up", "it accepts connections; whether it works is not known from this")
    yield b""  # unreachable, and what makes this a dialogue
