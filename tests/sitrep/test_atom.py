"""The Atom feed: what RFC 4287 demands of a feed and of its entries."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

from releve.estate import Bilingual
from releve.sitrep import Edition
from releve.sitrep.atom import atom

ATOM = "{http://www.w3.org/2005/Atom}"
NAME = Bilingual("Centre d'hébergement", "Hosting centre")
#: RFC 3339, as RFC 4287 section 3.3 asks.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)")


def read(document: bytes) -> ElementTree.Element:
    """Check what sections 4.1.1 and 4.1.2 say must be there once, or not twice."""
    root = ElementTree.fromstring(document)
    assert root.tag == f"{ATOM}feed"
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    for part in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(part.findall(ATOM + name)) == 1
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", part.findtext(f"{ATOM}id") or "")
        assert TIME.fullmatch(part.findtext(f"{ATOM}updated") or "")
        links = [(one.get("rel"), one.get("type"), one.get("hreflang")) for one in part.findall(f"{ATOM}link")]
        assert len(links) == len(set(links))
    ids = [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))
    return root


def test_a_feed_without_reports_is_a_feed() -> None:
    root = read(atom(NAME, [], 1_722_675_600_000_000))
    assert root.findtext(f"{ATOM}updated") == "2024-08-03T09:00:00.000Z"
    assert root.findall(f"{ATOM}entry") == []


def test_what_xml_cannot_hold_is_replaced_wherever_it_came_from() -> None:
    title = read(atom(Bilingual("Centre\x01", "Centre"), [], 0)).findtext(f"{ATOM}title") or ""
    assert title.endswith("Centre\ufffd")


def test_published_reports_are_entries_newest_first(signed: Callable[..., Edition]) -> None:
    first, second = signed("cut"), signed("restart")
    root = read(atom(NAME, [second, first], 0, url="https://etat.hopital.example/"))
    titles = [entry.findtext(f"{ATOM}title") for entry in root.findall(f"{ATOM}entry")]
    assert titles == [f"Point de situation n° {n} / Situation report no. {n}" for n in (2, 1)]
    content = root.findtext(f"{ATOM}entry/{ATOM}content") or ""
    assert "Urgences ouvertes. & < >" in content, "control characters are no words"
    assert "one chance in two" not in content, "the public is told the P90 alone"
