"""A whole night, compressed: two hospitals, real processes, real power cuts, the real verdict."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from releve.demo.cast import FAMILY_NAMES
from releve.demo.play import Choice, play
from releve.errors import WrongUse

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
def test_two_reports_lie_there_and_at_every_node(night: tuple[int, Path, dict, str]) -> None:  # type: ignore[type-arg]
    _, folder, verdict, _ = night
    assert len([path for path in verdict["reports"] if path.endswith(".html")]) == 4
    assert all(Path(path).stat().st_size > 1000 for path in verdict["reports"])
    first = (folder / "reports" / "sitrep-0001.en.txt").read_text()
    assert "Patient record: down in every hospital (2)" in first
    for hospital in verdict["hospitals"]:
        assert (folder / "nodes" / hospital["id"] / "reports" / "sitrep-0002.fr.html").exists()


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
