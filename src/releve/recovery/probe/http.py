"""HTTP/1.1 (RFC 9112): a GET answered by 2xx, and, where the body is JSON with a status, a status that says well.

Thirty lines of our own, not a client library: the answer is judged, never used, and building a client's TLS context and
pools costs more than the question.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass

from releve.recovery.probe.dialogue import Dialogue, exactly, line
from releve.recovery.probe.reading import ANSWER_BYTES_MAX, State, Unwell, Verdict, clipped

#: What a body's "status" says when all is well: IETF health+json, Spring, FHIR and plain words.
WELL = frozenset(("pass", "ok", "up", "healthy", "well", "active", "operational", "ready", "normal", "true"))
STARTING = frozenset(("starting", "initializing", "warming", "out_of_service", "not_ready"))

HEADERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What a GET answered with 2xx brought; body is empty unless it is JSON."""

    code: int
    is_json: bool
    body: bytes


def get(host: str, port: int, path: str) -> Dialogue:
    """Return the dialogue that asks for a page; path begins with a slash and may have a query."""
    page = yield from fetch(host, port, path)
    return judge_body(page.code, page.body) if page.is_json else Verdict("up", f"it answers {page.code}")


def fetch(host: str, port: int, path: str, authorization: str = "") -> Generator[bytes, bytes, Page]:
    """Ask for a page and return it.

    raises  Unwell  the answer is not HTTP, or not 2xx
    """
    heard = bytearray()
    name = f"[{host}]" if ":" in host else host
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nAccept: application/json, */*\r\n"
        + (f"Authorization: {authorization}\r\n" if authorization else "")
        + "User-Agent: releve-probe\r\nConnection: close\r\n\r\n"
    )
    first = yield from line(heard, request.encode())
    version, _, rest = first.decode("latin-1").partition(" ")
    if not version.startswith("HTTP/1.") or not (rest[:3].isascii() and rest[:3].isdigit()):
        raise Unwell("wrong", f"it does not speak HTTP: {clipped(first)!r}")
    code = int(rest[:3])
    headers = yield from _headers(heard)
    if code == 503:
        raise Unwell("starting", "it answers 503, not ready")
    if not 200 <= code < 300:
        raise Unwell("wrong", f"it answers {clipped(rest, 40)}, expected 2xx")
    is_json = "json" in headers.get("content-type", "")
    body = (yield from _body(heard, headers)) if is_json else b""
    return Page(code, is_json, body)


def judge_body(code: int, body: bytes) -> Verdict:
    """Return what a JSON body says of itself."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Verdict("wrong", f"it answers {code} with a body that is not the JSON it announces")
    status = value.get("status") if isinstance(value, dict) else None
    if not isinstance(status, str | bool):
        return Verdict("up", f"it answers {code}")
    word = str(status).lower()
    if word in WELL:
        return Verdict("up", f"it answers {code} and says {clipped(str(status), 30)}")
    state: State = "starting" if word in STARTING else "wrong"
    return Verdict(state, f"it answers {code} and says of itself: {clipped(str(status), 30)}")


def _headers(heard: bytearray) -> Generator[bytes, bytes, dict[str, str]]:
    headers: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        header = yield from line(heard)
        if not header:
            break
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip().lower()
    return headers


def _body(heard: bytearray, headers: dict[str, str]) -> Generator[bytes, bytes, bytes]:
    if headers.get("content-length", "").isdigit():
        return (yield from exactly(heard, int(headers["content-length"])))
    if headers.get("transfer-encoding") == "chunked":
        body = bytearray()
        while True:
            size_line = yield from line(heard)
            try:
                size = int(size_line.split(b";")[0], 16)
            except ValueError:
                return bytes(body)
            if not size or len(body) + size > ANSWER_BYTES_MAX:
                return bytes(body)
            body += yield from exactly(heard, size)
            yield from line(heard)
    while data := (yield b""):
        heard += data
        if len(heard) > ANSWER_BYTES_MAX:
            break
    return bytes(heard)
