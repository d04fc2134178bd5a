"""The reception: a message is kept as it came, its sender is answered, and only then is it read.

    door ──▶ arrivals (one write for all that came together, synced) ──▶ AA ──▶ intake ──▶ log ──▶ settled

Bytes are kept before they are understood, so that no fault of understanding can lose them, and a sender waits for the
disk alone. Between its answer and its event lie some milliseconds: messages are read some at a time, because a
processor that has just slept takes half as long again for the first of them. What lay there when the power went is
read again at the next start, before the doors open. While the log takes nothing, whoever sends asks it once more to
take what was accepted before, and is accepted or refused by how that ends.

What another Relève asks to see whether this node is well (NMQ^N01, recovery.probe.mllp) is no fact: it goes the way of
a message as far as the disk, so that its answer means something, and becomes no event.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from releve.clock import Instant, wall_us
from releve.errors import ReleveError, StoreUnable
from releve.log import Arrival, Arrivals, Ledger, Receipt, read_arrivals
from releve.node.intake import Intake, name_event, name_unreadable
from releve.node.waker import Loop, Waker
from releve.recovery.probe.mllp import is_question
from releve.wire.hl7v2 import Message, parse

_log = logging.getLogger(__name__)

#: Larger ones are rare and go straight to the log, which is as quick for them.
ARRIVAL_BYTES_MAX = 65_536
#: While the log takes nothing it is asked again so often.
AGAIN_AFTER_S = 1.0
#: So many of those that wait are tried at once: they fit one commit of the log, which takes all of them or none, and
#: nothing overtakes what was accepted before it.
AGAIN_MAX = 128
#: Messages are read when so many have gathered, or so long after the first of them.
READ_AT_ONCE = 32
READ_WITHIN_S = 0.01

Done = Callable[[object], None]
KEPT = object()


class _Accepted(NamedTuple):
    """A message whose sender was answered, and the record of the arrivals that keeps it."""

    message: Message
    arrival: Arrival
    serial: int


class Reception:
    """Stands between the HL7 v2 door and the intake. Every call comes from one thread.

    charset  of messages that leave theirs open; a message that is read again must be read alike
    """

    def __init__(
        self,
        arrivals: Arrivals,
        intake: Intake,
        loop: Loop,
        *,
        charset: str,
        now: Callable[[], Instant] = wall_us,
    ) -> None:
        self._arrivals = arrivals
        self._intake = intake
        self._charset = charset
        self._soon = loop.call_soon
        self._later = loop.call_later
        self._read_soon = Waker(loop, self._read_all, READ_WITHIN_S)
        self._now = now
        self._arrived: list[tuple[Message, Arrival, Done]] = []
        self._unread: list[_Accepted] = []
        self._failed: list[_Accepted] = []  # accepted, and waiting until the log takes something
        self._refused: list[_Accepted] = []  # of the try that goes on
        self._waiting: list[tuple[Message, str, Done]] = []  # not accepted: the try that goes on decides
        self._owed = 0  # read, and not yet an event of the log
        self._refusal: ReleveError | None = None  # why the log takes nothing, while it does not

    def receive(self, message: Message, peer: str, done: Done) -> None:
        """Keep a message; done hears that it is kept once it is on the disk, or why it was not kept."""
        if self._refusal is not None:
            self._waiting.append((message, peer, done))
            self._try_again()
            return
        if len(message.raw) > ARRIVAL_BYTES_MAX:
            self._intake.receive(message, peer, done)
            return
        remarks = [remark.encode("utf-8", "replace").decode("utf-8") for remark in message.remarks]
        arrival = Arrival(self._now(), peer, message.raw, self._charset, remarks)
        self._arrived.append((message, arrival, done))
        if len(self._arrived) == 1:
            self._soon(self._keep)

    def take_left(self) -> int:
        """Make events of what an earlier life accepted and did not finish; returns how many messages were looked at."""
        left = self._arrivals.left()
        for arrival in left:
            if is_question(arrival.raw):
                continue
            message = parse(arrival.raw, arrival.charset)
            message.remarks[:] = arrival.remarks
            self._read(_Accepted(message, arrival, 0), patient=True)
        return len(left)

    def refusal(self) -> ReleveError | None:
        """Return why the log does not take what was accepted; None while it does."""
        return self._refusal

    def finish(self) -> None:
        """Hand everything that was accepted to the log; for a door that takes nothing more."""
        self._keep()
        self._read_all()

    def _keep(self) -> None:
        """Write what came together, and answer."""
        while self._arrived:
            arrived, self._arrived = self._arrived, []
            try:
                count, serial = self._arrivals.keep([arrival for _, arrival, _ in arrived])
            except StoreUnable as error:
                for _, _, done in arrived:
                    done(error)
                return
            self._arrived = arrived[count:]
            for _, _, done in arrived[:count]:
                done(KEPT)
            self._accept(arrived[:count], serial)

    def _accept(self, arrived: list[tuple[Message, Arrival, Done]], serial: int) -> None:
        """Have what was answered read, once the answers are on their way."""
        facts = [_Accepted(message, arrival, serial) for message, arrival, _ in arrived if not is_question(message.raw)]
        if not (facts or self._owed or self._unread or self._failed):
            self._arrivals.settle(serial)
            return
        if not self._unread:
            self._read_soon(False)
        self._unread += facts  # questions among them or between are settled with the next message
        if len(self._unread) >= READ_AT_ONCE:
            self._read_soon(True)

    def _read_all(self) -> None:
        unread, self._unread = self._unread, []
        if self._refusal is not None:
            self._failed += unread  # behind those that wait already
            return
        for accepted in unread:
            self._read(accepted, patient=True)

    def _read(self, accepted: _Accepted, *, patient: bool) -> None:
        self._owed += 1
        arrival = accepted.arrival

        def done(outcome: Receipt | ReleveError) -> None:
            self._settle(accepted, outcome)

        try:
            self._intake.receive(accepted.message, arrival.peer, done, received_at=arrival.received_at, patient=patient)
        except Exception as error:  # noqa: BLE001 - its sender was answered: one message must not take the others with it
            _log.error(
                "message not understood: our fault", extra={"code": "node.internal", "error": type(error).__name__}
            )
            why = f"node.internal: reading this message failed inside ({type(error).__name__}); it is kept as it came."
            self._intake.unreadable(arrival.raw, arrival.peer, why, done)

    def _settle(self, accepted: _Accepted, outcome: Receipt | ReleveError) -> None:
        self._owed -= 1
        if isinstance(outcome, ReleveError):
            # Its sender was told that it is kept, and so it is: in the arrivals, until the log takes it.
            if self._refusal is None:
                _log.error("log takes nothing: accepted messages wait", extra={"code": outcome.code})
                self._later(AGAIN_AFTER_S, self._look_again)
            self._refusal = outcome
            self._refused.append(accepted)
        elif self._refusal is None:
            # What was accepted becomes events in its order, so every record before this one is in the log.
            self._arrivals.settle(accepted.serial if not self._owed else accepted.serial - 1)
        if not self._owed and self._refusal is not None:
            self._take_stock()

    def _take_stock(self) -> None:
        """After a try: what was refused goes back to its place; when nothing is left, all is as usual."""
        refused, self._refused = self._refused, []
        self._failed = refused + self._failed
        if self._failed and not refused:
            self._soon(self._try_again)  # the log takes again: the next of them
            return
        waiting, self._waiting = self._waiting, []
        if refused:
            for _, _, done in waiting:
                done(self._refusal)
            return
        self._refusal = None
        for message, peer, done in waiting:
            self.receive(message, peer, done)

    def _look_again(self) -> None:
        if self._refusal is not None:
            self._later(AGAIN_AFTER_S, self._look_again)
            self._try_again()

    def _try_again(self) -> None:
        """Read the first of those that wait once more; one try at a time."""
        if self._owed:
            return
        again, self._failed = self._failed[:AGAIN_MAX], self._failed[AGAIN_MAX:]
        for accepted in again:
            self._read(accepted, patient=False)


def unfinished(folder: Path) -> int:
    """Return how many messages were accepted and are not in the log of a node: its next start takes them in."""
    left = [one for one in read_arrivals(folder) if not is_question(one.raw)]
    ledger = Ledger(folder)
    try:
        return sum(
            not ledger.holds(name_event(parse(one.raw, one.charset)))
            and not ledger.holds(name_unreadable(one.peer, one.raw))
            for one in left
        )
    finally:
        ledger.close()
