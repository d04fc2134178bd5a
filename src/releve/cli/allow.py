"""releve allow FILE HOST: the list of what a host lets Relève do over SSH, as a script for its authorized_keys."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from releve.errors import Refused, WrongUse
from releve.estate import load
from releve.recovery.driver.allowed import SCRIPT, allowed_commands, authorized_line, forced_command


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file")
    parser.add_argument("host", metavar="HOST", help="as it stands behind ssh:// in the estate")
    parser.add_argument("--key", type=Path, metavar="FILE", help="our public key: print the line for authorized_keys")


def run(options: argparse.Namespace) -> int:
    commands = allowed_commands(load(options.file), options.host)
    if not commands:
        raise Refused("allow.none", f"the estate names no command for {options.host}: there is nothing to allow")
    if options.key is not None:
        try:
            key = options.key.read_text("utf-8")
        except OSError as error:
            raise WrongUse("allow.key", f"{options.key} cannot be read: {error.strerror}") from error
        if not key.startswith(("ssh-", "ecdsa-", "sk-")):
            raise WrongUse("allow.key", f"{options.key} is no public key (expected ssh-ed25519 …); nothing was printed")
        print(authorized_line(key))
        return 0
    print(forced_command(commands), end="")
    print(f"{len(commands)} commands. Put this at {SCRIPT} on {options.host}, mode 0755, owner root.", file=sys.stderr)
    return 0
