"""Writing the log: one thread, a queue, group commit without linger.

While one commit waits for the disk the next group gathers itself in the queue, so a lone sender waits for one sync and
sixteen senders share one. Nothing is acknowledged before its group is synced. If the disk refuses, the whole group is
undone, every member is told, and the next group is tried as if nothing had been.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from releve.clock import HybridClock, Instant, wall_us
from releve.errors import PeerError, ReleveError, StoreUnable
from releve.log.event import FIRST_PREV_HASH, GROUP, SITE, Draft, Event, Receipt, event_hash
from releve.log.ledger import is_full
from releve.log.schema import LOG_FILE, open_for_writing

#: At most this many events in one transaction: a longer group would make its first member wait for its last. Only the
#: last is signed: another hospital believes no longer stretch without a signature (replica.pull).
GROUP_EVENTS_MAX = 256

#: What is patient is committed after this time, or when so much of it has gathered: each commit has a sync and a
#: signature of its own, whatever its size. The views look for what is new twice as rarely. What comes between the call
#: for a commit and the commit still has room in its group.
COMMIT_WITHIN_S = 0.05
PATIENT_EVENTS_MAX = 224

#: Rows of one statement: a lone event needs no other statement around it, and a long text costs more than it saves.
_ROWS_AT_ONCE = 8

Outcome = Receipt | ReleveError
Done = Callable[[Outcome], None]

SQL_BY_IDS = "SELECT event_id, pos, seq FROM event WHERE origin = ? AND event_id IN"
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MORE_ROWS = f", {_ROW}"
SQL_INSERT = f"INSERT INTO event VALUES {_ROW}"  # noqa: S608 - a constant
SQL_LAST_HLC = "SELECT hlc FROM event WHERE origin = ? AND epoch = ? AND channel = ? ORDER BY seq DESC LIMIT 1"
SQL_BLOB = "INSERT OR IGNORE INTO blob VALUES (?, ?)"
SQL_KNOW = "INSERT OR IGNORE INTO origin VALUES (?, ?, ?)"

_log = logging.getLogger(__name__)


class _Remote(msgspec.Struct, frozen=True):
    """Events of another origin, consecutive in one channel, with the key that must have signed them."""

    events: Sequence[Event]
    public_key: bytes


class _Head(msgspec.Struct):
    seq: int
    hash: bytes


_Item = tuple[Draft | _Remote, Done]
# pos, origin, epoch, channel, seq, hlc, recorded_at, kind, event_id, body, prev_hash, hash
_Row = tuple[int, str, int, str, int, int, int, str, bytes, bytes, bytes, bytes]


class Log:
    """The one writer of a node's log.

    folder  the node's folder; the file is made when it is not there
    origin  the id this node writes under
    key     signs each group; its public half is kept beside the origin's name
    epoch   grows when a node that lost its disk cannot get its own history back

    raises  WrongUse, StoreUnable   see schema.open_for_writing; StoreUnable also when the disk fills up at the start
    """

    def __init__(
        self,
        folder: Path,
        origin: str,
        key: Ed25519PrivateKey,
        *,
        epoch: int = 1,
        now: Callable[[], Instant] = wall_us,
    ) -> None:
        self.origin = origin
        self.epoch = epoch
        self._key = key
        self._now = now
        self._db = open_for_writing(folder / LOG_FILE)
        self._pos: int = self._db.execute("SELECT coalesce(max(pos), 0) FROM event").fetchone()[0]
        self._clock = HybridClock(now, _last_hlc(self._db))
        self._heads: dict[tuple[str, int, str], _Head] = {}
        self._keys: dict[str, bytes] = dict(self._db.execute("SELECT origin, public_key FROM origin"))
        try:
            self._know(origin, key.public_key().public_bytes_raw())
        except sqlite3.OperationalError as error:
            raise _unable(error) from error
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._wake: Callable[[bool], None] | None = None
        self._is_woken = False
        self._is_awaited = False  # a commit comes in a while, for what is patient
        self._thread = threading.Thread(target=self._write_groups, name="log-writer", daemon=True)
        self._thread.start()

    def hand_over(self, wake: Callable[[bool], None]) -> None:
        """Let the calling thread be the one writer from now on; the log's own thread ends.

        A process that does nothing but take in and keep is faster so: no event waits for another thread's turn, and
        everything that arrived in one round of its loop is one group. Every later call must come from this thread.

        wake  called when something waits: with True, has commit_waiting called once the arrivals at hand are queued;
              with False, after COMMIT_WITHIN_S
        """
        self._queue.put(None)
        self._thread.join()
        self._wake = wake

    def commit_waiting(self) -> None:
        """Write what waits, at most one group; for whom hand_over made the writer."""
        assert self._wake is not None, "the log has a writer of its own"
        self._is_woken = self._is_awaited = False
        group: list[_Item] = []
        while len(group) < GROUP_EVENTS_MAX and not self._queue.empty():
            item = self._queue.get()
            assert item is not None, "only a log with its own thread is told to stop by its queue"
            group.append(item)
        if group:
            self._commit(group)
        if not self._queue.empty():
            self._ask_to_be_woken()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be written."""
        return self._queue.empty()

    def append(self, draft: Draft, done: Done, *, patient: bool = False) -> None:
        """Keep an event; done is called once, by the writer, after the sync or with the reason why not.

        patient  nobody waits for it: it is kept elsewhere until it is here, and may wait some milliseconds for company
        """
        self._put(draft, done, patient=patient)

    def append_now(self, draft: Draft) -> Receipt:
        """Keep an event and return its receipt, waiting for the sync.

        raises  StoreUnable  the disk refused; nothing was kept
        """
        return self._wait(draft)

    def append_remote(self, events: Sequence[Event], public_key: bytes, done: Done) -> None:
        """Keep consecutive events of another origin's channel, or none of them.

        Those already held are passed over. The outcome is the receipt of the last one, or PeerError: a gap, a broken
        chain, a missing or wrong signature, or a key other than the one known of that origin.
        """
        self._put(_Remote(events, public_key), done)

    def append_remote_now(self, events: Sequence[Event], public_key: bytes) -> Receipt:
        """Like append_remote, waiting for the sync.

        raises  PeerError, StoreUnable
        """
        return self._wait(_Remote(events, public_key))

    def close(self) -> None:
        """Write what is queued, then stop."""
        if self._wake is None:
            self._queue.put(None)
            self._thread.join()
        while not self._queue.empty():
            self.commit_waiting()
        self._db.close()

    def _put(self, item: Draft | _Remote, done: Done, *, patient: bool = False) -> None:
        self._queue.put((item, done))
        if self._wake is None or self._is_woken:
            return
        if not patient or self._queue.qsize() >= PATIENT_EVENTS_MAX:
            self._ask_to_be_woken()
        elif not self._is_awaited:
            self._is_awaited = True
            self._wake(False)

    def _ask_to_be_woken(self) -> None:
        self._is_woken = True
        assert self._wake is not None, "nobody to wake"
        self._wake(True)

    def _wait(self, item: Draft | _Remote) -> Receipt:
        assert self._wake is None, "whoever writes cannot wait for the writer"
        future: Future[Outcome] = Future()
        self._queue.put((item, future.set_result))
        outcome = future.result()
        if isinstance(outcome, ReleveError):
            raise outcome
        return outcome

    # The writer's thread

    def _write_groups(self) -> None:
        get, get_now = self._queue.get, self._queue.get_nowait
        stopping = False
        while not stopping:
            item = get()
            group: list[_Item] = []
            while item is not None:
                group.append(item)
                if len(group) == GROUP_EVENTS_MAX:
                    break
                try:
                    item = get_now()
                except Empty:
                    break
            else:
                stopping = True
            if group:
                self._commit(group)

    def _commit(self, group: list[_Item]) -> None:
        pos, hlc = self._pos, self._clock.last
        try:
            outcomes = self._write(group)
        except sqlite3.Error as error:
            self._undo(pos, hlc)
            refusal = _unable(error)
            _log.error("group refused by the disk", extra={"code": refusal.code, "events": len(group)})
            outcomes = [refusal] * len(group)
        except Exception as error:  # noqa: BLE001 - whatever it was, a place given to an event that is not kept is a gap
            self._undo(pos, hlc)
            refusal = StoreUnable(
                "log.internal", f"This node could not keep the event ({type(error).__name__}); nothing was kept."
            )
            _log.exception("group undone: our fault", extra={"code": refusal.code, "events": len(group)})
            outcomes = [refusal] * len(group)
        for (_, done), outcome in zip(group, outcomes, strict=True):
            done(outcome)

    def _undo(self, pos: int, hlc: int) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._pos, self._clock.last = pos, hlc
        self._heads.clear()
        self._keys = dict(self._db.execute("SELECT origin, public_key FROM origin"))

    def _write(self, group: list[_Item]) -> list[Outcome]:
        """Write a group in one transaction; returns an outcome for each member once the disk has them all."""
        if all(isinstance(item, Draft) and not item.blobs for item, _ in group):
            return self._write_drafts(group)
        self._db.execute("BEGIN IMMEDIATE")
        rows: list[_Row] = []
        seen = self._known([item.event_id for item, _ in group if isinstance(item, Draft)])
        outcomes: list[Outcome] = []
        for item, _ in group:
            if isinstance(item, Draft):
                outcomes.append(self._place(item, rows, seen))
                if item.blobs:
                    self._db.executemany(SQL_BLOB, item.blobs)
            else:
                self._insert(rows)
                rows = []
                outcomes.append(self._take(item))
        self._insert(rows)
        self._db.execute("COMMIT")
        return outcomes

    def _write_drafts(self, group: list[_Item]) -> list[Outcome]:
        """Write the way of nearly every group: one question for what is known, and the rows."""
        drafts = [item for item, _ in group if isinstance(item, Draft)]
        seen = self._known([draft.event_id for draft in drafts])
        rows: list[_Row] = []
        outcomes: list[Outcome] = [self._place(draft, rows, seen) for draft in drafts]
        self._insert(rows)
        return outcomes

    def _known(self, event_ids: list[bytes]) -> dict[bytes, Receipt]:
        """Return the receipts of those facts of this node that were kept before."""
        if not event_ids:
            return {}
        marks = ",".join("?" * len(event_ids))
        rows = self._db.execute(f"{SQL_BY_IDS} ({marks})", (self.origin, *event_ids))
        return {event_id: Receipt(pos, seq, True) for event_id, pos, seq in rows}

    def _place(self, draft: Draft, rows: list[_Row], seen: dict[bytes, Receipt]) -> Receipt:
        """Give a draft its place in this node's history; its row is added to rows."""
        known = seen.get(draft.event_id)
        if known is not None:
            return Receipt(known.pos, known.seq, True)
        head = self._head(self.origin, self.epoch, draft.channel)
        hlc, recorded_at = self._clock.tick(), self._now()
        seq = head.seq + 1
        digest = event_hash(
            head.hash,
            self.origin,
            self.epoch,
            draft.channel,
            seq,
            hlc,
            recorded_at,
            draft.kind,
            draft.event_id,
            draft.body,
        )
        self._pos += 1
        rows.append(
            (
                self._pos,
                self.origin,
                self.epoch,
                draft.channel,
                seq,
                hlc,
                recorded_at,
                draft.kind,
                draft.event_id,
                draft.body,
                head.hash,
                digest,
            )
        )
        head.seq, head.hash = seq, digest
        receipt = seen[draft.event_id] = Receipt(self._pos, seq, False)
        return receipt

    def _insert(self, rows: list[_Row]) -> None:
        """Insert this node's own rows, the last of each channel signed, in the transaction at hand or one of theirs."""
        if not rows:
            return
        last = {row[3]: index for index, row in enumerate(rows)}
        signed = [(*row, self._key.sign(row[11]) if last[row[3]] == n else b"") for n, row in enumerate(rows)]
        if len(rows) <= _ROWS_AT_ONCE:
            values = [value for row in signed for value in row]
            self._db.execute(f"{SQL_INSERT}{_MORE_ROWS * (len(rows) - 1)}", values)
            return
        is_own = not self._db.in_transaction
        if is_own:
            self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(SQL_INSERT, signed)
        if is_own:
            self._db.execute("COMMIT")

    def _take(self, remote: _Remote) -> Outcome:
        """Keep another origin's events if their chain and signature hold."""
        events = remote.events
        assert events, "an empty remote append"
        first = events[0]
        head = self._head(first.origin, first.epoch, first.channel)
        refusal = _doubt(events, remote.public_key, self._keys.get(first.origin), head)
        if refusal is not None:
            return refusal
        new = [event for event in events if event.seq > head.seq]
        if first.origin not in self._keys:
            self._know(first.origin, remote.public_key)
        rows = [(self._pos + n, *msgspec.structs.astuple(event)[:-1]) for n, event in enumerate(new, 1)]
        self._db.execute("SAVEPOINT remote")  # what another origin did wrong must not undo our own events beside it
        try:
            self._db.executemany(SQL_INSERT, rows)
        except sqlite3.IntegrityError:
            self._db.execute("ROLLBACK TO remote")
            self._db.execute("RELEASE remote")
            name = f"{first.origin}/{first.epoch}/{first.channel}"
            return PeerError("log.doubled", f"{name}: an event's id is held under another number. None was kept.")
        self._db.execute("RELEASE remote")
        self._pos += len(new)
        if new:
            head.seq, head.hash = new[-1].seq, new[-1].hash
            self._clock.hear(max(event.hlc for event in new))
        return Receipt(self._pos, head.seq, not new)

    def _head(self, origin: str, epoch: int, channel: str) -> _Head:
        head = self._heads.get((origin, epoch, channel))
        if head is None:
            row = self._db.execute(
                "SELECT seq, hash FROM event WHERE origin = ? AND epoch = ? AND channel = ? ORDER BY seq DESC LIMIT 1",
                (origin, epoch, channel),
            ).fetchone()
            head = self._heads[origin, epoch, channel] = _Head(*row) if row else _Head(0, FIRST_PREV_HASH)
        return head

    def _know(self, origin: str, public_key: bytes) -> None:
        self._db.execute(SQL_KNOW, (origin, public_key, self._now()))
        self._keys.setdefault(origin, public_key)


def _last_hlc(db: sqlite3.Connection) -> int:
    """Return the largest hybrid time of the log: each origin's times grow, so its last events have it.

    Asking for the maximum of all events would read a log of years whole, at every start.
    """
    last = 0
    for (origin,) in db.execute("SELECT origin FROM origin").fetchall():
        epoch = db.execute("SELECT max(epoch) FROM event WHERE origin = ?", (origin,)).fetchone()[0]
        for channel in (GROUP, SITE):
            row = db.execute(SQL_LAST_HLC, (origin, epoch, channel)).fetchone()
            last = max(last, row[0]) if row else last
    return last


def _doubt(events: Sequence[Event], public_key: bytes, known_key: bytes | None, head: _Head) -> PeerError | None:
    """Return why another origin's events cannot be believed, or None."""
    first, last = events[0], events[-1]
    name = f"{first.origin}/{first.epoch}/{first.channel}"
    if known_key is not None and known_key != public_key:
        return PeerError("log.other-key", f"{name} is signed by a key other than the one known of {first.origin}.")
    if first.seq > head.seq + 1:
        return PeerError("log.gap", f"{name}: event {first.seq} came where {head.seq + 1} was expected. None was kept.")
    before = first.prev_hash if first.seq <= head.seq else head.hash
    for number, event in enumerate(events, first.seq):
        if (event.origin, event.epoch, event.channel) != (first.origin, first.epoch, first.channel):
            return PeerError("log.mixed", f"{name}: an event of another channel came among them. None was kept.")
        if event.seq != number or event.prev_hash != before:
            return PeerError("log.chain", f"{name}: event {event.seq} does not follow the one before. None was kept.")
        if event.seq == head.seq and event.hash != head.hash:
            return PeerError("log.fork", f"{name}: event {event.seq} is not the one held here: two histories.")
        before = event.hash
    if not last.signature:
        return PeerError("log.unsigned", f"{name}: event {last.seq} ends the batch and is not signed. None was kept.")
    for event in events:
        if event.signature:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(event.signature, event.hash)
            except InvalidSignature:
                return PeerError("log.signature", f"{name}: event {event.seq} bears a false signature. None was kept.")
    return None


def _unable(error: sqlite3.Error) -> StoreUnable:
    if is_full(error):
        return StoreUnable(
            "log.disk-full", "The disk of this node is full; nothing was kept. Free space, then send again."
        )
    return StoreUnable("log.unwritable", f"The log of this node cannot be written ({error}); the event was not kept.")
