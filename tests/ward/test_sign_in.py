"""Signing in: who may, where it leads, and that a note whose session was over is not lost."""

from pathlib import Path

import httpx
import pytest

from .cast import MINUTE_US, PASSWORD, House, hidden, play, sign_in, words_of


def test_without_a_session_a_page_leads_to_sign_in_and_back(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.get("/search?q=le%20f&x=1")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=/search%3Fq%3Dle%2520f%26x%3D1"
        page = await client.get(answer.headers["location"])
        answer = await sign_in(client, next=hidden(page.text, "next").replace("&amp;", "&"))
        assert answer.headers["location"] == "/search?q=le%20f&x=1"

    play(house, story)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\nx", ""]
)
def test_sign_in_leads_nowhere_else(house: House, target: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await sign_in(client, next=target)).headers["location"] == "/"

    play(house, story)


def test_a_wrong_password_keeps_the_name_and_says_nothing_about_which_half_was_wrong(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for name in ("nadia", "nobody"):
            answer = await client.post("/login", data={"name": name, "password": "wrong"})
            assert answer.status_code == 401
            assert "Nom ou mot de passe incorrect" in words_of(answer.text)
            assert f'value="{name}"' in answer.text
        assert "set-cookie" not in answer.headers

    play(house, story)


def test_too_many_attempts_are_told_how_long_to_wait(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for _ in range(4):
            answer = await client.post("/login", data={"name": "nadia", "password": "wrong"})
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "Attendre 1 s" in words_of(answer.text)

    play(house, story)


def test_cookies_cannot_be_read_by_scripts_nor_sent_along_by_other_sites(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await sign_in(client)
        cookies = {line.split("=")[0]: line.lower() for line in answer.headers.get_list("set-cookie")}
        assert set(cookies) == {"releve_session", "releve_poste"}
        assert all("httponly" in line and "samesite=lax" in line for line in cookies.values())
        assert not any("secure" in line for line in cookies.values())

    play(house, story)


def test_with_tls_the_session_cookie_is_bound_to_this_host(tmp_path: Path) -> None:
    house = House(tmp_path, is_secure=True)

    async def story(client: httpx.AsyncClient) -> None:
        line = next(line for line in (await sign_in(client)).headers.get_list("set-cookie") if "__Host-" in line)
        assert line.startswith("__Host-releve=")
        assert "Secure" in line
        assert "Path=/;" in line + ";"
        assert (await client.get("/")).status_code == 200

    play(house, story)
    house.close()


def test_it_and_the_crisis_cell_come_to_the_board_and_see_no_record(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for name in ("ines", "cora"):
            assert (await sign_in(client, name)).headers["location"] == "/board"
            for path in ("/", "/search?q=le", f"/patient/{house.find('lefebvre')}", "/admission"):
                answer = await client.get(path)
                assert answer.status_code == 403
                assert "LEFEBVRE" not in answer.text.upper()

    play(house, story)
    assert {(who, outcome) for who, action, _, outcome, _, _ in house.audit if action == "read"} == {
        ("ines", "refused"),
        ("cora", "refused"),
    }


def test_signing_out_needs_a_form_of_ours_and_ends_the_session(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        page = await client.get("/")
        assert (await client.post("/logout", data={"csrf": "x.y"})).status_code == 403
        assert (await client.get("/")).status_code == 200
        token = client.cookies["releve_session"]
        answer = await client.post("/logout", data={"csrf": hidden(page.text, "csrf")})
        assert answer.headers["location"] == "/login"
        answer = await client.get("/", headers={"cookie": f"releve_session={token}"})
        assert answer.status_code == 303

    play(house, story)


def test_a_note_sent_after_the_session_was_over_is_kept_in_the_sign_in_page(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path = f"/patient/{house.find('lefebvre')}"
        chart = await client.get(path)
        form = {"csrf": hidden(chart.text, "csrf"), "key": hidden(chart.text, "key"), "text": "Vue à 2 h, <calme>."}
        house.now += 11 * MINUTE_US
        locked = await client.post(f"{path}/note", data=form)
        assert locked.status_code == 401
        assert house.drafts == []
        held = {name: hidden(locked.text, name) for name in ("next", "held_text", "held_for")}
        assert held["held_text"] == "Vue à 2 h, &lt;calme&gt;."
        held["held_text"] = form["text"]
        wrong = await client.post("/login", data={**held, "name": "nadia", "password": "wrong"})
        assert hidden(wrong.text, "held_text") == "Vue à 2 h, &lt;calme&gt;."
        back = await client.post("/login", data={**held, "name": "nadia", "password": PASSWORD})
        assert back.status_code == 200
        assert "Vue à 2 h, &lt;calme&gt;.</textarea>" in back.text
        form |= {"csrf": hidden(back.text, "csrf"), "key": hidden(back.text, "key")}
        saved = await client.post(f"{path}/note", data=form, follow_redirects=True)
        assert "Vue à 2 h, &lt;calme&gt;.</p>" in saved.text

    play(house, story)


def test_the_language_is_remembered_for_the_browser_and_for_the_account(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert '<html lang="fr">' in (await client.get("/login")).text
        await sign_in(client)
        answer = await client.get("/language/en?back=/search%3Fq%3Dle")
        assert answer.headers["location"] == "/search?q=le"
        assert '<html lang="en">' in (await client.get("/")).text

    async def elsewhere(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        assert '<html lang="en">' in (await client.get("/")).text
        await client.get("/language/xx")
        assert '<html lang="en">' in (await client.get("/")).text

    play(house, story)
    play(house, elsewhere)


def test_a_form_of_another_site_signs_nobody_in(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        form = {"name": "nadia", "password": PASSWORD}
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            assert (await client.post("/login", data=form, headers=headers)).status_code == 403
        assert (await client.post("/login", data=form, headers={"origin": "http://node.example"})).status_code == 303

    play(house, story)
