"""Reports: only what is a report of that folder can be read through the page."""

import os
from pathlib import Path

import pytest

from releve.board.reports import REPORT_BYTES_MAX, list_reports, read_report


def test_reports_are_listed_newest_first_and_nothing_else_is(tmp_path: Path) -> None:
    for name, second in (("report-0001.html", 10), ("report-0002.html", 20), ("report-0002.txt", 20)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (second, second))
    (tmp_path / "index.json").write_text("{}")
    (tmp_path / ".hidden.html").write_text("x")
    (tmp_path / "link.html").symlink_to("/etc/hostname")
    assert [report.name for report in list_reports(tmp_path)] == [
        "report-0002.html", "report-0002.txt", "report-0001.html"
    ]  # fmt: skip
    assert list_reports(tmp_path / "absent") == []


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "absent.html", "index.json", ".hidden.html", "", "link.html", "a/b.html"]
)
def test_nothing_but_a_report_of_the_folder_is_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "index.json").write_text("{}")
    (folder / ".hidden.html").write_text("x")
    (folder / "link.html").symlink_to(tmp_path / "secret.txt")
    assert read_report(folder, name) is None


def test_a_file_too_large_for_a_report_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big.html").open("wb") as file:
        file.truncate(REPORT_BYTES_MAX + 1)
    assert read_report(tmp_path, "big.html") is None
