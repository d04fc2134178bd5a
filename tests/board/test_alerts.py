"""Alertmanager's webhook over HTTP: who may send, what is kept, what is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from releve.board.alerts import BODY_BYTES_MAX, alert_routes
from releve.recovery.alert import AlertsHeard
from releve.recovery.folder import RecoveryFolder

BEARER = {"authorization": "Bearer m"}


@pytest.fixture
def folder(tmp_path: Path) -> RecoveryFolder:
    return RecoveryFolder(tmp_path / "recovery")


Send = Callable[..., httpx.Response]


@pytest.fixture
def send(folder: RecoveryFolder) -> Send:
    """Send a webhook, with a token unless told otherwise."""
    routes = alert_routes(
        folder,
        AlertsHeard(folder.alerts()),
        units=lambda: {"record"},
        may_alert=lambda request: request.headers.get("authorization") == "Bearer m",
        now=lambda: 1_722_675_900_000_000,
    )
    transport = httpx.ASGITransport(app=Starlette(routes=routes))

    async def post(content: bytes, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
            return await client.post("/alerts", content=content, headers=headers)

    return lambda content, headers=BEARER: asyncio.run(post(content, headers))


def group(status: str = "firing") -> bytes:
    one = {"status": status, "labels": {"alertname": "Down", "service": "record"}, "fingerprint": "f"}
    return json.dumps({"version": "4", "receiver": "releve", "alerts": [one]}).encode()


def test_an_alert_is_on_the_disk_before_it_is_answered(send: Send, folder: RecoveryFolder) -> None:
    assert send(group()).json() == {"kept": 1}
    (kept,) = folder.alerts()
    assert (kept.unit, kept.status) == ("record", "firing")
    assert not (folder.path / "states.json").exists(), "an alert is evidence, never a state"


def test_a_repeated_alert_is_answered_and_not_kept_again(send: Send, folder: RecoveryFolder) -> None:
    for status in ("firing", "firing", "resolved", "resolved"):
        assert send(group(status)).status_code == 200
    assert [one.status for one in folder.alerts()] == ["firing", "resolved"]


def test_without_a_token_nothing_is_kept(send: Send, folder: RecoveryFolder) -> None:
    answer = send(group(), {})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert folder.alerts() == []


def test_what_is_no_webhook_is_told_so_in_a_sentence(send: Send) -> None:
    answer = send(b"{}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "This is no webhook of Alertmanager: Object missing required field `alerts`"
    )


def test_a_webhook_without_end_is_not_read_to_its_end(send: Send) -> None:
    answer = send(b"x" * (BODY_BYTES_MAX + 1))
    assert answer.status_code == 413


def test_a_disk_that_refuses_asks_for_it_again(send: Send, folder: RecoveryFolder) -> None:
    folder.path.write_text("a file where the folder should be", "utf-8")
    answer = send(group())
    assert answer.status_code == 503
    assert answer.json()["error"].endswith("Send it again.")
