"""Programs on other hosts, by SSH: the host is known, the key is ours, and the host itself allows only its own list.

No password, no agent, no settings of the person at the console: what works in a drill works at night under another
account. The host's key must stand in `known_hosts` beside our key. At the other end a forced command (`allowed`) lets
through only what the estate names for that host; what it refuses ends with 126.
"""

from __future__ import annotations

import asyncio
import shlex
from urllib.parse import urlsplit

import asyncssh

from releve.estate import Command, Estate
from releve.recovery.driver.allowed import REFUSED
from releve.recovery.driver.order import Launched, Order
from releve.recovery.driver.secret import Unusable, secret_path

#: Where the keys of the hosts stand, beside our own key.
KNOWN_HOSTS = "known_hosts"

#: A host that does not even say hello within this is away, however long its command may take.
HELLO_S_MAX = 20.0

#: What is kept of a failing program's words.
WORDS_BYTES_MAX = 4096


class Ssh:
    """Runs programs on other hosts."""

    def __init__(self, estate: Estate) -> None:
        pass

    async def carry_out(self, order: Order) -> Launched:
        """Run a program on its host to its end, or give up when its time is over."""
        command = order.command
        host = urlsplit(command.address).hostname or ""
        try:
            async with asyncio.timeout(command.timeout_s):
                connection = await self._connected(command)
                async with connection:
                    launched = await _run(connection, command, host)
        except TimeoutError:
            return Launched(False, f"{command.argv[0]} on {host} did not end within {command.timeout_s:g} s")
        except Unusable as error:
            return Launched(False, str(error))
        except (OSError, asyncssh.Error) as error:
            return Launched(False, _sentence(host, error))
        return launched

    def words(self, command: Command) -> str:
        """Return the words as the host gets them."""
        return f"on {command.address}: {shlex.join(command.argv)}"

    async def flaws(self, command: Command) -> list[str]:
        """Return what keeps us from signing in; where nothing does, whether the host refuses what it should."""
        host = urlsplit(command.address).hostname or ""
        try:
            async with asyncio.timeout(HELLO_S_MAX):
                async with await self._connected(command) as connection:
                    # A word that no list names: a host that lets it through would let anything through.
                    asked = await connection.run("releve-allow-list-check", check=False)
        except TimeoutError:
            return [f"{host} did not answer within {HELLO_S_MAX:g} s"]
        except Unusable as error:
            return [str(error)]
        except (OSError, asyncssh.Error) as error:
            return [_sentence(host, error)]
        if asked.exit_status != REFUSED:
            return [
                f"{host} does not refuse what its list should not name (ended with {asked.exit_status}, expected "
                f"{REFUSED}): put the forced command of `releve allow` into its authorized_keys"
            ]
        return []

    async def _connected(self, command: Command) -> asyncssh.SSHClientConnection:
        address = urlsplit(command.address)
        if not command.secret:
            raise Unusable(f"no key_file is named for {address.hostname}; nothing was sent")
        key = secret_path(command.secret)
        known = key.with_name(KNOWN_HOSTS)
        if not known.is_file():
            raise Unusable(
                f"{known} is not there, so {address.hostname} cannot be told from somebody else; nothing was sent: "
                f"ssh-keyscan the host, compare the fingerprint at its console, write the line there"
            )
        return await asyncssh.connect(
            address.hostname or "",
            address.port or 22,
            username=address.username or "releve",
            known_hosts=str(known),
            client_keys=[str(key)],
            config=None,
            agent_path=None,
            password=None,
            preferred_auth="publickey",
            connect_timeout=HELLO_S_MAX,
            login_timeout=HELLO_S_MAX,
        )


async def _run(connection: asyncssh.SSHClientConnection, command: Command, host: str) -> Launched:
    program = f"{command.argv[0]} on {host}"
    async with connection.create_process(
        shlex.join(command.argv), stdin=asyncssh.DEVNULL, stderr=asyncssh.STDOUT, encoding=None
    ) as process:
        said = b""
        while data := await process.stdout.read(WORDS_BYTES_MAX):
            said = (said + data)[-WORDS_BYTES_MAX:]
        await process.wait(check=False)
    last = said.strip().rpartition(b"\n")[2].decode("utf-8", "replace")[:160]
    said_last = f": {last}" if last else ""
    if process.exit_status == 0:
        return Launched(True, f"{program} ended with 0")
    if process.exit_status == REFUSED:
        return Launched(False, f"{host} refused: its list does not name this command{said_last}")
    if process.exit_status is None:
        return Launched(False, f"the line to {host} was lost before {command.argv[0]} ended{said_last}")
    return Launched(False, f"{program} ended with {process.exit_status}{said_last}")


def _sentence(host: str, error: Exception) -> str:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            f"{host} has another key than {KNOWN_HOSTS} says: it was rebuilt, or it is somebody else; nothing was "
            "sent. Compare its fingerprint at its console before you change the file"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return f"{host} does not accept our key: put its public half into the authorized_keys there"
    if isinstance(error, asyncssh.KeyImportError):
        return f"our key for {host} cannot be read: {error}"
    return (
        f"{host} cannot be reached by SSH: {error.strerror if isinstance(error, OSError) and error.strerror else error}"
    )
