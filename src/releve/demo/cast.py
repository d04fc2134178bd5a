"""Invented people. Their family names are rare on purpose, so that a log that leaks one is found by a search."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

FAMILY_NAMES = (
    "Vauquelâtre", "Brémontier-Saulx", "D'Hautecombe", "Krzeszowiak", "Nguyễn-Phước", "Ozanéaux", "Tchicayouna",
    "Le Goarnigou", "Saint-Évremonde", "Ferrandoux", "Quillévérec", "Abdelhamidou", "Çelikyılmaz", "Monténégrier",
    "Ruisseaubleu", "Œuvrardin", "Pélissanne", "Traorékoné", "Van der Weydenhout", "Yvonnec'h", "Zarragoïtia",
    "Bellefontanges", "Castelnaudoux", "Delacroisette", "Eschenbrenner", "Fromentinelle", "Gaudichaudet", "Huchonnière",
)  # fmt: skip
GIVEN_NAMES = {
    "F": ("Éloïse", "Maëlys", "Aïssatou", "Jeanne", "Fatoumata", "Noémie", "Zoé", "Anne-Laure", "Inès", "Thérèse"),
    "M": ("Gaël", "Jérôme", "Mamadou", "François", "Loïc", "Théo", "Rémi", "Jean-Noël", "Yanis", "Barthélemy"),
}
_AGE_YEARS = (1, 97)
_YEAR_OF_THE_NIGHT = 2024


class Person(NamedTuple):
    """Somebody who does not exist. ipp is the number under which the authority (namespace, oid) knows them."""

    ipp: str
    namespace: str
    oid: str
    family: str
    given: str
    birth_date: str
    sex: str


def invent(rng: Random, ipp: str, namespace: str, oid: str) -> Person:
    """Return a person with this number; the same random source gives the same people."""
    sex = rng.choice("FM")
    year = _YEAR_OF_THE_NIGHT - rng.randint(*_AGE_YEARS)
    birth_date = f"{year}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    return Person(ipp, namespace, oid, rng.choice(FAMILY_NAMES), rng.choice(GIVEN_NAMES[sex]), birth_date, sex)
