"""The pages of situation reports: drafts to read, words to change, signatures, and what is in force.

What was measured cannot be reworded here; people's words stand beside it under their names. The files of a published
report are written by the courier, so that no page waits for a PDF.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from releve.board.drafting import situation_report
from releve.board.recovery import RecoveryReader
from releve.board.routes import DECIDING_ROLES
from releve.clock import Instant
from releve.errors import ReleveError
from releve.screen import Pages, Screen, Visitor
from releve.screen.gate import message, no_form, not_own, to_sign_in
from releve.screen.screen import field, is_own_form, read_form, redirect
from releve.sitrep import AUDIENCES, FORM, Edition, Person, Register, drafted_words, lay_out
from releve.sitrep.edition import WORDS_CHARS_MAX
from releve.sitrep.register import REGISTER

#: How a person's function is written under a report; the register has one language, the hospital's.
FUNCTIONS = dict(it="informatique", crisis="cellule de crise", doctor="médecin", nurse="soins")

#: What a refusal of the register means to whoever pressed the button.
REFUSALS = {
    "sitrep.stale": "The facts of this draft are more than an hour old. Draft it again: the words of people are kept.",
    "sitrep.unprepared": "Nobody has read and signed this draft as prepared yet. Sign it, or change its words, first.",
    "sitrep.unapproved": "It is not approved as it stands: a change voids an approval. It was not published.",
    "sitrep.closed": "This report is closed and stays as it is. Draft the next one to say something new.",
    "sitrep.too-long": "These words are too long for one section. Nothing was changed.",
}


class Reports:
    """The register of a node, read again only when it is another one."""

    def __init__(self, folder: Path) -> None:
        self.register = Register(folder)
        self._mark = (0, 0)
        self._editions: list[Edition] = []

    def editions(self) -> list[Edition]:
        """Return every report, newest first."""
        try:
            status = (self.register.folder / REGISTER).stat()
        except FileNotFoundError:
            return []
        mark = (status.st_mtime_ns, status.st_size)
        if mark != self._mark:
            self._editions = self.register.editions()
            self._mark = mark
        return self._editions

    def next_at(self) -> Instant | None:
        """Return when the next report was promised for; None where none was."""
        return next((one.sheet.next_at for one in self.editions() if one.status == "published"), None)


@dataclass(frozen=True)
class Newsroom:
    """Everything the pages of reports are given."""

    screen: Screen
    pages: Pages
    reader: RecoveryReader
    reports: Reports
    every_s: float
    others: Others


Page = Callable[[Newsroom, Request, Visitor], Awaitable[Response]]
#: What the other nodes published: (node, report), newest first.
Others = Callable[[], list[tuple[str, Edition]]]
Act = Callable[[Newsroom, Visitor, FormData, int], int]


def report_routes(
    screen: Screen,
    reader: RecoveryReader,
    reports: Reports,
    *,
    every_s: float = 0.0,
    others: Others = list,
) -> list[BaseRoute]:
    """Return the routes of situation reports.

    every_s  how far apart this node's readings lie, which a report says
    others   what the other nodes published
    """
    room = Newsroom(screen, screen.pages(Path(__file__).parent), reader, reports, every_s, others)

    def staff(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def gate(request: Request) -> Response:
            visitor = screen.visitor(request)
            return await page(room, request, visitor) if visitor else to_sign_in(request)

        return gate

    return [
        Route("/crisis/reports", staff(list_page)),
        Route("/crisis/reports/draft", staff(_form(_draft)), methods=["POST"]),
        Route("/crisis/reports/{number:int}", staff(edition_page)),
        Route("/crisis/reports/{origin:str}/{number:int}", staff(edition_page)),
        Route("/crisis/reports/{number:int}/edit", staff(_form(_edit)), methods=["POST"]),
        Route("/crisis/reports/{number:int}/sign", staff(_form(_sign)), methods=["POST"]),
    ]


async def list_page(room: Newsroom, request: Request, visitor: Visitor) -> Response:
    """Every report, newest first."""
    return room.pages.render(
        request,
        "reports.html",
        place="reports",
        **_frame(room, request, visitor),
        editions=room.reports.editions(),
        others=room.others(),
        next_at=room.reports.next_at(),
        can_draft=room.reader.read().estate is not None,
    )


async def edition_page(room: Newsroom, request: Request, visitor: Visitor) -> Response:
    """One report as a reader of it would read it, with what a person may change."""
    number, origin = request.path_params["number"], request.path_params.get("origin", "")
    known = [one for node, one in room.others() if node == origin] if origin else room.reports.editions()
    edition = next((one for one in known if one.sheet.number == number), None)
    if edition is None:
        sentence = "There is no report of this number here."
        return message(room.pages, request, 404, "No such report", sentence, back="/crisis/reports", code="report.none")
    audience = request.query_params.get("audience", "cell")
    audience = audience if audience in AUDIENCES else "cell"
    lang = request.query_params.get("lang", room.screen.language(request))
    lang = lang if lang in ("fr", "en") else "fr"
    words = {
        key: (
            last.after if (last := edition.words(audience, lang, key)) else drafted_words(edition.sheet, "", lang, key)
        )
        for key in FORM[audience]
    }
    return room.pages.render(
        request,
        "report.html",
        place="reports",
        **_frame(room, request, visitor),
        edition=edition,
        paper=lay_out(edition, audience, lang),
        words=words,
        audience=audience,
        audiences=AUDIENCES,
        paper_lang=lang,
        chars_max=WORDS_CHARS_MAX,
        is_open=not origin and edition.status in ("drafted", "approved"),
        origin=origin,
        done=request.query_params.get("done", ""),
    )


def _form(act: Act) -> Page:
    """Take a form of ours from somebody who may decide; what it asks is done in a thread, which waits for the disk."""

    async def take(room: Newsroom, request: Request, visitor: Visitor) -> Response:
        form = await read_form(request)
        if form is None:
            return no_form(room.pages, request)
        if not is_own_form(request, visitor, field(form, "csrf")):
            return not_own(room.pages, request)
        if visitor.role not in DECIDING_ROLES:
            sentence = "Reports are edited and signed by doctors, IT and the crisis cell."
            return message(
                room.pages, request, 403, "Not done", sentence, back="/crisis/reports", code="role.not-deciding"
            )
        number = request.path_params.get("number", 0)
        back = f"/crisis/reports/{number}" if number else "/crisis/reports"
        try:
            number = await asyncio.to_thread(act, room, visitor, form, number)
        except ReleveError as error:
            said = REFUSALS.get(error.code, "It could not be done; nothing was changed. Read the report again.")
            return message(room.pages, request, 409, "Not done", said, back=back, code=error.code)
        query = f"audience={field(form, 'audience') or 'cell'}&lang={field(form, 'lang') or 'fr'}"
        return redirect(f"/crisis/reports/{number}?done=1&{query}")

    return take


def _draft(room: Newsroom, visitor: Visitor, form: FormData, number: int) -> int:
    report = situation_report(room.reader.read(), room.screen.now(), own=room.screen.site.id, every_s=room.every_s)
    return room.reports.register.draft(report, by=_person(visitor)).sheet.number


def _edit(room: Newsroom, visitor: Visitor, form: FormData, number: int) -> int:
    room.reports.register.edit(
        number,
        field(form, "section"),
        field(form, "lang"),
        field(form, "words", WORDS_CHARS_MAX + 1),
        by=_person(visitor),
        at=room.screen.now(),
        audience=field(form, "audience") if field(form, "only") else "",
    )
    return number


def _sign(room: Newsroom, visitor: Visitor, form: FormData, number: int) -> int:
    register, by, at = room.reports.register, _person(visitor), room.screen.now()
    verb = field(form, "verb")
    if verb == "prepare":
        register.prepare(number, by=by, at=at)
    elif verb == "approve":
        register.approve(number, by=by, at=at)
    elif verb == "publish":
        register.publish(number, by=by, at=at)
    elif verb == "withdraw":
        register.withdraw(number, by=by, at=at, reason=field(form, "reason", 500))
    return number


def _person(visitor: Visitor) -> Person:
    return Person(visitor.display, FUNCTIONS.get(visitor.role, visitor.role))


def _frame(room: Newsroom, request: Request, visitor: Visitor) -> dict[str, Any]:
    """Return what every page of the crisis cell is drawn with."""
    lang = room.screen.language(request)
    return {
        "section": "crisis",
        "recovery": room.reader.read(),
        "is_wall": False,
        "may_decide": visitor.role in DECIDING_ROLES,
        "named": lambda name: name if isinstance(name, str) else name.in_language(lang),
    }
