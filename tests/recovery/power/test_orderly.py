"""The stop that the guard carries out: in the folder of the recovery, after a run that is under way has been ended."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from releve.estate import Estate
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened
from releve.recovery.power.orderly import GUARD, OrderlyStop, restart_in

EstateOf = Callable[[str], Estate]


def files(tmp_path: Path, estate_of: EstateOf, stuck: str = "") -> Estate:
    """Two units that are files: the record stands on the storage."""
    text = ""
    for name, needs in (("storage", "[]"), ("record", '["storage"]')):
        path = tmp_path / name
        path.write_text("runs", "utf-8")
        stop = "pass" if name == stuck else f"import os; os.remove({str(path)!r})"
        text += (
            f'[[unit]]\nid = "{name}"\nneeds = {needs}\nprobe = "command:/usr/bin/test -e {path}"\ntries = 1\n'
            f"up_within_s = 0.2\nstart = {{command = {['/usr/bin/touch', str(path)]}}}\n"
            f"stop = {{command = {[sys.executable, '-c', stop]}}}\n"
        )
    return estate_of(text)


def stopped(tmp_path: Path, estate: Estate, end_wait_s: float = 0.5) -> tuple[list[str], list[str]]:
    """Return what was blocked, and what was proved down in which order."""
    folder = RecoveryFolder(tmp_path / "recovery")
    lines: list[Happened] = []
    blocked = asyncio.run(OrderlyStop(folder, end_wait_s)(estate, lines.append))
    return list(blocked), [line.unit for line in lines if line.kind == "down"]


def test_dependents_go_first(tmp_path: Path, estate_of: EstateOf) -> None:
    assert stopped(tmp_path, files(tmp_path, estate_of)) == ([], ["record", "storage"])


def test_what_a_stuck_unit_blocks_is_told(tmp_path: Path, estate_of: EstateOf) -> None:
    assert stopped(tmp_path, files(tmp_path, estate_of, stuck="record")) == (["storage"], [])


def test_a_run_under_way_is_asked_to_end_and_the_battery_does_not_wait_for_it(
    tmp_path: Path, estate_of: EstateOf
) -> None:
    folder = RecoveryFolder(tmp_path / "recovery")
    with folder.held() as is_ours:
        assert is_ours
        assert stopped(tmp_path, files(tmp_path, estate_of)) == ([], ["record", "storage"])
    (decision,) = folder.decisions()
    assert (decision.verb, decision.by) == ("cancel", GUARD)


def test_a_folder_that_cannot_be_used_keeps_nobody_from_stopping(tmp_path: Path, estate_of: EstateOf) -> None:
    (tmp_path / "recovery").write_text("a file", "utf-8")
    assert stopped(tmp_path, files(tmp_path, estate_of)) == ([], ["record", "storage"])


def test_a_restart_brings_back_what_was_stopped(tmp_path: Path, estate_of: EstateOf) -> None:
    estate = files(tmp_path, estate_of)
    stopped(tmp_path, estate)
    folder = RecoveryFolder(tmp_path / "recovery")
    lines: list[Happened] = []
    asyncio.run(restart_in(estate, folder, lines.append))
    assert [line.unit for line in lines if line.kind == "up"] == ["storage", "record"]
    with folder.held():
        asyncio.run(restart_in(estate, folder, lines.append))
    assert sum(line.kind == "run-began" for line in lines) == 1, "another console carries it out already"


def test_a_stop_that_was_noted_and_perhaps_never_launched_is_launched_at_once(
    tmp_path: Path, estate_of: EstateOf
) -> None:
    estate = files(tmp_path, estate_of)
    folder = RecoveryFolder(tmp_path / "recovery")
    for line in (Happened(1, "run-began", "", act="stop"), Happened(2, "stop-began", "record", "try 1 of 1")):
        folder.happened(line)
    assert stopped(tmp_path, estate) == ([], ["record", "storage"])
