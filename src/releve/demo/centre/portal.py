"""The two result portals of the centre, over HTTP: the laboratory's and the imaging department's.

Each page needs the database and the system behind it on every request; /healthz answers 503 when one is away.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from releve.demo.centre.database import Client, QueryRefused
from releve.demo.centre.directory import authenticate
from releve.demo.centre.room import Programme, Room, Unreachable, reach
from releve.demo.centre.web import serve_http

_SQL = {
    "lab-portal": "SELECT count(*), max(control_id) FROM result",
    "imaging-portal": "SELECT count(*), max(control_id) FROM note",
}
_BEHIND = {"lab-portal": ("record", "laboratory"), "imaging-portal": ("record",)}


async def _page(portal: str, room: Room) -> dict[str, object]:
    for program in _BEHIND[portal]:
        await reach(room, program)
    database = await Client.connect(room, portal)
    try:
        ((count, last),) = await database.query(_SQL[portal])
    except (QueryRefused, ValueError) as error:
        raise Unreachable(f"the database does not answer this portal: {error}") from error
    finally:
        database.close()
    return {"status": "ok", "documents": int(count or 0), "last": last}


async def _check(portal: str, room: Room) -> None:
    await authenticate(room, portal)
    await _page(portal, room)


async def _serve(portal: str, room: Room, _: object, opened: Callable[[], None]) -> None:
    async def route(method: str, path: str) -> tuple[int, object]:
        if method != "GET" or path not in ("/", "/healthz"):
            return 404, {"error": "there are / and /healthz"}
        try:
            return 200, await _page(portal, room)
        except Unreachable as error:
            return 503, {"status": "down", "error": str(error)}

    server = await serve_http(room.ports[portal], route)
    opened()
    async with server:
        await server.serve_forever()


LAB_PORTAL = Programme(partial(_check, "lab-portal"), partial(_serve, "lab-portal"), 1.0)
IMAGING_PORTAL = Programme(partial(_check, "imaging-portal"), partial(_serve, "imaging-portal"), 1.2)
