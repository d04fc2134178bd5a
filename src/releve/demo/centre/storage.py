"""Storage: volumes on the centre's disk, handed out by HTTP. After an unclean stop it reads every file before it opens.

GET  /healthz         {"status": "ok", "volumes": […], "stopped_clean": true}
POST /volumes/<name>  {"path": …}: the volume, made when it is not there
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from releve.demo.centre.room import Programme, Room, Unreachable, find
from releve.demo.centre.web import ask_http, serve_http

_VOLUMES = ("database", "laboratory", "directory", "mail")
_PIECE_BYTES = 1 << 20


def root(room: Room) -> Path:
    """Return the folder that holds the volumes."""
    return room.path / "volumes"


async def volume(room: Room, name: str) -> Path:
    """Ask the storage for a volume and return where it is mounted.

    raises  Unreachable
    """
    answer = await ask_http("storage", await find(room, "storage"), "POST", f"/volumes/{name}")
    return Path(answer["path"])


async def _check(room: Room) -> bool:
    """Read every file when the last stop was unclean; returns whether it was clean."""
    folder, mark = root(room), root(room) / ".in-use"
    folder.mkdir(parents=True, exist_ok=True)
    stopped_clean = not mark.exists()
    if not stopped_clean:
        for path in folder.rglob("*"):
            if path.is_file():
                _read_whole(path)
    mark.touch()
    _sync(folder)
    return stopped_clean


def _read_whole(path: Path) -> None:
    try:
        with path.open("rb") as file:
            while file.read(_PIECE_BYTES):
                pass
    except OSError as error:
        raise Unreachable(f"the disk cannot read {path.name}: {error.strerror}") from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


async def _serve(room: Room, stopped_clean: object, opened: Callable[[], None]) -> None:
    async def route(method: str, path: str) -> tuple[int, object]:
        if (method, path) == ("GET", "/healthz"):
            return 200, {"status": "ok", "volumes": list(_VOLUMES), "stopped_clean": stopped_clean}
        name = path.removeprefix("/volumes/")
        if method == "POST" and name in _VOLUMES:
            (root(room) / name).mkdir(mode=0o700, exist_ok=True)
            return 200, {"path": str(root(room) / name)}
        return 404, {"error": f"no volume at {path}; there are {', '.join(_VOLUMES)}"}

    server = await serve_http(room.ports["storage"], route)
    opened()
    try:
        async with server:
            await server.serve_forever()
    finally:
        (root(room) / ".in-use").unlink(missing_ok=True)


STORAGE = Programme(_check, _serve, 0.8)
