"""Alerts of a monitoring system come in: Alertmanager's webhook at POST /alerts, with a token of the role monitor.

Alertmanager sends again what was answered with 5xx, and drops what was answered with 4xx; the answers say which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from releve.clock import Instant
from releve.errors import PeerError, StoreUnable
from releve.recovery.alert import Alert, AlertsHeard, read_webhook
from releve.recovery.folder import RecoveryFolder

#: 2,000 alerts with their labels; a centre that falls gives some hundreds.
BODY_BYTES_MAX = 4 * 2**20


def alert_routes(
    folder: RecoveryFolder,
    heard: AlertsHeard,
    *,
    units: Callable[[], Collection[str]],
    may_alert: Callable[[Request], bool],
    now: Callable[[], Instant],
) -> list[BaseRoute]:
    """Return the route that takes alerts.

    heard      what came before
    units      ids of the estate, to recognise which unit an alert is about
    may_alert  whether a caller holds a token for it
    """

    async def receive(request: Request) -> Response:
        if not may_alert(request):
            headers = {"www-authenticate": "Bearer"}
            return _answer(401, "A token with the role monitor is needed: releve token DIR --role monitor.", headers)
        body = await _body(request)
        if body is None:
            return _answer(413, f"A webhook may have {BODY_BYTES_MAX} bytes; set max_alerts in webhook_config.")
        try:
            new = heard.new(read_webhook(body, units(), now()))
            for alert in new:
                await run_in_threadpool(_keep, folder, heard, alert)
        except PeerError as error:
            return _answer(400, error.sentence)
        except StoreUnable as error:
            return _answer(503, f"{error.sentence} Send it again.")
        return Response(orjson.dumps({"kept": len(new)}), media_type="application/json")

    return [Route("/alerts", receive, methods=["POST"])]


def _keep(folder: RecoveryFolder, heard: AlertsHeard, alert: Alert) -> None:
    folder.alert(alert)
    heard.kept(alert)


async def _body(request: Request) -> bytes | None:
    """Return the body; None for one that is too large, which is not read to its end."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _answer(code: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps({"error": sentence}), code, headers, media_type="application/json")
