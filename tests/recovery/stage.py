"""A stage for runs: the real run, imagined units, and a clock that jumps to whatever comes next."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from releve.estate import Estate
from releve.recovery.driver import Launched, Order
from releve.recovery.folder import Decision, Verb
from releve.recovery.journal import Happened
from releve.recovery.outcome import RunResult
from releve.recovery.past import RESTART, past_of
from releve.recovery.probe import Reading
from releve.recovery.run import restart, shutdown

#: When the stage's clock begins, microseconds since 1970.
BEGIN = 1_722_643_200_000_000

#: No story of these tests takes longer.
LATEST_S = 20_000.0


class _Jump(selectors.DefaultSelector):  # type: ignore[valid-type,misc] # which one it is depends on the machine
    """Waits for nothing: the time that would pass has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = super().select(0)
        if not found and timeout is not None and timeout > 0:
            self.now += timeout
            assert self.now < LATEST_S, "the story does not end: it waits for a decision that the script does not hold"
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps: an hour of waiting takes no time."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def played(story: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(story)


@dataclass
class Stage:
    """Imagined units: each is named by the host of its probe.

    takes_s   unit → how long its start takes; ten seconds otherwise
    fails     unit → how many of its starts fail; check → "unit/check"
    did       (act, unit) of every command, in order
    script    decisions with the second at which they are written down
    """

    estate: Estate
    up: set[str] = field(default_factory=set)
    takes_s: dict[str, float] = field(default_factory=dict)
    fails: dict[str, int] = field(default_factory=dict)
    did: list[tuple[str, str]] = field(default_factory=list)
    script: list[tuple[float, Decision]] = field(default_factory=list)
    journal: list[Happened] = field(default_factory=list)
    elapsed_s: float = 0.0

    def decide(
        self, at_s: float, verb: str, unit: str = "", *, by: str = "Anne", hospital: str = "", reason: str = ""
    ) -> None:
        number = f"d{len(self.script)}"
        at = BEGIN + int(at_s * 1e6)
        self.script.append((at_s, Decision(number, at, cast(Verb, verb), by, "", unit, hospital, reason)))

    async def carry_out(self, order: Order, /) -> Launched:
        self.did.append((order.act, order.unit))
        await asyncio.sleep(self.takes_s.get(order.unit, 10.0))
        name = order.unit if order.act != "check" else f"{order.unit}/check"
        if self.fails.get(name, 0) > 0:
            self.fails[name] -= 1
            return Launched(False, "it ended with 1")
        if order.act == "start":
            self.up.add(order.unit)
        elif order.act == "stop":
            self.up.discard(order.unit)
        return Launched(True, "it ended with 0")

    async def ask(self, url: str, timeout_s: float, /) -> Reading:
        name = url.removeprefix("tcp://").partition(":")[0]
        return Reading(url, "up" if name in self.up else "refused", "answers" if name in self.up else "is mute", 0.0, 0)

    def play(
        self, act: str = RESTART, *, until_s: float | None = None, waits: bool = True, deaf: bool = False
    ) -> RunResult | None:
        """Carry the run out; None when it was killed at a second of the stage."""
        past = past_of(self.journal, act)
        carry = restart if act == RESTART else shutdown

        async def story() -> RunResult:
            loop = asyncio.get_running_loop()
            began_s = self.elapsed_s - loop.time()
            try:
                return await carry(
                    self.estate,
                    self.journal.append,
                    carry_out=self.carry_out,
                    ask=self.ask,
                    now=lambda: BEGIN + int((began_s + loop.time()) * 1e6),
                    past=past,
                    decisions=None if deaf else self._due(lambda: began_s + loop.time()),
                    waits=waits,
                )
            finally:
                self.elapsed_s = began_s + loop.time()

        async def cut() -> RunResult | None:
            if until_s is None:
                return await story()
            try:
                return await asyncio.wait_for(story(), until_s - self.elapsed_s)
            except TimeoutError:
                return None

        return cast("RunResult | None", played(cut()))

    def _due(self, now_s: Callable[[], float]) -> Callable[[], list[Decision]]:
        told: set[str] = set()

        def due() -> list[Decision]:
            new = [one for at_s, one in self.script if at_s <= now_s() and one.id not in told]
            told.update(one.id for one in new)
            return new

        return due

    def told(self, *kinds: str) -> list[str]:
        """Return the lines of some kinds as "kind unit", in order."""
        return [f"{line.kind} {line.unit}".strip() for line in self.journal if line.kind in kinds]

    def details(self, kind: str) -> list[str]:
        return [line.detail for line in self.journal if line.kind == kind]
