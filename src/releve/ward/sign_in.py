"""Signing in and out. The page says plainly who may not be known; it never says which half was wrong."""

from __future__ import annotations

import logging
from uuid import UUID

import anyio
import anyio.to_thread
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from releve.errors import StoreUnable
from releve.screen import Visitor
from releve.screen.gate import not_own, peer_of
from releve.screen.screen import field, is_own_form, own_path, read_form, redirect
from releve.ward.accounts import ABSOLUTE_S, WALL_ROLE, WALL_S, NotSignedIn, SignedIn
from releve.ward.chart import draw_chart
from releve.ward.station import Endpoint, Station, session_cookie, unable

DEVICE_COOKIE = "releve_poste"
_DEVICE_COOKIE_S = 400 * 86_400
#: Passwords verified at once: two of them leave the other cores to the pages at shift change.
VERIFY_AT_ONCE = 2
#: Sign-ins that may wait for their turn: ten seconds of verifying; later ones are told to try again.
WAITING_MAX = 400
NOTE_CHARS_MAX = 20_000

_log = logging.getLogger(__name__)


def sign_in_pages(station: Station) -> tuple[Endpoint, Endpoint, Endpoint]:
    """Return the sign-in page, what its form is sent to, and signing out."""
    limiter = anyio.CapacityLimiter(VERIFY_AT_ONCE)
    waiting = 0

    async def show(request: Request) -> Response:
        path = own_path(request.query_params.get("next", "/"))
        if station.screen.visitor(request) is not None:
            return redirect(path)
        return sign_in_page(station, request, path=path)

    async def check(request: Request) -> Response:
        nonlocal waiting
        form = await read_form(request)
        if form is None or not is_own_form(request, None, ""):
            return not_own(station.pages, request)
        if waiting >= WAITING_MAX:
            return sign_in_page(station, request, form=form, status=503, wait_s=10)
        attempt = station.accounts.begin_attempt(
            field(form, "name"), device=request.cookies.get(DEVICE_COOKIE, ""), peer=peer_of(request)
        )
        if isinstance(attempt, NotSignedIn):
            return sign_in_page(station, request, form=form, status=429, wait_s=attempt.wait_s)
        password = form.get("password", "")
        waiting += 1
        try:
            is_right = isinstance(password, str) and await anyio.to_thread.run_sync(
                station.accounts.verify, attempt, password, limiter=limiter
            )
        finally:
            waiting -= 1
        outcome = station.accounts.end_attempt(attempt, is_right=is_right)
        if isinstance(outcome, NotSignedIn):
            _log.info("sign-in refused", extra={"peer": peer_of(request)})
            return sign_in_page(station, request, form=form, status=401, is_wrong=True)
        try:
            return _welcome(station, request, form, outcome)
        except StoreUnable as error:
            return unable(station, request, error)

    async def leave(request: Request) -> Response:
        form = await read_form(request)
        visitor = station.screen.visitor(request)
        if visitor is not None:
            if form is None or not is_own_form(request, visitor, field(form, "csrf")):
                return not_own(station.pages, request)
            station.accounts.sign_out(request.cookies.get(session_cookie(station.screen), ""))
            station.note_read(request, visitor, "logout", resource_type="")
        answer = redirect("/login")
        answer.delete_cookie(session_cookie(station.screen), httponly=True, secure=station.screen.is_secure)
        return answer

    return show, check, leave


def sign_in_page(
    station: Station,
    request: Request,
    *,
    form: FormData | None = None,
    path: str = "/",
    status: int = 200,
    wait_s: int = 0,
    is_wrong: bool = False,
    held_text: str = "",
    held_for: str = "",
) -> Response:
    """Draw the sign-in page.

    form       of the attempt before: its name, where to go on and the note it holds are kept
    held_text  a note whose session was over when it was sent, for the patient held_for; kept until it can be saved
    """
    if form is not None:
        path = own_path(field(form, "next", 2000)) if form.get("next") else path
        held_text = field(form, "held_text", NOTE_CHARS_MAX) or held_text
        held_for = field(form, "held_for") or held_for
    answer = station.pages.render(
        request,
        "sign_in.html",
        status,
        section="",
        path=path,
        name=field(form, "name") if form is not None else "",
        wait_s=wait_s,
        is_wrong=is_wrong,
        held_text=held_text,
        held_for=held_for,
    )
    if wait_s:
        answer.headers["retry-after"] = str(wait_s)
    return answer


async def hold_note(station: Station, request: Request, visitor: Visitor, form: FormData) -> Response:
    """Answer a note whose session was over: nothing is lost, it waits in the sign-in form."""
    return sign_in_page(
        station,
        request,
        status=401,
        held_text=field(form, "text", NOTE_CHARS_MAX),
        held_for=str(request.path_params["patient_id"]),
    )


def _welcome(station: Station, request: Request, form: FormData, outcome: SignedIn) -> Response:
    """Begin the session, and go on where the person was going; a note that waited is shown again, to be saved."""
    screen = station.screen
    visitor = station.accounts.visitor(outcome.token, is_active=True)
    assert visitor is not None, "a session that just began"
    request.scope.setdefault("releve", {})["visitor"] = visitor
    station.note_read(request, visitor, "login", resource_type="")
    held_text = field(form, "held_text", NOTE_CHARS_MAX)
    held_for = _uuid(field(form, "held_for"))
    if held_text and held_for and visitor.is_care:
        answer = draw_chart(station, request, visitor, held_for, draft_text=held_text)
    elif visitor.is_care:
        answer = redirect(own_path(field(form, "next", 2000)))
    else:
        answer = redirect("/crisis?wall=1" if visitor.role == WALL_ROLE else "/board")
    answer.set_cookie(
        session_cookie(screen),
        outcome.token,
        max_age=WALL_S if visitor.role == WALL_ROLE else ABSOLUTE_S,
        httponly=True,
        samesite="lax",
        secure=screen.is_secure,
    )
    answer.set_cookie(
        DEVICE_COOKIE,
        outcome.device,
        max_age=_DEVICE_COOKIE_S,
        httponly=True,
        samesite="lax",
        secure=screen.is_secure,
        path="/login",
    )
    if outcome.account.language:
        screen.set_language(answer, outcome.account.language)
    return answer


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""
