"""A power feed behind its UPS, scripted by a file in the machine room: asked by the NUT line protocol, as upsmon does.

Where NUT is installed a real upsd answers (releve.demo.centre.upsd); elsewhere this program speaks the protocol itself.

Source: Network UPS Tools, developer guide, chapter "Network protocol information".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from releve.demo.centre.room import HOST, Programme, Room
from releve.demo.centre.upsd import nut_programs
from releve.demo.centre.upsd import serve as serve_upsd

_LINE_BYTES_MAX = 512

FULL_CHARGE = 100.0
_LOAD = "38"


class Discharge(msgspec.Struct, frozen=True):
    """The mains are away: since when, what the UPS announced then, and the charge it had."""

    since: float
    announced_s: float
    charge: float


def discharge_file(room: Room) -> Path:
    """Return the file that tells both UPS that the mains are away, as long as it is there."""
    return room.path / "discharge.json"


def read_discharge(room: Room) -> Discharge | None:
    """Return the discharge that goes on now; None on line power."""
    try:
        return msgspec.json.decode(discharge_file(room).read_bytes(), type=Discharge)
    except FileNotFoundError:
        return None


def variables_of(discharge: Discharge | None, at: float) -> dict[str, str]:
    """Return what a UPS says of itself at a moment."""
    if discharge is None:
        return {
            "ups.status": "OL",
            "ups.load": _LOAD,
            "battery.charge": f"{FULL_CHARGE:g}",
            "battery.runtime": "900",
            "input.voltage": "231.0",
        }
    left_s = max(discharge.announced_s - max(at - discharge.since, 0.0), 0.0)
    return {
        "ups.status": "OB DISCHRG",
        "ups.load": _LOAD,
        "battery.charge": f"{discharge.charge * left_s / discharge.announced_s:.0f}",
        "battery.runtime": f"{left_s:.0f}",
        "input.voltage": "0.0",
    }


def answer(feed: str, line: str, variables: dict[str, str] | None = None) -> str:
    """Return what the UPS of a feed answers to one line; on line power when no variables are given."""
    variables = variables if variables is not None else variables_of(None, 0.0)
    match line.split():
        case ["VER"]:
            return "Relève demo feed 1.0"
        case ["NETVER"]:
            return "1.3"
        case ["LIST", "UPS"]:
            return f'BEGIN LIST UPS\nUPS {feed} "power feed of the centre"\nEND LIST UPS'
        case ["LIST", "VAR", ups] if ups == feed:
            rows = "\n".join(f'VAR {feed} {name} "{value}"' for name, value in variables.items())
            return f"BEGIN LIST VAR {feed}\n{rows}\nEND LIST VAR {feed}"
        case ["GET", "VAR", ups, name] if ups == feed:
            return f'VAR {feed} {name} "{variables[name]}"' if name in variables else "ERR VAR-NOT-SUPPORTED"
        case ["GET" | "LIST", _, _, *_]:
            return "ERR UNKNOWN-UPS"
        case ["LOGOUT"]:
            return "OK Goodbye"
        case _:
            return "ERR UNKNOWN-COMMAND"


async def _check(room: Room) -> None:
    """Electricity needs nothing of the centre."""


async def _serve(feed: str, room: Room, _: object, opened: Callable[[], None]) -> None:
    def script() -> dict[str, str]:
        return variables_of(read_discharge(room), time.time())

    programs = nut_programs()
    if programs is not None:
        await serve_upsd(feed, room, programs, script, opened)
        return

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := (await reader.readline()).decode("ascii", "replace").strip():
                writer.write(answer(feed, line, script()).encode() + b"\n")
                await writer.drain()
                if line == "LOGOUT":
                    break
        except (ConnectionError, ValueError):
            pass  # gone, or a line longer than any command: nothing to answer
        finally:
            writer.close()

    server = await asyncio.start_server(talk, HOST, room.ports[feed], limit=_LINE_BYTES_MAX)
    opened()
    async with server:
        await server.serve_forever()


FEED_A = Programme(_check, partial(_serve, "feed-a"), 0.0)
FEED_B = Programme(_check, partial(_serve, "feed-b"), 0.0)
