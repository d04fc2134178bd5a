"""Proving a log: chain, sequence, hashes, signatures and identities of every event, from the file alone.

It reads and never repairs. What it cannot prove it says in a sentence that names origin, channel and sequence number.
An event without a signature is believed by the next signed one of its channel, whose hash covers it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from releve.log.event import FIRST_PREV_HASH, Event, decode_body, event_hash
from releve.log.findings import Findings
from releve.log.ledger import Ledger
from releve.log.schema import LOG_FILE, open_for_reading

Progress = Callable[[int, int], None]

SQL_CHANNELS = "SELECT DISTINCT origin, epoch, channel FROM event ORDER BY origin, epoch, channel"
SQL_TWICE = (
    "SELECT origin, epoch, hex(event_id), count(*) FROM event GROUP BY event_id, origin, epoch "
    "HAVING count(*) > 1 ORDER BY min(pos)"
)
SQL_BLOBS = "SELECT sha256, bytes FROM blob"

#: Events read at a time; a channel may hold millions.
_CHUNK = 500


def verify_log(folder: Path, public_key: bytes | None = None, progress: Progress | None = None) -> Findings:
    """Prove a node's log.

    public_key  the node's own; when given, the log must know its own origin by it
    progress    called with (events checked, events in the log)

    raises  WrongUse  there is no log
    """
    findings = Findings()
    ledger = Ledger(folder)
    db = open_for_reading(folder / LOG_FILE)
    try:
        _check_file(db, findings)
        own = ledger.first_origin()
        if public_key is not None and ledger.public_key(own) != public_key:
            findings.add(
                "log.other-key", f"{own}: the log knows its own node by another key than the node's folder holds."
            )
        total = ledger.last_pos()
        for origin, epoch, channel in db.execute(SQL_CHANNELS).fetchall():
            _check_channel(ledger, origin, epoch, channel, findings, progress, total)
        for origin, epoch, event_id, count in db.execute(SQL_TWICE):
            findings.add("log.twice", f"{origin}/{epoch}: event id {event_id} stands {count} times in its history.")
        for digest, data in db.execute(SQL_BLOBS):
            if sha256(data).digest() != digest:
                findings.add("log.blob", f"blob {digest.hex()} does not hold what its name says.")
    except sqlite3.DatabaseError as error:
        findings.add("log.torn", f"{folder / LOG_FILE} cannot be read whole: {error}.")
    finally:
        db.close()
        ledger.close()
    return findings


def _check_file(db: sqlite3.Connection, findings: Findings) -> None:
    """Ask SQLite whether the file itself is sound: pages, indexes against tables."""
    for (line,) in db.execute("PRAGMA integrity_check(20)"):
        if line != "ok":
            findings.add("log.torn", f"the log file is damaged: {line}.")


def _check_channel(
    ledger: Ledger,
    origin: str,
    epoch: int,
    channel: str,
    findings: Findings,
    progress: Progress | None,
    total: int,
) -> None:
    name = f"{origin}/{epoch}/{channel}"
    known_key = ledger.public_key(origin)
    if known_key is None:
        findings.add("log.no-key", f"{name}: the log knows no key of {origin}; its signatures prove nothing.")
    key = Ed25519PublicKey.from_public_bytes(known_key) if known_key is not None else None
    seq, before, hlc = 0, FIRST_PREV_HASH, 0
    unsigned_from = 0
    while events := ledger.channel_after(origin, epoch, channel, seq, _CHUNK):
        for event in events:
            _check_event(event, name, seq, before, hlc, key, findings)
            if event.signature:
                unsigned_from = 0
            elif not unsigned_from:
                unsigned_from = event.seq
            seq, before, hlc = event.seq, event.hash, event.hlc
        findings.checked += len(events)
        if progress is not None:
            progress(findings.checked, total)
    if unsigned_from:
        findings.add("log.unsigned", f"{name}: events {unsigned_from} to {seq} are covered by no signature.")


def _check_event(
    event: Event, name: str, seq: int, before: bytes, hlc: int, key: Ed25519PublicKey | None, findings: Findings
) -> None:
    here = f"{name}: event {event.seq}"
    if event.seq != seq + 1:
        missing = f"event {seq + 1} is" if event.seq == seq + 2 else f"events {seq + 1} to {event.seq - 1} are"
        findings.add("log.gap", f"{name}: {missing} missing before event {event.seq}.")
    elif event.prev_hash != before:
        findings.add("log.chain", f"{here} does not follow the event before it.")
    digest = event_hash(
        event.prev_hash,
        event.origin,
        event.epoch,
        event.channel,
        event.seq,
        event.hlc,
        event.recorded_at,
        event.kind,
        event.event_id,
        event.body,
    )
    if digest != event.hash:
        findings.add("log.hash", f"{here} is not what its hash says: it was altered.")
    if event.hlc <= hlc:
        findings.add("log.clock", f"{here} has a hybrid time that is not after the event before it.")
    if event.signature and key is not None:
        try:
            key.verify(event.signature, event.hash)
        except InvalidSignature:
            findings.add("log.signature", f"{here} bears a false signature.")
    try:
        decode_body(event.body)
    except ValueError as error:
        findings.add("log.body", f"{here} cannot be read: {error}.")
