"""Estate files: what is read, and how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.estate import Bilingual, Command, Duration, load

CENTRE = """\
[estate]
name = {fr = "Centre d'hébergement", en = "Hosting centre"}

[restart]
at_once = 3

[[site]]
id = "centre"
name = "Centre"
kind = "hosting"

[[site]]
id = "H01"
name = "Hôpital du Nord"
emergency = true

[[site]]
id = "H02"
name = "Hôpital du Sud"

[[capacity]]
id = "crew"
amount = 2

[[feed]]
id = "feed-a"
probe = "nut://127.0.0.1:3493/feed-a"

[[feed]]
id = "feed-b"

[[unit]]
id = "storage"
needs_any = ["feed-a", "feed-b"]
uses = {crew = 2}
duration = {p50_s = 10, p90_s = 20}
start = {command = ["start-storage", "--fast"], stays = true}
probe = "tcp://127.0.0.1:1"

[[service]]
id = "record"
name = {fr = "Dossier patient", en = "Patient record"}
clinical = 1
needs = ["storage"]
hospitals = ["H02"]
probe = "mllp://127.0.0.1:2575"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "estate.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(WrongUse) as caught:
        load(write(folder, text))
    return caught.value.sentence


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_a_file_becomes_an_estate(tmp_path: Path) -> None:
    estate = load(write(tmp_path, CENTRE))
    storage, record = estate.units["storage"], estate.units["record"]
    assert list(estate.units) == ["feed-a", "feed-b", "storage", "record"]
    assert record.name == Bilingual("Dossier patient", "Patient record")
    assert record.hospitals == ("H02",)
    assert [site.id for site in estate.hospitals()] == ["H01", "H02"]
    assert storage.duration == Duration(10, 20)
    assert storage.start == Command(("start-storage", "--fast"), stays=True)
    assert dict(storage.uses) == {"crew": 2, "at_once": 1}
    assert storage.up_within_s == 60
    assert dict(record.uses) == {}, "nothing starts it, so it takes no place among the starts"


def test_a_service_that_names_no_hospital_serves_them_all(tmp_path: Path) -> None:
    estate = load(write(tmp_path, CENTRE.replace('hospitals = ["H02"]\n', "")))
    assert estate.units["record"].hospitals == ("H01", "H02")
    assert estate.units["storage"].hospitals == ()


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ('needs = ["storage"]', 'needs = ["store"]', "'store', which is no unit of this estate"),
        ('hospitals = ["H02"]', 'hospitals = ["centre"]', "'centre', which is no [[site]]"),
        ("uses = {crew = 2}", "uses = {crew = 3}", "takes 3 of 'crew', which has 2: it could never start"),
        ("uses = {crew = 2}", "uses = {crews = 1}", "'crews', which is no [[capacity]]"),
        ("duration = {p50_s = 10, p90_s = 20}", "duration = {p50_s = 10, p90_s = 2}", "found 10 and 2"),
        ("duration = {p50_s = 10, p90_s = 20}", "duration = {p50_s = 10, p99_s = 20}", "p99_s is unknown here"),
        ("duration = {p50_s = 10, p90_s = 20}", 'duration = {p50_s = "a", p90_s = 2}', "must be a number"),
        ('probe = "mllp://127.0.0.1:2575"', 'probe = "gopher://x"', "must begin with one of"),
        ('probe = "mllp://127.0.0.1:2575"', 'probe = "mllp://127.0.0.1:99999"', "must be mllp://HOST:PORT"),
        ('probe = "mllp://127.0.0.1:2575"', 'prob = "mllp://127.0.0.1:2575"', "prob is unknown here"),
        ("clinical = 1", "clinical = 0", "must be 1 or more; found 0"),
        ("amount = 2", "amount = 2.5", "must be a whole number"),
        ('id = "H02"', 'id = "H01"', "must be given once"),
        ('"start-storage", "--fast"', "", "found an empty one"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(tmp_path: Path, right: str, wrong: str, says: str) -> None:
    text = CENTRE.replace(right, wrong)
    sentence = refusal(tmp_path, text)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if wrong and wrong in line]
    assert says in sentence
    assert f"line {lines[-1] if lines else line_of(text, 'command = []')}:" in sentence


def test_a_cycle_is_refused_by_naming_its_members_in_order(tmp_path: Path) -> None:
    text = """\
[[unit]]
id = "dns"
needs = ["storage"]

[[unit]]
id = "storage"
start_needs = ["dns"]

[[service]]
id = "record"
needs = ["dns"]
"""
    sentence = refusal(tmp_path, text)
    assert "dns needs storage needs dns." in sentence
    assert "line 2:" in sentence


def test_a_unit_that_needs_itself_is_refused(tmp_path: Path) -> None:
    assert "dns needs dns" in refusal(tmp_path, '[[unit]]\nid = "dns"\nneeds = ["dns"]\n')


def test_one_of_two_ways_is_no_cycle(tmp_path: Path) -> None:
    text = """\
[[unit]]
id = "console"
needs = ["dns"]

[[unit]]
id = "keyboard"

[[unit]]
id = "dns"
needs_any = ["console", "keyboard"]
"""
    assert set(load(write(tmp_path, text)).units) == {"console", "keyboard", "dns"}


def test_an_empty_estate_is_refused(tmp_path: Path) -> None:
    assert "names nothing to start" in refusal(tmp_path, "")
