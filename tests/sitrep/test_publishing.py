"""Publishing: the register first, every form after it, and what a cut left out is made again."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from releve.errors import WrongUse
from releve.sitrep import Person, Register, SituationReport, render_text
from releve.sitrep.publishing import finish, publish

Moments = dict[str, SituationReport]
ANNE, PAUL = Person("Anne Moreau", "directrice de garde"), Person("Paul Petit")
FORMS = {
    "sitrep-0001.json",
    "sitrep-0001.cap.xml",
    "atom.xml",
    *(f"sitrep-0001.declaration.{lang}.txt" for lang in ("fr", "en")),
    *(
        f"sitrep-0001.{reader}{lang}.{form}"
        for reader in ("", "staff.", "authorities.", "public.")
        for lang in ("fr", "en")
        for form in ("html", "txt", "pdf")
    ),
}


def approved(register: Register, report: SituationReport) -> None:
    register.draft(report, by=PAUL)
    register.edit(1, "emergency", "fr", "Urgences ouvertes.", by=PAUL, at=report.issued_at)
    register.approve(1, by=ANNE, at=report.issued_at)


def test_every_form_is_there_and_says_who_signed(register: Register, moments: Moments) -> None:
    approved(register, moments["cut"])
    edition = publish(register, 1, by=ANNE, at=moments["cut"].issued_at)
    names = {path.name for path in register.folder.iterdir()}
    assert names >= FORMS
    text = (register.folder / "sitrep-0001.staff.fr.txt").read_text("utf-8")
    assert text == render_text(edition, "fr", "staff")
    assert "Préparé par Paul Petit" in text
    assert "Anne Moreau (directrice de garde)" in text.replace("\n", " ")
    assert (register.folder / "sitrep-0001.public.en.pdf").read_bytes().startswith(b"%PDF-")
    value = orjson.loads((register.folder / "sitrep-0001.json").read_bytes())
    assert (value["prepared_by"]["name"], value["authorized_by"]["role"]) == ("Paul Petit", "directrice de garde")
    assert value["edits"][0]["diff"][-1] == "+Urgences ouvertes."


def test_every_sentence_that_was_measured_names_evidence_that_is_there(register: Register, moments: Moments) -> None:
    approved(register, moments["restart"])
    publish(register, 1, by=ANNE, at=moments["restart"].issued_at)
    value = orjson.loads((register.folder / "sitrep-0001.json").read_bytes())
    known = {one["id"] for one in value["evidence"]}
    for part in value["sections"]["authorities"]["fr"]:
        for sentence in part["sentences"]:
            assert set(sentence["evidence"]) <= known
            if part["key"] in ("back", "out", "cause", "restart"):
                assert sentence["evidence"], sentence
    states = next(one for one in value["evidence"] if one["id"] == "state:record:down")
    assert [reading["hospital"] for reading in states["readings"]] == ["H01", "H02"]


def test_the_declaration_answers_from_facts_and_leaves_open_what_is_not_known(
    register: Register, moments: Moments
) -> None:
    approved(register, moments["cut"])
    publish(register, 1, by=ANNE, at=moments["cut"].issued_at)
    text = (register.folder / "sitrep-0001.declaration.fr.txt").read_text("utf-8").replace("\u00a0", " ")
    assert "4. Début constaté de l’incident\n    samedi 3 août 2024 à 11:00" in text
    assert "Urgences ouvertes. (texte de Paul Petit, 11:10)" in text
    assert "13. Données personnelles : perte ou divulgation\n    à compléter" in text
    assert "ne montre ni n’exclut" in " ".join(text.split())


def test_what_a_cut_left_out_is_made_again(register: Register, moments: Moments) -> None:
    approved(register, moments["cut"])
    register.publish(1, by=ANNE, at=moments["cut"].issued_at)  # and here the power went
    assert not (register.folder / "sitrep-0001.json").exists()
    assert finish(register) == [1]
    assert {path.name for path in register.folder.iterdir()} >= FORMS
    assert finish(register) == []


def test_a_wrong_mail_file_stops_before_anything_is_published(register: Register, moments: Moments) -> None:
    approved(register, moments["cut"])
    (register.folder / "mail.toml").write_text('[mail]\nsender = "nobody"\n', "utf-8")
    with pytest.raises(WrongUse, match="line 2"):
        publish(register, 1, by=ANNE, at=moments["cut"].issued_at)
    assert register.edition(1).status == "approved"


def test_the_same_report_is_the_same_pdf(register: Register, moments: Moments, tmp_path: Path) -> None:
    approved(register, moments["cut"])
    publish(register, 1, by=ANNE, at=moments["cut"].issued_at)
    first = (register.folder / "sitrep-0001.fr.pdf").read_bytes()
    (register.folder / "sitrep-0001.json").unlink()
    finish(register)
    assert (register.folder / "sitrep-0001.fr.pdf").read_bytes() == first
