"""Server-Sent Events: what a browser is told, and when a stream ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse

from releve.board.live import LiveStream


def request(is_stopping: Callable[[], bool] = lambda: False) -> Request:
    app = Starlette()
    app.state.is_stopping = is_stopping
    return Request({"type": "http", "method": "GET", "path": "/crisis/live", "headers": [], "app": app})


def hear(live: LiveStream, asked: Request, count: int) -> list[str]:
    """Return the first messages of a stream."""

    async def listen() -> list[str]:
        answer = live.response(asked)
        assert isinstance(answer, StreamingResponse)
        found: list[str] = []
        async for chunk in answer.body_iterator:
            found.append(bytes(chunk).decode())  # type: ignore[arg-type]
            if len(found) == count:
                break
        return found

    return asyncio.run(listen())


def test_a_stream_names_the_version_at_once_and_each_new_one() -> None:
    versions = iter([7, 7, 7, 8, 8, 9])
    found = hear(LiveStream(lambda: next(versions), look_s=0), request(), 4)
    assert found == [
        "retry: 2000\n\n",
        "event: changed\ndata: 7\n\n",
        "event: changed\ndata: 8\n\n",
        "event: changed\ndata: 9\n\n",
    ]


def test_a_stream_does_not_hold_up_a_node_that_stops() -> None:
    assert hear(LiveStream(lambda: 1), request(lambda: True), 99) == ["retry: 2000\n\n"]


def test_too_many_streams_are_refused_and_the_page_refreshes_itself() -> None:
    live = LiveStream(lambda: 1, streams_max=0)
    assert live.response(request()).status_code == 503
