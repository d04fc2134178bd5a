"""SSH against real servers whose forced command is the script that `releve allow` prints: asyncssh's, and OpenSSH."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from releve.estate import Command, Estate, load
from releve.recovery.driver import Carrier, Launched, Order
from releve.recovery.driver.allowed import REFUSED, SCRIPT, allowed_commands, authorized_line, forced_command

pytestmark = pytest.mark.peer

Server = Callable[..., AbstractAsyncContextManager["Host"]]
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

WORDS = ("printf", "%s", "two words; $HOME 'quoted' *")


@dataclass
class Host:
    """A host: its server's port, and the estate that stands on it."""

    port: int
    folder: Path
    server_key: asyncssh.SSHKey
    account: str = "releve"

    def command(self, *argv: str, timeout_s: float = 20.0, key: str = "id") -> Command:
        address = f"ssh://{self.account}@127.0.0.1:{self.port}"
        return Command(argv, driver="ssh", address=address, secret=str(self.folder / key), timeout_s=timeout_s)

    def estate(self, command: Command) -> Estate:
        words = ", ".join(f'"{word}"' for word in command.argv)
        text = (
            f'[[unit]]\nid = "db"\nstart = {{ssh = "{command.address}", command = [{words}], '
            f'key_file = "{command.secret}", timeout_s = {command.timeout_s}}}\n'
        )
        (self.folder / "estate.toml").write_text(text, "utf-8")
        return load(self.folder / "estate.toml")

    async def started(self, command: Command) -> Launched:
        estate = self.estate(command)
        start = estate.units["db"].start
        assert start is not None
        return await Carrier(estate)(Order("db", "start", start))

    async def flaws(self, command: Command) -> list[str]:
        return await Carrier(self.estate(command)).flaws(command)

    def knows(self, key: asyncssh.SSHKey) -> None:
        line = f"[127.0.0.1]:{self.port} {key.export_public_key().decode()}"
        (self.folder / "known_hosts").write_text(line, "utf-8")


def _keys(folder: Path, allowed: tuple[str, ...]) -> tuple[asyncssh.SSHKey, asyncssh.SSHKey, Path]:
    """Return our key, which lies in the folder, a server's key, and the script of what is allowed."""
    key, server_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    for name, one in (("id", key), ("host_key", server_key)):
        one.write_private_key(folder / name)
        (folder / name).chmod(0o600)
    script = folder / "allowed.sh"
    script.write_text(forced_command(allowed), "utf-8")
    script.chmod(0o755)
    return key, server_key, script


@asynccontextmanager
async def openssh(folder: Path, *allowed: str, forced: bool = True) -> AsyncIterator[Host]:
    """Run OpenSSH's own server for the account that runs the tests, with the line that `releve allow` prints."""
    server, made = _start_sshd(folder, allowed, forced)
    try:
        await _listens(made.port, server)
        made.knows(made.server_key)
        yield made
    finally:
        server.terminate()
        server.wait(10)


def _start_sshd(folder: Path, allowed: tuple[str, ...], forced: bool) -> tuple[subprocess.Popen[bytes], Host]:
    if SSHD is None:
        pytest.skip("sshd is not installed here: apt install openssh-server")
    key, server_key, script = _keys(folder, allowed)
    public = key.export_public_key().decode()
    line = authorized_line(public).replace(SCRIPT, str(script)) if forced else public
    (folder / "authorized_keys").write_text(line + "\n", "utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in before anybody has signed in
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = folder / "sshd_config"
    settings.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n",
        "utf-8",
    )
    with (folder / "sshd.log").open("wb") as words:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", settings], stdin=subprocess.DEVNULL, stderr=words)
    return server, Host(port, folder, server_key, getpass.getuser())


async def _listens(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server takes connections."""
    async with asyncio.timeout(20):
        while True:
            assert server.poll() is None, "sshd ended at once"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


@asynccontextmanager
async def host(folder: Path, *allowed: str, forced: bool = True) -> AsyncIterator[Host]:
    """Run a server that lets one key run the script of what is allowed, as sshd does with a forced command."""
    key, server_key, script = _keys(folder, allowed)

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        argv = [str(script)] if forced else ["sh", "-c", process.command or ""]
        ran = await asyncio.to_thread(
            subprocess.run,
            argv,
            env={**os.environ, "SSH_ORIGINAL_COMMAND": process.command or ""},
            capture_output=True,
            check=False,
        )
        process.stdout.write(ran.stdout)
        process.stderr.write(ran.stderr)
        process.exit(ran.returncode)

    authorized = folder / "authorized_keys"
    authorized.write_bytes(key.export_public_key())
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[server_key],
        authorized_client_keys=str(authorized),
        process_factory=serve,
        encoding=None,
    )
    async with server:
        made = Host(server.sockets[0].getsockname()[1], folder, server_key)
        made.knows(server_key)
        yield made


SERVERS = pytest.mark.parametrize("host", [host, openssh])


@SERVERS
def test_a_host_runs_what_its_list_names_word_by_word(tmp_path: Path, host: Server) -> None:
    touched = tmp_path / "touched by db"

    async def story() -> tuple[Launched, Launched, list[str]]:
        async with host(tmp_path, f"touch '{touched}'", "false") as one:
            done = await one.started(one.command("touch", str(touched)))
            return done, await one.started(one.command("false")), await one.flaws(one.command("false"))

    done, failed, flaws = asyncio.run(story())
    assert (done.ok, done.detail) == (True, "touch on 127.0.0.1 ended with 0")
    assert touched.exists()
    assert (failed.ok, failed.detail) == (False, "false on 127.0.0.1 ended with 1")
    assert flaws == []


@SERVERS
def test_what_the_list_does_not_name_is_refused_and_known_as_refused(tmp_path: Path, host: Server) -> None:
    touched = tmp_path / "touched"

    async def story() -> list[Launched]:
        async with host(tmp_path, "true") as one:
            asked = [("touch", str(touched)), ("true", ";", "touch", str(touched)), ("true; touch", str(touched))]
            return [await one.started(one.command(*argv)) for argv in asked]

    for came in asyncio.run(story()):
        assert came.detail == "127.0.0.1 refused: its list does not name this command: not on the list of this host"
    assert not touched.exists()


@SERVERS
def test_a_host_that_lets_everything_through_is_found_by_the_dry_run(tmp_path: Path, host: Server) -> None:
    async def story() -> list[str]:
        async with host(tmp_path, forced=False) as one:
            return await one.flaws(one.command("true"))

    (flaw,) = asyncio.run(story())
    assert "does not refuse what its list should not name" in flaw


@SERVERS
def test_a_host_with_another_key_gets_nothing(tmp_path: Path, host: Server) -> None:
    async def story() -> tuple[Launched, Launched]:
        async with host(tmp_path, "true") as one:
            one.knows(asyncssh.generate_private_key("ssh-ed25519"))
            changed = await one.started(one.command("true"))
            (tmp_path / "known_hosts").unlink()
            return changed, await one.started(one.command("true"))

    changed, unknown = asyncio.run(story())
    assert "has another key than known_hosts says" in changed.detail
    assert "cannot be told from somebody else; nothing was sent" in unknown.detail


@SERVERS
def test_a_key_that_is_not_let_in_or_lies_open_is_named(tmp_path: Path, host: Server) -> None:
    async def story() -> tuple[Launched, Launched, Launched]:
        async with host(tmp_path, "true") as one:
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
            (tmp_path / "other").chmod(0o600)
            stranger = await one.started(one.command("true", key="other"))
            (tmp_path / "id").chmod(0o644)
            lies_open = await one.started(one.command("true"))
            return stranger, lies_open, await one.started(one.command("true", key="nowhere"))

    stranger, lies_open, missing = asyncio.run(story())
    assert stranger.detail == "127.0.0.1 does not accept our key: put its public half into the authorized_keys there"
    assert "may be read by others (mode 0644, expected 0600); it was not used" in lies_open.detail
    assert "cannot be read: No such file or directory" in missing.detail


@SERVERS
def test_a_command_that_does_not_end_is_given_up(tmp_path: Path, host: Server) -> None:
    async def story() -> Launched:
        async with host(tmp_path, "sleep 2") as one:
            return await one.started(one.command("sleep", "2", timeout_s=0.5))

    assert asyncio.run(story()).detail == "sleep on 127.0.0.1 did not end within 0.5 s"


def test_a_host_that_is_away_is_named(tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "id")
    (tmp_path / "id").chmod(0o600)
    away = Host(1, tmp_path, asyncssh.generate_private_key("ssh-ed25519"))
    away.knows(away.server_key)
    came = asyncio.run(away.started(away.command("true")))
    assert came.detail.startswith("127.0.0.1 cannot be reached by SSH: ")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a POSIX shell")
def test_the_script_survives_any_words(tmp_path: Path) -> None:
    script = tmp_path / "allowed.sh"
    (tmp_path / "estate.toml").write_text(
        f'[[unit]]\nid = "db"\nstart = {{ssh = "ssh://h", command = ["{WORDS[0]}", "{WORDS[1]}", "{WORDS[2]}"], '
        'key_file = "id"}\n',
        "utf-8",
    )
    (command,) = allowed_commands(load(tmp_path / "estate.toml"), "h")
    script.write_text(forced_command((command,)), "utf-8")

    def asked(words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SSH_ORIGINAL_COMMAND": words}
        return subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, check=False)

    assert asked(command).stdout == WORDS[2]
    for other in ("", command + " ", command.upper(), "printf %s *", "*"):
        assert asked(other).returncode == REFUSED, other


def test_the_line_of_authorized_keys_forbids_everything_else() -> None:
    line = authorized_line("ssh-ed25519 AAAA releve\n")
    assert line == 'command="/usr/local/sbin/releve-allowed",restrict ssh-ed25519 AAAA releve'
