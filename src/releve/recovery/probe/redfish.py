"""Redfish (DMTF DSP0266): the management board of a host is asked for its system: switched on, and in good health.

It speaks for the machine, not for what runs on it.
"""

from __future__ import annotations

import json
from base64 import b64encode

from releve.recovery.probe.dialogue import Dialogue
from releve.recovery.probe.http import fetch
from releve.recovery.probe.reading import State, Verdict, clipped

#: Resource.PowerState; the others are Off and Paused. A host on its way down still runs: its feed must not be cut yet.
_POWER: dict[str, State] = {"On": "up", "PoweringOn": "starting", "PoweringOff": "starting"}


def power_and_health(host: str, port: int, path: str, user: str = "", password: str = "") -> Dialogue:
    """Return the dialogue.

    path  of a system (or chassis), such as /redfish/v1/Systems/1
    user  empty asks without logging in
    """
    login = b64encode(f"{user}:{password}".encode()).decode() if user else ""
    page = yield from fetch(host, port, path, f"Basic {login}" if login else "")
    if not page.is_json:
        return Verdict("wrong", f"it answers {page.code} with a page that is not JSON")
    return judge(page.body)


def judge(body: bytes) -> Verdict:
    """Return what a system says of itself."""
    try:
        system = json.loads(body)
    except (ValueError, RecursionError):
        return Verdict("wrong", "its answer is not the JSON it announces")
    power = system.get("PowerState") if isinstance(system, dict) else None
    if not isinstance(power, str):
        return Verdict("wrong", "its answer has no PowerState: not the address of a system")
    state = _POWER.get(power, "wrong")
    if state != "up":
        return Verdict(state, f"its power is {clipped(power, 20)}")
    status = system.get("Status")
    health = status.get("Health") if isinstance(status, dict) else None
    if health is None:
        return Verdict("up", "its power is On; it says nothing about its health")
    said = f"its power is On and its health {clipped(str(health), 20)}"
    return Verdict({"OK": "up", "Warning": "weak"}.get(str(health), "wrong"), said)  # type: ignore[arg-type]
