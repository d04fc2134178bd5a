"""What waits for a person, and who was first."""

import pytest

from releve.board.waiting import earlier, questions, unanswered

from .scene import BEGAN, MIN, Crisis


def keys(crisis: Crisis) -> list[str]:
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    return [question.key for question in questions(recovery.estate, recovery.run(), recovery.decisions)]


def test_each_release_waits_for_its_own_hospital_with_the_number_to_call(crisis: Crisis) -> None:
    assert keys(crisis) == ["laboratory.release.H01", "laboratory.release.H02", "laboratory.release.H03"]
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    first = questions(recovery.estate, recovery.run(), ())[0]
    assert first.contact is not None
    assert (first.contact.phone, first.answers) == ("01 02 03 04 06", ("release", "refuse"))


def test_what_the_journal_answered_waits_no_longer(crisis: Crisis) -> None:
    crisis.tell("released", "laboratory", 39, hospital="H02", by="paul")
    assert keys(crisis) == ["laboratory.release.H01", "laboratory.release.H03"]
    crisis.tell("released", "laboratory", 39.5, by="paul")
    assert keys(crisis) == []


def test_a_refusal_is_shown_and_a_later_yes_still_counts(crisis: Crisis) -> None:
    crisis.tell("refused", "laboratory", 39, hospital="H01", by="paul", detail="deux potassiums faux")
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    first = questions(recovery.estate, recovery.run(), ())[0]
    assert first.refused is not None
    assert first.refused.by == "paul"
    assert "release" in first.answers


@pytest.mark.parametrize("end", ["start-began", "up", "skipped"])
def test_a_failure_waits_until_somebody_did_something_about_it(crisis: Crisis, end: str) -> None:
    crisis.tell("failed", "record", 39, detail="not up within 120 s")
    crisis.tell("asked", "record", 39.1, act="failed", detail="retry, skip or cancel")
    assert keys(crisis)[-1] == "record.failed"
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    assert questions(recovery.estate, recovery.run(), ())[-1].detail == "not up within 120 s"
    crisis.tell(end, "record", 39.2)
    assert "record.failed" not in keys(crisis)


def test_nothing_waits_once_the_run_has_ended(crisis: Crisis) -> None:
    crisis.tell("run-ended", minute=39)
    assert keys(crisis) == []


def test_a_decision_that_the_run_has_not_taken_yet_is_shown_as_such(crisis: Crisis) -> None:
    crisis.decide("release", "laboratory", hospital="H01")
    recovery = crisis.reader.read()
    assert recovery.estate is not None
    first = questions(recovery.estate, recovery.run(), recovery.decisions)[0]
    assert first.pending is not None
    assert [one.verb for one in unanswered(recovery.run(), recovery.decisions)] == ["release"]
    crisis.tell("decided", "laboratory", 39.5, decision=first.pending.id)
    recovery = crisis.reader.read()
    assert unanswered(recovery.run(), recovery.decisions) == []


def test_who_was_first_is_known_unless_the_run_turned_it_down(crisis: Crisis) -> None:
    crisis.decide("refuse", "laboratory", hospital="H01")
    recovery = crisis.reader.read()
    asked_at = BEGAN + round(38.5 * MIN)
    first = earlier(recovery.decisions, recovery.run(), "laboratory", "H01", asked_at)
    assert first is not None
    assert earlier(recovery.decisions, recovery.run(), "laboratory", "H02", asked_at) is None
    assert earlier(recovery.decisions, recovery.run(), "laboratory", "H01", first.at + 1) is None
    crisis.tell("not-obeyed", "laboratory", 39.5, decision=first.id)
    recovery = crisis.reader.read()
    assert earlier(recovery.decisions, recovery.run(), "laboratory", "H01", asked_at) is None
