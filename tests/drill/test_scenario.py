"""A scenario is read whole or refused by the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drill.scene import BEGAN_S, CUT
from releve.drill.scenario import Scenario, named, power_cut
from releve.errors import WrongUse
from releve.estate import Estate

ScenarioOf = Callable[[str], Scenario]


def test_a_scenario_is_read(scenario_of: ScenarioOf) -> None:
    found = scenario_of(
        CUT
        + """
[[failure]]
unit = "database"
tries = 3

[[slow]]
unit = "record"
factor = 2.5

[[decision]]
verb = "release"
unit = "record"
hospital = "H01"
by = "Dr Alice"
after_min = 4

[goals]
decide_min = 5
"""
    )
    assert found.begins_at == BEGAN_S * 1_000_000
    assert found.injects[0].falls == ("power",)
    assert found.injects[1].at_s == 3600
    assert (found.failures, found.slow) == ({"database": 3}, {"record": 2.5})
    assert (found.decisions[0].after_s, found.decisions[0].at_s) == (240.0, None)
    assert (found.goals.decide_s, found.goals.declare_s) == (300.0, 120.0)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[[inject]]\nat_min = 1\nfalls = ["nothing"]\n', "line 18: .*falls must name units.*'nothing'"),
        ("[[inject]]\nat_min = -1\n", "at_min must be 0 to 100000 minutes; found -1"),
        ('[[failure]]\nunit = "x"\n', "unit must be a unit of the estate; found 'x'"),
        ('[[failure]]\nunit = "database"\ntries = 0\n', "tries must be 1 to 100; found 0"),
        ('[[decision]]\nverb = "shout"\nby = "A"\nat_min = 1\n', "verb must be one of pause, .*found 'shout'"),
        ('[[decision]]\nverb = "pause"\nby = "A"\n', "needs either at_min or after_min"),
        ("[goals]\nspeed = 1\n", "speed is unknown here"),
    ],
)
def test_a_wrong_line_is_refused_by_its_name(scenario_of: ScenarioOf, more: str, says: str) -> None:
    with pytest.raises(WrongUse, match=says):
        scenario_of(CUT + more)


def test_a_wrong_beginning_and_no_inject_are_refused(scenario_of: ScenarioOf) -> None:
    with pytest.raises(WrongUse, match='begins must be a moment such as "2026-10-03T11:00"'):
        scenario_of(CUT.replace("2024-08-03T11:00", "saturday"))
    with pytest.raises(WrongUse, match="has 0 \\[\\[inject\\]\\]; expected 1 to"):
        scenario_of("[scenario]\n")


def test_many_units_are_named_at_once(centre: Estate) -> None:
    assert named(centre, ["kind:service", "power"]) == ("record", "mail", "power")
    with pytest.raises(KeyError, match="room:R9"):
        named(centre, ["room:R9"])


def test_the_plain_power_cut_needs_a_feed(centre: Estate) -> None:
    cut = power_cut(centre, 30)
    assert (cut.injects[0].falls, cut.injects[1].returns, cut.injects[1].at_s) == (("power",), ("power",), 1800.0)
