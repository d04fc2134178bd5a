"""The record application: what every hospital of the group works with on a normal day, and misses in the cut.

It takes ADT, ORU and MDM by MLLP, keeps each once (sender and MSH-10) in the database before its ACK, and sends the
admissions that it books to each hospital through the interface engine. What it cannot accept it refuses with AE and a
sentence, and writes the refusal down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256

import msgspec

from releve.demo.account import Account, Sender, read_account
from releve.demo.centre.database import Client, QueryRefused, bound
from releve.demo.centre.directory import authenticate
from releve.demo.centre.room import HOST, Programme, Room, Unreachable, find
from releve.demo.feeder import BOOKED_WARDS, Desk, Hospital, oid_of
from releve.demo.messages import Office, Stay
from releve.demo.mllp import ARE_YOU_THERE, Line, acknowledgement, field, listen

OFFICE = Office("DPI", "CENTRE", "GROUPE", oid_of("GROUPE"))
_TABLES = """
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY, sender TEXT, control_id TEXT, sha256 TEXT, type TEXT, patient TEXT, raw TEXT,
  received_at REAL, copies INTEGER, UNIQUE (sender, control_id));
CREATE TABLE IF NOT EXISTS refusal (sender TEXT, control_id TEXT, reason TEXT, raw TEXT, refused_at REAL);
CREATE TABLE IF NOT EXISTS person (patient TEXT PRIMARY KEY, names TEXT);
CREATE TABLE IF NOT EXISTS result (
  filler TEXT, code TEXT, patient TEXT, value TEXT, unit TEXT, status TEXT, control_id TEXT,
  PRIMARY KEY (filler, code));
CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, patient TEXT, text TEXT, control_id TEXT);
CREATE TABLE IF NOT EXISTS booking (visit TEXT PRIMARY KEY, hospital TEXT, status TEXT, stay TEXT);
"""
#: The patients whom the record application booked into a hospital: the laboratory reads its worklist the same way.
SQL_WORKLIST = "SELECT stay FROM booking WHERE status = 'in-progress' AND hospital = ?"


class Refusal(Exception):
    """The application cannot accept a message; the text goes into MSA-3."""


def segments(text: str) -> list[list[str]]:
    """Return a message as segments of fields."""
    return [line.split("|") for line in text.split("\r") if line]


def patient_of(fields: list[str]) -> str:
    """Return the first identifier of a PID segment, with its authority: number^namespace."""
    first = (fields[3] if len(fields) > 3 else "").split("~")[0].split("^")
    authority = (first[3] if len(first) > 3 else "").split("&")[0]
    return f"{first[0]}^{authority}"


def statements_for(raw: bytes, known: set[str]) -> tuple[str, list[str]]:
    """Return the patient of a message and the SQL that applies it.

    known   patients that the application knows
    raises  Refusal  the message is about a patient whom nobody admitted, or of a type not taken here
    """
    codec = "iso8859-15" if field(raw, "MSH", 18).startswith("8859/15") else "utf-8"
    rows = segments(raw.decode(codec, "replace"))
    kind = field(raw, "MSH", 9).split("^")[0]
    pid = next((row for row in rows if row[0] == "PID"), None)
    if kind not in ("ADT", "ORU", "MDM"):
        raise Refusal(f"{kind or 'a message without a type'} is not taken by this application")
    if pid is None:
        raise Refusal("the message has no PID: whose is it?")
    patient = patient_of(pid)
    if kind == "ADT":
        names = pid[5] if len(pid) > 5 else ""
        return patient, [bound("INSERT OR REPLACE INTO person VALUES (?, ?)", patient, names)]
    if patient not in known:
        raise Refusal(f"patient {patient.split('^')[0]} is not known here; admit first")
    control_id = field(raw, "MSH", 10)
    if kind == "MDM":
        text = "\n".join(row[5] for row in rows if row[0] == "OBX" and len(row) > 5)
        return patient, [bound("INSERT INTO note VALUES (NULL, ?, ?, ?)", patient, text, control_id)]
    return patient, _results(rows, patient, control_id)


def _results(rows: list[list[str]], patient: str, control_id: str) -> list[str]:
    out, filler = [], ""
    for row in rows:
        if row[0] == "OBR":
            filler = row[3].split("^")[0]
        elif row[0] == "OBX":
            values = (filler, row[3].split("^")[0], patient, row[5], row[6].split("^")[0], row[11], control_id)
            out.append(bound("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?)", *values))
    return out


class Application:
    """The application's door: each message once, in one transaction, before its ACK."""

    def __init__(self, room: Room, database: Client) -> None:
        self._room = room
        self._database = database
        self._turn = asyncio.Lock()
        self._acks = 0

    async def take(self, raw: bytes) -> bytes | None:
        """Keep a message and return its ACK; None, no answer, while the database is away: nothing was refused."""
        async with self._turn:
            try:
                code, sentence = await self._keep(raw)
            except (Unreachable, QueryRefused):
                return None
        self._acks += 1
        control_id = f"DPI-ACK-{time.time_ns() // 1000}-{self._acks}"
        return acknowledgement(raw, code, sentence, application="DPI", control_id=control_id)

    async def _keep(self, raw: bytes) -> tuple[str, str]:
        if not raw.startswith(b"MSH"):
            return "AR", "this is not HL7: no MSH"
        sender, control_id = f"{field(raw, 'MSH', 3)}|{field(raw, 'MSH', 4)}", field(raw, "MSH", 10)
        try:
            if field(raw, "MSH", 9).startswith(ARE_YOU_THERE):
                await self._query("SELECT 1")
                return "AA", ""
            return await self._keep_once(raw, sender, control_id)
        except Refusal as refusal:
            row = (sender, control_id, str(refusal), raw.hex(), time.time())
            await self._query(bound("INSERT INTO refusal VALUES (?, ?, ?, ?, ?)", *row))
            return "AE", str(refusal)

    async def _keep_once(self, raw: bytes, sender: str, control_id: str) -> tuple[str, str]:
        digest = sha256(raw).hexdigest()
        same = (sender, control_id)
        held = await self._query(bound("SELECT sha256 FROM message WHERE sender = ? AND control_id = ?", *same))
        if held:
            if held[0][0] != digest:
                raise Refusal(f"MSH-10 {control_id} was used before with other content")
            again = "UPDATE message SET copies = copies + 1 WHERE sender = ? AND control_id = ?"
            await self._query(bound(again, *same))
            return "AA", ""
        known = {row[0] or "" for row in await self._query("SELECT patient FROM person")}
        patient, statements = statements_for(raw, known)
        row = (sender, control_id, digest, field(raw, "MSH", 9), patient, raw.hex(), time.time())
        keep = bound("INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 1)", *row)
        await self._query(";\n".join(("BEGIN IMMEDIATE", keep, *statements, "COMMIT")))
        return "AA", ""

    async def _query(self, sql: str) -> list[tuple[str | None, ...]]:
        try:
            return await self._database.query(sql)
        except Unreachable:
            self._database = await Client.connect(self._room, "record")
            raise


async def _book(room: Room, hospital: str, database: Client, stopping: asyncio.Event) -> None:
    """Send what one hospital was not told before the cut, then book and move its patients until the end."""
    host, port = await find(room, "engine-out")
    path = room.path / "accounts" / f"record-{hospital}.jsonl"
    before = read_account(path)
    sender = Sender(Line(host, port), Account(path), "DPI")
    await sender.send_again(entry for entry in before if not entry.code)
    house = Hospital(hospital, room.rng(f"record {hospital} {len(before)}"), BOOKED_WARDS, room.stays_at_start)
    house.numbers = len(before) * 3
    for (text,) in await database.query(bound(SQL_WORKLIST, hospital)):
        stay = msgspec.json.decode(text or "", type=Stay)
        house.stays[stay.visit] = stay

    async def remember(stay: Stay, status: str) -> None:
        person = stay.person
        row = (stay.visit, hospital, status, msgspec.json.encode(stay).decode())
        names = f"{person.family}^{person.given}"
        booked = bound("INSERT OR REPLACE INTO booking VALUES (?, ?, ?, ?)", *row)
        known = bound("INSERT OR IGNORE INTO person VALUES (?, ?)", f"{person.ipp}^{person.namespace}", names)
        await database.query(";\n".join((booked, known)))

    desk = Desk(house, sender, OFFICE, f"G{hospital}", remember)
    await desk.work(room.pace_s, stopping, room.quiet)


async def _check(room: Room) -> Client:
    """Authenticate, connect, make the tables."""
    await authenticate(room, "record")
    database = await Client.connect(room, "record")
    try:
        await database.query(_TABLES)
    except QueryRefused as refusal:
        raise Unreachable(f"the database refuses the tables: {refusal}") from refusal
    return database


async def _serve(room: Room, database: object, opened: Callable[[], None]) -> None:
    assert isinstance(database, Client)
    application = Application(room, database)
    stopping = asyncio.Event()
    server = await listen(HOST, room.ports["record"], application.take)
    opened()
    async with server, asyncio.TaskGroup() as group:
        for hospital in room.hospitals:
            group.create_task(_book(room, hospital, database, stopping))
        await server.serve_forever()


RECORD = Programme(_check, _serve, 2.6)
