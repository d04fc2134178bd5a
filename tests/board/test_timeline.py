"""The restart as a timeline."""

from pathlib import Path

import pytest

from releve.board.timeline import split_name, timeline
from releve.estate import load
from releve.recovery.forecast import Forecast, Span
from releve.recovery.journal import Happened
from releve.recovery.plan import make_plan
from ward.cast import MINUTE_US, NOON_US

from .scene import BEGAN, ESTATE, Crisis
from .test_situation import estate


def states(crisis: Crisis) -> dict[str, str]:
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    line = timeline(recovery.estate, recovery.plan, recovery.run(), recovery.forecast, NOON_US)
    return {step.name: step.state for lane in line.lanes for step in lane.steps}


def test_each_step_is_where_the_journal_left_it(crisis: Crisis) -> None:
    assert states(crisis) == {
        "feed-a": "done",
        "storage": "done",
        "dns": "done",
        "database": "done",
        "record": "running",
        "laboratory": "done",
        "laboratory/release/H01": "asked",
        "laboratory/release/H02": "asked",
        "laboratory/release/H03": "asked",
        "mail": "done",
    }


@pytest.mark.parametrize(
    ("kind", "more", "name", "state"),
    [
        ("failed", {}, "record", "failed"),
        ("overrun", {}, "record", "late"),
        ("skipped", {}, "record", "skipped"),
        ("step-back", {}, "record", "waiting"),
        ("blocked", {}, "record", "blocked"),
        ("released", {"hospital": "H02", "by": "paul"}, "laboratory/release/H02", "done"),
        ("refused", {"hospital": "H02", "by": "paul"}, "laboratory/release/H02", "refused"),
        ("check-failed", {}, "database/check", "failed"),
    ],
)
def test_a_line_of_the_journal_changes_its_step(
    crisis: Crisis, kind: str, more: dict[str, str], name: str, state: str
) -> None:
    crisis.tell(kind, name.split("/")[0], 39, **more)
    assert states(crisis)[name] == state


def test_plan_and_reality_stand_side_by_side(crisis: Crisis) -> None:
    crisis.plan(make_plan(crisis.estate))
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    line = timeline(recovery.estate, recovery.plan, recovery.run(), recovery.forecast, NOON_US)
    steps = {step.name: step for lane in line.lanes for step in lane.steps}
    assert steps["storage"].plan == (BEGAN, BEGAN + 15 * MINUTE_US)
    assert (steps["storage"].began_at, steps["storage"].ended_at) == (BEGAN + MINUTE_US, BEGAN + 20 * MINUTE_US)
    assert steps["record"].p90_at == BEGAN + 105 * MINUTE_US
    assert [step.name for step in line.critical][-1] == "record"
    assert line.until_at >= steps["record"].p90_at


def test_before_anything_began_the_plan_is_shown_as_if_it_began_now(tmp_path: Path) -> None:
    known = estate(tmp_path)
    line = timeline(known, make_plan(known), (), None, NOON_US)
    assert (line.is_run, line.from_at, line.done) == (False, NOON_US, 0)


def test_two_thousand_steps_fold_and_what_a_person_must_see_does_not(tmp_path: Path) -> None:
    text = ESTATE + "".join(
        f'\n[[host]]\nid = "h{n}"\nname = "Machine {n}"\nneeds = ["feed-a"]\nduration = {{p50_s = 60, p90_s = 90}}\n'
        'start = {command = ["x"]}\n'
        for n in range(2150)
    )
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "estate.toml").write_text(text)
    known = load(tmp_path / "big" / "estate.toml")
    run = [
        Happened(BEGAN, "run-began", ""),
        Happened(BEGAN + 1, "start-began", "h7"),
        Happened(BEGAN + 2, "failed", "h9"),
    ]
    line = timeline(known, None, run, None, NOON_US)
    assert sum(len(lane.shown) for lane in line.lanes) == 0
    assert [step.name for step in line.active] == ["h9", "h7"]
    opened = timeline(known, None, run, None, NOON_US, opened=["0"])
    assert [len(lane.shown) for lane in opened.lanes] == [100, 0, 0]
    assert opened.lanes[0].shown[0].name == "h9"


def test_lanes_by_service_hold_what_the_service_stands_on(crisis: Crisis) -> None:
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    line = timeline(recovery.estate, None, recovery.run(), None, NOON_US, by="service")
    assert {lane.key: sorted(step.name for step in lane.steps)[:2] for lane in line.lanes} == {
        "record": ["database", "dns"],
        "laboratory": ["laboratory", "laboratory/release/H01"],
        "mail": ["mail"],
    }


def test_everything_lies_inside_the_picture_wherever_it_happened(crisis: Crisis) -> None:
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    forecast = Forecast(NOON_US, False, (), 1.0, {"record": Span(1e9, 1e9)}, None, None, (), 1)
    line = timeline(recovery.estate, None, recovery.run(), forecast, NOON_US)
    for at in (0, BEGAN, NOON_US, line.until_at, 10**18):
        assert 0 <= float(line.x(at).rstrip("%")) <= 100
    assert 1 <= len(line.ticks) <= 7


def test_the_name_of_a_step_says_unit_act_and_hospital() -> None:
    assert split_name("record") == ("record", "start", "")
    assert split_name("record/check") == ("record", "check", "")
    assert split_name("record/release/H07") == ("record", "release", "H07")
