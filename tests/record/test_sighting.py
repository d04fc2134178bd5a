"""Down for whom: what each hospital's node says about a service, folded from the log."""

from __future__ import annotations

from pathlib import Path

from record.scene import NINE, SECOND, Scene, write_log
from releve.log import Draft
from releve.record import Archive, Views, rebuild, verify_views
from releve.record.rows import Sighting
from releve.record.sighting import sighting_draft


def word(state: str, at: int, why: str = "up", service: str = "dossier") -> Draft:
    return sighting_draft([Sighting(service, "", state, at, at, why)], f"{service}{at:015d}".encode()[-16:])


def test_the_last_word_of_each_hospital_is_kept(tmp_path: Path) -> None:
    here, there = Scene(tmp_path / "a", "H01"), Scene(tmp_path / "b", "H02")
    here.keep(word("normal", NINE))
    here.keep(word("down", NINE + 5 * SECOND, "frozen"))
    there.keep(word("normal", NINE))
    write_log(tmp_path / "c", [*here.events(), *there.events()])
    archive = Archive(tmp_path / "c", origin="H01")
    archive.fold_all()
    views = Views(tmp_path / "c")
    assert views.sightings("dossier") == [
        Sighting("dossier", "H01", "down", NINE + 5 * SECOND, NINE + 5 * SECOND, "frozen"),
        Sighting("dossier", "H02", "normal", NINE, NINE, "up"),
    ]
    assert views.sightings() == views.sightings("dossier")
    assert views.sightings("labo") == []
    for one in (archive, views, here, there):
        one.close()


def test_what_hospitals_say_survives_a_rebuild_and_is_no_message_of_a_feed(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "node")
    scene.keep(word("down", NINE, "refused"))
    scene.keep(word("normal", NINE, service="labo"))
    seen = scene.fold().sightings()
    assert scene.views.feeds() == []
    assert scene.views.kept_not_understood(10) == []
    scene.close()
    assert verify_views(tmp_path / "node").found == []
    rebuild(tmp_path / "node")
    views = Views(tmp_path / "node")
    assert views.sightings() == seen
    views.close()


def test_a_word_that_cannot_be_read_stops_nothing(scene: Scene) -> None:
    scene.tell(kind="state", source={"services": {"dossier": ["down"]}})
    scene.keep(word("normal", NINE))
    (only,) = scene.fold().sightings()
    assert only.state == "normal"
    assert len(scene.views.kept_not_understood(10)) == 1
