"""What a probe found. States are few and stable, since reports, pages and journals branch on them.

up        it answered as it should
weak      it works, but not as it should: a certificate about to run out, a clock that is off, a UPS on bypass
refused   nothing listens there
silent    no connection, or no answer over UDP, in time: gone, cut off, or frozen
frozen    it accepted the connection and did not answer in time: the machine lives, the program does not
closed    it hung up before it answered
wrong     it answered, but not what a well server answers
starting  it said itself that it is not ready yet
battery   it answered: running on battery (power feeds only)
unasked   the question could not be asked at all (a name that does not resolve, a wrong address)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["up", "weak", "refused", "silent", "frozen", "closed", "wrong", "starting", "battery", "unasked"]

#: It does its work: whoever needs it may go on.
WORKING: frozenset[State] = frozenset(("up", "weak"))
#: Something runs there, whether or not it works yet: what is being stopped is not down while it says this.
RUNNING: frozenset[State] = WORKING | {"starting", "battery"}
#: Nothing came in time. A slow server reads like this too when it is not waited for long enough.
UNANSWERED: frozenset[State] = frozenset(("silent", "frozen"))

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
        """Return whether it works."""
        return self.state in WORKING


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
        """Return whether it works."""
        return self.state in WORKING

    @property
    def is_running(self) -> bool:
        """Return whether something runs there, which may not be ready yet."""
        return self.state in RUNNING


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
