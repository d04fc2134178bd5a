"""IMAP4rev1 (RFC 3501): with an account LOGIN and INBOX opened; without one the greeting and CAPABILITY. Then LOGOUT.

The mailbox is opened by EXAMINE, which is SELECT without the right to change anything.
"""

from __future__ import annotations

from collections.abc import Generator

from releve.recovery.probe.dialogue import Dialogue, line
from releve.recovery.probe.reading import Unwell, Verdict, clipped

#: Untagged lines before the answer to one command; a mailbox says about ten.
LINES_MAX = 200

_LOGOUT = b"z LOGOUT\r\n"


def open_inbox(user: str = "", password: str = "") -> Dialogue:
    """Return the dialogue; without a user nobody is logged in and no mailbox is opened."""
    heard = bytearray()
    greeting = yield from line(heard)
    if greeting.upper().startswith(b"* BYE"):
        return Verdict("starting", f"it turns callers away: {clipped(greeting[5:])}")
    if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
        return Verdict("wrong", f"it does not speak IMAP: its greeting is {clipped(greeting)!r}")
    if not user:
        yield from _command(heard, b"a", b"CAPABILITY")
        return Verdict("up", "it greets and tells its capabilities; no mailbox was opened", _LOGOUT)
    yield from _command(heard, b"a", b"LOGIN %s %s" % (quoted(user), quoted(password)), "LOGIN")
    yield from _command(heard, b"b", b"EXAMINE INBOX")
    return Verdict("up", "it logs in and opens INBOX", _LOGOUT)


def quoted(text: str) -> bytes:
    """Return a quoted string (RFC 3501, section 4.3).

    raises  Unwell  the text holds a control character, which no quoted string can
    """
    if not text.isprintable():
        raise Unwell("unasked", "the account given for it holds a control character")
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def _command(heard: bytearray, tag: bytes, words: bytes, shown: str = "") -> Generator[bytes, bytes, None]:
    """Give a command and pass over what comes before its tagged answer.

    shown  the command as it may stand in a sentence, where it holds a password
    raises Unwell  the answer is not OK
    """
    name = shown or words.decode()
    answer = yield from line(heard, tag + b" " + words + b"\r\n")
    for _ in range(LINES_MAX):
        if answer.startswith(tag + b" "):
            break
        if answer.upper().startswith(b"* BYE"):
            raise Unwell("starting", f"it hangs up at {name}: {clipped(answer[5:])}")
        answer = yield from line(heard)
    else:
        raise Unwell("wrong", f"its answer to {name} does not end within {LINES_MAX} lines")
    text = answer[len(tag) + 1 :]
    if text[:2].upper() != b"OK":
        is_busy = b"[UNAVAILABLE]" in text.upper()  # RFC 5530: a part behind it is away for a while
        raise Unwell("starting" if is_busy else "wrong", f"its answer to {name} is {clipped(text)!r}, expected OK")
