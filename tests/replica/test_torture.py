"""Many calamities in a row, under RELEVE_TORTURE=1: kill -9, stores rolled back or emptied, lost logs; one seed."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest

from releve.log import GROUP, SITE

from .scene import Group, Hospital, eventually, group, needs_server
from .test_regain import recover

pytestmark = [
    pytest.mark.peer,
    needs_server,
    pytest.mark.skipif("RELEVE_TORTURE" not in os.environ, reason="heavy rounds run with RELEVE_TORTURE=1"),
]

ROUNDS = int(os.environ.get("RELEVE_TORTURE_ROUNDS", "40"))


async def calamity(scene: Group, rng: random.Random, place: Path) -> str:
    """Do one bad thing, chosen by the seed; one hub at most is away or wrong at a time, as designed for."""
    hub = scene.hubs[rng.choice(sorted(scene.hubs))]
    site = rng.choice(sorted(scene.hospitals))
    kind = rng.choice(["kill", "kill", "kill", "rollback", "empty", "lost log", "restart node"])
    if kind == "kill":
        await hub.crash()
    elif kind == "rollback":
        await hub.power_cut()
        hub.store_copy(place / "old")
        await hub.start()
        scene.hospitals[site].write(rng.randint(1, 200))
        await scene.settled()
        await hub.power_cut()
        hub.store_replace(place / "old")
        shutil.rmtree(place / "old")
        await hub.start()
    elif kind == "empty":
        await scene.settled()
        await hub.power_cut()
        hub.store_replace(None)
        await hub.start()
    elif kind == "lost log":
        await scene.settled()
        await lose(scene.hospitals[site])
    else:
        await scene.hospitals[site].end()
        scene.hospitals[site].begin()
    return kind


async def lose(hospital: Hospital) -> None:
    held = {name: hospital.history(hospital.site, name) for name in (GROUP, SITE)}
    await hospital.end()
    hospital.lose_log()
    hospital.open()
    regained = await recover(hospital)
    assert regained.is_sure, regained.reason
    assert {name: hospital.history(hospital.site, name) for name in (GROUP, SITE)} == held
    hospital.begin()


@pytest.mark.parametrize("seed", [int(os.environ.get("RELEVE_TORTURE_SEED", "20240803"))])
def test_after_any_row_of_calamities_everybody_holds_everything_once(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)

    async def nights() -> None:
        async with group(tmp_path) as scene:
            for number in range(ROUNDS):
                for hospital in scene.hospitals.values():
                    hospital.write(rng.randint(0, 300), rng.choice([GROUP, GROUP, SITE]))
                kind = await calamity(scene, rng, tmp_path)
                for hospital in scene.hospitals.values():
                    hospital.write(rng.randint(0, 300))
                    assert hospital.replica
                    for hub in scene.hubs:
                        assert not {"replica.fork", "replica.failed"} & hospital.codes(hub), (seed, number, kind)
            await eventually(lambda: all(hub.has_server() for hub in scene.hubs.values()), "every hub is back")
            await scene.settled()

    asyncio.run(nights())
