"""What a report says in each of its four shapes, and what it never says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.estate import Bilingual, Estate
from releve.recovery.forecast import Forecast, Span
from releve.recovery.journal import Happened
from releve.sitrep import (
    AUDIENCES,
    FORM,
    Declared,
    Loss,
    Measured,
    SituationReport,
    compose,
    draft,
    evidence,
    sections,
)
from releve.sitrep.sections import headline
from releve.sitrep.wording import span_clocks

Moments = dict[str, SituationReport]
Told = Callable[[str, str], str]

SHAPES = ("unmeasured", "cut", "restart", "back")
CUT = 1_722_675_600_000_000


@pytest.mark.parametrize("moment", SHAPES)
def test_a_report_knows_its_own_shape(moment: str, moments: Moments) -> None:
    assert moments[moment].phase == moment


def test_when_nothing_is_measured_it_says_so_and_nothing_else(told: Told) -> None:
    text = told("unmeasured", "en")
    assert text.startswith("No state has been measured yet: this report can say nothing about the services.")
    assert "out: Not measured: Patient record and Internal mail." in text
    assert "No service is measured as down" not in text, "nobody looked, so that would be a comfort without reason"
    assert "cause: No loss was seen by the measurements: Relève knows nothing about the cause." in text


def test_during_the_cut_no_clock_time_is_given(told: Told) -> None:
    text = told("cut", "en")
    assert text.startswith("Services down in at least one hospital: 2 of 2. The restart has not begun.")
    assert "out: Patient record: down in every hospital (2). Since 11:00." in text
    assert "counted from the return of: Power feed A." in text
    assert "out: No clock time can be given before the return of: Power feed A." in text
    assert "out: First estimate: nothing has been measured today yet" in text
    assert not re.search(r"chances? in (two|ten) before", text)
    assert (
        "care: Taken in at the hospitals since the loss: admissions 3, results 41, notes 5, other messages 2." in text
    )


def test_during_the_restart_the_range_is_two_clock_times(told: Told) -> None:
    text = told("restart", "fr")
    assert text.startswith("Redémarrage en cours. Services qui répondent dans tous les hôpitaux : 1 sur 2.")
    found = re.search(r"une chance sur deux avant (\d\d:\d\d), neuf chances sur dix avant (\d\d:\d\d)\.", text)
    assert found is not None
    assert "14:18" < found[1] < found[2]
    assert "Première estimation" not in text, "a start has been measured"
    assert "back: Messagerie : en service dans tous les hôpitaux (2). Depuis 14:16." in text
    assert "restart: 14:16:40 : Messagerie, rétabli en 5 min 00 s." in text
    assert "restart: Éléments rétablis : 3 sur 4." in text


def test_when_all_is_back_it_says_so_and_scores_what_was_announced(told: Told) -> None:
    text = told("back", "en")
    assert text.startswith("Every service answers in every hospital (2 of 2).")
    assert "out: No service is measured as down." in text
    assert "care: Refused by a central system, to be settled by a person: 1." in text
    assert re.search(
        r"forecast: Announced \(14:18:20\): essential services before 14:\d\d \(P90\)\. Held: back at", text
    )


def test_a_missed_announcement_stays_with_its_old_value(moments: Moments) -> None:
    report = moments["restart"]
    missed = Forecast(report.issued_at - 600_000_000, False, (), 1.0, {}, Span(100, 300), Span(100, 300), (), 200)
    text = "\n".join(
        line.text for section in sections(replace(report, earlier=(missed,)), "en") for line in section.lines
    )
    assert "Announced (14:08:20): essential services before 14:13:20 (P90). Not held." in text
    assert re.search(r"The forecast has moved \d+\s(min|h \d\d) later than the one before\.", text)


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("moment", SHAPES)
def test_no_report_concludes_about_an_attack(moment: str, lang: str, told: Told) -> None:
    text = told(moment, lang)
    assert {"fr": "ne montre ni n’exclut un acte malveillant", "en": "shows or excludes a malicious act"}[lang] in text
    assert not re.search(r"no attack|not an attack|pas d'attaque|aucune attaque|cyber", text, re.IGNORECASE)


def test_the_cause_lists_evidence_in_order_and_what_it_explains(told: Told) -> None:
    text = told("restart", "en")
    lines = [line.removeprefix("cause: ") for line in text.splitlines() if line.startswith("cause: ")]
    assert lines[:3] == [
        "11:00:00: first loss seen, Power feed A.",
        "14:00:00: Power feed A, there again after 3 h 00.",
        "Later losses that this one explains, by the model of the hosting centre: 3 of 3.",
    ]
    assert "The first loss is a power feed: these facts fit a power cut." in lines


def test_a_loss_that_the_power_does_not_explain_is_named(estate: Estate) -> None:
    losses = [Loss("mail", CUT), Loss("feed-a", CUT + 60_000_000)]
    report = draft(estate, number=1, at=CUT + 90_000_000, next_at=CUT + 9**12, losses=losses, every_s=5)
    text = "\n".join(line.text for section in sections(report, "en") for line in section.lines)
    assert "first loss seen, Internal mail." in text
    assert "Lost without depending on the first loss, and so still to be explained: Power feed A." in text
    assert "The first loss is not a power feed." in text


def test_emergencies_are_never_declared_open_by_a_machine(told: Told, moments: Moments) -> None:
    assert "emergency: Emergency departments and SAMU: whether they are open is not measured by Relève" in told(
        "cut", "en"
    )
    words = Bilingual("Toutes les urgences sont ouvertes.", "All emergency departments are open.")
    report = replace(moments["cut"], declared=(Declared("emergency", words, "Dr Moreau", CUT + 60_000_000),))
    text = "\n".join(line.text for section in sections(report, "en") for line in section.lines)
    assert "All emergency departments are open. (declared by Dr Moreau, 11:01)" in text
    assert "not measured by Relève and has not been declared" not in text


def test_a_hospital_that_differs_is_named(estate: Estate) -> None:
    measured = [
        Measured("record", "H01", "down", CUT, CUT + 1),
        Measured("record", "H02", "normal", None, CUT + 1),
        Measured("mail", "H01", "normal", None, CUT + 1),
    ]
    report = draft(estate, number=1, at=CUT + 2, next_at=CUT + 3, measured=measured)
    text = "\n".join(line.text for section in sections(report, "en") for line in section.lines)
    assert "Patient record: down in 1 of 2 hospitals (Hôpital du Nord). Since 11:00." in text
    assert "Internal mail: not measured in 1 of 2 hospitals (Hôpital du Sud)." in text
    assert report.phase == "cut", "one service in one hospital was not measured, so nothing is all back"


def test_a_service_that_failed_has_no_range(moments: Moments) -> None:
    report = moments["restart"]
    failed = Forecast(report.issued_at, False, (), 1.0, {}, None, None, ("record",), 200)
    text = "\n".join(
        line.text for section in sections(replace(report, forecast=failed), "en") for line in section.lines
    )
    assert "Return: no forecast is possible, a person must act." in text
    assert "chance in two" not in text


def test_a_reading_from_after_the_report_is_left_out(estate: Estate) -> None:
    later = [Measured("record", "H01", "normal", None, CUT + 9)]
    assert draft(estate, number=1, at=CUT, next_at=CUT + 1, measured=later).phase == "unmeasured"


@pytest.mark.parametrize("moment", SHAPES)
def test_a_headline_has_no_blanks_left(moment: str, moments: Moments) -> None:
    for lang in ("fr", "en"):
        assert "{" not in headline(moments[moment], lang)


def gated(moments: Moments, *more: Happened) -> SituationReport:
    """Return the report of the end, where a person must release the record to care at each hospital."""
    report = moments["back"]
    units = {**report.estate.units}
    units["record"] = replace(units["record"], release="biologist", released_by_hospital=True)
    return replace(report, estate=replace(report.estate, units=units), journal=(*report.journal, *more))


def test_what_answers_and_is_not_released_is_not_called_back(moments: Moments) -> None:
    first = Happened(CUT, "released", "record", hospital="H01", by="Dr Roux")
    report = gated(moments, first)
    assert report.phase == "restart"
    text = "\n".join(line.text for section in sections(report, "en") for line in section.lines)
    assert "Patient record: returning in 1 of 2 hospitals (Hôpital du Sud)." in text
    assert "Answers; not yet released to care in 1 of 2 hospitals (Hôpital du Sud)." in text
    assert "Patient record, released to care (Hôpital du Nord), decided by Dr Roux." in text
    assert compose(report).components[0].worst == "returning"
    whole = gated(moments, first, Happened(CUT, "released", "record", hospital="H02", by="Dr Roux"))
    assert whole.phase == "back"


def test_decisions_and_doubts_stand_in_the_course_of_the_restart(moments: Moments) -> None:
    report = replace(
        moments["restart"],
        journal=(
            *moments["restart"].journal,
            Happened(CUT, "unclean", "storage"),
            Happened(CUT, "check-failed", "storage", "2 blocks differ"),
            Happened(CUT, "skipped", "mail", "by Anne Moreau: not needed tonight", by="Anne Moreau"),
        ),
    )
    text = "\n".join(line.text for section in sections(report, "en") for line in section.lines)
    assert "Storage, lost its power before it was stopped; its integrity is to be checked." in text
    assert "Storage, its integrity check did not pass; nothing stands on it before a decision." in text
    assert "Internal mail, left out, decided by Anne Moreau." in text


@given(p50_s=st.floats(1, 10**6), more_s=st.floats(120, 10**6))
def test_the_public_is_never_told_anything_earlier_than_the_p90(
    p50_s: float, more_s: float, every_moment: Moments
) -> None:
    report = every_moment["restart"]
    span = Span(p50_s, p50_s + more_s)
    known = replace(report, forecast=Forecast(report.issued_at, False, (), 1.0, {"record": span}, span, span, (), 200))
    known = replace(known, earlier=())
    for lang in ("fr", "en"):
        early, late = span_clocks(span, report.issued_at, "Europe/Paris", lang)
        told = "\n".join(
            line.text for part in sections(known, lang, "public") for line in part.lines if part.key == "out"
        )
        assert late in told
        assert not re.search(rf"(avant|before) {re.escape(early)}[,.]", told) or early == late


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("moment", SHAPES)
def test_every_audience_reads_the_form_and_every_measured_sentence_names_its_evidence(
    moment: str, audience: str, moments: Moments
) -> None:
    report = moments[moment]
    known = evidence(report).keys()
    for lang in ("fr", "en"):
        parts = sections(report, lang, audience)
        assert tuple(part.key for part in parts) == FORM[audience]
        for part in parts:
            for line in part.lines:
                assert set(line.evidence) <= known
                if part.key in ("back", "out", "cause"):
                    assert line.evidence, line.text


def test_the_public_reads_no_technical_order_of_losses(moments: Moments) -> None:
    public = "\n".join(line.text for part in sections(moments["restart"], "en", "public") for line in part.lines)
    assert "Storage" not in public
    assert "by the model of the hosting centre" not in public
    assert "shows or excludes a malicious act" in public


def test_a_hospital_that_was_not_measured_while_others_were_is_told_as_such(moments: Moments) -> None:
    report = moments["cut"]
    there = {pair: one for pair, one in report.states.items() if pair[1] == "H01"}
    sheet = compose(replace(report, states=there))
    told = [one.text.en for one in sheet.evidence if one.id == "state:record:unknown"]
    assert told == ["Patient record: no measurement by Hôpital du Sud."]


def test_the_journal_is_named_in_the_words_of_the_reader(moments: Moments) -> None:
    told = [one.text for id_, one in evidence(moments["restart"]).items() if id_.startswith("journal:")]
    assert any("(en service)" in one.fr and "(up)" in one.en for one in told)
    assert all("(start-began)" not in one.fr for one in told)
