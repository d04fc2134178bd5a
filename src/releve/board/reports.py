"""The situation reports of this node's folder: listed, and shown as they were written."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from releve.clock import Instant

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.(html|txt|pdf|xml)")
#: By the end of the name; what a browser would run in its own way is handed over as a file.
KINDS = {
    ".html": ("text/html; charset=utf-8", "inline"),
    ".txt": ("text/plain; charset=utf-8", "inline"),
    ".pdf": ("application/pdf", "attachment"),
    ".xml": ("application/xml", "attachment"),
}
#: A report is some pages of text; a larger file in that folder is not one.
REPORT_BYTES_MAX = 4 * 2**20
#: The newest; a crisis of a month with a report every two hours is 360.
LISTED_MAX = 400


class ReportFile(msgspec.Struct, frozen=True):
    """A file of a report."""

    name: str
    written_at: Instant
    size: int


def list_reports(folder: Path) -> list[ReportFile]:
    """Return the reports of a folder, newest first; none when there is no folder yet."""
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            state = path.stat()
            found.append(ReportFile(path.name, state.st_mtime_ns // 1000, state.st_size))
    return sorted(found, key=lambda report: (-report.written_at, report.name))[:LISTED_MAX]


def read_report(folder: Path, name: str) -> bytes | None:
    """Return a report of the folder by its name; None for anything that is not one."""
    path = folder / name
    if not _NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
        return None
    return path.read_bytes() if path.stat().st_size <= REPORT_BYTES_MAX else None
