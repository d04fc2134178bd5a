"""The ward list and the search."""

import httpx
import pytest

from releve.ward.ward_list import as_searched

from .cast import ADMIT_LEO, MINUTE_US, House, hidden, play, potassium, sign_in, words_of


def page_of(house: House, path: str) -> str:
    pages = []

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        answer = await client.get(path)
        assert answer.status_code == 200
        pages.append(answer.text)

    play(house, story)
    return pages[0]


def test_the_list_says_who_lies_in_which_bed_and_what_to_see_first(house: House) -> None:
    words = words_of(page_of(house, "/"))
    assert words.index("101 · 1") < words.index("LEFEBVRE") < words.index("102 · 1") < words.index("NGUYEN")
    assert "PENICILLINE" in words
    assert "74 ans" in words.replace("\xa0", " ")
    assert "2 patients" in words
    assert "Données reçues jusqu'à 14:00" in words


def test_new_results_since_the_reader_last_looked_are_counted_on_the_list(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        assert "2 nouveaux résultats" in words_of((await client.get("/")).text)
        await client.get(f"/patient/{house.find('lefebvre')}")
        assert "nouveaux résultats" not in words_of((await client.get("/")).text).replace("Nouveaux résultats", "")
        house.now += MINUTE_US
        house.hear(potassium("7.1", "HH", "20240803140030", number="K9"))
        assert "1 nouveau résultat" in words_of((await client.get("/")).text)

    play(house, story)


def test_a_temporary_identity_is_hatched_and_named_so(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        form = await client.get("/admission")
        fields = {"csrf": hidden(form.text, "csrf"), "key": hidden(form.text, "key"), "class": "EMER"}
        fields |= {"sex": "male", "ward": "CARDIO", "bed": "9"}
        assert (await client.post("/admission", data=fields)).status_code == 303
        page = (await client.get("/?ward=CARDIO")).text
        assert '<tr class="temporary">' in page
        assert "IDENTITÉ TEMPORAIRE" in page

    play(house, story)


def test_an_unknown_ward_is_empty_and_says_so(house: House) -> None:
    assert "Aucun patient dans ce service" in words_of(page_of(house, "/?ward=%3Cb%3E"))


def test_those_whose_sender_names_no_ward_can_be_listed_too(house: House) -> None:
    house.hear(ADMIT_LEO.replace(b"CARDIO^102^1^H01", b"").replace(b"800987654", b"811").replace(b"V78", b"V79"))

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        page = (await client.get("/")).text
        assert "Choisir un service" in page
        assert "sans service indiqué" in words_of(page)
        nameless = words_of((await client.get("/?ward=")).text)
        assert "NGUYEN" in nameless
        assert "LEFEBVRE" not in nameless

    play(house, story)


def test_the_last_ward_is_remembered_by_the_browser(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        house.hear(
            ADMIT_LEO.replace(b"CARDIO^102", "CŒUR – 2e^102".encode()).replace(b"|A2|", b"|A3|").replace(b"V78", b"V79")
        )
        assert "Choisir un service" in (await client.get("/")).text
        await client.get("/?ward=C%C5%92UR+%E2%80%93+2e")
        assert "<h1>CŒUR – 2e" in (await client.get("/")).text

    play(house, story)


@pytest.mark.parametrize("query", ["lefe", "LEFEBVRE marie", "800123456", "02/03/1950", "1950-03-02", "2.3.1950"])
def test_somebody_is_found_by_name_number_or_birth_date(house: House, query: str) -> None:
    page = page_of(house, f"/search?q={query.replace('/', '%2F').replace(' ', '+')}")
    assert "LEFEBVRE" in page
    assert "NGUYEN" not in page


def test_accents_do_not_matter_and_nobody_found_offers_an_admission(house: House) -> None:
    assert "NGUYEN" in page_of(house, "/search?q=leo")
    assert "Admettre une personne inconnue" in page_of(house, "/search?q=zorglub")
    assert "deux lettres" in page_of(house, "/search?q=z")


def test_a_search_is_audited_with_whom_it_showed_and_without_what_was_typed(house: House) -> None:
    page_of(house, "/search?q=lefebvre")
    searches = [entry for entry in house.audit if entry[1] == "search"]
    assert searches == [("nadia", "search", "Patient", "done", (house.find("lefebvre"),), "")]
    assert "lefebvre" not in repr(searches)


def test_the_list_is_audited_with_everybody_on_it(house: House) -> None:
    page_of(house, "/?ward=CARDIO")
    entry = next(entry for entry in house.audit if entry[1] == "list")
    assert set(entry[4]) == {house.find("lefebvre"), house.find("nguyen")}


def test_a_birth_date_is_read_day_first() -> None:
    assert as_searched("02/03/1950") == "1950-03-02"
    assert as_searched("2 3 1950") == "1950-03-02"
    assert as_searched("dupont 1950") == "dupont 1950"
