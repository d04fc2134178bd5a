"""One small centre, and the four moments of one bad morning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from releve.estate import Bilingual, Estate, load
from releve.recovery.forecast import forecast, progress_of
from releve.recovery.journal import Happened
from releve.sitrep import (
    Captured,
    Care,
    Edition,
    Loss,
    Measured,
    Person,
    Register,
    SituationReport,
    draft,
    headline,
    sections,
    seen,
)

CENTRE = """
[estate]
name = {fr = "Centre d'hébergement", en = "Hosting centre"}

[[site]]
id = "H01"
name = "Hôpital du Nord"
emergency = true

[[site]]
id = "H02"
name = "Hôpital du Sud"

[[feed]]
id = "feed-a"
name = {fr = "Arrivée électrique A", en = "Power feed A"}
probe = "tcp://127.0.0.1:1"

[[unit]]
id = "storage"
name = {fr = "Stockage", en = "Storage"}
needs = ["feed-a"]
duration = {p50_s = 600, p90_s = 900}
start = {command = ["x"]}

[[service]]
id = "record"
name = {fr = "Dossier patient", en = "Patient record"}
tier = 1
clinical = 1
needs = ["storage"]
duration = {p50_s = 1200, p90_s = 1800}
start = {command = ["x"]}

[[service]]
id = "mail"
name = {fr = "Messagerie", en = "Internal mail"}
tier = 3
clinical = 5
needs = ["storage"]
duration = {p50_s = 300, p90_s = 600}
start = {command = ["x"]}
"""

S = 1_000_000
#: 3 August 2024, 11:00 in Paris.
CUT = 1_722_675_600 * S
POWER = CUT + 3 * 3600 * S
Moments = dict[str, SituationReport]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    path = tmp_path / "estate.toml"
    path.write_text(CENTRE, "utf-8")
    return load(path)


def all_in(estate: Estate, state: str, at: int, since: int, evidence: Bilingual) -> list[Measured]:
    return [
        Measured(unit.id, hospital, state, since, at, evidence)  # type: ignore[arg-type] # one of the states
        for unit in estate.services()
        for hospital in unit.hospitals
    ]


@pytest.fixture
def moments(estate: Estate) -> Moments:
    """Nothing measured, during the cut, during the restart, all back."""
    return told_of(estate)


@pytest.fixture(scope="module")
def every_moment(tmp_path_factory: pytest.TempPathFactory) -> Moments:
    """The same moments, made once for all examples of a property."""
    path = tmp_path_factory.mktemp("estate") / "estate.toml"
    path.write_text(CENTRE, "utf-8")
    return told_of(load(path))


def told_of(estate: Estate) -> Moments:
    """Return the four moments of an estate's bad morning."""
    nodes = Care(open={"H01": True, "H02": True}, captured=Captured(3, 41, 5, 2), owed=51, accepted=0)
    losses = [Loss(unit, CUT + at * S, evidence=seen("silent")) for at, unit in enumerate(estate.units)]
    back = [Loss(one.unit, one.at, POWER if one.unit == "feed-a" else None, one.evidence) for one in losses]
    in_cut = CUT + 600 * S
    first = forecast(estate, progress_of(estate, [], in_cut), in_cut, Random(1))
    journal = [
        Happened(POWER, "run-began", ""),
        Happened(POWER, "up", "feed-a", "on line power", 1.0),
        Happened(POWER, "start-began", "storage"),
        Happened(POWER + 700 * S, "up", "storage", "it answers", 700.0),
        Happened(POWER + 700 * S, "start-began", "record"),
        Happened(POWER + 700 * S, "start-began", "mail"),
        Happened(POWER + 1000 * S, "up", "mail", "it answers NOOP", 300.0),
    ]
    now = POWER + 1100 * S
    second = forecast(estate, progress_of(estate, journal, now), now, Random(1))
    states = [
        *[one for one in all_in(estate, "down", now, CUT, seen("refused")) if one.service == "record"],
        *[one for one in all_in(estate, "normal", now, POWER + 1000 * S, seen("up")) if one.service == "mail"],
    ]
    end = POWER + 3600 * S
    ended = [*journal, Happened(POWER + 2000 * S, "up", "record", "it acknowledges", 1300.0)]
    half_hour = 1800 * S
    return {
        "unmeasured": draft(estate, number=1, at=CUT + 5 * S, next_at=CUT + half_hour),
        "cut": draft(
            estate,
            number=2,
            at=in_cut,
            next_at=in_cut + half_hour,
            measured=all_in(estate, "down", in_cut, CUT, seen("refused")),
            losses=losses,
            forecast=first,
            care=nodes,
            every_s=0.5,
        ),
        "restart": draft(
            estate,
            number=3,
            at=now,
            next_at=now + half_hour,
            measured=states,
            losses=back,
            journal=journal,
            forecast=second,
            earlier=[first],
            care=nodes,
            every_s=0.5,
        ),
        "back": draft(
            estate,
            number=4,
            at=end,
            next_at=end + half_hour,
            measured=all_in(estate, "normal", end, POWER + 2000 * S, seen("up")),
            losses=back,
            journal=ended,
            earlier=[first, second],
            care=Care(open={"H01": True, "H02": True}, owed=0, accepted=50, refused=1),
        ),
    }


@pytest.fixture
def told(moments: Moments) -> Callable[[str, str], str]:
    """Return all sentences of one moment in one language, one a line."""

    def lines(moment: str, lang: str) -> str:
        report = moments[moment]
        found = [headline(report, lang)]
        for section in sections(report, lang):
            found += [f"{section.key}: {line.text.strip()}" for line in section.lines]
        return "\n".join(found).replace("\u00a0", " ")

    return lines


ANNE, PAUL = Person("Anne Moreau", "directrice de garde"), Person("Paul Petit")


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "reports")


@pytest.fixture
def signed(register: Register, moments: Moments) -> Callable[..., Edition]:
    """Publish one moment as the next report, with both signatures, and return it."""

    def publish(moment: str, *, is_exercise: bool = False) -> Edition:
        report = replace(moments[moment], is_exercise=is_exercise)
        number = register.draft(report, by=PAUL).sheet.number
        register.edit(number, "emergency", "fr", "Urgences ouvertes.\x01 & < >", by=PAUL, at=report.issued_at)
        register.approve(number, by=ANNE, at=report.issued_at + S)
        return register.publish(number, by=ANNE, at=report.issued_at + 2 * S + 345)

    return publish
