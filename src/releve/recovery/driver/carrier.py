"""The carrier: the right driver for each command, and nothing that the estate does not name."""

from __future__ import annotations

import importlib

from releve.estate import Command, Estate
from releve.recovery.driver.order import Driver, Launched, Order

# driver → (module, class); each is imported when the first command asks for it: SSH alone would take half a second.
_DRIVERS = {
    "local": ("releve.recovery.driver.local", "Local"),
    "ssh": ("releve.recovery.driver.ssh", "Ssh"),
    "redfish": ("releve.recovery.driver.redfish", "Redfish"),
    "ansible": ("releve.recovery.driver.ansible", "Ansible"),
    "person": ("releve.recovery.driver.person", "Person"),
}


class Carrier:
    """Carries out the commands of one estate."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._drivers: dict[str, Driver] = {}
        self._allowed = {
            (unit.id, act, command)
            for unit in estate.units.values()
            for act, command in (("start", unit.start), ("stop", unit.stop), ("check", unit.check))
            if command is not None
        }

    async def __call__(self, order: Order, /) -> Launched:
        """Carry an order out; one that the estate does not name is refused here."""
        if (order.unit, order.act, order.command) not in self._allowed:
            return Launched(False, f"the estate names no such command to {order.act} {order.unit}; nothing was done")
        return await self._driver(order.command).carry_out(order)

    def words(self, command: Command) -> str:
        """Return exactly what would be executed, and by which driver."""
        return self._driver(command).words(command)

    async def flaws(self, command: Command) -> list[str]:
        """Return what would keep a command from being carried out, found without acting."""
        return await self._driver(command).flaws(command)

    def _driver(self, command: Command) -> Driver:
        if command.driver not in self._drivers:
            module, name = _DRIVERS[command.driver]
            self._drivers[command.driver] = getattr(importlib.import_module(module), name)(self._estate)
        return self._drivers[command.driver]
