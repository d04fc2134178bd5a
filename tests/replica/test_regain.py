"""A node's own history back from the hubs: no number may ever be used twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from releve.log import GROUP, SITE, Draft
from releve.replica.access import read_accesses
from releve.replica.link import read_cursors
from releve.replica.names import Channel
from releve.replica.regain import Regained, recover_own_history

from .scene import Group, Hospital, eventually, group, needs_server

pytestmark = [pytest.mark.peer, needs_server]


async def recover(hospital: Hospital, *, was_restored: bool = False) -> Regained:
    return await recover_own_history(
        hospital.accesses(),
        hospital.site,
        hospital.public_key,
        hospital.ledger,
        hospital.append_remote,
        acked=read_cursors(hospital.folder),
        was_restored=was_restored,
        timeout_s=3,
    )


async def written_and_lost(scene: Group) -> tuple[Hospital, list[bytes], list[bytes]]:
    first = scene.hospitals["H01"]
    first.write(700)
    first.write(60, SITE)
    await scene.settled()
    held = first.history("H01", GROUP), first.history("H01", SITE)
    await first.end()
    return first, *held


def test_a_node_without_hubs_is_sure_at_once(tmp_path: Path) -> None:
    async def start() -> None:
        hospital = Hospital(tmp_path, "H01")
        regained = await recover(hospital)
        hospital.close()
        assert (regained.is_sure, regained.epoch_to_write, regained.pulled) == (True, 1, 0)

    asyncio.run(start())


def test_a_node_that_lost_its_log_gets_both_channels_back_and_goes_on_in_its_epoch(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hospitals="H01 H02") as scene:
            first, group_before, site_before = await written_and_lost(scene)
            first.lose_log()
            first.open()
            regained = await recover(first)
            assert (regained.is_sure, regained.epoch_to_write, regained.pulled) == (True, 1, 762)
            assert first.history("H01", GROUP) == group_before
            assert first.history("H01", SITE) == site_before
            first.begin()
            first.write(5)
            await scene.settled()
            assert first.history("H01", GROUP)[:701] == group_before
            assert "replica.fork" not in first.codes("A") | first.codes("B")

    asyncio.run(night())


def test_a_node_that_lost_its_log_while_a_hub_is_silent_opens_an_epoch_and_its_past_returns_later(
    tmp_path: Path,
) -> None:
    async def night() -> None:
        async with group(tmp_path, hospitals="H01 H02") as scene:
            first, group_before, site_before = await written_and_lost(scene)
            fact = first.ledger.at(1)
            assert fact
            for hub in scene.hubs.values():
                await hub.power_cut()
            first.lose_log()
            first.open()
            regained = await recover(first)
            assert (regained.is_sure, regained.epoch_to_write, regained.silent) == (False, 2, ("A", "B"))
            first.close()
            first.open(epoch=regained.epoch_to_write)
            first.begin()
            first.write(30)
            first.log.append_now(Draft(GROUP, fact.kind, fact.event_id, fact.body))  # a sender repeats what it knows
            for hub in scene.hubs.values():
                await hub.start()
            await scene.settled()
            second = scene.hospitals["H02"]
            assert second.history("H01", GROUP, 2) == first.history("H01", GROUP, 2)
            assert len(second.history("H01", GROUP, 2)) == 32
            await eventually(lambda: first.history("H01", GROUP) == group_before, "its past came back")
            await eventually(lambda: first.history("H01", SITE) == site_before, "its own detail came back")
            assert second.history("H01", GROUP) == group_before

    asyncio.run(night())


def test_a_node_that_merely_restarts_alone_keeps_its_epoch_but_a_restored_one_does_not(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, _, _ = await written_and_lost(scene)
            await scene.hubs["A"].power_cut()
            assert (await recover(first)).epoch_to_write == 1
            assert (await recover(first, was_restored=True)).epoch_to_write == 2

    asyncio.run(night())


def test_a_log_behind_what_a_silent_hub_once_acknowledged_opens_an_epoch(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, _, _ = await written_and_lost(scene)
            assert read_cursors(first.folder)["A"][Channel("H01", 1, GROUP)] == 701
            await scene.hubs["A"].power_cut()
            first.close()
            for path in first.folder.glob("log.db*"):
                path.unlink()
            first.open()
            first.write(3)
            regained = await recover(first)
            assert (regained.is_sure, regained.epoch_to_write) == (False, 2)
            assert "acknowledged more" in regained.reason

    asyncio.run(night())


def test_a_log_that_wrote_over_its_numbers_opens_an_epoch(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, _, _ = await written_and_lost(scene)
            first.lose_log()
            first.open()
            first.write(3)
            regained = await recover(first)
            assert (regained.is_sure, regained.epoch_to_write) == (False, 2)
            assert read_accesses(first.folder)[0].hub in regained.reason

    asyncio.run(night())
