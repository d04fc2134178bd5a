"""What every page carries: headers, language, banner, compression, and the check that a form is ours."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from releve.screen import Visitor
from releve.screen.screen import csrf_token, is_own_form, own_path
from ward.cast import MINUTE_US, House, hidden, play, sign_in, words_of


def test_every_page_carries_the_strict_policy_and_is_stored_nowhere(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        for path in ("/", "/search?q=le", "/admission", "/board", "/status", "/login", "/nothing", "/pulse"):
            answer = await client.get(path, follow_redirects=True)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "style=" not in answer.text
            assert "<style" not in answer.text
            assert "http://" not in answer.text.replace("http://www.w3.org/", "")
            assert "https://" not in answer.text

    play(house, story)


def test_a_page_is_compressed_only_for_browsers_that_take_it(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        plain = await client.get("/status", headers={"accept-encoding": "identity"})
        packed = await client.get("/status", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
        assert packed.text == plain.text

    play(house, story)


def test_the_banner_stands_on_every_page_while_the_centre_is_away(house: House) -> None:
    house.service("down")

    async def story(client: httpx.AsyncClient) -> None:
        for path in ("/login", "/status"):
            assert "MODE DÉGRADÉ" in (await client.get(path)).text
        await sign_in(client)
        marie = house.find("lefebvre")
        for path in ("/", "/search?q=le", "/admission", "/board", f"/patient/{marie}", "/nothing"):
            words = words_of((await client.get(path)).text).replace("\xa0", " ")
            assert "MODE DÉGRADÉ depuis 13:40 (il y a 20 min)" in words
            assert "Indisponible : Dossier patient" in words
            assert "Données du centre jusqu'à 13:40" in words

    play(house, story)


def test_the_banner_is_gone_when_the_centre_is_well_and_says_unknown_when_nobody_measures(house: House) -> None:
    house.service("normal")

    async def story(client: httpx.AsyncClient) -> None:
        assert "MODE DÉGRADÉ" not in (await client.get("/status")).text
        house.now += 3 * MINUTE_US
        assert "ÉTAT INCONNU" in (await client.get("/status")).text

    play(house, story)


def test_a_late_feed_is_said_to_staff_on_every_page_and_to_nobody_else(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        assert "flux en retard" not in (await client.get("/admission")).text
        house.now += 6 * MINUTE_US
        words = words_of((await client.get("/admission")).text).replace("\xa0", " ")
        assert "flux en retard : Laboratoire (14:00, il y a 6 min)" in words

    async def passer_by(client: httpx.AsyncClient) -> None:
        assert "flux en retard" not in (await client.get("/status")).text

    play(house, story)
    play(house, passer_by)


def test_the_pulse_is_the_banner_for_who_is_signed_in_and_locks_the_others(house: House) -> None:
    house.service("down")

    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.get("/pulse")).status_code == 401
        await sign_in(client)
        answer = await client.get("/pulse", headers={"X-Releve-Auto": "1"})
        assert 'id="banner"' in answer.text
        assert 'id="strip"' in answer.text
        assert "MODE DÉGRADÉ" in answer.text
        for _ in range(11):
            house.now += MINUTE_US
            answer = await client.get("/pulse", headers={"X-Releve-Auto": "1"})
        assert answer.status_code == 401, "a page left open locks, although it asked every minute"

    play(house, story)


def test_style_and_script_may_be_kept_because_their_address_changes_with_them(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        page = (await client.get("/login")).text
        for name in ("screen.css", "live.js", "icon.svg"):
            path = house.screen.static_url(name)
            assert path in page
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        assert (await client.get("/static/..%2Fscreen.py")).status_code == 404

    play(house, story)


def test_an_address_that_leads_nowhere_has_a_page_with_a_way_back(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.get("/nothing")
        assert answer.status_code == 404
        assert "Page introuvable" in words_of(answer.text)

    play(house, story)


def test_a_language_link_brings_back_to_the_same_page(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        page = await client.get("/search?q=le+f%26x&auto=1")
        path = page.text.split('href="/language/en?back=')[1].split('"')[0]
        answer = await client.get(f"/language/en?back={path}")
        assert answer.headers["location"] == "/search?q=le%20f%26x"

    play(house, story)


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "query_string": b""})


NADIA = Visitor("nadia", "Nadia Benali", "nurse", "", b"secret of this session")


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "http://node.example", "host": "node.example"}, True),
        ({"origin": "http://node.example:81", "host": "node.example"}, False),
        ({"origin": "https://evil.example", "host": "node.example"}, False),
        ({"origin": "null", "host": "node.example"}, True),
    ],
)
def test_a_form_is_ours_by_the_browsers_word_and_by_its_token(headers: dict[str, str], is_own: bool) -> None:
    assert is_own_form(request(**headers), NADIA, csrf_token(NADIA)) is is_own
    assert is_own_form(request(**headers), NADIA, "x.y") is False


def test_a_token_is_another_each_time_and_of_its_session_alone() -> None:
    assert csrf_token(NADIA) != csrf_token(NADIA)
    other = Visitor("paul", "Paul", "doctor", "", b"another secret")
    assert not is_own_form(request(), other, csrf_token(NADIA))


@given(st.text(max_size=60))
def test_no_token_from_outside_breaks_the_check(token: str) -> None:
    assert not is_own_form(request(), NADIA, token)


@given(st.text(alphabet="/\\:.ax?#@%\n\t\x00 ", max_size=30))
def test_a_path_to_go_back_to_never_leads_elsewhere(path: str) -> None:
    found = own_path(path)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert httpx.URL("http://node.example").join(found).host == "node.example"


def test_a_page_that_fails_is_a_page_with_a_sentence_and_the_next_one_is_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        monkeypatch.setattr(house.views, "wards", broken)
        transport = httpx.ASGITransport(app=house.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node.example", cookies=client.cookies
        ) as other:
            answer = await other.get("/")
        assert answer.status_code == 500
        assert "Cette page a échoué" in words_of(answer.text)
        assert "a fault of ours" not in answer.text
        monkeypatch.undo()
        assert hidden((await client.get("/admission")).text, "key")

    play(house, story)
