"""A whole night, compressed: two hospitals, real processes, real power cuts, the real verdict."""

import json
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from releve.demo.cast import FAMILY_NAMES
from releve.demo.play import Choice, play
from releve.drill.evidence import altered, make_folder
from releve.drill.real import evidence_of
from releve.errors import WrongUse
from releve.recovery.folder import RecoveryFolder

HOSPITALS = 2


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict, str]:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("night")
    shown = StringIO()
    choice = Choice(HOSPITALS, seed=7, folder=folder / "played", json=folder / "verdict.json", is_short=True, lang="en")
    code = play(choice, Console(file=shown, width=200))
    return code, folder / "played", json.loads((folder / "verdict.json").read_bytes()), shown.getvalue()


@pytest.mark.peer
def test_nothing_is_lost_doubled_or_unread_in_the_night(night: tuple[int, Path, dict, str]) -> None:  # type: ignore[type-arg]
    code, _, verdict, shown = night
    assert code == 0, shown
    assert verdict["good"], shown
    sums = verdict["sums"]
    assert sums["acknowledged"] == sums["at_own"] == sums["sent"] > 100
    assert sums["elsewhere_expected"] == sums["elsewhere_found"] > 100
    assert [sums[kind] for kind in ("lost", "wrong", "duplicated", "missing_at_centre", "reads_failed")] == [0] * 5
    assert sums["reads_tried"] > 50


@pytest.mark.peer
def test_everything_that_the_hospitals_took_in_came_back_to_the_centre(night: tuple[int, Path, dict, str]) -> None:  # type: ignore[type-arg]
    hospitals = night[2]["hospitals"]
    assert len(hospitals) == HOSPITALS
    for hospital in hospitals:
        assert hospital["captures"] >= 2
        assert hospital["owed"] == hospital["accepted"] + hospital["refused"] > 40


@pytest.mark.peer
def test_the_centre_came_back_in_the_order_of_its_needs(night: tuple[int, Path, dict, str]) -> None:  # type: ignore[type-arg]
    restart = night[2]["restart"]
    order = restart["order"]
    assert len(order) == 14
    assert restart["failed"] == []
    assert order.index("storage") < order.index("database") < order.index("record") < order.index("lab-portal")
    assert restart["makespan_s"] >= restart["lower_bound_s"] > 0


@pytest.mark.peer
def test_three_reports_lie_there_in_every_form_and_at_every_node(night: tuple[int, Path, dict, str]) -> None:  # type: ignore[type-arg]
    _, folder, verdict, _ = night
    forms = [Path(path).suffix for path in verdict["reports"]]
    assert {form: forms.count(form) for form in set(forms)} == {".html": 6, ".txt": 6, ".pdf": 6}
    assert all(Path(path).stat().st_size > 1000 for path in verdict["reports"])
    first, second, last = ((folder / "reports" / f"sitrep-000{number}.en.txt").read_text() for number in (1, 2, 3))
    assert "Patient record: down in every hospital (2)" in first
    assert "Restart under way" in second
    assert "Every service answers in every hospital" in last
    for hospital in verdict["hospitals"]:
        assert (folder / "nodes" / hospital["id"] / "reports" / "sitrep-0003.fr.html").exists()
    assert (folder / "reports" / "sitrep-0003.cap.xml").exists()
    assert (folder / "reports" / "atom.xml").exists()
    summary = json.loads((folder / "public" / "summary.json").read_bytes())
    assert summary["status"]["indicator"] == "none"


@pytest.mark.peer
def test_a_part_was_stopped_clean_on_battery_and_the_rest_was_cut_and_checked(
    night: tuple[int, Path, dict, str],
) -> None:  # type: ignore[type-arg]
    _, folder, verdict, shown = night
    stops = verdict["stops"]
    assert len(stops["clean"]) >= 3
    assert set(stops["unclean"]) >= {"storage", "database"}
    assert not set(stops["clean"]) & set(stops["unclean"])
    assert stops["checked"] == ["storage", "database"]
    assert "killed at once (kill -9)" in shown
    journal = RecoveryFolder(folder / "nodes" / "H01" / "recovery").journal()
    kinds = [line.kind for line in journal]
    for earlier, later in pairwise(
        ["power-lost", "stop-decided", "down", "unclean", "power-back", "start-began", "checked"]
    ):
        assert kinds.index(earlier) < kinds.index(later), (earlier, later)


@pytest.mark.peer
def test_every_forecast_of_the_night_is_kept_and_scored_and_every_hospital_has_the_journal(
    night: tuple[int, Path, dict, str],  # type: ignore[type-arg]
) -> None:
    _, folder, verdict, _ = night
    record = verdict["forecasts"]
    own, other = (RecoveryFolder(folder / "nodes" / hospital["id"] / "recovery") for hospital in verdict["hospitals"])
    assert record["published"] == len(own.forecasts()) >= 4
    assert record["promises"] > 20
    assert 0 <= record["p90_held"] <= 1
    assert record["p50_error_s"] is not None
    assert own.forecasts()[0].after == ("feed-a", "feed-b")
    assert other.journal() == own.journal()


@pytest.mark.peer
def test_the_night_becomes_the_evidence_of_an_exercise(night: tuple[int, Path, dict, str], tmp_path: Path) -> None:  # type: ignore[type-arg]
    played = night[1]
    folder = make_folder(tmp_path / "evidence")
    outcome = evidence_of(folder, played, played.parent / "verdict.json", 7)
    assert outcome.is_good
    assert outcome.found.is_complete
    assert altered(folder) == []
    found = json.loads((folder / "drill.json").read_bytes())
    assert {one["mark"]: one["met"] for one in found["goals"]}["declare"]
    assert found["unclean"] >= 2
    assert found["reports"] == 3
    assert found["restart"]["makespan_s"] >= found["restart"]["lower_bound_s"] * 0.99 > 0
    assert json.loads((folder / "manifest.json").read_bytes())["real"] is True
    assert (folder / "reports" / "sitrep-0003.fr.pdf").exists()


@pytest.mark.peer
def test_no_name_of_the_cast_stands_in_a_log_line(night: tuple[int, Path, dict, str]) -> None:  # type: ignore[type-arg]
    lines = "".join(path.read_text("utf-8", "replace") for path in (night[1] / "logs").glob("*.log"))
    assert [name for name in FAMILY_NAMES if name in lines] == []


def test_a_number_of_hospitals_that_the_group_does_not_have_is_refused() -> None:
    for number in (0, 39):
        with pytest.raises(WrongUse, match="1 to 38"):
            play(Choice(hospitals=number))


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(WrongUse, match="not empty"):
        play(Choice(folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
