"""The folder of a recovery: what was planned, seen, decided, done and promised, as lines that are only ever added.

    journal.jsonl     what happened: recovery.journal, one line each, synced before anybody is told
    decisions.jsonl   what people decided: written by consoles and pages, obeyed by the one run that holds the lock
    forecasts.jsonl   every forecast that was published
    alerts.jsonl      what monitoring systems said: recovery.alert
    states.json       what this place measured last, unit by unit
    lock              held by the process that carries the run out; the others look and decide

One run writes the journal; anybody with access to the folder may add a decision. A line that a power cut left half
written is not counted and is cut off by the next writer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import orjson

from releve.clock import Instant
from releve.errors import Refused, StoreUnable
from releve.recovery.alert import Alert, from_line, to_line
from releve.recovery.forecast import Forecast
from releve.recovery.journal import Happened, from_json, to_json
from releve.recovery.lines import add_lines
from releve.recovery.lock import hold
from releve.recovery.tail import Tail

_LOG = logging.getLogger(__name__)

JOURNAL, DECISIONS, FORECASTS, ALERTS, STATES, LOCK = (
    "journal.jsonl",
    "decisions.jsonl",
    "forecasts.jsonl",
    "alerts.jsonl",
    "states.json",
    "lock",
)

Verb = Literal[
    "pause",  # nothing new is started; what runs goes on
    "resume",
    "skip",  # go on without this unit: what needs it is released as if it were up, and the journal says so
    "retry",  # a failed unit: once more, from its first try
    "done",  # a person ticks a step off
    "not-done",  # a person could not do it
    "release",  # a unit is released to care, for one hospital or for all
    "refuse",  # not released: its integrity or its content is in doubt
    "step-back",  # stop this unit and what stands on it, then bring it up again
    "cancel",  # end the run after what runs now
    "declare",  # words of a named person for the report or the cause file
]


class Decision(msgspec.Struct, frozen=True):
    """What a named person decided.

    id        unique; a decision read twice is obeyed once
    by, role  who: the account of a page, or the name given at a console
    unit      "" for the run as a whole
    hospital  of a release; "" for all
    reason    in the person's words
    """

    id: str
    at: Instant
    verb: Verb
    by: str
    role: str = ""
    unit: str = ""
    hospital: str = ""
    reason: str = ""


@dataclass(frozen=True)
class RecoveryFolder:
    """One recovery on disk."""

    path: Path

    def journal(self) -> list[Happened]:
        """Return every line of the journal, oldest first; none where nothing has begun.

        raises  Refused  a line is none: what a run did cannot be known from this file
        """
        lines = []
        for number, line in enumerate(_lines(self.path / JOURNAL), 1):
            try:
                lines.append(from_json(line))
            except (KeyError, ValueError, TypeError) as error:
                raise Refused("recovery.journal", _no_line(self.path / JOURNAL, number, error)) from error
        return lines

    def decisions(self) -> list[Decision]:
        """Return every decision, oldest first."""
        return [msgspec.convert(line, Decision) for line in _lines(self.path / DECISIONS)]

    def new_decisions(self) -> Callable[[], list[Decision]]:
        """Return what returns the decisions that were added since it was called last; the first time all of them.

        A line that is no decision is passed over and said in the log: others write here, and the run must go on.
        """
        tail = Tail(self.path / DECISIONS)

        def new() -> list[Decision]:
            decisions = []
            for line in tail.new_lines()[0]:
                try:
                    decisions.append(msgspec.json.decode(line, type=Decision))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    _LOG.warning("a line that is no decision was passed over", extra={"why": str(error)})
            return decisions

        return new

    def forecasts(self) -> list[Forecast]:
        """Return every forecast that was published, oldest first."""
        return [msgspec.convert(line, Forecast) for line in _lines(self.path / FORECASTS)]

    def alerts(self) -> list[Alert]:
        """Return every alert that came, oldest first."""
        return [from_line(line) for line in _lines(self.path / ALERTS)]

    def happened(self, line: Happened) -> None:
        """Add a line to the journal; it is on the disk when this returns.

        raises  StoreUnable  the disk refused; the journal is as it was
        """
        _add(self.path / JOURNAL, to_json(line))

    def decide(self, decision: Decision) -> None:
        """Add a decision; whoever holds the run reads it within a second.

        raises  StoreUnable  the disk refused; nothing was decided
        """
        _add(self.path / DECISIONS, msgspec.to_builtins(decision))

    def publish(self, forecast: Forecast) -> None:
        """Keep a forecast that was published.

        raises  StoreUnable  the disk refused
        """
        _add(self.path / FORECASTS, msgspec.to_builtins(forecast))

    def alert(self, alert: Alert) -> None:
        """Keep an alert that a monitoring system sent.

        raises  StoreUnable  the disk refused
        """
        _add(self.path / ALERTS, to_line(alert))

    def take(self, name: str, lines: Sequence[bytes]) -> None:
        """Add lines that another node wrote, as they came and in one write.

        name    JOURNAL, DECISIONS or FORECASTS
        lines   whole, each a JSON object without a line end in it
        raises  StoreUnable  the disk refused; none was added
        """
        assert name in (JOURNAL, DECISIONS, FORECASTS)
        if lines:
            _add_data(self.path / name, b"\n".join(lines) + b"\n")

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the run while the block lasts; yields False when another process holds it, which then goes on."""
        with ExitStack() as lock:
            try:
                is_ours = lock.enter_context(hold(self.path / LOCK))
            except OSError as error:
                raise StoreUnable(
                    "recovery.folder", f"{self.path} cannot be used: {error.strerror}. Nothing was started."
                ) from error
            yield is_ours


def _lines(path: Path) -> list[dict[str, Any]]:
    with suppress(FileNotFoundError):
        data = path.read_bytes()
        whole, _, _ = data.rpartition(b"\n")  # what stands behind the last line end was cut off by a power cut
        lines: list[dict[str, Any]] = []
        for number, line in enumerate(whole.split(b"\n"), 1):
            try:
                lines += [orjson.loads(line)] if line else []
            except orjson.JSONDecodeError as error:
                raise Refused("recovery.line", _no_line(path, number, error)) from error
        return lines
    return []


def _no_line(path: Path, number: int, error: Exception) -> str:
    return (
        f"line {number} of {path} is not what Relève writes there ({error!r}); nothing was done. "
        "Look at that line and put the file aside before you take it out."
    )


def _add(path: Path, value: object) -> None:
    _add_data(path, orjson.dumps(value) + b"\n")


def _add_data(path: Path, lines: bytes) -> None:
    try:
        add_lines(path, lines)
    except OSError as error:
        raise StoreUnable("recovery.unwritten", f"{path} could not take a line: {error.strerror}.") from error
