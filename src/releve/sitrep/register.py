"""The register of reports: who drafted, edited, approved and published what, as lines that are only ever added.

    register.jsonl        one line per action, synced before it counts
    draft-0003.2.json     the sheet of the second draft of report 3, as it was measured; kept
    register.lock         held while an action is weighed and written, so that two people cannot both be first

There is one open draft at a time. Drafting again takes newer facts into the same number and keeps the words of people;
every change voids an approval, because somebody approved other words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal
from unicodedata import category

import msgspec

from releve.clock import Instant
from releve.errors import Refused, StoreUnable, WrongUse
from releve.recovery.lines import add_lines
from releve.recovery.lock import hold
from releve.sitrep.edition import (
    WORDS_CHARS_MAX,
    Edit,
    Edition,
    Person,
    Signature,
    drafted_words,
    section_of,
)
from releve.sitrep.folder import next_number, numbers_of, put
from releve.sitrep.report import SituationReport
from releve.sitrep.sections import FORM
from releve.sitrep.sheet import Sheet, compose

REGISTER, LOCK = "register.jsonl", "register.lock"

#: What was measured longer ago than this is not published as if it were now; drafting again keeps people's words.
DRAFT_AGE_MAX_S = 3600

Verb = Literal["draft", "prepare", "edit", "approve", "publish", "withdraw"]


class Action(msgspec.Struct, frozen=True):
    """One line of the register.

    by    nobody (an empty name) where Relève drafted by itself
    seal  of an approval: the hash of what was approved
    """

    at: Instant
    verb: Verb
    number: int
    by: Person
    version: int = 0
    audience: str = ""
    lang: str = ""
    section: str = ""
    before: str = ""
    after: str = ""
    seal: str = ""
    reason: str = ""


class Register:
    """The reports of one folder and their life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def actions(self) -> list[Action]:
        """Return every action, oldest first; none where nothing was drafted."""
        try:
            data = (self.folder / REGISTER).read_bytes()
        except FileNotFoundError:
            return []
        whole, _, _ = data.rpartition(b"\n")  # what stands behind the last line end was cut off by a power cut
        return [msgspec.json.decode(line, type=Action) for line in whole.split(b"\n") if line]

    def editions(self) -> list[Edition]:
        """Return every report of the register, newest first."""
        return list(self._each())

    def edition(self, number: int) -> Edition:
        """Return one report as it stands.

        raises  WrongUse  the register has none of that number
        """
        for one in self._each(number):
            return one
        raise WrongUse("sitrep.no-number", f"{self.folder} has no report {number} in its register.")

    def opened(self) -> Edition | None:
        """Return the draft people are working on; None where there is none."""
        newest = next(self._each(), None)  # only the newest can be open: drafting again takes the same number
        return newest if newest is not None and newest.status in ("drafted", "approved") else None

    def in_force(self) -> Edition | None:
        """Return the last published report; None where none was."""
        return next((one for one in self._each() if one.status == "published"), None)

    def next_number(self) -> int:
        """Return the number of the next draft: the open one's, or one that was never used."""
        opened = self.opened()
        return opened.sheet.number if opened is not None else self.free_number()

    def free_number(self) -> int:
        """Return a number that no report and no draft of this folder has had."""
        return max(next_number(self.folder), max((one.number for one in self.actions()), default=0) + 1)

    def draft(self, report: SituationReport, *, by: Person | None = None) -> Edition:
        """Keep a draft; an open one gets the newer facts, keeps its number and the words people gave it.

        report  its number is given by the register
        by      the person who asked for it; None: it was time, or something changed
        raises  StoreUnable  the disk refused; the draft before it is as it was
        """
        with self._alone():
            opened = self.opened()
            version = opened.sheet.version + 1 if opened is not None else 1
            number = self.next_number()
            before = max((one for one in numbers_of(self.folder) if one < number), default=0)
            sheet = msgspec.structs.replace(compose(report, version=version), number=number, supersedes=before)
            put(self.folder / _draft_name(number, version), msgspec.json.encode(sheet))
            self._add(Action(report.issued_at, "draft", number, by or Person(""), version=version))
            return self.edition(number)

    def edit(
        self, number: int, section: str, lang: str, words: str, *, by: Person, at: Instant, audience: str = ""
    ) -> Edition:
        """Give a section a person's words; what was measured stays above them.

        audience  "" for all that have the section
        words     "" takes the suggestion away
        raises    Refused   the report is published; draft the next one
                  WrongUse  no such section, no name, or more than WORDS_CHARS_MAX
        """
        _named(by)
        words = "\n".join(line.rstrip() for line in printable(words).strip().split("\n"))
        if len(words) > WORDS_CHARS_MAX:
            raise WrongUse(
                "sitrep.too-long",
                f"{len(words)} characters for section {section!r}; {WORDS_CHARS_MAX} at most. Nothing was changed.",
            )
        with self._alone():
            edition = self._open(number)
            wanted = audience or next((one for one in FORM if section in FORM[one]), "cell")
            section_of(edition.sheet, wanted, lang, section)
            last = edition.words(wanted if audience else "", lang, section)
            before = last.after if last is not None else drafted_words(edition.sheet, audience, lang, section)
            if words != before:
                self._add(
                    Action(
                        at,
                        "edit",
                        number,
                        by,
                        audience=audience,
                        lang=lang,
                        section=section,
                        before=before,
                        after=words,
                    )
                )
            return self.edition(number)

    def prepare(self, number: int, *, by: Person, at: Instant) -> Edition:
        """Sign a draft as the one who prepared it; who edits it has done so too."""
        return self._sign("prepare", number, by, at)

    def approve(self, number: int, *, by: Person, at: Instant) -> Edition:
        """Sign a draft as the one who answers for it; it may then be published as it stands, and only so.

        raises  Refused  nobody has prepared it, or its facts are too old
        """
        return self._sign("approve", number, by, at)

    def publish(self, number: int, *, by: Person, at: Instant) -> Edition:
        """Put an approved report in force. The pages and files are made by releve.sitrep.publishing.

        raises  Refused  it is not approved as it stands, or its facts are too old
        """
        return self._sign("publish", number, by, at)

    def withdraw(self, number: int, *, by: Person, at: Instant, reason: str) -> Edition:
        """Give a draft up; its number is not used again."""
        _named(by)
        with self._alone():
            self._open(number)
            self._add(Action(at, "withdraw", number, by, reason=reason))
            return self.edition(number)

    def _sign(self, verb: Verb, number: int, by: Person, at: Instant) -> Edition:
        _named(by)
        with self._alone():
            edition = self._open(number)
            age_s = (at - edition.sheet.issued_at) / 1e6
            if verb != "prepare" and age_s > DRAFT_AGE_MAX_S:
                raise Refused(
                    "sitrep.stale",
                    f"The facts of report {number} are {age_s / 60:.0f} minutes old; {DRAFT_AGE_MAX_S // 60} are the "
                    f"most. It was left as it is. Draft it again: the words people gave it are kept.",
                )
            if verb == "approve" and edition.prepared is None:
                raise Refused(
                    "sitrep.unprepared",
                    f"Nobody has prepared report {number}: it is as Relève drafted it. Read it and sign it as "
                    "prepared, or edit it; then it can be approved.",
                )
            if verb == "publish" and edition.authorized is None:
                raise Refused(
                    "sitrep.unapproved",
                    f"Report {number} is not approved as it stands: a change voids an approval. It was not published.",
                )
            self._add(Action(at, verb, number, by, seal=edition.seal() if verb == "approve" else ""))
            return self.edition(number)

    def _open(self, number: int) -> Edition:
        edition = self.edition(number)
        if edition.status not in ("drafted", "approved"):
            raise Refused(
                "sitrep.closed",
                f"Report {number} is {edition.status} and stays as it is. Draft the next one to say something new.",
            )
        return edition

    def _each(self, wanted: int | None = None) -> Iterator[Edition]:
        """Yield reports newest first, each read from the disk as it is asked for; of a number, that one alone."""
        actions = self.actions()
        newest = max((one.number for one in actions if one.verb == "publish"), default=0)
        for number in sorted({one.number for one in actions}, reverse=True):
            if wanted in (None, number):
                yield self._fold([one for one in actions if one.number == number], newest)

    def _fold(self, actions: list[Action], newest: int) -> Edition:
        """Return a report from its actions. A change after an approval voids it: the seal is another one."""
        version = max(one.version for one in actions)
        number = actions[0].number
        sheet = msgspec.json.decode((self.folder / _draft_name(number, version)).read_bytes(), type=Sheet)
        edition = Edition(sheet)
        for one in actions:
            signature = Signature(one.by, one.at)
            match one.verb:
                case "draft":
                    # Who only read and signed the facts before has not seen these; whose words stand in it has.
                    kept = edition.prepared if edition.edits else None
                    prepared = signature if one.by.name else kept
                    edition = msgspec.structs.replace(edition, prepared=prepared)
                case "prepare":
                    edition = msgspec.structs.replace(edition, prepared=signature)
                case "edit":
                    edit = Edit(one.by, one.at, one.audience, one.lang, one.section, one.before, one.after)
                    edition = msgspec.structs.replace(edition, edits=(*edition.edits, edit), prepared=signature)
                case "approve":
                    edition = msgspec.structs.replace(edition, authorized=signature)
                case "publish":
                    status = "published" if number == newest else "superseded"
                    edition = msgspec.structs.replace(edition, published=signature, status=status)
                case "withdraw":
                    edition = msgspec.structs.replace(edition, status="withdrawn")
        if edition.status == "drafted" and edition.authorized is not None:
            seals = {one.seal for one in actions if one.verb == "approve"}
            if edition.seal() in seals:
                return msgspec.structs.replace(edition, status="approved")
            return msgspec.structs.replace(edition, authorized=None)
        return edition

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder while an action is weighed and written."""
        with ExitStack() as lock:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)  # a web server may be let read here, so not 0700
                lock.enter_context(hold(self.folder / LOCK, waits=True))
            except OSError as error:
                raise StoreUnable(
                    "sitrep.unwritten", f"{self.folder} cannot be used: {error.strerror}. Nothing was changed."
                ) from error
            yield

    def _add(self, action: Action) -> None:
        path = self.folder / REGISTER
        try:
            add_lines(path, msgspec.json.encode(action) + b"\n")
        except OSError as error:
            raise StoreUnable(
                "sitrep.unwritten", f"{path} could not take a line: {error.strerror}. Nothing was changed."
            ) from error


def _draft_name(number: int, version: int) -> str:
    return f"draft-{number:04}.{version}.json"


def printable(words: str) -> str:
    """Return words without what is no text: control characters, and halves of characters."""
    return "".join(letter for letter in words if letter in "\n\t" or category(letter) not in ("Cc", "Cs"))


def _named(by: Person) -> None:
    if not by.name.strip():
        raise WrongUse("sitrep.no-name", "A report is edited, approved and published by a named person. Give a name.")
