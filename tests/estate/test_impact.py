"""What falls if this falls."""

from __future__ import annotations

from pathlib import Path

from releve.estate import Estate, impact, load

CENTRE = """
[[site]]
id = "H01"
name = "Hôpital du Nord"

[[site]]
id = "H02"
name = "Hôpital du Sud"

[[feed]]
id = "feed-a"

[[feed]]
id = "feed-b"

[[unit]]
id = "storage"
needs_any = ["feed-a", "feed-b"]

[[service]]
id = "record"
clinical = 1
needs = ["storage"]
hospitals = ["H02"]

[[service]]
id = "portal"
needs = ["record"]
wants = ["feed-a"]

[[service]]
id = "mail"
start_needs = ["storage"]
"""


def read(folder: Path) -> Estate:
    path = folder / "estate.toml"
    path.write_text(CENTRE, "utf-8")
    return load(path)


def test_one_of_two_feeds_degrades_and_both_take_everything_down(tmp_path: Path) -> None:
    estate = read(tmp_path)
    one = impact(estate, ["feed-a"])
    assert one.falls == {}
    assert one.degraded == {"storage": ("feed-a",), "portal": ("feed-a",)}
    both = impact(estate, ["feed-a", "feed-b"])
    assert both.falls == {"storage": "feed-b", "record": "storage", "portal": "record"}


def test_a_fall_names_the_hospitals_and_what_each_loses(tmp_path: Path) -> None:
    estate = read(tmp_path)
    assert impact(estate, ["storage"]).hospitals == {"H01": ("portal",), "H02": ("record", "portal")}


def test_what_is_needed_only_to_start_takes_nobody_down(tmp_path: Path) -> None:
    estate = read(tmp_path)
    assert "mail" not in impact(estate, ["storage"]).falls
