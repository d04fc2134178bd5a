"""The log through the calamities it is for: cuts, full disks, crowds of writers, lies from other nodes."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.errors import PeerError, ReleveError, StoreUnable, WrongUse
from releve.ids import content_id
from releve.log import GROUP, SITE, Body, Draft, Event, Ledger, Log, Receipt, decode_body, encode_body, verify_log
from releve.log.event import decode_event, encode_event
from releve.log.schema import LOG_FILE
from releve.log.writer import PATIENT_EVENTS_MAX, Outcome

NOW = 1_722_668_400_000_000


def draft(text: str, channel: str = GROUP) -> Draft:
    return Draft(channel, "note", content_id(text.encode()), encode_body(Body({"door": "test"}, text.encode())))


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def log(tmp_path: Path, key: Ed25519PrivateKey) -> Iterator[Log]:
    made = Log(tmp_path, "H01", key)
    yield made
    made.close()


def read(folder: Path) -> list[Event]:
    ledger = Ledger(folder)
    try:
        return list(ledger.every(chunk=7))
    finally:
        ledger.close()


def together(log: Log, drafts: list[Draft]) -> list[Outcome]:
    """Append from one thread without waiting in between, then wait for all."""
    futures: list[Future[Outcome]] = [Future() for _ in drafts]
    for one, future in zip(drafts, futures, strict=True):
        log.append(one, future.set_result)
    return [future.result(30) for future in futures]


def test_what_was_appended_is_read_in_order_and_whole(log: Log, tmp_path: Path) -> None:
    receipts = [log.append_now(draft(f"note {n}", SITE if n % 2 else GROUP)) for n in range(20)]
    assert [receipt.pos for receipt in receipts] == list(range(1, 21))
    assert [receipt.seq for receipt in receipts] == [n // 2 + 1 for n in range(20)]
    events = read(tmp_path)
    assert [decode_body(event.body).raw.decode() for event in events] == [f"note {n}" for n in range(20)]
    assert [event.hlc for event in events] == sorted({event.hlc for event in events})
    assert verify_log(tmp_path).is_clean


def test_a_fact_that_comes_again_changes_nothing_even_after_a_restart(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = Log(tmp_path, "H01", key)
    first = log.append_now(draft("once"))
    assert together(log, [draft("once"), draft("twice"), draft("twice")]) == [
        Receipt(first.pos, first.seq, True),
        Receipt(2, 2, False),
        Receipt(2, 2, True),
    ]
    log.close()
    again = Log(tmp_path, "H01", key)
    assert again.append_now(draft("once")) == Receipt(first.pos, first.seq, True)
    assert again.append_now(draft("new")).seq == 3
    again.close()
    assert verify_log(tmp_path).is_clean


def test_sixteen_writers_at_once_get_every_number_once(log: Log, tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    lock = threading.Lock()

    def write(writer: int) -> None:
        mine = [log.append_now(draft(f"{writer}/{n}")) for n in range(25)]
        with lock:
            receipts.extend(mine)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt.seq for receipt in receipts) == list(range(1, 401))
    findings = verify_log(tmp_path)
    assert (findings.is_clean, findings.checked) == (True, 400)


def test_writers_that_wait_together_share_a_sync_and_its_signature(log: Log, tmp_path: Path) -> None:
    together(log, [draft(f"{n}") for n in range(300)])
    events = read(tmp_path)
    signed = [event.seq for event in events if event.signature]
    assert signed[-1] == 300
    assert len(signed) < 300
    assert verify_log(tmp_path).is_clean


def test_a_clock_that_jumps_back_does_not_turn_the_order(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    times = itertools.cycle([NOW, NOW - 86_400_000_000, NOW + 5_000_000, 0])
    log = Log(tmp_path, "H01", key, now=lambda: next(times))
    for n in range(12):
        log.append_now(draft(f"{n}"))
    log.close()
    stamps = [event.hlc for event in read(tmp_path)]
    assert stamps == sorted(set(stamps))


def test_a_blob_is_kept_with_its_event_and_read_by_its_hash(log: Log, tmp_path: Path) -> None:
    digest = content_id(b"x") * 2
    log.append_now(Draft(SITE, "hl7v2", b"1" * 16, encode_body(Body(raw_sha256=digest)), ((digest, b"large"),)))
    ledger = Ledger(tmp_path)
    assert (ledger.blob(digest), ledger.blob(b"none")) == (b"large", None)
    ledger.close()
    assert [one.code for one in verify_log(tmp_path).found] == ["log.blob"]  # the hash above is a lie


# Disks


def test_a_log_cut_at_any_byte_of_its_journal_holds_whole_groups_only(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    folder = tmp_path / "node"
    log = Log(folder, "H01", key)
    ends = [0]
    for size in (1, 3, 1, 5, 2):
        together(log, [draft(f"{ends[-1]}/{n}") for n in range(size)])
        ends.append(ends[-1] + size)
    database, journal = (folder / LOG_FILE).read_bytes(), (folder / f"{LOG_FILE}-wal").read_bytes()
    boundaries = {event.seq for event in read(folder) if event.signature} | {0}
    log.close()
    seen = set()
    cut = tmp_path / "cut"
    coarse, fine = (61, 1) if os.environ.get("RELEVE_TORTURE") else (307, 101)  # primes, so that cuts fall anywhere
    last_commit = len(journal) - 4200  # a frame holds a page of 4,096 bytes and 24 of its own
    for length in (*range(0, last_commit, coarse), *range(last_commit, len(journal), fine), len(journal)):
        shutil.rmtree(cut, ignore_errors=True)
        cut.mkdir()
        (cut / LOG_FILE).write_bytes(database)
        (cut / f"{LOG_FILE}-wal").write_bytes(journal[:length])
        db = sqlite3.connect(cut / LOG_FILE)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        held = [row[0] for row in db.execute("SELECT seq FROM event ORDER BY seq")] if version else []
        db.close()
        assert held == list(range(1, len(held) + 1))
        assert len(held) in boundaries
        seen.add(len(held))
        if version and len(held) % 4 == 0:
            assert verify_log(cut).is_clean
    assert {0, ends[-1]} <= seen


def test_a_cut_log_goes_on_where_its_last_whole_group_ended(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    folder = tmp_path / "node"
    log = Log(folder, "H01", key)
    for n in range(6):
        log.append_now(draft(f"{n}"))
    database, journal = (folder / LOG_FILE).read_bytes(), (folder / f"{LOG_FILE}-wal").read_bytes()
    log.close()
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / LOG_FILE).write_bytes(database)
    (cut / f"{LOG_FILE}-wal").write_bytes(journal[:-100])
    again = Log(cut, "H01", key)
    assert again.append_now(draft("5")).seq == 6
    again.close()
    assert verify_log(cut).is_clean


class Failing:
    """A connection whose n-th statement that writes fails as the disk would make it fail."""

    def __init__(self, db: sqlite3.Connection, nth: int) -> None:
        self._db = db
        self.left = nth

    def _count(self, sql: str) -> None:
        if sql.startswith(("BEGIN", "INSERT", "COMMIT", "SAVEPOINT", "RELEASE")):
            self.left -= 1
            if self.left == 0:
                raise sqlite3.OperationalError("disk I/O error")

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._count(sql)
        return self._db.execute(sql, *values)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._count(sql)
        return self._db.executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        self._db.close()


@pytest.mark.parametrize("nth", range(1, 13))
def test_whichever_write_fails_nothing_is_kept_of_what_was_refused(
    tmp_path: Path, key: Ed25519PrivateKey, nth: int
) -> None:
    log = Log(tmp_path, "H01", key)
    log.append_now(draft("before"))
    failing = Failing(log._db, nth)
    log._db = failing  # type: ignore[assignment]  # stands in for a disk that fails at its n-th write
    kept = ["before"]
    refused: list[str] = []
    for n in range(12):
        text = f"note {n}"
        try:
            log.append_now(draft(text))
            kept.append(text)
        except StoreUnable as error:
            refused.append(error.code)
    assert refused == ["log.unwritable"]
    assert log.append_now(draft("after")).seq == len(kept) + 1
    log.close()
    assert [decode_body(event.body).raw.decode() for event in read(tmp_path)] == [*kept, "after"]
    assert verify_log(tmp_path).is_clean


def test_a_full_disk_refuses_the_whole_group_with_a_sentence_and_the_log_goes_on(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    log = Log(tmp_path, "H01", key)
    log.append_now(draft("small"))
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages + 4}")
    noise = [random.Random(n).randbytes(30_000).hex() for n in range(8)]  # what does not compress
    outcomes = together(log, [draft(text) for text in noise])
    refusals = [one for one in outcomes if isinstance(one, StoreUnable)]
    assert refusals
    assert {one.code for one in refusals} == {"log.disk-full"}
    assert "nothing was kept" in refusals[0].sentence
    log._db.execute("PRAGMA max_page_count = 1000000")
    receipts = [one for one in together(log, [draft(text) for text in noise]) if isinstance(one, Receipt)]
    assert len(receipts) == 8
    log.close()
    assert verify_log(tmp_path).is_clean
    assert len(read(tmp_path)) == 9


def test_a_file_that_is_no_log_is_refused_and_left_alone(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    (tmp_path / LOG_FILE).write_bytes(b"something else entirely" * 100)
    with pytest.raises(WrongUse, match="not a log"):
        Log(tmp_path, "H01", key)
    assert (tmp_path / LOG_FILE).read_bytes() == b"something else entirely" * 100
    with pytest.raises(WrongUse, match="no log at"):
        Ledger(tmp_path / "nowhere")


def test_a_log_of_another_version_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    Log(tmp_path, "H01", key).close()
    db = sqlite3.connect(tmp_path / LOG_FILE)
    db.execute("PRAGMA user_version = 77")
    db.close()
    with pytest.raises(WrongUse, match="version 77"):
        Log(tmp_path, "H01", key)


# Other nodes' histories


@pytest.fixture
def remote(tmp_path: Path) -> tuple[list[Event], bytes]:
    """Six events of H02 and its public key."""
    key = Ed25519PrivateKey.generate()
    log = Log(tmp_path / "remote", "H02", key)
    for n in range(6):
        log.append_now(draft(f"remote {n}"))
    log.close()
    return read(tmp_path / "remote"), key.public_key().public_bytes_raw()


def changed(event: Event, **fields: Any) -> Event:
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    return Event(**{**values, **fields})


def refusal(log: Log, events: list[Event], public_key: bytes) -> str:
    with pytest.raises(PeerError) as caught:
        log.append_remote_now(events, public_key)
    return caught.value.code


def test_another_nodes_history_is_kept_as_it_is(log: Log, tmp_path: Path, remote: tuple[list[Event], bytes]) -> None:
    events, public_key = remote
    log.append_now(draft("own"))
    assert log.append_remote_now(events[:4], public_key) == Receipt(5, 4, False)
    assert log.append_remote_now(events[2:], public_key) == Receipt(7, 6, False)
    assert log.append_remote_now(events, public_key).is_duplicate
    held = [event for event in read(tmp_path) if event.origin == "H02"]
    assert [changed(event, pos=0) for event in held] == [changed(event, pos=0) for event in events]
    assert verify_log(tmp_path).is_clean
    assert log.append_now(draft("later")).seq == 2
    assert read(tmp_path)[-1].hlc > events[-1].hlc


def test_a_gap_is_refused(log: Log, remote: tuple[list[Event], bytes]) -> None:
    events, public_key = remote
    assert refusal(log, events[1:], public_key) == "log.gap"
    assert refusal(log, [events[0], events[2]], public_key) == "log.chain"


def test_an_altered_event_is_refused(log: Log, remote: tuple[list[Event], bytes]) -> None:
    events, public_key = remote
    forged = decode_event(encode_event(changed(events[2], body=encode_body(Body(raw=b"forged")))))
    assert refusal(log, [*events[:2], forged, *events[3:]], public_key) == "log.chain"
    assert refusal(log, [*events[:2], forged], public_key) == "log.signature"


def test_an_unsigned_end_and_another_key_are_refused(log: Log, remote: tuple[list[Event], bytes]) -> None:
    events, public_key = remote
    assert refusal(log, [*events[:2], changed(events[2], signature=b"")], public_key) == "log.unsigned"
    log.append_remote_now(events[:1], public_key)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert refusal(log, events[1:], other) == "log.other-key"
    assert log.append_remote_now(events[1:], public_key).seq == 6


def test_a_second_history_under_one_name_is_refused(log: Log, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    histories = []
    for name in ("a", "b"):
        other = Log(tmp_path / name, "H02", key)
        for n in range(3):
            other.append_now(draft(f"{name} {n}"))
        other.close()
        histories.append(read(tmp_path / name))
    public_key = key.public_key().public_bytes_raw()
    log.append_remote_now(histories[0][:2], public_key)
    assert refusal(log, histories[1], public_key) == "log.fork"
    assert refusal(log, histories[1][2:], public_key) == "log.chain"


def test_a_refused_history_does_not_harm_those_written_with_it(
    log: Log, tmp_path: Path, remote: tuple[list[Event], bytes]
) -> None:
    events, public_key = remote
    futures: list[Future[Outcome]] = [Future() for _ in range(3)]
    log.append(draft("one"), futures[0].set_result)
    log.append_remote(events[2:], public_key, futures[1].set_result)
    log.append(draft("two"), futures[2].set_result)
    outcomes = [future.result(30) for future in futures]
    assert isinstance(outcomes[0], Receipt)
    assert isinstance(outcomes[1], ReleveError)
    assert isinstance(outcomes[2], Receipt)
    assert [event.origin for event in read(tmp_path)] == ["H01", "H01"]
    assert verify_log(tmp_path).is_clean


def test_an_event_that_is_held_under_another_number_is_refused_alone(log: Log, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    first = Log(tmp_path / "first", "H02", key)
    first.append_now(draft("same fact"))
    first.close()
    second = Log(tmp_path / "second", "H02", key)
    second.append_now(draft("same fact", SITE))
    second.close()
    public_key = key.public_key().public_bytes_raw()
    log.append_remote_now(read(tmp_path / "first"), public_key)
    futures: list[Future[Outcome]] = [Future() for _ in range(2)]
    log.append(draft("own"), futures[0].set_result)
    log.append_remote(read(tmp_path / "second"), public_key, futures[1].set_result)
    assert isinstance(futures[0].result(30), Receipt)
    assert isinstance(futures[1].result(30), PeerError)
    assert log.append_now(draft("next")).pos == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 100_000), byte=st.integers(0, 255))
def test_a_changed_byte_of_an_event_on_its_way_is_always_noticed(
    remote: tuple[list[Event], bytes], place: int, byte: int
) -> None:
    event = remote[0][0]
    data = bytearray(encode_event(event))
    place %= len(data)
    if data[place] == byte:
        return
    data[place] = byte
    try:
        arrived = decode_event(bytes(data))
    except ValueError:
        return
    assert arrived.hash != event.hash or arrived.signature != event.signature


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_a_value_error(data: bytes) -> None:
    for decode in (decode_event, decode_body):
        with contextlib.suppress(ValueError):
            decode(data)


def test_whoever_takes_the_writing_over_keeps_a_round_of_arrivals_as_one_group(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    log = Log(tmp_path, "H01", key)
    woken: list[str] = []
    log.hand_over(lambda now: woken.append("soon" if now else "later"))
    outcomes: list[object] = []
    for n in range(5):
        log.append(draft(f"note {n}"), outcomes.append)
    assert (woken, outcomes) == (["soon"], [])
    log.commit_waiting()
    assert [outcome.seq for outcome in outcomes] == [1, 2, 3, 4, 5]  # type: ignore[attr-defined]  # receipts
    log.append(draft("note 4"), outcomes.append)
    log.commit_waiting()
    assert (woken, outcomes[-1].is_duplicate) == (["soon", "soon"], True)  # type: ignore[attr-defined]  # a receipt
    log.append(draft("last"), outcomes.append)
    log.close()
    events = read(tmp_path)
    assert [event.seq for event in events if event.signature] == [5, 6]
    assert len(events) == 6


def test_what_is_patient_waits_for_company_until_somebody_is_not(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = Log(tmp_path, "H01", key)
    woken: list[str] = []
    log.hand_over(lambda now: woken.append("soon" if now else "later"))
    outcomes: list[object] = []
    for n in range(5):
        log.append(draft(f"note {n}"), outcomes.append, patient=True)
    assert woken == ["later"]
    log.append(draft("a person waits"), outcomes.append)
    assert woken == ["later", "soon"]
    log.commit_waiting()
    assert [outcome.seq for outcome in outcomes] == [1, 2, 3, 4, 5, 6]  # type: ignore[attr-defined]  # receipts
    for n in range(PATIENT_EVENTS_MAX):
        log.append(draft(f"result {n}"), outcomes.append, patient=True)
    assert woken == ["later", "soon", "later", "soon"]  # so many are not kept waiting
    log.close()
    assert len(read(tmp_path)) == 6 + PATIENT_EVENTS_MAX


def test_a_log_that_is_opened_again_goes_on_above_every_hybrid_time_it_holds(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    log = Log(tmp_path, "H01", key, now=lambda: 9_000_000_000_000)
    log.append_now(draft("late"))
    log.close()
    (before,) = read(tmp_path)
    log = Log(tmp_path, "H01", key, now=lambda: 1_000_000)  # the wall clock of the machine was set back
    log.append_now(draft("after"))
    log.close()
    assert read(tmp_path)[1].hlc == before.hlc + 1


class StumblingKey:
    """A key that fails at its second signature, as nothing of SQLite does."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key, self._signed = key, 0

    def public_key(self) -> Any:
        return self._key.public_key()

    def sign(self, data: bytes) -> bytes:
        self._signed += 1
        if self._signed == 2:
            raise RuntimeError("no entropy")
        return self._key.sign(data)


def test_a_fault_of_our_own_in_the_middle_of_a_group_leaves_no_gap(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = Log(tmp_path, "H01", StumblingKey(key))  # type: ignore[arg-type]  # a key that stumbles
    log.append_now(draft("before"))
    with pytest.raises(StoreUnable, match="RuntimeError"):
        log.append_now(draft("lost"))
    assert log.append_now(draft("after")).seq == 2
    log.close()
    assert [decode_body(event.body).raw for event in read(tmp_path)] == [b"before", b"after"]
    assert verify_log(tmp_path).is_clean
