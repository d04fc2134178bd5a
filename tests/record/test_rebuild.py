"""Views made anew, and the proof that those at hand equal a rebuild."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from record.scene import (
    NINE,
    SECOND,
    Scene,
    ipp,
    mention,
    merge,
    movement,
    named,
    patient,
    patient_id,
    record_of,
    result,
    stay,
    stay_id,
)
from releve.errors import WrongUse
from releve.record import Archive, rebuild, verify_views
from releve.record.schema import VIEWS_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stopped node that folded thirty events."""
    scene = Scene(tmp_path / "node")
    for n in range(30):
        number = str(n % 5)
        scene.tell(
            patient(number, NINE - n * SECOND, name=named(f"Müller{n}")),
            stay(number, number),
            movement(number, number, "A01", place=("CARDIO", number, "A")),
            result(f"r{n}", number, n),
        )
        scene.archive.fold_new()
    scene.tell(merge("1", "2"))
    scene.archive.fold_new()
    scene.close()
    return tmp_path / "node"


def altered(folder: Path, statement: str) -> None:
    db = sqlite3.connect(folder / VIEWS_FILE)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_rebuild_gives_the_same_record_and_says_how_far_it_is(folder: Path) -> None:
    before = record_of(folder)
    altered(folder, "DELETE FROM resource")
    seen: list[tuple[int, int]] = []
    assert rebuild(folder, lambda done, total: seen.append((done, total))) == 31
    assert seen[-1] == (31, 31)
    assert record_of(folder) == before
    assert verify_views(folder).is_clean
    assert not list(folder.glob("views.new*.db"))


def test_a_rebuild_is_refused_while_the_node_runs(folder: Path) -> None:
    archive = Archive(folder, origin="H01")
    with pytest.raises(WrongUse, match="Stop that node first"):
        rebuild(folder)
    archive.close()


def test_sound_views_have_no_findings_even_while_the_node_folds(folder: Path) -> None:
    archive = Archive(folder, origin="H01")
    findings = verify_views(folder)
    archive.close()
    assert (findings.is_clean, findings.checked, findings.sentences()) == (True, 31, [])
    assert not list(folder.glob("views.verify*"))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE resource SET json = '{}' WHERE key = 1", "resource, key 1: json differ"),
        ("UPDATE person SET family = 'SECRET' WHERE key = 1", "person, key 1: family differ"),
        ("DELETE FROM version WHERE (key, n) = (SELECT key, n FROM version LIMIT 1)", "version"),
        ("DELETE FROM token", "token lacks a row"),
        ("INSERT INTO kept VALUES (99, 'H01', 'x', 'y', 'z', 1, 'SECRET')", "kept has a row more"),
        ("UPDATE stay SET ward = 'SECRET' WHERE encounter = (SELECT min(encounter) FROM stay)", "ward differ"),
        ("UPDATE meta SET value = 500 WHERE name = 'position'", "stand at 500"),
    ],
)
def test_an_altered_row_is_found_and_named_without_what_stands_in_it(folder: Path, statement: str, words: str) -> None:
    altered(folder, statement)
    findings = verify_views(folder)
    assert not findings.is_clean
    told = " ".join(findings.sentences())
    assert words in told
    assert "SECRET" not in told
    assert "Müller" not in told


def test_views_that_are_absent_or_torn_are_found(folder: Path) -> None:
    (folder / VIEWS_FILE).write_bytes(b"no database" * 1000)
    assert [one.code for one in verify_views(folder).found] == ["record.no-views"]
    (folder / VIEWS_FILE).unlink()
    assert [one.code for one in verify_views(folder).found] == ["record.no-views"]


def test_views_of_a_node_are_rebuilt_for_that_node(folder: Path) -> None:
    rebuild(folder)
    archive = Archive(folder)
    assert archive.fold_new() == 0
    archive.close()
    assert verify_views(folder).is_clean


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_how_the_events_were_cut_into_batches_leaves_no_trace(tmp_path: Path, batch: int) -> None:
    """A stay that only results spoke of is in memory for one batch and read from its row in the next."""
    scene = Scene(tmp_path / "node")
    for n in range(9):
        number = str(n % 2)
        scene.tell(
            mention("Patient", patient_id(number), NINE + n * SECOND, patient_id(number), identifier=[ipp(number)]),
            mention("Encounter", stay_id(number), NINE + n * SECOND, patient_id(number), status="in-progress"),
            result(f"r{n}", number, n),
        )
        if n % 3 == 2:
            scene.restart_archive()
        while scene.archive.fold_new(batch):
            pass
    scene.close()
    assert verify_views(tmp_path / "node").sentences() == []
