"""The probes against servers that nobody here wrote: well, frozen in the middle (SIGSTOP), and gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from releve.recovery.probe import Reading, probe

pytestmark = pytest.mark.peer

#: A real server of the distribution is up within this even on a busy machine.
UP_WITHIN_S = 40.0

DEBIAN_POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def program(name: str, *places: str) -> str:
    """Return the path of a server's program, or skip the test and say what is missing."""
    for place in (shutil.which(name), *places):
        if place and Path(place).exists():
            return place
    pytest.skip(f"{name} is not installed here; apt-get install brings it (see tests/peers.sh)")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def asked(url: str, timeout_s: float = 3.0) -> Reading:
    return asyncio.run(probe(url, timeout_s))


def becomes_up(url: str, server: subprocess.Popen[bytes]) -> Reading:
    """Ask until it is up: the probe itself is how a start is waited for."""
    deadline = time.monotonic() + UP_WITHIN_S
    while True:
        reading = asked(url, timeout_s=1.0)
        if reading.ok or time.monotonic() > deadline or server.poll() is not None:
            assert reading.ok, f"{reading}; its program ended with {server.poll()}"
            return reading
        # A little time passes, unless the program ends first.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=0.05)


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program in a session of its own; it is ended with its children at the end of the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begun(*argv: str, env: dict[str, str] | None = None, user: str | None = None) -> subprocess.Popen[bytes]:
        with (tmp_path / "said").open("ab") as said:
            running.append(
                subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                    user=user,
                    group=user,
                    extra_groups=[] if user else None,
                )
            )
        return running[-1]

    yield begun
    for server in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def is_well_frozen_and_gone(url: str, server: subprocess.Popen[bytes]) -> None:
    """The three states that count, on one server; a frozen one is found within the limit."""
    becomes_up(url, server)
    os.killpg(server.pid, signal.SIGSTOP)
    frozen = asked(url, timeout_s=1.0)
    over_udp = url.startswith(("dns:", "sip:"))  # a datagram is not seen to be accepted
    assert (frozen.state, frozen.took_s < 2.0) == ("silent" if over_udp else "frozen", True)
    os.killpg(server.pid, signal.SIGCONT)
    assert asked(url).ok, "it goes on as if nothing had been"
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    # PostgreSQL's children outlive it for a moment and hold its socket: then the connection breaks instead.
    assert asked(url, timeout_s=1.0).state in ("refused", "closed")


def test_unbound_resolves(start: Start, tmp_path: Path) -> None:
    unbound, port = program("unbound", "/usr/sbin/unbound"), free_port(socket.SOCK_DGRAM)
    (tmp_path / "unbound.conf").write_text(
        f"""
server:
  interface: 127.0.0.1@{port}
  username: ""
  chroot: ""
  directory: "{tmp_path}"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  module-config: "iterator"
  local-zone: "centre.example." static
  local-data: "record.centre.example. A 192.0.2.7"
remote-control:
  control-enable: no
""",
        "utf-8",
    )
    server = start(unbound, "-d", "-c", str(tmp_path / "unbound.conf"))
    url = f"dns://127.0.0.1:{port}?name=record.centre.example"
    becomes_up(url, server)
    unknown = asked(f"dns://127.0.0.1:{port}?name=other.centre.example")
    assert (unknown.state, "NXDOMAIN" in unknown.detail) == ("wrong", True)
    empty = asked(f"dns://127.0.0.1:{port}?name=record.centre.example&type=MX")
    assert (empty.state, "the answer is empty" in empty.detail) == ("wrong", True)
    is_well_frozen_and_gone(url, server)


def test_slapd_binds_and_returns_an_entry(start: Start, tmp_path: Path) -> None:
    slapd, port = program("slapd", "/usr/sbin/slapd"), free_port()
    (tmp_path / "db").mkdir()
    conf = tmp_path / "slapd.conf"
    conf.write_text(
        f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {tmp_path}/pid
database mdb
suffix "dc=centre"
rootdn "cn=admin,dc=centre"
rootpw geheim
directory {tmp_path}/db
""",
        "utf-8",
    )
    (tmp_path / "entry.ldif").write_text(
        "dn: dc=centre\nobjectClass: dcObject\nobjectClass: organization\no: Centre\ndc: centre\n", "utf-8"
    )
    slapadd = program("slapadd", "/usr/sbin/slapadd")
    subprocess.run(
        [slapadd, "-f", str(conf), "-l", str(tmp_path / "entry.ldif")], check=True, capture_output=True, timeout=60
    )
    server = start(slapd, "-d", "0", "-f", str(conf), "-h", f"ldap://127.0.0.1:{port}")
    url = f"ldap://127.0.0.1:{port}/dc=centre"
    becomes_up(url, server)
    assert asked(f"ldap://127.0.0.1:{port}").ok, "the root entry, which every server has"
    assert asked(f"ldap://cn=admin,dc=centre:geheim@127.0.0.1:{port}/dc=centre").ok
    refused = asked(f"ldap://cn=admin,dc=centre:falsch@127.0.0.1:{port}/dc=centre")
    assert (refused.state, "result 49" in refused.detail) == ("wrong", True)
    absent = asked(f"ldap://127.0.0.1:{port}/dc=elsewhere")
    assert (absent.state, "result 32" in absent.detail) == ("wrong", True)
    is_well_frozen_and_gone(url, server)


@pytest.mark.parametrize("method", ["trust", "scram-sha-256", "md5", "password"])
def test_postgresql_answers_by_every_log_in(method: str, start: Start, tmp_path: Path) -> None:
    if not DEBIAN_POSTGRESQL:
        pytest.skip("postgresql is not installed here; apt-get install postgresql brings it (see tests/peers.sh)")
    binaries, port = DEBIAN_POSTGRESQL[-1].parent, free_port()
    user = "postgres" if os.geteuid() == 0 else None
    folder = tmp_path / "pg"
    folder.mkdir()
    secret = folder / "secret"
    secret.write_text("geheim\n", "utf-8")
    if user:
        # PostgreSQL refuses to run as root, and its user must reach the folder.
        owner = pwd.getpwnam(user)
        for path in (folder, secret):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        for parent in list(tmp_path.parents)[:3]:
            if parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
        tmp_path.chmod(0o755)
    data = folder / "data"
    # md5 needs a password that was stored as md5: initdb takes that from the method it is given.
    made = start(
        *(str(binaries / "initdb"), "-D", str(data), "-U", "probe", f"--pwfile={secret}", "-N"),
        *(f"--auth={method}", "--locale=C"),
        user=user,
    )
    assert made.wait(timeout=90) == 0, (tmp_path / "said").read_text("utf-8")
    server = start(
        *(str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"),
        *("-c", "fsync=off"),
        user=user,
    )
    url = f"postgresql://probe@127.0.0.1:{port}/postgres?password_file={secret}"
    becomes_up(url, server)
    absent = asked(f"postgresql://probe@127.0.0.1:{port}/nowhere?password_file={secret}")
    assert (absent.state, "3D000" in absent.detail) == ("wrong", True)
    if method != "trust":
        wrong = asked(f"postgresql://probe:falsch@127.0.0.1:{port}/postgres")
        assert (wrong.state, "28P01" in wrong.detail) == ("wrong", True)
    is_well_frozen_and_gone(url, server)


def test_kamailio_answers_options(start: Start, tmp_path: Path) -> None:
    kamailio, port = program("kamailio", "/usr/sbin/kamailio"), free_port(socket.SOCK_DGRAM)
    (tmp_path / "kamailio.cfg").write_text(
        f"""#!KAMAILIO
children=1
disable_tcp=yes
log_stderror=yes
listen=udp:127.0.0.1:{port}
loadmodule "sl.so"
request_route {{
    if (method == "OPTIONS") {{ sl_send_reply("200", "OK"); exit; }}
    sl_send_reply("405", "Method Not Allowed");
}}
""",
        "utf-8",
    )
    server = start(
        *(kamailio, "-DD", "-E", "-f", str(tmp_path / "kamailio.cfg"), "-Y", str(tmp_path)),
        *("-P", str(tmp_path / "pid"), "-m", "16", "-M", "4"),
    )
    is_well_frozen_and_gone(f"sip://127.0.0.1:{port}", server)


def test_upsd_tells_line_power_from_battery(start: Start, tmp_path: Path) -> None:
    upsd, driver = program("/lib/nut/upsd"), program("/lib/nut/dummy-ups")
    port = free_port()
    (tmp_path / "nut.conf").write_text("MODE=netserver\n", "utf-8")
    (tmp_path / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {port}\nMAXAGE 15\n", "utf-8")
    (tmp_path / "ups.conf").write_text(
        "[feed-a]\n  driver = dummy-ups\n  port = feed-a.dev\n  mode = dummy-once\n", "utf-8"
    )
    (tmp_path / "feed-a.dev").write_text("ups.status: OL\nbattery.charge: 100\nbattery.runtime: 900\n", "utf-8")
    (tmp_path / "upsd.users").write_text("[probe]\n  password = p\n  actions = SET\n  instcmds = ALL\n", "utf-8")
    for path in tmp_path.iterdir():
        path.chmod(0o640)
    places = {"NUT_CONFPATH": str(tmp_path), "NUT_STATEPATH": str(tmp_path), "NUT_PIDPATH": str(tmp_path)}
    me = pwd.getpwuid(os.geteuid()).pw_name
    ups = start(driver, "-F", "-a", "feed-a", "-u", me, env=places)
    server = start(upsd, "-F", "-u", me, env=places)
    url = f"nut://127.0.0.1:{port}/feed-a"
    becomes_up(url, server)
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b'USERNAME probe\nPASSWORD p\nSET VAR feed-a ups.status "OB LB"\n')
        line.recv(100)
        state = "up"
        deadline = time.monotonic() + UP_WITHIN_S
        while state == "up" and time.monotonic() < deadline:
            state = asked(url).state
    assert state == "battery"
    assert "low" in asked(url).detail
    unknown = asked(f"nut://127.0.0.1:{port}/feed-z")
    assert (unknown.state, "UNKNOWN-UPS" in unknown.detail) == ("wrong", True)
    os.killpg(ups.pid, signal.SIGKILL)
    ups.wait()
    deadline = time.monotonic() + UP_WITHIN_S
    while (lost := asked(url)).state == "battery" and time.monotonic() < deadline:
        pass
    assert lost.state == "wrong", "a dead driver is no news, and no news is not line power"


def test_aiosmtpd_answers_noop() -> None:
    mail = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    mail.start()
    try:
        reading = asked(f"smtp://127.0.0.1:{mail.port}")
    finally:
        mail.stop()
    assert (reading.state, "answers NOOP" in reading.detail) == ("up", True)


def test_the_standard_librarys_web_server_answers(start: Start, tmp_path: Path) -> None:
    (tmp_path / "well.json").write_text('{"status": "pass"}', "utf-8")
    (tmp_path / "ill.json").write_text('{"status": "down"}', "utf-8")
    port = free_port()
    server = start(
        *(sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)),
        *("--protocol", "HTTP/1.1"),
    )
    becomes_up(f"http://127.0.0.1:{port}/well.json", server)
    assert asked(f"http://127.0.0.1:{port}/ill.json").state == "wrong"
    assert "404" in asked(f"http://127.0.0.1:{port}/absent").detail
    is_well_frozen_and_gone(f"http://127.0.0.1:{port}/well.json", server)
