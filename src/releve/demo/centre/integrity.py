"""The integrity check of a program's disk after an unclean stop: every file is read, every database proved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from releve.demo.centre.room import Room

_PIECE_BYTES = 1 << 20


def flaws_of(room: Room, name: str) -> list[str]:
    """Return what is wrong with the disk of a program, as sentences; the storage has them all."""
    folder = room.path / "volumes" if name == "storage" else room.path / "volumes" / name
    if not folder.is_dir():
        return [f"it has no volume at {folder.name}"]
    return [flaw for path in sorted(folder.rglob("*")) if path.is_file() for flaw in _flaws(path)]


def _flaws(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            while file.read(_PIECE_BYTES):
                pass
        return _database_flaws(path) if path.suffix == ".db" else []
    except FileNotFoundError:
        return []  # a file that only lived while the database was being closed
    except OSError as error:
        return [f"{path.name} cannot be read: {error.strerror}"]


def _database_flaws(path: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            answer = [str(row[0]) for row in database.execute("PRAGMA quick_check")]
    except sqlite3.Error as error:
        return [f"{path.name} cannot be proved: {error}"]
    return [] if answer == ["ok"] else [f"{path.name}: {one}" for one in answer[:5]]
