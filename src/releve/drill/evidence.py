"""The evidence of an exercise: one folder that an auditor can check without us.

summary.fr.html .en.html .fr.txt .en.txt      the exercise on one page
drill.json                                    the same for machines, every promise of every forecast in it
chronogramme.fr.csv .en.csv .fr.txt .en.txt   DEBEX, injects, what was observed, FINEX
journal.jsonl decisions.jsonl forecasts.jsonl as a real recovery keeps them
reports/                                      the situation reports
input/                                        the estate, and the scenario or the case, as they were read
manifest.json                                 what was played with what: versions, seed, hash of the estate
SHA256SUMS                                    of every file above: `sha256sum -c SHA256SUMS`
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from releve import __version__
from releve.clock import Instant, to_iso
from releve.drill.assessment import Assessment, encode_assessment
from releve.drill.chronogramme import observed, render_csv
from releve.drill.chronogramme import render_text as render_chronogramme
from releve.drill.played import Played
from releve.drill.scenario import Scenario
from releve.drill.summary import render_html, render_text, summarize
from releve.errors import StoreUnable, WrongUse
from releve.estate import Estate
from releve.recovery.folder import LOCK, RecoveryFolder

LANGS = ("fr", "en")
MANIFEST, SUMS, INPUT = "manifest.json", "SHA256SUMS", "input"

_PIECE_BYTES = 1 << 20


def make_folder(folder: Path) -> Path:
    """Make the folder of an exercise.

    raises  WrongUse     it holds something already
            StoreUnable  the disk refused
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise WrongUse(
                "drill.folder", f"{folder} is not empty. An exercise needs a folder of its own; nothing was played."
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnable("drill.folder", f"{folder} cannot be used: {error.strerror}. Nothing was played.") from error
    return folder


def write_evidence(
    folder: Path,
    estate: Estate,
    scenario: Scenario,
    played: Played,
    found: Assessment,
    *,
    made_at: Instant,
    inputs: Mapping[str, bytes],
    is_real: bool = False,
) -> Path:
    """Write everything that is not there yet, and the sums last; return the folder.

    made_at  the real moment, whatever the clocks of the exercise showed
    inputs   name → bytes of what was read: estate, scenario, case
    raises   StoreUnable  the disk refused; there are no sums then, so that nobody takes it for complete
    """
    try:
        (folder / INPUT).mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in inputs.items():
            (folder / INPUT / name).write_bytes(content)
        journal = RecoveryFolder(folder).journal()
        for lang in LANGS:
            page = summarize(estate, scenario, found, tuple(played.questions), lang, is_real=is_real)
            _put(folder / f"summary.{lang}.html", render_html(page))
            _put(folder / f"summary.{lang}.txt", render_text(page))
            rows = observed(estate, scenario, played, journal, lang)
            began = played.moments.began
            _put(folder / f"chronogramme.{lang}.csv", render_csv(rows, began, estate.zone, lang))
            _put(folder / f"chronogramme.{lang}.txt", render_chronogramme(rows, began, estate.zone, lang))
        _put(folder / "drill.json", _json(encode_assessment(found)))
        _put(folder / MANIFEST, _json(_manifest(estate, scenario, inputs, made_at, is_real=is_real)))
        (folder / LOCK).unlink(missing_ok=True)
        _put(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in digests(folder).items()))
    except OSError as error:
        raise StoreUnable(
            "drill.unwritten", f"{folder} could not take the evidence: {error.strerror}. It is not complete."
        ) from error
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Return SHA-256 of every file of a folder, by its path there, the sums themselves left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SUMS:
            digest = sha256()
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    digest.update(piece)
            found[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return found


def altered(folder: Path) -> list[str]:
    """Return the files of an evidence folder that are not as they were summed: changed, gone, or added.

    raises  WrongUse  there are no sums
    """
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except OSError as error:
        raise WrongUse(
            "drill.no-sums", f"{folder} has no {SUMS} that can be read: it is no evidence of an exercise."
        ) from error
    written = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    now = digests(folder)
    return sorted(name for name in {*written, *now} if written.get(name) != now.get(name))


def _manifest(
    estate: Estate, scenario: Scenario, inputs: Mapping[str, bytes], made_at: Instant, *, is_real: bool
) -> dict[str, Any]:
    whole = sha256()
    for name in sorted(inputs):
        whole.update(sha256(inputs[name]).digest())
    return {
        "exercise": True,
        "made_at": to_iso(made_at),
        "real": is_real,
        "scenario": {"fr": scenario.name.fr, "en": scenario.name.en},
        "seed": scenario.seed,
        "factor": scenario.factor,
        "estate": {"fr": estate.name.fr, "en": estate.name.en, "units": len(estate.units)},
        "inputs": {name: sha256(content).hexdigest() for name, content in sorted(inputs.items())},
        "inputs_sha256": whole.hexdigest(),
        "versions": {"releve": __version__, "python": platform.python_version(), "system": platform.system()},
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _put(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
