"""Redfish against sushy-tools' emulator: resets that happen later, a cold boot, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from releve.estate import Command, Estate
from releve.estate.model import Bilingual
from releve.recovery.driver.order import Launched, Order
from releve.recovery.driver.redfish import AUTHORITY, Redfish

pytestmark = pytest.mark.peer

NOWHERE = Estate(Bilingual("rien", "nothing"), "Europe/Paris", {}, {}, {})
UP_WITHIN_S = 40.0

# The emulator throws dice for how long a reset takes, up to eleven seconds; here they always show the least.
HURRIED = """
import random, sys
random.randint = lambda least, most: least
from sushy_tools.emulator.main import main
sys.exit(main())
"""


@contextlib.contextmanager
def emulator(folder: Path, scheme: str = "http", more: str = "") -> Iterator[str]:
    """Run the emulator with three hosts that are off, and give the address of its systems."""
    pytest.importorskip("sushy_tools")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    hosts = [
        {"uuid": str(uuid.UUID(int=n)), "name": f"host-{n}", "power_state": "Off", "nics": []} for n in range(1, 4)
    ]
    (folder / "emulator.conf").write_text(
        f"SUSHY_EMULATOR_STATE_DIR = {str(folder)!r}\nSUSHY_EMULATOR_FAKE_SYSTEMS = {hosts!r}\n{more}", "utf-8"
    )
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", HURRIED, "--fake", "-i", "127.0.0.1", "-p", str(port)),
                *("--config", str(folder / "emulator.conf")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    yield f"{scheme}://127.0.0.1:{port}/redfish/v1/Systems"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("sushy")) as root:
        yield root


def reset(address: str, what: str, attempt: int = 1, secret: str = "", timeout_s: float = 30.0) -> Launched:
    command = Command((what,), driver="redfish", address=address, secret=secret, timeout_s=timeout_s)
    return asyncio.run(Redfish(NOWHERE).carry_out(Order("host", "start", command, attempt)))


def power(address: str) -> str:
    found: str = httpx.get(address, trust_env=False).json()["PowerState"]
    return found


def test_a_host_is_switched_on_and_the_power_has_followed_when_it_is_said(systems: str) -> None:
    address = f"{systems}/{uuid.UUID(int=1)}"
    assert power(address) == "Off"
    came = reset(address, "On")
    assert (came.ok, came.detail) == (True, "On done at 127.0.0.1")
    assert power(address) == "On"
    assert reset(address, "On").detail == "its power is On already"
    off = reset(address, "GracefulShutdown")
    assert (off.ok, power(address)) == (True, "Off")


def test_a_host_that_is_on_and_does_not_come_up_gets_a_cold_boot_at_the_second_try(systems: str) -> None:
    address = f"{systems}/{uuid.UUID(int=2)}"
    reset(address, "On")
    came = reset(address, "On", attempt=2)
    assert (came.ok, came.detail) == (True, "cold boot: ForceOff and On done at 127.0.0.1")
    assert power(address) == "On"


def test_a_restart_is_waited_for_until_the_power_is_back(systems: str) -> None:
    address = f"{systems}/{uuid.UUID(int=3)}"
    reset(address, "On")
    assert reset(address, "ForceRestart").ok
    assert power(address) == "On"


def test_what_a_host_does_not_offer_is_not_sent(systems: str) -> None:
    address = f"{systems}/{uuid.UUID(int=1)}"
    came = reset(address, "Suspend")
    assert not came.ok
    assert came.detail.startswith("127.0.0.1 does not offer the reset Suspend; it offers ")
    assert came.detail.endswith("; nothing was sent")
    command = Command(("Suspend",), driver="redfish", address=address)
    assert asyncio.run(Redfish(NOWHERE).flaws(command)) == [came.detail]


def test_a_host_that_is_not_there_and_a_controller_that_is_away_are_named(systems: str) -> None:
    assert "answered 404" in reset(f"{systems}/{uuid.UUID(int=99)}", "On").detail
    assert "describes no system with a reset" in reset(systems, "On").detail
    assert "the controller 127.0.0.1 cannot be asked" in reset("http://127.0.0.1:1/redfish/v1/Systems/1", "On").detail


def test_a_password_does_not_travel_in_the_clear_nor_from_an_open_file(systems: str, tmp_path: Path) -> None:
    assert "would travel in the clear; nothing was sent" in reset("http://192.0.2.1/redfish/v1/Systems/1", "On").detail
    secret = tmp_path / "bmc"
    secret.write_text("releve:secret\n", "utf-8")
    secret.chmod(0o640)
    address = f"{systems}/{uuid.UUID(int=1)}"
    assert "mode 0640, expected 0600" in reset(address, "On", secret=str(secret)).detail
    secret.chmod(0o600)
    secret.write_text("secret only\n", "utf-8")
    came = reset(address, "On", secret=str(secret))
    assert came.detail.endswith("has to be one line, user:password")
    assert "secret only" not in came.detail


def test_a_controller_signed_in_the_house_gets_the_password_and_no_other_does(tmp_path: Path) -> None:
    bcrypt = pytest.importorskip("bcrypt")
    certificate, key = _house_certificate(tmp_path)
    (tmp_path / "users").write_text(f"releve:{bcrypt.hashpw(b'a good one', bcrypt.gensalt(4)).decode()}\n", "utf-8")
    secret = tmp_path / "controllers" / "bmc"
    secret.parent.mkdir()
    secret.write_text("releve:a good one\n", "utf-8")
    secret.chmod(0o600)
    more = (
        f"SUSHY_EMULATOR_SSL_CERT = {str(certificate)!r}\nSUSHY_EMULATOR_SSL_KEY = {str(key)!r}\n"
        f"SUSHY_EMULATOR_AUTH_FILE = {str(tmp_path / 'users')!r}\n"
    )
    with emulator(tmp_path, "https", more) as systems:
        address = f"{systems}/{uuid.UUID(int=1)}"
        stranger = reset(address, "On", secret=str(secret))
        (secret.parent / AUTHORITY).write_bytes(certificate.read_bytes())
        done = reset(address, "On", secret=str(secret))
        again = reset(address, "On", secret=str(secret))
        secret.write_text("releve:a bad one\n", "utf-8")
        refused = reset(address, "GracefulShutdown", secret=str(secret))
    assert (stranger.ok, "CERTIFICATE_VERIFY_FAILED" in stranger.detail) == (False, True)
    assert (done.ok, done.detail) == (True, "On done at 127.0.0.1")
    assert again.detail == "its power is On already"
    assert (refused.ok, refused.detail) == (False, "the controller 127.0.0.1 does not accept our password (401)")


def _house_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for 127.0.0.1 that nobody outside the house has signed, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "controller.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    (folder / "controller.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "controller.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "controller.crt", folder / "controller.key"
