import csv
from pathlib import Path

import pytest

from releve.demo.hospitals import HOSPITALS

FACTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "aphp" / "aphp_hospitals.csv"


def test_there_are_thirty_eight_hospitals_in_six_groups_with_ids_of_their_own() -> None:
    assert len({hospital.id for hospital in HOSPITALS}) == len(HOSPITALS) == 38
    assert len({hospital.name for hospital in HOSPITALS}) == 38
    assert len({hospital.group for hospital in HOSPITALS}) == 6


@pytest.mark.skipif(not FACTS.exists(), reason="the public list of hospitals is not beside this checkout")
def test_names_and_cities_are_those_of_the_public_list() -> None:
    with FACTS.open(newline="") as file:
        listed = [(row["id"], row["name"], row["city"]) for row in csv.DictReader(file)]
    assert [(hospital.id, hospital.name, hospital.city) for hospital in HOSPITALS] == listed
