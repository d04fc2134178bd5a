"""The audit trail: nothing is lost between page and disk, nothing can be changed unseen, and a patient can ask."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.errors import StoreUnable, WrongUse
from releve.log.audit import (
    PATIENTS_MAX,
    SQL_EVERY,
    SQL_HEAD,
    SQL_IS_LISTED,
    SQL_LATEST,
    SQL_OF_PATIENT,
    AuditHead,
    AuditTrail,
    entry_at,
    latest_entries,
    verify_audit,
)

ALICE, BOB = "p-alice", "p-bob"


def trail_of(folder: Path, **settings_: float) -> AuditTrail:
    ticks = iter(range(1_000_000, 10**12))
    return AuditTrail(folder, lambda: next(ticks), gather_s=0.0, **settings_)  # type: ignore[arg-type]  # by name


def changed(folder: Path, sql: str, *values: object) -> None:
    db = sqlite3.connect(folder / "audit.db")
    with db:
        db.execute(sql, values)
    db.close()


def three_entries(folder: Path) -> AuditHead:
    trail = trail_of(folder)
    trail.record("nurse-1", "nurse", "read", "Patient", ALICE, ALICE)
    trail.record("lab", "system", "search", "Observation", patient_ids=[ALICE, BOB], query="code&date")
    trail.record("nurse-2", "nurse", "read", "Patient", BOB, BOB, reason="break-glass", peer="10.0.0.7")
    trail.flush()
    head = trail.head()
    trail.close()
    return head


def test_a_patient_can_ask_who_saw_the_record(tmp_path: Path) -> None:
    three_entries(tmp_path)
    trail = trail_of(tmp_path)
    seen = trail.reads_of(ALICE)
    assert [(entry.who, entry.action, entry.n) for entry in seen] == [("lab", "search", 2), ("nurse-1", "read", 1)]
    assert seen[0].query == "code&date"
    assert [entry.n for entry in trail.reads_of(ALICE, BOB)] == [3, 2, 1]
    assert [entry.n for entry in trail.reads_of(ALICE, BOB, before=3, limit=1)] == [2]
    assert trail.reads_of("p-nobody") == []
    trail.close()


def test_a_restarted_trail_goes_on_where_it_stopped(tmp_path: Path) -> None:
    head = three_entries(tmp_path)
    trail = trail_of(tmp_path)
    assert trail.head() == head
    trail.record("nurse-3", "nurse", "read")
    assert trail.verify([head]) == []
    assert trail.head().n == 4
    trail.close()
    assert [entry.n for entry in latest_entries(tmp_path)] == [4, 3, 2, 1]
    found = entry_at(tmp_path, 3)
    assert found is not None
    assert (found.reason, found.peer) == ("break-glass", "10.0.0.7")
    assert entry_at(tmp_path, 9) is None


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    three_entries(tmp_path)
    assert stat.S_IMODE((tmp_path / "audit.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE entry SET content = replace(content, 'nurse-1', 'nurse-9') WHERE n = 1", "entry 1 was changed"),
        ("UPDATE entry SET at = at + 1 WHERE n = 2", "entry 2 was changed"),
        ("DELETE FROM entry WHERE n = 2", "entries 2 to 2 are missing"),
        ("DELETE FROM entry_patient WHERE n = 2 AND patient = 'p-bob'", "entry 2 is not listed"),
        ("DELETE FROM entry WHERE n = 3", "entry 3 is missing: the trail was cut after entry 2"),
    ],
)
def test_what_was_tampered_with_is_named(tmp_path: Path, sql: str, sentence: str) -> None:
    head = three_entries(tmp_path)
    assert verify_audit(tmp_path, [head]) == []
    changed(
        tmp_path,
        sql.replace("replace(content, ", "CAST(replace(CAST(content AS TEXT), ").replace(
            "'nurse-9')", "'nurse-9') AS BLOB)"
        ),
    )
    assert any(sentence in finding for finding in verify_audit(tmp_path, [head]))


def test_an_entry_forged_with_its_hash_breaks_the_chain_after_it(tmp_path: Path) -> None:
    head = three_entries(tmp_path)
    other = tmp_path / "other"
    trail = trail_of(other)
    trail.record("somebody-else", "nurse", "read", "Patient", ALICE, ALICE)
    trail.close()
    db = sqlite3.connect(other / "audit.db")
    row = db.execute("SELECT content, hash, at FROM entry WHERE n = 1").fetchone()
    db.close()
    changed(tmp_path, "UPDATE entry SET content = ?, hash = ?, at = ? WHERE n = 1", *row)
    assert verify_audit(tmp_path, [head]) == ["Audit entry 2 does not follow the one before it."]


def test_a_full_queue_makes_the_page_wait_and_then_say_so(tmp_path: Path) -> None:
    trail = trail_of(tmp_path, queue_entries_max=2, wait_s_max=0.05, retry_s=0.02)
    blocker = sqlite3.connect(tmp_path / "audit.db", isolation_level=None, timeout=0)
    blocker.execute("BEGIN IMMEDIATE")
    recorded: list[int] = []

    def look_on() -> None:
        for number in range(8):
            trail.record(f"nurse-{number}", "nurse", "read")
            recorded.append(number)

    with pytest.raises(StoreUnable, match="this read was not done") as refusal:
        look_on()
    assert refusal.value.code == "audit.full"
    blocker.execute("ROLLBACK")
    blocker.close()
    assert trail.verify() == []
    assert trail.head().n == len(recorded)
    trail.close()


def test_entries_refused_by_the_disk_are_kept_when_it_returns(tmp_path: Path) -> None:
    trail = trail_of(tmp_path, retry_s=0.01)
    trail._db.execute("PRAGMA query_only=1")  # the disk refuses every write from now on
    trail.record("nurse-1", "nurse", "read", "Patient", ALICE, ALICE)
    with pytest.raises(StoreUnable):
        trail.flush(timeout_s=0.05)
    assert trail.head().n == 0
    trail._db.execute("PRAGMA query_only=0")
    trail.flush()
    assert [entry.who for entry in trail.reads_of(ALICE)] == ["nurse-1"]
    trail.close()


def test_closing_does_not_hang_on_a_dead_disk(tmp_path: Path) -> None:
    trail = trail_of(tmp_path, retry_s=0.01)
    trail._db.execute("PRAGMA query_only=1")
    trail.record("nurse-1", "nurse", "read")
    trail.close()
    assert verify_audit(tmp_path) == []


def test_sixteen_pages_at_once_lose_no_entry(tmp_path: Path) -> None:
    trail = trail_of(tmp_path)

    def look(who: int) -> None:
        for _ in range(50):
            trail.record(f"nurse-{who}", "nurse", "read", "Patient", ALICE, ALICE)

    pages = [threading.Thread(target=look, args=(who,)) for who in range(16)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    assert trail.verify() == []
    assert len(trail.reads_of(ALICE, limit=1000)) == 16 * 50
    trail.close()


def test_a_kill_leaves_a_whole_trail_with_all_that_was_flushed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from releve.log.audit import AuditTrail\n"
        "trail = AuditTrail(Path(sys.argv[1]))\n"
        "for n in range(100): trail.record('nurse', 'nurse', 'read', 'Patient', 'p', 'p')\n"
        "trail.flush(); print('flushed', flush=True)\n"
        "while True: trail.record('nurse', 'nurse', 'read', 'Patient', 'p', 'p')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "flushed\n"
        os.kill(process.pid, signal.SIGKILL)
    assert verify_audit(tmp_path) == []
    assert latest_entries(tmp_path, limit=1)[0].n >= 100


def test_a_search_over_too_many_patients_says_how_many(tmp_path: Path) -> None:
    trail = trail_of(tmp_path)
    trail.record("lab", "system", "search", "Patient", patient_ids=[f"p-{n}" for n in range(PATIENTS_MAX + 1)])
    trail.flush()
    entry = entry_at(tmp_path, 1)
    assert entry is not None
    assert (entry.patients, entry.patient_ids) == (PATIENTS_MAX + 1, ())
    trail.close()


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(), max_size=700), min_size=8, max_size=8))
def test_any_text_can_be_recorded_and_verified(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("audit")
    trail = trail_of(folder)
    who, role, action, kind, ident, patient, reason, peer = texts
    trail.record(who, role, action, kind, ident, patient, reason, "done", peer, patient_ids=["\ud800"])
    assert trail.verify() == []
    trail.close()
    assert latest_entries(folder)[0].outcome == "done"


def test_a_file_that_is_no_trail_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(WrongUse, match="no audit trail"):
        AuditTrail(tmp_path)
    with pytest.raises(WrongUse, match="no audit trail"):
        AuditTrail(tmp_path)


def test_a_trail_of_another_version_is_refused(tmp_path: Path) -> None:
    three_entries(tmp_path)
    changed(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(WrongUse, match="version 99"):
        AuditTrail(tmp_path)


def test_a_trail_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no audit trail at"):
        verify_audit(tmp_path)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (SQL_HEAD, ()),
        (SQL_EVERY, (0, 10)),
        (SQL_OF_PATIENT, (ALICE, 9, 10)),
        (SQL_LATEST, (9, 10)),
        (SQL_IS_LISTED, (ALICE, 1)),
    ],
)
def test_every_query_goes_by_an_index_and_sorts_nothing(tmp_path: Path, sql: str, values: tuple[object, ...]) -> None:
    three_entries(tmp_path)
    db = sqlite3.connect(tmp_path / "audit.db")
    plan = " ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + sql, values))
    db.close()
    assert "TEMP B-TREE" not in plan
    assert "SEARCH" in plan or (sql == SQL_HEAD and plan == "SCAN entry")  # the head: last row of the table, LIMIT 1
