"""The page in a real browser: it fits a telephone and a sheet of paper, with as many hospitals as the group has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from releve.estate import load
from releve.sitrep import Loss, Measured, draft, edition_of, render_html, seen

pytestmark = pytest.mark.peer

CUT = 1_722_675_600_000_000
HOSPITALS = 38


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed here; apt-get install chromium brings it (see tests/peers.sh)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.fixture
def html(tmp_path: Path) -> Callable[[str], str]:
    text = '[[feed]]\nid = "feed-a"\nname = {fr = "Arrivée électrique A", en = "Power feed A"}\n'
    for index in range(HOSPITALS):
        text += f'[[site]]\nid = "H{index:02}"\nname = "Hôpital universitaire Pitié-Salpêtrière {index}"\n'
    for name in ("Dossier patient", "Système de laboratoire", "Portail d’imagerie", "Messagerie", "Téléphonie"):
        text += f'[[service]]\nid = "{name[:3]}"\nname = "{name}"\nneeds = ["feed-a"]\n'
    path = tmp_path / "estate.toml"
    path.write_text(text, "utf-8")
    estate = load(path)
    states = ("normal", "down", "returning", "degraded", "unknown")
    measured = [
        Measured(unit.id, site, states[(index + place) % 5], CUT, CUT + 1, seen("refused"))  # type: ignore[arg-type] # a state
        for index, unit in enumerate(estate.services())
        for place, site in enumerate(unit.hospitals)
    ]
    report = draft(
        estate, number=7, at=CUT + 2, next_at=CUT + 10**9, measured=measured, losses=[Loss("feed-a", CUT)], every_s=5
    )
    return lambda lang: render_html(edition_of(report), lang, other="x.html", index="index.html")


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_runs_out_of_a_narrow_screen(page: Page, html: Callable[[str], str], lang: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(html(lang))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".matrix tbody tr").count() == HOSPITALS
    assert page.locator("h1").inner_text().endswith("7")


def test_it_prints_on_few_sheets(page: Page, html: Callable[[str], str], tmp_path: Path) -> None:
    page.set_content(html("fr"))
    sheets = page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True).count(b"/Type /Page\n")
    assert 1 <= sheets <= 6
    page.emulate_media(media="print")
    assert not page.locator("header a").is_visible(), "a link has no use on paper"
