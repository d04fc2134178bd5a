from pathlib import Path

from releve.demo.centre.__main__ import PROGRAMMES
from releve.demo.estate import PLACES, write_estate
from releve.demo.hospitals import HOSPITALS
from releve.estate import load


def test_the_estate_of_the_demo_is_one_that_can_be_loaded_for_one_hospital_and_for_all(tmp_path: Path) -> None:
    ports = {place.id: 10_000 + number for number, place in enumerate(PLACES)}
    for count in (1, 38):
        write_estate(tmp_path / "estate.toml", tmp_path / "room.json", ports, HOSPITALS[:count])
        estate = load(tmp_path / "estate.toml")
        assert set(estate.units) == {place.id for place in PLACES}
        assert estate.units["record"].hospitals == tuple(hospital.id for hospital in HOSPITALS[:count])


def test_every_program_of_the_centre_stands_in_the_estate() -> None:
    assert {place.id for place in PLACES} == set(PROGRAMMES)
