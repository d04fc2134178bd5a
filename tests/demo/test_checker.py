"""The system is broken on purpose, one thing at a time, and the checker must say so: a checker that cannot fail proves
nothing. A real node, real bytes on its disk, its real FHIR door."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from releve.demo.account import Account, Fact, Sender, read_account
from releve.demo.centre.record import _TABLES
from releve.demo.checker import Centre, Place, _check_centre, check, read_centre
from releve.demo.kept import Holding, read_log
from releve.demo.messages import ZONE
from releve.demo.mllp import Line, acknowledgement, listen
from releve.demo.plant import HOST, free_ports
from releve.demo.verdict import HospitalVerdict, Verdict, encode_verdict, render_verdict
from releve.log import Log

from .scene import SHOWN_WITHIN_S, Scene, admission, playing, potassium


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with playing(tmp_path_factory.mktemp("scene")) as scene:
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while not judge(scene.place).is_good and time.monotonic() < deadline:
            time.sleep(0.1)
        yield scene


def judge(*places: Place, centre: Centre | None = None) -> HospitalVerdict:
    return asyncio.run(check(places, {}, centre, seed=1))[0]


@pytest.fixture
def copied(scene: Scene, tmp_path: Path) -> Place:
    """The same node to read, but a copy of its log to damage."""
    for name in ("log.db", "log.db-wal"):
        if (scene.folder / name).exists():
            shutil.copy(scene.folder / name, tmp_path / name)
    return replace(scene.place, folder=tmp_path)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as db, db:
        yield db


def test_an_unbroken_node_is_found_good(scene: Scene) -> None:
    verdict = judge(scene.place)
    assert (verdict.lost, verdict.wrong, verdict.duplicated) == ([], [], [])
    assert verdict.is_good
    assert (verdict.sent, verdict.acknowledged, verdict.at_own) == (8, 8, 8)
    assert verdict.facts_expected == verdict.facts_found == 9


def test_an_event_taken_out_of_the_log_is_missed(copied: Place) -> None:
    with opened(copied.folder / "log.db") as db:
        db.execute("DELETE FROM event WHERE channel = 'group' AND seq = 3")
    verdict = judge(copied)
    assert not verdict.is_good
    assert any("was acknowledged and is not in its log" in sentence for sentence in verdict.lost)
    assert any("event 4 comes where 3 should be" in sentence for sentence in verdict.lost)


def test_the_last_event_taken_away_leaves_no_gap_and_is_missed_all_the_same(copied: Place) -> None:
    with opened(copied.folder / "log.db") as db:
        db.execute("DELETE FROM event WHERE pos = (SELECT max(pos) FROM event WHERE kind = 'hl7v2')")
    verdict = judge(copied)
    assert [sentence for sentence in verdict.lost if "A03 was acknowledged" in sentence]


def test_one_changed_byte_in_the_log_is_seen(copied: Place) -> None:
    with opened(copied.folder / "log.db") as db:
        db.execute("UPDATE event SET recorded_at = recorded_at + 1 WHERE seq = 2 AND channel = 'group'")
    assert any("event 2 is not what its hash says" in sentence for sentence in judge(copied).lost)


def test_a_view_that_shows_another_value_is_called_wrong(scene: Scene) -> None:
    with _altered_view(scene, b"4.2", b"9.9"):
        verdict = judge(scene.place)
    assert not verdict.is_good
    assert [sentence for sentence in verdict.wrong if "value is '9.9', '4.2' was sent" in sentence]
    assert judge(scene.place).is_good


def test_a_view_that_shows_somebody_in_another_bed_is_called_wrong(scene: Scene) -> None:
    with _altered_view(scene, b"CHIR/CHIR01/2", b"CHIR/CHIR01/3"):
        verdict = judge(scene.place)
    assert [sentence for sentence in verdict.wrong if "place is 'CHIR/CHIR01/3'" in sentence]


def test_a_view_row_that_was_deleted_is_missed(scene: Scene) -> None:
    with opened(scene.folder / "views.db") as db:
        rows = db.execute("SELECT * FROM resource WHERE instr(json, ?)", (b"F3.2823-3",)).fetchall()
        assert rows
        db.execute("DELETE FROM resource WHERE instr(json, ?)", (b"F3.2823-3",))
    try:
        assert any("F3.2823-3 is not there" in sentence for sentence in judge(scene.place).lost)
    finally:
        with opened(scene.folder / "views.db") as db:
            db.executemany(f"INSERT INTO resource VALUES ({', '.join('?' * len(rows[0]))})", rows)


def test_a_listener_that_acknowledges_before_it_keeps_is_caught(scene: Scene, tmp_path: Path) -> None:
    """The ACK comes, the power goes, the message was never on the disk."""
    account = Account(tmp_path / "liar.jsonl")
    raw, facts, _ = admission(9, datetime.now(ZONE))
    _send_to_liar(account, raw, facts)
    verdict = judge(replace(scene.place, accounts=(*scene.place.accounts, tmp_path / "liar.jsonl")))
    assert not verdict.is_good
    assert "A9 was acknowledged and is not in its log" in verdict.lost
    assert any("H01P000009 – the patient is not there" in sentence for sentence in verdict.lost)


def test_a_message_kept_twice_is_called_doubled(scene: Scene, tmp_path: Path) -> None:
    """Two rows of the same bytes, as a door would leave that takes a repeated message for a new one."""
    from releve.log import GROUP, Body, Draft, encode_body
    from releve.node.folder import signing_key

    for name in ("log.db", "log.db-wal"):
        if (scene.folder / name).exists():
            shutil.copy(scene.folder / name, tmp_path / name)
    raw = read_account(scene.account)[0].raw
    log = Log(tmp_path, "H01", signing_key(scene.folder))
    log.append_now(Draft(GROUP, "hl7v2", b"another id of it", encode_body(Body(raw=raw))))
    log.close()
    verdict = judge(replace(scene.place, folder=tmp_path))
    assert verdict.duplicated == ["A1 lies 2 times in its log"]


def test_a_result_shown_twice_is_called_doubled(scene: Scene) -> None:
    with opened(scene.folder / "views.db") as db:
        row = list(db.execute("SELECT * FROM resource WHERE instr(json, ?)", (b"F1.2823-3",)).fetchone())
        row[0], row[2] = 999_999, bytes(range(16))
        db.execute(f"INSERT INTO resource VALUES ({', '.join('?' * len(row))})", row)
        db.execute("INSERT INTO card_new SELECT patient, type, at, heard_at, key FROM resource WHERE key = 999999")
    try:
        assert any("F1.2823-3 is there 2 times" in sentence for sentence in judge(scene.place).duplicated)
    finally:
        with opened(scene.folder / "views.db") as db:
            db.execute("DELETE FROM resource WHERE key = 999999")
            db.execute("DELETE FROM card_new WHERE key = 999999")


def test_an_unanswered_message_is_neither_promised_nor_missed(scene: Scene, tmp_path: Path) -> None:
    account = Account(tmp_path / "silent.jsonl")
    raw, facts, _ = admission(8, datetime.now(ZONE))
    account.sent("A8", "GAM H01", "H01", True, raw, facts)
    account.close()
    verdict = judge(replace(scene.place, accounts=(*scene.place.accounts, tmp_path / "silent.jsonl")))
    assert (verdict.sent, verdict.acknowledged, verdict.is_good) == (9, 8, True)


def test_an_event_that_another_node_lacks_is_missed_and_a_strange_one_is_named(scene: Scene, tmp_path: Path) -> None:
    neighbour = replace(scene.place, id="H02", name="Hôtel-Dieu", folder=tmp_path, accounts=())
    shutil.copy(scene.folder / "log.db", tmp_path / "log.db")
    if (scene.folder / "log.db-wal").exists():
        shutil.copy(scene.folder / "log.db-wal", tmp_path / "log.db-wal")
    assert judge(scene.place, neighbour).lost == []
    with opened(tmp_path / "log.db") as db:
        last = db.execute("SELECT max(seq) FROM event WHERE channel = 'group'").fetchone()[0]
        db.execute("UPDATE event SET kind = 'other' WHERE channel = 'group' AND seq = ?", (last,))
    lost = judge(scene.place, neighbour).lost
    assert f"H01/group event {last} is not in the log of H02" in lost
    assert f"H01/group event {last} lies at H02 and not at its own hospital" in lost


def test_an_event_that_a_hub_lacks_is_missed(scene: Scene) -> None:
    from releve.demo.checker import _check_hubs

    held = read_log(scene.folder)
    verdict = HospitalVerdict("H01", "Cochin")
    _check_hubs(verdict, scene.place, held, {"hub-a": held, "hub-b": Holding(held.events[:-1], [])})
    assert len(verdict.lost) == 1
    assert "is not in hub hub-b" in verdict.lost[0]
    assert verdict.at_hubs["hub-a"] == (len(held.events), len(held.events))


# The centre's own state


def _centre_file(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.executescript(_TABLES)
    return db


def test_what_the_record_application_has_lacks_refused_or_has_twice_is_told_apart(tmp_path: Path) -> None:
    account = Account(tmp_path / "desk.jsonl")
    raws = [admission(number, datetime.now(ZONE))[0] for number in (1, 2, 3, 4)]
    for number, raw in enumerate(raws, 1):
        account.sent(f"A{number}", "GAM H01", "H01", True, raw, [])
        account.answered(f"A{number}", "AA")
    account.sent("note-1", "page H01", "H01", False, b"", [Fact("note", "H01-note-1", {"patient": "s|1"})])
    account.answered("note-1", "AA")
    account.close()
    with closing(_centre_file(tmp_path / "centre.db")) as db, db:
        for control_id, raw in (("A1", raws[0]), ("A2", raws[1]), ("A2 again", raws[1])):
            row = ("GAM|H01", control_id, "", "ADT", "", raw.hex(), 0.0, 1)
            db.execute("INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO refusal VALUES ('GAM|H01', 'A3', 'not known', ?, 0)", (raws[2].hex(),))
        db.execute("INSERT INTO note VALUES (NULL, '1', 'calm [H01-note-1]', 'x')")
    verdict = HospitalVerdict("H01", "Cochin")
    _check_centre(verdict, read_account(tmp_path / "desk.jsonl"), read_centre(tmp_path / "centre.db"))
    assert (verdict.owed, verdict.accepted, verdict.refused) == (5, 3, 1)
    assert verdict.refusals == ["A3: not known"]
    assert verdict.duplicated == ["A2 is 2 times in the record application"]
    assert verdict.missing_at_centre == ["A4 is neither accepted nor refused by the record application"]
    assert not verdict.is_good


def test_a_refusal_that_was_followed_by_an_acceptance_is_none(tmp_path: Path) -> None:
    with closing(_centre_file(tmp_path / "centre.db")) as db, db:
        db.execute("INSERT INTO refusal VALUES ('GAM|H01', 'A1', 'not known', '00', 0)")
        db.execute("INSERT INTO message VALUES (NULL, 'GAM|H01', 'A1', '', 'ADT', '', '00', 1, 1)")
    assert read_centre(tmp_path / "centre.db").refused == {}


# The verdict as people and machines read it


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_verdict_with_a_loss_says_so_in_every_form(lang: str) -> None:
    hospital = HospitalVerdict("H01", "Cochin", acknowledged=2, at_own=1, lost=["A1 was acknowledged and is not there"])
    verdict = Verdict(1, [hospital], None, [], 10.0, 60.0)
    text = render_verdict(verdict, lang)
    assert "A1 was acknowledged" in text
    assert text.splitlines()[-1] in ("LE COMPTE N’Y EST PAS", "THE ACCOUNT DOES NOT ADD UP")
    assert b'"good": false' in encode_verdict(verdict)


def test_a_failed_read_alone_spoils_the_verdict() -> None:
    hospital = HospitalVerdict("H01", "Cochin")
    assert hospital.is_good
    hospital.reads.failed = 1
    assert not hospital.is_good


@contextmanager
def _altered_view(scene: Scene, before: bytes, after: bytes) -> Iterator[None]:
    def change(old: bytes, new: bytes) -> None:
        with opened(scene.folder / "views.db") as db:
            rows = db.execute("SELECT key, json FROM resource").fetchall()
            hit = [(bytes(json).replace(old, new), key) for key, json in rows if old in bytes(json)]
            assert hit
            db.executemany("UPDATE resource SET json = ? WHERE key = ?", hit)

    change(before, after)
    try:
        yield
    finally:
        change(after, before)


def _send_to_liar(account: Account, raw: bytes, facts: list[Fact]) -> None:
    async def lie(message: bytes) -> bytes:
        return acknowledgement(message, "AA", application="LIAR", control_id="1")

    async def send() -> None:
        (port,) = free_ports(1)
        server = await listen(HOST, port, lie)
        line = Line(HOST, port)
        await Sender(line, account, "GAM H01").send(raw, "H01", facts)
        await line.close()
        server.close()

    asyncio.run(send())
    account.close()


def test_a_result_that_was_corrected_is_expected_as_it_was_said_last(scene: Scene, tmp_path: Path) -> None:
    """The account knows a correction that the node never heard: the old value is shown, and called wrong."""
    account = Account(tmp_path / "later.jsonl")
    raw, facts = potassium(1, scene.stays[0], "7.7", datetime.now(ZONE))
    _send_to_liar(account, raw.replace(b"|R1|", b"|R1b|"), facts)
    verdict = judge(replace(scene.place, accounts=(*scene.place.accounts, tmp_path / "later.jsonl")))
    assert any("value is '4.1', '7.7' was sent" in sentence for sentence in verdict.wrong)
