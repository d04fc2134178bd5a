"""Playbooks, run by ansible-playbook as a program: one call for all units that want the same one at the same time.

A call takes seconds before it does anything. So units that became eligible together and name the same playbook, each
with a `--limit` of its own, go in one call, limited to the hosts of all of them; the recap says what became of each.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from releve.estate import Command, Estate
from releve.recovery.driver.local import Ended, run_to_end
from releve.recovery.driver.order import Launched, Order
from releve.recovery.driver.secret import Unusable, secret_path

#: Who comes within this time goes along: the readings of units that became eligible together end about then.
GATHER_S = 0.3

#: So many hosts in one call; a command line has its limits.
HOSTS_MAX = 200

#: The end of what it says: the recap has a line for each host.
WORDS_BYTES_MAX = 256 * 1024

_LIMIT = "--limit"
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=\d+\s+unreachable=(\d+)\s+failed=(\d+)", re.M)

# Playbook and arguments without their limit, and the key file: what has to be the same to go together.
_Alike = tuple[tuple[str, ...], str]


@dataclass
class _Call:
    """One call: who goes along, and how it ended."""

    ended: asyncio.Future[Ended]
    orders: list[Order] = field(default_factory=list)


class Ansible:
    """Runs playbooks."""

    def __init__(self, estate: Estate) -> None:
        self._gathering: dict[_Alike, _Call] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def carry_out(self, order: Order) -> Launched:
        """Go along with a call that gathers, or begin one; return what became of this unit's host."""
        argv, host = _parted(order.command.argv)
        alike = (argv, order.command.secret)
        call = self._gathering.get(alike) if host else None
        if call is None or len(call.orders) >= HOSTS_MAX:
            call = _Call(asyncio.get_running_loop().create_future())
            if host:
                self._gathering[alike] = call
            task = asyncio.ensure_future(self._run(alike, call, gathers=bool(host)))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        call.orders.append(order)
        # Shielded: one unit that is skipped meanwhile must not end the call for the others.
        return _of_host(Path(argv[0]).name, host, await asyncio.shield(call.ended))

    def words(self, command: Command) -> str:
        """Return the words of the call, as it is when this unit goes alone."""
        argv, host = _parted(command.argv)
        key = ["--private-key", command.secret] if command.secret else []
        return shlex.join(["ansible-playbook", *argv, *key, *([_LIMIT, host] if host else [])])

    async def flaws(self, command: Command) -> list[str]:
        """Return that the program, the playbook or the key is not there."""
        flaws = []
        if _program() is None:
            flaws.append("ansible-playbook is not on this machine")
        if not os.access(command.argv[0], os.R_OK):
            flaws.append(f"the playbook {command.argv[0]} is not there")
        if command.secret:
            try:
                secret_path(command.secret)
            except Unusable as error:
                flaws.append(str(error))
        return flaws

    async def _run(self, alike: _Alike, call: _Call, *, gathers: bool) -> None:
        if gathers:
            await asyncio.sleep(GATHER_S)
            if self._gathering.get(alike) is call:
                del self._gathering[alike]

        def began(process: str) -> None:
            for order in call.orders:
                order.began(process)

        hosts = list(dict.fromkeys(host for order in call.orders if (host := _parted(order.command.argv)[1])))
        try:
            argv, folder = _call_words(alike, hosts)
            ended = await run_to_end(
                argv,
                max(order.command.timeout_s for order in call.orders),
                began,
                environment={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_RETRY_FILES_ENABLED": "0"},
                folder=folder,
                words_bytes_max=WORDS_BYTES_MAX,
            )
        except Unusable as error:
            ended = Ended(None, str(error))
        except Exception as error:  # noqa: BLE001 - top of a task: whoever waits for the call must hear of it
            ended = Ended(None, f"ansible-playbook could not be run: {error!r}")
        call.ended.set_result(ended)


def _parted(argv: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the words without their limit, and the one host it names; "" when it names none or more."""
    if _LIMIT not in argv[:-1]:
        return argv, ""
    place = argv.index(_LIMIT)
    host = argv[place + 1]
    if not re.fullmatch(r"[\w.-]+", host):
        return argv, ""  # a pattern: it goes as it is, alone
    return argv[:place] + argv[place + 2 :], host


def _call_words(alike: _Alike, hosts: list[str]) -> tuple[list[str], Path]:
    """Return the words of a call and the folder it runs in: an inventory is looked for beside the playbook."""
    (name, *arguments), secret = alike
    playbook = Path(name).resolve()
    key = ["--private-key", str(secret_path(secret).resolve())] if secret else []
    limit = [_LIMIT, ",".join(hosts)] if hosts else []
    return [_program() or "ansible-playbook", str(playbook), *arguments, *key, *limit], playbook.parent


def _of_host(playbook: str, host: str, ended: Ended) -> Launched:
    """Return what became of one host: others may have failed in the same call."""
    if not host or ended.code is None:
        return Launched(ended.code == 0, ended.detail)
    for name, ok, unreachable, failed in _RECAP.findall(ended.words.decode("utf-8", "replace")):
        if name == host:
            if unreachable != "0":
                return Launched(False, f"{playbook} could not reach {host}")
            if failed != "0":
                return Launched(False, f"{playbook} failed on {host} after {ok} tasks")
            return Launched(True, f"{playbook} did {ok} tasks on {host}")
    return Launched(False, f"{playbook} said nothing of {host}: {ended.detail}")


def _program() -> str | None:
    """Return ansible-playbook: the one beside this Python first, then the machine's."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("ansible-playbook")
