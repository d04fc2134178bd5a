"""One path in a real Chromium: sign in, list, chart, note; in French and English, wide and narrow, with and without
JavaScript, by keyboard, with no violation of the page's own policy."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from .cast import PASSWORD, House, potassium

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = shutil.which("chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt install chromium"),
]


class Served:
    """The house behind a real socket, and one browser."""

    def __init__(self, house: House, base: str, browser: sync_api.Browser) -> None:
        self.house, self.base, self.browser = house, base, browser
        self.complaints: list[str] = []

    @contextmanager
    def page(self, **options: object) -> Iterator[sync_api.Page]:
        """Give a page of a new browser profile; what its console says is collected."""
        context = self.browser.new_context(base_url=self.base, **options)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._ours(request.url))
        try:
            yield page
        finally:
            context.close()

    def _ours(self, url: str) -> None:
        if not url.startswith((self.base, "data:")):
            self.complaints.append(f"asked another machine: {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield launched
        launched.close()


@pytest.fixture
def served(house: House, browser: sync_api.Browser) -> Iterator[Served]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # before the browser asks; the server takes over what waits
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        opened = Served(house, f"http://127.0.0.1:{port}", browser)
        try:
            yield opened
        finally:
            server.should_exit = True
            thread.join(10)
            house.views.close()
    assert opened.complaints == []


def sign_in(page: sync_api.Page, name: str = "nadia") -> None:
    page.goto("/")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")


def is_within(page: sync_api.Page) -> bool:
    """Say whether nothing is wider than the window."""
    width: list[int] = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return width[0] <= width[1]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", ["Se connecter", "Nouveaux résultats", "Écrire une note", "Votre note est enregistrée", "MODE DÉGRADÉ"]),
        ("en", ["Sign in", "New results", "Write a note", "Your note is saved", "DEGRADED MODE"]),
    ],
)
@pytest.mark.parametrize("has_script", [True, False])
@pytest.mark.parametrize("width", [320, 1280])
def test_sign_in_list_chart_and_note(
    served: Served, language: str, words: list[str], has_script: bool, width: int
) -> None:
    served.house.service("down")
    with served.page(viewport={"width": width, "height": 720}, java_script_enabled=has_script) as page:
        page.goto(f"/language/{language}?back=/login")
        assert words[0] in page.inner_text("h1")
        sign_in(page)
        page.click("text=CARDIO")
        assert words[1] in page.content()
        assert words[4] in page.inner_text("body")
        if has_script:
            assert is_within(page)
        page.click("a.patient >> text=LEFEBVRE")
        assert words[4] in page.inner_text("body")
        assert words[2] in page.inner_text("#write")
        assert page.get_attribute("html", "lang") == language
        if has_script:
            assert is_within(page)
        page.fill("#text", "Vue à 2 h : calme.")
        page.click("#write button")
        assert words[3] in page.inner_text("main")
        assert "Vue à 2 h : calme." in page.inner_text("#documents")
        assert "Nadia Benali" in page.inner_text("#documents")


def test_whose_record_it_is_never_scrolls_away(served: Served) -> None:
    served.house.service("down")
    for number in range(20):
        at = f"202408030{number % 10}1{number // 10}00"
        message = potassium("4.0", "", at, number=f"N{number}").replace(
            b"2823-3^Potassium", f"x{number}^T{number}".encode()
        )
        served.house.hear(message)
    for width in (320, 1280):
        with served.page(viewport={"width": width, "height": 720}) as page:
            sign_in(page)
            page.goto(f"/patient/{served.house.find('lefebvre')}")
            page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
            name = page.locator(".identity .name").bounding_box()
            assert name is not None
            assert 0 <= name["y"] < 300
            mode = page.locator(".strip strong" if width < 768 else ".banner .mode").bounding_box()
            assert mode is not None
            assert 0 <= mode["y"] < 100


def test_the_keyboard_alone_is_enough(served: Served) -> None:
    with served.page(viewport={"width": 1280, "height": 720}) as page:
        page.goto("/login")
        page.wait_for_function("document.activeElement.id === 'name'")
        page.keyboard.type("nadia")
        page.keyboard.press("Tab")
        page.wait_for_function("document.activeElement.id === 'password'")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
        reached = []
        for _ in range(25):
            page.keyboard.press("Tab")
            focus = page.evaluate(
                "(() => { const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e);"
                " return [e.textContent.trim() || e.id, s.outlineStyle, r.top, r.bottom, innerHeight]; })()"
            )
            reached.append(focus[0])
            assert focus[1] != "none", f"{focus[0]} shows no focus"
            if "LEFEBVRE" in focus[0].upper():
                break
        assert "LEFEBVRE" in reached[-1].upper(), reached
        page.keyboard.press("Enter")
        page.wait_for_url("**/patient/*")
        assert "Lefebvre" in page.inner_text(".identity .name").title()


def test_targets_are_large_enough_to_hit(served: Served) -> None:
    with served.page(viewport={"width": 320, "height": 720}) as page:
        sign_in(page)
        page.goto(f"/patient/{served.house.find('lefebvre')}")
        small = page.evaluate(
            "[...document.querySelectorAll('button, input:not([type=hidden]), textarea, nav a, .me a')]"
            ".map(e => [e.textContent.trim() || e.name, e.getBoundingClientRect().height])"
            ".filter(pair => pair[1] > 0 && pair[1] < 24)"
        )
        assert small == []


def test_a_page_left_open_shows_new_results_and_the_loss_of_the_centre_by_itself(served: Served) -> None:
    house = served.house
    with served.page(viewport={"width": 1280, "height": 900}) as page:
        page.clock.install()
        sign_in(page)
        page.goto(f"/patient/{house.find('lefebvre')}")
        page.fill("#text", "En cours de frappe")
        page.locator("#text").blur()
        assert "7,9" not in page.inner_text("#results")
        house.hear(potassium("7.9", "HH", "20240803135900", number="K7"))
        house.service("down")
        page.clock.run_for(15_500)
        page.locator("#banner >> text=MODE DÉGRADÉ").wait_for()
        page.clock.run_for(47_000)  # to 62.5 s: the page asked at 60, and its patience ends at 65
        page.locator("#results >> text=7,9").wait_for()
        assert page.input_value("#text") == "En cours de frappe", "what is being typed stays"


def test_a_pc_that_lost_the_node_says_so_over_the_old_page(served: Served) -> None:
    with served.page(viewport={"width": 320, "height": 720}) as page:
        page.clock.install()
        sign_in(page)
        page.goto(f"/patient/{served.house.find('lefebvre')}")
        assert not page.is_visible("#cut")
        page.route("**/pulse", lambda route: route.abort())
        page.clock.run_for(15_500)
        page.locator("#cut").wait_for(state="visible")
        assert re.search(r"depuis \d\d:\d\d", page.inner_text("#cut"))
        page.unroute("**/pulse")
        page.clock.run_for(15_500)
        page.locator("#cut").wait_for(state="hidden")
    served.complaints = [text for text in served.complaints if "ERR_FAILED" not in text]


def test_a_page_left_open_locks_after_ten_minutes(served: Served) -> None:
    with served.page(viewport={"width": 1280, "height": 720}) as page:
        page.clock.install()
        sign_in(page)
        page.goto(f"/patient/{served.house.find('lefebvre')}")
        served.house.now += 11 * 60_000_000
        page.clock.run_for(15_500)
        page.wait_for_url("**/login**")
        assert "LEFEBVRE" not in page.content().upper()
    served.complaints = [text for text in served.complaints if "401" not in text]


def test_the_printed_page_names_the_mode_and_the_patient_in_black(served: Served) -> None:
    served.house.service("down")
    with served.page(viewport={"width": 1280, "height": 720}) as page:
        sign_in(page)
        page.goto(f"/patient/{served.house.find('lefebvre')}")
        page.emulate_media(media="print")
        assert page.is_visible(".banner .mode")
        assert page.is_visible(".identity .name")
        assert not page.is_visible("#write form")
        colour = page.evaluate("getComputedStyle(document.querySelector('.banner.down')).color")
        assert colour == "rgb(0, 0, 0)"
        assert page.pdf(format="A4").startswith(b"%PDF")


#: Relative luminance and contrast of WCAG 2.2, of every visible text against what is painted behind it.
CONTRASTS = """() => {
  const parse = c => c.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || !e.getClientRects().length || e.closest('script, noscript')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 7) low.push([text, Math.round(ratio * 10) / 10]);
  }
  return low;
}"""


def test_every_text_has_a_contrast_of_seven_to_one(served: Served) -> None:
    house = served.house
    house.service("down")
    house.service("degraded", name="Téléphonie")
    house.service("returning", name="Messagerie")
    house.now += 6 * 60_000_000
    house.services = [
        type(one)(one.id, one.name, one.state, one.since, house.now, "no answer", one.is_central)
        for one in house.services
    ]
    house.hear(potassium("3.0", "L", "20240803133000", number="K2"))
    with served.page(viewport={"width": 1280, "height": 900}) as page:
        for path in ("/login", "/status"):
            page.goto(path)
            assert page.evaluate(CONTRASTS) == []
        sign_in(page)
        for path in (
            "/?ward=CARDIO",
            f"/patient/{house.find('lefebvre')}",
            "/admission",
            "/board",
            "/search?q=zorglub",
        ):
            page.goto(path)
            assert page.evaluate(CONTRASTS) == [], path


def test_text_twice_as_large_loses_nothing(served: Served) -> None:
    with served.page(viewport={"width": 640, "height": 900}) as page:
        sign_in(page)
        for path in ("/?ward=CARDIO", f"/patient/{served.house.find('lefebvre')}", "/admission", "/board"):
            page.goto(path)
            page.evaluate("document.documentElement.setAttribute('class', 'large')")
            page.evaluate("for (const s of document.styleSheets) s.insertRule('html.large { font-size: 200% }')")
            assert is_within(page), path
