"""A message is kept, answered, and only then read; whatever happens in between, it becomes one event."""

import gc
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.scene import Loop
from releve.bench.messages import Traffic
from releve.errors import ReleveError, StoreUnable
from releve.log import Draft, Ledger, Log, Receipt, decode_body, read_arrivals
from releve.node.intake import Done, Intake
from releve.node.reception import (
    AGAIN_AFTER_S,
    AGAIN_MAX,
    ARRIVAL_BYTES_MAX,
    KEPT,
    READ_AT_ONCE,
    READ_WITHIN_S,
    Arrivals,
    Reception,
    unfinished,
)
from releve.recovery.probe.mllp import question
from releve.wire.hl7v2 import Message, parse

PARIS = ZoneInfo("Europe/Paris")


class Desk:
    """A reception with a log that commits when it is told, and a loop that turns when it is told."""

    def __init__(self, folder: Path) -> None:
        self.refusal: ReleveError | None = None
        self.drafts: list[tuple[Draft, Done]] = []
        self.kept: list[bytes] = []
        self.loop = Loop()
        self.arrivals = Arrivals(folder)
        intake = Intake(self._append, PARIS, production=True)
        self.reception = Reception(
            self.arrivals,
            intake,
            self.loop,
            charset="utf-8",
            now=lambda: 1_722_682_800_000_000,
        )

    def _append(self, draft: Draft, done: Done, *, patient: bool = False) -> None:
        self.drafts.append((draft, done))

    def turn(self) -> None:
        """One turn of the loop, in which the time of what had gathered before it has come."""
        due = self.loop.due(READ_WITHIN_S)
        self.loop.turn()
        for call in due:
            call()

    def commit(self) -> None:
        drafts, self.drafts = self.drafts, []
        for draft, done in drafts:
            if self.refusal is None:
                self.kept.append(decode_body(draft.body).raw)
            done(self.refusal or Receipt(1, 1, False))

    def send(self, raw: bytes) -> list[object]:
        answers: list[object] = []
        self.reception.receive(parse(raw), "10.0.0.7", answers.append)
        return answers


def _messages(count: int) -> list[bytes]:
    return list(Traffic(1, 50).messages(count))


def test_a_sender_is_answered_when_its_bytes_are_on_the_disk_and_before_they_are_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first, second = _messages(2)
    answers = [desk.send(first), desk.send(second)]
    assert answers == [[], []]
    assert read_arrivals(tmp_path) == []
    desk.turn()
    assert answers == [[KEPT], [KEPT]]
    assert [one.raw for one in read_arrivals(tmp_path)] == [first, second]
    assert desk.drafts == []
    desk.turn()
    desk.commit()
    assert desk.kept == [first, second]


def test_messages_are_read_once_some_have_gathered_or_some_milliseconds_after_the_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    *raws, last = _messages(READ_AT_ONCE + 1)
    for raw in raws:
        assert desk.drafts == []
        desk.send(raw)
        desk.loop.turn()
    desk.loop.turn()
    assert len(desk.drafts) == len(raws)
    assert desk.loop.later == []  # the time of the first would find the next ones half gathered
    answers = desk.send(last)
    desk.loop.turn()
    assert (answers, len(desk.drafts)) == ([KEPT], len(raws))
    assert [one.after_s for one in desk.loop.later] == [READ_WITHIN_S]
    desk.turn()
    desk.commit()
    assert desk.kept == [*raws, last]


def test_a_message_goes_when_nobody_holds_it_any_more_and_leaves_the_collector_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for _ in range(2):  # what is kept once, such as known delimiters, is there after the first round
        gc.collect()
        for raw in _messages(40):
            desk.send(raw)
        desk.turn()
        desk.turn()
        desk.commit()
    gc.disable()
    try:
        for raw in _messages(80)[40:]:
            desk.send(raw)
        desk.turn()
        desk.turn()
        desk.commit()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("turns", [1, 2])
def test_what_was_answered_and_not_yet_in_the_log_is_taken_in_at_the_next_start(tmp_path: Path, turns: int) -> None:
    desk = Desk(tmp_path)
    raw = _messages(1)[0]
    parsed = parse(raw)
    parsed.remarks.append("hl7v2.no-end: as the door saw it")
    answers: list[object] = []
    desk.reception.receive(parsed, "10.0.0.7", answers.append)
    for _ in range(turns):
        desk.turn()
    assert answers == [KEPT]
    again = Desk(tmp_path)  # the power went before the commit
    assert again.reception.take_left() == 1
    body = decode_body(again.drafts[0][0].body)
    again.commit()
    assert again.kept == [raw]
    assert "hl7v2.no-end: as the door saw it" in body.remarks
    assert body.source["peer"] == "10.0.0.7"


def test_a_log_that_does_not_take_what_was_left_is_known_before_the_doors_open(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.send(_messages(1)[0])
    desk.turn()
    again = Desk(tmp_path)
    again.refusal = StoreUnable("log.disk-full", "The disk of this node is full.")
    again.reception.take_left()
    assert again.reception.refusal() is None
    again.commit()
    assert again.reception.refusal() == again.refusal
    assert len(read_arrivals(tmp_path)) == 1


def test_a_message_that_meets_a_fault_of_ours_is_kept_as_it_came_and_the_next_ones_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    first, second, third = _messages(3)
    receive = Intake.receive

    def broken(intake: Intake, message: Message, *rest: Any, **more: Any) -> None:
        if message.raw == second:
            raise RuntimeError("MARTIN Marie")
        receive(intake, message, *rest, **more)

    monkeypatch.setattr(Intake, "receive", broken)
    for raw in (first, second, third):
        desk.send(raw)
    desk.turn()
    desk.turn()
    assert [draft.kind for draft, _ in desk.drafts] == ["hl7v2", "unreadable", "hl7v2"]
    [remark] = decode_body(desk.drafts[1][0].body).remarks
    assert "RuntimeError" in remark
    assert "MARTIN" not in remark
    desk.commit()
    again = Desk(tmp_path)
    assert again.reception.take_left() == 3  # nor does it keep the node from starting
    assert [draft.kind for draft, _ in again.drafts] == ["hl7v2", "unreadable", "hl7v2"]


def test_a_remark_that_no_encoding_can_carry_takes_nobody_with_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    message = parse(_messages(1)[0])
    message.remarks.append("hl7v2.odd: \ud800")
    answers: list[object] = []
    desk.reception.receive(message, "10.0.0.7", answers.append)
    desk.turn()
    assert answers == [KEPT]
    assert read_arrivals(tmp_path)[0].remarks[-1] == "hl7v2.odd: ?"


def test_a_disk_that_takes_no_arrival_is_said_to_the_sender_and_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    broken = StoreUnable("arrivals.unwritable", "The disk of this node refused a message.")

    def keep(arrivals: object) -> tuple[int, int]:
        raise broken

    monkeypatch.setattr(desk.arrivals, "keep", keep)
    answers = desk.send(_messages(1)[0])
    desk.turn()
    desk.turn()
    assert answers == [broken]
    assert desk.drafts == []


def test_while_the_log_takes_nothing_a_message_is_refused_with_its_reason_and_accepted_when_it_takes_again(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    first, second, third = _messages(3)
    assert desk.send(first) == []
    desk.turn()
    desk.turn()
    desk.refusal = StoreUnable("log.disk-full", "The disk of this node is full.")
    desk.commit()
    refused = desk.send(second)
    assert refused == []  # not before the log was asked once more
    desk.commit()
    assert refused == [desk.refusal]
    desk.refusal = None
    accepted = desk.send(third)
    desk.commit()
    assert desk.kept == [first]  # what had been accepted before goes first
    desk.turn()
    assert accepted == [KEPT]
    desk.turn()
    desk.commit()
    assert desk.kept == [first, third]


def test_what_waits_is_tried_in_its_order_by_as_much_as_one_commit_takes(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raws = _messages(2 * AGAIN_MAX + 10)
    for raw in raws[:-1]:
        desk.send(raw)
    desk.turn()
    desk.turn()
    desk.refusal = StoreUnable("log.disk-full", "The disk of this node is full.")
    desk.commit()
    desk.refusal = None
    last = desk.send(raws[-1])
    for _ in range(6):
        assert len(desk.drafts) <= AGAIN_MAX
        desk.commit()
        desk.turn()
    desk.commit()
    assert last == [KEPT]
    assert desk.kept == raws


def test_a_log_that_recovers_gets_what_waits_without_anybody_sending(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.refusal = StoreUnable("log.disk-full", "The disk of this node is full.")
    raw = _messages(1)[0]
    desk.send(raw)
    desk.turn()
    desk.turn()
    desk.commit()
    desk.refusal = None
    [again] = desk.loop.later
    assert again.after_s == AGAIN_AFTER_S
    again.call()
    desk.commit()
    assert desk.kept == [raw]


def test_senders_that_never_pause_do_not_fill_the_arrivals(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raws = _messages(2000)
    for number, raw in enumerate(raws):
        assert desk.send(raw) == []
        desk.turn()  # keeps this one and reads the one before: something is always on its way
        if number % 7 == 0:
            desk.commit()
    desk.turn()
    desk.commit()
    assert desk.kept == raws


def test_more_than_one_record_holds_is_written_as_several_and_settled_in_its_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raws = [raw + b"NTE|1||" + b"x" * 60_000 + b"\r" for raw in _messages(20)]
    answers = [desk.send(raw) for raw in raws]
    desk.turn()
    assert answers == [[KEPT]] * 20
    assert [one.raw for one in read_arrivals(tmp_path)] == raws
    desk.turn()
    first, *rest = desk.drafts
    desk.drafts = [first]
    desk.commit()
    desk.reception.finish()
    assert [one.raw for one in read_arrivals(tmp_path)] == raws  # nothing of it is lost while the log lacks the rest
    desk.drafts = rest
    desk.commit()
    assert desk.kept == raws


def test_a_large_message_goes_straight_to_the_log(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raw = _messages(1)[0] + b"NTE|1||" + b"x" * ARRIVAL_BYTES_MAX + b"\r"
    answers = desk.send(raw)
    assert len(desk.drafts) == 1
    desk.commit()
    assert [type(answer) for answer in answers] == [Receipt]


def test_a_door_that_closes_leaves_nothing_behind(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raw = _messages(1)[0]
    answers = desk.send(raw)
    desk.reception.finish()
    desk.commit()
    desk.turn()
    assert (answers, desk.kept) == ([KEPT], [raw])
    desk.arrivals.close()
    assert read_arrivals(tmp_path) == []


def test_what_a_stopped_node_accepted_and_has_no_event_of_is_counted(tmp_path: Path) -> None:
    log = Log(tmp_path, "H01", Ed25519PrivateKey.generate())
    desk = Desk(tmp_path)
    first, second = _messages(2)
    Intake(lambda draft, done, *, patient=False: log.append(draft, done), PARIS, production=True).receive(
        parse(first), "10.0.0.7", lambda outcome: None
    )
    log.close()
    desk.send(first)
    desk.send(second)
    desk.turn()
    assert unfinished(tmp_path) == 1
    ledger = Ledger(tmp_path)
    assert ledger.last_pos() == 1
    ledger.close()


def _question(number: int = 0x4711) -> bytes:
    """Return what another node's probe asks, without its frame."""
    return question(f"{number:016x}", "20240803130000")[1:-2]


def test_a_question_whether_the_node_is_well_is_answered_from_the_disk_and_is_no_event(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    answers = desk.send(_question())
    assert answers == [], "not before the disk has taken a write"
    desk.turn()
    assert answers == [KEPT]
    desk.turn()
    assert desk.drafts == []
    desk.arrivals.close()
    assert read_arrivals(tmp_path) == []


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (b"QRD|", b"PID|1||4711\rQRD|"),
        (b"OTH|PROBE\r", b"OTH|PROBE\rNTE|1||A word\r"),
        (b"OTH|PROBE\r", b"OTH|PROBE|4711\r"),
        (b"|RELEVE|PROBE|", b"|OTHER|PROBE|"),
        (b"|T|2.5.1", b"|P|2.5.1"),
        (b"NMQ^N01", b"ADT^A01"),
        (b"|1^RD|", b"|1^RD|4711"),
    ],
)
def test_whatever_differs_from_the_probes_question_is_kept(ours: bytes, other: bytes, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raw = _question().replace(ours, other)
    assert raw != _question()
    desk.send(raw)
    desk.turn()
    desk.turn()
    desk.commit()
    assert desk.kept == [raw]


def test_a_question_does_not_settle_messages_that_the_log_has_not_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raw = _messages(1)[0]
    desk.send(raw)
    desk.turn()
    desk.turn()  # it is read, and the log has not committed
    assert desk.send(_question()) == []
    desk.turn()
    desk.arrivals.close()
    again = Desk(tmp_path)  # the power went before the commit
    again.reception.take_left()
    again.commit()
    assert again.kept == [raw]


def test_questions_between_messages_do_not_fill_the_arrivals(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    raws = _messages(1500)
    for number, raw in enumerate(raws):
        desk.send(raw)
        desk.turn()
        assert desk.send(_question(number)) == []
        desk.turn()
        if number % 7 == 0:
            desk.commit()
    desk.turn()
    desk.commit()
    assert desk.kept == raws


def test_a_node_whose_log_takes_nothing_does_not_call_itself_well(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.refusal = StoreUnable("log.disk-full", "The disk of this node is full.")
    raw = _messages(1)[0]
    desk.send(raw)
    desk.turn()
    desk.turn()
    desk.commit()
    said = desk.send(_question())
    desk.commit()
    assert said == [desk.refusal]
    desk.refusal = None
    desk.loop.later[0].call()
    desk.commit()
    assert desk.kept == [raw]
    answers = desk.send(_question())
    desk.turn()
    assert answers == [KEPT]
