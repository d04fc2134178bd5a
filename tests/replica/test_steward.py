"""The steward: streams are made as they must be, and a hole is mended only when its owner holds everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.log import GROUP
from releve.replica.depot import StreamState
from releve.replica.names import DIGEST, Channel
from releve.replica.steward import Hint, encode_hint, parse_digest, parse_hint, stream_settings

from .scene import Group, RunningHub, eventually, group, needs_server
from .test_trust import as_operator


@given(st.binary())
def test_any_bytes_are_a_hint_or_a_digest_or_nothing(content: bytes) -> None:
    assert parse_hint(content) is None or isinstance(parse_hint(content), Hint)
    assert parse_digest(content) is None


@given(st.integers(1, 64), st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_hint_arrives_as_it_was_said(epoch: int, held: int, stored: int) -> None:
    said = Hint(epoch, {"group": held, "site": 0}, stored)
    assert parse_hint(encode_hint(said)) == said


def test_a_stream_keeps_everything_and_lets_nobody_take_a_part_away() -> None:
    made = stream_settings(Channel("H01", 2, GROUP))
    assert (made["name"], made["subjects"]) == ("EV_H01_group_e2", ["ev.H01.group.e2"])
    assert all(made[key] for key in ("allow_direct", "allow_atomic", "deny_delete", "deny_purge"))
    assert (made["max_age"], made["max_msgs"], made["max_bytes"], made["storage"]) == (0, -1, -1, "file")


def flip_a_bit_in_the_first_block(hub: RunningHub, stream: str) -> None:
    """Damage a stopped hub's store as a dying disk does."""
    blocks = sorted(
        (path for path in hub.folder.glob(f"store/**/{stream}/msgs/*.blk")), key=lambda path: int(path.stem)
    )
    assert len(blocks) > 1, "the damage must not lie in the last block"
    data = bytearray(blocks[0].read_bytes())
    data[len(data) // 2] ^= 4
    blocks[0].write_bytes(data)
    for index in hub.folder.glob(f"store/**/{stream}/msgs/index.db"):
        index.unlink()


async def state_of(scene: Group, stream: str) -> StreamState | None:
    async with as_operator(scene.hubs["A"]) as depot:
        return await depot.info(stream)


async def five_rounds(scene: Group) -> None:
    """Wait until the steward has looked more often than it needs to believe what it sees."""
    heard: list[bytes] = []

    async def hear(_: str, content: bytes) -> None:
        heard.append(content)

    async with as_operator(scene.hubs["A"]) as depot:
        await depot.listen(DIGEST, hear)
        await eventually(lambda: len(heard) >= 5, "five digests were heard")
    assert all(parse_digest(content) for content in heard)


@needs_server
@pytest.mark.peer
def test_a_hole_is_left_alone_while_its_owner_is_away_and_mended_when_he_is_back(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, hub = scene.hospitals["H01"], scene.hubs["A"]
            first.write(14, size=850_000)
            await scene.settled()
            await first.end()
            await hub.stop()
            flip_a_bit_in_the_first_block(hub, "EV_H01_group")
            await hub.start()
            state = await state_of(scene, "EV_H01_group")
            assert state
            assert state.last == 15
            assert state.lost_inside > 0
            await five_rounds(scene)
            assert await state_of(scene, "EV_H01_group") == state
            first.begin()
            await eventually(lambda: "replica.hole" in first.codes("A"), "the owner is told")

            def is_mended() -> bool:
                assert first.replica
                alerts = [a for a in first.replica.alerts.of("A") if a.code == "replica.hole"]
                return not any(alert.is_open for alert in alerts) and first.replica.states()[0].owed == 0

            await eventually(is_mended, "the stream is whole again")
            mended = await state_of(scene, "EV_H01_group")
            assert mended == StreamState(15, 1, 15)

    asyncio.run(night())
