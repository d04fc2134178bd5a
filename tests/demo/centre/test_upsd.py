"""The demo's UPS as a real upsd: it says what the script says, on the port of its feed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from releve.demo.centre.room import Room
from releve.demo.centre.upsd import NUT_VARIABLE, nut_programs, serve
from releve.demo.plant import free_ports
from releve.estate import Unit, load
from releve.recovery.power.ask import ask_ups
from releve.recovery.power.reading import UpsReading


def feed(tmp_path: Path, port: int) -> Unit:
    path = tmp_path / "estate.toml"
    path.write_text(f'[[feed]]\nid = "feed-a"\nprobe = "nut://127.0.0.1:{port}/feed-a"\n', "utf-8")
    return load(path).units["feed-a"]


def test_a_machine_may_be_told_to_play_the_ups_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NUT_VARIABLE, "0")
    assert nut_programs() is None


@pytest.mark.peer
def test_the_script_is_played_by_a_real_upsd(tmp_path: Path) -> None:
    programs = nut_programs()
    if programs is None:
        pytest.skip("NUT is not installed here; apt-get install nut-server brings it (see tests/peers.sh)")
    port = free_ports(1)[0]
    room = Room(str(tmp_path), 1, {"feed-a": port}, {}, {}, "", "", 1.0)
    unit = feed(tmp_path, port)
    line: dict[str, str] = {"ups.status": "OL", "battery.charge": "100", "battery.runtime": "900", "ups.load": "38"}
    script: dict[str, str] = dict(line)

    async def becomes(variables: Mapping[str, str], flag: str) -> UpsReading:
        script.update(variables)
        reading = await ask_ups(unit)
        for _ in range(4000):
            if flag in reading.flags and reading.runtime_s is not None and reading.load is not None:
                break  # a server that has just opened says the state before the rest
            reading = await ask_ups(unit)
        return reading

    async def night() -> list[UpsReading]:
        opened = asyncio.Event()
        served = asyncio.ensure_future(serve("feed-a", room, programs, lambda: script, opened.set))
        await asyncio.wait([asyncio.ensure_future(opened.wait()), served], return_when=asyncio.FIRST_COMPLETED)
        try:
            return [
                await becomes({}, "OL"),
                await becomes({"ups.status": "OB DISCHRG", "battery.runtime": "90"}, "OB"),
                await becomes({"ups.status": "OB DISCHRG LB"}, "LB"),
                await becomes(line, "OL"),
            ]
        finally:
            served.cancel()
            await asyncio.gather(served, return_exceptions=True)

    on_line, on_battery, low, back = asyncio.run(night())
    assert (on_line.runtime_s, on_line.load, on_line.is_on_battery) == (900, 38, False)
    assert (on_battery.runtime_s, on_battery.is_on_battery, on_battery.is_low) == (90, True, False)
    assert low.is_low
    assert (back.is_on_battery, back.runtime_s) == (False, 900)
