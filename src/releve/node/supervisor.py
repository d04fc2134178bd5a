"""The supervisor: binds the doors, forks the posts, restarts what falls, and leaves nothing behind.

The doors are bound here and inherited, so that a post that is restarted finds its callers waiting, not refused. A post
that dies is started again after a pause that grows; a post that refuses its start (wrong file, full disk) stops the
node with its sentence. When the supervisor itself is killed, the kernel kills the posts (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from releve.config import Config, Listen
from releve.errors import ReleveError, StoreUnable, WrongUse

_log = logging.getLogger(__name__)

#: A killed node's posts are gone within milliseconds; a node that is still there after this is another one.
_LOCK_WAIT_S = 5.0
_STOP_WAIT_S = 15.0
_PAUSE_FIRST_S = 0.2
_PAUSE_MAX_S = 10.0
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

Ready = Callable[[], None]


@dataclass(frozen=True)
class Doors:
    """The sockets callers connect to, bound before any post starts."""

    http: socket.socket
    mllp: socket.socket


@dataclass
class Post:
    """One process of the node.

    run    does the post's work until SIGTERM; calls ready once it can be used
    pause  how long to wait before the next start
    """

    name: str
    run: Callable[[Config, Doors, Ready], None]
    nice: int = 0
    pid: int = 0
    pause_s: float = _PAUSE_FIRST_S
    started_at: float = 0.0


def bind(listen: Listen, door: str) -> socket.socket:
    """Return a listening socket.

    raises  WrongUse  the port is taken, or the address is not ours: one sentence
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((listen.host, listen.port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise WrongUse(
            "node.port",
            f"The {door} door cannot open {listen.host}:{listen.port}: {error.strerror}. "
            f"Free the port, or change [{door}] listen in node.toml.",
        ) from error
    return sock


def lock(folder: Path) -> int:
    """Take the folder for this node; the lock goes with the last process that holds it.

    raises  WrongUse     another node runs in it
    raises  StoreUnable  the folder cannot be written
    """
    path = folder / "run" / "lock"
    try:
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnable("node.unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    until = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError as error:
            if time.monotonic() > until:
                os.close(descriptor)
                raise WrongUse("node.running", f"A node already runs in {folder}; stop it first.") from error
            time.sleep(0.05)


class Supervisor:
    """Runs the posts of one node until it is told to stop."""

    def __init__(self, config: Config, doors: Doors, posts: list[Post]) -> None:
        self._config = config
        self._doors = doors
        self._posts = posts
        self._stopping = False

    def run(self, announce: Ready) -> int:
        """Start every post in order, call announce once all are open, watch them; returns the exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        # What is imported by now lives as long as the node: the posts share its pages and no collection walks it again.
        gc.collect()
        gc.freeze()
        try:
            for post in self._posts:
                self._start(post)
                if self._stopping:
                    return 0
            announce()
            while not self._stopping:
                self._watch()
            return 0
        finally:
            self._end()

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, post: Post) -> None:
        """Fork a post and wait until it says that it is open.

        raises  ReleveError  the post refused to start, in its own words
        """
        reading, writing = os.pipe()
        post.started_at = time.monotonic()
        post.pid = os.fork()
        if post.pid == 0:
            os.close(reading)
            _live(post, self._config, self._doors, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            while not select.select([pipe], [], [], 0.2)[0]:
                if self._stopping:
                    return
            said = pipe.readline()
        if not said:
            raise StoreUnable("node.post-died", f"The {post.name} post ended while it was starting; see its log lines.")
        word = json.loads(said)
        if word != "ready":
            code, sentence, exit_code = word
            raise (WrongUse if exit_code == WrongUse.exit_code else StoreUnable)(code, sentence)

    def _watch(self) -> None:
        """Wait for a post to fall, and start it again."""
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            time.sleep(0.1)
            return
        post = next((post for post in self._posts if post.pid == pid), None)
        if post is None or self._stopping:
            return
        lived_s = time.monotonic() - post.started_at
        post.pause_s = _PAUSE_FIRST_S if lived_s > 60 else min(post.pause_s * 2, _PAUSE_MAX_S)
        _log.error(
            "post fell, starting it again",
            extra={"code": "node.post-fell", "post": post.name, "status": status, "pause_s": post.pause_s},
        )
        self._pause(post.pause_s)
        if self._stopping:
            return
        try:
            self._start(post)
        except ReleveError as refusal:
            # The other posts go on: a node that can still be read is better than none. This one has ended by itself, is
            # noticed like one that fell, and is tried again.
            _log.error("post refused to start", extra={"code": refusal.code, "post": post.name})

    def _pause(self, pause_s: float) -> None:
        until = time.monotonic() + pause_s
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)

    def _end(self) -> None:
        for post in reversed(self._posts):
            _signal(post.pid, signal.SIGTERM)
        until = time.monotonic() + _STOP_WAIT_S
        waiting = {post.pid for post in self._posts if post.pid}
        while waiting and time.monotonic() < until:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            waiting.discard(pid)
            if pid == 0:
                time.sleep(0.02)
        for pid in waiting:
            _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return  # it is gone already, which is what was wanted


def _live(post: Post, config: Config, doors: Doors, writing: int) -> None:
    """Be a post: in the child, never returns."""
    parent = os.getppid()
    _die_with_parent(parent)
    _call_oneself(f"releve-{post.name}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if post.nice:
        os.nice(post.nice)

    def ready() -> None:
        os.write(writing, b'"ready"\n')

    code = 1
    try:
        post.run(config, doors, ready)
        code = 0
    except ReleveError as refusal:
        os.write(writing, json.dumps([refusal.code, refusal.sentence, refusal.exit_code]).encode() + b"\n")
        code = refusal.exit_code
    except BaseException:  # noqa: BLE001 - the top of a process: the reason goes to the log, the supervisor sees the end
        _log.exception("post failed", extra={"code": "node.post-failed", "post": post.name})
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process with its parent; elsewhere than on Linux the parent's SIGTERM must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it was killed before we asked


def _call_oneself(name: str) -> None:
    """Tell the kernel a name, so that `ps` and `top` show which post is which."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NAME, name.encode()[:15])
