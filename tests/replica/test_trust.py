"""Who is let in, what each may reach, and what a hub that lies can do: withhold, never forge."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import nkeys
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.clock import wall_us
from releve.log import GROUP, Draft, Event
from releve.log.event import FIRST_PREV_HASH, encode_event, event_hash
from releve.replica.authority import make_authority
from releve.replica.depot import Depot, Resync, connected
from releve.replica.enrolment import STEWARD, steward_tls
from releve.replica.names import Channel, inbox

from .scene import Hospital, RunningHub, eventually, group, needs_server

pytestmark = [pytest.mark.peer, needs_server]


@asynccontextmanager
async def as_operator(hub: RunningHub) -> AsyncIterator[Depot]:
    """Be the one who runs the hub: everything is permitted."""
    seed = (hub.folder / "keys/steward.seed").read_text()
    async with connected(hub.url, steward_tls(hub.folder), seed, inbox(STEWARD), STEWARD) as depot:
        yield depot


@asynccontextmanager
async def as_site(hospital: Hospital) -> AsyncIterator[Depot]:
    (a,) = hospital.accesses()
    async with connected(a.url, a.tls(), a.nkey_seed, inbox(a.site), a.site, request_s=1.0) as depot:
        yield depot  # a refusal is a silence, which need not last here


def signed(key: Ed25519PrivateKey, origin: str, seq: int, prev_hash: bytes, event_id: bytes = b"") -> Event:
    event_id, at = event_id or os.urandom(16), wall_us()
    fields = (origin, 1, GROUP, seq, at << 6, at, "note", event_id, b"body")
    digest = event_hash(prev_hash, *fields)
    return Event(*fields, prev_hash, digest, key.sign(digest))


def test_a_forged_event_is_refused_by_every_reader_and_the_true_ones_go_on(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A B", hospitals="H01 H02 H03") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            first.write(10)
            await scene.settled()
            await first.end()
            seq, prev_hash = first.ledger.head("H01", 1, GROUP)
            forged = signed(Ed25519PrivateKey.generate(), "H01", seq + 1, prev_hash)
            async with as_operator(scene.hubs["A"]) as depot:
                await depot.store("ev.H01.group", [encode_event(forged)], seq)
            await eventually(lambda: "replica.refused" in second.codes("A"), "the forgery was seen")
            alert = next(alert for alert in second.replica.alerts.of("A") if alert.code == "replica.refused")
            assert "false signature" in alert.sentence
            assert len(second.history("H01", GROUP)) == 11
            first.begin()
            first.write(5)
            await eventually(lambda: "replica.fork" in first.codes("A"), "its owner sees a fork at A")
            await eventually(lambda: len(second.history("H01", GROUP)) == 17, "the truth comes through B")
            assert second.history("H01", GROUP) == first.history("H01", GROUP)

    asyncio.run(night())


def test_an_unsigned_event_is_not_believed(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            first.write(1)
            await scene.settled()
            await first.end()
            seq, prev_hash = first.ledger.head("H01", 1, GROUP)
            event = msgspec.structs.replace(signed(first.key, "H01", seq + 1, prev_hash), signature=b"")
            async with as_operator(scene.hubs["A"]) as depot:
                await depot.store("ev.H01.group", [encode_event(event)], seq)
                await eventually(lambda: bool(second.replica.states()[0].behind), "the digest speaks of it")
                (link,) = second.replica._links
                assert link.depot
                applied = await second.replica._puller.catch_up(link.depot, "A", Channel("H01", 1, GROUP), seq + 1)
                assert applied == 0
            assert len(second.history("H01", GROUP)) == seq

    asyncio.run(night())


def test_an_origin_that_repeats_an_event_id_is_refused_and_hinders_nobody_else(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02 H03") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            second.write(4)
            await scene.settled()
            await first.end()
            one = signed(first.key, "H01", 1, FIRST_PREV_HASH, event_id=b"x" * 16)
            two = signed(first.key, "H01", 2, one.hash, event_id=b"x" * 16)
            async with as_site(first) as depot:
                await depot.store("ev.H01.group", [encode_event(one), encode_event(two)], 0)
            await eventually(lambda: "replica.refused" in second.codes("A"), "it was refused")
            second.log.append_now(Draft(GROUP, "note", os.urandom(16), b"a nurse writes on"))
            third = scene.hospitals["H03"]
            await eventually(lambda: len(third.history("H02", GROUP)) == 6, "others are heard")

    asyncio.run(night())


def test_what_is_no_event_is_refused_and_told(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            second.write(4)
            await scene.settled()
            await first.end()
            async with as_site(first) as depot:
                await depot.store("ev.H01.group", [b"\x00garbage"], 0)
            await eventually(lambda: "replica.refused" in second.codes("A"), "it was refused")
            second.write(3)
            await eventually(lambda: second.replica.states()[0].owed == 0, "the rest goes on")

    asyncio.run(night())


def test_a_site_reaches_nothing_that_is_not_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01 H02") as scene:
            first, second = scene.hospitals["H01"], scene.hospitals["H02"]
            second.write(5)
            second.write(5, "site")
            await scene.settled()
            await first.end()
            async with as_site(first) as depot:
                assert len(await depot.fetch("EV_H02_group", 1)) == 6
                attempts = [
                    depot.fetch("EV_H02_site", 1),
                    depot.event_at("EV_H02_site", 1),
                    depot.info("EV_H02_site"),
                    depot.store("ev.H02.group", [b"mine"], 6),
                    depot.call("STREAM.LIST"),
                    depot.call("STREAM.DELETE.EV_H01_group"),
                    depot.call("STREAM.PURGE.EV_H01_group"),
                    depot.call("STREAM.UPDATE.EV_H01_group", {"name": "EV_H01_group"}),
                    depot.call("STREAM.CREATE.X", {"name": "X"}),
                    depot.call("CONSUMER.CREATE.EV_H02_site", {}),
                ]
                outcomes = await asyncio.gather(*attempts, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [Resync] * len(attempts)
                assert len([r for r in caplog.records if r.message == "hub refused a subject"]) == len(attempts)
                heard: list[str] = []

                async def hear(subject: str, _: bytes) -> None:
                    heard.append(subject)

                for subject in ("ev.>", "_INBOX_H02.>", ">"):
                    await depot.listen(subject, hear)
                second.write(2)
                await eventually(lambda: second.replica.states()[0].owed == 0, "the other pushed")
                assert heard == []
            async with as_operator(scene.hubs["A"]) as depot:
                state = await depot.info("EV_H02_group")
                assert state
                assert (state.messages, state.last) == (9, 9)

    asyncio.run(night())


def test_not_even_the_operator_can_take_one_event_out(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            scene.hospitals["H01"].write(5)
            await scene.settled()
            async with as_operator(scene.hubs["A"]) as depot:
                assert "error" in await depot.call("STREAM.MSG.DELETE.EV_H01_group", {"seq": 2})
                assert "error" in await depot.call("STREAM.PURGE.EV_H01_group", {})

    asyncio.run(night())


def test_without_our_certificate_or_nkey_nobody_gets_in(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            (access,) = scene.hospitals["H01"].accesses()
            bare = ssl.create_default_context(cafile=str(scene.hubs["A"].folder / "keys/ca.pem"))
            stranger = make_authority("x", at=datetime.now(UTC)).issue("H01", (), at=datetime.now(UTC))
            (tmp_path / "stranger.pem").write_bytes(b"".join(stranger))
            foreign = ssl.create_default_context(cafile=str(scene.hubs["A"].folder / "keys/ca.pem"))
            foreign.load_cert_chain(tmp_path / "stranger.pem")
            seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode()
            for tls, nkey in ((bare, access.nkey_seed), (foreign, access.nkey_seed), (access.tls(), seed)):
                with pytest.raises(Resync):
                    async with connected(access.url, tls, nkey, inbox("H01"), "H01"):
                        pass

    asyncio.run(night())


def test_a_hub_of_another_authority_is_not_believed(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A B", hospitals="H01") as scene:
            to_a, _ = scene.hospitals["H01"].accesses()
            with pytest.raises(Resync, match="cannot be reached"):
                async with connected(scene.hubs["B"].url, to_a.tls(), to_a.nkey_seed, inbox("H01"), "H01"):
                    pass

    asyncio.run(night())


def test_the_port_says_nothing_before_tls(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="") as scene:
            reader, writer = await asyncio.open_connection("127.0.0.1", scene.hubs["A"].port, family=socket.AF_INET)
            writer.write(b"CONNECT {}\r\nPING\r\n")
            said = await asyncio.wait_for(reader.read(100), 10)
            writer.close()
            await writer.wait_closed()
            assert b"INFO" not in said
            assert b"PONG" not in said

    asyncio.run(night())


def test_nothing_lies_open_in_the_store(tmp_path: Path) -> None:
    async def night() -> None:
        async with group(tmp_path, hubs="A", hospitals="H01") as scene:
            first = scene.hospitals["H01"]
            first.log.append_now(Draft(GROUP, "note", os.urandom(16), b"MARGUERITE-DURAND" * 40))
            await scene.settled()
            await scene.hubs["A"].stop()
            files = [path for path in (scene.hubs["A"].folder / "store").rglob("*") if path.is_file()]
            assert any(path.suffix == ".blk" and path.stat().st_size > 600 for path in files)
            assert not any(b"MARGUERITE" in path.read_bytes() for path in files)

    asyncio.run(night())
