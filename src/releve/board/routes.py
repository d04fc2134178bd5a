"""The routes of the board: a page of states for staff, decisions on refusals, a public page, two for machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from releve.board.feeds import FeedWatch
from releve.board.metrics import (
    CONTENT_TYPE,
    exposition,
    feed_metrics,
    forecast_metrics,
    service_metrics,
    unit_metrics,
)
from releve.board.recovery import Recovery
from releve.board.reports import KINDS, list_reports, read_report
from releve.clock import Instant, to_iso
from releve.errors import ReleveError, StoreUnable
from releve.estate import SERVICE
from releve.record import Views
from releve.record.rows import Delivery
from releve.recovery.alert import Alert
from releve.recovery.state import States
from releve.screen import Pages, Screen, ServiceState, Visitor, degraded
from releve.screen.degraded import current
from releve.screen.gate import message, no_form, not_own, to_sign_in
from releve.screen.screen import field, is_own_form, read_form, redirect
from releve.sitrep import Measured

#: Who may decide what becomes of a refused message.
DECIDING_ROLES = ("it", "crisis", "doctor")
REFUSED_SHOWN_MAX = 100
KEPT_SHOWN_MAX = 50
ALERTS_SHOWN_MAX = 100
#: Rows of a list before the rest folds away: late feeds and large counts come first.
ROWS_SHOWN_MAX = 25
#: Events the views may be behind the log before a machine is told that this node is not well.
LAG_EVENTS_MAX = 5000


class HubState(msgspec.Struct, frozen=True):
    """The exchange with one hub as it was measured last.

    state        "normal", "degraded", "down", "returning"
    owed         events of this node that the hub does not hold yet
    exchanged_at when something was last given or taken; 0 for never
    """

    name: str
    state: str
    since: Instant
    checked_at: Instant
    owed: int = 0
    exchanged_at: Instant = 0
    reason: str = ""


class Decision(msgspec.Struct, frozen=True):
    """What a person decided about an event that a destination refused.

    verb    "again"    the cause is mended: send the same message once more
            "by-hand"  it was entered there by hand, or must not go: the queue goes on behind it
    reason  in the person's words; no name of a patient belongs there, and the page says so
    """

    destination: str
    pos: int
    verb: str
    reason: str
    who: str
    role: str


@dataclass(frozen=True)
class Board:
    """Everything the board's pages are given.

    destinations   names of the systems this node writes back to
    owed_count     how many events a destination has not settled
    decide         carries out a decision; returns when it is kept
    log_position   position of the last event of the log
    may_read_metrics  whether a machine may read /metrics; everybody who reaches the door unless told otherwise
    recovery       the recovery as this node knows it, and what it measured of the estate, for /metrics
    alerts         what monitoring systems say that still fires
    """

    screen: Screen
    pages: Pages
    views: Views
    feeds: FeedWatch
    hubs: Callable[[], Sequence[HubState]]
    destinations: Sequence[str]
    owed_count: Callable[[str], int]
    reports_folder: Path
    log_position: Callable[[], int]
    decide: Callable[[Decision], Awaitable[None]]
    may_read_metrics: Callable[[Request], bool]
    recovery: Callable[[], tuple[Recovery, States | None]]
    alerts: Callable[[], Sequence[Alert]]


class WriteBack(msgspec.Struct, frozen=True):
    """What is owed to one destination and what it refused."""

    name: str
    owed: int
    refused: list[Delivery]


def board_routes(
    screen: Screen,
    *,
    views: Views,
    feeds: FeedWatch,
    hubs: Callable[[], Sequence[HubState]],
    destinations: Sequence[str],
    reports_folder: Path,
    log_position: Callable[[], int],
    decide: Callable[[Decision], Awaitable[None]],
    owed_count: Callable[[str], int] | None = None,
    may_read_metrics: Callable[[Request], bool] = lambda request: True,
    recovery: Callable[[], tuple[Recovery, States | None]] = lambda: (Recovery(), None),
    alerts: Callable[[], Sequence[Alert]] = tuple,
) -> list[BaseRoute]:
    """Return the routes of the board; see Board for what each argument is."""
    board = Board(
        screen,
        screen.pages(Path(__file__).parent),
        views,
        feeds,
        hubs,
        destinations,
        owed_count or views.owed_count,
        reports_folder,
        log_position,
        decide,
        may_read_metrics,
        recovery,
        alerts,
    )
    return [
        Route("/board", _staff(board, board_page)),
        Route("/board/decision", _staff(board, decision_form), methods=["POST"]),
        Route("/board/reports/{name}", _staff(board, report_page)),
        Route("/status", _open(board, status_page)),
        Route("/healthz", _open(board, healthz)),
        Route("/metrics", _open(board, metrics)),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _staff(board: Board, page: Callable[[Board, Request, Visitor], Awaitable[Response]]) -> Endpoint:
    """Anybody signed in passes; others are sent to sign in."""

    async def gate(request: Request) -> Response:
        visitor = board.screen.visitor(request)
        return await page(board, request, visitor) if visitor else to_sign_in(request)

    return gate


def _open(board: Board, page: Callable[[Board, Request], Awaitable[Response]]) -> Endpoint:
    async def gate(request: Request) -> Response:
        return await page(board, request)

    return gate


async def board_page(board: Board, request: Request, visitor: Visitor) -> Response:
    """The state of everything this node can measure, on one page."""
    views = board.views
    try:
        kept_counts, kept = views.counts_not_understood(), views.kept_not_understood(KEPT_SHOWN_MAX)
        writebacks = [_write_back(board, name) for name in board.destinations]
        feeds, others = board.feeds.states(), board.feeds.other_nodes()
        lag = max(0, board.log_position() - views.position())
        is_readable = True
    except StoreUnable:
        # The views are being rebuilt: services and hubs are measured elsewhere and are shown all the same.
        kept_counts, kept, writebacks, feeds, others, lag = [], [], [], [], [], 0
        is_readable = False
    return board.pages.render(
        request,
        "board.html",
        section="board",
        services=board.screen.services(),
        feeds=feeds,
        others=others,
        hubs=board.hubs(),
        alerts=board.alerts()[:ALERTS_SHOWN_MAX],
        writebacks=writebacks,
        kept_counts=kept_counts,
        kept=kept,
        kept_total=sum(count.count for count in kept_counts),
        reports=list_reports(board.reports_folder),
        lag=lag,
        shown_max=ROWS_SHOWN_MAX,
        is_readable=is_readable,
        may_decide=visitor.role in DECIDING_ROLES,
        done=request.query_params.get("done", ""),
    )


async def decision_form(board: Board, request: Request, visitor: Visitor) -> Response:
    """Take a person's decision about a refused message; it is signed with their account."""
    form = await read_form(request)
    if form is None:
        return no_form(board.pages, request)
    if not is_own_form(request, visitor, field(form, "csrf")):
        return not_own(board.pages, request)
    if visitor.role not in DECIDING_ROLES:
        sentence = "Deciding about refused messages is for doctors, IT and the crisis cell."
        return message(board.pages, request, 403, "Not done", sentence, back="/board", code="role.not-deciding")
    destination, position, verb = field(form, "destination"), field(form, "pos"), field(form, "verb")
    reason = field(form, "reason", 500)
    is_sound = destination in board.destinations and position.isdigit() and verb in ("again", "by-hand")
    if not is_sound or (verb == "by-hand" and not reason):
        sentence = "Choose a decision; when it was done by hand, say how in a few words. Nothing was changed."
        return message(
            board.pages, request, 400, "Not done", sentence, back="/board#writeback", code="decision.incomplete"
        )
    if int(position) not in {delivery.pos for delivery in board.views.refused(destination)}:
        sentence = "This message is no longer refused: somebody decided before you, or it was accepted meanwhile."
        return message(board.pages, request, 409, "Not done", sentence, back="/board#writeback", code="decision.late")
    try:
        await board.decide(Decision(destination, int(position), verb, reason, visitor.user, visitor.role))
    except ReleveError as error:
        sentence = "The decision could not be kept just now. Try again in a minute."
        return message(board.pages, request, 503, "Not done", sentence, back="/board#writeback", code=error.code)
    return redirect("/board?done=decision#writeback")


async def report_page(board: Board, request: Request, visitor: Visitor) -> Response:
    """A situation report as it was written. It brings its own style and may do nothing else."""
    name = request.path_params["name"]
    data = read_report(board.reports_folder, name)
    if data is None:
        return message(
            board.pages, request, 404, "No such report", "There is no report of this name here.", back="/board#reports"
        )
    kind, way = KINDS[name[name.rindex(".") :]]
    return Response(
        data,
        headers={
            "content-type": kind,
            "content-disposition": way,
            "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            "frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        },
    )


async def status_page(board: Board, request: Request) -> Response:
    """What works and what does not, for everybody: names and states of services, nothing about anybody."""
    screen = board.screen
    now = screen.now()
    services = screen.services()
    if "application/json" in request.headers.get("accept", ""):
        return Response(orjson.dumps(_status(screen, services, now)), media_type="application/json")
    return board.pages.render(
        request,
        "status.html",
        section="status",
        services=services,
        checked_at=max((service.checked_at for service in services), default=0),
    )


def _status(screen: Screen, services: list[ServiceState], now: Instant) -> dict[str, object]:
    found = degraded(services, now)
    return {
        "site": {"id": screen.site.id, "name": screen.site.name},
        "at": to_iso(now),
        "mode": found.kind if found else "normal",
        "services": [
            {"id": s.id, "name": s.name, "state": current(s, now), "since": to_iso(s.since)} for s in services
        ],
    }


async def healthz(board: Board, request: Request) -> Response:
    """Whether this node reads its log and its views keep up: 200 when it does, 503 when somebody must look."""
    try:
        log, views = board.log_position(), board.views.position()
    except ReleveError as error:
        state = {"status": "failing", "code": error.code}
        return Response(orjson.dumps(state), 503, media_type="application/json")
    lag = max(0, log - views)
    status = "ok" if lag <= LAG_EVENTS_MAX else "behind"
    body = {
        "status": status,
        "site": board.screen.site.id,
        "at": to_iso(board.screen.now()),
        "log_position": log,
        "view_position": views,
        "lag_events": lag,
    }
    return Response(orjson.dumps(body), 200 if status == "ok" else 503, media_type="application/json")


async def metrics(board: Board, request: Request) -> Response:
    """The same for Prometheus."""
    if not board.may_read_metrics(request):
        return PlainTextResponse(
            "A token with the role monitor or system is needed.\n", 401, {"www-authenticate": "Bearer"}
        )
    now = board.screen.now()
    text = exposition("releve_info", "gauge", "This node.", [({"site": board.screen.site.id}, 1.0)])
    recovery, states = board.recovery()
    text += service_metrics(board.screen.services(), now, board.screen.site.id, _of_services(recovery))
    text += unit_metrics(states, now) + forecast_metrics(recovery.forecast if recovery.is_running else None, now)
    hubs = board.hubs()
    text += exposition(
        "releve_hub_up",
        "gauge",
        "1 when the hub answers.",
        [({"hub": h.name}, float(h.state == "normal")) for h in hubs],
    )
    text += exposition(
        "releve_hub_owed_events",
        "gauge",
        "Events the hub does not hold yet.",
        [({"hub": h.name}, h.owed) for h in hubs],
    )
    try:
        text += _record_metrics(board, now)
    except StoreUnable:
        text += exposition("releve_views_readable", "gauge", "1 when the views can be read.", [({}, 0.0)])
    return Response(text, media_type=CONTENT_TYPE)


def _of_services(recovery: Recovery) -> list[Measured]:
    """Return what is measured of services; the machinery under them has a metric of its own."""
    machinery = (
        {unit.id for unit in recovery.estate.units.values() if unit.kind != SERVICE} if recovery.estate else set()
    )
    return [one for one in recovery.measured if one.service not in machinery]


def _record_metrics(board: Board, now: Instant) -> str:
    views = board.views
    log, position = board.log_position(), views.position()
    kept = views.counts_not_understood()
    return (
        exposition("releve_views_readable", "gauge", "1 when the views can be read.", [({}, 1.0)])
        + exposition("releve_log_position", "counter", "Position of the last event kept.", [({}, log)])
        + exposition("releve_view_position", "counter", "Position of the last event folded.", [({}, position)])
        + exposition(
            "releve_fold_lag_events", "gauge", "Events kept and not folded yet.", [({}, max(0, log - position))]
        )
        + feed_metrics(board.feeds.states(), now)
        + exposition(
            "releve_writeback_owed",
            "gauge",
            "Events a destination has not settled.",
            [({"destination": name}, board.owed_count(name)) for name in board.destinations],
        )
        + exposition(
            "releve_writeback_refused",
            "gauge",
            "Events a destination refused and nobody decided about.",
            [({"destination": name}, len(views.refused(name))) for name in board.destinations],
        )
        + exposition(
            "releve_kept_not_understood_total",
            "counter",
            "Messages kept and not yet understood.",
            [({"type": count.type, "reason": count.reason}, count.count) for count in kept],
        )
    )


def _write_back(board: Board, name: str) -> WriteBack:
    return WriteBack(name, board.owed_count(name), board.views.refused(name, REFUSED_SHOWN_MAX))
