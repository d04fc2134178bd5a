"""One console of a run: it carries the run out, or, when another process does, looks on; both may decide.

The first console on a folder holds the run. Any other one follows the same journal, line by line. When the process that
holds the run dies, the next console that looks on carries it further: nobody has to notice that first.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import orjson

from releve.cli.run_screen import RunScreen
from releve.clock import wall_us
from releve.errors import Refused, WrongUse
from releve.estate import Estate
from releve.node.mirror import runs_elsewhere
from releve.recovery.console_words import parse_decision
from releve.recovery.folder import JOURNAL, Decision, RecoveryFolder, Verb
from releve.recovery.journal import Happened, from_json
from releve.recovery.outcome import RunResult
from releve.recovery.past import RESTART, past_of
from releve.recovery.run import restart, shutdown
from releve.recovery.tail import Tail

#: Who looks on sees a line so soon after it was written.
LOOK_S = 0.2


def console_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a restart and a stop have in common."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the run keeps its journal and hears decisions"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be executed, act on nothing")
    parser.add_argument(
        "--no-wait", action="store_true", help="end when only a person's decision could bring it further"
    )
    parser.add_argument(
        "--take-over", action="store_true", help="go on here with a run of another node that is lost for good"
    )
    parser.add_argument("--by", default="", metavar="NAME", help="your name, for decisions typed here")
    parser.add_argument("--lang", choices=("fr", "en"), default="en", help="language of plan and lines")


class Console:
    """One console on one folder."""

    def __init__(self, estate: Estate, folder: RecoveryFolder, act: str, options: argparse.Namespace) -> None:
        self._estate = estate
        self._folder = folder
        self._act = act
        self._waits = not options.no_wait
        self._unclean: list[str] = getattr(options, "unclean", [])
        self._by = options.by or getpass.getuser()
        self._screen = RunScreen(estate, options.lang)
        self._interrupts = 0

    async def run(self) -> int:
        """Carry the run out or follow it, and return the exit code."""
        tail = Tail(self._folder.path / JOURNAL)
        follows = False
        try:
            with self._screen, _typed(self._decide_typed):
                while True:
                    with self._folder.held() as is_ours:
                        seen = _lines(tail)
                        if follows:
                            for line in seen:
                                self._screen.show(line)
                            if ended := next((one for one in seen if one.kind == "run-ended"), None):
                                return 1 if ended.left else 0
                        if is_ours:
                            if follows:
                                self._screen.say("taken-over")
                            return await self._carry_out()
                    if not follows:
                        self._begin_to_follow(seen)
                        follows = True
                    await asyncio.sleep(LOOK_S)
        finally:
            self._screen.end()

    def _begin_to_follow(self, seen: list[Happened]) -> None:
        began = max((index for index, line in enumerate(seen) if line.kind == "run-began"), default=0)
        whose = seen[began].act if seen else ""
        if whose and whose != self._act:
            raise Refused(
                "run.other",
                f"a {whose} is being carried out in {self._folder.path}; a {self._act} was not begun. "
                "Cancel the other one first (releve decide DIR cancel), or wait for its end.",
            )
        self._screen.say("followed")
        for line in seen[began:]:
            self._screen.show(line)

    async def _carry_out(self) -> int:
        journal = self._folder.journal()
        past = past_of(journal, self._act)
        for unit in self._unclean:
            self._happened(Happened(wall_us(), "unclean", unit, f"said by {self._by} at the console", by=self._by))
            past.unclean |= {unit}
        carry = restart if self._act == RESTART else shutdown
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        result = await carry(
            self._estate,
            self._happened,
            past=past,
            decisions=self._folder.new_decisions(),
            waits=self._waits,
        )
        self._screen.sum_up(result)
        return 0 if result.ok else 1

    def _happened(self, line: Happened) -> None:
        self._folder.happened(line)
        self._screen.show(line)

    def _interrupted(self) -> None:
        """Cancel the run at the first Ctrl-C, as a named decision; leave it as it is at the second.

        Left at once, as by a kill: commands under way go on by themselves, and whoever starts the run again looks for
        them. To end them here would make half-done starts of them.
        """
        self._interrupts += 1
        if self._interrupts == 1:
            self._screen.say("interrupted")
            self._decide("cancel", "", "", "Ctrl-C")
        else:
            self._screen.end()
            sys.stdout.flush()
            os._exit(130)

    def _decide_typed(self, line: str) -> None:
        if not line.strip():
            return
        try:
            verb, unit, hospital, reason = parse_decision(line)
        except ValueError as error:
            self._screen.note(str(error))
            return
        self._decide(verb, unit, hospital, reason)

    def _decide(self, verb: str, unit: str, hospital: str, reason: str) -> None:
        self._folder.decide(new_decision(verb, self._by, unit=unit, hospital=hospital, reason=reason))


def run_console(estate: Estate, act: str, options: argparse.Namespace) -> int:
    """Open a console on the folder and return the exit code of its run."""
    if options.folder.exists() and not options.folder.is_dir():
        raise WrongUse("run.folder", f"{options.folder} is no folder; nothing was started")
    for unit in getattr(options, "unclean", []):
        if unit not in estate.units:
            raise WrongUse("run.unclean", f"--unclean {unit}: the estate has no such unit; nothing was started")
    folder = RecoveryFolder(options.folder)
    if not options.take_over and runs_elsewhere(folder):
        raise WrongUse(
            "run.elsewhere",
            f"The run in {options.folder} goes on at another node, which this folder mirrors; nothing was started. "
            f"Decide about it with: releve decide {options.folder}. If that node is lost for good, add --take-over.",
        )
    return asyncio.run(Console(estate, folder, act, options).run())


def new_decision(
    verb: str, by: str, *, role: str = "", unit: str = "", hospital: str = "", reason: str = ""
) -> Decision:
    """Return a decision of now."""
    return Decision(secrets.token_hex(8), wall_us(), cast(Verb, verb), by, role, unit, hospital, reason)


def run_in_memory(estate: Estate, act: str, options: argparse.Namespace, also: Callable[[Happened], None]) -> RunResult:
    """Carry a run out without a folder: nothing can be decided, and a second one begins from what the probes say."""
    screen = RunScreen(estate, options.lang)

    def show(line: Happened) -> None:
        screen.show(line)
        also(line)

    with screen:
        result = asyncio.run((restart if act == RESTART else shutdown)(estate, show))
    screen.sum_up(result)
    return result


def _lines(tail: Tail) -> list[Happened]:
    return [from_json(orjson.loads(line)) for line in tail.new_lines()[0]]


class _typed:
    """Hears what is typed at a terminal, line by line, while the block lasts."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._is_heard = sys.stdin is not None and sys.stdin.isatty()

    def __enter__(self) -> None:
        if self._is_heard:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    def __exit__(self, *_: object) -> None:
        if self._is_heard:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    def _read(self) -> None:
        line = sys.stdin.readline()
        if line:
            self._heard(line)
        else:
            self.__exit__()
            self._is_heard = False
