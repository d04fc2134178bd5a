"""The four calls against a real hub: all of a batch or none of it, and only on top of what is expected."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from releve.replica.depot import Resync, StreamState

from .scene import group, needs_server
from .test_trust import as_site

pytestmark = [pytest.mark.peer, needs_server]

STREAM, SUBJECT = "EV_H01_group", "ev.H01.group"


def test_a_batch_is_stored_whole_on_top_of_what_is_expected_or_not_at_all(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            await scene.hospitals["H01"].end()
            async with as_site(scene.hospitals["H01"]) as depot:
                assert await depot.info(STREAM) == StreamState(0, 0, 0)
                assert await depot.store(SUBJECT, [b"1"], 0) == 1
                assert await depot.store(SUBJECT, [b"2", b"3", b"4"], 1) == 4
                for rows, base in (([b"x"], 3), ([b"x", b"y"], 1), ([b"x", b"y", b"z"], 9)):
                    with pytest.raises(Resync, match="wrong last sequence"):
                        await depot.store(SUBJECT, rows, base)
                assert await depot.info(STREAM) == StreamState(4, 1, 4)
                assert await depot.fetch(STREAM, 2) == [(2, b"2"), (3, b"3"), (4, b"4")]
                assert await depot.fetch(STREAM, 2, events_max=2) == [(2, b"2"), (3, b"3")]
                assert await depot.fetch(STREAM, 5) == []
                assert (await depot.event_at(STREAM, 3), await depot.event_at(STREAM, 5)) == (b"3", None)

    asyncio.run(night())


def test_two_writers_with_the_same_expectation_store_one_of_them(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            first = scene.hospitals["H01"]
            await first.end()
            async with as_site(first) as one, as_site(first) as two:
                rows = [[b"one"] * 50, [b"two"] * 50]
                outcomes = await asyncio.gather(
                    one.store(SUBJECT, rows[0], 0), two.store(SUBJECT, rows[1], 0), return_exceptions=True
                )
                assert sorted(type(outcome) for outcome in outcomes if not isinstance(outcome, int)) == [Resync]
                kept = [data for _, data in await one.fetch(STREAM, 1)]
                assert kept in rows

    asyncio.run(night())


def test_a_killed_server_ends_the_scope_of_its_connection(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene, as_site(scene.hospitals["H01"]) as depot:
            scene.hubs["A"].kill_server()
            await asyncio.wait_for(depot.lost.wait(), 30)
            with pytest.raises(Resync):
                await depot.info(STREAM)

    asyncio.run(night())
