"""The cause file collects and never concludes."""

import re

import pytest

from releve.board.cause import CauseFile, LogIns, cause_file

from .scene import BEGAN, Crisis


def of(crisis: Crisis, log_ins: LogIns | None = None) -> CauseFile:
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    return cause_file(recovery.estate, recovery, log_ins)


def words(cause: CauseFile) -> str:
    every = [*(one.sentence for one in (*cause.technical, *cause.against, *cause.neutral)), *cause.unknown]
    return "\n".join(f"{one.fr}\n{one.en}" for one in every)


def test_a_power_loss_and_what_fell_after_it_fit_a_technical_fault(crisis: Crisis) -> None:
    found = [one.sentence.en for one in of(crisis).technical]
    assert "Power feed A: seen to go on battery." in found
    assert any("2 of the 2 services lost stand on what lost its power" in one for one in found)


def test_why_the_power_went_and_what_relève_cannot_see_stay_unknown(crisis: Crisis) -> None:
    unknown = "\n".join(one.en for one in of(crisis).unknown)
    assert "Why the power went" in unknown
    assert "Relève does not see them" in unknown
    assert "Database: not stopped cleanly, integrity not checked yet." in unknown


def test_a_loss_before_the_power_went_speaks_against(crisis: Crisis) -> None:
    crisis.measured.clear()
    crisis.see("record", "down", "H01", since_min=600)
    assert [one.sentence.en for one in of(crisis).against] == [
        "Lost before the loss of power was seen: Patient record."
    ]


def test_a_failed_integrity_check_may_be_either_and_a_passed_one_is_told(crisis: Crisis) -> None:
    crisis.tell("check-failed", "database", 25, detail="3 pages with a wrong checksum")
    assert [one.topic for one in of(crisis).against] == ["integrity"]
    crisis.tell("checked", "database", 26)
    assert [one.topic for one in of(crisis).against] == []
    assert "Database: integrity check passed." in [one.sentence.en for one in of(crisis).technical]


@pytest.mark.parametrize(("wrong", "place"), [(3, "neutral"), (20, "against")])
def test_wrong_passwords_count_only_when_they_are_many(crisis: Crisis, wrong: int, place: str) -> None:
    cause = of(crisis, LogIns(BEGAN - 1, BEGAN, 40, wrong))
    assert [one.topic for one in getattr(cause, place)] == ["sign-ins"]


def test_what_people_say_stands_under_their_names(crisis: Crisis) -> None:
    crisis.decide("declare", "cause", by="ines", reason="Disjoncteur Q3 trouvé ouvert.")
    assert [(one.by, one.reason) for one in of(crisis).declared] == [("ines", "Disjoncteur Q3 trouvé ouvert.")]


@pytest.mark.parametrize("log_ins", [None, LogIns(0, 1, 40, 0), LogIns(0, 1, 40, 90)])
def test_it_never_says_that_there_was_no_attack(crisis: Crisis, log_ins: LogIns | None) -> None:
    said = words(of(crisis, log_ins))
    assert not re.search(r"no attack|not an attack|pas d.attaque|pas une attaque|aucune attaque|aucun acte", said, re.I)


def test_what_lost_its_power_does_not_speak_against_the_power(crisis: Crisis) -> None:
    crisis.see("feed-a", "down", "H01", since_min=5)
    assert [one.sentence.en for one in of(crisis).against] == []


def test_a_reading_of_a_battery_is_told_in_both_languages(crisis: Crisis) -> None:
    crisis.tell("power-reading", "feed-a", 2, detail="10 s left: reported 24 s, by load 10 s, by slope unknown")
    told = words(of(crisis))
    assert "10 s restantes : annoncées 24 s, d’après la charge 10 s, d’après la pente inconnu" in told
    assert "10 s left: reported 24 s" in told
