"""A small scene for the checker: one real node in its own process, a few messages that it acknowledged."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from releve.demo.account import Account, Sender
from releve.demo.cast import invent
from releve.demo.checker import Place
from releve.demo.feeder import oid_of
from releve.demo.messages import ANALYTES, ZONE, Bed, Office, Result, Stay, adt, oru
from releve.demo.mllp import Line
from releve.demo.plant import HOST, Group, free_ports, module
from releve.doors.tokens import Tokens
from releve.node.folder import make_folder

DESK = Office("GAM", "H01", "H01", oid_of("H01"))
ANALYSER = Office("AUTOMATE", "H01", "H01-LABO", oid_of("H01-LABO"))
RECEIVER = ("RELEVE", "H01")
READY_WITHIN_S = 30.0
SHOWN_WITHIN_S = 10.0
POTASSIUM = ANALYTES[0]


@dataclass
class Scene:
    """A running node, how it is read, and the account of who fed it."""

    folder: Path
    place: Place
    mllp: int
    stays: list[Stay]

    @property
    def account(self) -> Path:
        return self.place.accounts[0]


def admission(number: int, at: datetime) -> tuple[bytes, list, Stay]:  # type: ignore[type-arg]
    person = invent(Random(number), f"H01P{number:06}", DESK.namespace, DESK.oid)
    bed = Bed("MED", f"MED{number:02}", "1")
    stay = Stay(person, f"H01V{number:06}", f"H01D{number:06}", "I", bed, at.strftime("%Y%m%d%H%M%S"))
    raw, facts = adt(DESK, RECEIVER, "A01", f"A{number}", stay, at=at, movement=f"M{number}", status="in-progress")
    return raw, facts, stay


def potassium(number: int, stay: Stay, value: str, at: datetime) -> tuple[bytes, list]:  # type: ignore[type-arg]
    return oru(ANALYSER, RECEIVER, f"R{number}", stay, f"F{number}", [Result(POTASSIUM, value, "F")], at=at)


async def _feed(port: int, account: Account) -> list[Stay]:
    """Three people, each with a result; the second is transferred, the third goes home."""
    line = Line(HOST, port)
    sender = Sender(line, account, "GAM H01")
    at = datetime.now(ZONE).replace(microsecond=0) - timedelta(hours=1)
    stays = []
    for number in (1, 2, 3):
        raw, facts, stay = admission(number, at)
        await sender.send(raw, "H01", facts)
        raw, facts = potassium(number, stay, f"4.{number}", at + timedelta(minutes=1))
        await sender.send(raw, "H01", facts)
        stays.append(stay)
    later = at + timedelta(minutes=2)
    stays[1] = stays[1]._replace(bed=Bed("CHIR", "CHIR01", "2"))
    for event, stay, status in (("A02", stays[1], "in-progress"), ("A03", stays[2], "finished")):
        raw, facts = adt(DESK, RECEIVER, event, event, stay, at=later, movement=f"M{event}", status=status)
        await sender.send(raw, "H01", facts)
    await line.close()
    return stays


@contextmanager
def playing(folder: Path) -> Iterator[Scene]:
    """A node that runs for as long as the block."""
    http, mllp = free_ports(2)
    home = folder / "H01"
    make_folder(home, "H01", "Cochin", http=f"{HOST}:{http}", mllp=f"{HOST}:{mllp}")
    token = Tokens(home).issue("system", "checker")
    account = folder / "desk.jsonl"
    node = Group("H01", module("releve.cli", "run", str(home)), folder / "H01.log", ready="ready ")
    node.start()
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not node.ready_line():
            assert node.is_alive(), node.said()
            assert time.monotonic() < deadline, node.said()
            time.sleep(0.05)
        book = Account(account)
        stays = asyncio.run(_feed(mllp, book))
        book.close()
        yield Scene(home, Place("H01", "Cochin", home, f"http://{HOST}:{http}", token, (account,)), mllp, stays)
    finally:
        node.stop()
