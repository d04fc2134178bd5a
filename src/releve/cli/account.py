"""releve account add DIR NAME --role ROLE: somebody who may sign in, with the centre dead too."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from releve.config import load
from releve.errors import WrongUse
from releve.screen.screen import ROLES
from releve.ward.accounts import Accounts


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("add", "password", "disable", "list"), metavar="add|password|disable|list")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the node's folder")
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="what the person types to sign in")
    parser.add_argument("--role", choices=ROLES, help="what the person may do")
    parser.add_argument("--display", default="", help="the name that stands beside what the person writes")
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, for scripts"
    )


def run(options: argparse.Namespace) -> int:
    accounts = Accounts(load(options.folder).folder)
    try:
        if options.verb == "list":
            for account in accounts.every():
                print(f"{account.name:20} {account.role:8} {account.display}")
            return 0
        if not options.name:
            raise WrongUse("account.name", f"Expected a name: releve account {options.verb} {options.folder} NAME")
        if options.verb == "disable":
            accounts.disable(options.name)
            print(f"{options.name} can no longer sign in.")
        elif options.verb == "password":
            accounts.set_password(options.name, _password(options.password_stdin))
            print(f"The password of {options.name} is changed.")
        else:
            if options.role is None:
                raise WrongUse("account.role", f"Expected --role, one of {', '.join(ROLES)}.")
            password = _password(options.password_stdin)
            accounts.add(options.name, options.display or options.name, options.role, password)
            print(f"{options.name} may sign in as {options.role}.")
    finally:
        accounts.close()
    return 0


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise WrongUse("account.password", "The two passwords differ; nothing was changed.")
    return first
