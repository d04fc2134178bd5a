"""The list of what a host lets Relève do, as the forced command of its authorized_keys: exact words, nothing else.

A key that is stolen from the console can then do no more than the estate names, and cannot open a shell, a tunnel or a
file transfer.
Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT, "command" and "restrict".
"""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from releve.estate import Estate

#: How a command that is not on the list ends; POSIX has 126 for "found, but may not be run".
REFUSED = 126

#: Where the script is expected on the host.
SCRIPT = "/usr/local/sbin/releve-allowed"


def allowed_commands(estate: Estate, host: str) -> tuple[str, ...]:
    """Return every command that the estate names for a host, as the host gets it, each once."""
    return tuple(
        dict.fromkeys(
            shlex.join(command.argv)
            for unit in estate.units.values()
            for command in (unit.start, unit.stop, unit.check)
            if command is not None and command.driver == "ssh" and urlsplit(command.address).hostname == host
        )
    )


def forced_command(commands: tuple[str, ...]) -> str:
    """Return the script that a host runs instead of whatever it is asked for."""
    arms = "".join(f"  {shlex.quote(command)})\n    exec {command} ;;\n" for command in commands)
    return (
        "#!/bin/sh\n"
        "# Made from the estate: the commands that may be asked for over SSH, word by word. Anything else ends with "
        f"{REFUSED}.\n"
        'case "$SSH_ORIGINAL_COMMAND" in\n'
        f"{arms}"
        "  *)\n"
        '    echo "not on the list of this host" >&2\n'
        f"    exit {REFUSED} ;;\n"
        "esac\n"
    )


def authorized_line(public_key: str) -> str:
    """Return the line for authorized_keys: this key runs the script and nothing else."""
    return f'command="{SCRIPT}",restrict {public_key.strip()}'
