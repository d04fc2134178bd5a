"""The gate: nothing of a record is shown or kept that could not be audited first."""

import httpx
import pytest

from releve.errors import StoreUnable

from .cast import House, hidden, play, sign_in, words_of


def test_a_record_that_cannot_be_audited_is_not_shown_nor_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnable("audit.full", "The audit trail cannot be written.")

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path = f"/patient/{house.find('lefebvre')}"
        page = (await client.get(path)).text
        form = {"csrf": hidden(page, "csrf"), "key": hidden(page, "key"), "text": "x"}
        monkeypatch.setattr(House, "record", full)
        for answer in (
            await client.get(path),
            await client.get("/?ward=CARDIO"),
            await client.post(f"{path}/note", data=form),
        ):
            assert answer.status_code == 503
            assert "LEFEBVRE" not in answer.text.upper()
            assert "audit.full" in answer.text
            assert "Passer au papier" in words_of(answer.text)

    play(house, story)
    assert house.drafts == []


@pytest.mark.parametrize(
    "path", ["/patient/1", "/patient/../../etc/passwd", "/patient/%00", "/patient/x/result?code=%ff"]
)
def test_an_address_that_is_no_record_is_no_page(house: House, path: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        assert (await client.get(path)).status_code == 404

    play(house, story)


@pytest.mark.parametrize(
    "path",
    ["/?ward=%ff%fe", "/?ward=" + "x" * 5000, "/search?q=%00%ff", "/search?q=" + "%25_" * 200, "/search?q='%22--"],
)
def test_hostile_questions_get_a_page(house: House, path: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        assert (await client.get(path)).status_code == 200
        assert (await client.get("/")).status_code == 200

    play(house, story)


def test_forms_that_are_no_forms_are_refused_in_a_sentence(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path = f"/patient/{house.find('lefebvre')}/note"
        for kind, content in (
            ("application/json", b"{}"),
            ("multipart/form-data; boundary=x", b"--x\r\n"),
            ("application/x-www-form-urlencoded", b"&".join(b"a=%d" % n for n in range(5000))),
            ("application/x-www-form-urlencoded", b"text=%ff%fe&key=\x00"),
        ):
            answer = await client.post(path, content=content, headers={"content-type": kind})
            assert 400 <= answer.status_code < 500, (kind, answer.status_code)
        assert (await client.get("/")).status_code == 200

    play(house, story)
    assert house.drafts == []
