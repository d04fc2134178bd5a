"""Decisions: obeyed within a second, answered once, and the first of two people counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from releve.estate import Estate

from .stage import BEGIN, Stage

EstateOf = Callable[[str], Estate]

CONTACT = '[[contact]]\nid = "anne"\nname = "Anne"\nphone = "01 40 00 00 01"\n'


def unit(name: str, *needs: str, more: str = "") -> str:
    return f"""
[[unit]]
id = "{name}"
needs = {list(needs)}
start = {{command = ["start-{name}"]}}
stop = {{command = ["stop-{name}"]}}
probe = "tcp://{name}:1"
duration = {{p50_s = 10, p90_s = 20}}
up_within_s = 30
{more}
"""


def by_hand(name: str, *needs: str, probe: str = "") -> str:
    return f"""
[[unit]]
id = "{name}"
needs = {list(needs)}
start = {{person = "anne", do = "turn the key", timeout_s = 900}}
{probe}
"""


def test_a_pause_lets_what_runs_end_and_starts_nothing_new(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns")))
    stage.decide(2, "pause", by="Anne")
    stage.decide(100, "resume", by="Bernard")
    result = stage.play()
    assert result is not None
    assert result.ok
    lines = [line for line in stage.journal if line.kind in ("paused", "up", "resumed", "start-began")]
    assert [line.kind for line in lines] == ["start-began", "paused", "up", "resumed", "start-began", "up"]
    assert 100e6 <= lines[3].at - BEGIN <= 101e6, "obeyed within a second"
    assert (lines[1].by, lines[3].by) == ("Anne", "Bernard")


def test_a_failure_waits_for_a_person_who_has_it_tried_again(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("db", more="tries = 2") + unit("record", "db")), fails={"db": 2})
    stage.decide(600, "retry", "db", reason="the disk is back")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.did == [("start", "db")] * 3 + [("start", "record")]
    assert stage.told("failed", "blocked", "asked", "decided", "up") == [
        "failed db", "asked db", "blocked record", "decided db", "up db", "up record"
    ]  # fmt: skip
    assert "the disk is back" in stage.details("decided")[0]
    assert stage.details("replanned") == ["db is tried again; 2 steps are left"]


def test_without_waiting_the_run_ends_with_what_is_left(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("db") + unit("record", "db")), fails={"db": 9})
    result = stage.play(waits=False)
    assert result is not None
    assert (result.failed, result.blocked) == (("db",), ("record",))
    assert stage.journal[-1].left == 2


def test_without_waiting_nobody_is_waited_for_and_the_tick_counts_in_the_next_run(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CONTACT + by_hand("key") + unit("dns") + unit("record", "key", "dns")))
    result = stage.play(waits=False)
    assert result is not None
    assert result.left == ("key", "record")
    assert result.steps["dns"].state == "up", "what needs nobody is done first"
    stage.decide(60, "done", "key")
    again = stage.play()
    assert again is not None
    assert again.ok
    assert stage.told("asked") == ["asked key"]


def test_what_is_skipped_by_name_no_longer_blocks(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("cache") + unit("record", "cache")), fails={"cache": 9})
    stage.decide(300, "skip", "cache", reason="slow without, but it works")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert (result.steps["cache"].state, result.steps["record"].state) == ("skipped", "up")
    assert stage.told("skipped") == ["skipped cache"]


def test_what_runs_may_be_skipped_too_and_is_ended(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("cache") + unit("record", "cache")), takes_s={"cache": 5000})
    stage.decide(60, "skip", "cache")
    result = stage.play()
    assert result is not None
    assert result.steps["cache"].state == "skipped"
    assert result.steps["record"].state == "up"
    assert result.makespan_s < 100


def test_a_step_by_hand_is_asked_for_with_a_phone_number_and_ticked_off(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CONTACT + by_hand("key") + unit("record", "key")))
    stage.decide(120, "done", "key")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.details("asked") == ["turn the key: Anne, 01 40 00 00 01"]
    assert stage.did == [("start", "record")]
    assert result.steps["key"].detail == "done by Anne; it has no probe"


def test_the_first_of_two_people_counts_and_the_second_is_told(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CONTACT + by_hand("key") + unit("record", "key")))
    stage.decide(60, "done", "key", by="Anne")
    stage.decide(60, "not-done", "key", by="Bernard")
    result = stage.play()
    assert result is not None
    assert result.ok
    answers = [(line.by, line.kind) for line in stage.journal if line.decision]
    assert answers == [("Anne", "decided"), ("Bernard", "not-obeyed")]
    assert stage.details("not-obeyed") == ["not-done by Bernard: nobody is asked for it; Anne decided before"]


def test_a_tick_is_believed_when_the_probe_agrees(estate_of: EstateOf) -> None:
    text = by_hand("key", probe='probe = "tcp://key:1"\nup_within_s = 20')
    stage = Stage(estate_of(CONTACT + text))
    stage.decide(60, "done", "key")
    stage.decide(500, "cancel")
    result = stage.play()
    assert result is not None
    assert result.failed == ("key",)
    assert result.steps["key"].detail == "done by Anne, but not up within 20 s; its probe said: is mute"


def test_who_was_asked_is_reminded(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CONTACT + by_hand("key")))
    stage.decide(2000, "done", "key")
    stage.play()
    assert [detail.partition(":")[0] for detail in stage.details("asked")] == [
        "turn the key",
        "reminder 1",
        "reminder 2",
    ]


def test_without_a_way_to_decide_a_step_by_hand_fails_with_its_reason(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(CONTACT + by_hand("key")))
    result = stage.play(deaf=True)
    assert result is not None
    assert result.steps["key"].detail == "a person is wanted, and no decision can reach this run: it has no folder"


HOSPITALS = """
[[site]]
id = "H01"
name = "Nord"
[[site]]
id = "H02"
name = "Sud"
[[site]]
id = "H03"
name = "Est"
"""


def service(more: str) -> str:
    return HOSPITALS + CONTACT + unit("lab", more='hospitals = ["H01", "H02", "H03"]\n' + more)


def test_each_hospital_releases_for_itself_and_may_change_its_mind(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(service('release = "anne"\nreleased_by_hospital = true')))
    stage.decide(60, "release", "lab", hospital="H01", by="Claire")
    stage.decide(61, "refuse", "lab", hospital="H02", by="Denis", reason="results of Friday are missing")
    stage.decide(62, "release", "lab", by="Anne")
    stage.decide(90, "release", "lab", hospital="H02", by="Denis")
    result = stage.play()
    assert result is not None
    assert result.ok
    gates = [(line.kind, line.hospital, line.by) for line in stage.journal if line.kind in ("released", "refused")]
    assert gates == [
        ("released", "H01", "Claire"),
        ("refused", "H02", "Denis"),
        ("released", "H02", "Anne"),
        ("released", "H03", "Anne"),
    ] or gates == [
        ("released", "H01", "Claire"),
        ("refused", "H02", "Denis"),
        ("released", "H03", "Anne"),
        ("released", "H02", "Denis"),
    ]


def test_callers_are_let_in_wave_by_wave_with_time_to_sign_on(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(service('release = "anne"\nwave = 2')))
    stage.decide(60, "release", "lab")
    result = stage.play()
    assert result is not None
    assert result.ok
    at = {line.hospital: (line.at - BEGIN) / 1e6 for line in stage.journal if line.kind == "released"}
    assert at["H01"] == at["H02"]
    assert at["H03"] - at["H01"] >= 300
    assert list(at) == ["", "H01", "H02", "H03"]


def test_a_step_back_stops_what_stands_on_it_first_and_brings_all_up_again(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns") + unit("record", "db") + unit("phone", "dns")))
    stage.takes_s["phone"] = 100
    stage.decide(45, "step-back", "db", by="Anne", reason="yesterday's data")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert [name for act, name in stage.did if act == "stop"] == ["record", "db"]
    assert [name for act, name in stage.did if act == "start"] == ["dns", "db", "phone", "record", "db", "record"]
    assert stage.told("step-back") == ["step-back record", "step-back db"]


def test_a_step_back_ends_what_is_just_starting(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns") + unit("record", "db")))
    stage.decide(25, "step-back", "db")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.told("down", "already-down") == ["already-down record", "down db"]
    assert stage.did.count(("start", "record")) == 2


def test_a_cancelled_run_waits_for_what_runs_and_goes_on_when_begun_again(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns")))
    stage.decide(5, "cancel", by="Anne")
    result = stage.play()
    assert result is not None
    assert result.left == ("db",)
    assert result.steps["dns"].state == "up"
    again = stage.play()
    assert again is not None
    assert again.ok
    assert stage.did == [("start", "dns"), ("start", "db")]


@pytest.mark.parametrize(
    ("verb", "name", "why"),
    [
        ("retry", "dns", "it has not failed"),
        ("done", "dns", "nobody is asked for it"),
        ("resume", "", "it is not paused"),
        ("skip", "nowhere", "the estate has no unit nowhere"),
        ("step-back", "db", "it has not been started"),
        ("skip", "", "it has to name a unit"),
    ],
)
def test_what_makes_no_sense_is_answered_with_its_reason(estate_of: EstateOf, verb: str, name: str, why: str) -> None:
    stage = Stage(estate_of(unit("dns") + unit("db", "dns")))
    stage.decide(2, verb, name)
    stage.play()
    assert why in stage.details("not-obeyed")[0]


def test_a_decision_taken_before_the_run_began_is_not_obeyed(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns")))
    stage.decide(-60, "cancel")
    result = stage.play()
    assert result is not None
    assert result.ok
    assert stage.details("not-obeyed") == ["cancel by Anne: it was taken before this run began"]


def test_words_are_kept_in_the_journal(estate_of: EstateOf) -> None:
    stage = Stage(estate_of(unit("dns")))
    stage.decide(1, "declare", reason="the provider's technician has left the building")
    stage.play()
    assert stage.details("decided") == ["declare by Anne: the provider's technician has left the building"]
