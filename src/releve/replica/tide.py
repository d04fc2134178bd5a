"""The tide: tells waiting tasks that another process has committed to the log, by asking SQLite every 50 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: 20 questions a second, some ten microseconds each: unseen in the load, unfelt at the bedside.
LOOK_S = 0.05


class Tide:
    """Counts changes of the log.

    data_version  returns a number that changes at each commit of another connection; see Ledger.data_version
    """

    def __init__(self, data_version: Callable[[], int]) -> None:
        self.count = 0
        self._data_version = data_version
        self._risen = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled."""
        seen = self._data_version()
        while True:
            await asyncio.sleep(LOOK_S)
            version = self._data_version()
            if version != seen:
                seen = version
                self.rise()

    def rise(self) -> None:
        """Wake everybody who waits."""
        self.count += 1
        self._risen.set()
        self._risen = asyncio.Event()

    async def beyond(self, count: int, timeout_s: float) -> bool:
        """Wait until the count is above a number; returns False when it is not within the time."""
        if self.count > count:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._risen.wait()
        except TimeoutError:
            return False
        return True
