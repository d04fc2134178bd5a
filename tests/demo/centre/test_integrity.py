"""The integrity check of the centre's disks: a whole one passes, a damaged or missing one is named."""

import sqlite3
from pathlib import Path

from releve.demo.centre.integrity import flaws_of
from releve.demo.centre.room import Room


def test_a_whole_disk_passes_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    room = Room(str(tmp_path), 1, {}, {}, {}, "", "", 1.0)
    assert flaws_of(room, "database") == ["it has no volume at database"]
    volume = tmp_path / "volumes" / "database"
    volume.mkdir(parents=True)
    (tmp_path / "volumes" / "mail").mkdir()
    (tmp_path / "volumes" / "mail" / "letter").write_text("x")
    path = volume / "centre.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, words TEXT)")
        database.executemany("INSERT INTO message (words) VALUES (?)", [("x" * 500,)] * 200)
    database.close()
    assert flaws_of(room, "database") == flaws_of(room, "storage") == []
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    assert any(flaw.startswith("centre.db") for flaw in flaws_of(room, "database"))
    assert any(flaw.startswith("centre.db") for flaw in flaws_of(room, "storage"))
