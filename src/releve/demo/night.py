"""The script of the seed night: who is started, cut, killed and brought back, and when.

    stage → ordinary night → the mains fail, the guard begins the orderly stop → the batteries end early: power cut of
    the centre → hospitals on their own, one node killed too → first report → power returns → restart in order,
    forecasts published → second report → catch-up, write-back → third report → verdict

Time here is real: processes really start, die and answer. The seed decides people and values, not the scheduling of the
machine it runs on.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from releve.clock import Instant, wall_us
from releve.demo.batteries import Batteries
from releve.demo.centre.__main__ import PROGRAMMES
from releve.demo.centre.upsd import nut_programs
from releve.demo.checker import READ_ALL_HOSPITALS_MAX, SAMPLED_PEOPLE, Centre, check, read_centre
from releve.demo.hospitals import HOSPITALS
from releve.demo.level import Levelling
from releve.demo.nurse import Nurse, Watch, reads_of
from releve.demo.plant import Group, cut_power, module
from releve.demo.recovery import Recovery
from releve.demo.report import Reporter
from releve.demo.seen import Fhir
from releve.demo.stage import HUBS, NURSE, PROBE_EVERY_S, Stage, Ward, set_stage
from releve.demo.tally import Tally
from releve.demo.verdict import Restart, Stops, Times, Verdict, forecasts_of
from releve.demo.view import View
from releve.errors import Refused
from releve.estate import Estate, load
from releve.recovery.journal import Happened
from releve.recovery.probe import probe
from releve.recovery.run import RunResult, restart


@dataclass(frozen=True)
class Hours:
    """How long the parts of the night last, in seconds; a real one is about a thousand times longer.

    haste           divides what the centre's programs take to start
    battery_s       what both UPS announce when the mains fail
    stopped_before  so many programs are stopped in order before the batteries end, earlier than announced
    """

    normal_s: float = 15.0
    battery_s: float = 24.0
    stopped_before: int = 5
    cut_s: float = 40.0
    own_stop_after_s: float = 12.0
    own_stop_s: float = 2.0
    unknown_after_s: float = 5.0
    report_after_s: float = 28.0
    note_every_s: float = 6.0
    after_s: float = 8.0
    read_pause_s: float = 0.25
    haste: float = 1.0


#: A night short enough for the tests of every change.
SHORT = Hours(3.0, 18.0, 3, 7.0, 2.0, 0.3, 0.5, 5.5, 1.5, 1.0, 0.15, haste=6.0)

#: A node that has not opened its doors by then does not open them.
NODE_READY_S = 60.0
_NODE_READY_EACH_S = 3.0
#: Senders have so long for their last answers and all for the catch-up; beyond it the verdict names what is missing.
LEVEL_S = 120.0
_LOOK_PAUSE_S = 0.05
_WATCH_PAUSE_S = 0.7
#: The second report comes when so many programs of the centre are back.
_BACK_BEFORE_REPORT = 6
_FEEDS = ("feed-a", "feed-b")
#: Before the last report every node looks at the centre's services once more.
_LOOKS_OF_A_NODE = 2
_LOOKS_S_MAX = 10.0
#: People who nobody knows come to so many hospitals.
UNKNOWN_AT = 3


@dataclass(frozen=True)
class Settings:
    """What whoever runs the demo may choose."""

    hospitals: int
    seed: int
    folder: Path
    hours: Hours = Hours()


class Night:
    """One night, from an empty folder to the verdict."""

    def __init__(self, settings: Settings, view: View) -> None:
        self._settings = settings
        self._hours = settings.hours
        self._view = view
        self._watch = Watch()
        self._ending = asyncio.Event()
        self._own_stops: dict[str, float] = {}
        self._restart: RunResult | None = None
        self._cut_at = self._back_at = 0.0
        self._mains_failed_at: Instant = 0

    async def play(self, then: Callable[[Stage, Verdict], Awaitable[None]] | None = None) -> Verdict:
        """Play the night and return the verdict; everything that was started is ended, whatever happens.

        then    awaited after the verdict while everything still runs
        raises  Refused, WrongUse, StoreUnable  the stage could not be set
        """
        hospitals = HOSPITALS[: self._settings.hospitals]
        stage = set_stage(self._settings.folder, hospitals, self._settings.seed, self._hours.haste)
        self._view.tell("stage", n=len(hospitals), programs=len(PROGRAMMES))
        estate = load(stage.estate_file)
        recovery = Recovery(
            estate,
            stage.recovery,
            self._on_step,
            Random(f"{stage.seed}:forecast"),  # noqa: S311 - draws of a simulation, not a secret
        )
        reporter = Reporter(estate, stage, recovery, _WATCH_PAUSE_S)
        tally = Tally(stage, self._view)
        nurses = [self._nurse(stage, ward) for ward in stage.wards]
        try:
            async with _alongside(tally.count_on(self._ending), self._watch_services(estate, reporter)):
                await self._open(stage, estate)
                async with _alongside(
                    *(nurse.read_on(self._watch, self._ending, self._read_pause_s(stage)) for nurse in nurses)
                ):
                    await self._ordinary()
                    await self._on_battery(stage, recovery)
                    await self._cut(stage, nurses, reporter)
                    await self._return(stage, recovery, reporter)
                    verdict = await self._judge(stage, recovery, nurses, reporter)
            if then is not None:
                await then(stage, verdict)
            return verdict
        finally:
            self._ending.set()
            for nurse in nurses:
                await nurse.close()
            self._end(stage)

    # The parts of the night, in order

    async def _open(self, stage: Stage, estate: Estate) -> None:
        """Start the hubs, then nodes and centre together, then the feeds."""
        stage.hub_b.start()
        self._power(stage)
        self._switch_on(stage, "hub-a")
        await self._hubs_open(stage, estate)
        for ward in stage.wards:
            ward.node.start()
            self._view.rows[ward.hospital.id].node = "starting"
        began = time.monotonic()
        opening = asyncio.ensure_future(self._ready(stage.wards))
        result = await restart(estate, self._on_step)
        if not result.ok:
            raise Refused(
                "demo.centre", f"The centre did not start: {_why(result)}. Its logs: {stage.room.path / 'logs'}"
            )
        self._view.tell("centre_up", s=time.monotonic() - began)
        await opening
        self._view.tell("nodes_ready", n=len(stage.wards))
        for ward in stage.wards:
            ward.feeder.start()

    async def _ordinary(self) -> None:
        self._phase("normal")
        self._view.tell("normal")
        await asyncio.sleep(self._hours.normal_s)

    async def _on_battery(self, stage: Stage, recovery: Recovery) -> None:
        """The mains fail; the guard stops in order what it can until the batteries end, earlier than they announced."""
        self._phase("cut")
        self._cut_at = time.monotonic()
        self._mains_failed_at = wall_us()
        Batteries(stage.room).discharge(self._hours.battery_s)
        self._view.tell("on_battery", s=self._hours.battery_s)
        self._view.tell("real_ups" if nut_programs() is not None else "own_ups")
        guard = asyncio.ensure_future(recovery.guard())
        try:
            await recovery.until_down(self._hours.stopped_before, self._hours.battery_s)
            killed = await asyncio.to_thread(cut_power, (), stage.centre_groups())
        finally:
            # The guard of this night sees no more: what it had not proved down by now is not clean.
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)
        stops = recovery.power_gone()
        self._view.tell("cut", n=killed, clean=len(stops.clean))

    async def _cut(self, stage: Stage, nurses: Sequence[Nurse], reporter: Reporter) -> None:
        """The centre is away; the hospitals go on."""
        reporter.cut()
        self._view.tell("on_their_own")
        async with asyncio.TaskGroup() as group:
            for nurse in nurses:
                group.create_task(self._write_notes(nurse))
            for nurse in nurses[:UNKNOWN_AT]:
                group.create_task(self._admit_unknown(nurse))
            group.create_task(self._stop_own(stage.wards[-1]))
            group.create_task(self._report_later(reporter))

    async def _return(self, stage: Stage, recovery: Recovery, reporter: Reporter) -> None:
        """Power returns: restart in order, tell how far it is, go on a while, let the senders finish."""
        self._phase("return")
        self._view.tell("power")
        Batteries(stage.room).recharge()
        self._power(stage)
        recovery.power_back(_FEEDS)
        ended = asyncio.Event()
        async with _alongside(recovery.publish_on(ended)):
            report = asyncio.ensure_future(self._report_on_the_way(recovery, reporter))
            self._restart = await recovery.restart()
            ended.set()
            self._back_at = time.monotonic()
            await report
        self._view.tell("restarted", s=self._restart.makespan_s, bound=self._restart.bound_s)
        self._phase("after")
        await asyncio.sleep(self._hours.after_s)
        self._view.tell("catching_up")
        for path in stage.quiet_files():
            path.touch()

    async def _judge(self, stage: Stage, recovery: Recovery, nurses: Sequence[Nurse], reporter: Reporter) -> Verdict:
        """Wait until everybody is level, write the last report, and let the checker look."""
        levelling = Levelling(stage)
        began = time.monotonic()
        what = await levelling.wait(LEVEL_S)
        if what:
            self._view.tell("not_level", s=LEVEL_S, what=what)
        else:
            self._view.tell("level", s=time.monotonic() - began)
        await asyncio.sleep(min(_LOOKS_OF_A_NODE * PROBE_EVERY_S * stage.crowd, _LOOKS_S_MAX))
        self._view.tell("report", **await reporter.write())
        self._ending.set()
        self._phase("verdict")
        self._view.tell("checking")
        database = stage.room.path / "volumes" / "database" / "centre.db"
        centre: Centre = await asyncio.to_thread(read_centre, database)
        hubs = {name: (stage.folder / name, stage.hub_urls[name]) for name in HUBS}
        hospitals = await check(stage.places(), hubs, centre, seed=stage.seed)
        for hospital, nurse in zip(hospitals, nurses, strict=True):
            hospital.reads = reads_of(nurse.timings, frozenset({"cut"}), self._own_stops.get(hospital.id, 0.0))
        assert self._restart is not None, "the verdict comes after the restart"
        return Verdict(
            seed=stage.seed,
            hospitals=hospitals,
            restart=Restart(
                [name for name in self._restart.order if name in recovery.estate.units],
                [*self._restart.failed, *self._restart.blocked],
                self._restart.makespan_s,
                self._restart.bound_s,
                self._restart.bottleneck,
            ),
            times=Times(self._mains_failed_at, reporter.declared_at, reporter.first_at),
            forecasts=forecasts_of(recovery.score()),
            stops=Stops(list(recovery.stops.clean), list(recovery.stops.unclean), _checked(self._restart)),
            reports=reporter.paths,
            cut_s=self._back_at - self._cut_at,
            night_s=self._view.elapsed_s,
            sampled_people=SAMPLED_PEOPLE if len(hospitals) > READ_ALL_HOSPITALS_MAX else 0,
            folder=str(stage.folder),
        )

    # What happens inside the parts

    async def _write_notes(self, nurse: Nurse) -> None:
        end = self._cut_at + self._hours.cut_s
        while time.monotonic() + self._hours.note_every_s < end:
            await asyncio.sleep(self._hours.note_every_s)
            await nurse.write_note()

    async def _admit_unknown(self, nurse: Nurse) -> None:
        await asyncio.sleep(self._hours.unknown_after_s)
        number = await nurse.admit_unknown()
        if number:
            self._view.tell("unknown", hospital=nurse.site, number=number)

    async def _stop_own(self, ward: Ward) -> None:
        """Kill a hospital's own node and start it again."""
        await asyncio.sleep(self._hours.own_stop_after_s)
        id_ = ward.hospital.id
        began = time.monotonic()
        self._watch.own_down.add(id_)
        self._view.rows[id_].node = "killed"
        await asyncio.to_thread(ward.node.kill)
        self._view.tell("own_killed", hospital=id_)
        await asyncio.sleep(self._hours.own_stop_s)
        ward.node.start()
        self._view.rows[id_].node = "starting"
        await self._ready([ward])
        self._own_stops[id_] = time.monotonic() - began
        self._watch.own_down.discard(id_)
        self._view.tell("own_back", hospital=id_, s=self._own_stops[id_])

    async def _report_on_the_way(self, recovery: Recovery, reporter: Reporter) -> None:
        """Write the report of the restart when a part of the centre is back."""
        await recovery.until_back(_BACK_BEFORE_REPORT)
        self._view.tell("report", **await reporter.write())

    async def _report_later(self, reporter: Reporter) -> None:
        await asyncio.sleep(self._hours.report_after_s)
        self._view.tell("report", **await reporter.write())
        await asyncio.sleep(max(0.0, self._cut_at + self._hours.cut_s - time.monotonic()))

    async def _watch_services(self, estate: Estate, reporter: Reporter) -> None:
        """Probe the centre as the night's own eyes, for the picture and for the order in which things were lost."""
        while not self._ending.is_set():
            units = [unit for unit in estate.units.values() if unit.probe]
            readings = await asyncio.gather(*(probe(unit.probe or "", unit.probe_timeout_s) for unit in units))
            for unit, reading in zip(units, readings, strict=True):
                self._view.services[unit.id] = "up" if reading.ok else "down"
            reporter.saw({unit.id: reading for unit, reading in zip(units, readings, strict=True)})
            await asyncio.sleep(_WATCH_PAUSE_S)

    async def _ready(self, wards: Sequence[Ward]) -> None:
        """Wait for the ready line of nodes.

        raises  Refused  one ended, or did not get ready in time
        """
        deadline = time.monotonic() + NODE_READY_S + _NODE_READY_EACH_S * len(wards)
        waiting = list(wards)
        while waiting:
            for ward in list(waiting):
                if ward.node.ready_line():
                    self._view.rows[ward.hospital.id].node = "open"
                    waiting.remove(ward)
                elif not ward.node.is_alive() or time.monotonic() > deadline:
                    words = ward.node.said().strip().rpartition("\n")[2]
                    raise Refused("demo.node", f"The node of {ward.hospital.id} did not open its doors: {words}")
            await asyncio.sleep(_LOOK_PAUSE_S)

    def _power(self, stage: Stage) -> None:
        """Electricity comes by itself: the feeds' UPS answer again."""
        for feed in _FEEDS:
            self._switch_on(stage, feed)

    def _switch_on(self, stage: Stage, program: str) -> None:
        subprocess.run(module("releve.demo.centre", str(stage.room_file), "start", program), check=True)

    async def _hubs_open(self, stage: Stage, estate: Estate) -> None:
        """Wait for both hubs: a node that starts for the first time wants to know that it has no history there.

        raises  Refused  one did not open in time
        """
        deadline = time.monotonic() + NODE_READY_S
        hub_a = estate.units["hub-a"]
        while not (stage.hub_b.ready_line() and (await probe(hub_a.probe or "", hub_a.probe_timeout_s)).ok):
            if time.monotonic() > deadline or not stage.hub_b.is_alive():
                raise Refused("demo.hub", f"A hub did not open: {stage.hub_b.said().strip()}")
            await asyncio.sleep(_LOOK_PAUSE_S)

    def _on_step(self, happened: Happened) -> None:
        view = self._view
        if happened.unit in view.services:
            if happened.kind in ("start-began", "waiting"):
                view.services[happened.unit] = "starting"
            elif happened.kind == "up":
                view.services[happened.unit] = "up"
            elif happened.kind == "down":
                view.services[happened.unit] = "down"
        if happened.kind == "up" and self._cut_at:
            view.tell("step", name=self._name_of(happened.unit), s=happened.took_s or 0.0)
        elif happened.kind == "stop-decided":
            view.tell("stop_decided")
        elif happened.kind == "down":
            view.tell("stopped", name=self._name_of(happened.unit), s=happened.took_s or 0.0)
        elif happened.kind == "checked" and self._cut_at:
            view.tell("checked", name=self._name_of(happened.unit), s=happened.took_s or 0.0)
        elif happened.kind in ("failed", "blocked"):
            view.tell("step_failed", name=self._name_of(happened.unit), reason=happened.detail)

    def _name_of(self, unit: str) -> str:
        return self._view.name_of(unit)

    def _phase(self, name: str) -> None:
        self._watch.phase = name
        self._view.phase(name)

    def _read_pause_s(self, stage: Stage) -> float:
        return self._hours.read_pause_s * stage.crowd

    def _nurse(self, stage: Stage, ward: Ward) -> Nurse:
        site = ward.hospital.id
        return Nurse(
            site,
            ward.url,
            NURSE,
            ward.password,
            stage.folder / "accounts" / site / "nurse.jsonl",
            fhir=Fhir(ward.url, ward.token),
            neighbours=[(other.url, f"{NURSE}.{site.lower()}") for other in stage.neighbours_of(ward)],
            rng=Random(f"{stage.seed}:nurse {site}"),  # noqa: S311 - whom she visits, not a secret
            on_read=self._view.on_read,
        )

    def _end(self, stage: Stage) -> None:
        """End everything that was started."""
        groups: list[Group] = [stage.hub_b]
        for ward in stage.wards:
            groups += [ward.node, ward.feeder]
        cut_power(groups, stage.centre_groups())
        stage.lock.release()


@asynccontextmanager
async def _alongside(*works: Awaitable[None]) -> AsyncIterator[None]:
    """Let work go on beside the block, and end it with the block."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


def _checked(result: RunResult) -> list[str]:
    return [name.partition("/")[0] for name, step in result.steps.items() if step.state == "checked"]


def _why(result: RunResult) -> str:
    return "; ".join(f"{name}: {result.steps[name].detail}" for name in (*result.failed, *result.blocked))
