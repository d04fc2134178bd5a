"""Drivers: whatever carries out the command of a step. One file for each; `carrier` chooses.

    order     what is to be carried out, and what became of it
    local     a program on this machine
    ssh       a program on another host, which itself allows only what it was told to
    redfish   the power button of a host, pressed through its management controller
    ansible   a playbook, once for many units
    person    somebody who is told what to do and ticks it off: waited for by the run itself

A driver never raises for what the other side does: it returns a sentence. It is imported when an estate first uses it.
"""

from releve.recovery.driver.carrier import Carrier
from releve.recovery.driver.order import Driver, Launched, Order

__all__ = ["Carrier", "Driver", "Launched", "Order"]
