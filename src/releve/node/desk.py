"""The desk: the HL7 v2 door, the inner door, and the one writer of the log."""

from __future__ import annotations

import asyncio
import gc
import signal
import ssl
from collections.abc import Sequence
from hashlib import sha256

import uvloop

from releve.config import Config, Tls
from releve.doors.append import AppendDoor
from releve.doors.mllp import MllpDoor
from releve.errors import WrongUse
from releve.log import SITE, Arrivals, Body, Draft, Event, Ledger, Log, Receipt, encode_body
from releve.log.writer import COMMIT_WITHIN_S
from releve.node.folder import signing_key
from releve.node.intake import Intake
from releve.node.reception import Reception
from releve.node.supervisor import Doors, Ready
from releve.node.waker import Waker
from releve.replica.access import read_accesses
from releve.replica.link import read_cursors
from releve.replica.regain import Regained, recover_own_history


def run(config: Config, doors: Doors, ready: Ready) -> None:
    """Be the desk until SIGTERM.

    raises  WrongUse, StoreUnable  the log or its key cannot be used
    """
    key = signing_key(config.folder)
    log = Log(config.folder, config.site_id, key)
    try:
        regained = asyncio.run(_regain(config, log, key.public_key().public_bytes_raw()))
        log.epoch = regained.epoch_to_write
        open_history(log, config.site_name)
        uvloop.run(_serve(config, doors, log, ready))
    finally:
        log.close()


async def _regain(config: Config, log: Log, public_key: bytes) -> Regained:
    """Have this node's own history back from the hubs before anything is written: no number is ever used twice.

    A node that lost its disk, or was put back from a backup, does not know how far it had come; the hubs do. Where they
    cannot say for certain a new epoch is opened, and the node works at once.
    """

    async def append_remote(events: Sequence[Event], key: bytes) -> Receipt:
        return await asyncio.to_thread(log.append_remote_now, events, key)

    ledger = Ledger(config.folder)
    try:
        return await recover_own_history(
            read_accesses(config.folder),
            config.site_id,
            public_key,
            ledger,
            append_remote,
            acked=read_cursors(config.folder),
        )
    finally:
        ledger.close()


def open_history(log: Log, site_name: str) -> None:
    """Write the first event of this node, once: who it is."""
    event_id = sha256(f"opened {log.origin} {log.epoch}".encode()).digest()[:16]
    body = Body({"door": "node", "site": log.origin, "name": site_name, "epoch": log.epoch})
    log.append_now(Draft(SITE, "opened", event_id, encode_body(body)))


def server_tls(tls: Tls | None, door: str) -> ssl.SSLContext | None:
    """Return the TLS of a door, None for a door without.

    raises  WrongUse  certificate and key do not belong together, or cannot be read
    """
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise WrongUse("node.tls", f"The {door} door cannot use {tls.certificate} with {tls.key}: {error}.") from error
    return context


async def _serve(config: Config, doors: Doors, log: Log, ready: Ready) -> None:
    loop = asyncio.get_running_loop()
    intake = Intake(log.append, config.zone, production=config.production)
    arrivals = Arrivals(config.folder)
    reception = Reception(arrivals, intake, loop, charset=config.mllp.charset)
    mllp = MllpDoor(
        reception.receive,
        intake.unreadable,
        message_bytes_max=config.mllp.message_bytes_max,
        connections_max=config.mllp.connections_max,
        idle_s=config.mllp.idle_s,
        default_charset=config.mllp.charset,
    )
    inner = AppendDoor(log, config.folder)
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    log.hand_over(Waker(loop, log.commit_waiting, COMMIT_WITHIN_S))
    reception.take_left()
    _commit_all(log)
    refusal = reception.refusal()
    if refusal is not None:
        raise refusal  # what was accepted must be in the log before its place is written over
    await inner.open()
    await mllp.serve(doors.mllp, server_tls(config.mllp.tls, "mllp"))
    ready()
    _rarely_look_for_cycles()
    await stopping.wait()
    await mllp.close()
    await inner.close()
    reception.finish()
    _commit_all(log)
    arrivals.close()


def _rarely_look_for_cycles() -> None:
    """Look for cycles of garbage a hundred times less often: messages make none, and looking walks all we know."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _commit_all(log: Log) -> None:
    while not log.is_idle:
        log.commit_waiting()
