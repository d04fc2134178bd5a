"""Playing an exercise at a pace that people can follow: the wall clock, faster, and decisions read on the way.

Decisions come from two places: lines at this console, and whatever others add to the folder of the exercise.

    skip database the disk is gone        VERB UNIT reason…
    release record H01 checked            VERB UNIT HOSPITAL reason…
    pause we call the director            VERB reason…
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable
from typing import IO, Protocol, cast, get_args
from uuid import uuid4

from releve.clock import Instant
from releve.estate import Estate
from releve.recovery.folder import Decision, RecoveryFolder, Verb

#: Decisions are looked for so often.
LOOK_EVERY_S = 0.2

#: Verbs that are about the exercise as a whole.
_WHOLE = ("pause", "resume", "cancel", "declare")


class Pace(Protocol):
    """How time passes for the players.

    may_decide  whether somebody may still add a decision while nothing else happens
    """

    may_decide: bool

    def until(self, at_s: float) -> list[tuple[float, Decision]]:
        """Let time pass until a second of the exercise; return decisions that came before it, each with its second."""


class AtOnce:
    """No time passes: only what the scenario says is decided."""

    may_decide = False

    def until(self, at_s: float) -> list[tuple[float, Decision]]:
        """Return nothing, at once."""
        return []


class Live:
    """The wall clock, faster.

    speed      seconds of the exercise in one second on the wall
    by         who sits at the console
    on_wrong   told of a line that could not be read
    """

    may_decide = True

    def __init__(
        self,
        estate: Estate,
        folder: RecoveryFolder,
        began_at: Instant,
        *,
        speed: float,
        by: str,
        on_wrong: Callable[[str], None],
        console: IO[str] | None = None,
    ) -> None:
        self._estate = estate
        self._folder = folder
        self._began_at = began_at
        self._speed = speed
        self._by = by
        self._on_wrong = on_wrong
        self._console = console
        self._began = time.monotonic()
        self._known: set[str] = set()

    def until(self, at_s: float) -> list[tuple[float, Decision]]:
        """Wait until a second of the exercise, or until somebody decides something."""
        while True:
            now_s = (time.monotonic() - self._began) * self._speed
            found = [(now_s, one) for one in self._new()]
            if found or now_s >= at_s:
                return found
            self._look(min(LOOK_EVERY_S, (at_s - now_s) / self._speed), now_s)

    def _look(self, wait_s: float, now_s: float) -> None:
        """Wait a little, and take the line that somebody typed meanwhile into the folder."""
        if self._console is None:
            time.sleep(wait_s)
            return
        if select.select([self._console], [], [], wait_s)[0]:
            line = self._console.readline()
            if not line:
                self._console = None
            elif line.strip():
                self._take(line, self._began_at + round(now_s * 1e6))

    def _take(self, line: str, at: Instant) -> None:
        try:
            self._folder.decide(parse_decision(line, self._estate, by=self._by, at=at))
        except ValueError as wrong:
            self._on_wrong(str(wrong))

    def _new(self) -> list[Decision]:
        fresh = [one for one in self._folder.decisions() if one.id not in self._known]
        self._known.update(one.id for one in fresh)
        # What exercise control and the scenario decide is obeyed as it is written; it must not be obeyed twice.
        return [one for one in fresh if not one.id.startswith("exercise-")]


def parse_decision(line: str, estate: Estate, *, by: str, at: Instant) -> Decision:
    """Return the decision that a line at the console means.

    raises  ValueError  it means none; the sentence says what was expected
    """
    words = line.split()
    if not words or words[0] not in get_args(Verb):
        raise ValueError(f"expected one of {', '.join(get_args(Verb))}; found {line.strip()[:60]!r}")
    verb, rest = cast("Verb", words[0]), words[1:]
    unit = hospital = ""
    if verb not in _WHOLE:
        if not rest or rest[0] not in estate.units:
            raise ValueError(f"{verb} needs a unit of the estate; found {' '.join(rest)[:60]!r}")
        unit = rest.pop(0)
        if rest and rest[0] in estate.sites:
            hospital = rest.pop(0)
    return Decision(f"console-{uuid4().hex}", at, verb, by, "exercise", unit, hospital, " ".join(rest))


def console() -> IO[str] | None:
    """Return the keyboard, None where nobody sits at one."""
    return sys.stdin if sys.stdin is not None and sys.stdin.isatty() else None
