"""The probes against servers that nobody here wrote: well, frozen in the middle (SIGSTOP), and gone."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

from releve.recovery.probe import Reading, probe, snmp

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
    reading = answers(url, server, until=lambda reading: reading.ok)
    assert reading.ok, f"{reading}; its program ended with {server.poll()}"
    return reading


def answers(
    url: str, server: subprocess.Popen[bytes], until: Callable[[Reading], bool] = lambda reading: reading.is_running
) -> Reading:
    """Ask until the reading is as wanted, or the time is over, or the program has ended."""
    deadline = time.monotonic() + UP_WITHIN_S
    while True:
        reading = asked(url, timeout_s=1.0)
        if until(reading) or time.monotonic() > deadline or server.poll() is not None:
            return reading
        # A little time passes, unless the program ends first.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=0.05)


Start = Callable[..., subprocess.Popen[bytes]]


Given = Callable[[str], tuple[str | None, Path]]


@pytest.fixture
def given_to() -> Iterator[Given]:
    """Return the account that a server runs as, where the tests are root's and it must not be, and a folder of its.

    The folder is beside those of pytest, which no other account may enter.
    """
    made: list[Path] = []

    def given(account: str) -> tuple[str | None, Path]:
        folder = Path(tempfile.mkdtemp(prefix="releve-peer-"))
        made.append(folder)
        if os.geteuid() != 0:
            return None, folder
        owner = pwd.getpwnam(account)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        return account, folder

    yield given
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)  # a killed PostgreSQL has children that outlive it for a moment


@pytest.fixture
def start(tmp_path: Path, given_to: Given) -> Iterator[Start]:
    """Start a program in a session of its own; it is ended with its children at the end of the test.

    given_to is named only so that folders are taken away after those who write into them.
    """
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
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)  # a thread of it may still be answering till then
    frozen = asked(url, timeout_s=1.0)
    over_udp = url.startswith(("dns:", "sip:", "ntp:", "snmp:"))  # a datagram is not seen to be accepted
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
def test_postgresql_answers_by_every_log_in(method: str, start: Start, given_to: Given, tmp_path: Path) -> None:
    if not DEBIAN_POSTGRESQL:
        pytest.skip("postgresql is not installed here; apt-get install postgresql brings it (see tests/peers.sh)")
    binaries, port = DEBIAN_POSTGRESQL[-1].parent, free_port()
    user, folder = given_to("postgres")
    secret = folder / "secret"
    secret.write_text("geheim\n", "utf-8")
    secret.chmod(0o644)
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


def test_pynetdicom_answers_c_echo() -> None:
    peer = AE("ARCHIVE")
    peer.add_supported_context(Verification)
    peer.require_called_aet = True
    refusing = AE("EMPTY")
    refusing.add_supported_context(CTImageStorage)
    server = peer.start_server(("127.0.0.1", 0), block=False)
    other = refusing.start_server(("127.0.0.1", 0), block=False)
    try:
        at, beside = (f"dicom://127.0.0.1:{one.server_address[1]}" for one in (server, other))
        well = asked(f"{at}/ARCHIVE?calling=RELEVE")
        stranger = asked(f"{at}/SOMEBODY")
        without = asked(beside)
    finally:
        server.shutdown()
        other.shutdown()
    assert (well.state, well.detail) == ("up", "it accepts an association and answers C-ECHO")
    assert (stranger.state, "called AE title" in stranger.detail) == ("wrong", True)
    assert (without.state, "no C-ECHO" in without.detail) == ("wrong", True)


def test_asyncssh_greets_and_begins_the_key_exchange() -> None:
    async def both() -> Reading:
        server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")])
        async with server:
            return await probe(f"ssh://127.0.0.1:{server.sockets[0].getsockname()[1]}", 5.0)

    reading = asyncio.run(both())
    assert (reading.state, "AsyncSSH" in reading.detail) == ("up", True)


def test_sushys_emulator_tells_power_and_health(start: Start, tmp_path: Path) -> None:
    emulator, port = program("sushy-emulator", str(Path(sys.executable).parent / "sushy-emulator")), free_port()
    one = str(uuid.UUID(int=1))
    (tmp_path / "emulator.conf").write_text(
        f"SUSHY_EMULATOR_FAKE_DRIVER = True\nSUSHY_EMULATOR_STATE_DIR = {str(tmp_path)!r}\n"
        f"SUSHY_EMULATOR_FAKE_SYSTEMS = [{{'uuid': {one!r}, 'name': 'host-1', 'power_state': 'Off',"
        " 'nics': [{'mac': '00:5c:52:31:3a:9c', 'ip': '192.0.2.1'}]}]\n",
        "utf-8",
    )
    server = start(emulator, "--fake", "-i", "127.0.0.1", "-p", str(port), "--config", str(tmp_path / "emulator.conf"))
    root = f"redfish://127.0.0.1:{port}/redfish/v1/Systems"
    deadline = time.monotonic() + UP_WITHIN_S
    while (off := asked(f"{root}/{one}?tls=0")).state == "refused" and time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=0.05)
    assert (off.state, off.detail) == ("wrong", "its power is Off")
    assert "no PowerState" in asked(f"{root}?tls=0").detail, "a list of systems is not a system"
    reset = urllib.request.Request(
        f"http://127.0.0.1:{port}/redfish/v1/Systems/{one}/Actions/ComputerSystem.Reset",
        b'{"ResetType": "On"}',
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(reset, timeout=10).close()
    on = becomes_up(f"{root}/{one}?tls=0", server)
    assert on.detail == "its power is On and its health OK"


def a_ups(folder: Path, port: int, *values: int) -> None:
    """Write the configuration of an agent that gives these values of the UPS-MIB."""
    given = (f"override -rw .{name} integer {value}" for name, value in zip(snmp.ASKED, values, strict=True))
    lines = (f"agentAddress udp:127.0.0.1:{port}", "rocommunity hospital 127.0.0.1", *given)
    (folder / "snmpd.conf").write_text("\n".join(lines) + "\n", "utf-8")


def test_snmpd_tells_line_power_from_battery_by_the_mib_of_ups(start: Start, tmp_path: Path) -> None:
    snmpd, port = program("snmpd", "/usr/sbin/snmpd"), free_port(socket.SOCK_DGRAM)
    places = {"SNMPCONFPATH": str(tmp_path), "SNMP_PERSISTENT_DIR": str(tmp_path / "kept"), "MIBS": ""}
    a_ups(tmp_path, port, 2, 0, 14, 97, 3)
    agent = start(snmpd, "-f", "-Lo", "-I", "-smux", env=places)
    url = f"snmp://127.0.0.1:{port}?community=hospital"
    assert becomes_up(url, agent).detail == "on line power"
    assert asked(url + "&version=1").ok
    stranger = asked(f"snmp://127.0.0.1:{port}?community=other", 0.5)
    assert stranger.state == "silent", "an agent says nothing to a community it does not know"
    is_well_frozen_and_gone(url, agent)
    a_ups(tmp_path, port, 3, 61, 4, 22, 5)
    agent = start(snmpd, "-f", "-Lo", "-I", "-smux", env=places)
    battery = answers(url, agent)
    assert (battery.state, battery.detail) == ("battery", "on battery for 61 s, 4 min left, 22 %, which is low")


def test_dovecot_logs_in_and_opens_the_inbox(start: Start, given_to: Given) -> None:
    dovecot, port = program("dovecot", "/usr/sbin/dovecot"), free_port()
    user, folder = given_to("dovenull")
    me = user or pwd.getpwuid(os.geteuid()).pw_name
    mine = grp.getgrgid(pwd.getpwnam(me).pw_gid).gr_name
    (folder / "users").write_text("probe:{PLAIN}geheim\n", "utf-8")
    # Without its penalties: they would make every log-in after the wrong one slow.
    (folder / "dovecot.conf").write_text(
        f"""
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
default_internal_user = {me}
default_internal_group = {mine}
default_login_user = {me}
first_valid_uid = 1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{folder}/mail
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={me} gid={mine} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
""",
        "utf-8",
    )
    server = start(dovecot, "-F", "-c", str(folder / "dovecot.conf"), user=user)
    secret = folder / "secret"
    secret.write_text("geheim\n", "utf-8")
    url = f"imap://probe@127.0.0.1:{port}?tls=0&password_file={secret}"
    assert becomes_up(url, server).detail == "it logs in and opens INBOX"
    without = asked(f"imap://127.0.0.1:{port}?tls=0")
    assert (without.state, "no mailbox was opened" in without.detail) == ("up", True)
    wrong = asked(f"imap://probe:falsch@127.0.0.1:{port}?tls=0")
    assert (wrong.state, "AUTHENTICATIONFAILED" in wrong.detail) == ("wrong", True)
    assert "falsch" not in wrong.detail
    is_well_frozen_and_gone(url, server)


def test_chronyd_is_synchronised_or_says_that_it_is_not(start: Start, tmp_path: Path) -> None:
    chronyd, port = program("chronyd", "/usr/sbin/chronyd"), free_port(socket.SOCK_DGRAM)
    me = pwd.getpwuid(os.geteuid()).pw_name
    lines = (f"port {port}", "bindaddress 127.0.0.1", "allow 127.0.0.1", "cmdport 0", "bindcmdaddress /")
    conf = tmp_path / "chrony.conf"
    conf.write_text("\n".join((*lines, f"pidfile {tmp_path}/pid", "")), "utf-8")
    # -x: no clock is touched. -U: nobody need be root for that.
    argv = (chronyd, "-d", "-x", "-U", "-u", me, "-f", str(conf))
    url = f"ntp://127.0.0.1:{port}"
    alone = start(*argv)
    unsure = answers(url, alone)
    assert (unsure.state, "not synchronised" in unsure.detail) == ("starting", True)
    os.killpg(alone.pid, signal.SIGKILL)
    alone.wait()
    (tmp_path / "pid").unlink(missing_ok=True)
    conf.write_text("\n".join((*lines, f"pidfile {tmp_path}/pid", "local stratum 8", "")), "utf-8")
    server = start(*argv)
    assert becomes_up(url, server).detail.startswith("stratum 8, its clock and ours differ by 0.0")
    is_well_frozen_and_gone(url, server)


@pytest.mark.parametrize(
    ("days", "state", "says"), [(90, "up", "90 more days"), (3, "weak", "3 more days"), (-1, "wrong", "ran out on")]
)
def test_the_certificate_of_a_tls_server_is_read(days: int, state: str, says: str, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path, days))

    async def both() -> Reading:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            return await probe(f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}", 5.0)

    reading = asyncio.run(both())
    assert (reading.state, says in reading.detail) == (state, True)


def test_a_password_goes_only_to_a_server_whose_certificate_is_trusted(tmp_path: Path) -> None:
    pem = self_signed(tmp_path, 90)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    heard: list[bytes] = []

    async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"+OK\r\n", b"+PONG\r\n"):
            heard.append(await reader.read(200))
            writer.write(answer)
        writer.close()

    async def both() -> list[Reading]:
        server = await asyncio.start_server(pong, "127.0.0.1", 0, ssl=context)
        async with server:
            at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=1"
            return [await probe(f"redis://:secret@{at}", 5.0), await probe(f"redis://:secret@{at}&ca={pem}", 5.0)]

    stranger, known = asyncio.run(both())
    assert (stranger.state, "no password was sent" in stranger.detail) == ("unasked", True)
    assert known.ok
    assert sum(b"secret" in words for words in heard) == 1


def self_signed(folder: Path, days: int) -> Path:
    """Return a PEM file with a key and its certificate, which ends so many days (and an hour) from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "probe.example")])
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(end - timedelta(days=365)).not_valid_after(end)
    pem = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(secret + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return pem
