"""The tide: who waits is woken by a commit of another connection, and by nothing else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.log import GROUP, Draft, Ledger, Log
from releve.replica.tide import Tide


def test_a_commit_to_the_log_wakes_who_waits(tmp_path: Path) -> None:
    async def night() -> None:
        log = Log(tmp_path, "H01", Ed25519PrivateKey.generate())
        ledger = Ledger(tmp_path)
        tide = Tide(ledger.data_version)
        looking = asyncio.create_task(tide.run())
        assert not await tide.beyond(0, 0.15)
        waiting = asyncio.create_task(tide.beyond(tide.count, 30))
        await asyncio.sleep(0)
        log.append_now(Draft(GROUP, "note", os.urandom(16), b"x"))
        assert await waiting
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        log.close()
        ledger.close()

    asyncio.run(night())


def test_a_rise_before_the_wait_is_not_missed() -> None:
    async def night() -> None:
        tide = Tide(lambda: 0)
        seen = tide.count
        tide.rise()
        assert await tide.beyond(seen, 0)
        assert not await tide.beyond(tide.count, 0)

    asyncio.run(night())
