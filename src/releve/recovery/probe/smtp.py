"""SMTP (RFC 5321): greeting 220, NOOP 250, QUIT. Nothing is sent to anybody."""

from __future__ import annotations

from collections.abc import Generator

from releve.recovery.probe.dialogue import Dialogue, line
from releve.recovery.probe.reading import Unwell, Verdict, clipped


def noop() -> Dialogue:
    """Return the dialogue."""
    heard = bytearray()
    greeting = yield from _reply(heard, b"", "220", "its greeting")
    yield from _reply(heard, b"NOOP\r\n", "250", "its answer to NOOP")
    return Verdict("up", f"it greets ({clipped(greeting[4:], 40)}) and answers NOOP", b"QUIT\r\n")


def _reply(heard: bytearray, words: bytes, code: str, what: str) -> Generator[bytes, bytes, bytes]:
    """Return the last line of a reply, which may have several (RFC 5321, section 4.2.1)."""
    reply = yield from line(heard, words)
    while reply[3:4] == b"-":
        reply = yield from line(heard)
    if reply[:3].decode("ascii", "replace") != code:
        raise Unwell("wrong", f"{what} is {clipped(reply)!r}, expected {code}")
    return reply
