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


def _turns(*oks: bool, every_s: int = 10, start: int = 1) -> list[Reading]:
    return [_reading((start + index * every_s) * 1_000_000, ok=ok) for index, ok in enumerate(oks)]


def test_what_is_well_and_ill_by_turns_is_flapping_and_not_down() -> None:
    turns = _turns(True, *(False, False, True, True) * 4)
    watch = _watched(*turns)
    assert (watch.state().state, watch.why) == ("degraded", "flapping")
    assert watch.state().reason == "flapping: 8 changes in 5 min; seen last: it answered"
    assert watch.state().reason_fr.startswith("instable\u00a0: 8 changements en 5\u202fmin\u202f; vu en dernier")


def test_flapping_is_over_when_it_was_quiet_for_two_minutes() -> None:
    turns = _turns(True, *(False, False, True, True) * 4)
    watch = _watched(*turns)
    states = []
    for reading in _turns(*(True,) * 13, start=181):
        watch.hear(reading, 0)
        states.append(watch.state().state)
    assert states == ["degraded"] * 9 + ["normal"] * 4, "the last change was at 151 s"


def test_what_flapped_and_then_stays_away_is_down_within_two_minutes() -> None:
    turns = _turns(True, *(False, False, True, True) * 4)
    watch = _watched(*turns, *_turns(*(False,) * 6, start=171))
    assert watch.state().state == "degraded"
    watch.hear(_reading(231_000_000, ok=False), 0)
    assert (watch.state().state, watch.state().reason) == ("down", "no answer")


def test_two_lost_packets_in_five_minutes_are_no_flapping() -> None:
    turns = _turns(*(True,) * 5, False, *(True,) * 10, False, *(True,) * 5)
    assert _watched(*turns).state().state == "normal"


def test_a_server_that_did_not_answer_is_asked_again_with_patience_and_is_slow_not_down() -> None:
    watch = _watched(_reading(1))
    assert watch.patience_s == 3.0
    watch.hear(_reading(2, ok=False, took_s=3.0), 0)
    assert watch.patience_s == 10.0
    for at in (3, 4, 5):
        watch.hear(_reading(at, took_s=4.2), 0)
        assert watch.patience_s == 10.0
    assert (watch.state().state, watch.state().reason) == ("degraded", "answers in 4.2 s: slow")
    assert watch.state().reason_fr == "répond en 4,2\u202fs\u00a0: lent"


def test_a_refusal_needs_no_patience() -> None:
    watch = _watched(_reading(1), Reading("mllp://x", "refused", "nothing listens there", 0.01, 2))
    assert watch.patience_s == 3.0


def test_a_fault_that_stops_nobody_is_degraded_and_says_so() -> None:
    weak = [Reading("tls://x", "weak", "its certificate is valid for 3 more days", 0.01, at) for at in (1, 2, 3)]
    state = _watched(*weak).state()
    assert (state.state, state.since, state.reason) == ("degraded", 1, "its certificate is valid for 3 more days")


def test_a_frozen_server_is_told_apart_in_both_languages() -> None:
    frozen = [Reading("mllp://x", "frozen", "it accepted the connection and did not answer", 3.0, at) for at in (1, 2)]
    watch = _watched(*frozen)
    assert (watch.state().state, watch.why) == ("down", "frozen")
    assert "figé" in watch.state().reason_fr


def test_one_quick_answer_does_not_end_slowness() -> None:
    watch = _watched(_reading(1), *[_reading(at, took_s=2.5) for at in (2, 3, 4)], _reading(5), _reading(6))
    assert watch.state().state == "degraded"
    watch.hear(_reading(7), 0)
    assert watch.state().state == "normal"


def test_slowness_counts_as_degraded_only_when_it_lasts() -> None:
    slow = [_reading(at, took_s=2.5) for at in (2, 3, 4)]
    assert _watched(_reading(1), *slow[:2]).state().state == "normal"
    assert _watched(_reading(1), *slow).state().state == "degraded"


def test_owed_messages_of_a_service_that_was_never_away_do_not_make_it_returning() -> None:
    assert _watched(_reading(1), _reading(2), owed=3).state().state == "normal"
