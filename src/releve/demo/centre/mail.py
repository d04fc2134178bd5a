"""The mail relay: SMTP, each message synced into the spool before it is answered 250."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from releve.demo.centre.room import HOST, Programme, Room
from releve.demo.centre.storage import volume

MESSAGE_BYTES_MAX = 5 * 2**20


class Spool:
    """Keeps what is sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep a message, then accept it."""
        name = f"{time.time_ns()}.eml"
        content = envelope.content
        assert isinstance(content, bytes)
        handle = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        return f"250 2.0.0 kept as {name}"


async def _check(room: Room) -> Path:
    return await volume(room, "mail")


async def _serve(room: Room, folder: object, opened: Callable[[], None]) -> None:
    assert isinstance(folder, Path)
    spool = Spool(folder)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(spool, hostname="mail.centre.example", data_size_limit=MESSAGE_BYTES_MAX),
        HOST,
        room.ports["mail"],
    )
    opened()
    async with server:
        await server.serve_forever()


MAIL = Programme(_check, _serve, 0.7)
