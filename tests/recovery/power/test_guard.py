"""The guard: what it decided it carries out, also after a kill -9, and afterwards it knows what was stopped clean."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recovery.power.nights import BOTH, ESTATE, ups
from releve.estate import Estate, Unit
from releve.recovery.folder import RecoveryFolder
from releve.recovery.journal import Happened
from releve.recovery.power.budget import StopBudget
from releve.recovery.power.guard import Guard, OnEvent, foresee
from releve.recovery.power.memory import read_memory
from releve.recovery.power.reading import UpsReading
from releve.recovery.probe import Reading

EstateOf = Callable[[str], Estate]
Says = Callable[[float], Mapping[str, UpsReading]]

TESTED = "".join(f'[[battery.ups]]\nid = "{name}"\ntested_s = 600\nat_load = 50\n' for name in ("feed-a", "feed-b"))


class Killed(BaseException):
    """The guard was killed here."""


@dataclass
class Centre:
    """Units that run until they are stopped, one a second, dependents first; and a clock that only pauses move."""

    estate: Estate
    folder: RecoveryFolder
    says: Says
    at_s: float = 1_000_000.0
    up: set[str] = field(default_factory=set)
    stuck: frozenset[str] = frozenset()
    stopped: list[str] = field(default_factory=list)
    killed_at_s: float = float("inf")
    restart: Callable[[], Awaitable[None]] | None = None

    def guard(self) -> Guard:
        return Guard(
            self.estate, self.folder, self.stop, lambda _: None, self.ask, self.look, self.restart, self.now, self.pause
        )

    def now(self) -> int:
        return round(self.at_s * 1e6)

    async def pause(self, seconds: float) -> None:
        self.at_s += seconds
        if self.at_s >= self.killed_at_s:
            raise Killed
        for _ in range(10):
            await asyncio.sleep(0)

    async def ask(self, unit: Unit) -> UpsReading:
        return self.says(self.at_s - 1_000_000).get(unit.id, ups("OL"))

    async def look(self, unit: Unit) -> Reading:
        state = "up" if unit.id in self.up else "refused"
        return Reading("probe", state, "answers" if state == "up" else "nothing listens there", 0.0, 0)

    async def stop(self, estate: Estate, on_event: OnEvent, /) -> Iterable[str]:
        left = dict(estate.units)
        blocked: list[str] = []
        while left:
            leaves = [n for n in left if not any(n in (*u.needs, *u.needs_any) for u in left.values())]
            for name in leaves:
                del left[name]
                if name in self.stuck:
                    on_event(Happened(self.now(), "failed", name, "it does not end"))
                    gone = {name}
                    while more := {n for n in left if any(n in (*estate.units[g].needs,) for g in gone)}:
                        blocked += sorted(more)
                        gone = more
                        for one in more:
                            del left[one]
                elif name in self.up:
                    waiting_s = self.at_s + 1
                    while self.at_s < waiting_s:  # noqa: ASYNC110 - the clock is the test's own
                        await asyncio.sleep(0)
                    self.up.discard(name)
                    self.stopped.append(name)
                    on_event(Happened(self.now(), "down", name, "", 1.0))
                else:
                    on_event(Happened(self.now(), "already-down", name))
        return blocked

    def run(self, seconds: float) -> None:
        """Let a guard run for a while; it is killed at killed_at_s without a word."""

        async def watched() -> None:
            guard = self.guard()
            end_s = self.at_s + seconds
            try:
                if guard.vigil.memory.is_stopping:
                    guard._resume()
                while self.at_s < end_s:
                    await guard.round()
                    await self.pause(1)
            except Killed:
                pass
            finally:
                if guard._stopping is not None:
                    guard._stopping.cancel()

        asyncio.run(watched())


def centre(estate_of: EstateOf, tmp_path: Path, says: Says, **more: object) -> Centre:
    estate = estate_of(ESTATE.format(rules=TESTED))
    made = Centre(estate, RecoveryFolder(tmp_path / "recovery"), says, **more)  # type: ignore[arg-type]
    made.up = {name for name, unit in estate.units.items() if unit.stop is not None}
    return made


def low_until(second: float) -> Says:
    def says(at_s: float) -> Mapping[str, UpsReading]:
        status = "OL" if at_s < 5 or at_s > second else "OB LB"
        return {"feed-a": ups(status), "feed-b": ups(status)}

    return says


def kinds(folder: RecoveryFolder) -> list[str]:
    return [f"{line.kind} {line.unit}".strip() for line in folder.journal() if line.kind != "power-reading"]


def test_a_low_battery_stops_everything_dependents_first(estate_of: EstateOf, tmp_path: Path) -> None:
    night = centre(estate_of, tmp_path, low_until(60))
    night.run(300)
    assert set(night.stopped) == BOTH | {"archive"}
    order = [name for name in night.stopped if name != "archive"]
    assert order == ["portal", "record", "database", "storage"]
    said = kinds(night.folder)
    assert said[:3] == ["power-lost feed-a", "power-lost feed-b", "stop-decided"]
    assert said[-3:] == ["power-back feed-a", "power-back feed-b", "power-back"]
    assert "5 units were stopped clean; 0 were not" in night.folder.journal()[-1].detail


def test_a_cut_that_ends_in_time_stops_nothing_and_says_so(estate_of: EstateOf, tmp_path: Path) -> None:
    on = {name: ups("OB", runtime_s=500) for name in ("feed-a", "feed-b")}
    night = centre(estate_of, tmp_path, lambda at_s: on if 5 < at_s < 60 else {})
    night.run(300)
    assert night.stopped == []
    assert night.folder.journal()[-1].detail == "steady for 120 s; nothing was stopped"


def test_a_guard_that_is_killed_in_the_middle_of_a_stop_goes_on_with_it(estate_of: EstateOf, tmp_path: Path) -> None:
    night = centre(estate_of, tmp_path, low_until(7))
    night.killed_at_s = night.at_s + 8
    night.run(300)
    stopped_before = list(night.stopped)
    assert 0 < len(stopped_before) < 5
    assert read_memory(night.folder.path).is_stopping
    night.killed_at_s = float("inf")
    night.run(300)
    assert sorted(night.stopped) == sorted(BOTH | {"archive"}), "each once, and to the end although power is back"
    assert "5 units were stopped clean" in night.folder.journal()[-1].detail
    assert not read_memory(night.folder.path).is_stopping


def test_what_a_stuck_unit_blocks_is_stopped_without_it_and_the_stuck_one_is_unclean(
    estate_of: EstateOf, tmp_path: Path
) -> None:
    night = centre(estate_of, tmp_path, low_until(60), stuck=frozenset({"record"}))
    night.run(50)
    assert night.stopped[-2:] == ["database", "storage"]
    night.up.discard("record")  # its power went away under it
    night.run(300)
    unclean = [line for line in night.folder.journal() if line.kind == "unclean"]
    assert [line.unit for line in unclean] == ["record"]


def test_a_guard_that_may_restarts_when_power_is_steady_and_stops_again_when_it_fails_meanwhile(
    estate_of: EstateOf, tmp_path: Path
) -> None:
    def says(at_s: float) -> Mapping[str, UpsReading]:
        status = "OB LB" if 5 < at_s < 60 or 200 < at_s < 260 else "OL"
        return {"feed-a": ups(status), "feed-b": ups(status)}

    night = centre(estate_of, tmp_path, says)
    began: list[float] = []
    ended: list[float] = []

    async def restart() -> None:
        began.append(night.at_s - 1_000_000)
        night.up |= {name for name, unit in night.estate.units.items() if unit.stop is not None}
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(night.at_s - 1_000_000)

    night.restart = restart
    night.run(250)
    assert len(began) == 1
    assert 180 <= began[0] <= 185
    assert len(ended) == 1
    assert 200 <= ended[0] <= 203, "cancelled before anything is stopped"
    assert len(night.stopped) == 10


def test_what_died_while_nobody_watched_is_unclean(estate_of: EstateOf, tmp_path: Path) -> None:
    on = {name: ups("OB", runtime_s=500) for name in ("feed-a", "feed-b")}
    night = centre(estate_of, tmp_path, lambda at_s: on if 5 < at_s < 1000 else {})
    night.killed_at_s = night.at_s + 20
    night.run(100)
    night.killed_at_s = float("inf")
    night.at_s += 2000
    night.up -= {"storage", "database"}
    night.run(300)
    assert {line.unit for line in night.folder.journal() if line.kind == "unclean"} == {"storage", "database"}


def test_a_full_disk_does_not_keep_the_guard_from_stopping(estate_of: EstateOf, tmp_path: Path) -> None:
    (tmp_path / "recovery").write_text("a file where the folder should be", "utf-8")
    night = centre(estate_of, tmp_path, low_until(60))
    guard = Guard(night.estate, RecoveryFolder(tmp_path / "other"), night.stop, lambda _: None, night.ask, night.look)
    guard.folder = night.folder
    guard.now, guard.pause = night.now, night.pause

    async def watched() -> None:
        for _ in range(30):
            await guard.round()
            await night.pause(1)

    asyncio.run(watched())
    assert set(night.stopped) == BOTH | {"archive"}


def test_what_a_cut_now_would_mean_is_said_beforehand(estate_of: EstateOf) -> None:
    estate = estate_of(ESTATE.format(rules=TESTED))
    seen = foresee(estate, {"feed-a": ups("OL", runtime_s=240), "feed-b": ups("OL", runtime_s=600)}, StopBudget(estate))
    assert [(left_s, sorted(units)) for left_s, _, units in seen] == [
        (240, ["archive"]),
        (420, sorted(BOTH | {"archive"})),
    ]
    assert all(needed_s > estate.battery.margin_s for _, needed_s, _ in seen)
