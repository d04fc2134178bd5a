"""The rule of the batteries as transcripts: what the UPS say in, what is decided out."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.power.nights import BOTH, ESTATE, Night, ups
from releve.estate import Estate, load
from releve.recovery.power.budget import power_left, stages
from releve.recovery.power.memory import Memory, Shown, SourceMemory
from releve.recovery.power.reading import UpsReading, lost

EstateOf = Callable[[str], Estate]

TESTED = '[[battery.ups]]\nid = "feed-a"\ntested_s = 600\nat_load = 50\n' + (
    '[[battery.ups]]\nid = "feed-b"\ntested_s = 600\nat_load = 50\n'
)


def an_estate(estate_of: EstateOf, rules: str = "") -> Estate:
    return estate_of(ESTATE.format(rules=rules + "\n" + TESTED))


def test_a_cut_shorter_than_the_battery_stops_nothing(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    falling = lambda s: {name: ups("OB DISCHRG", runtime_s=600 - s, charge=100 - s / 6) for name in FEEDS}  # noqa: E731
    assert night.script(300, falling) is None
    assert night.says(200) is None
    assert night.kinds() == ["power-lost feed-a", "power-lost feed-b", "power-back feed-a", "power-back feed-b"]


FEEDS = ("feed_a", "feed_b")


def test_the_stop_begins_when_the_least_estimate_reaches_its_p95_and_the_margin(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of), p95_s=100)
    stop = night.script(600, lambda s: {n: ups("OB", runtime_s=600 - s, charge=100 - s / 6) for n in FEEDS})
    assert stop is not None
    assert set(stop.units) == BOTH | {"archive"}
    assert stop.left_s <= 160
    assert night.at_s == 1000 + 440, "600 s announced less 440 are 160"


def test_one_feed_of_two_stops_only_what_has_no_other(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    stop = night.script(600, lambda s: {"feed_a": ups("OB", runtime_s=600 - s)})
    assert stop is not None
    assert stop.units == ("archive",)
    assert night.script(300, lambda s: {"feed_a": ups("OB", runtime_s=0)}) is None


def test_two_feeds_that_share_a_load_do_not_last_as_long_as_the_better_one(estate_of: EstateOf) -> None:
    estate = an_estate(estate_of)
    night = Night(estate)
    night.says(1, feed_a=ups("OB", runtime_s=240, load=40), feed_b=ups("OB", runtime_s=600, load=40))
    left = power_left(estate, night.vigil.left())
    assert left["archive"] == 240
    assert left["storage"] == 240 + (600 - 240) / 2
    assert [sorted(units) for _, units in stages(left)] == [["archive"], sorted(BOTH | {"archive"})]


def test_low_battery_begins_the_stop_at_once(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    stop = night.says(1, feed_a=ups("OB LB"), feed_b=ups("OB LB"))
    assert stop is not None
    assert "calls the battery low" in stop.reason


def test_a_forced_shutdown_begins_the_stop_at_once(estate_of: EstateOf) -> None:
    assert Night(an_estate(estate_of)).says(1, feed_a=ups("FSD OL"), feed_b=ups("FSD OB")) is not None


def test_low_battery_on_line_power_is_a_battery_being_charged(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    assert night.says(60, feed_a=ups("OL CHRG LB", charge=8), feed_b=ups("OL CHRG LB", charge=8)) is None
    assert night.kinds() == []


def test_a_calibration_empties_the_battery_on_purpose(estate_of: EstateOf) -> None:
    assert Night(an_estate(estate_of)).says(600, feed_a=ups("OB CAL LB", runtime_s=10)) is None


def test_data_lost_on_battery_count_as_low(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    assert night.says(10, feed_a=ups("OB"), feed_b=ups("OB")) is None
    stop = night.says(60, feed_a=lost("Driver not connected"), feed_b=lost("Driver not connected"))
    assert stop is not None
    assert "which counts as low" in stop.reason
    assert night.at_s == 1010 + 1 + 5


def test_data_lost_on_line_power_are_no_cut(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    night.says(5)
    assert night.says(3600, feed_a=lost("no answer"), feed_b=lost("no answer")) is None
    assert [unit for kind, unit, detail in night.lines if "cannot be read" in detail] == ["feed-a", "feed-b"]


def test_a_feed_that_cannot_be_read_counts_as_on_battery_while_the_other_one_is(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    night.says(5)
    assert night.says(60, feed_a=lost("no answer")) is None
    stop = night.script(900, lambda s: {"feed_a": lost("no answer"), "feed_b": ups("OB", runtime_s=600 - s)})
    assert stop is not None
    assert 1065 + 430 < night.at_s < 1065 + 450, "its battery was tested: not at once, and not after it is empty"


def test_a_ups_that_says_on_battery_and_nothing_else_has_no_data(estate_of: EstateOf) -> None:
    night = Night(estate_of(ESTATE.format(rules="")))
    bare = ups("OB", runtime_s=None, charge=None, load=None)
    assert night.says(30, feed_a=bare, feed_b=bare) is not None
    assert night.at_s == 1000 + 1 + 5


def test_an_announced_runtime_that_nothing_confirms_counts_with_its_share(estate_of: EstateOf) -> None:
    night = Night(estate_of(ESTATE.format(rules="")))
    stop = night.script(600, lambda s: {n: ups("OB", runtime_s=601 - s) for n in FEEDS})
    assert stop is not None
    assert night.at_s == 1000 + 1 + 80, "four tenths of 600 s are 240 s, of which 160 s are for the stop"


def test_a_battery_that_gave_more_before_is_believed_so_far(estate_of: EstateOf) -> None:
    proved = {name: SourceMemory(shown=Shown(proved=50 * 500.0)) for name in ("feed-a", "feed-b")}
    night = Night(estate_of(ESTATE.format(rules="")), Memory(at_s=1000.0, sources=proved))
    stop = night.script(600, lambda s: {n: ups("OB", runtime_s=601 - s) for n in FEEDS})
    assert stop is not None
    assert night.at_s == 1000 + 1 + 340


def test_a_charge_that_falls_faster_than_announced_is_believed(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    stop = night.script(600, lambda s: {n: ups("OB", runtime_s=600, charge=100 - s // 3) for n in FEEDS})
    assert stop is not None
    assert 130 <= night.at_s - 1000 <= 145, "a percent every 3 s: empty at 300 s, 160 s are needed"


def test_a_battery_shows_what_it_holds_and_is_remembered(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    night.script(60, lambda s: {"feed_a": ups("OB", runtime_s=600, charge=100 - s // 4)})
    night.says(1)
    shown = night.vigil.memory.sources["feed-a"].shown
    assert shown.measured is not None
    assert 0.9 < shown.measured / (50 * 400) < 1.1
    assert shown.proved == 59 * 50


def test_power_that_flaps_cancels_nothing_and_gives_nothing_back(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    on = {name: ups("OB", runtime_s=600) for name in FEEDS}
    decided = None
    rounds = 0
    while decided is None and rounds < 100:
        decided = night.says(20, **on) or night.says(10)
        rounds += 1
    assert decided is not None
    assert 20 <= rounds <= 25, "440 s on battery in pieces of 20 s, although each announcement is 600 s again"
    assert night.says(30) is None
    assert set(night.vigil.memory.decided) == BOTH | {"archive"}
    assert night.vigil.memory.is_stopping


def test_steady_power_ends_a_cut_when_the_stop_has_ended_and_the_batteries_are_charged(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of))
    assert night.says(1, feed_a=ups("OB LB"), feed_b=ups("OB LB")) is not None
    steady = []

    def line(seconds: int, charge: float) -> None:
        for _ in range(seconds):
            night.at_s += 1
            readings = {name: ups("OL CHRG", charge=charge) for name in ("feed-a", "feed-b")}
            steady.append(night.vigil.hear(night.at_s, readings).steady)

    line(200, 5)
    night.vigil.stop_ended()
    line(10, 5)
    assert not any(steady), "nothing before the stop has ended, nothing on an empty battery"
    line(1, 30)
    assert steady[-1]
    night.vigil.forget()
    assert not night.vigil.is_cut
    assert night.vigil.memory.decided == frozenset()


def test_what_saves_load_goes_first_and_only_that(estate_of: EstateOf) -> None:
    night = Night(an_estate(estate_of, "shed_tier = 3\nshed_after_s = 60"))
    stop = night.says(200, **{name: ups("OB") for name in FEEDS})
    assert stop is not None
    assert stop.is_shed
    assert stop.units == ("archive", "portal")
    assert night.at_s == 1000 + 61
    later = night.script(600, lambda s: {n: ups("OB", runtime_s=500 - s) for n in FEEDS})
    assert later is not None
    assert set(later.units) == BOTH | {"archive"}


def test_a_new_guard_goes_on_where_the_old_one_was_killed(estate_of: EstateOf) -> None:
    estate = an_estate(estate_of)
    first = Night(estate)
    on = {name: ups("OB", runtime_s=600) for name in FEEDS}
    assert first.says(300, **on) is None
    memory = first.vigil.memory
    second = Night(estate, memory)
    second.at_s += 100  # nobody watched for so long
    stop = second.says(60, **on)
    assert stop is not None
    assert second.at_s - 1000 == 441, "what was drawn while nobody watched counts"


# One round of readings: status, announced runtime, charge, load; or silence.
_WORD = st.one_of(
    st.builds(lambda why: lost(why), st.sampled_from(["Driver not connected", "Data stale"])),
    st.builds(
        lambda status, runtime_s, charge, load: ups(status, runtime_s=runtime_s, charge=charge, load=load),
        st.sampled_from(["OL", "OL CHRG", "OB DISCHRG", "OB LB", "FSD OB", "OB CAL", "OL LB", "OFF", "BYPASS"]),
        st.one_of(st.none(), st.floats(0, 2000)),
        st.one_of(st.none(), st.integers(0, 100)),
        st.one_of(st.none(), st.floats(0, 150)),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 60), _WORD, _WORD), max_size=40))
def test_whatever_the_ups_say_the_stop_is_never_later_than_the_rule_and_never_undone(
    said: list[tuple[float, UpsReading, UpsReading]],
) -> None:
    estate = ANY
    night = Night(estate, p95_s=100)
    decided: frozenset[str] = frozenset()
    for passed_s, feed_a, feed_b in said:
        night.at_s += passed_s
        night.vigil.hear(night.at_s, {"feed-a": feed_a, "feed-b": feed_b})
        assert decided <= night.vigil.memory.decided
        decided = night.vigil.memory.decided
        left = night.vigil.left()
        for name, reading in (("feed-a", feed_a), ("feed-b", feed_b)):
            if reading.is_low:
                assert left[name].seconds == 0
            if reading.is_on_battery and reading.runtime_s is not None:
                assert left[name].seconds <= reading.runtime_s
        for unit, left_s in power_left(estate, left).items():
            assert left_s > 100 + 60 or unit in decided


def _any_estate() -> Estate:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "estate.toml"
        path.write_text(ESTATE.format(rules=TESTED), "utf-8")
        return load(path)


ANY = _any_estate()
