"""Pulling, as transcripts: what a depot says, what the log is given, what it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.clock import wall_us
from releve.errors import PeerError, StoreUnable
from releve.log import GROUP, Event, Receipt
from releve.log.event import encode_event
from releve.log.writer import GROUP_EVENTS_MAX
from releve.replica.alerts import Alerts
from releve.replica.depot import Resync
from releve.replica.names import Channel
from releve.replica.pull import UNSIGNED_EVENTS_MAX, Puller

CHANNEL = Channel("H01", 1, GROUP)


def event(seq: int, signature: bytes = b"s", origin: str = "H01") -> Event:
    return Event(origin, 1, GROUP, seq, 0, 0, "note", seq.to_bytes(16, "big"), b"", b"", b"", signature)


class Shelf:
    """A depot in memory: gives what lies on it, at most a few at a time."""

    def __init__(self, events: Sequence[Event | tuple[int, bytes]], at_once: int = 3) -> None:
        self.rows = [row if isinstance(row, tuple) else (row.seq, encode_event(row)) for row in events]
        self.at_once = at_once
        self.asked: list[int] = []

    async def fetch(self, stream: str, start: int) -> list[tuple[int, bytes]]:
        assert stream == CHANNEL.stream
        self.asked.append(start)
        return [row for row in self.rows if row[0] >= start][: self.at_once]


class Book:
    """A log in memory: keeps what follows, or refuses as it was told to."""

    def __init__(self, have: int = 0, refusal: Exception | None = None) -> None:
        self.kept = list(range(1, have + 1))
        self.refusal = refusal

    def head(self, *channel: object) -> tuple[int, bytes]:
        assert channel == CHANNEL
        return len(self.kept), b""

    async def append(self, events: Sequence[Event], public_key: bytes) -> Receipt:
        assert public_key == b"key"
        assert events[-1].signature, "a batch ends with a signed event"
        if self.refusal:
            raise self.refusal
        assert [e.seq for e in events] == list(range(len(self.kept) + 1, len(self.kept) + 1 + len(events)))
        self.kept += [e.seq for e in events]
        return Receipt(0, len(self.kept), False)


def pull(shelf: Shelf, book: Book, last: int | None = None, key: bytes | None = b"key") -> tuple[int, Alerts]:
    alerts = Alerts(wall_us)
    puller = Puller(book, book.append, lambda _: key, alerts)  # type: ignore[arg-type]  # a twin of the ledger
    return asyncio.run(puller.catch_up(shelf, "A", CHANNEL, last)), alerts  # type: ignore[arg-type]  # and of the depot


def codes(alerts: Alerts) -> list[str]:
    return [alert.code for alert in alerts.of("A")]


def test_everything_above_what_is_held_is_pulled_in_order() -> None:
    book, shelf = Book(have=4), Shelf([event(n) for n in range(1, 12)])
    applied, alerts = pull(shelf, book)
    assert (applied, book.kept, codes(alerts)) == (7, list(range(1, 12)), [])
    assert shelf.asked == [5, 8, 11, 12]


def test_a_hub_that_said_how_far_it_goes_is_not_asked_once_more() -> None:
    shelf = Shelf([event(n) for n in range(1, 7)])
    assert pull(shelf, Book(), last=6)[0] == 6
    assert shelf.asked == [1, 4]


def test_only_what_a_signature_covers_is_applied() -> None:
    events = [event(n, b"s" if n in {2, 6} else b"") for n in range(1, 10)]
    book = Book()
    applied, alerts = pull(Shelf(events), book)
    assert (applied, book.kept, codes(alerts)) == (6, [1, 2, 3, 4, 5, 6], [])


def test_it_stops_at_a_gap_and_says_so() -> None:
    book = Book()
    applied, alerts = pull(Shelf([event(1), event(2), event(4)], at_once=9), book)
    assert (applied, book.kept, codes(alerts)) == (2, [1, 2], ["replica.refused"])


def test_a_run_without_signature_that_no_origin_makes_is_not_gathered_for_ever() -> None:
    shelf = Shelf([event(n, b"") for n in range(1, 5000)], at_once=100)
    applied, alerts = pull(shelf, Book())
    assert (applied, codes(alerts)) == (0, ["replica.refused"])
    assert len(shelf.asked) == UNSIGNED_EVENTS_MAX // 100 + 1


@pytest.mark.parametrize("row", [(1, b"no event"), (1, b""), event(1, origin="H02"), (1, encode_event(event(2)))])
def test_what_does_not_belong_under_its_number_is_refused(row: Event | tuple[int, bytes]) -> None:
    rows = [row if isinstance(row, tuple) else (1, encode_event(row))]
    book = Book()
    applied, alerts = pull(Shelf(rows), book)
    assert (applied, book.kept, codes(alerts)) == (0, [], ["replica.refused"])


def test_an_origin_that_nobody_vouches_for_is_not_pulled() -> None:
    shelf = Shelf([event(1)])
    applied, alerts = pull(shelf, Book(), key=None)
    assert (applied, shelf.asked, codes(alerts)) == (0, [], ["replica.unknown-origin"])


def test_a_full_disk_is_told_and_nothing_counts_as_applied() -> None:
    book = Book(refusal=StoreUnable("log.disk-full", "The disk of this node is full."))
    applied, alerts = pull(Shelf([event(1)]), book)
    assert (applied, codes(alerts)) == (0, ["replica.store"])


def test_a_stale_number_is_no_alert() -> None:
    book = Book(refusal=PeerError("log.gap", "event 3 came where 2 was expected"))
    assert codes(pull(Shelf([event(1)]), book)[1]) == []


def test_a_hub_that_gave_something_false_is_left_alone_and_the_other_is_asked() -> None:
    async def night() -> None:
        alerts, book = Alerts(wall_us), Book()
        puller = Puller(book, book.append, lambda _: b"key", alerts)  # type: ignore[arg-type]  # a twin
        false, true = Shelf([(1, b"false")]), Shelf([event(1)])
        assert await puller.catch_up(false, "A", CHANNEL, 1) == 0  # type: ignore[arg-type]  # a twin
        assert await puller.catch_up(false, "A", CHANNEL, 1) == 0  # type: ignore[arg-type]  # a twin
        assert len(false.asked) == 1
        assert await puller.catch_up(true, "B", CHANNEL, 1) == 1  # type: ignore[arg-type]  # a twin

    asyncio.run(night())


def test_a_hub_that_fails_is_the_links_matter() -> None:
    class Silent(Shelf):
        async def fetch(self, stream: str, start: int) -> list[tuple[int, bytes]]:
            raise Resync("hub.silent", "nothing came")

    with pytest.raises(Resync):
        pull(Silent([]), Book())


@settings(max_examples=60)
@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40), st.integers(1, 9))
def test_wherever_the_answers_are_cut_the_same_events_are_applied(signed: list[bool], have: int, at_once: int) -> None:
    events = [event(n, b"s" if is_signed else b"") for n, is_signed in enumerate(signed, 1)]
    last_signed = max((e.seq for e in events if e.signature), default=0)
    book = Book(have=have)
    applied, alerts = pull(Shelf(events, at_once), book)
    assert book.kept == list(range(1, max(have, last_signed) + 1))
    assert applied == max(0, last_signed - have)
    assert codes(alerts) == []


def test_a_node_signs_as_often_as_the_others_want_a_signature() -> None:
    assert GROUP_EVENTS_MAX <= UNSIGNED_EVENTS_MAX
