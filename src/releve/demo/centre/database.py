"""The database: the PostgreSQL protocol in front of SQLite, so that whoever asks "select 1" gets a database's answer.

Simple query only, text format, one SQLite connection for each client, full sync at every commit.
Source: PostgreSQL 15 documentation, chapter 55, "Frontend/Backend Protocol", version 3.0.
"""

from __future__ import annotations

import asyncio
import sqlite3
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from releve.demo.centre.directory import authenticate
from releve.demo.centre.room import DNS_TIMEOUT_S, HOST, Programme, Room, Unreachable, find
from releve.demo.centre.storage import volume

FILE = "centre.db"
_PROTOCOL_3, _SSL_REQUEST, _GSS_REQUEST = 196_608, 80_877_103, 80_877_104
MESSAGE_BYTES_MAX = 4 * 2**20
_TEXT_OID = 25
#: A client that waits for another's commit; longer than the longest commit of the night.
_BUSY_S = 5.0
QUERY_TIMEOUT_S = 5.0

Rows = list[tuple[str | None, ...]]


class QueryRefused(Exception):
    """The database answered with an error; the text is its message."""


def message(kind: bytes, *content: bytes) -> bytes:
    """Return one protocol message: a letter, the length including itself, the content."""
    body = b"".join(content)
    return kind + struct.pack("!I", len(body) + 4) + body


def text(value: str) -> bytes:
    """Return a text ended by a zero byte."""
    return value.encode() + b"\0"


def bound(statement: str, *values: str | float) -> str:
    """Return a statement with its question marks replaced by literals: the simple query knows no parameters."""
    parts = statement.split("?")
    assert len(parts) == len(values) + 1, f"{len(values)} values for {statement}"
    return "".join(
        part + (literal if isinstance(literal, str) else "")
        for part, literal in zip(parts, (*map(_literal, values), None), strict=True)
    )


def _literal(value: str | float) -> str:
    return repr(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


def encode_rows(names: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Return a row description and the rows, every value as text."""
    columns = [text(name) + struct.pack("!IhIhih", 0, 0, _TEXT_OID, -1, -1, 0) for name in names]
    out = [message(b"T", struct.pack("!h", len(names)), *columns)]
    for row in rows:
        cells = []
        for value in row:
            cell = None if value is None else str(value).encode()
            cells.append(struct.pack("!i", -1) if cell is None else struct.pack("!i", len(cell)) + cell)
        out.append(message(b"D", struct.pack("!h", len(row)), *cells))
    return b"".join(out)


def statements(query: str) -> list[str]:
    """Return the statements of a query; a semicolon inside a literal divides nothing."""
    found, open_part = [], ""
    for part in query.split(";"):
        open_part += part
        if sqlite3.complete_statement(open_part + ";"):
            found.append(open_part.strip())
            open_part = ""
        else:
            open_part += ";"
    return [statement for statement in (*found, open_part.strip().rstrip(";")) if statement]


def run_query(db: sqlite3.Connection, query: str) -> bytes:
    """Run what one Query message holds and return the answer, without ReadyForQuery."""
    out: list[bytes] = []
    for statement in statements(query):
        try:
            cursor = db.execute(statement)
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            fields = (b"S" + text("ERROR"), b"V" + text("ERROR"), b"C" + text("XX000"), b"M" + text(str(error)), b"\0")
            if db.in_transaction:
                db.execute("ROLLBACK")
            return b"".join(out) + message(b"E", *fields)
        if cursor.description is not None:
            out.append(encode_rows([column[0] for column in cursor.description], rows))
        verb = statement.split(None, 1)[0].upper()
        count = len(rows) if cursor.description is not None else max(cursor.rowcount, 0)
        tag = f"INSERT 0 {count}" if verb == "INSERT" else f"{verb} {count}"
        out.append(message(b"C", text(tag)))
    return b"".join(out) or message(b"I")


class Client:
    """A connection of one of the centre's programs to the database."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    @classmethod
    async def connect(cls, room: Room, program: str) -> Client:
        """Open a connection.

        raises  Unreachable
        """
        host, port = await find(room, "database")
        try:
            async with asyncio.timeout(DNS_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port, limit=MESSAGE_BYTES_MAX)
                client = cls(reader, writer)
                parameters = text("user") + text(program) + text("database") + text("centre") + b"\0"
                writer.write(struct.pack("!II", len(parameters) + 8, _PROTOCOL_3) + parameters)
                await client._until_ready()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, QueryRefused) as error:
            raise Unreachable(f"cannot reach the database at {host}:{port}: {error or 'no answer'}") from error
        return client

    async def query(self, sql: str) -> Rows:
        """Run statements and return the rows of them all.

        raises  QueryRefused  the database's own error; the transaction is undone
        raises  Unreachable   the connection broke; whether it was committed is unknown
        """
        async with self._turn:
            try:
                async with asyncio.timeout(QUERY_TIMEOUT_S):
                    self._writer.write(message(b"Q", text(sql)))
                    await self._writer.drain()
                    return await self._until_ready()
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self._writer.close()
                raise Unreachable(f"the database went away: {error or 'no answer'}") from error

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def _until_ready(self) -> Rows:
        rows: Rows = []
        refusal = ""
        while True:
            kind, body = await _read(self._reader)
            if kind == b"D":
                rows.append(_decode_row(body))
            elif kind == b"E":
                refusal = next((f[1:].decode() for f in body.split(b"\0") if f[:1] == b"M"), "an error without a text")
            elif kind == b"Z":
                if refusal:
                    raise QueryRefused(refusal)
                return rows


def _decode_row(body: bytes) -> tuple[str | None, ...]:
    (count,) = struct.unpack_from("!h", body)
    at, cells = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        cells.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return tuple(cells)


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!I", head[1:])
    if not 4 <= length <= MESSAGE_BYTES_MAX:
        raise ConnectionResetError(f"a message of {length} bytes")
    return head[:1], await reader.readexactly(length - 4)


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer the start of a connection; False when it is not one that leads to queries."""
    while True:
        length, code = struct.unpack("!II", await reader.readexactly(8))
        if not 8 <= length <= MESSAGE_BYTES_MAX:
            return False
        await reader.readexactly(length - 8)
        if code in (_SSL_REQUEST, _GSS_REQUEST):
            writer.write(b"N")
            continue
        if code != _PROTOCOL_3:
            return False
        ready = message(b"R", struct.pack("!I", 0)) + message(b"S", text("server_version"), text("15.0 (demo)"))
        writer.write(ready + message(b"S", text("client_encoding"), text("UTF8")) + message(b"Z", b"I"))
        return True


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.create_function("pg_is_in_recovery", 0, lambda: "f")
    return db


async def _check(room: Room) -> Path:
    """Mount the volume and prove that the pages hold together: an unclean stop is followed by an integrity gate."""
    path = await volume(room, "database") / FILE
    await authenticate(room, "database")
    db = _open(path)
    try:
        verdict = db.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    finally:
        db.close()
    if verdict != "ok":
        raise Unreachable(f"the database file is damaged: {verdict}")
    return path


async def _serve(room: Room, path: object, opened: Callable[[], None]) -> None:
    assert isinstance(path, Path)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        db = _open(path)
        try:
            is_client = await _greet(reader, writer)
            while is_client:
                kind, body = await _read(reader)
                if kind != b"Q":
                    break
                status = run_query(db, body.rstrip(b"\0").decode("utf-8", "replace"))
                writer.write(status + message(b"Z", b"T" if db.in_transaction else b"I"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away: what it had not committed is undone with its connection
        finally:
            db.close()
            writer.close()

    server = await asyncio.start_server(talk, HOST, room.ports["database"], limit=MESSAGE_BYTES_MAX)
    opened()
    async with server:
        await server.serve_forever()


DATABASE = Programme(_check, _serve, 2.2)
