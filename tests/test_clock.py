from datetime import UTC, datetime

from releve.clock import HLC_COUNTER_BITS, HybridClock, to_datetime, to_instant, to_iso


def test_hybrid_time_grows_while_the_wall_clock_stands_still() -> None:
    clock = HybridClock(now=lambda: 5_000_000)
    stamps = [clock.tick() for _ in range(1000)]
    assert stamps == sorted(set(stamps))


def test_hybrid_time_does_not_go_back_with_the_wall_clock() -> None:
    wall = [9_000_000, 1_000_000]
    clock = HybridClock(now=lambda: wall.pop(0))
    first = clock.tick()
    assert clock.tick() == first + 1


def test_what_is_written_after_hearing_another_node_sorts_after_it() -> None:
    clock = HybridClock(now=lambda: 1_000_000)
    heard = (77_000 << HLC_COUNTER_BITS) + 3
    clock.hear(heard)
    assert clock.tick() > heard


def test_hearing_an_older_time_changes_nothing() -> None:
    clock = HybridClock(now=lambda: 0, last=50)
    clock.hear(7)
    assert clock.last == 50


def test_an_instant_survives_the_way_to_a_datetime_and_back() -> None:
    at = to_instant(datetime(2024, 8, 3, 9, 12, 44, 123000, tzinfo=UTC))
    assert to_instant(to_datetime(at)) == at
    assert to_iso(at) == "2024-08-03T09:12:44.123Z"
