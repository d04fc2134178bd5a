"""Runs: real programs that refuse to start without what they need, real sockets, and failures that are named."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.estate import Estate
from releve.recovery.driver import Launched, Order
from releve.recovery.journal import Happened, to_json
from releve.recovery.past import RESTART, past_of
from releve.recovery.probe import Reading
from releve.recovery.run import RunResult, restart, shutdown

EstateOf = Callable[[str], Estate]

# A server that speaks enough RESP, and refuses to start when one of the ports it is given does not answer.
SERVER = """
import socket, sys, os
port, *needs = map(int, sys.argv[2:])
for need in needs:
    try:
        socket.create_connection(("127.0.0.1", need), 2).close()
    except OSError:
        print("cannot reach", need, file=sys.stderr)
        raise SystemExit(4)
with open(sys.argv[1], "a") as pids:
    pids.write(f"{os.getpid()}\\n")
listener = socket.create_server(("127.0.0.1", port))
while True:
    line, _ = listener.accept()
    if line.recv(100):
        line.sendall(b"+PONG\\r\\n")
    line.close()
"""


class Centre:
    """A few real programs in a folder, ended at the end of the test by their own process numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pids = folder / "pids"
        self.program = folder / "server.py"
        self.program.write_text(SERVER, "utf-8")
        self.ports: dict[str, int] = {}

    def port(self, name: str) -> int:
        if name not in self.ports:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                self.ports[name] = taken.getsockname()[1]
        return self.ports[name]

    def unit(self, name: str, *needs: str, more: str = "", truly_needs: tuple[str, ...] | None = None) -> str:
        reached = [str(self.port(one)) for one in (needs if truly_needs is None else truly_needs)]
        argv = [sys.executable, str(self.program), str(self.pids), str(self.port(name)), *reached]
        return f"""
[[unit]]
id = "{name}"
needs = {list(needs)}
duration = {{p50_s = 0.3, p90_s = 1}}
start = {{command = {argv}, stays = true, log = "{self.folder / name}.log"}}
stop = {{command = ["{sys.executable}", "{self.folder / "stop.py"}", "{self.port(name)}"]}}
probe = "redis://127.0.0.1:{self.port(name)}"
up_within_s = 20
{more}
"""

    def end(self) -> None:
        if self.pids.exists():
            for pid in {int(word) for word in self.pids.read_text("utf-8").split()}:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    continue


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path)
    yield made
    made.end()


def restarted(estate: Estate) -> tuple[RunResult, list[Happened]]:
    journal: list[Happened] = []
    return asyncio.run(restart(estate, journal.append)), journal


def test_real_programs_come_up_in_an_order_that_holds(centre: Centre, estate_of: EstateOf) -> None:
    text = centre.unit("record", "db", "dns") + centre.unit("db", "storage") + centre.unit("dns")
    result, journal = restarted(estate_of(text + centre.unit("storage")))
    assert result.ok
    assert result.order.index("storage") < result.order.index("db") < result.order.index("record")
    assert [step.state for step in result.steps.values()] == ["up"] * 4
    assert all(step.tries == 1 for step in result.steps.values()), "an order that holds needs no second try"
    assert 0 < result.bound_s <= result.makespan_s
    kinds = [(line.kind, line.unit) for line in journal]
    assert kinds[0] == ("run-began", "")
    assert kinds[-1] == ("run-ended", "")
    assert kinds.index(("up", "db")) < kinds.index(("start-began", "record"))
    assert to_json(journal[-1])["kind"] == "run-ended"


def test_a_second_run_starts_nothing_twice(centre: Centre, estate_of: EstateOf) -> None:
    estate = estate_of(centre.unit("storage") + centre.unit("db", "storage"))
    restarted(estate)
    before = centre.pids.read_text("utf-8")
    result, _ = restarted(estate)
    assert {step.state for step in result.steps.values()} == {"already-up"}
    assert centre.pids.read_text("utf-8") == before


def test_a_failure_is_named_and_blocks_only_what_needs_it(centre: Centre, estate_of: EstateOf) -> None:
    text = (
        centre.unit("dns")
        + centre.unit("db", truly_needs=("nothing-there",))
        + centre.unit("record", "db")
        + centre.unit("portal", "record")
        + centre.unit("phone", "dns")
    )
    result, journal = restarted(estate_of(text))
    assert not result.ok
    assert result.failed == ("db",)
    assert result.blocked == ("record", "portal")
    assert set(result.order) == {"dns", "phone"}
    assert f"ended with 4: cannot reach {centre.port('nothing-there')}" in result.steps["db"].detail
    assert result.steps["db"].tries == 2
    assert result.steps["record"].detail == "needs db, which did not succeed"
    assert [line.unit for line in journal if line.kind == "blocked"] == ["record", "portal"]


def test_a_program_that_hangs_is_ended_before_it_is_started_again(centre: Centre, estate_of: EstateOf) -> None:
    estate = estate_of(centre.unit("db", more="probe_timeout_s = 0.3"))
    _, journal = restarted(estate)
    os.kill(int(centre.pids.read_text("utf-8")), signal.SIGSTOP)  # it accepts connections and says nothing
    result = asyncio.run(restart(estate, journal.append, past=past_of(journal[:-1], RESTART)))
    assert result.ok
    assert result.steps["db"].state == "up"
    assert len(centre.pids.read_text("utf-8").split()) == 2
    assert "db answer no more and are started again" in next(one.detail for one in journal if one.kind == "run-resumed")


STOP = """
import socket, sys, pathlib, os, signal
port = int(sys.argv[1])
for pid in pathlib.Path(__file__).with_name("pids").read_text().split():
    argv = pathlib.Path(f"/proc/{pid}/cmdline")
    if argv.exists() and argv.read_bytes().split(b"\\0")[3:4] == [str(port).encode()]:
        os.kill(int(pid), signal.SIGTERM)
"""


def test_a_stop_goes_the_other_way_round(centre: Centre, estate_of: EstateOf) -> None:
    (centre.folder / "stop.py").write_text(STOP, "utf-8")
    text = centre.unit("storage") + centre.unit("db", "storage") + centre.unit("record", "db")
    estate = estate_of(text + '[[feed]]\nid = "power"\n')
    restarted(estate)
    result = asyncio.run(shutdown(estate, lambda _: None))
    assert result.ok
    assert [unit for unit in result.order if unit != "power"] == ["record", "db", "storage"]
    assert result.steps["power"].state == "left"
    again = asyncio.run(shutdown(estate, lambda _: None))
    assert {again.steps[unit].state for unit in ("record", "db", "storage")} == {"already-down"}


# A world of its own: commands and probes that are values, for what real programs show too slowly.

WORLD = """
[[capacity]]
id = "crew"
amount = 2

[[feed]]
id = "power"
probe = "tcp://power:1"
"""


def imagined(name: str, *needs: str, more: str = "") -> str:
    return f"""
[[unit]]
id = "{name}"
needs = {list(needs)}
uses = {{crew = 1}}
start = {{command = ["{name}"]}}
probe = "tcp://{name}:1"
up_within_s = 0.2
{more}
"""


class World:
    """Which units are up, what was started, and how many starts ran at the same time."""

    def __init__(self) -> None:
        self.up: set[str] = set()
        self.started: list[str] = []
        self.starting = 0
        self.starting_max = 0
        self.fails: dict[str, int] = {}
        self.mute: set[str] = set()

    async def carry_out(self, order: Order, /) -> Launched:
        name = order.command.argv[0]
        self.started.append(name)
        self.starting += 1
        self.starting_max = max(self.starting_max, self.starting)
        for _ in range(5):
            await asyncio.sleep(0)
        self.starting -= 1
        if self.fails.get(name, 0) > 0:
            self.fails[name] -= 1
            return Launched(False, f"{name} ended with 1")
        if name not in self.mute:
            self.up.add(name)
        return Launched(True, "")

    async def ask(self, url: str, timeout_s: float, /) -> Reading:
        name = url.removeprefix("tcp://").partition(":")[0]
        state = "up" if name in self.up else "silent" if name in self.mute else "refused"
        return Reading(url, state, f"{name} is {state}", 0.0, 0)  # type: ignore[arg-type] # one of the states

    def restart(self, estate: Estate) -> tuple[RunResult, list[Happened]]:
        journal: list[Happened] = []
        run = restart(estate, journal.append, carry_out=self.carry_out, ask=self.ask, now=lambda: 0)
        return asyncio.run(run), journal


def test_no_more_start_at_once_than_the_crew_allows(estate_of: EstateOf) -> None:
    world = World()
    world.up.add("power")
    text = WORLD + "".join(imagined(f"s{index}", "power") for index in range(9))
    result, _ = world.restart(estate_of(text))
    assert result.ok
    assert world.starting_max == 2
    assert result.steps["power"].state == "already-up"


def test_power_is_waited_for_and_nothing_starts_before_it(estate_of: EstateOf) -> None:
    world = World()
    estate = estate_of(WORLD + imagined("storage", "power"))
    asked = 0

    async def ask(url: str, timeout_s: float, /) -> Reading:
        nonlocal asked
        asked += "power" in url
        if "power" in url and asked == 4:
            assert world.started == []
            world.up.add("power")
        return await World.ask(world, url, timeout_s)

    world.ask = ask  # type: ignore[method-assign] # the power returns at the fourth asking
    result, journal = world.restart(estate)
    assert result.ok
    assert [line.kind for line in journal if line.unit == "power"] == ["waiting", "up"]


def test_a_second_try_may_succeed_and_the_journal_says_so(estate_of: EstateOf) -> None:
    world = World()
    world.up.add("power")
    world.fails["dns"] = 1
    result, journal = world.restart(estate_of(WORLD + imagined("dns", "power")))
    assert (result.ok, result.steps["dns"].tries) == (True, 2)
    assert [line.kind for line in journal if line.unit == "dns"] == ["start-began", "try-failed", "start-began", "up"]


def test_a_unit_that_starts_and_stays_silent_fails_by_its_probe(estate_of: EstateOf) -> None:
    world = World()
    world.up.add("power")
    world.mute.add("db")
    result, _ = world.restart(estate_of(WORLD + imagined("db", "power", more="tries = 1") + imagined("dns", "power")))
    assert result.failed == ("db",)
    assert result.steps["db"].detail == "not up within 0.2 s; its probe said: db is silent"
    assert "dns" in result.order


def test_what_is_only_wanted_never_blocks(estate_of: EstateOf) -> None:
    world = World()
    world.up.add("power")
    world.fails["log"] = 9
    result, _ = world.restart(estate_of(WORLD + imagined("log") + imagined("record", more='wants = ["log"]')))
    assert (result.failed, result.blocked) == (("log",), ())
    assert world.started[-1] == "record", "it waits for what it wants, as long as that can come"


def test_one_of_two_feeds_is_enough(estate_of: EstateOf) -> None:
    world = World()
    world.up.add("power")
    text = WORLD + '[[feed]]\nid = "other"\nprobe = "tcp://other:1"\nup_within_s = 0.2\n'
    result, _ = world.restart(estate_of(text + imagined("storage", more='needs_any = ["power", "other"]')))
    assert (result.failed, result.blocked, "storage" in result.order) == (("other",), (), True)
