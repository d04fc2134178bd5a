"""One step of a run: how a unit is brought up, taken down, checked and released, each proved before it counts.

Every line is on the disk before the act that it announces, so a run that was killed knows what it had begun: a try that
had begun is looked for, asked about and waited for before another is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from releve.clock import Instant
from releve.estate import Command, Estate, Unit
from releve.recovery.driver import Launched, Order
from releve.recovery.driver import process as processes
from releve.recovery.driver.local import found_again
from releve.recovery.driver.person import whom
from releve.recovery.folder import Decision
from releve.recovery.journal import Kind
from releve.recovery.past import Begun, Past
from releve.recovery.people import REMINDERS_MAX, People, Question
from releve.recovery.probe import Reading
from releve.recovery.problem import Task, believed_s

#: Pauses between two askings of a probe: a short start is noticed at once, a long one is not pestered.
PAUSE_S_MIN, PAUSE_S_MAX = 0.05, 2.0

#: The pause as a share of the believed duration: an error of one part in forty of what is measured.
PAUSE_SHARE = 1 / 40

#: A unit that was up before the run was killed is asked so often before it counts as fallen.
LOOKS_AGAIN = 3

#: A person is reminded of a release after so long.
RELEASE_REMIND_S = 900.0


class CarryOut(Protocol):
    """Whatever carries out a command: the drivers, or an imagined world."""

    def __call__(self, order: Order, /) -> Awaitable[Launched]:
        """Run it to its end, or until it stays."""


class Ask(Protocol):
    """Whatever asks a probe."""

    def __call__(self, url: str, timeout_s: float, /) -> Awaitable[Reading]:
        """Return a fresh reading."""


class Tell(Protocol):
    """Whatever writes the journal."""

    def __call__(
        self,
        kind: Kind,
        unit: str = "",
        detail: str = "",
        *,
        began: float | None = None,
        hospital: str = "",
        by: str = "",
        decision: str = "",
        process: str = "",
        act: str = "",
    ) -> None:
        """Write a line; it is kept when this returns. `began` is in seconds of the loop's clock."""


@dataclass(frozen=True)
class Steps:
    """How the steps of one run are taken. Each returns when the journal says how it ended."""

    estate: Estate
    past: Past
    tell: Tell
    carry_out: CarryOut
    ask: Ask
    now: Callable[[], Instant]
    people: People

    async def bring_up(self, unit: Unit) -> None:
        """Start one unit and wait until its probe passes; a unit without a command is only waited for."""
        began = self._began(unit.id)
        reading = await self._read(unit)
        if reading is not None and reading.ok:
            kind: Kind = "up" if self.past.tries.get(unit.id) else "already-up"
            self.tell(kind, unit.id, reading.detail, began=began if kind == "up" else None)
        elif unit.start is None:
            await self._wait_for(unit, began)
        elif unit.start.driver == "person":
            await self._by_hand(unit, unit.start, "start", began)
        else:
            await self._try(unit, unit.start, "start", began)

    async def take_down(self, unit: Unit) -> bool:
        """Stop one unit, wait until its probe fails, and return whether what it stands on may be stopped too."""
        began = self._began(unit.id)
        if unit.stop is None:
            self.tell("left", unit.id, "there is no command to stop it")
            return True
        reading = await self._read(unit)
        if reading is not None and reading.state == "refused":
            kind: Kind = "down" if self.past.tries.get(unit.id) else "already-down"
            self.tell(kind, unit.id, reading.detail, began=began if kind == "down" else None)
            return True
        if unit.stop.driver == "person":
            return await self._by_hand(unit, unit.stop, "stop", began)
        return await self._try(unit, unit.stop, "stop", began)

    async def look_again(self, unit: Unit) -> bool:
        """Return whether a unit that was up still is; a single bad reading does not make it fallen."""
        for look in range(LOOKS_AGAIN):
            reading = await self._read(unit)
            if reading is None or reading.ok:
                return True
            if look + 1 < LOOKS_AGAIN:
                await asyncio.sleep(_pause_s(unit))
        return False

    async def check(self, unit: Unit) -> None:
        """Check the integrity of a unit that was not stopped cleanly, before anything stands on it."""
        name, command = f"{unit.id}/check", unit.check
        assert command is not None, f"{unit.id} has no check and no such task"
        began = self._began(name)
        if command.driver == "person":
            answer = await self._decided(self._by_person(name, unit, command, "check"))
            if answer is not None and answer.verb == "done":
                self.tell("checked", unit.id, f"by {answer.by}", began=began, by=answer.by)
            else:
                self._check_failed(unit, f"{answer.by} found it wrong" if answer else self._nobody(), began)
            return
        if begun := self.past.begun.get(name):
            # What it found is lost with the process that waited for it; checking again changes nothing.
            await self._gone(begun, command)
        self.tell("check-began", unit.id, "it was not stopped cleanly, for all we know")
        launched = await self.carry_out(Order(unit.id, "check", command, 1, self._noting(unit.id, "check")))
        if launched.ok:
            self.tell("checked", unit.id, launched.detail, began=began)
        else:
            self._check_failed(unit, launched.detail, began)

    async def release(self, task: Task, sign_on_s: float) -> None:
        """Ask a person to release a unit to care; a wave that nobody is asked for is let in and has time to sign on."""
        unit, began = self.estate.units[task.unit], self._began(task.name)
        if task.asks:
            where = self.estate.sites[task.hospital].name.en if task.hospital else "everybody"
            contact = self.estate.contacts.get(task.asks)
            detail = f"release {unit.name.en} to {where}: {whom(contact)}"
            verbs = ("release", "refuse")
            answer = await self._decided(
                Question(task.name, unit.id, "release", task.hospital, verbs, detail, RELEASE_REMIND_S)
            )
            released = answer is not None and answer.verb == "release"
            who = answer.by if answer else ""
            self.tell(
                "released" if released else "refused",
                unit.id,
                f"by {who}" if answer else self._nobody(),
                began=began,
                hospital=task.hospital,
                by=who,
            )
            return
        ended = self.past.ended.get(task.name)
        since_s = (self.now() - ended.at) / 1e6 if ended is not None else 0.0
        if ended is None:
            self.tell("released", unit.id, "its wave is let in", began=began, hospital=task.hospital)
        await asyncio.sleep(max(sign_on_s - since_s, 0.0))
        while True:
            if await self.look_again(unit):
                return
            await asyncio.sleep(PAUSE_S_MAX)  # it bends under those who came: the next wave waits

    async def _try(self, unit: Unit, command: Command, act: Literal["start", "stop"], began: float) -> bool:
        """Run a command, as often as the unit may be tried, until the probe says what is wanted."""
        want_up = act == "start"
        attempt = self.past.tries.get(unit.id, 0)
        fruitless = 0
        launched: Launched | None = None
        detail = ""
        begun = self.past.begun.get(unit.id)
        while begun is not None or attempt < unit.tries:
            if begun is not None:
                ok, detail, launched = await self._resumed_try(unit, command, begun, want_up=want_up)
                begun, fruitless = None, 1
            else:
                attempt += 1
                self._end_left_over(unit, command)
                self.tell(f"{act}-began", unit.id, f"try {attempt} of {unit.tries}")  # type: ignore[arg-type] # a Kind
                launched = await self.carry_out(Order(unit.id, act, command, 1 + fruitless, self._noting(unit.id, "")))
                ok, detail = launched.ok, launched.detail
                if ok:
                    ok, detail = await self._until(unit, launched, want_up=want_up)
                    fruitless += not ok
            if ok:
                self.tell("up" if want_up else "down", unit.id, detail, began=began)
                return True
            if attempt < unit.tries:
                if want_up and launched is not None:
                    launched.end()
                self.tell("try-failed", unit.id, detail, began=began)
                await asyncio.sleep(_pause_s(unit))
        self._failed(unit, detail, began)
        return False

    async def _resumed_try(
        self, unit: Unit, command: Command, begun: Begun, *, want_up: bool
    ) -> tuple[bool, str, Launched | None]:
        """Wait for a try that was begun before this process; its command is not run again here."""
        process = begun.process
        if not process and command.driver == "local":
            process = processes.find(command.argv, begun.at / 1e6)
        since = begun.at
        if process and command.stays:
            launched = found_again(process, command.log)
            # Nobody watched it meanwhile: what still runs is given its whole time again before it is ended.
            since = self.now() if processes.is_running(process) else since
            ok, detail = await self._until(unit, launched, want_up=want_up, since=since)
            return ok, detail, launched
        if process and processes.is_running(process):
            await self._gone(begun, command)
            since = self.now()
        ok, detail = await self._until(unit, None, want_up=want_up, since=since, proves_nothing=True)
        return ok, detail, None

    async def _gone(self, begun: Begun, command: Command) -> None:
        """Wait until a command that an earlier process of this run began has ended, or end it when its time is over."""
        process = begun.process or (processes.find(command.argv, begun.at / 1e6) if command.driver == "local" else "")
        if not process:
            return
        until = begun.at + int(command.timeout_s * 1e6)
        while processes.is_running(process):
            if self.now() >= until:
                found_again(process, None).end()
                return
            await asyncio.sleep(PAUSE_S_MIN)

    def _end_left_over(self, unit: Unit, command: Command) -> None:
        """End the program of an earlier try that stayed and never came up, so that the new one does not meet it."""
        process = self.past.processes.get(unit.id, "")
        if command.stays and process:
            found_again(process, command.log).end()

    async def _wait_for(self, unit: Unit, began: float) -> None:
        if unit.probe is None:
            self.tell("up", unit.id, "it comes by itself and has no probe: taken as up", began=began)
            return
        self.tell("waiting", unit.id, f"asked until it passes, for {unit.up_within_s:g} s at most")
        ok, detail = await self._until(unit, None, want_up=True)
        if ok:
            self.tell("up", unit.id, detail, began=began)
        else:
            self._failed(unit, detail, began)

    async def _by_hand(self, unit: Unit, command: Command, act: Literal["start", "stop"], began: float) -> bool:
        """Ask a person, and wait for the tick or for the probe that shows that it was done."""
        want_up = act == "start"
        if unit.id not in self.past.begun:
            self.tell(f"{act}-began", unit.id, "by hand")  # type: ignore[arg-type] # a Kind
        decided = asyncio.ensure_future(self._decided(self._by_person(unit.id, unit, command, act)))
        try:
            while not decided.done():
                await asyncio.wait((decided,), timeout=PAUSE_S_MAX if unit.probe else None)
                reading = None if decided.done() else await self._read(unit)
                if reading is not None and (reading.ok if want_up else reading.state == "refused"):
                    self.tell("up" if want_up else "down", unit.id, f"{reading.detail}; nobody ticked it", began=began)
                    return True
            answer = decided.result()
        finally:
            decided.cancel()
            self.people.forget(unit.id)
        ok, detail = await self._as_ticked(unit, answer, want_up=want_up)
        if ok:
            self.tell("up" if want_up else "down", unit.id, detail, began=began)
        else:
            self._failed(unit, detail, began)
        return ok

    async def _as_ticked(self, unit: Unit, answer: Decision | None, *, want_up: bool) -> tuple[bool, str]:
        """Return whether a step by hand is done, and in which words: a tick is believed when the probe agrees."""
        if answer is None:
            return False, self._nobody()
        if answer.verb == "not-done":
            return False, f"{answer.by} could not do it" + (f": {answer.reason}" if answer.reason else "")
        if unit.probe is None:
            return True, f"done by {answer.by}; it has no probe"
        ok, detail = await self._until(unit, None, want_up=want_up)
        return ok, f"done by {answer.by}{';' if ok else ', but'} {detail}"

    def _by_person(self, name: str, unit: Unit, command: Command, act: str) -> Question:
        what = command.words.en if command.words else act
        detail = f"{what}: {whom(self.estate.contacts.get(command.address))}"
        return Question(name, unit.id, act, "", ("done", "not-done"), detail, command.timeout_s)

    async def _decided(self, question: Question) -> Decision | None:
        """Ask, remind, and return the decision; None when no decision can reach this run."""
        if (given := self.past.given.get(question.name)) is not None:
            verb: Any = given.act
            return Decision(given.decision, given.at, verb, given.by, hospital=given.hospital, reason=given.detail)
        if not self.people.can_answer:
            return None
        answer = self.people.ask(question, self.past.asked)
        try:
            for reminder in range(1, REMINDERS_MAX + 1):
                done, _ = await asyncio.wait((answer,), timeout=question.remind_s)
                if done:
                    break
                self.people.remind(question, reminder)
            return await answer
        finally:
            self.people.forget(question.name)

    @staticmethod
    def _nobody() -> str:
        return "a person is wanted, and no decision can reach this run: it has no folder"

    def _failed(self, unit: Unit, detail: str, began: float) -> None:
        self.tell("failed", unit.id, detail, began=began)
        self._ask_what_now(unit, "retry, skip or cancel")

    def _check_failed(self, unit: Unit, detail: str, began: float) -> None:
        self.tell("check-failed", unit.id, detail, began=began)
        self._ask_what_now(unit, "retry the check, or skip it and answer for its content")

    def _ask_what_now(self, unit: Unit, choices: str) -> None:
        if self.people.can_answer:
            repair = f"{unit.repair.en}; " if unit.repair else ""
            owner = f"; {whom(self.estate.contacts[unit.owner])}" if unit.owner in self.estate.contacts else ""
            self.tell("asked", unit.id, f"{repair}{choices}{owner}", act="failed")

    async def _until(
        self,
        unit: Unit,
        launched: Launched | None,
        *,
        want_up: bool,
        since: Instant | None = None,
        proves_nothing: bool = False,
    ) -> tuple[bool, str]:
        """Ask until the probe says what is wanted, the program ends, or the time is over.

        since           from when the time counts; now, when not given
        proves_nothing  how its command ended is not known, so a unit without a probe is not taken as up
        """
        if unit.probe is None:
            if proves_nothing:
                return False, "it has no probe, and how its command ended was lost with the process that ran it"
            return True, "its command ended well; it has no probe, so nothing else proves it"
        loop = asyncio.get_running_loop()
        gone_s = (self.now() - since) / 1e6 if since is not None else 0.0
        deadline = loop.time() + unit.up_within_s - gone_s
        while True:
            reading = await self._read(unit)
            assert reading is not None
            # On the way down "starting" and "battery" still come from something that runs; silence is a host switched
            # off, and counts because the command that stopped it ended well.
            if reading.ok if want_up else not reading.is_running:
                return True, reading.detail
            if launched is not None and (ended := launched.ended()) is not None:
                return False, f"{ended}; its probe said: {reading.detail}"
            if loop.time() > deadline:
                wanted = "up" if want_up else "down"
                return False, f"not {wanted} within {unit.up_within_s:g} s; its probe said: {reading.detail}"
            await asyncio.sleep(_pause_s(unit))

    async def _read(self, unit: Unit) -> Reading | None:
        return await self.ask(unit.probe, unit.probe_timeout_s) if unit.probe is not None else None

    def _noting(self, unit: str, act: str) -> Callable[[str], None]:
        """Return what writes down which process carries a command out."""

        def noting(process: str) -> None:
            if process:  # it may have ended before it could be told apart from any other
                detail = f"process {process.partition('/')[0]}"
                self.tell("launched", unit, detail, process=process, act=act)

        return noting

    def _began(self, name: str) -> float:
        """Return when a step began, on the loop's clock: before this process, when it had begun."""
        begun = self.past.begun.get(name)
        gone_s = (self.now() - begun.at) / 1e6 if begun is not None else 0.0
        return asyncio.get_running_loop().time() - max(gone_s, 0.0)


def _pause_s(unit: Unit) -> float:
    return min(max(believed_s(unit) * PAUSE_SHARE, PAUSE_S_MIN), PAUSE_S_MAX)
