import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.doors.outbox import (
    ACCEPTED,
    OWED_MAX,
    PENDING,
    REFUSAL_UNSEEN_S_MAX,
    REFUSED,
    SENT,
    Close,
    Connect,
    Outbox,
    Outcome,
    Owed,
    Pace,
    Rest,
    Runner,
    Send,
    deliver,
    delivery_draft,
)
from releve.errors import Refused, StoreUnable
from releve.log import Draft
from releve.log.event import decode_body
from releve.wire.hl7v2 import Answer, Block, Deframer, frame, parse


class One(NamedTuple):
    """An owed event."""

    pos: int
    patient_id: str = "p"
    kind: str = "note"

    @property
    def event_id(self) -> bytes:
        return self.pos.to_bytes(16, "big")


def _contents(owed: Owed) -> list[bytes]:
    """One message an event, two for an admission; MSH-10 is the position and the number."""
    count = 2 if owed.kind == "admission" else 1
    return [f"MSH|^~\\&|R|H|D|C|2024||MDM^T02|{owed.pos}-{n}|P|2.5\r".encode() for n in range(1, count + 1)]


FAST = Pace(messages_per_s=1e6, answer_s_max=30)


def _box(*owed: One, pace: Pace = FAST, contents: Callable[[Owed], list[bytes]] = _contents) -> Outbox:
    box = Outbox("DPI", contents, lambda: 1.0, pace)
    box.look(owed, {}, 0.0)
    box.connected()
    return box


def _send(box: Outbox, at: float = 0.0) -> str:
    """Do what the outbox plans, which must be to send; return the MSH-10."""
    action = box.plan(at)
    assert isinstance(action, Send), action
    box.sent(action.pos, at)
    return parse(action.content).control_id


def _say(box: Outbox, code: str, control_id: str, sentence: str = "") -> Outcome | None:
    return box.answered(Answer(code, control_id, sentence))


# Transcripts --------------------------------------------------------------------------------------------------------


def test_an_accepted_event_is_told_and_the_next_one_goes() -> None:
    box = _box(One(1), One(2))
    assert _send(box) == "1-1"
    assert box.state(1) == SENT
    assert _say(box, "AA", "1-1") == Outcome("DPI", 1, One(1).event_id, ACCEPTED, "AA", 1)
    assert box.state(1) == ACCEPTED
    assert _send(box, 1.0) == "2-1"


def test_only_one_message_is_in_flight() -> None:
    box = _box(One(1, "p"), One(2, "q"))
    _send(box, 5.0)
    assert box.plan(6.0) == Rest(35.0)


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_stops_the_queue_of_its_patient_and_no_other(code: str) -> None:
    box = _box(One(1, "p"), One(2, "p"), One(3, "q"))
    _send(box)
    outcome = _say(box, code, "1-1", "patient inconnu")
    assert outcome == Outcome("DPI", 1, One(1).event_id, REFUSED, f"{code}: patient inconnu", 1)
    assert _send(box, 1.0) == "3-1"
    _say(box, "AA", "3-1")
    assert box.plan(2.0) == Rest(None)
    assert (box.state(1), box.state(2)) == (REFUSED, PENDING)


def test_after_a_restart_a_refused_event_still_stops_its_patient() -> None:
    box = Outbox("DPI", _contents, lambda: 1.0, FAST)
    box.look([One(2, "p")], {1: "p"}, 0.0)
    assert box.plan(0.0) == Rest(None)


def test_a_person_s_word_lets_the_queue_go_on_with_the_refused_event_first() -> None:
    box = _box(One(1), One(2))
    _send(box)
    _say(box, "AE", "1-1")
    box.look([One(2)], {1: "p"}, 1.0)
    assert box.plan(1.0) == Rest(None)
    box.look([One(1), One(2)], {}, 2.0)  # "again": pending in the views
    assert _send(box, 2.0) == "1-1"
    _say(box, "AA", "1-1")
    assert _send(box, 3.0) == "2-1"


def test_an_event_done_by_hand_is_not_sent_and_the_queue_goes_on() -> None:
    box = _box(One(1), One(2))
    _send(box)
    _say(box, "AE", "1-1")
    box.look([One(2)], {1: "p"}, 1.0)
    box.look([One(2)], {}, 2.0)  # withdrawn
    assert _send(box, 2.0) == "2-1"


def test_release_says_the_same_without_the_views() -> None:
    box = _box(One(1), One(2))
    _send(box)
    _say(box, "AE", "1-1")
    box.release(1)
    box.look([One(1), One(2)], {}, 1.0)
    assert _send(box, 1.0) == "1-1"


def test_a_refusal_that_the_views_do_not_show_yet_is_not_tried_again_at_once() -> None:
    box = _box(One(1))
    _send(box)
    _say(box, "AE", "1-1")
    box.look([One(1)], {}, 1.0)
    assert box.plan(1.0) == Rest(None)
    box.look([One(1)], {}, REFUSAL_UNSEEN_S_MAX + 1)
    assert _send(box, REFUSAL_UNSEEN_S_MAX + 1) == "1-1"


def test_an_accepted_event_that_the_views_still_call_owed_is_not_sent_twice() -> None:
    box = _box(One(1))
    _send(box)
    _say(box, "AA", "1-1")
    box.look([One(1)], {}, 1.0)
    assert box.plan(1.0) == Rest(None)


def test_no_answer_in_time_closes_the_connection_before_anything_else_and_the_same_message_goes_again() -> None:
    box = _box(One(1))
    assert _send(box, 0.0) == "1-1"
    assert box.plan(29.9) == Rest(30.0)
    assert box.plan(30.0) == Close()
    box.disconnected(30.0)
    assert box.state(1) == PENDING
    assert isinstance(box.plan(30.0), Rest)
    assert box.plan(32.0) == Connect()
    box.connected()
    assert _send(box, 32.0) == "1-1"
    assert _say(box, "AA", "1-1") == Outcome("DPI", 1, One(1).event_id, ACCEPTED, "AA", 2)


def test_a_message_that_is_never_answered_does_not_hold_up_other_patients() -> None:
    box = _box(One(1, "p"), One(2, "q"))
    _send(box, 0.0)
    box.disconnected(30.0)
    box.connected()
    assert _send(box, 30.5) == "2-1"


def test_an_answer_to_another_message_changes_nothing() -> None:
    box = _box(One(1), One(2))
    _send(box)
    assert _say(box, "AA", "2-1") is None
    assert _say(box, "AA", "") is None
    assert box.state(1) == SENT
    assert _say(box, "AA", "1-1") is not None
    assert _say(box, "AE", "1-1") is None
    assert box.state(1) == ACCEPTED


def test_an_event_of_two_messages_is_accepted_when_both_are_and_nothing_comes_between() -> None:
    box = _box(One(1, "p", "admission"), One(2, "q", "admission"))
    assert _send(box) == "1-1"
    assert _say(box, "AA", "1-1") is None
    assert _send(box, 1.0) == "1-2"
    outcome = _say(box, "AA", "1-2")
    assert outcome is not None
    assert (outcome.pos, outcome.attempts) == (1, 1)
    assert _send(box, 2.0) == "2-1"


def test_an_event_that_was_cut_in_the_middle_is_told_again_from_its_beginning() -> None:
    box = _box(One(1, "p", "admission"))
    _send(box)
    _say(box, "AA", "1-1")
    _send(box, 1.0)
    box.disconnected(2.0)
    box.connected()
    assert _send(box, 10.0) == "1-1"


def test_a_refusal_of_the_first_message_keeps_the_second_back() -> None:
    box = _box(One(1, "p", "admission"))
    _send(box)
    outcome = _say(box, "AR", "1-1")
    assert outcome is not None
    assert outcome.state == REFUSED
    assert box.plan(1.0) == Rest(None)


def test_who_somebody_is_goes_before_notes_and_a_patient_s_own_order_is_kept() -> None:
    box = _box(One(1, "p", "note"), One(2, "p", "admission"), One(3, "q", "admission"), One(4, "q", "note"))
    sent = []
    for at in range(6):
        sent.append(_send(box, float(at)))
        _say(box, "AA", sent[-1])
    assert sent == ["3-1", "3-2", "1-1", "2-1", "2-2", "4-1"]


def test_events_of_nobody_do_not_stop_each_other() -> None:
    box = _box(One(1, ""), One(2, ""))
    _send(box)
    _say(box, "AE", "1-1")
    assert _send(box, 1.0) == "2-1"


def test_what_cannot_be_told_is_refused_without_being_sent() -> None:
    def contents(owed: Owed) -> list[bytes]:
        if owed.pos == 1:
            raise Refused("outbox.no-undo", "do it by hand.")
        return _contents(owed)

    box = _box(One(1, "p"), One(2, "q"), contents=contents)
    outcome = box.plan(0.0)
    assert outcome == Outcome("DPI", 1, One(1).event_id, REFUSED, "outbox.no-undo: do it by hand.", 0)
    assert _send(box) == "2-1"


def test_an_event_with_nothing_to_send_is_settled() -> None:
    box = _box(One(1), contents=lambda _: [])
    outcome = box.plan(0.0)
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.attempts) == (ACCEPTED, 0)


def test_the_rate_is_kept() -> None:
    box = _box(One(1), One(2), pace=Pace(messages_per_s=2))
    _send(box, 10.0)
    _say(box, "AA", "1-1")
    assert box.plan(10.1) == Rest(10.5)
    assert _send(box, 10.5) == "2-1"


def test_a_destination_that_is_away_is_asked_ever_more_rarely_and_never_less_than_every_five_seconds() -> None:
    box = Outbox("DPI", _contents, lambda: 1.0, FAST)
    box.look([One(1)], {}, 0.0)
    at, waits = 0.0, []
    for _ in range(10):
        assert box.plan(at) == Connect()
        box.disconnected(at)
        rest = box.plan(at)
        assert isinstance(rest, Rest)
        assert rest.until is not None
        waits.append(rest.until - at)
        at = rest.until
    assert waits == [1, 2, 4, 5, 5, 5, 5, 5, 5, 5]


def test_nobody_is_connected_to_when_nothing_is_owed() -> None:
    box = Outbox("DPI", _contents, lambda: 1.0, FAST)
    assert box.plan(0.0) == Rest(None)


_SAYINGS = st.sampled_from(["AA", "AE", "late", "cut", "quiet", "again", "by-hand", "restart"])


@given(
    st.lists(
        st.tuples(st.sampled_from("pqr"), st.sampled_from(["note", "admission", "hl7v2"])), min_size=1, max_size=8
    ),
    st.lists(_SAYINGS, max_size=60),
)
def test_whatever_the_other_side_does_the_order_of_a_patient_is_kept_and_nothing_is_skipped(
    events: list[tuple[str, str]], sayings: list[str]
) -> None:
    """A receiver of whims beside views that know every outcome at once; at the end it is kind, and all is settled."""
    owed = {pos: One(pos, patient, kind) for pos, (patient, kind) in enumerate(events, 1)}
    refused: dict[int, str] = {}
    settled: list[int] = []
    box = Outbox("DPI", _contents, lambda: 0.5, FAST)
    at = 0.0

    def keep(outcome: Outcome | None) -> None:
        if outcome is None:
            return
        one = owed.pop(outcome.pos)
        assert not [pos for pos, patient in refused.items() if patient == one.patient_id], "a stopped queue moved"
        assert all(other.pos > one.pos for other in owed.values() if other.patient_id == one.patient_id), "skipped"
        if outcome.state == REFUSED:
            refused[outcome.pos] = one.patient_id
        else:
            settled.append(outcome.pos)

    for saying in [*sayings, *(["kind"] * 100)]:
        at += 100.0
        if saying == "restart":
            box = Outbox("DPI", _contents, lambda: 0.5, FAST)
        if saying in ("again", "kind") and refused:
            pos = min(refused)
            owed[pos] = One(pos, refused.pop(pos), dict(enumerate(events, 1))[pos][1])
        if saying == "by-hand" and refused:
            settled.append(min(refused))
            del refused[min(refused)]
        box.look(sorted(owed.values()), dict(refused), at)
        action = box.plan(at)
        if action == Close():
            box.disconnected(at)
        elif action == Connect():
            box.connected()
            action = box.plan(at)
        if not isinstance(action, Send):
            continue
        box.sent(action.pos, at)
        control_id = parse(action.content).control_id
        if saying in ("AA", "AE", "kind"):
            keep(box.answered(Answer("AE" if saying == "AE" else "AA", control_id, "")))
        elif saying == "late":
            assert box.answered(Answer("AA", "0-0", "")) is None
        elif saying == "cut":
            box.disconnected(at)
    assert sorted(settled) == list(range(1, len(events) + 1))


def test_an_outcome_becomes_an_event_and_the_same_end_at_another_time_another_event() -> None:
    outcome = Outcome("DPI", 7, One(7).event_id, REFUSED, "AE: x", 2)
    draft, later = delivery_draft(outcome, 1), delivery_draft(outcome, 2)
    assert draft.event_id != later.event_id
    assert (draft.kind, draft.channel) == ("delivery", "site")
    source = decode_body(draft.body).source
    assert (source["destination"], source["pos"], source["event_id"]) == ("DPI", 7, One(7).event_id.hex())
    assert (source["state"], source["ack"], source["attempts"]) == (REFUSED, "AE: x", 2)


# The runner against a receiver on a socket ---------------------------------------------------------------------------


class Receiver:
    """An MLLP receiver that does what it is told with each message: an answer, "quiet" or "cut"."""

    def __init__(self, *whims: str) -> None:
        self.whims = list(whims)
        self.heard: list[str] = []
        self.connections = 0

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        deframer = Deframer()
        try:
            while data := await reader.read(65_536):
                for block in deframer.feed(data):
                    assert isinstance(block, Block)
                    control_id = parse(block.content).control_id
                    self.heard.append(control_id)
                    whim = self.whims.pop(0) if self.whims else "AA"
                    if whim == "cut":
                        return
                    if whim != "quiet":
                        ack = f"MSH|^~\\&|D|C|R|H|2024||ACK|A|P|2.5\rMSA|{whim}|{control_id}|dit\r".encode()
                        writer.write(frame(b"not HL7") + frame(ack))
        finally:
            writer.close()


async def _deliver(
    receiver: Receiver,
    events: Sequence[One],
    *,
    outcomes: int,
    answer_s_max: float = 5.0,
    append: Callable[[Draft], Awaitable[object]] | None = None,
    port: int = 0,
) -> list[tuple[int, str]]:
    """Run until so many outcomes are kept; return them as (pos, state)."""
    kept: list[tuple[int, str]] = []
    enough = asyncio.Event()

    async def keep(draft: Draft) -> None:
        if append is not None:
            await append(draft)
        source = decode_body(draft.body).source
        kept.append((source["pos"], source["state"]))
        if len(kept) >= outcomes:
            enough.set()

    loop = asyncio.get_running_loop()
    delivery = deliver(
        "DPI",
        "127.0.0.1",
        port or receiver.port,
        owed=lambda limit: [one for one in events if one.pos not in {pos for pos, _ in kept}][:limit],
        refused=lambda: {pos: events[pos - 1].patient_id for pos, state in kept if state == REFUSED},
        contents_of=_contents,
        append=keep,
        now=loop.time,
        random=lambda: 0.0,
        pace=Pace(messages_per_s=1000, answer_s_max=answer_s_max),
    )
    task = asyncio.create_task(delivery)
    waiting = asyncio.create_task(enough.wait())
    done, _ = await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    task.cancel()
    waiting.cancel()
    fault, _ = await asyncio.gather(task, waiting, return_exceptions=True)
    assert isinstance(fault, asyncio.CancelledError), fault
    assert done
    return kept


def test_everything_owed_is_given_back_over_one_connection() -> None:
    async def go() -> None:
        async with Receiver() as receiver:
            events = [One(1, "p", "admission"), One(2, "p"), One(3, "q")]
            assert await _deliver(receiver, events, outcomes=3) == [(1, ACCEPTED), (2, ACCEPTED), (3, ACCEPTED)]
            assert receiver.heard == ["1-1", "1-2", "2-1", "3-1"]
            assert receiver.connections == 1

    asyncio.run(go())


def test_a_refused_patient_waits_and_the_others_are_served() -> None:
    async def go() -> None:
        async with Receiver("AE") as receiver:
            kept = await _deliver(receiver, [One(1, "p"), One(2, "p"), One(3, "q")], outcomes=2)
            assert kept == [(1, REFUSED), (3, ACCEPTED)]

    asyncio.run(go())


def test_a_receiver_that_falls_or_falls_silent_gets_the_same_message_on_a_new_connection() -> None:
    async def go() -> None:
        async with Receiver("cut", "quiet", "AA") as receiver:
            assert await _deliver(receiver, [One(1)], outcomes=1, answer_s_max=0.2) == [(1, ACCEPTED)]
            assert receiver.heard == ["1-1", "1-1", "1-1"]
            assert receiver.connections == 3

    asyncio.run(go())


def test_an_outcome_is_kept_before_anything_more_is_sent() -> None:
    async def go() -> None:
        async with Receiver() as receiver:
            refusals = 1

            async def full(_: Draft) -> None:
                nonlocal refusals
                assert receiver.heard == ["1-1"] or not refusals
                if refusals:
                    refusals -= 1
                    raise StoreUnable("log.full", "the disk is full")

            assert await _deliver(receiver, [One(1), One(2)], outcomes=2, append=full) == [(1, ACCEPTED), (2, ACCEPTED)]

    asyncio.run(go())


def test_a_destination_that_is_away_at_first_is_waited_for() -> None:
    async def go() -> None:
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        receiver = Receiver()
        delivery = asyncio.create_task(_deliver(receiver, [One(1)], outcomes=1, port=port))
        for _ in range(3):
            await asyncio.sleep(0)
        receiver._server = await asyncio.start_server(receiver._serve, "127.0.0.1", port)
        assert await delivery == [(1, ACCEPTED)]
        receiver._server.close()

    asyncio.run(go())


def test_views_that_are_being_rebuilt_stop_nothing() -> None:
    async def go() -> None:
        looks: list[int] = []
        kept = asyncio.Event()

        def owed(limit: int) -> list[One]:
            assert limit == OWED_MAX
            looks.append(limit)
            if len(looks) == 1:
                raise StoreUnable("record.no-views", "being rebuilt")
            return [One(1)]

        def contents(one: Owed) -> list[bytes]:
            looks.append(0)
            if looks.count(0) == 1:
                raise StoreUnable("record.no-views", "being rebuilt")
            return _contents(one)

        async def record(_: Outcome) -> None:
            kept.set()

        async with Receiver() as receiver:
            box = Outbox("DPI", contents, lambda: 0.0, FAST)
            now = asyncio.get_running_loop().time
            runner = Runner(
                box, "127.0.0.1", receiver.port, owed=owed, refused=dict, record=record, now=now
            )  # fmt: skip
            task = asyncio.create_task(runner.run())
            async with asyncio.timeout(20):
                await kept.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert looks.count(OWED_MAX) >= 2
        assert looks.count(0) == 2

    asyncio.run(go())
