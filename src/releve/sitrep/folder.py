"""The folder of reports: numbered files, whole or not there at all, never written twice.

    sitrep-0003.fr.html  .en.html  .fr.txt  .en.txt     the report
    sitrep-0003.json                                    headline, time and forecast, for machines and the next report
    index.html  index.json                              the list; the newest is in force, the others are kept

Any web server outside the estate can serve it: the report on an outage must not depend on what is out.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from releve.clock import to_iso
from releve.errors import Refused, StoreUnable
from releve.recovery.forecast import Forecast
from releve.recovery.journal import to_json
from releve.sitrep.html import render_html, render_index
from releve.sitrep.report import SituationReport
from releve.sitrep.sections import headline, issued_text
from releve.sitrep.text import render_text
from releve.sitrep.wording import LANGS

_NUMBERED = re.compile(r"sitrep-(\d{4,})\.json")


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report lies: language → file."""

    number: int
    html: dict[str, Path]
    text: dict[str, Path]
    index: Path


def next_number(folder: Path) -> int:
    """Return the number of the next report of a folder; 1 where there is none."""
    return max(_numbers(folder), default=0) + 1


def earlier_forecasts(folder: Path) -> tuple[Forecast, ...]:
    """Return the forecasts that were published in this folder, oldest first."""
    found = []
    for number in sorted(_numbers(folder)):
        value = orjson.loads((folder / f"{_stem(number)}.json").read_bytes()).get("forecast")
        if value is not None:
            found.append(msgspec.convert(value, Forecast))
    return tuple(found)


def write(report: SituationReport, folder: Path) -> Written:
    """Write a report in both languages and both forms, and put it on top of the list.

    raises  Refused      this number has been written before; it stays as it is
            StoreUnable  the disk refused; no file of this report is half there
    """
    stem = _stem(report.number)
    html = {lang: folder / f"{stem}.{lang}.html" for lang in LANGS}
    text = {lang: folder / f"{stem}.{lang}.txt" for lang in LANGS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / f"{stem}.json").exists():
            raise Refused(
                "sitrep.number-taken",
                f"{folder} has a situation report {report.number} already; it was left as it is. Give the next one "
                f"the number {next_number(folder)}.",
            )
        for lang, other in (("fr", "en"), ("en", "fr")):
            page = render_html(report, lang, other=f"{stem}.{other}.html", index="index.html")
            _put(html[lang], page.encode())
            _put(text[lang], render_text(report, lang).encode())
        # Last, because it is what makes the number count: a cut before it leaves a number that is written again.
        _put(folder / f"{stem}.json", orjson.dumps(_value(report), option=orjson.OPT_INDENT_2))
        index = _write_index(folder)
    except OSError as error:
        raise StoreUnable(
            "sitrep.unwritten",
            f"Situation report {report.number} could not be written to {folder}: {error.strerror}. The reports before "
            "it are as they were; free the disk and draft it again.",
        ) from error
    return Written(report.number, html, text, index)


def _write_index(folder: Path) -> Path:
    entries = []
    for number in sorted(_numbers(folder), reverse=True):
        value = orjson.loads((folder / f"{_stem(number)}.json").read_bytes())
        entries.append({key: str(value[key]) for key in _INDEXED} | {"stem": _stem(number)})
    _put(folder / "index.json", orjson.dumps(entries, option=orjson.OPT_INDENT_2))
    _put(folder / "index.html", render_index(entries).encode())
    return folder / "index.html"


_INDEXED = ("number", "issued_at", "issued_fr", "issued_en", "headline_fr", "headline_en", "phase")


def _value(report: SituationReport) -> dict[str, Any]:
    """Return what machines read of a report."""
    return {
        "number": report.number,
        "issued_at": to_iso(report.issued_at),
        "next_at": to_iso(report.next_at),
        "phase": report.phase,
        "exercise": report.is_exercise,
        **{f"issued_{lang}": issued_text(report, lang) for lang in LANGS},
        **{f"headline_{lang}": headline(report, lang) for lang in LANGS},
        "services": {
            unit.id: {state: places for state, places in report.by_state(unit).items()} for unit in report.services()
        },
        "losses": [
            {"unit": loss.unit, "at": to_iso(loss.at), "back_at": to_iso(loss.back_at) if loss.back_at else None}
            for loss in report.losses
        ],
        "journal": [to_json(line) for line in report.journal],
        "forecast": msgspec.to_builtins(report.forecast) if report.forecast is not None else None,
    }


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(found.group(1)) for path in folder.iterdir() if (found := _NUMBERED.fullmatch(path.name))]


def _stem(number: int) -> str:
    return f"sitrep-{number:04}"


def _put(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, and a power cut leaves one of them."""
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
