"""A report and what people did with it: their words section by section, who prepared it, who answers for it.

Measured sentences are never reworded. A person's words stand under them, with the name and the hour, so that words that
contradict a measurement stand beside it and do not replace it. An edition needs two signatures before it is published:
who prepared it and who authorizes it (preparedBy and authorizedBy of EDXL-SitRep 1.0); both may be the same person,
and the page says so by naming them.
"""

from __future__ import annotations

from difflib import unified_diff
from hashlib import sha256
from typing import Literal

import msgspec

from releve.clock import Instant
from releve.errors import WrongUse
from releve.sitrep.report import SituationReport
from releve.sitrep.sections import FORM, Section
from releve.sitrep.sheet import Sheet, compose
from releve.sitrep.wording import LANGS

Status = Literal["drafted", "approved", "published", "superseded", "withdrawn"]

#: A section of a report is read aloud in a minute; what is longer belongs elsewhere.
WORDS_CHARS_MAX = 4000


class Person(msgspec.Struct, frozen=True):
    """Who did something: a name that can be called, and a function."""

    name: str
    role: str = ""

    @property
    def text(self) -> str:
        """The name with its function."""
        return f"{self.name} ({self.role})" if self.role else self.name


class Signature(msgspec.Struct, frozen=True):
    """A person and the moment."""

    by: Person
    at: Instant


class Edit(msgspec.Struct, frozen=True):
    """Words of a person for one section; kept with what they replaced.

    audience  "" for every audience that has the section
    """

    by: Person
    at: Instant
    audience: str
    lang: str
    section: str
    before: str
    after: str

    def diff(self) -> list[str]:
        """Return what was changed, line by line: "-" went, "+" came."""
        lines = unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=0)
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


class Edition(msgspec.Struct, frozen=True):
    """A report on its way: drafted, edited, approved, published."""

    sheet: Sheet
    status: Status = "drafted"
    edits: tuple[Edit, ...] = ()
    prepared: Signature | None = None
    authorized: Signature | None = None
    published: Signature | None = None

    def words(self, audience: str, lang: str, section: str) -> Edit | None:
        """Return the last words a person gave for a section in a language; None: it stands as it was drafted.

        Words for this audience alone count before words for all.
        """
        found = [one for one in self.edits if one.section == section and one.lang == lang]
        for wanted in (audience, ""):
            for one in reversed(found):
                if one.audience == wanted:
                    return one
        return None

    def seal(self) -> str:
        """Return a hash of all that a reader would read: an approval counts for this and for nothing else."""
        return sha256(msgspec.json.encode((self.sheet, self.edits))).hexdigest()


def edition_of(report: SituationReport) -> Edition:
    """Return a report as a draft nobody has touched."""
    return Edition(compose(report))


def drafted_words(sheet: Sheet, audience: str, lang: str, section: str) -> str:
    """Return the words of a draft that a person may replace: suggestions, never what was measured."""
    wanted = audience or next(one for one in ("cell", *FORM) if section in FORM[one])
    return "\n".join(line.text.strip() for line in section_of(sheet, wanted, lang, section).lines if not line.measured)


def section_of(sheet: Sheet, audience: str, lang: str, key: str) -> Section:
    """Return a section of a sheet.

    raises  WrongUse  there is no such audience, language or section; the sentence names those there are
    """
    for value, known in ((audience, tuple(FORM)), (lang, LANGS)):
        if value not in known:
            raise WrongUse("sitrep.unknown", f"{value!r} is not one of {', '.join(known)}. Nothing was changed.")
    for section in sheet.sections[audience][lang]:
        if section.key == key:
            return section
    known = FORM[audience]
    raise WrongUse(
        "sitrep.no-section",
        f"A report for {audience!r} has no section {key!r}; it has {', '.join(known)}. Nothing was changed.",
    )
