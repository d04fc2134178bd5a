"""Questions over UDP: ask, ask again while nothing comes, and judge the first answer that is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from releve.recovery.probe.reading import Verdict

#: A datagram may be lost; asking again after this is cheap and keeps one loss from looking like a dead server.
ASK_AGAIN_S = 0.8

Judge = Callable[[bytes], Verdict | None]


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, judge: Judge, found: asyncio.Future[Verdict]) -> None:
        self._judge = judge
        self._found = found

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        verdict = self._judge(data)
        if verdict is not None and not self._found.done():
            self._found.set_result(verdict)

    def error_received(self, exc: Exception) -> None:
        # A closed port answers by ICMP; a server that is still starting may be there at the next asking.
        if not self._found.done():
            self._found.set_result(Verdict("refused", "nothing listens there"))


async def ask(question: bytes, judge: Judge, host: str, port: int, *, timeout_s: float) -> Verdict:
    """Ask by UDP within timeout_s.

    judge  returns None for a datagram that is no answer to this question, which is passed over
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Verdict] = loop.create_future()
    transport = None
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Listener(judge, found), remote_addr=(host, port)
            )
            while not found.done():
                transport.sendto(question)
                await asyncio.wait([found], timeout=ASK_AGAIN_S)
            return found.result()
    except TimeoutError:
        return Verdict("silent", f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Verdict("unasked", f"it could not be asked: {error.strerror or error}")
    finally:
        if transport is not None:
            transport.abort()
