"""A power feed behind its UPS: the NUT line protocol, so that any upsmon could ask it.

Source: Network UPS Tools, developer guide, chapter "Network protocol information".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from releve.demo.centre.room import HOST, Programme, Room

_LINE_BYTES_MAX = 512


def answer(feed: str, line: str) -> str:
    """Return what the UPS of a feed answers to one line."""
    variables = {
        "ups.status": "OL",
        "ups.load": "38",
        "battery.charge": "100",
        "battery.runtime": "900",
        "input.voltage": "231.0",
    }
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
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := (await reader.readline()).decode("ascii", "replace").strip():
                writer.write(answer(feed, line).encode() + b"\n")
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
