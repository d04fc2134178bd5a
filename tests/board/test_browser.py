"""One path of the crisis cell in a real Chromium: sign in, see who misses what, release a service, read it in the
journal; in French and English, on a phone and on a wall, and live without a reload."""

from __future__ import annotations

import pytest

from ward.test_browser import Served, browser, is_within, pytestmark, served, sync_api  # noqa: F401 - its fixtures
from ward.test_browser import sign_in as sign_in_on

from .scene import Crisis

WORDS = {
    "fr": ["3 décisions attendent une personne", "Votre décision est enregistrée", "remise aux soins", "en service"],
    "en": ["3 decisions wait for a person", "Your decision is kept", "release", "up"],
}


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_see_who_misses_what_release_a_service_and_read_it_in_the_journal(
    crisis: Crisis,
    served: Served,  # noqa: F811 - the fixture
    language: str,
    width: int,
) -> None:
    with served.page(viewport={"width": width, "height": 800}) as page:
        page.goto(f"/language/{language}?back=/login")
        sign_in_on(page, "cora")
        page.goto("/crisis")
        assert page.locator(".tile.state-down").count() == 4
        assert is_within(page)
        page.click(f"text={WORDS[language][0]}")
        form = page.locator("#q-laboratory\\.release\\.H02")
        form.locator("input[type=radio][value=release]").check()
        form.locator("button").click()
        assert WORDS[language][1] in page.inner_text("main")
        assert is_within(page)
        (decision,) = crisis.folder.decisions()
        assert (decision.verb, decision.hospital, decision.by) == ("release", "H02", "cora")
        crisis.tell("released", "laboratory", 39.5, hospital="H02", by="cora", decision=decision.id)
        for path in ("/crisis/journal?who=cora", "/crisis/restart", "/crisis/estate?unit=storage", "/crisis/cause"):
            page.goto(path)
            assert is_within(page), path
        page.goto("/crisis/journal?who=cora")
        assert page.locator("tbody tr").count() == 2
        assert WORDS[language][2] in page.inner_text("tbody")


def test_an_open_page_changes_by_itself_and_leaves_alone_what_somebody_writes(crisis: Crisis, served: Served) -> None:  # noqa: F811
    with served.page(viewport={"width": 1280, "height": 800}) as page:
        sign_in_on(page, "cora")
        page.goto("/crisis/restart")
        row = page.locator("tr", has=page.locator("a", has_text="Dossier patient"))
        assert "en cours" in row.inner_text()
        crisis.tell("up", "record", 39)
        sync_api.expect(row.locator(".step-done")).to_have_count(1)
        page.goto("/crisis/decisions")
        page.fill("#reason-laboratory\\.release\\.H01", "je relis")
        with page.expect_response(lambda answer: answer.url.endswith("/crisis/decisions")):
            crisis.tell("released", "laboratory", 39.5, hospital="H03", by="paul")
        assert page.input_value("#reason-laboratory\\.release\\.H01") == "je relis"


@pytest.mark.parametrize("path", ["/crisis?wall=1", "/crisis/restart?wall=1"])
def test_a_wall_screen_has_no_menus_and_large_type(crisis: Crisis, served: Served, path: str) -> None:  # noqa: F811
    with served.page(viewport={"width": 1920, "height": 1080}) as page:
        sign_in_on(page, "cora")
        page.goto(path)
        assert not page.locator("header.top").is_visible()
        assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") >= 20
        assert is_within(page)


def test_without_a_script_everything_is_there(crisis: Crisis, served: Served) -> None:  # noqa: F811
    with served.page(viewport={"width": 1280, "height": 800}, java_script_enabled=False) as page:
        sign_in_on(page, "cora")
        page.goto("/crisis/restart")
        assert "Dossier patient" in page.inner_text("main")
        assert page.locator("meta[http-equiv=refresh]").count() == 1
