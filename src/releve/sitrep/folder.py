"""The folder of reports: numbered files, whole or not there at all, never written twice.

    sitrep-0003.fr.html  .en.html  .fr.txt  .en.txt     the report as the crisis cell reads it
    sitrep-0003.json                                    its sentences, evidence, figures and signatures, for machines
    index.html  index.json                              the list; the newest is in force, the others are kept

A report that people approved lies there for each audience too (releve.sitrep.publishing).
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
from releve.sitrep.edition import Edition, Signature, edition_of
from releve.sitrep.evidence import Reading
from releve.sitrep.html import render_html, render_index
from releve.sitrep.paper import lay_out
from releve.sitrep.report import STATES, SituationReport
from releve.sitrep.text import render_text
from releve.sitrep.wording import AUDIENCES, LANGS, WORDS, date_text

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
    return max(numbers_of(folder), default=0) + 1


def earlier_forecasts(folder: Path) -> tuple[Forecast, ...]:
    """Return the forecasts that were published in this folder, oldest first."""
    found = []
    for number in sorted(numbers_of(folder)):
        value = orjson.loads((folder / f"{stem(number)}.json").read_bytes()).get("forecast")
        if value is not None:
            found.append(msgspec.convert(value, Forecast))
    return tuple(found)


def write(report: SituationReport, folder: Path) -> Written:
    """Write a report as it was drafted in both languages and both forms, and put it on top of the list.

    raises  Refused      this number has been written before; it stays as it is
            StoreUnable  the disk refused; no file of this report is half there
    """
    if (folder / f"{stem(report.number)}.json").exists():
        raise Refused(
            "sitrep.number-taken",
            f"{folder} has a situation report {report.number} already; it was left as it is. Give the next one "
            f"the number {next_number(folder)}.",
        )
    return write_edition(edition_of(report), folder)


def write_edition(edition: Edition, folder: Path) -> Written:
    """Write a report as it stands; writing the same one again changes nothing.

    raises  StoreUnable  the disk refused; no file of this report is half there
    """
    number = edition.sheet.number
    name = stem(number)
    html = {lang: folder / f"{name}.{lang}.html" for lang in LANGS}
    text = {lang: folder / f"{name}.{lang}.txt" for lang in LANGS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for lang, other in (("fr", "en"), ("en", "fr")):
            page = render_html(edition, lang, other=f"{name}.{other}.html", index="index.html")
            put(html[lang], page.encode())
            put(text[lang], render_text(edition, lang).encode())
        # Last, because it is what makes the number count: a cut before it leaves a number that is written again.
        put(folder / f"{name}.json", orjson.dumps(report_json(edition), option=orjson.OPT_INDENT_2))
        index = write_index(folder)
    except OSError as error:
        raise StoreUnable(
            "sitrep.unwritten",
            f"Situation report {number} could not be written to {folder}: {error.strerror}. The reports before "
            "it are as they were; free the disk and draft it again.",
        ) from error
    return Written(number, html, text, index)


def write_index(folder: Path) -> Path:
    """Write the list of a folder's reports anew, and return its page."""
    entries = []
    for number in sorted(numbers_of(folder), reverse=True):
        value = orjson.loads((folder / f"{stem(number)}.json").read_bytes())
        entries.append({key: str(value.get(key, "")) for key in _INDEXED} | {"stem": stem(number)})
    put(folder / "index.json", orjson.dumps(entries, option=orjson.OPT_INDENT_2))
    put(folder / "index.html", render_index(entries).encode())
    return folder / "index.html"


_INDEXED = ("number", "issued_at", "issued_fr", "issued_en", "headline_fr", "headline_en", "phase", "status")


def report_json(edition: Edition) -> dict[str, Any]:
    """Return what machines read of a report: every sentence with the ids of its evidence, figures, signatures."""
    sheet = edition.sheet
    return {
        "number": sheet.number,
        "version": sheet.version,
        "status": edition.status,
        "issued_at": to_iso(sheet.issued_at),
        "next_at": to_iso(sheet.next_at),
        "phase": sheet.phase,
        "exercise": sheet.is_exercise,
        **{f"issued_{lang}": WORDS[lang]["issued"].format(when=_date(edition, lang)) for lang in LANGS},
        **{f"headline_{lang}": sheet.headline.in_language(lang) for lang in LANGS},
        "prepared_by": _signature(edition.prepared),
        "authorized_by": _signature(edition.authorized),
        "published_by": _signature(edition.published),
        "services": {one.id: _places(edition, one.id) for one in sheet.components},
        "sections": {audience: {lang: _sections(edition, audience, lang) for lang in LANGS} for audience in AUDIENCES},
        "evidence": [
            {"id": one.id, "at": to_iso(one.at), "fr": one.text.fr, "en": one.text.en}
            | ({"readings": [_reading(reading) for reading in one.readings]} if one.readings else {})
            for one in sheet.evidence
        ],
        "edits": [
            {
                "at": to_iso(one.at),
                "by": one.by.text,
                "audience": one.audience or "all",
                "lang": one.lang,
                "section": one.section,
                "diff": one.diff(),
            }
            for one in edition.edits
        ],
        "losses": list(sheet.losses),
        "journal": list(sheet.journal),
        "forecast": msgspec.to_builtins(sheet.forecast) if sheet.forecast is not None else None,
    }


def _date(edition: Edition, lang: str) -> str:
    return date_text(edition.sheet.issued_at, edition.sheet.zone, lang)


def _signature(signature: Signature | None) -> dict[str, str] | None:
    if signature is None:
        return None
    return {"name": signature.by.name, "role": signature.by.role, "at": to_iso(signature.at)}


def _places(edition: Edition, unit: str) -> dict[str, list[str]]:
    """Return state → hospitals for one service."""
    found: dict[str, list[str]] = {}
    for row in edition.sheet.rows:
        if unit in row.states:
            found.setdefault(row.states[unit], []).append(row.id)
    return {state: found[state] for state in STATES if state in found}


def _sections(edition: Edition, audience: str, lang: str) -> list[dict[str, Any]]:
    paper = lay_out(edition, audience, lang)
    ids = {note.number: note.id for note in paper.notes}
    return [
        {
            "key": part.key,
            "title": part.title,
            "sentences": [
                {"text": line.text, "evidence": [ids[number] for number in line.notes]}
                | ({"by": line.by} if line.by else {})
                for line in part.lines
            ],
        }
        for part in paper.parts
    ]


def _reading(reading: Reading) -> dict[str, str]:
    return {"hospital": reading.hospital, "at": to_iso(reading.at), "fr": reading.seen.fr, "en": reading.seen.en}


def numbers_of(folder: Path) -> list[int]:
    """Return the numbers of the reports that lie in a folder."""
    if not folder.is_dir():
        return []
    return [int(found.group(1)) for path in folder.iterdir() if (found := _NUMBERED.fullmatch(path.name))]


def stem(number: int) -> str:
    """Return what the names of a report's files begin with."""
    return f"sitrep-{number:04}"


def put(path: Path, content: bytes) -> None:
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
