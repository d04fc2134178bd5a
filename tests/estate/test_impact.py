"""What falls if this falls."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.estate import Estate, impact, load
from releve.estate.impact import takes_down, what_fell
from releve.estate.impact_text import impact_json, impact_text

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


def test_what_goes_on_but_could_not_start_again_is_held(tmp_path: Path) -> None:
    assert impact(read(tmp_path), ["storage"]).held == {"mail": ("storage",)}


ROOMS = """
[[site]]
id = "centre"
name = "Centre"
kind = "hosting"
[[site]]
id = "H01"
name = "Nord"
emergency = true
[[room]]
id = "cold"
name = {fr = "Salle froide", en = "Cold room"}
[[storage]]
id = "left"
room = "cold"
[[storage]]
id = "right"
room = "cold"
[[service]]
id = "record"
name = {fr = "Dossier", en = "Record"}
needs_any = ["left", "right"]
[[service]]
id = "local"
site = "H01"
"""


def test_a_room_or_a_site_falls_with_all_that_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "rooms.toml"
    path.write_text(ROOMS, "utf-8")
    estate = load(path)
    assert what_fell(estate, ["room:cold"]) == ("left", "right")
    assert impact(estate, what_fell(estate, ["room:cold"])).falls == {"record": "right"}
    assert what_fell(estate, ["site:H01", "left"]) == ("local", "left")


def test_what_is_not_there_is_refused_with_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as caught:
        what_fell(read(tmp_path), ["stroage"])
    assert "near to it: storage" in caught.value.sentence


def test_what_alone_takes_a_unit_down_is_what_impact_says(tmp_path: Path) -> None:
    estate = read(tmp_path)
    causes = takes_down(estate)
    for name in estate.units:
        assert {one for one, by in causes.items() if name in by} == {name, *impact(estate, [name]).falls}


def test_the_text_tells_services_first_in_clinical_order_and_in_french(tmp_path: Path) -> None:
    estate = read(tmp_path)
    text = impact_text(estate, impact(estate, ["storage"]), "fr")
    assert text.index("record — H02") < text.index("portal — tous les hôpitaux (2)")
    assert "Hôpital du Nord\u202f: portal" in text
    assert "mail (sans storage)" in text
    assert "No service falls." in impact_text(estate, impact(estate, ["feed-a"]), "en")


def test_the_json_names_hospitals_and_services(tmp_path: Path) -> None:
    estate = read(tmp_path)
    content = impact_json(estate, impact(estate, ["storage"]))
    assert content["hospitals"] == {"H01": ["portal"], "H02": ["record", "portal"]}
    assert [one["id"] for one in content["services"]] == ["record", "portal"]
    assert content["held"] == {"mail": ["storage"]}
