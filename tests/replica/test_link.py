"""The exchange against real hubs: what must hold after every calamity is that everybody has everything, once."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from releve.clock import to_datetime, wall_us
from releve.log import GROUP, SITE
from releve.replica.access import accept, read_request
from releve.replica.enrolment import create_hub, enrol
from releve.replica.link import Replica

from .scene import Hospital, eventually, group, needs_server

pytestmark = [pytest.mark.peer, needs_server]


def test_three_hospitals_and_two_hubs_converge_and_site_stays_at_home(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path) as scene:
            for hospital in scene.hospitals.values():
                hospital.write(300)
                hospital.write(50, SITE)
            await scene.settled()
            for hospital in scene.hospitals.values():
                assert hospital.replica
                for state in hospital.replica.states():
                    assert (state.is_connected, state.owed, state.behind) == (True, 0, {})
                    assert state.pushed == 352
                    assert not [alert for alert in state.alerts if alert.is_open]
                assert sum(state.pulled for state in hospital.replica.states()) == 2 * 301

    asyncio.run(night())


def test_a_hub_killed_in_the_middle_of_traffic_is_started_again_and_loses_nothing(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path) as scene:
            for _ in range(3):
                for hospital in scene.hospitals.values():
                    hospital.write(200)
                await asyncio.sleep(0.02)
                crash = asyncio.create_task(scene.hubs["A"].crash())
                for hospital in scene.hospitals.values():
                    hospital.write(200)
                await crash
            await scene.settled()
            for hospital in scene.hospitals.values():
                assert "replica.hub-lost" not in hospital.codes("A")
                assert "replica.fork" not in hospital.codes("A")

    asyncio.run(night())


def test_a_hub_rolled_back_is_noticed_and_refilled(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path) as scene:
            hub = scene.hubs["A"]
            for hospital in scene.hospitals.values():
                hospital.write(100)
            await scene.settled()
            await hub.power_cut()
            hub.store_copy(tmp_path / "yesterday")
            await hub.start()
            for hospital in scene.hospitals.values():
                hospital.write(150)
            await eventually(lambda: scene.owed() == 0, "A has it all")
            await scene.settled()
            await hub.power_cut()
            hub.store_replace(tmp_path / "yesterday")
            await hub.start()
            for hospital in scene.hospitals.values():
                await eventually(lambda h=hospital: "replica.hub-lost" in h.codes("A"), "the loss was noticed")
                assert hospital.replica
                lost = [alert for alert in hospital.replica.alerts.of("A") if alert.code == "replica.hub-lost"]
                assert "lost 151 acknowledged events" in lost[0].sentence
            await scene.settled()
            await eventually(
                lambda: not any(a.is_open for h in scene.hospitals.values() for a in h.replica.alerts.of("A")),
                "every alert is closed",
            )

    asyncio.run(night())


def test_an_emptied_hub_is_refilled(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            hub = scene.hubs["A"]
            for hospital in scene.hospitals.values():
                hospital.write(700)
                hospital.write(20, SITE)
            await scene.settled()
            await hub.power_cut()
            hub.store_replace(None)
            await hub.start()
            first = scene.hospitals["H01"]
            await eventually(lambda: "replica.hub-lost" in first.codes("A"), "the loss was noticed")
            first.write(10)
            await scene.settled()

    asyncio.run(night())


def test_hospitals_work_on_with_both_hubs_dead_and_converge_when_they_return(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path) as scene:
            for hospital in scene.hospitals.values():
                hospital.write(50)
            await scene.settled()
            for hub in scene.hubs.values():
                await hub.power_cut()
            for hospital in scene.hospitals.values():
                hospital.write(300)
            first = scene.hospitals["H01"]
            assert first.replica
            await eventually(lambda: not any(s.is_connected for s in first.replica.states()), "both are seen away")
            await eventually(lambda: all("replica.unreachable" in first.codes(hub) for hub in "AB"), "it was told")
            assert [state.owed for state in first.replica.states()] == [301, 301]
            await scene.hubs["B"].start()
            await scene.settled()
            await scene.hubs["A"].start()
            await eventually(lambda: all(s.is_connected for s in first.replica.states()), "both are back")
            await scene.settled()

    asyncio.run(night())


def test_a_hospital_enrolled_later_is_learnt_by_the_others_without_a_restart(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            pid = scene.hubs["A"].server_pid
            scene.hospitals["H01"].write(20)
            late = scene.hospital("H02")
            scene.enrol(late)
            late.write(20)
            late.begin()
            await scene.settled()
            assert scene.hubs["A"].server_pid == pid

    asyncio.run(night())


def test_what_was_pushed_late_by_a_dead_hospital_is_still_given_by_the_hub(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            await second.end()
            first.write(600)
            await eventually(lambda: first.replica.states()[0].owed == 0, "the hub has it")
            await first.end()
            second.begin()
            await eventually(lambda: len(second.history("H01", GROUP)) == 601, "the other got it from the hub")

    asyncio.run(night())


def test_a_node_put_back_from_a_backup_is_given_its_events_and_goes_on(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first = scene.hospitals["H01"]
            first.write(100)
            await scene.settled()
            await first.end()
            first.close()
            shutil.copytree(first.folder, tmp_path / "backup")
            first.open()
            first.begin()
            first.write(100)
            await scene.settled()
            whole = first.history("H01", GROUP)
            await first.end()
            first.close()
            for path in first.folder.glob("log.db*"):
                path.unlink()
            for path in (tmp_path / "backup").glob("log.db*"):
                shutil.copy(path, first.folder)
            first.open()
            first.begin()
            await eventually(lambda: first.history("H01", GROUP) == whole, "its own events came back")
            assert "replica.own-lost" in first.codes("A")
            first.write(10)
            await scene.settled()

    asyncio.run(night())


def test_a_node_that_wrote_over_its_numbers_is_stopped_and_says_fork(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            first.write(50)
            first.write(5, SITE)
            await scene.settled()
            true = second.history("H01", GROUP)
            await first.end()
            first.lose_log()
            first.open()
            first.write(60)
            first.begin()
            await eventually(lambda: "replica.fork" in first.codes("A"), "the fork was seen")
            assert second.history("H01", GROUP) == true

    asyncio.run(night())


@pytest.mark.parametrize("size", [850_000])
def test_bodies_of_the_largest_size_pass(tmp_path: Path, size: int) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            scene.hospitals["H01"].write(12, size=size)
            await scene.settled()

    asyncio.run(night())


def test_an_event_above_the_hubs_limit_is_told_and_stops_only_its_channel(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            first.write(5, SITE, size=1_200_000)
            first.write(5)
            await eventually(lambda: "replica.too-large" in first.codes("A"), "it was told")
            await eventually(lambda: len(second.history("H01", GROUP)) == 6, "the other channel goes on")

    asyncio.run(night())


def test_two_rosters_that_name_different_keys_vouch_for_nobody_until_one_is_known(tmp_path: Path) -> None:
    now = to_datetime(wall_us())
    hospital = Hospital(tmp_path / "H01", "H01")
    keys = {"A": Hospital(tmp_path / "x", "H02"), "B": Hospital(tmp_path / "y", "H02")}
    for name, other in keys.items():
        create_hub(tmp_path / name, "127.0.0.1", 4222, at=now)
        requests = [read_request(h.folder / "keys/request.json") for h in (hospital, other)]
        accept(hospital.folder, enrol(tmp_path / name, requests, at=now)[0])
    replica = Replica(hospital.accesses(), "H01", hospital.public_key, hospital.ledger, hospital.append_remote)
    assert replica.key_of("H01") == hospital.public_key
    assert replica.key_of("H02") is None
    assert replica.key_of("H03") is None
    keys["B"].write(1)
    hospital.log.append_remote_now(keys["B"].ledger.channel_after("H02", 1, GROUP, 0, 9), keys["B"].public_key)
    assert replica.key_of("H02") == keys["B"].public_key
    for made in (hospital, *keys.values()):
        made.close()
