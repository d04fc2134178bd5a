"""The scripted batteries of the demo: what the UPS of both feeds say while the mains are away."""

from pathlib import Path

from releve.demo.batteries import Batteries
from releve.demo.centre.power import answer, read_discharge, variables_of
from releve.demo.centre.room import Room
from releve.recovery.power.reading import from_nut, from_nut_lines


def room(folder: Path) -> Room:
    return Room(str(folder), 1, {}, {}, {}, "", "", 1.0)


def test_a_ups_on_battery_announces_less_with_each_second(tmp_path: Path) -> None:
    Batteries(room(tmp_path), now=lambda: 1000.0).discharge(24.0)
    discharge = read_discharge(room(tmp_path))
    said = [from_nut(variables_of(discharge, 1000.0 + second)) for second in (0, 12, 60)]
    assert all(one.is_on_battery for one in said)
    assert [(one.runtime_s, one.charge) for one in said] == [(24, 100), (12, 50), (0, 0)]


def test_the_mains_come_back(tmp_path: Path) -> None:
    batteries = Batteries(room(tmp_path), now=lambda: 1000.0)
    batteries.recharge()
    batteries.discharge(24.0)
    batteries.recharge()
    assert read_discharge(room(tmp_path)) is None
    assert not from_nut(variables_of(None, 0.0)).is_on_battery


def test_our_own_speaker_says_it_in_the_words_of_nut() -> None:
    lines = answer("feed-a", "LIST VAR feed-a", {"ups.status": "OB DISCHRG", "battery.runtime": "9"})
    reading = from_nut_lines(lines, "feed-a")
    assert (reading.is_on_battery, reading.runtime_s) == (True, 9)
