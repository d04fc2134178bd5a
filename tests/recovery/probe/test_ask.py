"""Asking over real sockets: frozen, closed, absent and well servers; addresses that are none."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.estate import PROBE_SCHEMES
from releve.recovery.probe import Reading, probe
from releve.recovery.probe.address import PORTS, parse_address

STREAMS = ["dicom", "http", "https", "imap", "ldap", "mllp", "nut", "postgresql", "redfish", "redis", "smtp", "ssh"]
STREAMS += ["tls"]
DATAGRAMS = ("dns", "ntp", "sip", "snmp")
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def asked(url: str, timeout_s: float = 3.0) -> Reading:
    return asyncio.run(probe(url, timeout_s))


def test_every_scheme_that_an_estate_may_name_has_a_probe() -> None:
    assert set(PROBE_SCHEMES) == {*PORTS, "command"}


@pytest.mark.parametrize("scheme", STREAMS)
def test_a_frozen_server_is_found_within_the_limit(scheme: str) -> None:
    with socket.socket() as frozen:
        # The kernel completes connections for a listener that never accepts: exactly what SIGSTOP leaves.
        frozen.bind(("127.0.0.1", 0))
        frozen.listen(8)
        port = frozen.getsockname()[1]
        reading = asked(f"{scheme}://127.0.0.1:{port}/x", timeout_s=0.3)
        weak = asked(f"tcp://127.0.0.1:{port}")
    assert reading.state == "frozen"
    assert 0.3 <= reading.took_s < 1.5
    assert weak.state == "up", "and the bare connection is why it is called weak"


@pytest.mark.parametrize("scheme", DATAGRAMS)
def test_a_frozen_udp_server_is_found_within_the_limit(scheme: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as frozen:
        frozen.bind(("127.0.0.1", 0))
        reading = asked(f"{scheme}://127.0.0.1:{frozen.getsockname()[1]}", timeout_s=0.3)
    assert reading.state == "silent"
    assert 0.3 <= reading.took_s < 1.5


@pytest.mark.parametrize("scheme", [*STREAMS, "tcp", *DATAGRAMS])
def test_a_closed_port_is_told_apart_from_silence(scheme: str) -> None:
    port = free_port(socket.SOCK_DGRAM if scheme in DATAGRAMS else socket.SOCK_STREAM)
    assert asked(f"{scheme}://127.0.0.1:{port}/x", timeout_s=2.0).state == "refused"


def serving(answer: Answer, url: str) -> Reading:
    async def both() -> Reading:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await probe(url.replace("PORT", str(port)), 3.0)

    return asyncio.run(both())


def test_a_server_that_hangs_up_is_told_apart_too() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    assert serving(hang_up, "mllp://127.0.0.1:PORT").state == "closed"


def test_a_reading_says_when_and_where_and_never_the_password() -> None:
    async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"+OK\r\n", b"+PONG\r\n"):
            await reader.read(200)
            writer.write(answer)
        writer.close()

    async def at(moment: int) -> Reading:
        server = await asyncio.start_server(pong, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await probe(f"redis://:secret@127.0.0.1:{port}", 3.0, now=lambda: moment)

    reading = asyncio.run(at(1_722_675_600_000_000))
    assert reading.ok
    assert reading.at == 1_722_675_600_000_000
    assert "secret" not in repr(reading)


def test_a_name_that_does_not_resolve_could_not_be_asked() -> None:
    assert asked("tcp://name.invalid:80").state == "unasked"


def test_a_program_is_a_probe_too(tmp_path: Path) -> None:
    python = sys.executable
    assert asked(f"command:{python} -c 'import sys'").state == "up"
    failing = asked(f"command:{python} -c 'print(\"mount is gone\"); raise SystemExit(3)'")
    assert (failing.state, failing.detail.endswith("ended with 3: mount is gone")) == ("wrong", True)
    assert asked(f"command:{python} -c 'import time; time.sleep(60)'", timeout_s=0.5).state == "silent"
    assert asked(f"command:{tmp_path}/absent").state == "unasked"


def test_a_password_stands_by_path(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("geheim\n", "utf-8")
    address = parse_address(f"postgresql://probe@h/record?password_file={secret}")
    assert (address.password, address.port, address.path) == ("geheim", 5432, "record")
    with pytest.raises(WrongUse, match="cannot be read for a probe"):
        parse_address(f"postgresql://probe@h/record?password_file={tmp_path}/none")


@pytest.mark.parametrize(
    "url",
    ["gopher://h", "tcp://h", "smtp://", "tcp://h:x", "http//h", "tcp://a..b:80", "ssh://h?tls=1", "https://h?tls=0"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(WrongUse):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("command:mount 'open", "No closing quotation"),
        ("command:", "names no program"),
        ("ntp://127.0.0.1?offset_s=much", "offset_s must be a number; found 'much'"),
        ("tls://127.0.0.1?days=nan", "days must be a number"),
        ("snmp://127.0.0.1?version=3", "version '3' is not spoken; 1 and 2c are"),
        ("redis://:secret@127.0.0.1?tls=1&ca=/nowhere", "/nowhere cannot be used as ca"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_what_was_expected(url: str, says: str) -> None:
    with pytest.raises(WrongUse, match=says) as refusal:
        asked(url)
    assert "secret" not in refusal.value.sentence


def test_an_impossible_dns_name_is_refused() -> None:
    with pytest.raises(WrongUse, match="cannot be asked for"):
        asked(f"dns://127.0.0.1?name={'a' * 70}.example")
