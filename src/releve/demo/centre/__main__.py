"""Run or start one program of the centre.

    python -m releve.demo.centre ROOM.json serve NAME    in the foreground
    python -m releve.demo.centre ROOM.json start NAME    in a session of its own, once it has reached what it needs
    python -m releve.demo.centre ROOM.json stop NAME     by SIGTERM
    python -m releve.demo.centre ROOM.json check NAME    whether its disk is whole, after a stop that was not clean

start ends with 1 and the program's own sentence when the program refuses; it does not wait for the door to open, which
is what a probe is for. Every program ends by itself when the night lets go of its lock, whatever became of the night.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from releve.demo.centre.integrity import flaws_of
from releve.demo.centre.room import Programme, Room, Unreachable, read_room

PROGRAMMES = {
    "feed-a": ("power", "FEED_A"),
    "feed-b": ("power", "FEED_B"),
    "storage": ("storage", "STORAGE"),
    "names": ("names", "NAMES"),
    "directory": ("directory", "DIRECTORY"),
    "database": ("database", "DATABASE"),
    "record": ("record", "RECORD"),
    "laboratory": ("laboratory", "LABORATORY"),
    "engine": ("engine", "ENGINE"),
    "lab-portal": ("portal", "LAB_PORTAL"),
    "imaging-portal": ("portal", "IMAGING_PORTAL"),
    "mail": ("mail", "MAIL"),
    "telephone": ("telephone", "TELEPHONE"),
    "hub-a": ("depot", "HUB_A"),
}
#: A program that has neither reached its needs nor refused by then is stuck.
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
_REACHED = b"reached"


def pid_file(room: Room, name: str) -> Path:
    """Return where a running program's process group is written."""
    return room.path / "run" / f"{name}.pid"


def watch_lock(lock: str) -> None:
    """End this process and its group when the night lets go of its lock: it holds it until its last moment."""

    def wait() -> None:
        handle = os.open(lock, os.O_RDWR)
        fcntl.flock(handle, fcntl.LOCK_SH)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=wait, name="lock", daemon=True).start()


def _programme(name: str) -> Programme:
    module, value = PROGRAMMES[name]
    programme = getattr(importlib.import_module(f"releve.demo.centre.{module}"), value)
    assert isinstance(programme, Programme)
    return programme


async def _run(room: Room, name: str, reached: Callable[[], None]) -> None:
    programme = _programme(name)
    needs = await programme.check(room)
    reached()
    await asyncio.sleep(programme.warm_up_s / room.haste)
    task = asyncio.ensure_future(programme.serve(room, needs, lambda: _say(f"{name} open")))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _say(f"{name} stopped")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def serve(room: Room, name: str, reached: Callable[[], None] = lambda: None) -> int:
    """Run a program until SIGTERM; 1 with a sentence when it cannot reach what it needs."""
    watch_lock(room.lock)
    try:
        asyncio.run(_run(room, name, reached))
    except Unreachable as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    return 0


def start(room: Room, plan: Path, name: str) -> int:
    """Start a program in its own session and wait until it has reached what it needs, or has refused."""
    path = pid_file(room, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    log = room.path / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with log.open("ab") as out:
        process = subprocess.Popen(
            (sys.executable, "-m", "releve.demo.centre", str(plan), "serve", name, str(writing)),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=(writing,),
            start_new_session=True,
        )
    os.close(writing)
    path.write_text(f"{process.pid}\n")
    came, _, _ = select.select((reading,), (), (), START_TIMEOUT_S)
    if came and os.read(reading, len(_REACHED)) == _REACHED:
        return 0
    path.unlink(missing_ok=True)
    if not came:
        os.killpg(process.pid, signal.SIGKILL)
        sys.stderr.write(f"{name}: neither started nor refused within {START_TIMEOUT_S:g} s\n")
        return 1
    process.wait()
    sys.stderr.write(log.read_text().strip().rsplit("\n", 1)[-1] + "\n")
    return 1


def stop(room: Room, name: str) -> int:
    """Stop a program cleanly."""
    path = pid_file(room, name)
    if not path.exists():
        return 0
    pid = int(path.read_text())
    deadline = time.monotonic() + STOP_TIMEOUT_S
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.02)
        sys.stderr.write(f"{name}: still there {STOP_TIMEOUT_S:g} s after SIGTERM\n")
        return 1
    except ProcessLookupError:
        path.unlink(missing_ok=True)
        return 0


def main() -> int:
    """Do what the arguments say."""
    plan, verb, name, *rest = sys.argv[1:]
    room = read_room(Path(plan))
    if name not in PROGRAMMES or verb not in ("serve", "start", "stop", "check"):
        sys.stderr.write(f"usage: ROOM.json serve|start|stop|check {'|'.join(PROGRAMMES)}\n")
        return 2
    if verb == "start":
        return start(room, Path(plan), name)
    if verb == "stop":
        return stop(room, name)
    if verb == "check":
        return _check(room, name)
    reached = (lambda: _tell(int(rest[0]))) if rest else (lambda: None)
    return serve(room, name, reached)


def _check(room: Room, name: str) -> int:
    flaws = flaws_of(room, name)
    sys.stdout.write("".join(f"{name}: {flaw}\n" for flaw in flaws) or f"{name}: every file can be read whole\n")
    return 1 if flaws else 0


def _tell(pipe: int) -> None:
    os.write(pipe, _REACHED)
    os.close(pipe)


if __name__ == "__main__":
    sys.exit(main())
