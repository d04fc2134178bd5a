"""Captures: kept once, shown at once, never lost and never called saved when they are not."""

import httpx
import pytest

from releve.log import decode_body

from .cast import House, hidden, play, sign_in, words_of


async def note_form(client: httpx.AsyncClient, house: House, text: str) -> tuple[str, dict[str, str]]:
    path = f"/patient/{house.find('lefebvre')}"
    page = (await client.get(path)).text
    return path, {"csrf": hidden(page, "csrf"), "key": hidden(page, "key"), "text": text}


def test_a_note_is_shown_at_once_with_author_and_time(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "Douleur cédée.\nECG refait.")
        answer = await client.post(f"{path}/note", data=form)
        assert answer.headers["location"] == f"{path}?saved=note#documents"
        words = words_of((await client.get(f"{path}?saved=note")).text)
        assert "Votre note est enregistrée et affichée ci-dessous" in words
        assert "Note · 14:00 (à l'instant) · Nadia Benali" in words
        assert "Douleur cédée. ECG refait." in words

    play(house, story)
    assert ("nadia", "note", "DocumentReference", "done", (house.find("lefebvre"),), "") in house.audit


def test_a_double_click_makes_one_note(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "Une seule fois.")
        for _ in range(3):
            assert (await client.post(f"{path}/note", data=form)).status_code == 303
        assert (await client.get(path)).text.count("Une seule fois.") == 1

    before = house.ledger.last_pos()
    play(house, story)
    assert house.ledger.last_pos() == before + 1


def test_the_note_belongs_to_the_stay_and_carries_who_wrote_it(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "x")
        await client.post(f"{path}/note", data=form)

    play(house, story)
    body = decode_body(house.drafts[0].body)
    assert body.source["author"] == "nadia"
    assert b"Encounter/" in body.statements[0].content


def test_a_note_that_the_disk_refuses_is_given_back_and_not_called_saved(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "Ne pas perdre.")
        house.is_refusing = True
        answer = await client.post(f"{path}/note", data=form)
        assert answer.status_code == 503
        assert "Ne pas perdre.</textarea>" in answer.text
        assert "n'a pas pu être enregistrée" in words_of(answer.text)
        house.is_refusing = False
        form |= {"csrf": hidden(answer.text, "csrf"), "key": hidden(answer.text, "key")}
        assert (await client.post(f"{path}/note", data=form)).status_code == 303

    play(house, story)


def test_a_note_kept_before_the_views_show_it_is_said_to_be_saved(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("releve.ward.capture.SHOWN_WITHIN_S", 0.05)

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "Plus tard.")
        house.is_folding = False
        answer = await client.post(f"{path}/note", data=form)
        assert answer.headers["location"] == f"{path}?saved=note-kept#documents"
        assert "ne pas la réécrire" in words_of((await client.get(f"{path}?saved=note-kept")).text)

    play(house, story)


@pytest.mark.parametrize(("text", "sentence"), [("", "La note est vide"), ("x" * 10_001, "dépasse 10 000")])
def test_an_empty_or_endless_note_is_refused_and_given_back(house: House, text: str, sentence: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, text)
        answer = await client.post(f"{path}/note", data=form)
        assert answer.status_code == 400
        assert sentence in words_of(answer.text).replace("\xa0", " ")

    play(house, story)
    assert house.drafts == []


@pytest.mark.parametrize(
    ("headers", "change"),
    [
        ({"sec-fetch-site": "cross-site"}, {}),
        ({"sec-fetch-site": "same-site"}, {}),
        ({"origin": "https://evil.example"}, {}),
        ({}, {"csrf": ""}),
        ({}, {"csrf": "0123456789abcdef.0123456789abcdef0123456789abcdef"}),
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(house: House, headers: dict[str, str], change: dict[str, str]) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "x")
        answer = await client.post(f"{path}/note", data=form | change, headers=headers)
        assert answer.status_code == 403
        assert "ne vient pas de cette session" in words_of(answer.text)

    play(house, story)
    assert house.drafts == []


def test_a_token_of_another_session_is_no_token(house: House) -> None:
    forms = []

    async def paul(client: httpx.AsyncClient) -> None:
        await sign_in(client, "paul")
        forms.append(await note_form(client, house, "x"))

    async def nadia(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = forms[0]
        assert (await client.post(f"{path}/note", data=form)).status_code == 403

    play(house, paul)
    play(house, nadia)


def test_a_form_of_a_megabyte_is_refused_in_one_sentence(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path, form = await note_form(client, house, "x" * 1_000_000)
        assert (await client.post(f"{path}/note", data=form)).status_code == 413
        assert (await client.get(path)).status_code == 200

    play(house, story)


async def admission(client: httpx.AsyncClient, **change: str) -> httpx.Response:
    page = (await client.get("/admission")).text
    form = {
        "csrf": hidden(page, "csrf"),
        "key": hidden(page, "key"),
        "sex": "male",
        "class": "EMER",
        "age": "40",
        "ward": "URGENCES",
        "bed": "B4",
        "description": "Veste rouge",
        "arrived_time": "13:45",
        "arrived_day": "0",
    }
    return await client.post("/admission", data=form | change)


def test_an_unknown_person_gets_a_temporary_number_and_a_bed(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        answer = await admission(client)
        assert answer.status_code == 303
        words = words_of((await client.get(answer.headers["location"])).text).replace("\xa0", " ")
        assert "Écrire ce numéro sur le bracelet : T-H01-" in words
        assert "IDENTITÉ TEMPORAIRE" in words
        assert "URGENCES · B4" in words
        assert "env. 40 ans" in words
        assert "13:45" in words
        assert "INCONNU" in words_of((await client.get("/?ward=URGENCES")).text)

    play(house, story)


def test_two_admissions_have_two_numbers_and_a_double_click_has_one(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        first = await admission(client, key="a" * 32)
        again = await admission(client, key="a" * 32)
        other = await admission(client, key="b" * 32)
        assert first.headers["location"] == again.headers["location"]
        assert first.headers["location"] != other.headers["location"]

    play(house, story)
    assert sum(count.occupied for count in house.views.wards() if count.ward == "URGENCES") == 2


@pytest.mark.parametrize(
    ("clock", "day", "shown"),
    [
        ("13h45", "0", "13:45"),
        ("905", "0", "09:05"),
        ("23:10", "1", "02-août 23:10"),
        ("", "0", "14:00"),
        ("14:03", "0", "14:00"),
    ],
)
def test_the_hour_of_arrival_is_written_as_people_write_it(house: House, clock: str, day: str, shown: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        answer = await admission(client, arrived_time=clock, arrived_day=day)
        words = words_of((await client.get(answer.headers["location"])).text)
        assert f"URGENCES · B4 {shown} → à présent" in words

    play(house, story)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sex": "x"}, "Choisir le sexe"),
        ({"sex": ""}, "Choisir le sexe"),
        ({"ward": " "}, "Indiquer le service"),
        ({"age": "abc"}, "L'âge apparent est un nombre"),
        ({"age": "121"}, "L'âge apparent est un nombre"),
        ({"arrived_time": "15:00"}, "L'heure d'arrivée"),
        ({"arrived_time": "hier"}, "L'heure d'arrivée"),
        ({"arrived_time": "24:00"}, "L'heure d'arrivée"),
        ({"arrived_day": "3"}, "L'heure d'arrivée"),
        ({"class": "XX"}, "incomplet"),
        ({"key": "zz"}, "incomplet"),
    ],
)
def test_a_wrong_admission_is_refused_and_keeps_what_was_typed(
    house: House, change: dict[str, str], sentence: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        answer = await admission(client, **change)
        assert answer.status_code == 400
        assert sentence in words_of(answer.text)
        assert "Veste rouge</textarea>" in answer.text

    play(house, story)
    assert house.drafts == []


def test_an_admission_that_the_disk_refuses_is_not_called_saved(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        house.is_refusing = True
        answer = await admission(client)
        assert answer.status_code == 503
        assert "n'a pas pu être enregistrée" in words_of(answer.text)

    play(house, story)
