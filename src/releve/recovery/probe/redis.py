"""RESP, the protocol of Redis and Valkey: PING, answered by +PONG. A server that loads its data says so itself."""

from __future__ import annotations

from releve.recovery.probe.dialogue import Dialogue, line
from releve.recovery.probe.reading import Verdict, clipped


def ping(user: str = "", password: str = "") -> Dialogue:
    """Return the dialogue, with AUTH first when there is a password."""
    heard = bytearray()
    if password:
        words = ("AUTH", user, password) if user else ("AUTH", password)
        answer = yield from line(heard, encode_array(*words))
        if answer != b"+OK":
            return Verdict("wrong", f"it refuses the password: {clipped(answer)}")
    answer = yield from line(heard, encode_array("PING"))
    if answer == b"+PONG":
        return Verdict("up", "it answers PING")
    if answer.startswith((b"-LOADING", b"-MASTERDOWN")):
        return Verdict("starting", f"it says {clipped(answer)}")
    return Verdict("wrong", f"its answer to PING is {clipped(answer)!r}")


def encode_array(*words: str) -> bytes:
    """Return a command as RESP writes it: *1\\r\\n$4\\r\\nPING\\r\\n."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)
