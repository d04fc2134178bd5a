"""Verifying a log: every kind of damage is found and named by origin, channel and number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.errors import WrongUse
from releve.ids import content_id
from releve.log import GROUP, SITE, Body, Draft, Log, encode_body, verify_log
from releve.log.findings import FINDINGS_MAX, Findings
from releve.log.schema import LOG_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of eight events in two channels."""
    log = Log(tmp_path, "H01", Ed25519PrivateKey.generate())
    for n in range(8):
        body = encode_body(Body(raw=f"note {n}".encode()))
        log.append_now(Draft(SITE if n % 2 else GROUP, "note", content_id(str(n).encode()), body))
    log.close()
    return tmp_path


def damage(folder: Path, *statements: str) -> None:
    db = sqlite3.connect(folder / LOG_FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_a_sound_log_has_no_findings_and_says_how_much_was_looked_at(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    findings = verify_log(folder, progress=lambda checked, total: seen.append((checked, total)))
    assert (findings.is_clean, findings.checked, findings.sentences()) == (True, 8, [])
    assert seen[-1] == (8, 8)


DAMAGES = {
    "an event removed": (
        "DELETE FROM event WHERE channel='group' AND seq=2",
        "log.gap",
        "H01/1/group: event 2 is missing",
    ),
    "two events removed": (
        "DELETE FROM event WHERE channel='site' AND seq IN (2, 3)",
        "log.gap",
        "H01/1/site: events 2 to 3 are missing before event 4",
    ),
    "a body altered": (
        "UPDATE event SET body = (SELECT body FROM event WHERE pos = 8) WHERE channel='group' AND seq=3",
        "log.hash",
        "H01/1/group: event 3 is not what its hash says",
    ),
    "a time altered": ("UPDATE event SET recorded_at = 5 WHERE pos = 1", "log.hash", "H01/1/group: event 1"),
    "a signature altered": (
        "UPDATE event SET signature = zeroblob(64) WHERE channel='site' AND seq=2",
        "log.signature",
        "H01/1/site: event 2 bears a false signature",
    ),
    "signatures taken away": (
        "UPDATE event SET signature = x''",
        "log.unsigned",
        "H01/1/group: events 1 to 4 are covered",
    ),
    "a chain cut": (
        "UPDATE event SET prev_hash = zeroblob(32) WHERE channel='group' AND seq=2",
        "log.chain",
        "H01/1/group: event 2 does not follow",
    ),
    "a body torn": ("UPDATE event SET body = x'00' WHERE pos = 2", "log.body", "H01/1/site: event 1 cannot be read"),
    "a key exchanged": (
        "UPDATE origin SET public_key = zeroblob(32)",
        "log.signature",
        "event 1 bears a false signature",
    ),
    "a key lost": ("DELETE FROM origin", "log.no-key", "H01/1/group: the log knows no key of H01"),
    "a blob altered": ("INSERT INTO blob VALUES (zeroblob(32), x'01')", "log.blob", "blob 0000"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_named(folder: Path, name: str) -> None:
    statement, code, words = DAMAGES[name]
    damage(folder, statement)
    findings = verify_log(folder)
    assert code in [one.code for one in findings.found]
    assert any(words in sentence for sentence in findings.sentences())


def test_an_event_id_that_stands_twice_is_found(folder: Path) -> None:
    damage(
        folder,
        "DROP INDEX event_by_id",
        "UPDATE event SET event_id = (SELECT event_id FROM event WHERE pos = 1) WHERE pos = 3",
    )
    assert "log.twice" in [one.code for one in verify_log(folder).found]


def test_a_key_other_than_the_nodes_own_is_found(folder: Path) -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert [one.code for one in verify_log(folder, other).found] == ["log.other-key"]


def test_a_file_with_torn_pages_is_found(folder: Path) -> None:
    damage(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = folder / LOG_FILE
    data = bytearray(path.read_bytes())
    data[4096 * 2 + 20 : 4096 * 2 + 400] = b"\xff" * 380
    path.write_bytes(data)
    assert "log.torn" in [one.code for one in verify_log(folder).found]


def test_a_folder_without_a_log_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse):
        verify_log(tmp_path)


def test_a_thousand_findings_are_counted_and_not_all_told() -> None:
    findings = Findings()
    add: Callable[[str, str], None] = findings.add
    for n in range(1000):
        add("x", f"event {n}")
    assert findings.total == 1000
    assert len(findings.sentences()) == FINDINGS_MAX + 1
    assert findings.sentences()[-1] == "… and 800 more."
