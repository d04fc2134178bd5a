"""What an estate says about its batteries: when to stop, whom to believe, what may go first.

[battery]        margin_s, steady_s, data_lost_after_s, trusted_share, charge_min, shed_tier, shed_after_s
[[battery.ups]]  id, rated_s, tested_s, at_load
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from releve.wire.toml import Table

_KEYS = ("margin_s", "steady_s", "data_lost_after_s", "trusted_share", "charge_min", "shed_tier", "shed_after_s", "ups")
_LAST_TIER = 4


@dataclass(frozen=True, slots=True)
class BatteryTest:
    """How long a battery lasts when full.

    rated_s   as its maker says; counts with Battery.trusted_share only
    tested_s  as the last discharge test of the hospital measured; counts in full
    at_load   percent of load at which that holds
    """

    unit: str
    rated_s: float | None = None
    tested_s: float | None = None
    at_load: float = 100.0


@dataclass(frozen=True, slots=True)
class Battery:
    """When what runs on battery is stopped.

    margin_s           kept between the end of the stop (P95) and the end of the battery
    steady_s           line power counts as back after so long without a break
    data_lost_after_s  a UPS on battery that says nothing for so long counts as low
    trusted_share      how much of an announced runtime is believed until a test or a discharge has shown more;
                       batteries have given four of ten announced minutes (recovery facts, section 5)
    charge_min         percent every battery must have again before a restart is advised
    shed_tier          from this tier on, services are stopped after shed_after_s on battery to save load; None: never
    ups                unit id → what is known of its battery
    """

    margin_s: float = 60.0
    steady_s: float = 300.0
    data_lost_after_s: float = 5.0
    trusted_share: float = 0.4
    charge_min: float = 20.0
    shed_tier: int | None = None
    shed_after_s: float = 120.0
    ups: Mapping[str, BatteryTest] = field(default_factory=lambda: MappingProxyType({}))


def parse_battery(table: Table, known: Collection[str]) -> Battery:
    """Return what [battery] says; an absent one is all defaults.

    known   ids of the units of the estate
    raises  WrongUse  a number out of its range, or a UPS that is no unit: the sentence names the line
    """
    table.only(*_KEYS)
    default = Battery()
    ups: dict[str, BatteryTest] = {}
    for row in table.tables("ups"):
        test = _test(row, known)
        if test.unit in ups:
            row.refuse("id", f"must be given once; {test.unit!r} stands in the file before")
        ups[test.unit] = test
    shed_tier = table.count("shed_tier") if "shed_tier" in table else None
    if shed_tier is not None and not 2 <= shed_tier <= _LAST_TIER:
        table.refuse("shed_tier", f"must be 2 to {_LAST_TIER}: base and essential services never go first")
    return Battery(
        margin_s=_within(table, "margin_s", default.margin_s, 0, 86_400),
        steady_s=_within(table, "steady_s", default.steady_s, 0, 86_400),
        data_lost_after_s=_within(table, "data_lost_after_s", default.data_lost_after_s, 0, 600),
        trusted_share=_within(table, "trusted_share", default.trusted_share, 0.05, 1),
        charge_min=_within(table, "charge_min", default.charge_min, 0, 100),
        shed_tier=shed_tier,
        shed_after_s=_within(table, "shed_after_s", default.shed_after_s, 0, 86_400),
        ups=MappingProxyType(ups),
    )


def _test(row: Table, known: Collection[str]) -> BatteryTest:
    row.only("id", "rated_s", "tested_s", "at_load")
    unit = row.text("id")
    if unit not in known:
        row.refuse("id", f"names {unit!r}, which is no unit of this estate")
    if "rated_s" not in row and "tested_s" not in row:
        row.refuse(None, f"says nothing of {unit!r}: give rated_s (its maker's word) or tested_s (your own test)")
    return BatteryTest(
        unit,
        rated_s=_within(row, "rated_s", 0, 1, 604_800) if "rated_s" in row else None,
        tested_s=_within(row, "tested_s", 0, 1, 604_800) if "tested_s" in row else None,
        at_load=_within(row, "at_load", 100, 1, 150),
    )


def _within(table: Table, key: str, default: float, least: float, most: float) -> float:
    value = table.number(key, default)
    if not least <= value <= most:
        table.refuse(key, f"must be a number from {least:g} to {most:g}; found {value:g}")
    return value
