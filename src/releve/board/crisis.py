"""The pages of the crisis cell: what is out for whom, the restart, what waits for a person, the journal, the cause, the
estate. Anybody signed in may look; IT, doctors and the crisis cell decide, and each decision carries their name.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from releve.board.cause import LogIns, cause_file, first_loss
from releve.board.journal import GROUPS, Filter, entries, people, to_csv, to_json, to_text
from releve.board.live import LiveStream
from releve.board.recovery import Recovery, RecoveryReader
from releve.board.routes import DECIDING_ROLES
from releve.board.situation import situation
from releve.board.timeline import By, split_name, timeline
from releve.board.waiting import ANSWERS, RUN_VERBS, earlier, questions, unanswered
from releve.clock import Instant
from releve.errors import ReleveError
from releve.estate import Bilingual, Estate, impact
from releve.estate.layers import around, is_grouped
from releve.estate.picture import picture
from releve.recovery.folder import Decision, RecoveryFolder, Verb
from releve.screen import Pages, Screen, Visitor
from releve.screen.gate import message, no_form, not_own, to_sign_in
from releve.screen.screen import field as form_field
from releve.screen.screen import is_own_form, read_form, redirect

#: Lines of the journal on one page; the files hold them all.
ENTRIES_SHOWN_MAX = 300
REASON_CHARS_MAX = 500


@dataclass(frozen=True)
class CrisisBoard:
    """Everything the crisis pages are given.

    log_ins   sign-ins at this node in the day before a moment; None: not counted
    next_at   when the next situation report is due; None: nothing is due
    deciding  one decision at a time: the second of two people reads what the first one wrote
    """

    screen: Screen
    pages: Pages
    reader: RecoveryReader
    log_ins: Callable[[Instant], LogIns | None]
    next_at: Callable[[], Instant | None]
    live: LiveStream
    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)


Page = Callable[[CrisisBoard, Request, Visitor], Awaitable[Response]]


def crisis_routes(
    screen: Screen,
    reader: RecoveryReader,
    *,
    log_ins: Callable[[Instant], LogIns | None] = lambda at: None,
    next_at: Callable[[], Instant | None] = lambda: None,
) -> list[BaseRoute]:
    """Return the routes of the crisis cell; see CrisisBoard for what each argument is."""
    pages = screen.pages(Path(__file__).parent)
    live = LiveStream(lambda: reader.read().version)
    board = CrisisBoard(screen, pages, reader, log_ins, next_at, live)

    def staff(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def gate(request: Request) -> Response:
            visitor = screen.visitor(request)
            return await page(board, request, visitor) if visitor else to_sign_in(request)

        return gate

    return [
        Route("/crisis", staff(overview_page)),
        Route("/crisis/restart", staff(restart_page)),
        Route("/crisis/decisions", staff(decisions_page)),
        Route("/crisis/decision", staff(decision_form), methods=["POST"]),
        Route("/crisis/declaration", staff(declaration_form), methods=["POST"]),
        Route("/crisis/journal", staff(journal_page)),
        Route("/crisis/journal.{form:str}", staff(journal_file)),
        Route("/crisis/cause", staff(cause_page)),
        Route("/crisis/estate", staff(estate_page)),
        Route("/crisis/live", staff(live_stream)),
    ]


async def overview_page(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """What is out for whom, since when, until when."""
    recovery = board.reader.read()
    if recovery.estate is None:
        return _draw(board, request, visitor, recovery, "crisis_none.html", place="overview")
    now = board.screen.now()
    return _draw(
        board,
        request,
        visitor,
        recovery,
        "crisis.html",
        place="overview",
        situation=situation(recovery.estate, recovery.measured, recovery.forecasts, now, own=board.screen.site.id),
        forecast=recovery.forecast,
        next_at=board.next_at(),
        waiting=len(questions(recovery.estate, recovery.run(), recovery.decisions)),
    )


async def restart_page(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """The restart as a timeline."""
    recovery = board.reader.read()
    if recovery.estate is None:
        return _draw(board, request, visitor, recovery, "crisis_none.html", place="restart")
    by: By = "service" if request.query_params.get("by") == "service" else "tier"
    opened = request.query_params.getlist("open")[:50]
    drawn = timeline(
        recovery.estate, recovery.plan, recovery.run(), recovery.forecast, board.screen.now(), by=by, opened=opened
    )
    capacity = recovery.estate.capacities.get(drawn.bottleneck)
    return _draw(
        board,
        request,
        visitor,
        recovery,
        "restart.html",
        place="restart",
        line=drawn,
        by=by,
        opened=opened,
        bottleneck=capacity.name if capacity is not None else None,
        forecast=recovery.forecast,
        situation=situation(
            recovery.estate, recovery.measured, recovery.forecasts, board.screen.now(), own=board.screen.site.id
        ),
    )


async def decisions_page(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """What waits for a person."""
    recovery = board.reader.read()
    if recovery.estate is None:
        return _draw(board, request, visitor, recovery, "crisis_none.html", place="decisions")
    run = recovery.run()
    return _draw(
        board,
        request,
        visitor,
        recovery,
        "decisions.html",
        place="decisions",
        questions=questions(recovery.estate, run, recovery.decisions),
        unanswered=unanswered(run, recovery.decisions),
        turned_down=[line for line in run if line.kind == "not-obeyed"][-5:],
        done=request.query_params.get("done", ""),
    )


async def _form_of_a_decider(board: CrisisBoard, request: Request, visitor: Visitor) -> FormData | Response:
    """Return what was filled in, or the answer to whoever may not decide or did not send a form of ours."""
    form = await read_form(request)
    if form is None:
        return no_form(board.pages, request)
    if not is_own_form(request, visitor, form_field(form, "csrf")):
        return not_own(board.pages, request)
    if visitor.role not in DECIDING_ROLES:
        sentence = "Deciding about the restart is for doctors, IT and the crisis cell."
        return _not_done(board, request, 403, sentence, "role.not-deciding")
    return form


async def decision_form(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """Take a decision; the second of two people on the same question is told who was first."""
    form = await _form_of_a_decider(board, request, visitor)
    if isinstance(form, Response):
        return form
    verb, unit, hospital = form_field(form, "verb"), form_field(form, "unit"), form_field(form, "hospital")
    act, reason = form_field(form, "act"), form_field(form, "reason", REASON_CHARS_MAX)
    if verb in RUN_VERBS and not unit:
        return await _decide(board, request, visitor, verb, "", "", reason)
    if verb not in ANSWERS.get(act, ()):
        sentence = "Choose one of the answers. Nothing was changed."
        return _not_done(board, request, 400, sentence, "decision.incomplete")
    if verb in ("skip", "step-back", "refuse", "not-done") and not reason:
        sentence = "Say why in a few words: this decision changes what others count on. Nothing was changed."
        return _not_done(board, request, 400, sentence, "decision.no-reason")
    async with board.deciding:
        recovery = board.reader.read()
        if recovery.estate is None or unit not in recovery.estate.units:
            sentence = "This step is not in the estate any more. Nothing was changed."
            return _not_done(board, request, 409, sentence, "decision.no-unit")
        asked_at = int(form_field(form, "asked_at")) if form_field(form, "asked_at").isdigit() else 0
        first = earlier(recovery.decisions, recovery.run(), unit, hospital, asked_at)
        if first is not None:
            return _too_late(board, request, first)
        still = {(one.unit.id, one.act, one.hospital) for one in questions(recovery.estate, recovery.run(), ())}
        if (unit, act, hospital) not in still:
            sentence = "Nothing waits for this decision any more: the journal says what happened. Nothing was changed."
            return _not_done(board, request, 409, sentence, "decision.late")
        return await _write(board, request, visitor, verb, unit, hospital, reason)


async def _decide(
    board: CrisisBoard, request: Request, visitor: Visitor, verb: Verb, unit: str, hospital: str, reason: str
) -> Response:
    """Take a decision about the run as a whole."""
    async with board.deciding:
        recovery = board.reader.read()
        if not recovery.is_running:
            sentence = "No restart is running. Nothing was changed."
            return _not_done(board, request, 409, sentence, "decision.no-run")
        if (verb == "pause" and recovery.is_paused) or (verb == "resume" and not recovery.is_paused):
            sentence = "Somebody did so before you. Nothing was changed."
            return _not_done(board, request, 409, sentence, "decision.second")
        if verb == "cancel" and not reason:
            sentence = "Say why in a few words: this decision changes what others count on. Nothing was changed."
            return _not_done(board, request, 400, sentence, "decision.no-reason")
        return await _write(board, request, visitor, verb, unit, hospital, reason)


async def declaration_form(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """Take the words of a person for the cause file; they stay under that person's name."""
    form = await _form_of_a_decider(board, request, visitor)
    if isinstance(form, Response):
        return form
    words = form_field(form, "words", REASON_CHARS_MAX)
    if not words:
        sentence = "Write what you know and how you know it. Nothing was changed."
        return _not_done(board, request, 400, sentence, "declaration.empty", back="/crisis/cause")
    async with board.deciding:
        return await _write(board, request, visitor, "declare", "cause", "", words, back="/crisis/cause")


async def _write(
    board: CrisisBoard,
    request: Request,
    visitor: Visitor,
    verb: Verb,
    unit: str,
    hospital: str,
    reason: str,
    *,
    back: str = "/crisis/decisions",
) -> Response:
    decision = Decision(
        id=f"{board.screen.site.id}-{secrets.token_hex(8)}",
        at=board.screen.now(),
        verb=verb,
        by=visitor.user,
        role=visitor.role,
        unit=unit,
        hospital=hospital,
        reason=reason,
    )
    try:
        await asyncio.to_thread(RecoveryFolder(board.reader.folder).decide, decision)
    except ReleveError as error:
        sentence = "The decision could not be kept just now. Try again in a minute."
        return _not_done(board, request, 503, sentence, error.code, back=back)
    return redirect(f"{back}?done={verb}")


def _too_late(board: CrisisBoard, request: Request, first: Decision) -> Response:
    """Tell the second of two people who decided what, and when."""
    pages = board.pages
    catalogue = pages.text(request, first.verb)
    heading = pages.text(request, "Somebody decided before you")
    written = pages.written(request)
    sentence = pages.text(
        request,
        "{who} decided “{what}” {when}. Your decision was not written; talk to each other if you disagree.",
        who=first.by,
        what=catalogue,
        when=written.on(first.at, board.screen.now()),
    )
    return pages.render(
        request, "message.html", 409, section="crisis", heading=heading, sentence=sentence, back="/crisis/decisions",
        code="decision.second",
    )  # fmt: skip


async def journal_page(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """Everything that was seen, asked, decided, done and announced."""
    recovery = board.reader.read()
    every = entries(recovery)
    wanted = _filter(request)
    found = [entry for entry in every if wanted.takes(entry)]
    return _draw(
        board,
        request,
        visitor,
        recovery,
        "journal.html",
        place="journal",
        entries=found[-ENTRIES_SHOWN_MAX:][::-1],
        total=len(found),
        wanted=wanted,
        groups=GROUPS,
        people=people(every),
        units=sorted({entry.unit for entry in every if entry.unit}),
    )


async def journal_file(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """The same as a file: text, CSV or JSON."""
    forms: dict[str, tuple[str, Callable[[Any], str | bytes]]] = {
        "txt": ("text/plain; charset=utf-8", to_text),
        "csv": ("text/csv; charset=utf-8", to_csv),
        "json": ("application/json", to_json),
    }
    form = request.path_params["form"]
    if form not in forms:
        return Response(status_code=404)
    wanted = _filter(request)
    kind, write = forms[form]
    body = write([entry for entry in entries(board.reader.read()) if wanted.takes(entry)])
    name = f'attachment; filename="releve-journal-{board.screen.site.id}.{form}"'
    headers = {"content-disposition": name, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(body, media_type=kind, headers=headers)


async def cause_page(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """The evidence for and against, with what is not known."""
    recovery = board.reader.read()
    if recovery.estate is None:
        return _draw(board, request, visitor, recovery, "crisis_none.html", place="cause")
    return _draw(
        board,
        request,
        visitor,
        recovery,
        "cause.html",
        place="cause",
        cause=cause_file(recovery.estate, recovery, board.log_ins(first_loss(recovery) or board.screen.now())),
        done=request.query_params.get("done", ""),
    )


async def estate_page(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """What stands on what, with live states, and what falls if something falls."""
    recovery = board.reader.read()
    if recovery.estate is None:
        return _draw(board, request, visitor, recovery, "crisis_none.html", place="estate")
    chosen = request.query_params.get("unit", "")
    fallen = (chosen,) if chosen in recovery.estate.units else ()
    falling = impact(recovery.estate, fallen) if fallen else None
    # Of a large estate, whose units are drawn in groups, the surroundings of the chosen one are drawn one by one.
    part = around(recovery.estate, chosen) if fallen and is_grouped(recovery.estate) else recovery.estate
    return _draw(
        board,
        request,
        visitor,
        recovery,
        "estate.html",
        place="estate",
        chosen=recovery.estate.units[chosen] if fallen else None,
        impact=falling,
        picture=_picture(board, request, part, recovery, (*fallen, *falling.falls) if falling else ()),
    )


def _picture(
    board: CrisisBoard, request: Request, estate: Estate, recovery: Recovery, fallen: tuple[str, ...]
) -> Markup:
    """Return the picture with the states as measured: a service by the worst of its hospitals, a unit by this node."""
    states = dict(recovery.units)
    for row in situation(estate, recovery.measured, (), board.screen.now(), own=board.screen.site.id).rows:
        states[row.unit.id] = row.state
    lang = board.screen.language(request)
    # The picture escapes every name itself; see estate.picture.
    return Markup(picture(estate, states, lang, lambda unit: f"/crisis/estate?unit={quote(unit)}", fallen))  # noqa: S704 - see above


async def live_stream(board: CrisisBoard, request: Request, visitor: Visitor) -> Response:
    """Tell an open page when to fetch itself."""
    return board.live.response(request)


def _filter(request: Request) -> Filter:
    query = request.query_params
    return Filter(query.get("unit", ""), query.get("group", ""), query.get("who", ""))


def _draw(
    board: CrisisBoard, request: Request, visitor: Visitor, recovery: Recovery, template: str, **context: Any
) -> Response:
    lang = board.screen.language(request)
    estate = recovery.estate

    def named(name: Bilingual | str) -> str:
        return name if isinstance(name, str) else name.in_language(lang)

    def unit_name(name: str) -> str:
        unit = split_name(name)[0]
        return estate.units[unit].name.in_language(lang) if estate is not None and unit in estate.units else name

    def site_name(name: str) -> str:
        return estate.sites[name].name.in_language(lang) if estate is not None and name in estate.sites else name

    return board.pages.render(
        request,
        template,
        section="crisis",
        recovery=recovery,
        estate=estate,
        named=named,
        unit_name=unit_name,
        site_name=site_name,
        is_wall=request.query_params.get("wall") == "1",
        may_decide=visitor.role in DECIDING_ROLES,
        **context,
    )


def _not_done(
    board: CrisisBoard, request: Request, status: int, sentence: str, code: str, *, back: str = "/crisis/decisions"
) -> Response:
    return message(board.pages, request, status, "Not done", sentence, back=back, code=code)
