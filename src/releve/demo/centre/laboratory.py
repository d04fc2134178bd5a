"""The laboratory system: results for the patients whom the record application booked, sent to their hospitals.

Its worklist is the record application's bookings in the database; what it measured stands on its own volume.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from releve.demo.account import Account, Sender, read_account
from releve.demo.centre.database import Client, bound
from releve.demo.centre.directory import authenticate
from releve.demo.centre.record import SQL_WORKLIST
from releve.demo.centre.room import HOST, Programme, Room, Unreachable, find
from releve.demo.centre.storage import volume
from releve.demo.feeder import oid_of
from releve.demo.messages import ANALYTES, ZONE, Office, Result, Stay, oru
from releve.demo.mllp import ARE_YOU_THERE, Line, acknowledgement, field, listen

OFFICE = Office("SIL", "CENTRE", "SIL", oid_of("SIL"))
_TABLES = """
CREATE TABLE IF NOT EXISTS result (filler TEXT PRIMARY KEY, hospital TEXT, control_id TEXT, raw BLOB);
CREATE TABLE IF NOT EXISTS received (control_id TEXT, sha256 TEXT, raw BLOB, PRIMARY KEY (control_id, sha256));
"""
#: When the worklist cannot be read it is asked for again after this time.
_WORKLIST_PAUSE_S = 1.0


class Laboratory:
    """The analysers of the centre and their memory."""

    def __init__(self, room: Room, store: sqlite3.Connection, database: Client) -> None:
        self._room = room
        self._store = store
        self._database = database

    async def take(self, raw: bytes) -> bytes:
        """Keep what is sent here (orders, questions) and return its ACK."""
        control_id = field(raw, "MSH", 10)
        if not raw.startswith(b"MSH"):
            code, sentence = "AR", "this is not HL7: no MSH"
        else:
            code, sentence = "AA", ""
        if code == "AA" and not field(raw, "MSH", 9).startswith(ARE_YOU_THERE):
            row = (control_id, sha256(raw).hexdigest(), raw)
            self._store.execute("INSERT OR IGNORE INTO received VALUES (?, ?, ?)", row)
        ack_id = f"SIL-ACK-{time.time_ns() // 1000}"
        return acknowledgement(raw, code, sentence, application="SIL", control_id=ack_id)

    async def measure(self, hospital: str) -> None:
        """Send what one hospital was not told before the cut, then measure for its patients until the end."""
        room = self._room
        path = room.path / "accounts" / f"laboratory-{hospital}.jsonl"
        before = read_account(path)
        sender = Sender(Line(*await find(room, "engine-out")), Account(path), "SIL")
        await sender.send_again(entry for entry in before if not entry.code)
        rng = room.rng(f"laboratory {hospital} {len(before)}")
        number = len(before)
        while True:
            await asyncio.sleep(room.pace_s)
            stays = [] if room.quiet.exists() else await self._worklist(hospital)
            if not stays:
                continue
            number += 1
            filler, control_id = f"S{hospital}R{number:06}", f"S{hospital}-SIL-{number:06}"
            results = []
            for analyte in rng.sample(ANALYTES, rng.randint(1, 4)):
                value = abs(rng.gauss((analyte.low + analyte.high) / 2, (analyte.high - analyte.low) / 2.5))
                results.append(Result(analyte, f"{value:.{analyte.decimals}f}", "F"))
            receiver = ("RELEVE", hospital)
            raw, facts = oru(OFFICE, receiver, control_id, rng.choice(stays), filler, results, at=datetime.now(ZONE))
            self._store.execute("INSERT INTO result VALUES (?, ?, ?, ?)", (filler, hospital, control_id, raw))
            await sender.send(raw, hospital, facts)

    async def _worklist(self, hospital: str) -> list[Stay]:
        try:
            rows = await self._database.query(bound(SQL_WORKLIST, hospital))
        except Unreachable:
            await asyncio.sleep(_WORKLIST_PAUSE_S)
            self._database = await Client.connect(self._room, "laboratory")
            return []
        return [msgspec.json.decode(row[0] or "", type=Stay) for row in rows]


def _open(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("PRAGMA synchronous=FULL")
    if store.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise Unreachable(f"its own file {path.name} is damaged")
    store.executescript(_TABLES)
    return store


async def _check(room: Room) -> tuple[sqlite3.Connection, Client]:
    await authenticate(room, "laboratory")
    store = _open(await volume(room, "laboratory") / "laboratory.db")
    return store, await Client.connect(room, "laboratory")


async def _serve(room: Room, needs: object, opened: Callable[[], None]) -> None:
    assert isinstance(needs, tuple)
    laboratory = Laboratory(room, *needs)
    server = await listen(HOST, room.ports["laboratory"], laboratory.take)
    opened()
    async with server, asyncio.TaskGroup() as group:
        for hospital in room.hospitals:
            group.create_task(laboratory.measure(hospital))
        await server.serve_forever()


LABORATORY = Programme(_check, _serve, 1.8)
