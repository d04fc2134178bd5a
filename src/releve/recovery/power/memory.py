"""What outlives a killed guard: the discharges that run, the stop in force, and what batteries have shown before.

One small JSON file beside the journal, replaced whole: after a power cut it is the old one or the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from releve.errors import StoreUnable, WrongUse
from releve.recovery.power.estimate import Discharge

FILE = "power.json"


class Shown(msgspec.Struct, frozen=True):
    """What a battery has shown in earlier discharges, in percent-seconds (estimate.Held).

    proved    it gave so much at least, once: that much is believed whatever is announced
    measured  what it holds by the fall of its charge in the last discharge; None: too short to tell
    """

    proved: float = 0.0
    measured: float | None = None


class SourceMemory(msgspec.Struct, frozen=True):
    """One UPS.

    discharge   since the cut, None when there is none to remember
    is_on       whether it is on battery now; a discharge in a pause between two cuts is kept
    is_assumed  it cannot be read and was not on battery before: it counts as on battery because another one is
    line_s      since when it is on line power
    """

    discharge: Discharge | None = None
    is_on: bool = False
    is_assumed: bool = False
    line_s: float = 0.0
    shown: Shown = Shown()


class Stop(msgspec.Struct, frozen=True):
    """A decided stop. It is carried to its end whatever the power does.

    units    everything that loses its power, what has no command of its own too
    sources  on whose battery they run
    is_shed  only what saves load; the rest goes on
    """

    at_s: float
    units: tuple[str, ...]
    sources: tuple[str, ...]
    left_s: float
    p95_s: float
    reason: str
    is_shed: bool = False


class Memory(msgspec.Struct, frozen=True):
    """All of it. at_s is the wall clock, seconds since 1970.

    stops       since the power was last steady
    clean       those of them that were proved down
    is_stopping a stop is being carried out: after a kill it goes on
    endangered  units that were on a failing source at any time since the power was last steady
    is_blind    for a while nobody saw whether a battery lasted: the guard was away, or a UPS said nothing
    """

    at_s: float = 0.0
    sources: dict[str, SourceMemory] = {}
    stops: tuple[Stop, ...] = ()
    clean: frozenset[str] = frozenset()
    is_stopping: bool = False
    endangered: frozenset[str] = frozenset()
    is_blind: bool = False

    @property
    def decided(self) -> frozenset[str]:
        """Return the units of every stop in force."""
        return frozenset(unit for stop in self.stops for unit in stop.units)


def read_memory(folder: Path) -> Memory:
    """Return what was remembered; nothing where nothing was.

    raises  WrongUse  the file is there and says nothing that can be read
    """
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return Memory()
    except (OSError, msgspec.DecodeError) as error:
        raise WrongUse(
            "power.memory",
            f"{path} cannot be read: {error}. It holds the stop in force and what is known of the batteries; the guard "
            "was not started. Look at the journal, then move the file away: the guard then begins without a memory.",
        ) from error


def write_memory(folder: Path, memory: Memory) -> None:
    """Replace what is remembered; it is on the disk when this returns.

    raises  StoreUnable  the disk refused; the old one stands
    """
    path, fresh = folder / FILE, folder / (FILE + ".new")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(memory))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
    except OSError as error:
        raise StoreUnable("power.unwritten", f"{path} could not be written: {error.strerror}.") from error
