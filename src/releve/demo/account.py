"""A sender's own account: what it sent and what it got acknowledged, one line of JSON each, synced before it goes on.

This is the checker's truth, and the sender's memory: after a power cut a sender reads its account and sends again what
has no answer, under the same MSH-10.
"""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

import msgspec

from releve.demo.mllp import Line, field

#: A listener that does not answer in this time has not accepted: the line is closed and the message sent again.
ACK_TIMEOUT_S = 5.0
#: Between two tries of one message; a real analyser waits longer, a night of two minutes has no time for it.
RETRY_PAUSE_S = 0.5


class Fact(msgspec.Struct, frozen=True):
    """Something that must be readable afterwards wherever the message was kept.

    kind   "person", "stay", "result", "note" or "admission"
    key    names the thing: system|number of a person, a stay, a result; the token in a note
    says   what must be read there
    """

    kind: str
    key: str
    says: dict[str, str]


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """A message went out, or a capture was made. destination is the hospital whose node must keep it."""

    control_id: str
    sender: str
    destination: str
    is_group: bool
    raw: str
    facts: list[Fact]
    at: float


class Answered(msgspec.Struct, frozen=True, tag="answered", omit_defaults=True):
    """The answer came: AA means that the other side promised to keep it. again: to a message sent once more."""

    control_id: str
    code: str
    at: float
    again: bool = False


class Entry(msgspec.Struct):
    """A message and its answer, read back from an account."""

    sent: Sent
    code: str = ""
    answered_at: float = 0.0
    answers: int = 0

    @property
    def is_acknowledged(self) -> bool:
        """True when the listener promised to keep it."""
        return self.code in ("AA", "CA")

    @property
    def raw(self) -> bytes:
        """The bytes as they were sent."""
        return b64decode(self.sent.raw)


_decoder = msgspec.json.Decoder(Sent | Answered)


class Account:
    """The file, open for adding; every line is on the disk before the call returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def sent(
        self, control_id: str, sender: str, destination: str, is_group: bool, raw: bytes, facts: list[Fact]
    ) -> Sent:
        """Write down what is about to be sent."""
        line = Sent(control_id, sender, destination, is_group, b64encode(raw).decode(), facts, time.time())
        self._add(line)
        return line

    def answered(self, control_id: str, code: str, *, again: bool = False) -> None:
        """Write down the answer that came."""
        self._add(Answered(control_id, code, time.time(), again))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _add(self, line: Sent | Answered) -> None:
        os.write(self._file, msgspec.json.encode(line) + b"\n")
        os.fdatasync(self._file)


def _cut_torn_line(path: Path) -> None:
    """Cut off a last line that a power cut tore: it was never sent, since a line is synced before its message goes."""
    if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)


def read_account(path: Path) -> list[Entry]:
    """Return the entries of an account in the order of sending; a torn last line is passed over."""
    entries: dict[str, Entry] = {}
    if not path.exists():
        return []
    for line in path.read_bytes().split(b"\n")[:-1]:
        record = _decoder.decode(line)
        if isinstance(record, Sent):
            entries[record.control_id] = Entry(record)
        else:
            entry = entries[record.control_id]
            entry.code, entry.answered_at, entry.answers = record.code, record.at, entry.answers + 1
    return list(entries.values())


class Sender:
    """Sends messages one after the other until each has its answer, and keeps account of both."""

    def __init__(self, line: Line, account: Account, name: str) -> None:
        self._line = line
        self._account = account
        self._name = name
        self._last: tuple[str, bytes] | None = None
        self.tries = 0

    async def send(self, raw: bytes, destination: str, facts: list[Fact], *, is_group: bool = True) -> str:
        """Send a message until it is accepted (AA) or rejected for good (AR); returns the code."""
        control_id = field(raw, "MSH", 10)
        self._account.sent(control_id, self._name, destination, is_group, raw, facts)
        self._last = control_id, raw
        return await self._until_answered(control_id, raw)

    async def repeat_last(self) -> None:
        """Send the last message once more, as a sender does whose ACK was lost: it must change nothing."""
        if self._last is not None:
            await self._until_answered(*self._last, again=True)

    async def send_again(self, entries: Iterable[Entry]) -> None:
        """Send what had no answer before a restart, under the same control ids."""
        for entry in entries:
            await self._until_answered(entry.sent.control_id, entry.raw)

    async def _until_answered(self, control_id: str, raw: bytes, *, again: bool = False) -> str:
        while True:
            self.tries += 1
            try:
                answer = await self._line.exchange(raw, ACK_TIMEOUT_S)
            except (OSError, TimeoutError):
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            code = field(answer, "MSA", 1)
            if field(answer, "MSA", 2) != control_id:
                await self._line.close()  # an answer to another message says nothing about this one
            elif code in ("AA", "CA", "AR", "CR"):
                self._account.answered(control_id, code, again=again)
                return code
            await asyncio.sleep(RETRY_PAUSE_S)
