"""One UPS at one moment, whatever language it was asked in. No socket here.

Sources: NUT "Network protocol information" and its table of variable names; RFC 1628 (UPS-MIB).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Flags of ups.status on which something hangs here. CAL: the battery is emptied on purpose, mains are there.
ON_LINE, ON_BATTERY, LOW, FORCED, CALIBRATING = "OL", "OB", "LB", "FSD", "CAL"

_VAR = re.compile(r'VAR (\S+) (\S+) "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class UpsReading:
    """What a UPS says.

    flags          of ups.status; empty: its data are lost
    detail         why they are lost
    charge         percent; charge_low: below it the UPS calls its battery low
    runtime_s      what it announces; runtime_low_s: below it it calls its battery low
    load           percent of what it can carry
    """

    flags: frozenset[str] = frozenset()
    detail: str = ""
    charge: float | None = None
    charge_low: float | None = None
    runtime_s: float | None = None
    runtime_low_s: float | None = None
    load: float | None = None

    @property
    def is_lost(self) -> bool:
        """Return whether it says neither that it is on line power nor that it is on battery."""
        return not self.flags & {ON_LINE, ON_BATTERY, FORCED}

    @property
    def is_on_battery(self) -> bool:
        """Return whether the battery carries the load because the mains do not."""
        return FORCED in self.flags or (ON_BATTERY in self.flags and CALIBRATING not in self.flags)

    @property
    def is_low(self) -> bool:
        """Return whether it says itself that the end is near; LB on line power is a battery being charged."""
        return FORCED in self.flags or (self.is_on_battery and LOW in self.flags)


def lost(detail: str) -> UpsReading:
    """Return the reading of a UPS that could not be read."""
    return UpsReading(detail=detail)


def from_nut(variables: Mapping[str, str]) -> UpsReading:
    """Return what the variables of NUT say; a number that is none counts as not said."""
    status = variables.get("ups.status", "")
    load = _number(variables.get("ups.load"))
    power_w = _number(variables.get("ups.realpower"))
    nominal_w = _number(variables.get("ups.realpower.nominal"))
    if load is None and power_w is not None and nominal_w:
        load = 100 * power_w / nominal_w
    return UpsReading(
        flags=frozenset(status.split()),
        detail="" if status.strip() else "it gives no ups.status",
        charge=_number(variables.get("battery.charge"), 100),
        charge_low=_number(variables.get("battery.charge.low"), 100),
        runtime_s=_number(variables.get("battery.runtime")),
        runtime_low_s=_number(variables.get("battery.runtime.low")),
        load=load,
    )


def from_nut_lines(text: str, ups: str) -> UpsReading:
    """Return what the answer to LIST VAR <ups> says; an ERR, or another UPS's answer, is lost data."""
    if text.startswith("ERR "):
        return lost(f"upsd says {text[4:].splitlines()[0][:80]}")
    variables = {name: value.replace('\\"', '"') for of, name, value in _VAR.findall(text) if of == ups}
    if f"END LIST VAR {ups}" not in text:
        return lost("upsd broke off in the middle of its answer")
    return from_nut(variables)


def from_mib(
    *, battery_status: int | None, source: int | None, minutes: int | None, charge: int | None, load: int | None = None
) -> UpsReading:
    """Return what the objects of the UPS-MIB say.

    battery_status  upsBatteryStatus: 2 normal, 3 low, 4 depleted
    source          upsOutputSource: 3 normal, 4 bypass, 5 battery, 6 booster, 7 reducer
    """
    flags = set()
    if source in (3, 4, 6, 7):
        flags.add(ON_LINE)
    elif source == 5:
        flags.add(ON_BATTERY)
    if battery_status in (3, 4):
        flags.add(LOW)
    return UpsReading(
        flags=frozenset(flags),
        detail="" if source in (3, 4, 5, 6, 7) else f"its output source is {source}, neither mains nor battery",
        charge=_number(charge, 100),
        runtime_s=None if minutes is None else _number(60 * minutes),
        load=_number(load),
    )


def _number(value: object, most: float = 1e9) -> float | None:
    """Return a number from 0 to the most; anything else, NaN too, is no number."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number <= most else None
