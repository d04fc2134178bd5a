"""The command line: `releve COMMAND …`. Exit codes: 0 done, 1 the answer is no, 2 wrong use or configuration.

Each command's module is imported when it is asked for, so that `releve --help` and `releve send` start fast.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from releve import __version__
from releve.cli.lines import write_lines
from releve.errors import ReleveError

# command → (module, one line of help); modules give `arguments(parser)` and `run(options) -> int`
_COMMANDS = {
    "demo": ("releve.cli.demo", "play the seed night: a cut, what holds, the return, the verdict"),
    "init": ("releve.cli.init", "make a node's folder with a node.toml that works as it is"),
    "run": ("releve.cli.run", "run a node in the foreground"),
    "send": ("releve.cli.send", "send HL7 v2 files to a node by MLLP"),
    "account": ("releve.cli.account", "add a person who may sign in to a node, or change a password"),
    "token": ("releve.cli.token", "make a bearer token for /fhir/ or /metrics"),
    "verify": ("releve.cli.verify", "prove a node's log and that its views equal a rebuild"),
    "rebuild": ("releve.cli.rebuild", "make a node's views anew from its log"),
    "hub": ("releve.cli.hub", "run a hub, or invite a node to it"),
    "join": ("releve.cli.join", "accept a hub's invitation for a node"),
    "estate": ("releve.cli.estate", "check an estate file, begin one from an inventory, draw it"),
    "impact": ("releve.cli.impact", "what falls if this falls, and which hospitals lose what"),
    "probe": ("releve.cli.probe", "ask servers once in their own protocol and say what came"),
    "plan": ("releve.cli.plan", "print the order of a restart with the reason for each place"),
    "restart": ("releve.cli.restart", "restart an estate in order, each step gated by its probe"),
    "stop": ("releve.cli.stop", "take an estate down cleanly, in reverse order"),
    "decide": ("releve.cli.decide", "give the run in a folder a named decision"),
    "allow": ("releve.cli.allow", "print the list of what a host lets us do over SSH"),
    "guard": ("releve.cli.guard", "watch the batteries, stop cleanly what they no longer carry"),
    "report": ("releve.cli.report", "write a situation report of now, from what is measured"),
    "runbook": ("releve.cli.runbook", "print the plan of an estate on paper (PDF)"),
    "score": ("releve.cli.score", "say how the published forecasts of a recovery did"),
    "drill": ("releve.cli.drill", "play an outage, score times and decisions, leave the evidence"),
    "bench": ("releve.cli.bench", "measure against a peer or a physical limit in the same run"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="releve", description="Hospital continuity: hold, return, tell.")
    parser.add_argument("--version", action="version", version=f"releve {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in words if not word.startswith("-")), "")
    for name, (module, line) in _COMMANDS.items():
        command = commands.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == asked:
            importlib.import_module(module).arguments(command)
    options = parser.parse_args(words)
    write_lines()
    try:
        code: int = importlib.import_module(_COMMANDS[options.command][0]).run(options)
    except ReleveError as refusal:
        print(f"releve {options.command}: {refusal.sentence}", file=sys.stderr)
        return refusal.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0  # whoever read our output has seen enough
    return code
