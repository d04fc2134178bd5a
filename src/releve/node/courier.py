"""The courier: exchanges histories with the hubs, gives back what was captured, watches services and the estate.

What it measures it leaves in small files under run/ and recovery/, which the pages read; what it learns of
deliveries, and what the other hospitals should know, it has the desk keep. Nothing on the way of care waits for it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import uvloop

from releve.board import HubState
from releve.clock import Instant, wall_us
from releve.config import Config
from releve.doors.append import AppendClient
from releve.log import Ledger
from releve.node.folder import HUBS_FILE, RECOVERY_FOLDER, SERVICES_FILE, signing_key, write_state
from releve.node.lookout import Lookout, estate_mark, keep_asking, keep_telling, lookout, read_estate
from releve.node.mirror import Mirror, keep_mirrored
from releve.node.outlook import keep_outlook
from releve.node.supervisor import Doors, Ready
from releve.node.writeback import Append, Debt, debts_of, start_write_backs
from releve.record import Views
from releve.recovery.state import write_states
from releve.replica.access import HubAccess, read_accesses
from releve.replica.link import HubState as LinkState
from releve.replica.link import Replica

_STATES_EVERY_S = 1.0
#: How often to look whether the estate file was replaced.
_LOOK_AT_ESTATE_S = 5.0


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
    mirror = Mirror(config.folder, config.site_id)
    ready()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    tasks: list[asyncio.Task[object]] = [
        asyncio.create_task(replica.run(), name="replica"),
        asyncio.create_task(_tell_hubs(config, replica), name="hub-states"),
        asyncio.create_task(keep_mirrored(mirror, ledger, inner.append), name="recovery"),
        asyncio.create_task(keep_outlook(config, mirror), name="outlook"),
        asyncio.create_task(_look_out(config, debts, inner.append), name="lookout"),
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


async def _look_out(config: Config, debts: Mapping[str, Debt], append: Append) -> None:
    """Watch services and the estate, for as long as the courier works; an estate file that was replaced is read again.

    debts  by name of the destination; a service of that id is not normal again before it has what is owed to it
    """
    path = config.estate.file
    estate = read_estate(path)
    found = lookout(config, estate)

    def current() -> Lookout:
        return found

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_telling(current, append))
        tasks.create_task(_leave_states(config, current))
        while True:
            mark = estate_mark(path, estate)
            asking = asyncio.create_task(keep_asking(found, debts))
            while estate_mark(path, estate) == mark:
                ended, _ = await asyncio.wait([asking], timeout=_LOOK_AT_ESTATE_S)
                for task in ended:
                    task.result()  # it never ends by itself: a fault, the post falls and is started again
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            estate = read_estate(path, estate)
            found = lookout(config, estate, found)


async def _leave_states(config: Config, current: Callable[[], Lookout]) -> None:
    """Leave what was measured where the pages read it."""
    recovery = config.folder / RECOVERY_FOLDER
    left: tuple[object, object] = (None, None)
    while True:
        found = current()
        services = [found.watches[one].state() for one in found.services if found.watches[one].checked_at]
        measured = found.states(wall_us())
        with suppress(OSError):  # a full disk must not end the exchange; the page shows that the states are old
            if services != left[0] and (services or not found.services):
                write_state(config.folder / SERVICES_FILE, msgspec.to_builtins(services))
            if found.units and measured.units != left[1]:
                recovery.mkdir(mode=0o700, exist_ok=True)
                write_states(recovery, measured)
            left = (services, measured.units)
        await asyncio.sleep(_STATES_EVERY_S)


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
