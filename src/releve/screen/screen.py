"""The look of a node: language, person signed in, degraded banner, security headers, compression, own-form check.

A page is HTML that works as links and forms; the one script (static/live.js) only keeps it fresh. Everything a page
needs comes from this node: a browser asks no other machine for anything, which the CSP enforces.

Source: facts of the browser platform: CSP 3, Fetch Metadata, RFC 6265bis (cookie prefixes).
"""

from __future__ import annotations

import hmac
import secrets
import zlib
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from releve.clock import Instant
from releve.screen.catalogue import FoldingEnvironment, read_catalogue
from releve.screen.degraded import ServiceState, current, degraded
from releve.screen.written import Written

LANGUAGES = ("fr", "en")
LANGUAGE_COOKIE = "releve_langue"
#: A page that reloads itself marks the request so: it is no sign that somebody is still there.
AUTO_HEADER = "x-releve-auto"
AUTO_QUERY = "auto"
#: A form is a note and a few fields; a form of a megabyte is no form.
FORM_BYTES_MAX = 256 * 1024
FORM_FIELDS_MAX = 40

_HERE = Path(__file__).parent
_GZIP_BYTES_MIN = 600
_LANGUAGE_COOKIE_S = 365 * 86_400
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # Not no-referrer: with it browsers send "Origin: null" with our own forms, and the own-form check would be blind.
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept-encoding"),
)
_HTML = (b"content-type", b"text/html; charset=utf-8")


class Site(msgspec.Struct, frozen=True):
    """The hospital this node stands in.

    is_trial  messages marked as tests are charted too; every page says so
    """

    id: str
    name: str
    is_trial: bool = False


class Visitor(msgspec.Struct, frozen=True):
    """Somebody signed in.

    user      the account's name, the only thing about a person that is logged and audited
    display   as colleagues know them
    role      "nurse", "doctor", "it", "crisis" or "wall" (a screen that only looks)
    language  remembered for this account; empty when it never chose
    secret    of this session, for its forms; never shown
    """

    user: str
    display: str
    role: str
    language: str
    secret: bytes

    @property
    def is_care(self) -> bool:
        """Nurses and doctors see records; IT and the crisis cell see the state of things."""
        return self.role in CARE_ROLES


CARE_ROLES = ("nurse", "doctor")
ROLES = ("nurse", "doctor", "it", "crisis", "wall")


class FindVisitor(Protocol):
    """Says who is signed in on a request; is_active is False for a page that reloads itself."""

    def __call__(self, request: Request, *, is_active: bool) -> Visitor | None: ...


class LateFeed(Protocol):
    """A feed that is late; the banner of every page says so."""

    @property
    def name(self) -> str: ...
    @property
    def last_at(self) -> Instant: ...


class Screen:
    """The look of this node, shared by its rooms.

    visitor            who is signed in on a request
    services           the measured states; called for every page, so it must be cheap
    late_feeds         the feeds that are late; as cheap
    remember_language  keeps the language of an account
    is_secure          the pages are served by TLS
    """

    def __init__(
        self,
        site: Site,
        *,
        visitor: FindVisitor,
        services: Callable[[], list[ServiceState]],
        now: Callable[[], Instant],
        zone: ZoneInfo,
        late_feeds: Callable[[], Sequence[LateFeed]] = lambda: (),
        remember_language: Callable[[str, str], None] = lambda user, language: None,
        is_secure: bool = False,
    ) -> None:
        self.site = site
        self.now = now
        self.zone = zone
        self.is_secure = is_secure
        self._find_visitor = visitor
        self._services = services
        self._late_feeds = late_feeds
        self._remember_language = remember_language
        self._statics = _read_statics(_HERE / "static")
        self._pages = self.pages(_HERE)

    def pages(self, folder: Path) -> Pages:
        """Return the pages of a room: folder/templates over the shared ones, folder/texts beside the shared ones."""
        return Pages(self, folder)

    def visitor(self, request: Request) -> Visitor | None:
        """Return who is signed in; asked of the accounts once a request."""
        state = request.scope.setdefault("releve", {})
        if "visitor" not in state:
            state["visitor"] = self._find_visitor(request, is_active=not is_auto(request))
        found: Visitor | None = state["visitor"]
        return found

    def language(self, request: Request) -> str:
        """Return the language of a request: what was chosen on this browser, else French."""
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        return chosen if chosen in LANGUAGES else LANGUAGES[0]

    def services(self) -> list[ServiceState]:
        """Return the measured states of all services."""
        return self._services()

    def late_feeds(self) -> Sequence[LateFeed]:
        """Return the feeds that are late."""
        return self._late_feeds()

    def routes(self) -> list[BaseRoute]:
        """Return the routes every page needs: style, script, the fresh banner, the choice of language."""
        return [
            Route("/static/{name}", self._static),
            Route("/pulse", self._pulse),
            Route("/language/{language}", self._choose_language),
        ]

    def error_pages(self) -> dict[int | type[Exception], Callable[[Request, Exception], Awaitable[Response]]]:
        """Return the exception handlers of the application: a page with a sentence in place of a bare line."""

        async def missing(request: Request, error: Exception) -> Response:
            return self._message(request, 404, "No such page", "There is no page under this address.", "page.none")

        async def failed(request: Request, error: Exception) -> Response:
            return self._message(
                request,
                500,
                "This page failed",
                "Something went wrong on this node; it was noted for IT. What was saved before stays saved. "
                "Try again; if it fails again, work on paper and tell IT.",
                "page.failed",
            )

        return {404: missing, Exception: failed}

    def _message(self, request: Request, status: int, heading: str, sentence: str, code: str) -> Response:
        pages = self._pages
        return pages.render(
            request,
            "message.html",
            status,
            section="",
            heading=pages.text(request, heading),
            sentence=pages.text(request, sentence),
            back="/",
            code=code,
        )

    def static_url(self, name: str) -> str:
        """Return the address of a static file; it changes with its content, so browsers may keep it for ever."""
        return f"/static/{name}?v={self._statics[name][2]}"

    async def _static(self, request: Request) -> Response:
        found = self._statics.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404)
        data, kind, _ = found
        headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
        return Response(data, media_type=kind, headers=headers)

    async def _pulse(self, request: Request) -> Response:
        """The banner alone, for a page that stays open; 401 when the session is over, so that the page locks."""
        if self.visitor(request) is None:
            return Response(status_code=401, headers={"cache-control": "no-store"})
        return self._pages.render(request, "pulse.html")

    async def _choose_language(self, request: Request) -> Response:
        language = request.path_params["language"]
        answer = RedirectResponse(own_path(request.query_params.get("back", "/")), status_code=303)
        if language in LANGUAGES:
            self.set_language(answer, language)
            if visitor := self.visitor(request):
                self._remember_language(visitor.user, language)
        return answer

    def set_language(self, response: Response, language: str) -> None:
        """Remember a language on this browser."""
        response.set_cookie(
            LANGUAGE_COOKIE, language, max_age=_LANGUAGE_COOKIE_S, httponly=True, samesite="lax", secure=self.is_secure
        )


class Pages:
    """The templates and texts of one room, one environment a language, compiled once."""

    def __init__(self, screen: Screen, folder: Path) -> None:
        self._screen = screen
        self._environments: dict[str, FoldingEnvironment] = {}
        self._written: dict[str, Written] = {}
        loader = jinja2.FileSystemLoader([folder / "templates", _HERE / "templates"])
        for language in LANGUAGES:
            catalogue = read_catalogue(language, _HERE / "texts", folder / "texts")
            written = Written(catalogue, screen.zone)
            environment = FoldingEnvironment(catalogue, loader)
            environment.globals.update(
                w=written, lang=language, site=screen.site, static=screen.static_url, current=current
            )
            self._environments[language] = environment
            self._written[language] = written

    def text(self, request: Request, source: str, **values: object) -> str:
        """Return a sentence in the language of a request."""
        return self._environments[self._screen.language(request)].catalogue.text(source, **values)

    def written(self, request: Request) -> Written:
        """Return the writer of dates and numbers in the language of a request."""
        return self._written[self._screen.language(request)]

    def render(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """Return a page: the template in the language of the request, with the banner as it stands now."""
        screen = self._screen
        visitor = screen.visitor(request)
        now = screen.now()
        services = screen.services()
        context |= {
            "now": now,
            "visitor": visitor,
            "degraded": degraded(services, now),
            "services_off": [s for s in services if not s.is_central and current(s, now) != "normal"],
            "late_feeds": screen.late_feeds(),
            "here": _here(request),
            "csrf": csrf_token(visitor) if visitor else "",
        }
        page = self._environments[screen.language(request)].get_template(template).render(context).encode()
        return html_response(request, page, status)


def html_response(request: Request, page: bytes, status: int = 200) -> Response:
    """Return HTML with the headers every page has, compressed when the browser takes it."""
    response = Response(status_code=status)
    headers = [_HTML, *_HEADERS]
    if len(page) >= _GZIP_BYTES_MIN and "gzip" in request.headers.get("accept-encoding", ""):
        # Level 1: a fifth of the size for a tenth of a millisecond; more levels cost more than the wire saves.
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        page = packer.compress(page) + packer.flush()
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(page)).encode()))
    response.raw_headers = headers
    response.body = page
    return response


def redirect(path: str) -> Response:
    """Return a 303 to a page of ours: what a form answers, so that a reload does not send it again."""
    return RedirectResponse(path, status_code=303, headers={"cache-control": "no-store"})


def is_auto(request: Request) -> bool:
    """Say whether a page reloaded itself, with nobody necessarily before it."""
    return AUTO_HEADER in request.headers or AUTO_QUERY in request.query_params


def own_path(path: str) -> str:
    """Return a path of this node, "/" for anything that could lead elsewhere."""
    parts = urlsplit(path) if len(path) < 2048 and path.isprintable() else None
    is_ours = parts is not None and not parts.scheme and not parts.netloc and path.startswith("/")
    return path if is_ours and not path.startswith(("//", "/\\")) else "/"


def csrf_token(visitor: Visitor) -> str:
    """Return a token for a form of this session; it differs each time, so compression cannot leak it (BREACH)."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_csrf_mark(visitor.secret, nonce)}"


def is_own_form(request: Request, visitor: Visitor | None, token: str) -> bool:
    """Say whether an unsafe request came from a form of ours.

    visitor  None for the sign-in form, which has no session yet and is told by the browser's headers alone
    source   Fetch Metadata; browsers send it to https and localhost only, older ones never: then Origin and token
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        if site != "same-origin":
            return False
    elif origin is not None and origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        return False
    if visitor is None:
        return True
    nonce, _, mark = token.partition(".")
    return hmac.compare_digest(mark.encode(), _csrf_mark(visitor.secret, nonce).encode())


async def read_form(request: Request) -> FormData | None:
    """Return the fields of a form; None when it is too large to be one of ours or is none."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > FORM_BYTES_MAX:
        return None
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    return await request.form(max_files=0, max_fields=FORM_FIELDS_MAX)


def field(form: FormData, name: str, chars_max: int = 200) -> str:
    """Return a text field, trimmed and cut; empty when absent."""
    value = form.get(name, "")
    return value.strip()[:chars_max] if isinstance(value, str) else ""


def _csrf_mark(secret: bytes, nonce: str) -> str:
    return hmac.new(secret, nonce.encode("utf-8", "replace"), sha256).hexdigest()[:32]


def _here(request: Request) -> str:
    """Return the address of this page for the language links; the page a form answers is reached by its path."""
    query = "&".join(
        f"{quote(key)}={quote(value)}" for key, value in request.query_params.multi_items() if key != AUTO_QUERY
    )
    return quote(request.url.path + (f"?{query}" if query else ""), safe="/")


def _read_statics(folder: Path) -> dict[str, tuple[bytes, str, str]]:
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    found = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        found[path.name] = (data, kinds[path.suffix], sha256(data).hexdigest()[:12])
    return found
