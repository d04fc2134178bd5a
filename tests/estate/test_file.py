"""Estate files: what is read, and how a wrong one is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.estate import DRIVERS, KINDS, Bilingual, BreakPoint, Command, Duration, Shift, load, load_unproved
from releve.estate.entries import UNIT_KEYS

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


EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "estate.example.toml"


def test_the_example_of_the_manual_loads_and_uses_every_key() -> None:
    estate = load(EXAMPLE)
    text = EXAMPLE.read_text("utf-8")
    assert {unit.kind for unit in estate.units.values()} == set(KINDS)
    assert {one.driver for unit in estate.units.values() for one in (unit.start, unit.stop, unit.check) if one} == set(
        DRIVERS
    )
    assert [key for key in UNIT_KEYS if f"\n{key} = " not in text] == []


def test_a_need_that_a_break_point_takes_away_is_not_waited_for_at_first() -> None:
    estate = load(EXAMPLE)
    storage = estate.units["storage-a"]
    assert "dns" in storage.hard()
    assert "dns" not in estate.first_needs(storage)


def test_included_files_are_one_estate_and_each_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "hospitals").mkdir()
    (tmp_path / "hospitals" / "nord.toml").write_text('[[site]]\nid = "nord"\nname = "Nord"\n', "utf-8")
    (tmp_path / "hospitals" / "sud.toml").write_text(
        'include = ["more.toml"]\n[[site]]\nid = "sud"\nname = "Sud"\n', "utf-8"
    )
    (tmp_path / "hospitals" / "more.toml").write_text('[[service]]\nid = "record"\nneeds = ["feed"]\n', "utf-8")
    (tmp_path / "power.toml").write_text('[[feed]]\nid = "feed"\n', "utf-8")
    estate = load(write(tmp_path, 'include = ["power.toml", "hospitals/*.toml"]\n'))
    assert list(estate.units) == ["feed", "record"]
    assert estate.units["record"].hospitals == ("nord", "sud")
    assert [Path(file).name for file in estate.files] == [
        "estate.toml",
        "power.toml",
        "more.toml",
        "nord.toml",
        "sud.toml",
    ]
    assert Path(estate.units["feed"].file).name == "power.toml"


@pytest.mark.parametrize(
    ("include", "says"),
    [
        ("gone.toml", "which is not there"),
        ("none/*.toml", "and no file is called so"),
        ("../estate.toml", "must lie beside or below this file"),
        ("/etc/estate.toml", "must lie beside or below this file"),
        ("circle.toml", "which includes this file again"),
        ("twice.toml", "stands in the file before"),
        ("head.toml", "write it in one file"),
    ],
)
def test_a_wrong_include_is_refused_with_file_and_line(tmp_path: Path, include: str, says: str) -> None:
    (tmp_path / "circle.toml").write_text('include = ["estate.toml"]\n', "utf-8")
    (tmp_path / "twice.toml").write_text('# again\n[[feed]]\nid = "feed"\n', "utf-8")
    (tmp_path / "head.toml").write_text('[estate]\nname = "other"\n', "utf-8")
    sentence = refusal(tmp_path, f'include = ["{include}"]\n[estate]\nname = "x"\n[[feed]]\nid = "feed"\n')
    assert says in sentence
    assert ".toml, line " in sentence


def capacity(shifts: str, amount: int = 2) -> str:
    return f'[[capacity]]\nid = "crew"\namount = {amount}\nshifts = [{shifts}]\n[[feed]]\nid = "feed"\n'


def test_a_shift_over_midnight_becomes_two(tmp_path: Path) -> None:
    text = capacity('{days = "fri-sun", from = "22:00", until = "06:30", amount = 0}')
    crew = load(write(tmp_path, text)).capacities["crew"]
    assert crew.shifts == (
        Shift(frozenset({4, 5, 6}), 22 * 3600, 86_400, 0),
        Shift(frozenset({5, 6, 0}), 0, 6 * 3600 + 1800, 0),
    )


def test_a_week_may_be_written_over_its_end_and_by_single_days(tmp_path: Path) -> None:
    text = capacity(
        '{days = "sat-mon", from = "00:00", until = "24:00", amount = 1},'
        '{from = "08:00", until = "18:00", amount = 6},'
        '{days = "tue, thu", from = "20:00", until = "24:00", amount = 3}'
    )
    crew = load(write(tmp_path, text)).capacities["crew"]
    assert [set(shift.days) for shift in crew.shifts] == [{5, 6, 0}, set(range(7)), {1, 3}]


@pytest.mark.parametrize(
    ("shift", "says"),
    [
        ('{days = "lundi", from = "08:00", until = "18:00", amount = 6}', "must be such as"),
        ('{from = "8:00", until = "18:00", amount = 6}', "must be a time such as"),
        ('{from = "08:00", until = "24:30", amount = 6}', "must be a time such as"),
        ('{from = "08:00", until = "08:00", amount = 6}', "another time than from"),
        ('{from = "08:00", until = "18:00", amount = -1}', "must be 0 or more"),
    ],
)
def test_a_wrong_shift_is_refused(tmp_path: Path, shift: str, says: str) -> None:
    sentence = refusal(tmp_path, capacity(shift))
    assert says in sentence
    assert "line 4:" in sentence


def test_a_capacity_that_is_never_there_is_refused(tmp_path: Path) -> None:
    assert "above 0 at some hour" in refusal(
        tmp_path, capacity('{from = "08:00", until = "18:00", amount = 0}', amount=0)
    )


CONTACT = '[[contact]]\nid = "it"\nphone = "1"\n'


@pytest.mark.parametrize(
    ("start", "command"),
    [
        ('{command = ["a", "b"], stays = true}', Command(("a", "b"), stays=True)),
        (
            '{ssh = "ssh://admin@db1:22", command = ["systemctl", "start", "db"], key_file = "keys/db"}',
            Command(
                ("systemctl", "start", "db"), driver="ssh", address="ssh://admin@db1:22", secret="{folder}/keys/db"
            ),
        ),
        (
            '{redfish = "https://bmc/redfish/v1/Systems/1", reset = "On", password_file = "/keys/bmc"}',
            Command(("On",), driver="redfish", address="https://bmc/redfish/v1/Systems/1", secret="/keys/bmc"),
        ),
        (
            '{ansible = "start.yml", arguments = ["--limit", "db"]}',
            Command(("{folder}/start.yml", "--limit", "db"), driver="ansible", timeout_s=1800),
        ),
        (
            '{person = "it", do = {fr = "Appuyer", en = "Press"}}',
            Command((), driver="person", address="it", timeout_s=900, words=Bilingual("Appuyer", "Press")),
        ),
    ],
)
def test_every_way_of_starting_is_read(tmp_path: Path, start: str, command: Command) -> None:
    estate = load(write(tmp_path, f'{CONTACT}[[unit]]\nid = "db"\nstart = {start}\n'))
    folder = str(tmp_path)
    expected = replace(
        command,
        argv=tuple(word.replace("{folder}", folder) for word in command.argv),
        secret=command.secret.replace("{folder}", folder),
    )
    assert estate.units["db"].start == expected


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('start = {ssh = "ssh://db1", redfish = "https://x", command = ["a"]}', "one way of doing it"),
        ('start = {ssh = "ssh://ops:geheim@db1", command = ["a"]}', "must not hold a password"),
        ('start = {ssh = "db1", command = ["a"]}', "must be ssh://HOST"),
        ('start = {ssh = "ssh://db1"}', "has no 'command'"),
        ('start = {redfish = "https://bmc", reset = "On", password = "geheim"}', "password is unknown here"),
        ('start = {person = "nobody", do = "x"}', "must name a [[contact]]"),
        ('start = {person = "it"}', "has no 'do'"),
        ('start = {ansible = " "}', "must not be empty"),
        ('stop = {command = ["a"], stays = true}', "cannot stay"),
        ('check = {command = ["a"], stays = true}', "cannot stay"),
        ('owner = "nobody"', "must be a [[contact]]"),
        ('room = "cellar"', "must be a [[room]]"),
        ('release = "nobody"', "must be a [[contact]]"),
        ("released_by_hospital = true", "has no meaning without release"),
        ("wave = -1", "must be 0"),
        ("stop_duration = {p50_s = 9, p90_s = 1}", "stop_duration must have"),
    ],
)
def test_a_wrong_entry_of_a_unit_is_refused(tmp_path: Path, entry: str, says: str) -> None:
    sentence = refusal(tmp_path, f'{CONTACT}[[unit]]\nid = "db"\n{entry}\n')
    assert says in sentence
    assert "line " in sentence
    assert "geheim" not in sentence.replace(entry, "")


BREAK = """\
[[unit]]
id = "dns"
needs = ["storage"]

[[unit]]
id = "storage"
start_needs = ["dns"]

[[break]]
unit = "storage"
without = "dns"
how = "static hosts file"
"""


def test_a_cycle_is_accepted_when_a_break_point_opens_it(tmp_path: Path) -> None:
    how = Bilingual("static hosts file", "static hosts file")
    assert load(write(tmp_path, BREAK)).breaks == (BreakPoint("storage", "dns", how),)


def test_the_refusal_of_a_cycle_demands_a_break_point_and_proposes_one(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, BREAK.partition("[[break]]")[0])
    assert '[[break]] with unit = "storage", without = "dns"' in sentence


def test_a_break_point_takes_away_a_need_that_is_there(tmp_path: Path) -> None:
    assert "must be one of what 'dns' needs" in refusal(tmp_path, BREAK.replace('unit = "storage"', 'unit = "dns"'))
    assert "is no unit" in refusal(tmp_path, BREAK.replace('unit = "storage"', 'unit = "moon"'))


def test_what_a_check_names_is_read_all_the_same(tmp_path: Path) -> None:
    text = BREAK.partition("[[break]]")[0] + "uses = {crew = 3}\n" + '[[capacity]]\nid = "crew"\namount = 1\n'
    assert set(load_unproved(write(tmp_path, text)).units) == {"dns", "storage"}


def test_a_key_of_the_same_name_as_a_section_does_not_move_the_line_of_a_refusal(tmp_path: Path) -> None:
    text = BREAK + '\n[[unit]]\nid = "db"\nneeds = ["moon"]\n'
    sentence = refusal(tmp_path, text.replace("[[break]]", "[[unit]]\nid = 'x'\n[[break]]"))
    assert f"line {line_of(text, 'moon') + 2}:" in sentence
