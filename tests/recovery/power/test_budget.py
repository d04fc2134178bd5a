"""What falls with a failing feed, when, and how long its orderly stop takes."""

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.power.nights import BOTH, ESTATE
from releve.estate import Estate, impact
from releve.recovery.power.budget import Left, PowerPaths, StopBudget, part, power_left, shed, sources, stop_p95_s

EstateOf = Callable[[str], Estate]


def test_only_feeds_whose_ups_can_be_read_are_sources(estate_of: EstateOf) -> None:
    text = (
        '[[feed]]\nid = "mains"\n[[ups]]\nid = "ups-a"\nneeds = ["mains"]\nprobe = "snmp://192.0.2.1"\n'
        '[[service]]\nid = "record"\nneeds = ["ups-a"]\nprobe = "nut://192.0.2.1/none"\n'
    )
    estate = estate_of(text)
    assert list(sources(estate)) == ["ups-a"]
    assert power_left(estate, {"ups-a": Left(10.0)}) == {"record": 10.0}


def test_a_battery_that_is_nearly_empty_takes_the_units_that_have_no_other(estate_of: EstateOf) -> None:
    estate = estate_of(ESTATE.format(rules=""))
    assert power_left(estate, {"feed-a": Left(10.0, 40)}) == {"archive": 10.0}
    assert power_left(estate, {}) == {}


def test_when_the_first_of_two_is_empty_its_load_goes_to_the_other(estate_of: EstateOf) -> None:
    estate = estate_of(ESTATE.format(rules=""))
    left = power_left(estate, {"feed-a": Left(100.0, 30), "feed-b": Left(400.0, 10)})
    assert left["storage"] == 100 + 300 * 10 / 40
    assert set(left) == BOTH | {"archive"}


def test_the_p95_of_a_stop_is_longer_than_its_middle_and_grows_with_what_is_stopped(estate_of: EstateOf) -> None:
    estate = estate_of(ESTATE.format(rules=""))
    whole = stop_p95_s(estate, BOTH, Random(1))
    assert whole > 4 * 4, "four stops of 4 s, one after the other"
    assert stop_p95_s(estate, {"archive"}, Random(1)) < whole
    assert stop_p95_s(estate, {"feed-a"}, Random(1)) == 0
    budget = StopBudget(estate)
    assert budget(frozenset(BOTH)) == StopBudget(estate)(frozenset(BOTH)), "the same on every console"


def test_what_may_go_first_stands_under_nothing_that_stays(estate_of: EstateOf) -> None:
    text = (
        '[[host]]\nid = "h1"\n[[host]]\nid = "h2"\n[[storage]]\nid = "disks"\n'
        '[[service]]\nid = "record"\ntier = 1\nneeds = ["h1", "index"]\n'
        '[[service]]\nid = "index"\ntier = 3\nneeds = ["h1"]\n'
        '[[service]]\nid = "archive"\ntier = 3\nneeds = ["h2", "disks"]\n'
    )
    estate = estate_of(text)
    assert shed(estate, estate.units.keys(), 3) == {"archive", "h2"}, "storage stays, and what the record stands on"


def test_a_part_of_an_estate_keeps_the_needs_among_its_units(estate_of: EstateOf) -> None:
    estate = part(estate_of(ESTATE.format(rules="")), {"record", "database"})
    assert estate.units["record"].needs == ("database",)
    assert estate.units["database"].needs == ()


_NEEDS = st.lists(st.sampled_from(["feed-a", "feed-b", "u0", "u1", "u2", "u3", "u4", "u5"]), max_size=3, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_NEEDS, _NEEDS), min_size=1, max_size=6), st.sets(st.sampled_from(["feed-a", "feed-b"])))
def test_what_loses_its_power_is_what_falls_with_its_feeds(
    units: list[tuple[list[str], list[str]]], fallen: set[str]
) -> None:
    import tempfile
    from pathlib import Path

    from releve.estate import load

    text = "".join(f'[[feed]]\nid = "{one}"\nprobe = "nut://127.0.0.1/{one}"\n' for one in ("feed-a", "feed-b"))
    for number, (needs, any_of) in enumerate(units):
        known = {"feed-a", "feed-b", *(f"u{below}" for below in range(number))}
        mine, some = [one for one in needs if one in known], [one for one in any_of if one in known]
        text += f'[[unit]]\nid = "u{number}"\nneeds = {mine}\nneeds_any = {some}\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "estate.toml"
        path.write_text(text, "utf-8")
        estate = load(path)
    left = PowerPaths(estate).left({one: Left(0.0) for one in fallen})
    assert set(left) == set(impact(estate, fallen).falls) - {"feed-a", "feed-b"}
