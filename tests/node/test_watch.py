from releve.node.watch import ServiceWatch
from releve.recovery.probe import Reading


def _reading(at: int, *, ok: bool = True, took_s: float = 0.01) -> Reading:
    return Reading("mllp://x", "up" if ok else "silent", "it answered" if ok else "no answer", took_s, at)


def _watched(*readings: Reading, owed: int = 0) -> ServiceWatch:
    watch = ServiceWatch("dossier", "Dossier patient", is_central=True)
    for reading in readings:
        watch.hear(reading, owed)
    return watch


def test_one_lost_reading_raises_no_alarm() -> None:
    assert _watched(_reading(1), _reading(2, ok=False)).state().state == "normal"


def test_two_lost_readings_are_an_outage_since_the_second() -> None:
    state = _watched(_reading(1), _reading(2, ok=False), _reading(3, ok=False)).state()
    assert (state.state, state.since, state.reason) == ("down", 3, "no answer")


def test_a_service_that_was_never_well_is_down_at_the_first_reading() -> None:
    assert _watched(_reading(1, ok=False)).state().state == "down"


def test_a_service_that_answers_again_is_returning_until_it_has_what_is_owed() -> None:
    watch = _watched(_reading(1), _reading(2, ok=False), _reading(3, ok=False))
    watch.hear(_reading(4), owed=12)
    assert (watch.state().state, watch.state().since) == ("returning", 3)
    watch.hear(_reading(5), owed=0)
    assert (watch.state().state, watch.state().since) == ("normal", 5)


def test_slowness_counts_as_degraded_only_when_it_lasts() -> None:
    slow = [_reading(at, took_s=2.5) for at in (2, 3, 4)]
    assert _watched(_reading(1), *slow[:2]).state().state == "normal"
    assert _watched(_reading(1), *slow).state().state == "degraded"


def test_owed_messages_of_a_service_that_was_never_away_do_not_make_it_returning() -> None:
    assert _watched(_reading(1), _reading(2), owed=3).state().state == "normal"
