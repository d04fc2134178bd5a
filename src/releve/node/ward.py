"""The ward: pages for staff, the board, the FHIR door, health and metrics. It reads the views and writes no record.

What is captured on a page goes through the inner door to the desk, like everything that is kept.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute

from releve import __version__
from releve.board import Decision, FeedWatch, HubState, board_routes
from releve.board.alerts import alert_routes
from releve.board.cause import LogIns
from releve.board.crisis import crisis_routes
from releve.board.recovery import RecoveryReader
from releve.board.reporting import Reports, report_routes
from releve.clock import Instant, wall_us
from releve.config import Config
from releve.doors.append import AppendClient
from releve.doors.fhir import fhir_routes
from releve.doors.tokens import Tokens
from releve.log import SITE, Body, Draft, Ledger, encode_body
from releve.log.audit import AuditTrail
from releve.node.desk import server_tls
from releve.node.folder import HUBS_FILE, RECOVERY_FOLDER, SERVICES_FILE
from releve.node.published import others_published
from releve.node.recovery import Sightings
from releve.node.supervisor import Doors, Ready
from releve.node.writeback import debts_of
from releve.record import Views
from releve.recovery.alert import AlertsHeard
from releve.recovery.folder import RecoveryFolder
from releve.recovery.state import read_states
from releve.screen import Screen, ServiceState, Site
from releve.ward import Accounts, Looked, ward_routes

#: Requests that wait for the one process; ward PCs of a whole hospital ask for a few pages a second.
_BACKLOG = 1024
_KEEP_ALIVE_S = 75
_STOP_S = 5


def run(config: Config, doors: Doors, ready: Ready) -> None:
    """Be the ward until SIGTERM.

    raises  WrongUse, StoreUnable  accounts, tokens, audit trail or certificate cannot be used
    """
    doors.mllp.close()
    tls = server_tls(config.http.tls, "http")
    audit = AuditTrail(config.folder)
    accounts = Accounts(config.folder)
    looked = Looked(config.folder)
    looked.forget(wall_us())
    views = Views(config.folder)
    ledger = Ledger(config.folder)
    try:
        app = application(config, views, ledger, accounts, audit, looked)
        server = _Server(_settings(app, tls, config), ready)
        app.state.is_stopping = lambda: server.should_exit  # an open stream must not hold the node up
        server.run(sockets=[doors.http])
    finally:
        accounts.close()
        looked.close()
        views.close()
        ledger.close()
        audit.close()


def application(
    config: Config, views: Views, ledger: Ledger, accounts: Accounts, audit: AuditTrail, looked: Looked
) -> Starlette:
    """Return the node's whole HTTP side."""
    inner = AppendClient(config.folder)
    services = StateFile(config.folder / SERVICES_FILE, list[ServiceState])
    hubs = StateFile(config.folder / HUBS_FILE, list[HubState])
    feeds = FeedWatch(views.feeds, config.feeds, config.site_id, wall_us)
    screen = Screen(
        Site(config.site_id, config.site_name, is_trial=not config.production),
        visitor=accounts.find,
        services=services.read,
        now=wall_us,
        zone=config.zone,
        late_feeds=feeds.late,
        remember_language=accounts.set_language,
        is_secure=config.http.tls is not None,
    )

    debts = debts_of(config, views, ledger)
    recovery = RecoveryFolder(config.folder / RECOVERY_FOLDER)
    sightings = Sightings(config.site_id, recovery.path, views, services.read)
    reader = RecoveryReader(recovery.path, sightings.measured, sightings.units, config.estate.file)
    alerts = AlertsHeard(recovery.alerts())
    tokens = Tokens(config.folder)

    async def decide(decision: Decision) -> None:
        await inner.append(_decision_draft(decision))

    routes = [
        *screen.routes(),
        *ward_routes(
            screen,
            views=views,
            append=inner.append,
            accounts=accounts,
            audit=audit,
            looked=looked,
            epoch=ledger.epoch_of(config.site_id),
            sender_names={rule.sender: rule.name for rule in config.feeds},
        ),
        *board_routes(
            screen,
            views=views,
            feeds=feeds,
            hubs=hubs.read,
            destinations=[target.name for target in config.writebacks],
            reports_folder=config.folder / "reports",
            log_position=ledger.last_pos,
            decide=decide,
            owed_count=lambda name: debts[name].count(),
            recovery=lambda: (reader.read(), read_states(recovery.path)),
            alerts=alerts.firing,
        ),
        *_alert_routes(recovery, alerts, reader, tokens),
        *_crisis_routes(config, screen, reader, accounts),
        *fhir_routes(
            views,
            tokens,
            audit,
            now=wall_us,
            node=config.site_id,
            version=__version__,
            zone=config.zone,
            blob=ledger.blob,
        ),
    ]
    return Starlette(routes=routes, exception_handlers=screen.error_pages())


def _crisis_routes(config: Config, screen: Screen, reader: RecoveryReader, accounts: Accounts) -> list[BaseRoute]:
    """Return the pages of the crisis cell, situation reports among them."""
    reports = Reports(config.folder / "reports")
    return [
        *crisis_routes(screen, reader, log_ins=lambda at: _log_ins(accounts, at), next_at=reports.next_at),
        *report_routes(
            screen,
            reader,
            reports,
            every_s=config.estate.every_s,
            others=lambda: others_published(config.folder / RECOVERY_FOLDER),
        ),
    ]


def _log_ins(accounts: Accounts, until: Instant) -> LogIns:
    """Return the sign-ins at this node's pages in the day before a moment."""
    since = until - 86_400_000_000
    return LogIns(since, until, *accounts.sign_ins(since, until))


def _alert_routes(
    recovery: RecoveryFolder, alerts: AlertsHeard, reader: RecoveryReader, tokens: Tokens
) -> list[BaseRoute]:
    """Return the door for the alerts of a monitoring system, whose token reads no patient."""

    def may_alert(request: Request) -> bool:
        holder = tokens.holder_of(request.headers.get("authorization"))
        return holder is not None and holder.role == "monitor"

    def units() -> Collection[str]:
        estate = reader.read().estate
        return estate.units if estate is not None else ()

    return alert_routes(recovery, alerts, units=units, may_alert=may_alert, now=wall_us)


class StateFile:
    """Measured states that the courier writes and every page shows; read again only when the file is another.

    kind  what the file holds, for msgspec
    """

    def __init__(self, path: Path, kind: Any) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(kind)
        self._mark = (0, 0)
        self._states: list[Any] = []

    def read(self) -> list[Any]:
        """Return the states as they were measured last; none before the first measure."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return []
        mark = (status.st_mtime_ns, status.st_ino)
        if mark != self._mark:
            self._states = self._decoder.decode(self._path.read_bytes())
            self._mark = mark
        return self._states


def _decision_draft(decision: Decision) -> Draft:
    """Return a person's decision about a refused message as an event; the courier and the views act on its state."""
    state = {"again": "pending", "by-hand": "withdrawn"}[decision.verb]
    source: dict[str, Any] = {
        "door": "board",
        "destination": decision.destination,
        "pos": decision.pos,
        "state": state,
        "ack": decision.reason,
        "who": decision.who,
        "role": decision.role,
    }
    return Draft(SITE, "delivery", secrets.token_bytes(16), encode_body(Body(source)))


def _settings(app: Starlette, tls: ssl.SSLContext | None, config: Config) -> uvicorn.Config:
    settings = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
        ssl_certfile=str(config.http.tls.certificate) if tls and config.http.tls else None,
        ssl_keyfile=str(config.http.tls.key) if tls and config.http.tls else None,
    )
    return settings


class _Server(uvicorn.Server):
    """uvicorn, which says when it is open."""

    def __init__(self, settings: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(settings)
        self._ready = ready

    async def startup(self, sockets: Sequence[Any] | None = None) -> None:
        await super().startup(list(sockets) if sockets else None)
        self._ready()
