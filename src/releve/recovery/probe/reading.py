"""What a probe found. States are few and stable, since reports, pages and journals branch on them.

up        it answered as it should
refused   nothing listens there
silent    it did not answer in time, whether or not it accepted the connection
closed    it hung up before it answered
wrong     it answered, but not what a well server answers
starting  it said itself that it is not ready yet
battery   it answered: running on battery (power feeds only)
unasked   the question could not be asked at all (a name that does not resolve, a wrong address)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["up", "refused", "silent", "closed", "wrong", "starting", "battery", "unasked"]

#: No well answer to a probe is longer; a page that never ends is not read to its end.
ANSWER_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means.

    detail   one sentence without the address, which the reader has beside it
    parting  what to say before hanging up; no answer is waited for
    """

    state: State
    detail: str
    parting: bytes = b""

    @property
    def ok(self) -> bool:
        """Return whether it is well."""
        return self.state == "up"


@dataclass(frozen=True, slots=True)
class Reading:
    """A verdict with its moment: health that is old is no health.

    at      when the question was asked, microseconds since 1970
    took_s  from the question to the verdict
    """

    url: str
    state: State
    detail: str
    took_s: float
    at: int

    @property
    def ok(self) -> bool:
        """Return whether it is well."""
        return self.state == "up"


class Unwell(Exception):
    """An answer that ends a dialogue early."""

    def __init__(self, state: State, detail: str) -> None:
        super().__init__(detail)
        self.verdict = Verdict(state, detail)


def clipped(raw: bytes | str, chars_max: int = 80) -> str:
    """Return what a peer said as one printable line for a sentence, cut when long."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    line = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"
