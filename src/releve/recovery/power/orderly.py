"""The stop and the restart that a guard carries out: the run itself, in the folder that consoles and pages look at.

Whoever carries another run out in the folder (a restart that the cut interrupted) is asked by a decision to end it, and
waited for a little; the battery does not wait, so after that the stop goes on beside it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager

from releve.clock import wall_us
from releve.errors import StoreUnable
from releve.estate import Estate
from releve.recovery.driver.process import find
from releve.recovery.folder import Decision, RecoveryFolder
from releve.recovery.journal import Happened
from releve.recovery.past import RESTART, STOP, Past, past_of
from releve.recovery.run import restart, shutdown

#: Who decides when nobody is on site, as the journal names it.
GUARD = "releve guard"

#: A run that was asked to end is waited for so long: its steps under way may end, the margin of the battery is longer.
END_WAIT_S = 20.0
_LOOK_S = 0.25

OnEvent = Callable[[Happened], None]


class OrderlyStop:
    """Takes units down in the folder of a recovery."""

    def __init__(self, folder: RecoveryFolder, end_wait_s: float = END_WAIT_S) -> None:
        self._folder = folder
        self._end_wait_s = end_wait_s

    async def __call__(self, estate: Estate, on_event: OnEvent, /) -> Iterable[str]:
        """Take everything of an estate down and return what was blocked behind a failed one."""
        async with self._held():
            result = await shutdown(estate, on_event, past=self._past(estate), decisions=self._decisions(), waits=False)
        return result.blocked

    def _past(self, estate: Estate) -> Past:
        """Return where a guard that was killed left the stop.

        A try of which no process is found may never have been launched. A restart waits then, so as to do nothing
        twice; on battery there is no time for that, and what is stopped a second time is only stopped.
        """
        try:
            past = past_of(self._folder.journal(), STOP)
        except OSError:
            return Past()  # a disk that does not read keeps nobody from stopping; probes say what is down already
        for name, begun in list(past.begun.items()):
            unit = estate.units.get(name)
            local = unit.stop if unit is not None and unit.stop is not None and unit.stop.driver == "local" else None
            if not begun.process and not (local and find(local.argv, begun.at / 1e6)):
                del past.begun[name]
                past.tries[name] = max(past.tries.get(name, 0) - 1, 0)
        return past

    def _decisions(self) -> Callable[[], list[Decision]]:
        """Return what returns new decisions; none from a disk that does not read."""
        new = self._folder.new_decisions()

        def read() -> list[Decision]:
            try:
                return new()
            except OSError:
                return []

        return read

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """Hold the folder while the block lasts, as far as it can be had in time."""
        deadline = time.monotonic() + self._end_wait_s
        is_asked = False
        with ExitStack() as holds:
            while True:
                with ExitStack() as tried:
                    try:
                        if tried.enter_context(self._folder.held()):
                            holds.enter_context(tried.pop_all())
                            break
                    except StoreUnable:
                        break
                if not is_asked:
                    is_asked = True
                    self._ask_to_end()
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(_LOOK_S)
            yield

    def _ask_to_end(self) -> None:
        reason = "the power fails; what runs on battery is stopped"
        decision = Decision(secrets.token_hex(8), wall_us(), "cancel", GUARD, reason=reason)
        try:
            self._folder.decide(decision)
        except StoreUnable:
            return  # the other run cannot be asked; the stop goes on beside it after the wait


async def restart_in(estate: Estate, folder: RecoveryFolder, on_event: OnEvent) -> None:
    """Restart an estate in its folder, unless another console does already; people may decide meanwhile."""
    with folder.held() as is_ours:
        if is_ours:
            past = past_of(folder.journal(), RESTART)
            await restart(estate, on_event, past=past, decisions=folder.new_decisions(), waits=True)
