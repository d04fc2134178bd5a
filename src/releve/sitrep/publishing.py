"""Publishing: the signature in the register first, then every form on disk, which can be made again from it.

sitrep-0003.fr.html .txt .pdf            for the crisis cell; the same in English
sitrep-0003.staff.fr.html .txt .pdf      for each audience: staff, authorities, public
sitrep-0003.declaration.fr.txt           the incident declaration, for the authorities
sitrep-0003.cap.xml                      CAP 1.2
atom.xml                                 all published reports
"""

from __future__ import annotations

from pathlib import Path

from releve.clock import Instant
from releve.errors import StoreUnable
from releve.sitrep.atom import atom
from releve.sitrep.cap import cap
from releve.sitrep.declaration import declaration
from releve.sitrep.edition import Edition, Person
from releve.sitrep.folder import put, stem, write_edition
from releve.sitrep.html import render_html
from releve.sitrep.outbox import READERS, MailRules, queue, read_mail_rules
from releve.sitrep.pdf import render_pdf
from releve.sitrep.register import Register
from releve.sitrep.text import render_text
from releve.sitrep.wording import LANGS


def publish(register: Register, number: int, *, by: Person, at: Instant) -> Edition:
    """Put an approved report in force, write all its forms, and queue its e-mails (mail.deliver sends them).

    raises  Refused      it is not approved as it stands, or its facts are too old: nothing was published
            WrongUse     mail.toml is wrong: nothing was published
            StoreUnable  the disk refused; where the register has taken the signature, `finish` writes the rest
    """
    rules = read_mail_rules(register.folder)
    edition = register.publish(number, by=by, at=at)
    _write(register, edition, rules)
    return edition


def finish(register: Register) -> list[int]:
    """Write the forms of published reports that a cut kept from being written; returns their numbers."""
    made = []
    for edition in reversed(register.editions()):
        if edition.published is not None and not _is_whole(register.folder, edition):
            _write(register, edition, read_mail_rules(register.folder))
            made.append(edition.sheet.number)
    return made


def _is_whole(folder: Path, edition: Edition) -> bool:
    """Say whether the last file of a published report is there."""
    return (folder / f"{stem(edition.sheet.number)}.json").exists()


def _write(register: Register, edition: Edition, rules: MailRules | None) -> None:
    folder, name = register.folder, stem(edition.sheet.number)
    published = [one for one in register.editions() if one.published is not None]
    older = [one for one in published if one.sheet.number < edition.sheet.number]
    pdfs: dict[str, dict[str, bytes]] = {}
    try:
        for audience in READERS:
            pdfs[audience] = _write_audience(folder, edition, audience)
        for lang in LANGS:
            put(folder / f"{name}.{lang}.pdf", render_pdf(edition, lang))
            put(folder / f"{name}.declaration.{lang}.txt", declaration(edition, lang).encode())
        sender = rules.sender if rules is not None else "releve"
        put(folder / f"{name}.cap.xml", cap(edition, older[0] if older else None, sender=sender))
        put(folder / "atom.xml", atom(edition.sheet.name, published, edition.sheet.issued_at))
        if rules is not None:
            queue(folder, edition, rules, pdfs)
    except OSError as error:
        raise StoreUnable(
            "sitrep.unwritten",
            f"Report {edition.sheet.number} is published in the register, but not all its files could be written to "
            f'{folder}: {error.strerror}. Free the disk; "releve report send" writes the rest.',
        ) from error
    write_edition(edition, folder)


def _write_audience(folder: Path, edition: Edition, audience: str) -> dict[str, bytes]:
    """Write the forms for one audience; returns its PDFs by file name."""
    name = f"{stem(edition.sheet.number)}.{audience}"
    pdfs = {}
    for lang, other in (("fr", "en"), ("en", "fr")):
        page = render_html(edition, lang, audience, other=f"{name}.{other}.html")
        put(folder / f"{name}.{lang}.html", page.encode())
        put(folder / f"{name}.{lang}.txt", render_text(edition, lang, audience).encode())
        pdfs[f"{name}.{lang}.pdf"] = render_pdf(edition, lang, audience)
        put(folder / f"{name}.{lang}.pdf", pdfs[f"{name}.{lang}.pdf"])
    return pdfs
