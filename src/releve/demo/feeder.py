"""A hospital's own admission desk and laboratory analyser: one process a hospital, which no power cut elsewhere stops.

    python -m releve.demo.feeder --site H01 --mllp 127.0.0.1:2575 --folder DIR --seed 7

They send to their hospital's node and to nothing else, repeat what is unanswered under the same MSH-10, and keep their
accounts in DIR. While DIR/quiet is there they invent nothing; on SIGTERM they wait for the last answers and leave.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from uuid import NAMESPACE_URL, uuid5

from releve.demo.account import Account, Sender, read_account
from releve.demo.cast import invent
from releve.demo.messages import ANALYTES, ZONE, Analyte, Bed, Office, Result, Stay, adt, oru, stamp
from releve.demo.mllp import Line

#: The wards that the hospital's own desk fills; the record application books into others, so nobody shares a bed.
WARDS = ("URG", "MED", "CHIR", "REA")
BOOKED_WARDS = ("CARD", "PNEU", "NEUR")
ROOMS_PER_WARD = 6
BEDS_PER_ROOM = 2
#: Patients who lie there when the night begins; a discharge leaves at least half of them.
STAYS_AT_START = 6
#: The desk writes one message in this time and the analyser one in the other, both stretched by --stretch.
DESK_PAUSE_S = 1.2
ANALYSER_PAUSE_S = 0.6
#: While this file lies in the folder of the accounts, nothing new is invented.
QUIET_FILE = "quiet"
#: Every so many results the analyser sends an acknowledged message again, as after an ACK that was lost on the way.
REPEAT_EVERY = 9


def oid_of(name: str) -> str:
    """Return the object identifier of an invented authority, under 2.25, the arc that belongs to nobody."""
    return f"2.25.{uuid5(NAMESPACE_URL, f'urn:releve:demo:{name}').int}"


@dataclass
class Order:
    """Something the analyser measured, and the status it last gave it."""

    stay: Stay
    filler: str
    analytes: list[Analyte]
    status: str


@dataclass
class Hospital:
    """What the desk and the analyser know: who is in, which beds are free, which orders may still change."""

    site: str
    rng: Random
    wards: tuple[str, ...] = WARDS
    stays_at_start: int = STAYS_AT_START
    stays: dict[str, Stay] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    numbers: int = 0

    def number(self) -> int:
        """Return the next number of this hospital's own counter."""
        self.numbers += 1
        return self.numbers

    def free_bed(self) -> Bed | None:
        """Return a bed where nobody lies, or None when the house is full."""
        taken = {stay.bed for stay in self.stays.values()}
        beds = [
            Bed(ward, f"{ward}{room:02}", str(bed))
            for ward in self.wards
            for room in range(1, ROOMS_PER_WARD + 1)
            for bed in range(1, BEDS_PER_ROOM + 1)
        ]
        free = [bed for bed in beds if bed not in taken]
        return self.rng.choice(free) if free else None


def is_quiet(quiet: Path) -> bool:
    """True while the night wants nothing new to be invented."""
    return quiet.exists()


class Desk:
    """An admission desk: arrivals, transfers, discharges, corrections.

    prefix    begins every number that this desk gives
    remember  called with a stay and its status before the message about it goes out
    """

    def __init__(
        self,
        hospital: Hospital,
        sender: Sender,
        office: Office,
        prefix: str,
        remember: Callable[[Stay, str], Awaitable[None]] | None = None,
    ) -> None:
        self._hospital = hospital
        self._sender = sender
        self._office = office
        self._prefix = prefix
        self._remember = remember

    async def work(self, pause_s: float, stopping: asyncio.Event, quiet: Path) -> None:
        """Fill the first beds, then write one message after the other until the end of the night."""
        while len(self._hospital.stays) < self._hospital.stays_at_start:
            await self._admit()
        while not await _is_set(stopping, pause_s):
            if not is_quiet(quiet):
                await self._next()

    async def _next(self) -> None:
        hospital = self._hospital
        act = hospital.rng.choices(("admit", "move", "leave", "update"), (4, 3, 2, 2))[0]
        if act == "admit":
            await self._admit()
            return
        stay = hospital.stays[hospital.rng.choice(list(hospital.stays))]
        if act == "move":
            bed = hospital.free_bed()
            if bed is not None:
                stay = hospital.stays[stay.visit] = stay._replace(bed=bed)
                await self._send("A02", stay, "in-progress")
        elif act == "leave" and len(hospital.stays) > hospital.stays_at_start // 2 + 1:
            del hospital.stays[stay.visit]
            await self._send("A03", stay, "finished")
        else:
            await self._send("A08", stay, "in-progress")

    async def _admit(self) -> None:
        hospital, prefix = self._hospital, self._prefix
        bed = hospital.free_bed()
        if bed is None:
            return
        number = hospital.number()
        person = invent(hospital.rng, f"{prefix}P{number:06}", self._office.namespace, self._office.oid)
        urgent = bed.ward == "URG"
        visit, file = f"{prefix}V{number:06}", f"{prefix}D{number:06}"
        stay = Stay(person, visit, file, "E" if urgent else "I", bed, stamp(datetime.now(ZONE)))
        hospital.stays[visit] = stay
        await self._send("A04" if urgent else "A01", stay, "in-progress")

    async def _send(self, event: str, stay: Stay, status: str) -> None:
        number = self._hospital.number()
        movement = "" if event == "A08" else f"{self._prefix}M{number:06}"
        if self._remember is not None:
            await self._remember(stay, status)
        raw, facts = adt(
            self._office,
            ("RELEVE", self._hospital.site),
            event,
            f"{self._prefix}-{self._office.application}-{number:06}",
            stay,
            at=datetime.now(ZONE),
            movement=movement,
            status=status,
        )
        await self._sender.send(raw, self._hospital.site, facts)


class Analyser:
    """The laboratory analyser: new results, preliminary ones that become final, final ones that are corrected."""

    def __init__(self, hospital: Hospital, sender: Sender) -> None:
        self._hospital = hospital
        self._sender = sender
        site = hospital.site
        self._office = Office("AUTOMATE", site, f"{site}-LABO", oid_of(f"{site}-LABO"), "8859/15")

    async def work(self, pause_s: float, stopping: asyncio.Event, quiet: Path) -> None:
        """Measure until the end of the night."""
        sent = 0
        while not await _is_set(stopping, pause_s):
            if self._hospital.stays and not is_quiet(quiet):
                await self._next()
                sent += 1
                if sent % REPEAT_EVERY == 0:
                    await self._sender.repeat_last()

    async def _next(self) -> None:
        hospital = self._hospital
        open_orders = [order for order in hospital.orders if order.status != "C"]
        if open_orders and hospital.rng.random() < 0.25:
            order = hospital.rng.choice(open_orders)
            order.status = "F" if order.status == "P" else "C"
        else:
            stay = hospital.stays[hospital.rng.choice(list(hospital.stays))]
            analytes = hospital.rng.sample(ANALYTES, hospital.rng.randint(1, 4))
            order = Order(stay, f"{hospital.site}R{hospital.number():06}", analytes, hospital.rng.choice("PFF"))
            hospital.orders.append(order)
        results = [Result(analyte, self._measure(analyte), order.status) for analyte in order.analytes]
        raw, facts = oru(
            self._office,
            ("RELEVE", hospital.site),
            f"{hospital.site}-AUTO-{hospital.number():06}",
            order.stay,
            order.filler,
            results,
            at=datetime.now(ZONE),
        )
        await self._sender.send(raw, hospital.site, facts)

    def _measure(self, analyte: Analyte) -> str:
        low, high = analyte.low, analyte.high
        value = self._hospital.rng.gauss((low + high) / 2, (high - low) / 2.5)
        return f"{abs(value):.{analyte.decimals}f}"


async def _is_set(event: asyncio.Event, within_s: float) -> bool:
    """Wait this long for an event; True when it came."""
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except TimeoutError:
        return False
    return True


async def feed(hospital: Hospital, host: str, port: int, folder: Path, stretch: float) -> None:
    """Run the desk and the analyser of a hospital until SIGTERM."""
    site = hospital.site
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    desk_file, analyser_file = folder / "desk.jsonl", folder / "analyser.jsonl"
    hospital.numbers = len(read_account(desk_file)) * 3 + len(read_account(analyser_file)) * 2
    desk_account, analyser_account = Account(desk_file), Account(analyser_file)
    office = Office("GAM", site, site, oid_of(site))
    desk = Desk(hospital, Sender(Line(host, port), desk_account, f"GAM {site}"), office, site)
    analyser = Analyser(hospital, Sender(Line(host, port), analyser_account, f"AUTOMATE {site}"))
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.work(DESK_PAUSE_S * stretch, stopping, folder / QUIET_FILE))
        group.create_task(analyser.work(ANALYSER_PAUSE_S * stretch, stopping, folder / QUIET_FILE))
    desk_account.close()
    analyser_account.close()


def main() -> None:
    """Read the arguments and feed."""
    arguments = argparse.ArgumentParser(description="A hospital's admission desk and laboratory analyser.")
    arguments.add_argument("--site", required=True)
    arguments.add_argument("--mllp", required=True, metavar="HOST:PORT")
    arguments.add_argument("--folder", required=True, type=Path)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--stretch", type=float, default=1.0)
    arguments.add_argument("--stays", type=int, default=STAYS_AT_START)
    given = arguments.parse_args()
    host, _, port = given.mllp.rpartition(":")
    rng = Random(f"{given.seed}:{given.site}")  # noqa: S311 - invented people, not secrets
    hospital = Hospital(given.site, rng, stays_at_start=given.stays)
    asyncio.run(feed(hospital, host, int(port), given.folder, given.stretch))


if __name__ == "__main__":
    main()
