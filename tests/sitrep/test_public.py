"""The public page: static, whole, its own age on it, and no word that nobody published."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from releve.errors import StoreUnable
from releve.sitrep import Edition, SituationReport
from releve.sitrep.public import PUBLIC_FILES, write_public

Moments = dict[str, SituationReport]


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("\u00a0", " ").split())


def test_it_is_static_files_that_fetch_nothing(
    tmp_path: Path, moments: Moments, signed: Callable[..., Edition]
) -> None:
    written = write_public(tmp_path / "public", moments["cut"], [signed("cut")])
    assert (
        {path.name for path in written} == set(PUBLIC_FILES) == {path.name for path in (tmp_path / "public").iterdir()}
    )
    for path in written:
        assert path.stat().st_mode & 0o444 == 0o444, "the web server is another user"
        if path.suffix == ".html":
            assert not re.search(r"<script|<img|@import|url\(|https?://", path.read_text("utf-8"))


def test_it_says_how_old_it_is(tmp_path: Path, moments: Moments) -> None:
    write_public(tmp_path, moments["cut"], [], renew_s=60)
    page = plain((tmp_path / "index.fr.html").read_text("utf-8"))
    assert "Mesuré le samedi 3 août 2024 à 11:10." in page
    assert "S’il est plus de 11:12, elle est périmée" in page


def test_states_are_told_at_once_and_words_only_when_published(
    tmp_path: Path, moments: Moments, signed: Callable[..., Edition]
) -> None:
    write_public(tmp_path, moments["restart"], [])
    page = plain((tmp_path / "index.en.html").read_text("utf-8"))
    assert "Patient record ✕ down 2/2 · 11:00" in page
    assert "nine chances" not in page
    assert "No situation report has been published yet." in page
    assert not (tmp_path / "cap.xml").exists()
    write_public(tmp_path, moments["restart"], [signed("restart")])
    page = plain((tmp_path / "index.en.html").read_text("utf-8"))
    assert re.search(r"Return: nine chances in ten before 14:\d\d", page)
    assert "one chance in two" not in page
    assert "Prepared by Paul Petit; approved and published on the responsibility of Anne Moreau" in page
    assert "for the crisis cell to complete" not in page


def test_an_announced_hour_that_passed_is_said_to_have_passed(
    tmp_path: Path, moments: Moments, signed: Callable[..., Edition]
) -> None:
    late = replace(moments["restart"], issued_at=moments["restart"].issued_at + 3600 * 1_000_000)
    write_public(tmp_path, late, [signed("restart")])
    assert re.search(r"Announced before 14:\d\d: not held", plain((tmp_path / "index.en.html").read_text("utf-8")))


def test_a_full_disk_leaves_the_page_before(tmp_path: Path, moments: Moments) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreUnable, match="The page before stands there"):
        write_public(tmp_path / "file" / "public", moments["cut"], [])
