"""Programs on this machine: without a shell, in a session of their own, so that they outlive whoever restarts them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from releve.estate import Command, Estate
from releve.recovery.driver.order import Launched, Order
from releve.recovery.driver.process import identity, is_running, pid_of

#: What is kept of a failing program's words, for the sentence that says why.
WORDS_BYTES_MAX = 4096


class Local:
    """Runs programs here."""

    def __init__(self, estate: Estate) -> None:
        pass

    async def carry_out(self, order: Order) -> Launched:
        """Run a program: to its end, or, when it stays, until it runs."""
        command = order.command
        if command.stays:
            return _spawn(command, order.began)
        ended = await run_to_end(command.argv, command.timeout_s, order.began)
        return Launched(ended.code == 0, ended.detail)

    def words(self, command: Command) -> str:
        """Return the words of the program."""
        return shlex.join(command.argv)

    async def flaws(self, command: Command) -> list[str]:
        """Return that its program is not here, when it is not."""
        program = command.argv[0]
        return [] if shutil.which(program) else [f"{program} is not on this machine, or cannot be run"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    code   None: it could not be run or did not end in time
    words  the last of what it said
    """

    code: int | None
    detail: str
    words: bytes = b""


async def run_to_end(
    argv: Sequence[str],
    timeout_s: float,
    began: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    words_bytes_max: int = WORDS_BYTES_MAX,
) -> Ended:
    """Run a program to its end, or end it with everything it started when the time is over."""
    program = argv[0]
    # Its words go to a file without a name, not into a pipe: what it leaves running (a daemon) inherits them and would
    # be ended by its own words when the reader of a pipe is gone.
    with TemporaryFile() as words:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=DEVNULL, stdout=words, stderr=STDOUT, start_new_session=True, env=environment, cwd=folder
            )
        except OSError as error:
            return Ended(None, f"{program} cannot be run: {error.strerror}")
        try:
            began(identity(process.pid))
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
        except TimeoutError:
            return Ended(None, f"{program} did not end within {timeout_s:g} s")
        finally:
            if process.returncode is None:
                _end_group(process.pid)
                await process.wait()
        said = _end_of(words, words_bytes_max)
        detail = f"{program} ended with {code}"
        return Ended(code, detail if code == 0 else detail + _last_line(said), said)


def found_again(process: str, log: str | None) -> Launched:
    """Return a program that stays and was started by a run that has been killed since."""

    def ended() -> str | None:
        return None if is_running(process) else "the program is not there any more" + _last_words(log)

    def end() -> None:
        if is_running(process):
            _end_group(pid_of(process))

    return Launched(True, f"process {pid_of(process)} still runs", ended, end)


def _spawn(command: Command, began: Callable[[str], None]) -> Launched:
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
    began(identity(pid))
    gone: list[str] = []

    def ended() -> str | None:
        if not gone:
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                return None
            if not found:
                return None
            code = os.waitstatus_to_exitcode(status)
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            gone.append(f"the program {how}" + _last_words(command.log))
        return gone[0]

    def end() -> None:
        if ended() is None:
            _end_group(pid)

    return Launched(True, f"{command.argv[0]} runs as process {pid}", ended, end)


def _end_group(pid: int) -> None:
    """End a program with everything that it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _last_words(log: str | None) -> str:
    if log is None:
        return ""
    try:
        with Path(log).open("rb") as file:
            return _last_line(_end_of(file, WORDS_BYTES_MAX))
    except OSError as error:
        return f" (its log {log} cannot be read: {error.strerror})"


def _end_of(file: IO[bytes], bytes_max: int) -> bytes:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - bytes_max))
    return file.read()


def _last_line(said: bytes) -> str:
    """Return the last line that a program said, for the end of a sentence."""
    last = said.strip().rpartition(b"\n")[2].decode("utf-8", "replace")
    return f": {last[:160]}" if last else ""
