"""releve verify DIR: prove the log (chain, gaps, signatures), that the views equal a rebuild, and the audit trail."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from releve.cli.progress import Progress
from releve.config import load
from releve.log.audit import verify_audit
from releve.log.verify import verify_log
from releve.node.folder import signing_key
from releve.node.reception import unfinished
from releve.record import verify_views

#: A running node makes an event of what it accepted within some milliseconds.
_MEANWHILE_S = 0.2


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the node's folder; the node may run meanwhile")


def run(options: argparse.Namespace) -> int:
    folder = load(options.folder).folder
    public_key = signing_key(folder).public_key().public_bytes_raw()
    log = verify_log(folder, public_key, Progress("log"))
    views = verify_views(folder, Progress("views"))
    audit = verify_audit(folder) if (folder / "audit.db").exists() else []
    for name, found in (("log", log.sentences()), ("views", views.sentences()), ("audit trail", audit)):
        for sentence in found:
            print(f"{name}: {sentence}")
    if unfinished(folder):
        time.sleep(_MEANWHILE_S)
        if waiting := unfinished(folder):
            print(f"{waiting:,} accepted messages are kept beside the log; the next start of the node takes them in.")
    if log.is_clean and views.is_clean and not audit:
        print(f"{log.checked:,} events: chain, sequence and signatures hold; the views equal a rebuild.")
        return 0
    return 1
