"""Ports, process groups and their violent end: what the night needs of the operating system."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

HOST = "127.0.0.1"
#: A group that was told to stop and has not gone by then is killed, and the night says so.
STOP_TIMEOUT_S = 15.0
_LOOK_PAUSE_S = 0.02
_PR_SET_PDEATHSIG = 1


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that are free for TCP and UDP now, all different."""
    with ExitStack() as sockets:
        ports: list[int] = []
        while len(ports) < count:
            tcp = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            tcp.bind((HOST, 0))
            udp = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with suppress(OSError):  # taken for UDP: the next one will do
                udp.bind((HOST, tcp.getsockname()[1]))
                ports.append(tcp.getsockname()[1])
        return ports


class NightLock:
    """A file that is locked as long as the night lives; programs that left its process tree wait on it, and end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def release(self) -> None:
        """Let go: every program that waits on the lock ends now."""
        os.close(self._handle)


class Group:
    """A program in a session and process group of its own: a power cut takes it and all its children at once."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, *, ready: str = "") -> None:
        self.name = name
        self._argv = tuple(argv)
        self._log = log
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Start the program; what it says goes to its log. It dies with the thread that starts it."""
        assert self._process is None or self._process.poll() is not None, f"{self.name} runs already"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_die_with_starter,
            )

    def is_alive(self) -> bool:
        """True while the first process of the group runs."""
        return self._process is not None and self._process.poll() is None

    def ready_line(self) -> str:
        """Return the line that says it is ready, "" while it has not been said since the last start."""
        for line in self.said().splitlines():
            if line.startswith(self._ready):
                return line
        return ""

    def said(self) -> str:
        """Return what it said since the last start."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def kill(self) -> None:
        """Kill the whole group at once, as a power cut does."""
        if self._process is not None:
            kill_group(self._process.pid)
            self._process.wait()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Ask it to stop; True when it did within the time, otherwise it is killed."""
        if self._process is None:
            return True
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        kill_group(self._process.pid)  # a child that outlived its parent would keep a port
        return True


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_starter() -> None:
    """Ask the kernel to kill the program when the night dies, however that happens."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_group(pid: int) -> None:
    """Kill a process group; nothing happens when there is none."""
    with suppress(ProcessLookupError, PermissionError):  # PermissionError: the group holds nothing but zombies
        os.killpg(pid, signal.SIGKILL)


def cut_power(groups: Iterable[Group], pid_files: Iterable[Path]) -> int:
    """Kill many groups at once: first all signals, then all waiting. Returns how many were killed."""
    living = [group for group in groups if group.is_alive()]
    pids = [pid for path in pid_files if (pid := _read_pid(path)) is not None]
    for pid in pids:
        kill_group(pid)
    for group in living:
        group.kill()
    for pid in pids:
        _wait_gone(pid)
    for path in pid_files:
        path.unlink(missing_ok=True)
    return len(living) + len(pids)


def _read_pid(path: Path) -> int | None:
    """Return the process group of a pid file; None where there is none, or its program is being stopped just now."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(_LOOK_PAUSE_S)


def _runs(pid: int) -> bool:
    """True while a process runs; a zombie that nobody has waited for yet holds no port and no file any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of this program with this very Python."""
    return (sys.executable, "-m", name, *arguments)
