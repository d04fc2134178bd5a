"""HTTP/1.1 for the programs that need a route or two: JSON out, one request per connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from releve.demo.centre.room import DNS_TIMEOUT_S, HOST, Unreachable

_HEAD_BYTES_MAX = 8192
_ANSWER_BYTES_MAX = 1_000_000

Route = Callable[[str, str], Awaitable[tuple[int, object]]]


async def serve_http(port: int, route: Route) -> asyncio.Server:
    """Serve route(method, path) → (status, JSON value)."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n", 1)[0].split(" ", 2)
            status, value = await route(method, path)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        except (asyncio.LimitOverrunError, ValueError):
            status, value = 400, {"error": "this is no HTTP request that is understood here"}
        writer.write(_encode(status, value))
        writer.close()

    return await asyncio.start_server(talk, HOST, port, limit=_HEAD_BYTES_MAX)


async def ask_http(program: str, address: tuple[str, int], method: str, path: str) -> Any:
    """Return the JSON that another program of the centre answers.

    raises  Unreachable  it is not there, or its answer is not 200
    """
    try:
        async with asyncio.timeout(DNS_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: {program}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read(_ANSWER_BYTES_MAX)
            writer.close()
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"cannot reach {program}: {error or 'no answer'}") from error
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Unreachable(f"{program} answered {head[9:60].decode('latin-1').splitlines()[:1]}")
    return json.loads(body)


def _encode(status: int, value: object) -> bytes:
    body = json.dumps(value, ensure_ascii=False).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
