"""SSH against a real server whose forced command is the script that `releve allow` prints."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from releve.estate import Command, Estate, load
from releve.recovery.driver import Carrier, Launched, Order
from releve.recovery.driver.allowed import REFUSED, allowed_commands, authorized_line, forced_command

pytestmark = pytest.mark.peer

WORDS = ("printf", "%s", "two words; $HOME 'quoted' *")


@dataclass
class Host:
    """A host: its server's port, and the estate that stands on it."""

    port: int
    folder: Path
    server_key: asyncssh.SSHKey

    def command(self, *argv: str, timeout_s: float = 20.0, key: str = "id") -> Command:
        address = f"ssh://releve@127.0.0.1:{self.port}"
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


@asynccontextmanager
async def host(folder: Path, *allowed: str, forced: bool = True) -> AsyncIterator[Host]:
    """Run a server that lets one key run the script of what is allowed, as sshd does with a forced command."""
    key, server_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key.write_private_key(folder / "id")
    (folder / "id").chmod(0o600)
    script = folder / "allowed.sh"
    script.write_text(forced_command(allowed), "utf-8")
    script.chmod(0o755)

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


def test_a_host_runs_what_its_list_names_word_by_word(tmp_path: Path) -> None:
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


def test_what_the_list_does_not_name_is_refused_and_known_as_refused(tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    async def story() -> list[Launched]:
        async with host(tmp_path, "true") as one:
            asked = [("touch", str(touched)), ("true", ";", "touch", str(touched)), ("true; touch", str(touched))]
            return [await one.started(one.command(*argv)) for argv in asked]

    for came in asyncio.run(story()):
        assert came.detail == "127.0.0.1 refused: its list does not name this command: not on the list of this host"
    assert not touched.exists()


def test_a_host_that_lets_everything_through_is_found_by_the_dry_run(tmp_path: Path) -> None:
    async def story() -> list[str]:
        async with host(tmp_path, forced=False) as one:
            return await one.flaws(one.command("true"))

    (flaw,) = asyncio.run(story())
    assert "does not refuse what its list should not name" in flaw


def test_a_host_with_another_key_gets_nothing(tmp_path: Path) -> None:
    async def story() -> tuple[Launched, Launched]:
        async with host(tmp_path, "true") as one:
            one.knows(asyncssh.generate_private_key("ssh-ed25519"))
            changed = await one.started(one.command("true"))
            (tmp_path / "known_hosts").unlink()
            return changed, await one.started(one.command("true"))

    changed, unknown = asyncio.run(story())
    assert "has another key than known_hosts says" in changed.detail
    assert "cannot be told from somebody else; nothing was sent" in unknown.detail


def test_a_key_that_is_not_let_in_or_lies_open_is_named(tmp_path: Path) -> None:
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


def test_a_command_that_does_not_end_is_given_up(tmp_path: Path) -> None:
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
