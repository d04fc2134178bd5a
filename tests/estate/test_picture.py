"""The estate as a picture: what is drawn, what it is called, and that a page can hold it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from releve.estate import Estate, load
from releve.estate.layers import BOXES_MAX, around, boxes, rows
from releve.estate.picture import picture

SVG = "{http://www.w3.org/2000/svg}"

CENTRE = """
[estate]
name = {fr = "Centre <nord> & sud", en = "Centre <north> & south"}
[[feed]]
id = "feed-a"
[[feed]]
id = "feed-b"
[[storage]]
id = "storage"
name = {fr = "Stockage", en = "Storage"}
needs_any = ["feed-a", "feed-b"]
start_needs = ["dns"]
[[unit]]
id = "dns"
needs = ["storage"]
[[service]]
id = "record"
needs = ["storage", "dns"]
wants = ["clock"]
[[service]]
id = "clock"
[[break]]
unit = "storage"
without = "dns"
how = "static hosts file"
"""


def read(folder: Path, text: str = CENTRE) -> Estate:
    path = folder / "estate.toml"
    path.write_text(text, "utf-8")
    return load(path)


def large(hospitals: int) -> str:
    text = '[[feed]]\nid = "feed-a"\n[[storage]]\nid = "array"\nneeds = ["feed-a"]\n'
    for number in range(hospitals):
        text += f'[[host]]\nid = "host-{number}"\nname = "Machine {number}"\nneeds = ["array"]\n'
        text += f'[[service]]\nid = "record-{number}"\nname = "Dossier {number}"\nneeds = ["host-{number}"]\n'
    return text


def link(unit: str) -> str:
    return f"/impact?unit={unit}&x=1"


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def labels(svg: str) -> list[str]:
    return [one.attrib["aria-label"] for one in drawn(svg).iter(f"{SVG}a")]


def test_every_unit_is_a_link_with_its_name_kind_and_state_in_words(tmp_path: Path) -> None:
    svg = picture(read(tmp_path), {"storage": "frozen", "dns": "up"}, "fr", link)
    assert "Stockage · Stockage · figé" in labels(svg)
    assert "record · Service · non mesuré" in labels(svg)
    assert [one.attrib["href"] for one in drawn(svg).iter(f"{SVG}a")][2] == link("storage")
    assert "Storage · Storage · frozen" in labels(picture(read(tmp_path), {"storage": "frozen"}, "en", link))


def test_each_kind_of_need_is_drawn_in_its_own_way_and_told_in_the_legend(tmp_path: Path) -> None:
    svg = picture(read(tmp_path), {}, "en", link)
    kinds = [one.attrib["class"] for one in drawn(svg).iter(f"{SVG}path") if "need" in one.get("class", "")]
    assert sorted(set(kinds)) == ["need any", "need break", "need hard", "need soft"]
    dashes = {
        one.attrib["class"]: one.get("stroke-dasharray")
        for one in drawn(svg).iter(f"{SVG}path")
        if "need" in one.get("class", "")
    }
    assert len(set(dashes.values())) == 4
    assert "one is enough" in svg
    assert "to start only" not in svg, "there is no such line here"


def test_what_would_fall_is_marked_in_words_and_not_by_colour_alone(tmp_path: Path) -> None:
    svg = picture(read(tmp_path), {"dns": "up"}, "fr", link, fallen=["dns"])
    assert "dns · Socle · tomberait (en service)" in labels(svg)


def test_a_page_that_forbids_inline_styles_and_scripts_can_hold_it(tmp_path: Path) -> None:
    svg = picture(read(tmp_path), {}, "fr", link)
    assert not [one for one in drawn(svg).iter() if "style" in one.attrib or one.tag in (f"{SVG}style", f"{SVG}script")]
    assert not [key for one in drawn(svg).iter() for key in one.attrib if key.startswith("on")]


def test_what_carries_stands_below_what_stands_on_it(tmp_path: Path) -> None:
    made, lines = boxes(read(tmp_path))
    depth = {box.units[0].id: row for row, keys in enumerate(rows(made, lines)) for box in made if box.key in keys}
    assert depth["feed-a"] == depth["feed-b"] == 0
    assert depth["storage"] == 1, "its need of dns is opened by a break point"
    assert depth["dns"] == 2
    assert depth["record"] == 3


def test_a_line_that_another_implies_is_left_out(tmp_path: Path) -> None:
    made, lines = boxes(read(tmp_path))
    name = {box.key: box.units[0].id for box in made}
    assert ("record", "dns") in {(name[line.upper], name[line.lower]) for line in lines}
    assert ("record", "storage") not in {(name[line.upper], name[line.lower]) for line in lines}


@pytest.mark.parametrize("hospitals", [40, 1_000])
def test_many_units_become_few_boxes_with_counts(tmp_path: Path, hospitals: int) -> None:
    estate = read(tmp_path, large(hospitals))
    assert len(boxes(estate)[0]) <= BOXES_MAX
    svg = picture(estate, {f"host-{hospitals - 1}": "down"}, "fr", link)
    assert f"{hospitals} × Machine · machines · en panne 1, non mesuré {hospitals - 1}".replace(" ", "") in [
        label.replace("\u00a0", "").replace(" ", "") for label in labels(svg)
    ]
    assert link(f"host-{hospitals - 1}") in [one.attrib["href"] for one in drawn(svg).iter(f"{SVG}a")], (
        "a click on a group leads to the one in the worst state"
    )


def test_the_surroundings_of_a_unit_are_an_estate_of_their_own(tmp_path: Path) -> None:
    part = around(read(tmp_path, large(40)), "host-7")
    assert set(part.units) == {"feed-a", "array", "host-7", "record-7"}


def test_units_that_wait_for_each_other_are_drawn_all_the_same(tmp_path: Path) -> None:
    from releve.estate import load_unproved

    path = tmp_path / "estate.toml"
    path.write_text(CENTRE.partition("[[break]]")[0], "utf-8")
    assert len(labels(picture(load_unproved(path), {}, "fr", link))) == 6
