"""The life of a report: drafted, edited, approved by name, published; every step kept."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from releve.errors import Refused, StoreUnable, WrongUse
from releve.sitrep import Person, Register, SituationReport, lay_out, render_html, sections
from releve.sitrep.cap import cap
from releve.sitrep.pdf import render_pdf
from releve.sitrep.register import DRAFT_AGE_MAX_S, REGISTER, printable

Moments = dict[str, SituationReport]
S = 1_000_000
ANNE, PAUL = Person("Anne Moreau", "directrice de garde"), Person("Paul Petit")


def told(register: Register, number: int, audience: str, lang: str, section: str) -> list[str]:
    """Return the sentences of a section as they are shown, with who said them."""
    paper = lay_out(register.edition(number), audience, lang)
    part = next(part for part in paper.parts if part.key == section)
    return [line.text + (f" — {line.by}" if line.by else "") for line in part.lines]


def test_a_report_goes_from_draft_to_print_through_two_named_people(register: Register, moments: Moments) -> None:
    at = moments["cut"].issued_at
    assert register.draft(moments["cut"]).status == "drafted"
    assert register.opened() is not None
    assert register.edit(1, "emergency", "fr", "Urgences ouvertes.", by=PAUL, at=at + S).prepared is not None
    assert register.approve(1, by=ANNE, at=at + 2 * S).status == "approved"
    published = register.publish(1, by=ANNE, at=at + 3 * S)
    assert (published.status, published.prepared and published.prepared.by) == ("published", PAUL)
    assert published.authorized is not None
    assert published.authorized.by == ANNE
    assert register.opened() is None
    assert register.in_force() == published
    assert [one.verb for one in register.actions()] == ["draft", "edit", "approve", "publish"]


def test_what_was_measured_stays_beside_words_that_contradict_it(register: Register, moments: Moments) -> None:
    report = moments["cut"]
    register.draft(report)
    register.edit(1, "out", "fr", "Tout fonctionne.", by=PAUL, at=report.issued_at + S)
    measured = [line.text.strip() for one in sections(report, "fr", "staff") if one.key == "out" for line in one.lines]
    shown = told(register, 1, "staff", "fr", "out")
    assert shown == [*measured, "Tout fonctionne. — texte de Paul Petit, 11:10"]


def test_a_persons_words_take_the_place_of_what_was_suggested(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    at = moments["cut"].issued_at
    edition = register.edit(1, "staff", "en", "Use paper for doses.\r\nCall 4000.  ", by=PAUL, at=at)
    assert told(register, 1, "staff", "en", "staff") == [
        "Use paper for doses. — words of Paul Petit, 11:10",
        "Call 4000. — words of Paul Petit, 11:10",
    ]
    diff = edition.edits[0].diff()
    assert "+Call 4000." in diff
    assert any(line.startswith("-Read and enter in Relève") for line in diff)


def test_words_for_one_audience_are_not_shown_to_another(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    at = moments["cut"].issued_at
    register.edit(1, "care", "en", "For all.", by=PAUL, at=at)
    register.edit(1, "care", "en", "For the press.", by=PAUL, at=at + S, audience="public")
    assert told(register, 1, "public", "en", "care")[-1].startswith("For the press.")
    assert told(register, 1, "staff", "en", "care")[-1].startswith("For all.")


def test_words_in_one_language_are_shown_as_they_are_in_the_other(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    register.edit(1, "emergency", "fr", "Urgences ouvertes.", by=PAUL, at=moments["cut"].issued_at)
    part = next(one for one in lay_out(register.edition(1), "staff", "en").parts if one.key == "emergency")
    assert (part.lines[-1].text, part.lines[-1].lang) == ("Urgences ouvertes.", "fr")


def test_an_approval_counts_for_what_was_approved_and_for_nothing_else(register: Register, moments: Moments) -> None:
    at = moments["cut"].issued_at
    register.draft(moments["cut"], by=PAUL)
    register.approve(1, by=ANNE, at=at)
    assert register.edit(1, "care", "fr", "Un mot de plus.", by=PAUL, at=at + S).authorized is None
    with pytest.raises(Refused, match="not approved as it stands"):
        register.publish(1, by=ANNE, at=at + 2 * S)
    register.approve(1, by=ANNE, at=at + 3 * S)
    register.draft(moments["restart"])
    with pytest.raises(Refused, match="not approved as it stands"):
        register.publish(1, by=ANNE, at=moments["restart"].issued_at)


def test_nobody_approves_what_nobody_has_read(register: Register, moments: Moments) -> None:
    at = moments["cut"].issued_at
    register.draft(moments["cut"])
    with pytest.raises(Refused, match="Nobody has prepared report 1"):
        register.approve(1, by=ANNE, at=at)
    register.prepare(1, by=PAUL, at=at)
    assert register.approve(1, by=ANNE, at=at).status == "approved"


def test_who_signed_older_facts_has_not_prepared_the_newer_ones(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    register.prepare(1, by=PAUL, at=moments["cut"].issued_at)
    assert register.draft(moments["restart"]).prepared is None
    register.edit(1, "care", "fr", "Rien à signaler.", by=PAUL, at=moments["restart"].issued_at)
    again = register.draft(moments["restart"])
    assert again.prepared is not None, "whose words stand in it has"


def test_nobody_without_a_name_does_anything(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    for act in (register.prepare, register.approve, register.publish):
        with pytest.raises(WrongUse, match="named person"):
            act(1, by=Person(" "), at=0)


def test_old_facts_are_drafted_again_and_the_words_of_people_stay(register: Register, moments: Moments) -> None:
    at = moments["cut"].issued_at
    late = at + (DRAFT_AGE_MAX_S + 60) * S
    register.draft(moments["cut"])
    register.edit(1, "staff", "fr", "Appeler le 4000.", by=PAUL, at=at)
    with pytest.raises(Refused, match="61 minutes old"):
        register.approve(1, by=ANNE, at=late)
    again = register.draft(moments["restart"])
    assert (again.sheet.number, again.sheet.version, again.sheet.phase) == (1, 2, "restart")
    assert told(register, 1, "staff", "fr", "staff")[-1].startswith("Appeler le 4000.")
    assert len(list(register.folder.glob("draft-0001.*.json"))) == 2, "the first draft is kept"


def test_published_reports_are_closed_numbered_and_kept(register: Register, moments: Moments) -> None:
    for moment in ("cut", "restart"):
        at = moments[moment].issued_at
        number = register.draft(moments[moment], by=PAUL).sheet.number
        register.approve(number, by=ANNE, at=at)
        register.publish(number, by=ANNE, at=at)
    with pytest.raises(Refused, match="Report 1 is superseded and stays as it is"):
        register.edit(1, "care", "fr", "x", by=PAUL, at=0)
    assert [(one.sheet.number, one.status) for one in register.editions()] == [(2, "published"), (1, "superseded")]
    assert register.next_number() == 3


def test_a_withdrawn_number_is_not_used_again(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    assert register.withdraw(1, by=PAUL, at=0, reason="wrong estate").status == "withdrawn"
    second = register.draft(moments["restart"])
    assert second.sheet.number == 2
    assert lay_out(second, "cell", "en").supersedes == "", "nothing was published before it"


@given(words=st.text(max_size=200))
@settings(max_examples=25)
def test_whatever_a_person_pastes_becomes_words_in_every_form(
    words: str, tmp_path_factory: pytest.TempPathFactory, every_moment: Moments
) -> None:
    register = Register(tmp_path_factory.mktemp("reports"))
    register.draft(every_moment["cut"])
    edition = register.edit(1, "emergency", "fr", words, by=PAUL, at=0)
    assert render_pdf(edition, "fr", "public").startswith(b"%PDF-")
    ElementTree.fromstring(cap(edition, None, sender="a"))
    page = render_html(edition, "fr", "public")
    for line in printable(words).split("\n"):
        assert escape(line.strip()) in page
        assert "<script" not in page


def test_a_wrong_section_names_the_right_ones(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    with pytest.raises(WrongUse, match="it has back, out, care"):
        register.edit(1, "weather", "fr", "x", by=PAUL, at=0)
    with pytest.raises(WrongUse, match="'de' is not one of fr, en"):
        register.edit(1, "care", "de", "x", by=PAUL, at=0)
    with pytest.raises(WrongUse, match="no report 7"):
        register.prepare(7, by=PAUL, at=0)
    with pytest.raises(WrongUse, match="at most"):
        register.edit(1, "care", "fr", "x" * 5000, by=PAUL, at=0)


def test_a_line_that_a_power_cut_left_half_written_never_counted(register: Register, moments: Moments) -> None:
    register.draft(moments["cut"])
    path = register.folder / REGISTER
    path.write_bytes(path.read_bytes() + b'{"at":1,"verb":"publish","numb')
    assert register.edition(1).status == "drafted"
    register.prepare(1, by=PAUL, at=0)
    assert [one.verb for one in register.actions()] == ["draft", "prepare"]


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path, moments: Moments) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreUnable, match="cannot be used"):
        Register(tmp_path / "file" / "reports").draft(moments["cut"])
