"""Hub A stands in the hosting centre, and falls with it: the product's own program, run as an operator would run it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from releve.demo.centre.room import HOST, Programme, Room, Unreachable


async def _check(room: Room) -> None:
    """A hub needs nothing but power."""


async def _serve(room: Room, _: object, opened: Callable[[], None]) -> None:
    address = f"{HOST}:{room.ports['hub-a']}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "releve.cli", "hub", room.hub, "--listen", address, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while line := await process.stdout.readline():
            if line.startswith(b"ready"):
                opened()
        raise Unreachable(f"the hub ended with code {await process.wait()}")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


HUB_A = Programme(_check, _serve, 0.0)
