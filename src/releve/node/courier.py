"""The courier: exchanges histories with the hubs, gives back what was captured, watches the services.

What it measures it leaves in small files under run/, which the pages read; what it learns of deliveries it has the desk
keep. Nothing on the way of care waits for it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import uvloop

from releve.board import HubState
from releve.clock import Instant, wall_us
from releve.config import Config, ServiceRule
from releve.doors.append import AppendClient
from releve.log import Ledger
from releve.node.folder import HUBS_FILE, SERVICES_FILE, signing_key, write_state
from releve.node.supervisor import Doors, Ready
from releve.node.watch import ServiceWatch
from releve.node.writeback import Debt, debts_of, start_write_backs
from releve.record import Views
from releve.recovery.probe import probe
from releve.replica.access import HubAccess, read_accesses
from releve.replica.link import HubState as LinkState
from releve.replica.link import Replica

#: A probe that takes longer has found a server that does not answer.
_PROBE_TIMEOUT_S = 3.0
_STATES_EVERY_S = 1.0


def run(config: Config, doors: Doors, ready: Ready) -> None:
    """Be the courier until SIGTERM.

    raises  WrongUse  what a hub's invitation brought was damaged since
    """
    doors.http.close()
    doors.mllp.close()
    accesses = read_accesses(config.folder)
    uvloop.run(_work(config, accesses, ready))


async def _work(config: Config, accesses: list[HubAccess], ready: Ready) -> None:
    inner, ledger = AppendClient(config.folder), Ledger(config.folder)
    public_key = signing_key(config.folder).public_key().public_bytes_raw()
    epoch = ledger.epoch_of(config.site_id)
    replica = Replica(
        accesses, config.site_id, public_key, ledger, inner.append_remote, epoch=epoch, folder=config.folder
    )
    views = Views(config.folder)
    debts = debts_of(config, views, ledger)
    ready()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    tasks: list[asyncio.Task[object]] = [
        asyncio.create_task(replica.run(), name="replica"),
        asyncio.create_task(_tell_hubs(config, replica), name="hub-states"),
        asyncio.create_task(_watch_services(config, debts), name="services"),
        *start_write_backs(config, debts, inner.append),
    ]
    stop: asyncio.Task[object] = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await inner.close()
    views.close()
    ledger.close()
    for task in done - {stop}:
        task.result()  # a part that ended by itself is a fault: the post falls, and is started again


async def _watch_services(config: Config, debts: Mapping[str, Debt]) -> None:
    """Probe every service at its turn, for as long as the courier works.

    debts  by name of the destination; a service of that id is not normal again before it has what is owed to it
    """
    watches = {rule.id: ServiceWatch(rule.id, rule.name, rule.central) for rule in config.services}

    async def ask(rule: ServiceRule) -> None:
        reading = await probe(rule.probe, _PROBE_TIMEOUT_S)
        debt = debts.get(rule.id)
        watches[rule.id].hear(reading, debt.count() if debt else 0)

    while True:
        await asyncio.gather(*(ask(rule) for rule in config.services))
        states = [watch.state() for watch in watches.values()]
        write_state(config.folder / SERVICES_FILE, msgspec.to_builtins(states))
        await asyncio.sleep(config.probe_every_s)


@dataclass
class _Since:
    """When each hub's state began."""

    states: dict[str, tuple[str, Instant]] = field(default_factory=dict)

    def of(self, name: str, state: str, now: Instant) -> Instant:
        held = self.states.get(name)
        if held is None or held[0] != state:
            held = self.states[name] = (state, now)
        return held[1]


async def _tell_hubs(config: Config, replica: Replica) -> None:
    """Leave the states of the exchange where the pages read them."""
    since = _Since()
    while True:
        now = wall_us()
        states = [_hub_state(link, since, now) for link in replica.states()]
        joined = {link.url for link in replica.states()}
        for url in config.hubs:
            if url.replace("nats://", "tls://") not in joined:
                reason = "no invitation accepted yet: releve hub invite there, releve join here"
                states.append(HubState(url, "down", since.of(url, "down", now), now, reason=reason))
        with suppress(OSError):  # a full disk must not end the exchange; the page shows that the states are old
            write_state(config.folder / HUBS_FILE, msgspec.to_builtins(states))
        await asyncio.sleep(_STATES_EVERY_S)


def _hub_state(link: LinkState, since: _Since, now: Instant) -> HubState:
    alerts = [alert for alert in link.alerts if alert.is_open]  # closed ones tell what was, not what is
    if not link.is_connected:
        state = "down"
    elif alerts:
        state = "degraded"
    elif link.owed or link.behind:
        state = "returning"
    else:
        state = "normal"
    reason = "; ".join(alert.sentence for alert in alerts) or link.reason
    return HubState(link.hub, state, since.of(link.hub, state, now), now, link.owed, link.last_exchange_at, reason)
