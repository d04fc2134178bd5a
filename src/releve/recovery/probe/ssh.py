"""SSH (RFC 4253): the banner, then the server's first message of the key exchange. Nobody logs in.

The banner alone comes from the listening process; the key exchange proves that the one behind it was started too.
"""

from __future__ import annotations

from releve.recovery.probe.dialogue import Dialogue, exactly, line
from releve.recovery.probe.reading import Verdict, clipped

#: Lines a server may say before its version (section 4.2).
LINES_MAX = 50
_DISCONNECT, _KEXINIT = 1, 20
_BY_APPLICATION = 11
_PACKET_BYTES_MAX = 35_000  # section 6.1

_VERSION = b"SSH-2.0-releve_probe\r\n"


def exchange_begins() -> Dialogue:
    """Return the dialogue."""
    heard = bytearray()
    words = _VERSION  # both sides may speak at once
    for _ in range(LINES_MAX):
        banner = yield from line(heard, words)
        words = b""
        if banner.startswith(b"SSH-"):
            break
        if banner.startswith(b"Exceeded MaxStartups"):
            return Verdict("starting", f"it turns callers away: {clipped(banner)}")
    else:
        return Verdict("wrong", f"no version of SSH within {LINES_MAX} lines")
    if not banner.startswith((b"SSH-2.0-", b"SSH-1.99-")):
        return Verdict("wrong", f"it speaks {clipped(banner, 40)}, expected SSH 2.0")
    head = yield from exactly(heard, 6)
    size, kind = int.from_bytes(head[:4], "big"), head[5]
    if not 12 <= size <= _PACKET_BYTES_MAX or kind != _KEXINIT:
        return Verdict("wrong", f"it greets ({clipped(banner, 40)}) and does not begin the key exchange")
    yield from exactly(heard, size - 2)
    return Verdict("up", f"it greets ({clipped(banner, 40)}) and begins the key exchange", encode_disconnect())


def encode_disconnect() -> bytes:
    """Return SSH_MSG_DISCONNECT as a packet without encryption (section 11.1): a server then logs no broken line."""
    words = b"probe"
    payload = bytes((_DISCONNECT,)) + _BY_APPLICATION.to_bytes(4, "big") + len(words).to_bytes(4, "big") + words
    payload += bytes(4)  # no language
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0  # section 6: at least four bytes
    return (len(payload) + padding + 1).to_bytes(4, "big") + bytes((padding,)) + payload + bytes(padding)
