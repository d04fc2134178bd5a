"""What is heavy about a recovery: which job is due, and what each leaves behind."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.board.drafting import situation_report
from releve.board.recovery import RecoveryReader
from releve.config import sample
from releve.log import Log
from releve.node.folder import SERVICES_FILE, write_state
from releve.node.outlook import FORECAST_EVERY_S, PAGES_EVERY_S, PAGES_QUIET_S, Round, run
from releve.record import Archive
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened
from releve.screen import ServiceState
from releve.sitrep import Person, Register

NOW = 1_722_686_400_000_000
ESTATE = """
[estate]
name = "Centre"

[[site]]
id = "H01"
name = "H01"

[[unit]]
id = "database"
name = "Base"
duration = {p50_s = 600, p90_s = 900}
start = {command = ["x"]}

[[service]]
id = "record"
name = "Dossier"
tier = 1
needs = ["database"]
duration = {p50_s = 600, p90_s = 900}
start = {command = ["x"]}
"""


def due(turn: Round, now_s: float, **more: object) -> str:
    known = {"estate": 1, "register": None, "lines": 0, "is_own_run": False, "is_out": False}
    return turn.due(now_s, **(known | more))  # type: ignore[arg-type]


def test_without_an_estate_there_is_nothing_to_do() -> None:
    assert due(Round(), 0, estate=None) == ""


def test_a_new_estate_is_planned_first_and_once() -> None:
    turn = Round()
    assert [due(turn, 0), due(turn, 0, estate=1), due(turn, 0)] == ["plan", "pages", ""]
    assert due(turn, 1, estate=2) == "plan"


def test_a_forecast_follows_the_journal_of_a_run_of_ours_and_not_too_often() -> None:
    turn = Round(plan_of=1, pages_at_s=0, register_of=None)
    assert due(turn, 1, lines=5) == "", "a run of another node is forecast there"
    assert due(turn, 1, lines=5, is_own_run=True) == "forecast"
    assert due(turn, 2, lines=9, is_own_run=True) == ""
    assert due(turn, 1 + FORECAST_EVERY_S, lines=9, is_own_run=True) == "forecast"
    assert due(turn, 99, lines=9, is_own_run=True, is_out=False) == "", "nothing new"


def test_pages_are_written_often_while_something_is_out_and_at_once_after_a_signature() -> None:
    turn = Round(plan_of=1)
    assert due(turn, 0) == "pages"
    assert due(turn, PAGES_EVERY_S, is_out=True) == "pages"
    assert due(turn, 2 * PAGES_EVERY_S) == ""
    assert due(turn, PAGES_EVERY_S + PAGES_QUIET_S) == "pages"
    assert due(turn, PAGES_EVERY_S + PAGES_QUIET_S + 1, register=7) == "pages"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's folder with an estate, and a restart that has begun."""
    (tmp_path / "node.toml").write_text(sample("H01", "Essai"))
    (tmp_path / "run").mkdir()
    log = Log(tmp_path, "H01", Ed25519PrivateKey.generate(), now=lambda: NOW)
    archive = Archive(tmp_path, origin="H01")
    archive.close()
    log.close()
    recovery = RecoveryFolder(tmp_path / "recovery")
    recovery.happened(Happened(NOW, "run-began", ""))
    recovery.happened(Happened(NOW + 1, "start-began", "database"))
    (tmp_path / "recovery" / "estate.toml").write_text(ESTATE)
    return tmp_path


def test_a_forecast_is_kept_beside_those_before(node: Path) -> None:
    for minute in (1, 2):
        run("forecast", node, NOW + minute * 60_000_000)
    made = RecoveryFolder(node / "recovery").forecasts()
    assert [one.issued_at for one in made] == [NOW + 60_000_000, NOW + 120_000_000]
    assert made[0].last is not None


def test_the_plan_is_left_where_the_pages_read_it(node: Path) -> None:
    run("plan", node, NOW)
    plan = RecoveryReader(node / "recovery").read().plan
    assert plan is not None
    assert [step.unit for step in plan.steps] == ["database", "record"]
    for lang in ("fr", "en"):
        assert (node / "recovery" / f"runbook.{lang}.pdf").read_bytes().startswith(b"%PDF")


def test_the_public_page_is_written_and_nothing_is_drafted_before_a_person_asked(node: Path) -> None:
    run("pages", node, NOW)
    assert {path.name for path in (node / "public").iterdir()} >= {"index.fr.html", "index.en.html", "summary.json"}
    assert Register(node / "reports").editions() == []


def test_where_the_crisis_cell_sits_the_first_loss_drafts_a_report_once(node: Path) -> None:
    path = node / "node.toml"
    path.write_text(path.read_text() + "\n[estate]\ndrafts = true\n")
    run("pages", node, NOW)
    assert Register(node / "reports").editions() == [], "nothing was measured yet"
    down = ServiceState("record", "Dossier", "down", NOW, NOW, "nothing listens there", True)
    write_state(node / SERVICES_FILE, msgspec.to_builtins([down]))
    run("pages", node, NOW + 1)
    run("pages", node, NOW + 2)
    [edition] = Register(node / "reports").editions()
    assert (edition.status, edition.sheet.number) == ("drafted", 1)


def test_a_published_report_gets_its_files_and_stands_on_the_public_page(node: Path) -> None:
    by, register = Person("Cora", "cellule de crise"), Register(node / "reports")
    report = situation_report(RecoveryReader(node / "recovery").read(), NOW)
    number = register.draft(report, by=by).sheet.number
    register.approve(number, by=by, at=NOW)
    register.publish(number, by=by, at=NOW)
    run("pages", node, NOW + 1)
    assert (node / "reports" / "sitrep-0001.fr.html").exists()
    assert "cap.xml" in {path.name for path in (node / "public").iterdir()}


def test_nothing_is_done_for_a_node_without_an_estate(node: Path) -> None:
    (node / "recovery" / "estate.toml").unlink()
    run("pages", node, NOW)
    assert not (node / "public").exists()
