"""A program as a probe: 0 is well, anything else is not. For what has no protocol: systemctl is-active, a mount."""

from __future__ import annotations

import asyncio
import shlex
from asyncio.subprocess import DEVNULL, PIPE, STDOUT

from releve.errors import WrongUse
from releve.recovery.probe.reading import Verdict, clipped

#: What a failing program says fits here; the rest is not kept.
OUTPUT_BYTES_MAX = 4096


def parse_command(url: str) -> list[str]:
    """Return the words of "command:program argument …"; quotes group, nothing is expanded: there is no shell.

    raises  WrongUse  there is no program, or a quote is not closed
    """
    try:
        argv = shlex.split(url.removeprefix("command:"))
    except ValueError as error:
        raise WrongUse("probe.command", f"{url!r} is no command to probe with: {error}.") from error
    if not argv:
        raise WrongUse("probe.command", f"{url!r} names no program; expected command:PROGRAM ARGUMENT ….")
    return argv


async def run(argv: list[str], *, timeout_s: float) -> Verdict:
    """Run a program to its end, or end it when the time is over."""
    try:
        process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    except OSError as error:
        return Verdict("unasked", f"{argv[0]} cannot be run: {error.strerror}")
    try:
        async with asyncio.timeout(timeout_s):
            assert process.stdout is not None
            said = bytearray()
            while data := await process.stdout.read(OUTPUT_BYTES_MAX):
                said = (said + data)[-OUTPUT_BYTES_MAX:]
            code = await process.wait()
    except TimeoutError:
        return Verdict("silent", f"{argv[0]} did not end within {timeout_s:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return judge(argv[0], code, bytes(said))


def judge(program: str, code: int, said: bytes) -> Verdict:
    """Return what the end of a program means."""
    if code == 0:
        return Verdict("up", f"{program} ended with 0")
    last = said.strip().rpartition(b"\n")[2]
    return Verdict("wrong", f"{program} ended with {code}" + (f": {clipped(last)}" if last else ""))
