"""What a UPS says, by NUT or by the UPS-MIB, becomes one reading; whatever else comes is lost data, never an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.recovery.power.reading import UpsReading, from_mib, from_nut, from_nut_lines

ANSWER = """BEGIN LIST VAR feed-a
VAR feed-a battery.charge "87"
VAR feed-a battery.charge.low "20"
VAR feed-a battery.runtime "840"
VAR feed-a ups.load "38.5"
VAR feed-a ups.mfr "A \\"quoted\\" maker"
VAR feed-a ups.status "OB DISCHRG"
END LIST VAR feed-a
"""


def test_the_variables_of_nut_are_read() -> None:
    reading = from_nut_lines(ANSWER, "feed-a")
    assert (reading.charge, reading.charge_low, reading.runtime_s, reading.load) == (87, 20, 840, 38.5)
    assert reading.is_on_battery
    assert not reading.is_low


def test_a_load_in_watts_counts_against_the_nominal_power() -> None:
    assert from_nut({"ups.status": "OL", "ups.realpower": "600", "ups.realpower.nominal": "2000"}).load == 30


def test_an_error_of_upsd_is_lost_data_with_its_own_word() -> None:
    reading = from_nut_lines("ERR DRIVER-NOT-CONNECTED\n", "feed-a")
    assert reading.is_lost
    assert "DRIVER-NOT-CONNECTED" in reading.detail


def test_an_answer_that_breaks_off_or_speaks_of_another_ups_is_lost_data() -> None:
    assert from_nut_lines(ANSWER[:-20], "feed-a").is_lost
    assert from_nut_lines(ANSWER, "feed-b").is_lost


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "", "many", "1e12"])
def test_a_number_that_is_none_is_not_said(value: str) -> None:
    assert from_nut({"ups.status": "OB", "battery.runtime": value}).runtime_s is None


@pytest.mark.parametrize(
    ("flags", "lost", "battery", "low"),
    [
        ("OL", False, False, False),
        ("OL CHRG LB", False, False, False),
        ("OB", False, True, False),
        ("OB LB", False, True, True),
        ("FSD OL", False, True, True),
        ("OB CAL LB", False, False, False),
        ("OFF", True, False, False),
        ("BYPASS", True, False, False),
        ("", True, False, False),
    ],
)
def test_each_status_means_one_thing(flags: str, lost: bool, battery: bool, low: bool) -> None:
    reading = UpsReading(frozenset(flags.split()))
    assert (reading.is_lost, reading.is_on_battery, reading.is_low) == (lost, battery, low)


def test_the_objects_of_the_ups_mib_are_read() -> None:
    reading = from_mib(battery_status=3, source=5, minutes=14, charge=60)
    assert (reading.runtime_s, reading.charge, reading.is_low) == (840, 60, True)
    assert not from_mib(battery_status=2, source=3, minutes=60, charge=100).is_on_battery
    assert from_mib(battery_status=2, source=2, minutes=None, charge=None).is_lost


@given(st.text(max_size=300))
def test_any_text_gives_a_reading(text: str) -> None:
    for answer in (text, f"BEGIN LIST VAR u\n{text}\nEND LIST VAR u\n", f'VAR u ups.status "{text}"\nEND LIST VAR u'):
        reading = from_nut_lines(answer, "u")
        assert reading.charge is None or 0 <= reading.charge <= 100
        assert reading.is_lost or reading.flags
