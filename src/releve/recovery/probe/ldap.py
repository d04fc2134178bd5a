"""LDAP v3 (RFC 4511): bind, then a base search that returns one entry.

30 0c  02 01 01  60 07  02 01 03  04 00  80 00     bind: message 1, version 3, no name, simple, no password
"""

from __future__ import annotations

from collections.abc import Generator

from releve.recovery.probe.ber import BOOLEAN, ENUM, OCTETS, SEQUENCE, encode, encode_integer, split
from releve.recovery.probe.dialogue import Dialogue, exactly, more
from releve.recovery.probe.reading import Unwell, Verdict, clipped

_BIND, _BIND_DONE, _SEARCH, _ENTRY, _SEARCH_DONE, _REFERENCE, _UNBIND = 0x60, 0x61, 0x63, 0x64, 0x65, 0x73, 0x42
_SIMPLE, _PRESENT = 0x80, 0x87

#: A base search returns one entry; a server that sends more is not answering us.
ANSWERS_MAX = 16

_BUSY = {51: "busy", 52: "unavailable"}


def bind_and_search(base: str = "", user: str = "", password: str = "") -> Dialogue:
    """Return the dialogue.

    base  the entry to read; empty is the root DSE, which every server has
    user  distinguished name to bind as; empty binds anonymously
    """
    heard = bytearray()
    tag, content = yield from _answer(heard, encode_bind(user, password))
    if tag != _BIND_DONE:
        return Verdict("wrong", f"its answer to bind has tag {tag:#x}, expected {_BIND_DONE:#x}")
    code = result_code(content)
    if code:
        return Verdict("starting" if code in _BUSY else "wrong", f"it refuses the bind: result {code}")
    entries = 0
    words = encode_search(base)
    for _ in range(ANSWERS_MAX):
        tag, content = yield from _answer(heard, words)
        words = b""
        if tag == _ENTRY:
            entries += 1
        elif tag == _SEARCH_DONE:
            return judge(result_code(content), entries, base)
        elif tag != _REFERENCE:
            return Verdict("wrong", f"its answer to the search has tag {tag:#x}")
    return Verdict("wrong", f"a base search brought more than {ANSWERS_MAX} answers")


def judge(code: int, entries: int, base: str) -> Verdict:
    """Return what the end of a base search means."""
    what = clipped(base) or "its root entry"
    if code:
        return Verdict("starting" if code in _BUSY else "wrong", f"reading {what} ends with result {code}")
    if entries != 1:
        return Verdict("wrong", f"reading {what} brought {entries} entries, expected 1")
    unbind = encode(SEQUENCE, encode_integer(3) + encode(_UNBIND, b""))
    return Verdict("up", f"it binds and returns {what}", unbind)


def encode_bind(user: str, password: str) -> bytes:
    """Return a simple bind as message 1."""
    body = encode_integer(3) + encode(OCTETS, user.encode()) + encode(_SIMPLE, password.encode())
    return encode(SEQUENCE, encode_integer(1) + encode(_BIND, body))


def encode_search(base: str) -> bytes:
    """Return a search of one entry, filter (objectClass=*), no attributes ("1.1"), as message 2."""
    body = (
        encode(OCTETS, base.encode())
        + encode_integer(0, ENUM)  # baseObject
        + encode_integer(0, ENUM)  # neverDerefAliases
        + encode_integer(1)  # size limit
        + encode_integer(0)  # no time limit: ours is outside
        + encode(BOOLEAN, b"\x00")
        + encode(_PRESENT, b"objectClass")
        + encode(SEQUENCE, encode(OCTETS, b"1.1"))
    )
    return encode(SEQUENCE, encode_integer(2) + encode(_SEARCH, body))


def result_code(content: bytes) -> int:
    """Return the result code at the head of an LDAPResult."""
    if len(content) < 3 or content[0] != ENUM or content[1] != 1:
        raise Unwell("wrong", "its answer has no result code")
    return content[2]


def _answer(heard: bytearray, words: bytes) -> Generator[bytes, bytes, tuple[int, bytes]]:
    """Return tag and content of the operation in the next message."""
    if words:
        yield from more(heard, words)
    _, _, after = split((yield from _message(heard)))
    operation, content, _ = split(after)
    return operation, content


def _message(heard: bytearray) -> Generator[bytes, bytes, bytes]:
    """Return the content of the next message, which is a SEQUENCE."""
    tag, size = yield from exactly(heard, 2)
    if tag != SEQUENCE:
        raise Unwell("wrong", f"it does not speak LDAP: its answer begins with {tag:#x}")
    if size & 0x80:
        count = size & 0x7F
        if not 0 < count <= 4:
            raise Unwell("wrong", f"it does not speak LDAP: a length of {count} bytes")
        size = int.from_bytes((yield from exactly(heard, count)), "big")
    return (yield from exactly(heard, size))
