"""The past: a run that was killed goes on from its journal, wherever it was cut, and does nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from releve.estate import Estate
from releve.recovery.journal import Happened, from_json, to_json
from releve.recovery.past import RESTART, STOP, past_of

from .stage import Stage
from .test_desk import CONTACT, by_hand, service, unit

EstateOf = Callable[[str], Estate]

CENTRE = (
    CONTACT
    + unit("dns")
    + unit("storage", "dns", more='check = {command = ["fsck"]}')
    + unit("db", "storage")
    + by_hand("key", "dns")
    + unit("record", "db", "key")
)


def test_wherever_it_is_cut_it_goes_on_and_no_start_command_runs_twice(estate_of: EstateOf) -> None:
    estate = estate_of(CENTRE)
    whole = Stage(estate)
    whole.decide(45, "done", "key")
    assert whole.play() is not None
    for cut_s in range(1, int(whole.elapsed_s) + 1, 2):
        stage = Stage(estate)
        stage.decide(45, "done", "key")
        stage.play(until_s=cut_s)
        stage.up |= {name for act, name in stage.did if act == "start"}  # what had begun comes up while nobody looks
        result = stage.play()
        assert result is not None
        assert result.ok, cut_s
        starts = Counter(name for act, name in stage.did if act == "start")
        assert set(starts.values()) == {1}, (cut_s, starts)
        assert stage.told("decided") == ["decided key"], cut_s
        assert stage.told("run-began", "run-ended") == ["run-began", "run-ended"]


def test_after_every_line_of_the_journal_the_run_can_be_cut(estate_of: EstateOf) -> None:
    """The disk has the first n lines and the world is as it was at the end: the run ends well and starts nothing."""
    estate = estate_of(CENTRE)
    whole = Stage(estate)
    whole.decide(45, "done", "key")
    whole.decide(46, "release", "key")
    whole.play()
    for lines in range(1, len(whole.journal)):
        stage = Stage(estate, up=set(whole.up), journal=whole.journal[:lines], script=list(whole.script))
        stage.elapsed_s = 1000.0
        stage.decide(1100, "done", "key", by="Bernard")  # for when it was not even asked before the cut
        result = stage.play()
        assert result is not None
        assert result.ok, lines
        assert [did for did in stage.did if did[0] == "start"] == [], lines
        answers = [line.decision for line in stage.journal if line.decision]
        assert len(answers) == len(set(answers)) >= 2, "every decision is answered once"


def test_a_start_that_had_begun_is_waited_for_until_its_time_is_over_and_then_tried_again(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("db", more="tries = 2")), takes_s={"db": 10})
    stage.play(until_s=5)
    assert stage.did == [("start", "db")]
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.did == [("start", "db")] * 2
    failed = next(line for line in stage.journal if line.kind == "try-failed")
    assert failed.took_s is not None
    assert failed.took_s >= 30, "up_within_s counts from the beginning of the start"


def test_what_answers_no_more_is_said_and_started_again(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns")))
    stage.play(until_s=15)
    stage.up.discard("dns")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.did.count(("start", "dns")) == 2
    assert "dns answer no more" in stage.details("run-resumed")[0]


def test_a_failure_stays_a_failure_for_whoever_goes_on_after_a_kill(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("db", more="tries = 1") + unit("record", "db")), fails={"db": 1})
    stage.play(until_s=60)
    stage.decide(90, "retry", "db")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.told("failed", "blocked", "asked") == ["failed db", "asked db", "blocked record"], "told once"
    assert stage.did.count(("start", "db")) == 2


def test_a_run_that_ended_with_something_left_tries_it_anew_when_begun_again(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("db", more="tries = 1")), fails={"db": 1})
    stage.play(waits=False)
    result = stage.play(waits=False)
    assert result is not None
    assert result.ok


def test_a_complete_run_is_over_and_its_ticks_count_no_more(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CONTACT + by_hand("key")))
    stage.decide(10, "done", "key")
    stage.play()
    stage.decide(500, "done", "key")
    stage.elapsed_s = 400.0
    stage.play()
    assert stage.told("run-began", "asked") == ["run-began", "asked key"] * 2


def test_a_pause_outlives_the_process(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns")))
    stage.decide(2, "pause")
    stage.play(until_s=50)
    stage.decide(200, "resume")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.told("paused", "resumed") == ["paused", "resumed"]
    assert result.makespan_s > 200


def test_a_step_back_that_was_cut_short_is_completed(estate_of: EstateOf) -> None:
    for cut_s in (32, 35, 41, 45, 51, 61):
        stage = Stage(estate_of(unit("dns") + unit("db", "dns") + unit("record", "db") + unit("slow")))
        stage.takes_s["slow"] = 90
        stage.decide(31, "step-back", "dns")
        stage.play(until_s=cut_s)
        result = stage.play()
        assert result is not None
        assert result.ok, cut_s
        assert stage.up == {"dns", "db", "record", "slow"}
        assert stage.told("decided") == ["decided dns"], cut_s
        assert "down dns" in stage.told("down"), cut_s


def test_releases_given_before_the_kill_stay_given(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(service('release = "anne"\nreleased_by_hospital = true')))
    stage.decide(30, "release", "lab", hospital="H01")
    stage.play(until_s=60)
    stage.decide(100, "release", "lab")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert [line.hospital for line in stage.journal if line.kind == "released"] == ["H01", "H02", "H03"]
    assert len(stage.told("asked")) == 3, "nobody is asked twice"


CHECKED = unit("db", more='check = {command = ["fsck"]}') + unit("record", "db")


def test_what_was_not_stopped_cleanly_is_checked_before_anything_stands_on_it(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CHECKED))
    stage.play()
    assert stage.did == [("start", "db"), ("check", "db"), ("start", "record")]


def test_what_was_stopped_cleanly_needs_no_check_and_what_lost_its_power_does(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CHECKED), up={"db", "record"})
    stopped = stage.play(STOP)
    assert stopped is not None
    assert stopped.ok
    assert past_of(stage.journal, RESTART).clean == {"db", "record"}
    stage.play()
    assert ("check", "db") not in stage.did
    stage.play(STOP)
    stage.journal.append(Happened(stage.journal[-1].at, "unclean", "db"))
    stage.play()
    assert stage.did.count(("check", "db")) == 1
    assert past_of(stage.journal, RESTART).unclean == frozenset()


def test_what_never_went_down_needs_no_check(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CHECKED), up={"db"})
    stage.play()
    assert stage.did == [("start", "record")]


def test_a_check_that_fails_keeps_everything_off_until_a_person_answers_for_it(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CHECKED), fails={"db/check": 1})
    stage.decide(200, "skip", "db", by="Anne", reason="the index only")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert result.steps["db/check"].state == "skipped"
    assert stage.told("check-failed", "blocked", "skipped", "up") == [
        "up db", "check-failed db", "blocked record", "skipped db", "up record"
    ]  # fmt: skip


def test_a_stop_and_a_restart_of_one_folder_do_not_mix(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns")))
    stage.play(until_s=15)
    stage.play(STOP)
    assert stage.up == set()
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.up == {"dns", "db"}


def test_a_long_step_is_told_as_late_and_waited_for(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("db") + unit("dns")), takes_s={"db": 55})
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.told("overrun") == ["overrun db"]


@pytest.mark.parametrize("act", [RESTART, STOP])
def test_an_empty_journal_is_no_run(act: str) -> None:
    assert past_of([], act).began_at == 0


def test_a_line_survives_being_written_and_read() -> None:
    line = Happened(1_722_643_200_123_000, "decided", "lab", "x", 1.5, "H01", "Anne", "d1", "1/2/3", "release", 0)
    assert from_json(to_json(line)) == line
