"""The audit trail: who looked at whose record, when, from where and why. Append-only, chained, beside the log.

One SQLite file of its own, because reading is a thousand times more frequent than writing and belongs to nobody's
history but this node's. One thread writes; pages put an entry into a bounded queue and go on. Nobody waits for the
sync, so the writer gathers for a moment before each commit and leaves the disk to the log, whose syncs people do wait
for: a power cut costs the entries of that moment at most.

The chain: hash = SHA-256(prev_hash ‖ canonical JSON of the entry, keys sorted, no spaces). An entry that was changed or
taken out of the middle breaks it. A tail that was cut off does not: that is seen against a head kept elsewhere.

It knows user ids, resource ids and machine addresses. It refuses to know names, birth dates and the values of searches.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from releve.clock import Instant, wall_us
from releve.errors import StoreUnable, WrongUse
from releve.log.event import FIRST_PREV_HASH

AUDIT_FILE = "audit.db"
SCHEMA_VERSION = 1

#: Entries that may wait for the writer: some minutes of a busy hospital's reading, about 10 MB.
QUEUE_ENTRIES_MAX = 10_000
#: How long a page waits for room in the queue before it is told that the trail cannot be kept.
WAIT_S_MAX = 5.0
#: How long the writer gathers entries before it syncs; what a power cut may cost.
GATHER_S = 0.25
#: At most this many entries in one transaction.
GROUP_ENTRIES_MAX = 1000
#: Pause before the disk is tried again after it refused.
RETRY_S = 2.0
#: A search may touch many patients; above this the entry says how many and names none.
PATIENTS_MAX = 2000
#: Longest text kept of any one field: ids and codes are short, a reason is a sentence.
FIELD_CHARS_MAX = 500

SQL_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?)"
SQL_INSERT_PATIENT = "INSERT OR IGNORE INTO entry_patient VALUES (?, ?)"
SQL_HEAD = "SELECT n, hash FROM entry ORDER BY n DESC LIMIT 1"
SQL_EVERY = "SELECT n, at, content, prev_hash, hash FROM entry WHERE n > ? ORDER BY n LIMIT ?"
SQL_OF_PATIENT = (
    "SELECT e.n, e.at, e.content, e.prev_hash, e.hash FROM entry_patient p JOIN entry e ON e.n = p.n"
    " WHERE p.patient = ? AND p.n < ? ORDER BY p.n DESC LIMIT ?"
)
SQL_LATEST = "SELECT n, at, content, prev_hash, hash FROM entry WHERE n < ? ORDER BY n DESC LIMIT ?"
SQL_AT = "SELECT n, at, content, prev_hash, hash FROM entry WHERE n = ?"
SQL_IS_LISTED = "SELECT 1 FROM entry_patient WHERE patient = ? AND n = ?"

_TABLES = """
CREATE TABLE entry (
  n INTEGER PRIMARY KEY, at INTEGER NOT NULL, content BLOB NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE TABLE entry_patient (patient TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (patient, n)) STRICT, WITHOUT ROWID;
"""

_LAST = 2**62
_CHUNK = 1000
_log = logging.getLogger(__name__)


class AuditEntry(msgspec.Struct, frozen=True, gc=False):
    """One line of the trail.

    n            its number; gapless from 1
    at           when, microseconds since 1970
    who          user id or token label; "" for nobody known
    role         "nurse", "doctor", "system"…
    action       "read", "search", "history", "login", "export", "break-glass"…
    query        names of the search parameters used, never their values
    patient_ids  the patients whose data was shown
    patients     how many they were; more than len(patient_ids) when they were too many to name
    outcome      "done", "refused", "failed"
    peer         address of the machine that asked
    """

    n: int
    at: Instant
    who: str
    role: str
    action: str
    resource_type: str
    resource_id: str
    query: str
    patient_ids: tuple[str, ...]
    patients: int
    reason: str
    outcome: str
    peer: str


class AuditHead(msgspec.Struct, frozen=True, gc=False):
    """Number and hash of an entry: kept elsewhere, it proves later that nothing up to it was cut off."""

    n: int
    hash: bytes


class _Content(msgspec.Struct, frozen=True, gc=False):
    """What is hashed beside number and time."""

    who: str
    role: str
    action: str
    resource_type: str
    resource_id: str
    query: str
    patient_ids: tuple[str, ...]
    patients: int
    reason: str
    outcome: str
    peer: str


_content_decoder = msgspec.json.Decoder(_Content)


class _Flush:
    """A mark in the queue: whoever put it there waits until everything before it is on the disk."""

    def __init__(self) -> None:
        self.done = threading.Event()


_Waiting = tuple[Instant, _Content]


class AuditTrail:
    """The audit trail of one node; one object in one process writes it.

    folder  the node's folder; audit.db (0600) is made when it is not there
    now     microseconds since 1970; passed in so that tests own the time

    raises  WrongUse     the file is no audit trail, or of another version
    raises  StoreUnable  the folder cannot be written
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], Instant] = wall_us,
        *,
        gather_s: float = GATHER_S,
        retry_s: float = RETRY_S,
        wait_s_max: float = WAIT_S_MAX,
        queue_entries_max: int = QUEUE_ENTRIES_MAX,
    ) -> None:
        self._path = folder / AUDIT_FILE
        self._now = now
        self._gather_s, self._retry_s, self._wait_s_max = gather_s, retry_s, wait_s_max
        self._db = _open_for_writing(self._path)
        head = self._db.execute(SQL_HEAD).fetchone()
        self._head = AuditHead(*head) if head else AuditHead(0, FIRST_PREV_HASH)
        self._queue: queue.Queue[_Waiting | _Flush] = queue.Queue(queue_entries_max)
        self._closing = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._write_groups, name="audit-writer", daemon=True)
        self._thread.start()

    def record(
        self,
        who: str,
        role: str,
        action: str,
        resource_type: str = "",
        resource_id: str = "",
        patient_id: str = "",
        reason: str = "",
        outcome: str = "done",
        peer: str = "",
        *,
        patient_ids: Sequence[str] = (),
        query: str = "",
    ) -> None:
        """Put an entry on its way to the disk and return at once; wait only when the queue is full.

        patient_id   the one patient it is about; patient_ids when there are several
        query        names of search parameters, no values

        raises  StoreUnable  the queue was full for WAIT_S_MAX: show nothing that was not audited
        """
        assert not self._closing.is_set(), "the trail is closed"
        named = tuple(dict.fromkeys(_cut(part) for part in (patient_id, *patient_ids) if part))
        content = _Content(
            who=_cut(who),
            role=_cut(role),
            action=_cut(action),
            resource_type=_cut(resource_type),
            resource_id=_cut(resource_id),
            query=_cut(query),
            patient_ids=named if len(named) <= PATIENTS_MAX else (),
            patients=len(named),
            reason=_cut(reason),
            outcome=_cut(outcome),
            peer=_cut(peer),
        )
        try:
            self._queue.put((self._now(), content), timeout=self._wait_s_max)
        except queue.Full:
            raise StoreUnable(
                "audit.full",
                f"The audit trail {self._path.name} cannot be written and {self._queue.maxsize} entries wait for it; "
                "this read was not done. Look at the disk of this node.",
            ) from None

    def flush(self, timeout_s: float = 30.0) -> None:
        """Return when everything recorded so far is on the disk.

        raises  StoreUnable  it was not within timeout_s
        """
        mark = _Flush()
        self._hurry.set()
        with contextlib.suppress(queue.Full):  # then the mark is never done, and the wait says so
            self._queue.put(mark, timeout=timeout_s)
        if not mark.done.wait(timeout_s):
            raise StoreUnable("audit.unwritable", f"The audit trail {self._path.name} could not be written in time.")

    def close(self) -> None:
        """Write what waits, then stop; what the disk still refuses is counted in the log and given up."""
        self._closing.set()
        self._hurry.set()
        with contextlib.suppress(queue.Full):  # a full queue wakes the writer as well
            self._queue.put_nowait(_Flush())
        self._thread.join()
        self._db.close()

    def head(self) -> AuditHead:
        """Return the last entry on the disk, to be kept where whoever can cut this file cannot reach."""
        return self._head

    def reads_of(self, *patient_ids: str, before: int = _LAST, limit: int = 500) -> list[AuditEntry]:
        """Return who saw a person's record, newest first; give every id the person ever had.

        before  number of an entry: only older ones, to turn the page
        """
        return reads_of(self._path.parent, *patient_ids, before=before, limit=limit)

    def entry_at(self, n: int) -> AuditEntry | None:
        """Return one entry by its number."""
        return entry_at(self._path.parent, n)

    def verify(self, heads: Sequence[AuditHead] = ()) -> list[str]:
        """Return what is wrong with the trail, a sentence each; nothing when it holds. Waits for what is queued."""
        self.flush()
        return verify_audit(self._path.parent, heads)

    # The writer's thread

    def _write_groups(self) -> None:
        while True:
            first = self._queue.get()
            if not isinstance(first, _Flush):
                self._hurry.wait(self._gather_s)
            self._hurry.clear()
            group: list[_Waiting] = []
            marks: list[_Flush] = []
            item: _Waiting | _Flush | None = first
            while item is not None:
                if isinstance(item, _Flush):
                    marks.append(item)
                else:
                    group.append(item)
                if len(group) == GROUP_ENTRIES_MAX:
                    break
                item = self._next()
            kept = self._commit_at_last(group)
            for mark in marks if kept else ():
                mark.done.set()
            if self._closing.is_set() and (not kept or self._queue.empty()):
                return

    def _next(self) -> _Waiting | _Flush | None:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def _commit_at_last(self, group: list[_Waiting]) -> bool:
        """Commit a group, trying again while the disk refuses; False when closing came first."""
        is_told = False
        while group:
            try:
                self._commit(group)
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if not is_told:
                    _log.error("audit group refused by the disk", extra={"entries": len(group), "reason": str(error)})
                    is_told = True
                if self._closing.is_set():
                    _log.error("audit entries given up", extra={"entries": len(group) + self._queue.qsize()})
                    return False
                self._closing.wait(self._retry_s)
            else:
                return True
        return True

    def _commit(self, group: list[_Waiting]) -> None:
        n, before = self._head.n, self._head.hash
        entries: list[tuple[int, int, bytes, bytes, bytes]] = []
        patients: list[tuple[str, int]] = []
        for at, content in group:
            n += 1
            encoded = _canonical(content)
            digest = _entry_hash(before, n, at, encoded)
            entries.append((n, at, encoded, before, digest))
            patients.extend((patient, n) for patient in content.patient_ids)
            before = digest
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(SQL_INSERT, entries)
        self._db.executemany(SQL_INSERT_PATIENT, patients)
        self._db.execute("COMMIT")
        self._head = AuditHead(n, before)


def reads_of(folder: Path, *patient_ids: str, before: int = _LAST, limit: int = 500) -> list[AuditEntry]:
    """Return who saw a person's record, newest first, from the file; safe beside its writer."""
    with _reading(folder / AUDIT_FILE) as db:
        found: dict[int, AuditEntry] = {}
        for patient in dict.fromkeys(patient_ids):
            for row in db.execute(SQL_OF_PATIENT, (patient, before, limit)):
                found[row[0]] = _entry(*row[:3])
    return sorted(found.values(), key=lambda entry: -entry.n)[:limit]


def latest_entries(folder: Path, *, before: int = _LAST, limit: int = 500) -> list[AuditEntry]:
    """Return the newest entries of all patients, newest first."""
    with _reading(folder / AUDIT_FILE) as db:
        return [_entry(*row[:3]) for row in db.execute(SQL_LATEST, (before, limit))]


def entry_at(folder: Path, n: int) -> AuditEntry | None:
    """Return one entry by its number."""
    with _reading(folder / AUDIT_FILE) as db:
        row = db.execute(SQL_AT, (n,)).fetchone()
    return _entry(*row[:3]) if row else None


def verify_audit(folder: Path, heads: Sequence[AuditHead] = ()) -> list[str]:
    """Return what is wrong with an audit trail, a sentence each; nothing when it holds.

    heads  entries known from elsewhere: each must still be there, unchanged
    """
    wrong: list[str] = []
    known = {head.n: head.hash for head in heads}
    n, before = 0, FIRST_PREV_HASH
    with _reading(folder / AUDIT_FILE) as db:
        while rows := db.execute(SQL_EVERY, (n, _CHUNK)).fetchall():
            wrong += _verify_patients(db, rows)
            for number, at, content, prev_hash, digest in rows:
                if number != n + 1:
                    wrong.append(f"Audit entries {n + 1} to {number - 1} are missing.")
                if prev_hash != before and number == n + 1:
                    wrong.append(f"Audit entry {number} does not follow the one before it.")
                if _entry_hash(prev_hash, number, at, content) != digest:
                    wrong.append(f"Audit entry {number} was changed: its hash is another.")
                if known.pop(number, digest) != digest:
                    wrong.append(f"Audit entry {number} is not the one that was there when its head was kept.")
                n, before = number, digest
    wrong += [f"Audit entry {number} is missing: the trail was cut after entry {n}." for number in sorted(known)]
    return wrong


def _verify_patients(db: sqlite3.Connection, rows: list[tuple[int, int, bytes, bytes, bytes]]) -> list[str]:
    """Compare the index by patient with the entries it was made of."""
    wrong = []
    for number, _, content, _, _ in rows:
        try:
            named = _content_decoder.decode(content).patient_ids
        except msgspec.DecodeError:
            wrong.append(f"Audit entry {number} cannot be read.")
            continue
        for patient in named:
            if not db.execute(SQL_IS_LISTED, (patient, number)).fetchone():
                wrong.append(f"Audit entry {number} is not listed under every patient it names.")
                break
    return wrong


def _canonical(content: _Content) -> bytes:
    return json.dumps(
        msgspec.structs.asdict(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def _entry_hash(prev_hash: bytes, n: int, at: int, content: bytes) -> bytes:
    return sha256(prev_hash + b"%d %d " % (n, at) + content).digest()


def _entry(n: int, at: int, content: bytes) -> AuditEntry:
    return AuditEntry(n, at, *msgspec.structs.astuple(_content_decoder.decode(content)))


def _cut(text: str) -> str:
    """Keep a field short and free of what UTF-8 or a reader's terminal cannot hold."""
    plain = text[:FIELD_CHARS_MAX].encode("utf-8", "replace").decode()
    return plain if plain.isprintable() else "".join(mark if mark.isprintable() else " " for mark in plain)


def _open_for_writing(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
            version = SCHEMA_VERSION
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise WrongUse("audit.not-a-trail", f"{path} is no audit trail: it is no SQLite file.") from error
        raise StoreUnable("audit.unwritable", f"The audit trail {path} cannot be used: {error}.") from error
    except OSError as error:
        raise StoreUnable("audit.unwritable", f"The audit trail {path} cannot be written: {error.strerror}.") from error
    if version != SCHEMA_VERSION:
        db.close()
        raise WrongUse(
            "audit.other-version",
            f"{path} is an audit trail of version {version}; this program writes version {SCHEMA_VERSION}.",
        )
    return db


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise WrongUse("audit.missing", f"There is no audit trail at {path}; a node makes it at its first start.")
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    try:
        db.execute("PRAGMA query_only=1")
        yield db
    finally:
        db.close()
