"""The folder: lines that are kept whole, a lock that one process holds, and what others write into it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.errors import Refused, StoreUnable
from releve.recovery.folder import Decision, RecoveryFolder
from releve.recovery.journal import Happened

AT = 1_722_643_200_000_000
LINE = Happened(AT, "run-began", "", "x", act="restart")
DECISION = Decision("d1", AT, "pause", "Anne")


def test_one_process_holds_the_run_and_the_next_may_hold_it_afterwards(tmp_path: Path) -> None:
    folder = RecoveryFolder(tmp_path / "run")
    with folder.held() as first:
        assert first
        with folder.held() as second:
            assert not second
        with folder.held() as third:
            assert not third, "letting a lock go that one did not have gives nobody's away"
    with folder.held() as fourth:
        assert fourth


def test_a_decision_is_new_once(tmp_path: Path) -> None:
    folder = RecoveryFolder(tmp_path)
    new = folder.new_decisions()
    assert new() == []
    folder.decide(DECISION)
    assert new() == [DECISION]
    assert new() == []


def test_a_half_written_line_is_not_counted_and_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    folder = RecoveryFolder(tmp_path)
    folder.happened(LINE)
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"kind": "up", "un')
    assert folder.journal() == [LINE]
    folder.happened(LINE)
    assert folder.journal() == [LINE, LINE]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_whatever_stands_among_the_decisions_the_others_are_read(tmp_path: Path, junk: bytes) -> None:
    folder = RecoveryFolder(tmp_path)
    (tmp_path / "decisions.jsonl").write_bytes(junk.replace(b"\n", b"") + b"\n")
    folder.decide(DECISION)
    assert folder.new_decisions()()[-1:] == [DECISION]


@pytest.mark.parametrize("junk", [b"no json", b'{"kind": "up"}', b"[]", b'{"at": 3, "kind": "up"}'])
def test_a_journal_that_somebody_else_wrote_into_is_refused_with_its_line(tmp_path: Path, junk: bytes) -> None:
    folder = RecoveryFolder(tmp_path)
    folder.happened(LINE)
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(junk + b"\n")
    with pytest.raises(Refused, match=r"line 2 of .*journal\.jsonl is not what Relève writes there"):
        folder.journal()


def test_a_folder_that_cannot_be_made_says_that_nothing_was_started(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(StoreUnable, match="Nothing was started"), RecoveryFolder(tmp_path / "file" / "run").held():
        pass
