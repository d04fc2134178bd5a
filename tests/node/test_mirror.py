"""One recovery at every hospital: lines travel by the log, once, whatever is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.board.drafting import situation_report
from releve.board.recovery import RecoveryReader
from releve.cli import main
from releve.errors import StoreUnable
from releve.log import GROUP, Body, Draft, Event, Ledger, Log, Receipt, encode_body
from releve.node.mirror import ESTATE_FILE, RECOVERY, Mirror, exchange, runs_elsewhere
from releve.node.published import others_published
from releve.recovery.folder import Decision, RecoveryFolder
from releve.recovery.journal import Happened
from releve.sitrep import Person, Register

ESTATE = '[estate]\nname = "Centre"\n\n[[site]]\nid = "H01"\nname = "H01"\n\n[[service]]\nid = "record"\nname = "DPI"\n'


class Hospital:
    """A node's log and recovery folder; road() carries what its hub would carry."""

    def __init__(self, folder: Path, origin: str) -> None:
        folder.mkdir()
        self.folder, self.origin = folder, origin
        self.key = Ed25519PrivateKey.generate()
        self.log = Log(folder, origin, self.key, now=lambda: 1_000_000)
        self.ledger = Ledger(folder)
        self.recovery = RecoveryFolder(folder / "recovery")
        self.is_refusing = False
        self.restart()

    def restart(self) -> None:
        """Begin as after a kill: only what is on the disk is known."""
        self.mirror = Mirror(self.folder, self.origin)

    async def append(self, draft: Draft) -> Receipt:
        if self.is_refusing:
            raise StoreUnable("log.full", "The disk is full; nothing was kept.")
        return self.log.append_now(draft)

    def turn(self) -> None:
        """Let the courier do one round."""
        asyncio.run(exchange(self.mirror, self.ledger, self.append))

    def events(self) -> int:
        """Return how many events of its own this node's log has."""
        return self.ledger.head(self.origin, 1, GROUP)[0]

    def close(self) -> None:
        self.ledger.close()
        self.log.close()


Pair = tuple[Hospital, Hospital]


def road(source: Hospital, target: Hospital) -> None:
    """Bring the source's history to the target."""
    held = target.ledger.head(source.origin, 1, GROUP)[0]
    events = source.ledger.channel_after(source.origin, 1, GROUP, held, 1000)
    if events:
        target.log.append_remote_now(events, source.key.public_key().public_bytes_raw())


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    a, b = Hospital(tmp_path / "a", "H01"), Hospital(tmp_path / "b", "H02")
    yield a, b
    a.close()
    b.close()


def exchange_all(a: Hospital, b: Hospital) -> None:
    """Exchange until both are quiet."""
    for _ in range(3):
        for one in (a, b):
            one.turn()
        road(a, b)
        road(b, a)


def line(at: int, kind: str, unit: str = "") -> Happened:
    return Happened(at, kind, unit)  # type: ignore[arg-type] # kinds of the journal


def test_a_journal_written_at_one_hospital_is_read_at_the_other(pair: Pair) -> None:
    a, b = pair
    a.recovery.happened(line(1_000_000, "run-began"))
    a.recovery.happened(line(2_000_000, "up", "record"))
    exchange_all(a, b)
    assert b.recovery.journal() == a.recovery.journal()
    a.recovery.happened(line(3_000_000, "run-ended"))
    exchange_all(a, b)
    assert [one.kind for one in b.recovery.journal()] == ["run-began", "up", "run-ended"]


def test_only_where_the_run_is_carried_out_it_is_its_own(pair: Pair) -> None:
    a, b = pair
    a.recovery.happened(line(1_000_000, "run-began"))
    exchange_all(a, b)
    assert (a.mirror.is_own_run(), b.mirror.is_own_run()) == (True, False)
    assert (a.mirror.is_running, b.mirror.is_running) == (True, True)
    a.restart()
    b.restart()
    assert (a.mirror.is_own_run(), b.mirror.is_own_run()) == (True, False)


def test_a_run_of_another_node_is_known_as_such_while_it_goes_on(pair: Pair) -> None:
    a, b = pair
    a.recovery.happened(line(1_000_000, "run-began"))
    exchange_all(a, b)
    assert (runs_elsewhere(a.recovery), runs_elsewhere(b.recovery)) == (False, True)
    a.recovery.happened(line(2_000_000, "run-ended"))
    exchange_all(a, b)
    assert (runs_elsewhere(a.recovery), runs_elsewhere(b.recovery)) == (False, False)


def test_a_run_of_another_node_is_not_begun_a_second_time(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair
    a.recovery.happened(line(1_000_000, "run-began"))
    exchange_all(a, b)
    estate = b.folder / "estate.toml"
    estate.write_text(ESTATE, "utf-8")
    before = b.recovery.journal()
    assert main(["restart", str(estate), "--folder", str(b.recovery.path), "--no-wait"]) == 2
    assert "goes on at another node" in capsys.readouterr().err
    assert b.recovery.journal() == before
    assert main(["restart", str(estate), "--folder", str(b.recovery.path), "--no-wait", "--take-over"]) == 0


def test_a_decision_taken_anywhere_reaches_the_run_and_nothing_goes_round_in_circles(pair: Pair) -> None:
    a, b = pair
    a.recovery.happened(line(1_000_000, "run-began"))
    b.recovery.decide(Decision("H02-1", 2_000_000, "pause", "cora", "crisis"))
    exchange_all(a, b)
    assert [one.id for one in a.recovery.decisions()] == ["H02-1"]
    counts = a.events(), b.events()
    exchange_all(a, b)
    assert (a.events(), b.events()) == counts == (1, 1)


def test_a_lost_cursor_costs_work_and_never_a_line_or_a_second_one(pair: Pair) -> None:
    a, b = pair
    a.recovery.happened(line(1_000_000, "run-began"))
    b.recovery.decide(Decision("H02-1", 2_000_000, "pause", "cora"))
    exchange_all(a, b)
    for one in (a, b):
        (one.folder / "run" / "recovery.json").unlink()
        one.restart()
    exchange_all(a, b)
    for one in (a, b):
        assert [happened.kind for happened in one.recovery.journal()] == ["run-began"]
        assert [decision.id for decision in one.recovery.decisions()] == ["H02-1"]


def test_what_the_log_refused_is_handed_in_again(pair: Pair) -> None:
    a, b = pair
    a.is_refusing = True
    a.recovery.happened(line(1_000_000, "run-began"))
    a.turn()
    assert a.events() == 0
    a.is_refusing = False
    exchange_all(a, b)
    assert b.recovery.journal() == a.recovery.journal()


def test_an_estate_reaches_a_hospital_that_has_none_and_never_replaces_one_that_people_wrote(pair: Pair) -> None:
    a, b = pair
    a.recovery.path.mkdir()
    (a.recovery.path / ESTATE_FILE).write_text(ESTATE)
    exchange_all(a, b)
    assert (b.recovery.path / ESTATE_FILE).read_text() == ESTATE
    (a.recovery.path / ESTATE_FILE).write_text(ESTATE + "tier = 2\n")
    exchange_all(a, b)
    assert (b.recovery.path / ESTATE_FILE).read_text() == ESTATE + "tier = 2\n"
    (b.recovery.path / ESTATE_FILE).write_text(ESTATE + "tier = 3\n")
    (a.recovery.path / ESTATE_FILE).write_text(ESTATE + "tier = 1\n")
    a.turn()
    road(a, b)
    b.turn()
    assert (b.recovery.path / ESTATE_FILE).read_text() == ESTATE + "tier = 3\n"


@pytest.mark.parametrize("name", ["../evil.toml", "/etc/evil.toml", "a/../../evil.toml", ".ssh/x.toml", "evil.sh"])
def test_an_estate_cannot_be_written_outside_its_folder(pair: Pair, name: str) -> None:
    a, b = pair
    source = {"door": RECOVERY, "file": ESTATE_FILE, "files": {ESTATE_FILE: ESTATE, name: "x = 1\n"}}
    a.log.append_now(Draft(GROUP, RECOVERY, b"0123456789abcdef", encode_body(Body(source))))
    road(a, b)
    b.turn()
    assert not (b.recovery.path / ESTATE_FILE).exists()
    assert not list(b.folder.parent.rglob("evil*"))


def publish(hospital: Hospital) -> int:
    """Publish a report at a hospital."""
    (hospital.recovery.path / ESTATE_FILE).write_text(ESTATE)
    report = situation_report(RecoveryReader(hospital.recovery.path).read(), 1_000_000)
    register, by = Register(hospital.folder / "reports"), Person("Cora", "cellule de crise")
    number = register.draft(report, by=by).sheet.number
    register.approve(number, by=by, at=1_000_000)
    register.publish(number, by=by, at=1_000_000)
    return number


def test_a_published_report_is_known_at_every_hospital_once_and_a_draft_is_not(pair: Pair) -> None:
    a, b = pair
    a.recovery.path.mkdir()
    assert publish(a) == 1
    Register(a.folder / "reports").draft(situation_report(RecoveryReader(a.recovery.path).read(), 2_000_000))
    exchange_all(a, b)
    assert [(node, one.sheet.number, one.status) for node, one in others_published(b.recovery.path)] == [
        ("H01", 1, "published")
    ]
    assert others_published(a.recovery.path) == []
    counts = a.events(), b.events()
    a.restart()
    b.restart()
    exchange_all(a, b)
    assert (a.events(), b.events()) == counts


def test_the_reports_of_two_hospitals_never_mix(pair: Pair) -> None:
    a, b = pair
    for one in pair:
        one.recovery.path.mkdir()
        publish(one)
    exchange_all(a, b)
    assert [(node, one.sheet.number) for node, one in others_published(b.recovery.path)] == [("H01", 1)]
    assert [(node, one.sheet.number) for node, one in others_published(a.recovery.path)] == [("H02", 1)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(JSON)
def test_whatever_another_node_says_is_survived(tmp_path: Path, value: object) -> None:
    mirror = Mirror(tmp_path, "H02")
    for source in (
        {"file": "journal.jsonl", "lines": value},
        {"file": value},
        {"file": ESTATE_FILE, "files": value},
        {"file": "report", "number": 1, "sheet": value, "actions": value},
    ):
        body = encode_body(Body({"door": RECOVERY, **source}))
        mirror.take([Event("H01", 1, GROUP, 1, 1, 1, RECOVERY, bytes(16), body, bytes(32), bytes(32), b"", 1)], 1)
    assert RecoveryFolder(tmp_path / "recovery").journal() == []
