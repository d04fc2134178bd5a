"""The power button of a host, through its management controller.

A reset is accepted long before it has happened, so the power state is asked until it is as wanted. A host that is on
and does not come up gets a cold boot at the second try: a boot that hangs must not stop the plan.
Source: DMTF DSP0266 (Redfish), DSP0268 ComputerSystem: PowerState, Actions.#ComputerSystem.Reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from releve.estate import Command, Estate
from releve.recovery.driver.order import Launched, Order
from releve.recovery.driver.secret import Unusable, read_secret

#: Certificates to trust instead of the public ones, beside the secret: controllers are mostly signed in the house.
AUTHORITY = "ca.pem"

#: One answer of a controller; they are slow machines.
ANSWER_S_MAX = 15.0

#: Between two looks at the power state.
LOOK_S = 0.5

_ON, _OFF = "On", "Off"

#: Reset type → the power state it ends in.
_ENDS_IN = {
    "On": _ON,
    "ForceOn": _ON,
    "GracefulRestart": _ON,
    "ForceRestart": _ON,
    "PowerCycle": _ON,
    "GracefulShutdown": _OFF,
    "ForceOff": _OFF,
    "PushPowerButton": "",
    "Nmi": "",
}

#: Resets that begin and end in On: the On of before must not be taken for the one of after.
_GOES_THROUGH_OFF = ("GracefulRestart", "ForceRestart", "PowerCycle")

#: A controller that has not shown Off within this does not show it during a restart at all.
LEAVES_S_MAX = 20.0

#: What a cold boot is made of, the coldest first: power taken away, then the controllers' own words for it.
_COLD = (("ForceOff", "On"), ("PowerCycle",), ("ForceRestart",))


class _Answered(Exception):
    """The controller answered something else than expected; the sentence says what."""


class Redfish:
    """Presses power buttons."""

    def __init__(self, estate: Estate) -> None:
        pass

    async def carry_out(self, order: Order) -> Launched:
        """Reset a host and wait until its power state is as wanted."""
        command = order.command
        host = urlsplit(command.address).hostname
        try:
            async with asyncio.timeout(command.timeout_s), self._client(command) as client:
                return await _reset(client, command, cold=order.attempt > 1)
        except TimeoutError:
            return Launched(False, f"{command.argv[0]} did not show within {command.timeout_s:g} s at {host}")
        except (Unusable, _Answered) as error:
            return Launched(False, str(error))
        except httpx.HTTPError as error:
            return Launched(False, f"the controller {host} cannot be asked: {error or type(error).__name__}")

    def words(self, command: Command) -> str:
        """Return the reset and the host."""
        return f"reset {command.argv[0]} at {command.address}"

    async def flaws(self, command: Command) -> list[str]:
        """Return what keeps us from reading the host's power state and from resetting it as the estate says."""
        host = urlsplit(command.address).hostname
        try:
            async with self._client(command) as client:
                _, _, allowed = await _system(client, command.address)
        except (Unusable, _Answered) as error:
            return [str(error)]
        except httpx.HTTPError as error:
            return [f"the controller {host} cannot be asked: {error or type(error).__name__}"]
        return [] if command.argv[0] in allowed else [_not_offered(command.argv[0], allowed, host)]

    def _client(self, command: Command) -> httpx.AsyncClient:
        address = urlsplit(command.address)
        if address.scheme != "https" and address.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Unusable(f"{command.address} is not https: its password would travel in the clear; nothing was sent")
        login, authority = None, None
        if command.secret:
            user, colon, password = read_secret(command.secret).partition(":")
            if not colon:
                raise Unusable(f"the secret {command.secret} has to be one line, user:password")
            login = httpx.BasicAuth(user, password)
            authority = Path(command.secret).with_name(AUTHORITY)
        try:
            context = ssl.create_default_context(cafile=str(authority) if authority and authority.is_file() else None)
        except (OSError, ssl.SSLError) as error:
            raise Unusable(f"{authority} holds no certificates: {error}") from error
        return httpx.AsyncClient(auth=login, verify=context, timeout=ANSWER_S_MAX, trust_env=False)


async def _reset(client: httpx.AsyncClient, command: Command, *, cold: bool) -> Launched:
    wanted, host = command.argv[0], urlsplit(command.address).hostname
    power, target, allowed = await _system(client, command.address)
    if wanted not in allowed:
        raise _Answered(_not_offered(wanted, allowed, host))
    ends_in = _ENDS_IN.get(wanted, "")
    resets: tuple[str, ...] = (wanted,)
    if power == ends_in and wanted in ("On", "ForceOn", "GracefulShutdown", "ForceOff"):
        if not (cold and ends_in == _ON):
            return Launched(True, f"its power is {power} already")
        resets = next((way for way in _COLD if all(one in allowed for one in way)), ())
        if not resets:
            return Launched(False, f"{host} is on, does not come up, and offers no cold boot: {', '.join(allowed)}")
    for reset in resets:
        answer = await client.post(target, json={"ResetType": reset})
        if answer.status_code not in (200, 202, 204):
            raise _Answered(f"the controller {host} answered {answer.status_code} to {reset}; its power is {power}")
        if reset in _GOES_THROUGH_OFF:
            await _power_leaves(client, command.address, _ON)
        if until := _ENDS_IN.get(reset, ""):
            await _power_is(client, command.address, until)
    done = "cold boot: " if resets != (wanted,) else ""
    return Launched(True, f"{done}{' and '.join(resets)} done at {host}")


async def _power_leaves(client: httpx.AsyncClient, address: str, before: str) -> None:
    """Ask until the power is another one, as long as it may take to show."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVES_S_MAX):
            while True:
                power, _, _ = await _system(client, address)
                if power != before:
                    return
                await asyncio.sleep(LOOK_S)


async def _power_is(client: httpx.AsyncClient, address: str, wanted: str) -> None:
    """Ask until the power is as wanted; the caller limits the time."""
    while True:
        power, _, _ = await _system(client, address)
        if power == wanted:
            return
        await asyncio.sleep(LOOK_S)


async def _system(client: httpx.AsyncClient, address: str) -> tuple[str, str, tuple[str, ...]]:
    """Return a host's power state, where to send a reset, and which resets it offers."""
    answer = await client.get(address)
    host = urlsplit(address).hostname
    if answer.status_code in (401, 403):
        raise _Answered(f"the controller {host} does not accept our password ({answer.status_code})")
    if answer.status_code != 200:
        raise _Answered(f"the controller {host} answered {answer.status_code} for {urlsplit(address).path}")
    try:
        system: dict[str, Any] = answer.json()
        action = system["Actions"]["#ComputerSystem.Reset"]
        target = urljoin(address, action["target"])
        if urlsplit(target)[:2] != urlsplit(address)[:2]:
            raise _Answered(f"the controller {host} sends resets to another machine, {target}; nothing was sent")
        allowed = action.get("ResetType@Redfish.AllowableValues")
        if allowed is None and "@Redfish.ActionInfo" in action:
            allowed = await _offered(client, urljoin(address, action["@Redfish.ActionInfo"]))
        return str(system.get("PowerState", "")), target, tuple(map(str, allowed or ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Answered(
            f"the controller {host} describes no system with a reset at {urlsplit(address).path}"
        ) from error


async def _offered(client: httpx.AsyncClient, url: str) -> list[str]:
    """Return the allowed values from the action's own description, where newer controllers keep them."""
    parameters = (await client.get(url)).json()["Parameters"]
    return [value for one in parameters if one.get("Name") == "ResetType" for value in one.get("AllowableValues", ())]


def _not_offered(wanted: str, allowed: tuple[str, ...], host: str | None) -> str:
    return f"{host} does not offer the reset {wanted}; it offers {', '.join(allowed) or 'none'}; nothing was sent"
