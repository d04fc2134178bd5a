"""releve decide DIR VERB: a named decision for the run in a folder, from any console or script."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import orjson

from releve.cli.console import new_decision
from releve.errors import Refused, WrongUse
from releve.recovery.console_words import OF_THE_RUN, VERBS
from releve.recovery.folder import JOURNAL, RecoveryFolder
from releve.recovery.journal import Happened, from_json
from releve.recovery.past import RESTART, STOP, past_of
from releve.recovery.tail import Tail

#: A run obeys within a second; who has not answered by then is not there.
ANSWER_S = 5.0
_LOOK_S = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the run")
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    parser.add_argument("--unit", default="", help="what it is about; not for pause, resume, cancel, declare")
    parser.add_argument("--hospital", default="", help="of a release: for this hospital only")
    parser.add_argument("--by", required=True, metavar="NAME", help="who decides")
    parser.add_argument("--role", default="", help="in which function")
    parser.add_argument("--reason", default="", help="in your words")


def run(options: argparse.Namespace) -> int:
    folder = RecoveryFolder(options.folder)
    if not options.folder.is_dir():
        raise WrongUse("decide.folder", f"{options.folder} is no folder of a run; nothing was decided")
    if bool(options.unit) == (options.verb in OF_THE_RUN) and options.verb != "declare":
        wanted = "takes no --unit" if options.unit else "needs --unit"
        raise WrongUse("decide.unit", f"{options.verb} {wanted}; nothing was decided")
    if not options.by.strip():
        raise WrongUse("decide.by", "--by needs a name: a decision is somebody's; nothing was decided")
    journal = folder.journal()
    if not any(past_of(journal, act).began_at for act in (RESTART, STOP)):
        raise Refused("decide.no-run", f"no run is under way in {options.folder}; nothing was decided")
    tail = Tail(folder.path / JOURNAL)
    tail.new_lines()
    decision = new_decision(
        options.verb,
        options.by.strip(),
        role=options.role,
        unit=options.unit,
        hospital=options.hospital,
        reason=options.reason,
    )
    folder.decide(decision)
    with folder.held() as is_nobodys:
        pass  # who carries a run out holds it
    answer = None if is_nobodys else _answer(tail, decision.id)
    if answer is None:
        print("Kept. Nobody carries the run out at the moment; it will be obeyed when somebody does.")
        return 0
    print(f"{'Obeyed' if answer.kind == 'decided' else 'Not obeyed'}: {answer.detail}")
    return 0 if answer.kind == "decided" else 1


def _answer(tail: Tail, decision: str) -> Happened | None:
    """Return the line that answers a decision, when it comes in time."""
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        for line in (from_json(orjson.loads(line)) for line in tail.new_lines()[0]):
            if line.decision == decision and line.kind in ("decided", "not-obeyed"):
                return line
        time.sleep(_LOOK_S)
    return None
