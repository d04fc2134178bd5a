"""Starting programs: without a shell, in a session of their own, so that they outlive whoever restarts them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, STDOUT
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from releve.estate import Command

#: What is kept of a failing program's words, for the sentence that says why.
WORDS_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Launched:
    """What became of a command.

    ok      it ended with 0, or it stays and runs
    detail  why not, as a sentence
    pid     of a staying program
    """

    ok: bool
    detail: str
    pid: int | None = None
    log: str | None = None

    def ended(self) -> str | None:
        """Return how a staying program ended, as a sentence, None while it runs (or when it does not stay)."""
        if self.pid is None:
            return None
        try:
            found, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return None
        if not found:
            return None
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return f"the program {how}" + _last_words(self.log)

    def end(self) -> None:
        """End a staying program that did not come up, so that the next try does not meet it."""
        if self.pid is not None and self.ended() is None:
            _end_group(self.pid)


async def launch(command: Command) -> Launched:
    """Run a command: to its end, or, when it stays, until it runs; never raises for what the program does."""
    return _spawn(command) if command.stays else await _run(command)


async def _run(command: Command) -> Launched:
    program = command.argv[0]
    # Its words go to a file without a name, not into a pipe: what it leaves running (a daemon) inherits them and would
    # be ended by its own words when the reader of a pipe is gone.
    with TemporaryFile() as words:
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv, stdin=DEVNULL, stdout=words, stderr=STDOUT, start_new_session=True
            )
        except OSError as error:
            return Launched(False, f"{program} cannot be run: {error.strerror}")
        try:
            async with asyncio.timeout(command.timeout_s):
                code = await process.wait()
        except TimeoutError:
            return Launched(False, f"{program} did not end within {command.timeout_s:g} s")
        finally:
            if process.returncode is None:
                _end_group(process.pid)
                await process.wait()
        if code == 0:
            return Launched(True, f"{program} ended with 0")
        return Launched(False, f"{program} ended with {code}{_tail(words)}")


def _end_group(pid: int) -> None:
    """End a program with everything that it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _spawn(command: Command) -> Launched:
    """Start a program that stays, detached: asyncio and subprocess would both end or mourn it with this process."""
    log = command.log or os.devnull
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawnp(
            command.argv[0],
            list(command.argv),
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigdef=(signal.SIGPIPE,),
        )
    except OSError as error:
        return Launched(False, f"{command.argv[0]} cannot be run: {error.strerror}")
    return Launched(True, f"{command.argv[0]} runs as process {pid}", pid, command.log)


def _last_words(log: str | None) -> str:
    if log is None:
        return ""
    try:
        with Path(log).open("rb") as file:
            return _tail(file)
    except OSError as error:
        return f" (its log {log} cannot be read: {error.strerror})"


def _tail(file: IO[bytes]) -> str:
    """Return the last line that a program said, for the end of a sentence."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - WORDS_BYTES_MAX))
    last = file.read().strip().rpartition(b"\n")[2].decode("utf-8", "replace")
    return f": {last[:160]}" if last else ""
