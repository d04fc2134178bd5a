"""A real upsd with a dummy-ups for one feed, where NUT is installed; it says what the night's script says.

The programme of the feed starts both in its own process group: a cut takes them as it takes any other program. Where
NUT is not installed the programme speaks the protocol itself (power), and the demo says which of the two it is.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from releve.demo.centre.room import HOST, Room, Unreachable

#: Where distributions put what is started here; Debian's /usr/sbin/upsd is a wrapper that wants /etc/nut.
NUT_FOLDERS = ("/lib/nut", "/usr/lib/nut", "/usr/libexec/nut", "/usr/lib/ups/bin", "/usr/local/ups/sbin")

#: Set to 0 the demo plays the UPS itself although NUT is installed.
NUT_VARIABLE = "RELEVE_DEMO_NUT"

#: upsd opens its port and hears its driver within this, even on a busy machine.
OPEN_TIMEOUT_S = 20.0

#: The script is looked at so often.
STEP_S = 0.25

_ANSWER_TIMEOUT_S = 5.0
_LOOK_S = 0.05

#: The path of a driver's socket may not be longer than the kernel allows (107 bytes), its own name included.
_STATE_PATH_MAX = 80


def nut_programs() -> tuple[str, str] | None:
    """Return the paths of upsd and dummy-ups, None where NUT is not installed or not wanted."""
    if os.environ.get(NUT_VARIABLE) == "0":
        return None
    for folder in NUT_FOLDERS:
        upsd, driver = Path(folder) / "upsd", Path(folder) / "dummy-ups"
        if os.access(upsd, os.X_OK) and os.access(driver, os.X_OK):
            return str(upsd), str(driver)
    return None


class Upsd:
    """A running upsd that knows one UPS."""

    def __init__(self, feed: str, port: int, folder: Path, programs: tuple[str, str]) -> None:
        self.feed = feed
        self._port = port
        self._folder = folder
        self._programs = programs
        self._password = secrets.token_hex(16)
        self._running: list[Process] = []

    async def start(self, first: Mapping[str, str]) -> None:
        """Start driver and server, and return when the server knows what the UPS says.

        raises  Unreachable  they did not open
        """
        self._write(first)
        upsd, driver = self._programs
        me = pwd.getpwuid(os.geteuid()).pw_name
        places = {f"NUT_{name}PATH": str(self._folder) for name in ("CONF", "STATE", "PID")}
        with (self._folder / "log").open("ab") as log:
            for argv in ((driver, "-F", "-a", self.feed, "-u", me), (upsd, "-F", "-u", me)):
                self._running.append(
                    await asyncio.create_subprocess_exec(
                        *argv,
                        stdin=DEVNULL,
                        stdout=log,
                        stderr=log,
                        env={**os.environ, **places},
                    )
                )
        for _ in range(round(OPEN_TIMEOUT_S / _LOOK_S)):
            if await self._speaks():
                return
            if any(process.returncode is not None for process in self._running):
                break
            await asyncio.sleep(_LOOK_S)
        said = (self._folder / "log").read_text("utf-8", "replace")[-300:].strip()
        await self.stop()
        raise Unreachable(f"upsd did not open for {self.feed}: {said}")

    async def stop(self) -> None:
        """End both."""
        for process in self._running:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def kill_driver(self) -> None:
        """Kill the driver, as a cable that is pulled out does."""
        self._running[0].kill()
        await self._running[0].wait()

    async def say(self, variables: Mapping[str, str]) -> None:
        """Let the UPS say something else from now on.

        raises  Unreachable  upsd does not take it
        """
        words = ["USERNAME releve", f"PASSWORD {self._password}"]
        # The status last: whoever sees the cut reads the runtime of the cut with it.
        last = sorted(variables.items(), key=lambda item: item[0] == "ups.status")
        words += [f'SET VAR {self.feed} {name} "{value}"' for name, value in last]
        for answer in await self._talk(words):
            if not answer.startswith("OK"):
                raise Unreachable(f"upsd does not take what {self.feed} is to say: {answer}")

    async def follow(self, script: Callable[[], Mapping[str, str]]) -> None:
        """Let the UPS say what a script says, until cancelled."""
        said: Mapping[str, str] = {}
        while True:
            now = dict(script())
            if changed := {name: value for name, value in now.items() if said.get(name) != value}:
                # A driver that was killed takes nothing: the UPS is silent, which is what the script wants to see.
                with suppress(Unreachable):
                    await self.say(changed)
                    said = now
            await asyncio.sleep(STEP_S)

    def _write(self, first: Mapping[str, str]) -> None:
        users = f"[releve]\n  password = {self._password}\n  actions = SET\n  instcmds = ALL\n"
        files = {
            "nut.conf": "MODE=netserver\n",
            "upsd.conf": f"LISTEN {HOST} {self._port}\nMAXAGE 15\n",
            "ups.conf": f"[{self.feed}]\n  driver = dummy-ups\n  port = {self.feed}.dev\n  mode = dummy-once\n",
            "upsd.users": users,
            f"{self.feed}.dev": "".join(f"{name}: {value}\n" for name, value in first.items()),
        }
        for name, text in files.items():
            path = self._folder / name
            path.touch(mode=0o600)
            path.write_text(text, "utf-8")

    async def _speaks(self) -> bool:
        try:
            answers = await self._talk([f"GET VAR {self.feed} ups.status"])
        except Unreachable:
            return False
        return answers[0].startswith("VAR ") and "WAIT" not in answers[0]  # the server has not heard its driver yet

    async def _talk(self, words: list[str]) -> list[str]:
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                try:
                    answers = []
                    for word in words:
                        writer.write(word.encode() + b"\n")
                        answers.append((await reader.readline()).decode("utf-8", "replace").strip())
                    return answers
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"upsd of {self.feed} does not answer: {error}") from error


async def serve(
    feed: str,
    room: Room,
    programs: tuple[str, str],
    script: Callable[[], Mapping[str, str]],
    opened: Callable[[], None],
) -> None:
    """Be the UPS of a feed with a real upsd until cancelled.

    script  returns what the UPS says now
    """
    with _state_folder(room.path / "nut" / feed) as folder:
        upsd = Upsd(feed, room.ports[feed], folder, programs)
        try:
            await upsd.start(script())
            opened()
            await upsd.follow(script)
        finally:
            await upsd.stop()


@contextmanager
def _state_folder(folder: Path) -> Iterator[Path]:
    if len(str(folder)) <= _STATE_PATH_MAX:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield folder
        return
    short = Path(tempfile.mkdtemp(prefix="releve-nut-"))
    try:
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)
