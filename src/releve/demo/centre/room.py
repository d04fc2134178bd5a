"""The machine room: what every program is told when it starts, and how it finds the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import msgspec

ZONE = "centre.example"
HOST = "127.0.0.1"
#: A name service that says nothing for this long is not there.
DNS_TIMEOUT_S = 1.0


class Unreachable(Exception):
    """Something this program needs is not there. The text says which and why."""


class Room(msgspec.Struct, frozen=True):
    """The plan on the wall of the machine room, one JSON file.

    folder     where the disks are
    ports      program → port
    hospitals  hospital id → MLLP port of its node
    secrets    program → password of its account in the directory
    hub        the folder of hub A
    lock       the file that the night holds: when it lets go, every program ends by itself
    pace       the centre's senders write one message to each hospital in this time
    """

    folder: str
    seed: int
    ports: dict[str, int]
    hospitals: dict[str, int]
    secrets: dict[str, str]
    hub: str
    lock: str
    pace_s: float
    haste: float = 1.0
    stays_at_start: int = 6

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)

    @property
    def quiet(self) -> Path:
        """The file that tells the centre's senders to invent nothing as long as it is there."""
        return self.path / "quiet"

    def rng(self, program: str) -> Random:
        """Return the random source of a program."""
        return Random(f"{self.seed}:{program}")  # noqa: S311 - invented people, not secrets


class Programme(msgspec.Struct, frozen=True):
    """How a program of the centre runs.

    check      reaches what it needs or raises Unreachable; what it returns is handed to serve
    serve      opens the door and serves until cancelled; calls opened() when the door is open
    warm_up_s  what a program of its kind takes to start, shortened to what a night of two minutes can wait for
    """

    check: Callable[[Room], Awaitable[object]]
    serve: Callable[[Room, object, Callable[[], None]], Awaitable[None]]
    warm_up_s: float


def read_room(path: Path) -> Room:
    """Return the plan of a machine room."""
    return msgspec.json.decode(path.read_bytes(), type=Room)


async def find(room: Room, program: str) -> tuple[str, int]:
    """Return where a program listens, as the name service says now.

    raises  Unreachable  the name service is silent or knows no such program
    """
    question = dns.message.make_query(f"_{program}.{ZONE}", dns.rdatatype.SRV)
    try:
        answer = await dns.asyncquery.udp(question, HOST, port=room.ports["names"], timeout=DNS_TIMEOUT_S)
    except (OSError, dns.exception.DNSException) as error:
        raise Unreachable(
            f"cannot reach the name service to find {program}: {error or type(error).__name__}"
        ) from error
    for entry in answer.answer:
        for record in entry:
            return HOST, int(record.port)
    raise Unreachable(f"the name service knows no {program} ({dns.rcode.to_text(answer.rcode())})")


async def reach(room: Room, program: str) -> tuple[str, int]:
    """Return where a program listens after its door was seen open.

    raises  Unreachable
    """
    host, port = await find(room, program)
    try:
        async with asyncio.timeout(DNS_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"cannot reach {program} at {host}:{port}: {error or 'no answer'}") from error
    writer.close()
    return host, port
