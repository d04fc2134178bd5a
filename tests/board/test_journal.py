"""The journal as people read it and take it away."""

import csv
import io

import orjson

from releve.board.journal import Filter, entries, people, to_csv, to_json, to_text

from .scene import Crisis


def test_what_was_seen_asked_decided_done_and_announced_stands_in_one_order(crisis: Crisis) -> None:
    crisis.decide("pause", by="cora", reason="=2+2 on attend")
    found = entries(crisis.reader.read())
    assert [one.at for one in found] == sorted(one.at for one in found)
    groups = {one.kind: one.group for one in found}
    assert groups["power-lost"] == "seen"
    assert groups["asked"] == "asked"
    assert groups["pause"] == "decided"
    assert groups["up"] == "done"
    assert groups["forecast"] == "announced"
    assert people(found) == ["cora", "paul"]


def test_it_is_filtered_by_unit_group_and_person(crisis: Crisis) -> None:
    found = entries(crisis.reader.read())
    taken = [one for one in found if Filter(unit="storage").takes(one)]
    assert [one.kind for one in taken] == ["asked", "up"]
    assert [one.kind for one in taken if Filter(who="paul").takes(one)] == ["up"]
    assert [one.unit for one in found if Filter(group="seen", unit="database").takes(one)] == ["database"]


def test_the_three_files_hold_the_same_entries(crisis: Crisis) -> None:
    crisis.decide("pause", by="cora", reason="=2+2 on attend")
    found = entries(crisis.reader.read())
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    values = orjson.loads(to_json(found))
    assert len(rows) == len(values) == len(to_text(found).splitlines()) == len(found)
    assert [row["kind"] for row in rows] == [value["kind"] for value in values]
    assert rows[-1]["text"] == "'=2+2 on attend", "no spreadsheet takes a reason for a formula"
