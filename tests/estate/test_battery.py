"""What an estate says about its batteries is read, or refused by its line."""

from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.estate import Battery, BatteryTest, Estate, load

UNITS = '[[feed]]\nid = "feed-a"\n[[service]]\nid = "record"\nneeds = ["feed-a"]\n'


def estate(tmp_path: Path, text: str) -> Estate:
    path = tmp_path / "estate.toml"
    path.write_text(UNITS + text, "utf-8")
    return load(path)


def test_an_estate_that_says_nothing_of_batteries_has_the_defaults(tmp_path: Path) -> None:
    assert estate(tmp_path, "").battery == Battery()


def test_margins_and_tests_of_batteries_are_read(tmp_path: Path) -> None:
    rules = "[battery]\nmargin_s = 30\nsteady_s = 600\nshed_tier = 3\n"
    battery = estate(tmp_path, rules + '[[battery.ups]]\nid = "feed-a"\ntested_s = 480\nat_load = 60\n').battery
    assert (battery.margin_s, battery.steady_s, battery.shed_tier) == (30, 600, 3)
    assert BatteryTest("feed-a", None, 480, 60) == battery.ups["feed-a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[battery]\nmargin = 3\n", "line 7.*margin.*unknown here"),
        ("[battery]\ntrusted_share = 0\n", "from 0.05 to 1; found 0"),
        ("[battery]\nmargin_s = nan\n", "found nan"),
        ("[battery]\nshed_tier = 1\n", "essential services never go first"),
        ('[[battery.ups]]\nid = "feed-z"\nrated_s = 60\n', "'feed-z', which is no unit"),
        ('[[battery.ups]]\nid = "feed-a"\n', "give rated_s"),
        ('[[battery.ups]]\nid = "feed-a"\nrated_s = 60\n' * 2, "must be given once"),
    ],
)
def test_a_wrong_battery_is_refused_by_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        estate(tmp_path, text)
