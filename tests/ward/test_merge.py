"""A temporary record is linked to the person it belongs to, seen before it is done, and undone without loss."""

import httpx
import pytest

from .cast import MINUTE_US, House, hidden, play, sign_in, words_of
from .test_capture import admission


async def unknown_person(client: httpx.AsyncClient) -> str:
    """Admit somebody unknown and return their id."""
    answer = await admission(client)
    return answer.headers["location"].split("/")[2].split("?")[0]


def test_a_temporary_record_is_linked_after_both_were_seen_and_a_doctor_can_undo_it(house: House) -> None:
    leo = house.find("nguyen")

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "paul")
        temporary = await unknown_person(client)
        chart = (await client.get(f"/patient/{temporary}")).text
        note = {"csrf": hidden(chart, "csrf"), "key": hidden(chart, "key"), "text": "Vu aux urgences."}
        await client.post(f"/patient/{temporary}/note", data=note)
        assert "Personne identifiée : relier à un dossier" in words_of(chart)
        page = (await client.get(f"/patient/{temporary}/merge?q=nguyen")).text
        said = words_of(page)
        assert "T-H01-" in said
        assert "NGUYEN , Léo" in said
        house.now += MINUTE_US
        form = {name: hidden(page, name) for name in ("csrf", "key", "winner")}
        done = await client.post(f"/patient/{temporary}/merge", data=form)
        again = await client.post(f"/patient/{temporary}/merge", data=form)
        assert done.headers["location"] == again.headers["location"] == f"/patient/{leo}?saved=merged"
        chart = (await client.get(done.headers["location"])).text
        assert "Les deux ne font plus qu'une personne" in words_of(chart)
        assert "Vu aux urgences." in chart
        house.now += MINUTE_US
        undo = {name: hidden(chart, name) for name in ("csrf", "key", "loser", "winner")}
        after = await client.post(f"/patient/{leo}/unmerge", data=undo, follow_redirects=True)
        assert "Vu aux urgences." not in after.text
        assert "Vu aux urgences." in (await client.get(f"/patient/{temporary}")).text

    play(house, story)
    assert ("paul", "merge") in {(who, action) for who, action, *_ in house.audit}


def test_a_known_record_cannot_be_merged_on_a_page(house: House) -> None:
    marie, leo = house.find("lefebvre"), house.find("nguyen")

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "paul")
        assert (await client.get(f"/patient/{marie}/merge")).headers["location"] == f"/patient/{marie}"
        chart = (await client.get(f"/patient/{marie}")).text
        form = {"csrf": hidden(chart, "csrf"), "key": hidden(chart, "key"), "winner": leo}
        assert (await client.post(f"/patient/{marie}/merge", data=form)).status_code == 409

    play(house, story)
    assert house.drafts == []


@pytest.mark.parametrize("winner", ["", "x", "00000000-0000-5000-8000-000000000000", "Z" * 36])
def test_nobody_is_linked_to_nobody(house: House, winner: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "paul")
        temporary = await unknown_person(client)
        page = (await client.get(f"/patient/{temporary}")).text
        form = {"csrf": hidden(page, "csrf"), "key": hidden(page, "key"), "winner": winner}
        assert (await client.post(f"/patient/{temporary}/merge", data=form)).status_code == 404

    play(house, story)
    assert [draft.kind for draft in house.drafts] == ["number", "admission"]


def test_a_difference_of_sex_is_said_before_linking(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        temporary = await unknown_person(client)
        assert "Le sexe diffère" in words_of((await client.get(f"/patient/{temporary}/merge?q=lefebvre")).text)
        assert "Le sexe diffère" not in words_of((await client.get(f"/patient/{temporary}/merge?q=nguyen")).text)

    play(house, story)
