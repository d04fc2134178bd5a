"""What one place measured last of the estate, unit by unit: `states.json` in the folder of a recovery.

The courier of a node writes it, every page and report reads it. It is a measure, not a memory: what is older than two
minutes says nothing about now.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from releve.clock import Instant
from releve.recovery.folder import STATES


class UnitState(msgspec.Struct, frozen=True):
    """One unit as it was seen from here.

    state       "normal", "degraded", "down" or "returning"
    since       when that state began
    checked_at  when it was measured last
    why         what the probe found, as a word of probe.reading; "slow" or "flapping" where that is why it is degraded
    reason_fr, reason_en   the same as a sentence
    took_s      how long the last answer took
    """

    id: str
    state: str
    since: Instant
    checked_at: Instant
    why: str = ""
    reason_fr: str = ""
    reason_en: str = ""
    took_s: float = 0.0


class States(msgspec.Struct, frozen=True):
    """All units that this place asks.

    site     whose view it is
    estate   the file they come from
    unasked  units whose probe may not be used here, such as a program to be run
    """

    site: str
    at: Instant
    units: dict[str, UnitState]
    estate: str = ""
    unasked: tuple[str, ...] = ()


def read_states(folder: Path) -> States | None:
    """Return what was measured last; None where nothing was, or where the file is not to be read."""
    try:
        return msgspec.json.decode((folder / STATES).read_bytes(), type=States)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_states(folder: Path, states: States) -> None:
    """Replace the file in one step, so that a reader sees the old or the new one.

    raises  OSError  the disk refused
    """
    path = folder / STATES
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(states))
    draft.replace(path)
