"""Live pages by Server-Sent Events: a page is told that something changed, and fetches itself.

What is sent is a number, so a stream says nothing to whom the page would say nothing. A stream ends by itself after a
minute, when the node stops, or when its reader has gone; the browser comes back by itself.

Source: HTML Living Standard, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

#: So often the folder is looked at for an open page: two or three file sizes.
LOOK_S = 0.5
#: A comment keeps boxes in between from closing a quiet stream.
QUIET_S = 15.0
#: A stream ends after this, so that a session that is over does not stay connected.
STREAM_S = 60.0
#: Streams at once: each costs one look at a time. Above that pages refresh themselves.
STREAMS_MAX = 200


class LiveStream:
    """Streams of one node.

    version  a number that changes when a page would look different
    """

    def __init__(self, version: Callable[[], int], *, look_s: float = LOOK_S, streams_max: int = STREAMS_MAX) -> None:
        self._version = version
        self._look_s, self._streams_max = look_s, streams_max
        self._open = 0

    def response(self, request: Request) -> Response:
        """Return the stream; 503 when there are too many, which a browser's EventSource does not try again."""
        if self._open >= self._streams_max:
            return PlainTextResponse("Too many open pages; this one refreshes itself.\n", 503)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
        return StreamingResponse(self._events(request), media_type="text/event-stream", headers=headers)

    async def _events(self, request: Request) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            clock = asyncio.get_running_loop().time
            said, quiet_since, until = -1, clock(), clock() + STREAM_S
            yield b"retry: 2000\n\n"
            while clock() < until and not _is_stopping(request):
                version = self._version()
                if version != said:
                    said, quiet_since = version, clock()
                    yield f"event: changed\ndata: {version}\n\n".encode()
                elif clock() - quiet_since > QUIET_S:
                    quiet_since = clock()
                    yield b": still here\n\n"
                await asyncio.sleep(self._look_s)
        finally:
            self._open -= 1


def _is_stopping(request: Request) -> bool:
    """Say whether the server is on its way down: a stream must not hold it up."""
    asked = getattr(request.app.state, "is_stopping", None)
    return bool(asked()) if asked is not None else False
