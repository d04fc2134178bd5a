"""CAP 1.2: the order, the times and the references that the standard asks for, and the range as parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from releve.errors import WrongUse
from releve.sitrep import Edition
from releve.sitrep.cap import cap, cap_time

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
SENDER = "crise@hopital.example"
#: CAP 1.2, 3.2.1 and 3.2.2: the sequences of the schema.
ALERT = (
    *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code"),
    *("note", "references", "incidents", "info"),
)
INFO = (
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience", "eventCode"),
    *("effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web", "contact"),
    *("parameter", "resource", "area"),
)
ONE_OF = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Public", "Restricted", "Private"},
    "category": {"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE"},
    "responseType": {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"},
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")


def in_order(element: ElementTree.Element, sequence: tuple[str, ...]) -> None:
    """Check that the children stand in the order of the schema, and hold what it allows."""
    places = [sequence.index(child.tag.removeprefix(CAP)) for child in element]
    assert places == sorted(places)
    for child in element:
        name = child.tag.removeprefix(CAP)
        if name in ONE_OF:
            assert child.text in ONE_OF[name]
        if name in ("sent", "expires", "effective", "onset"):
            assert TIME.fullmatch(child.text or "")
            assert not (child.text or "").endswith("+00:00")
        if name in ("parameter", "eventCode"):
            assert [one.tag for one in child] == [f"{CAP}valueName", f"{CAP}value"]


def read(document: bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(document)
    assert root.tag == f"{CAP}alert"
    in_order(root, ALERT)
    for name in ("identifier", "sender", "sent", "status", "msgType", "scope"):
        assert len(root.findall(CAP + name)) == 1
    assert not re.search(r"[\s,<&]", root.findtext(f"{CAP}identifier") or " ")
    for info in root.findall(f"{CAP}info"):
        in_order(info, INFO)
        for name in ("category", "event", "urgency", "severity", "certainty"):
            assert info.find(CAP + name) is not None
        assert len(info.findtext(f"{CAP}headline") or "") <= 160
    return root


def test_a_first_report_alerts_in_french_and_english(signed: Callable[..., Edition]) -> None:
    root = read(cap(signed("cut"), None, sender=SENDER, web="https://etat.hopital.example/"))
    assert [info.findtext(f"{CAP}language") for info in root.findall(f"{CAP}info")] == ["fr-FR", "en-GB"]
    assert (root.findtext(f"{CAP}msgType"), root.findtext(f"{CAP}status")) == ("Alert", "Actual")
    assert root.findtext(f"{CAP}sent") == "2024-08-03T11:10:02+02:00"
    assert root.find(f"{CAP}references") is None
    values = {one.findtext(f"{CAP}valueName"): one.findtext(f"{CAP}value") for one in root.iter(f"{CAP}parameter")}
    assert values["releve:state:record"] == "down"
    assert re.fullmatch(r"PT\d+S", values["releve:return-after-power:record:p90"] or "")
    assert "releve:return:record:p90" not in values, "no clock time before the power is back"


def test_the_next_report_updates_it_and_the_last_one_takes_it_back(signed: Callable[..., Edition]) -> None:
    first, second, third = signed("cut"), signed("restart"), signed("back")
    update, cancel = read(cap(second, first, sender=SENDER)), read(cap(third, second, sender=SENDER))
    assert update.findtext(f"{CAP}msgType") == "Update"
    assert update.findtext(f"{CAP}references") == (
        f"{SENDER},releve-hosting-centre-0001-1722676200,2024-08-03T11:10:02+02:00"
    )
    values = {one.findtext(f"{CAP}valueName"): one.findtext(f"{CAP}value") for one in update.iter(f"{CAP}parameter")}
    p50, p90 = values["releve:return:record:p50"], values["releve:return:record:p90"]
    assert TIME.fullmatch(p50 or "")
    assert "2024-08-03T14:18" < (p50 or "") < (p90 or "")
    assert cancel.findtext(f"{CAP}msgType") == "Cancel"
    assert {one.text for one in cancel.iter(f"{CAP}responseType")} == {"AllClear"}
    assert read(cap(first, third, sender=SENDER)).findtext(f"{CAP}msgType") == "Alert", "after all was back it is new"


def test_an_exercise_is_one(signed: Callable[..., Edition]) -> None:
    root = read(cap(signed("cut", is_exercise=True), None, sender=SENDER))
    assert root.findtext(f"{CAP}status") == "Exercise"
    assert (root.findtext(f"{CAP}info/{CAP}headline") or "").startswith("EXERCICE")


def test_times_have_an_offset_no_fractions_and_never_z() -> None:
    assert cap_time(1_722_675_600_900_000, "Europe/Paris") == "2024-08-03T11:00:00+02:00"
    assert cap_time(1_722_675_600_000_000, "UTC") == "2024-08-03T09:00:00-00:00"


def test_a_sender_that_breaks_references_is_refused(signed: Callable[..., Edition]) -> None:
    with pytest.raises(WrongUse, match="cannot be the sender"):
        cap(signed("cut"), None, sender="a, b")
