"""The estate: what a hosting centre is made of, what stands on what, and what falls if something falls.

    load(path) → Estate          one TOML file, refused by line, cycles refused by name
    cycles                       what can never start because it waits for itself
    impact(estate, fallen)       what falls with it, what is only degraded, which hospitals lose what

The estate opens no socket and starts nothing: how a unit is probed and started is written down here and done in
`recovery`. Two orders are kept apart: `needs` is the technical one, `tier` and `clinical` are what care waits for.
"""

from releve.estate.battery import Battery, BatteryTest
from releve.estate.cycles import Demand, can_never_start, demanded_breaks, name_a_cycle, strongly_connected
from releve.estate.file import amount_max, load, load_unproved
from releve.estate.impact import Impact, impact
from releve.estate.model import (
    DRIVERS,
    FEED,
    HOST,
    KINDS,
    NETWORK,
    PROBE_SCHEMES,
    REPAIR_TIMES,
    SERVICE,
    STORAGE,
    UNIT,
    UPS,
    Belief,
    Bilingual,
    BreakPoint,
    Capacity,
    Command,
    Contact,
    Duration,
    Estate,
    Room,
    Shift,
    Site,
    Unit,
)

__all__ = [
    "DRIVERS",
    "FEED",
    "HOST",
    "KINDS",
    "NETWORK",
    "PROBE_SCHEMES",
    "REPAIR_TIMES",
    "SERVICE",
    "STORAGE",
    "UNIT",
    "UPS",
    "Battery",
    "BatteryTest",
    "Belief",
    "Bilingual",
    "BreakPoint",
    "Capacity",
    "Command",
    "Contact",
    "Demand",
    "Duration",
    "Estate",
    "Impact",
    "Room",
    "Shift",
    "Site",
    "Unit",
    "amount_max",
    "can_never_start",
    "demanded_breaks",
    "impact",
    "load",
    "load_unproved",
    "name_a_cycle",
    "strongly_connected",
]
