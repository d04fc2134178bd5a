"""releve runbook FILE -o runbook.pdf: the plan on paper, for the night on which no screen works.

Every page carries the fingerprint of the estate; `--hash` prints that of a file, to tell an old copy by.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from releve.clock import wall_us
from releve.errors import StoreUnable
from releve.estate import load
from releve.recovery.plan import make_plan
from releve.sitrep.folder import put
from releve.sitrep.runbook import fingerprint, runbook


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an estate file: what stands on what")
    parser.add_argument("-o", "--output", type=Path, default=Path("runbook.pdf"), metavar="PDF", help="what to write")
    parser.add_argument("--lang", choices=("fr", "en"), default="fr", help="language of the runbook")
    parser.add_argument("--hash", action="store_true", help="print the fingerprint of the estate and write nothing")


def run(options: argparse.Namespace) -> int:
    estate = load(options.file)
    if options.hash:
        print(fingerprint(estate))
        return 0
    printed = runbook(estate, make_plan(estate), options.lang, wall_us())
    try:
        put(options.output, printed)
    except OSError as error:
        raise StoreUnable(
            "runbook.unwritten", f"{options.output} could not be written: {error.strerror}. Nothing was changed."
        ) from error
    print(f"{options.output}: {len(printed) // 1024} kB, fingerprint {fingerprint(estate)}")
    return 0
