"""The gate before a page: who may pass is decided by the room; where the others are sent is decided here."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from releve.screen.screen import Pages, redirect


def to_sign_in(request: Request) -> Response:
    """Send to the sign-in page, which brings back to this page; what a form was sent to is no page to come back to."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    path = here if request.method in ("GET", "HEAD") else "/"
    return redirect("/login" if path == "/" else f"/login?next={quote(path, safe='/')}")


def message(
    pages: Pages, request: Request, status: int, heading: str, sentence: str, *, back: str = "/", code: str = ""
) -> Response:
    """Return a page with one sentence, in the language of the request."""
    return pages.render(
        request,
        "message.html",
        status,
        section="",
        heading=pages.text(request, heading),
        sentence=pages.text(request, sentence),
        back=back,
        code=code,
    )


def not_own(pages: Pages, request: Request) -> Response:
    """Refuse a form that was not made by this session."""
    return message(
        pages,
        request,
        403,
        "Not saved",
        "This form was not made by this session. Go back, reload the page and send it again.",
        code="form.not-own",
    )


def no_form(pages: Pages, request: Request) -> Response:
    """Refuse a form that is too large or is none."""
    return message(
        pages,
        request,
        413,
        "Not saved",
        "This form is too large or is no form. Nothing was saved.",
        code="form.too-large",
    )


def peer_of(request: Request) -> str:
    """Return the address of the machine that asked."""
    return request.client.host if request.client else ""
