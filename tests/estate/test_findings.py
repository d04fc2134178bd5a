"""What is wrong with an estate before anything has failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.estate import load_unproved
from releve.estate.findings import Finding, findings
from releve.estate.findings_text import findings_json, findings_text

HEAD = """
[[site]]
id = "nord"
name = "Nord"
[[room]]
id = "one"
[[contact]]
id = "it"
"""


def found(folder: Path, text: str) -> list[Finding]:
    path = folder / "estate.toml"
    path.write_text(HEAD + text, "utf-8")
    return findings(load_unproved(path))


def of_kind(all_found: list[Finding], kind: str) -> list[Finding]:
    return [one for one in all_found if one.kind == kind]


def test_two_feeds_that_come_from_one_are_one_feed(tmp_path: Path) -> None:
    text = """
[[feed]]
id = "street"
[[feed]]
id = "feed-a"
needs = ["street"]
[[feed]]
id = "feed-b"
needs = ["street"]
[[host]]
id = "host-1"
needs_any = ["feed-a", "feed-b"]
[[host]]
id = "host-2"
needs_any = ["feed-b", "feed-a"]
"""
    (one,) = of_kind(found(tmp_path, text), "one-feed")
    assert one.severity == "grave"
    assert one.units == ("feed-a", "feed-b", "street")
    assert one.en == "These feeds are one: feed-a, feed-b — all fall with street. 2 units depend on them."
    assert one.fr.startswith("Ces arrivées électriques n’en font qu’une\u202f: feed-a, feed-b")


def test_two_feeds_behind_one_ups_are_one_and_the_nearest_cause_is_named(tmp_path: Path) -> None:
    text = """
[[feed]]
id = "street"
[[ups]]
id = "ups"
needs = ["street"]
[[feed]]
id = "rail-a"
needs = ["ups"]
[[feed]]
id = "rail-b"
needs = ["ups"]
[[host]]
id = "host"
needs_any = ["rail-a", "rail-b"]
"""
    (one,) = of_kind(found(tmp_path, text), "one-feed")
    assert one.units == ("rail-a", "rail-b", "ups")


def test_two_feeds_measured_at_one_address_are_one(tmp_path: Path) -> None:
    feeds = "".join(f'[[feed]]\nid = "{name}"\nprobe = "nut://192.0.2.1/ups"\n' for name in ("a", "b"))
    (one,) = of_kind(found(tmp_path, feeds + '[[host]]\nid = "host"\nneeds_any = ["a", "b"]\n'), "one-feed")
    assert "measured at the same address" in one.en


def test_two_feeds_in_one_room_are_a_risk(tmp_path: Path) -> None:
    feeds = "".join(f'[[feed]]\nid = "{name}"\nroom = "one"\n' for name in ("a", "b"))
    (one,) = of_kind(found(tmp_path, feeds + '[[host]]\nid = "host"\nneeds_any = ["a", "b"]\n'), "one-feed")
    assert (one.severity, one.units) == ("risk", ("a", "b"))
    assert "one room, one, whose cooling" in one.en


def test_two_feeds_that_share_nothing_are_two(tmp_path: Path) -> None:
    text = '[[feed]]\nid = "a"\n[[feed]]\nid = "b"\n[[host]]\nid = "host"\nneeds_any = ["a", "b"]\n'
    assert of_kind(found(tmp_path, text), "one-feed") == []


def test_a_room_that_holds_both_of_two_is_named(tmp_path: Path) -> None:
    text = """
[[feed]]
id = "a"
room = "one"
[[feed]]
id = "b"
room = "one"
[[service]]
id = "record"
needs_any = ["a", "b"]
"""
    (one,) = of_kind(found(tmp_path, text), "single-room")
    assert one.units == ("record",)
    assert of_kind(found(tmp_path, text.replace('id = "b"\nroom = "one"', 'id = "b"')), "single-room") == []


TOOL = """
[recovery]
stands_on = ["vpn"]
[[feed]]
id = "feed"
[[host]]
id = "host"
needs = ["feed"]
start = {command = ["x"]}
[[network]]
id = "vpn"
"""


def test_a_tool_that_needs_what_it_is_to_bring_back_is_grave(tmp_path: Path) -> None:
    assert of_kind(found(tmp_path, TOOL), "tool-on-estate") == []
    (one,) = of_kind(found(tmp_path, TOOL + 'needs = ["host"]\n'), "tool-on-estate")
    assert one.units == ("vpn", "host", "feed")
    (power,) = of_kind(found(tmp_path, TOOL + 'needs = ["feed"]\n'), "tool-on-estate")
    assert power.units == ("vpn", "feed"), "the power that failed carries the tool too"


def test_a_tool_of_which_nobody_says_what_it_needs_is_a_gap(tmp_path: Path) -> None:
    assert of_kind(found(tmp_path, TOOL), "tool-unsaid") == []
    assert of_kind(found(tmp_path, '[[feed]]\nid = "a"\n'), "tool-unsaid")[0].severity == "gap"


NAMES = """
[[storage]]
id = "storage"
probe = "tcp://{storage}:443"
[[unit]]
id = "dns"
needs = ["storage"]
probe = "dns://192.0.2.53?name=x.example"
start = {{command = ["x"]}}
[[service]]
id = "record"
needs = ["dns"]
probe = "mllp://record.example:2575"
"""


def test_a_name_that_must_be_resolved_before_the_name_service_is_up_is_grave(tmp_path: Path) -> None:
    early, late = of_kind(found(tmp_path, NAMES.format(storage="storage.example")), "name-of-estate")
    assert (early.severity, early.units) == ("grave", ("storage",))
    assert (late.severity, late.units) == ("risk", ("record",))
    (only,) = of_kind(found(tmp_path, NAMES.format(storage="192.0.2.7")), "name-of-estate")
    assert only.units == ("record",)


@pytest.mark.parametrize(
    ("text", "kind", "severity"),
    [
        ('[[unit]]\nid = "a"\nneeds = ["b"]\n[[unit]]\nid = "b"\nneeds = ["a"]\n', "cycle", "grave"),
        ('[[unit]]\nid = "a"\nprobe = "http://u:geheim@192.0.2.1/"\n', "secret-inline", "grave"),
        ('[[unit]]\nid = "a"\nstart = {person = "it", do = "x"}\n', "person-without-phone", "grave"),
        ('[[service]]\nid = "a"\nrelease = "it"\n', "person-without-phone", "grave"),
        ('[[capacity]]\nid = "c"\namount = 1\n[[unit]]\nid = "a"\nuses = {c = 2}\n', "above-capacity", "grave"),
        (
            '[[capacity]]\nid = "c"\namount = 1\nshifts = [{from = "08:00", until = "18:00", amount = 3}]\n'
            '[[unit]]\nid = "a"\nuses = {c = 2}\n',
            "above-capacity",
            "risk",
        ),
        (
            '[[unit]]\nid = "a"\nneeds = ["b"]\n[[unit]]\nid = "b"\nneeds = ["a"]\n'
            '[[break]]\nunit = "a"\nwithout = "b"\n',
            "break-without-how",
            "grave",
        ),
        ('[[unit]]\nid = "a"\n', "not-probed", "gap"),
        ('[[unit]]\nid = "a"\nstart = {command = ["x"]}\n', "no-duration", "gap"),
        ('[[unit]]\nid = "a"\n', "no-owner", "gap"),
    ],
)
def test_each_kind_is_found_with_its_weight(tmp_path: Path, text: str, kind: str, severity: str) -> None:
    (one,) = of_kind(found(tmp_path, text), kind)
    assert one.severity == severity
    assert "geheim" not in one.fr + one.en


def test_a_single_point_is_named_with_what_it_takes_and_a_choice_is_none(tmp_path: Path) -> None:
    text = """
[[unit]]
id = "left"
[[unit]]
id = "right"
[[unit]]
id = "storage"
needs_any = ["left", "right"]
[[service]]
id = "record"
needs = ["storage"]
[[service]]
id = "mail"
needs = ["storage"]
"""
    (one,) = of_kind(found(tmp_path, text), "single-point")
    assert one.units == ("storage", "record", "mail")
    assert one.en == "storage alone takes 2 services in 1 hospital: record, mail."


def test_the_text_puts_the_grave_first_and_the_json_says_where(tmp_path: Path) -> None:
    path = tmp_path / "estate.toml"
    path.write_text('[[unit]]\nid = "a"\nneeds = ["b"]\n[[unit]]\nid = "b"\nneeds = ["a"]\n', "utf-8")
    estate = load_unproved(path)
    text = findings_text(estate, findings(estate), "fr")
    assert text.index("✗ GRAVE (1)") < text.index("· MANQUE")
    assert "[2] Cycle\u202f: a a besoin de b a besoin de a." in text
    content = findings_json(estate, findings(estate))
    assert content["grave"] == 1
    assert content["findings"][0] | {"fr": "", "en": ""} == {
        "kind": "cycle",
        "severity": "grave",
        "units": ["a", "b"],
        "fr": "",
        "en": "",
        "file": str(path),
        "line": 2,
    }
