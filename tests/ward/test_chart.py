"""The chart: what was received is shown as it was said, dated and sourced, and never better than it is."""

import httpx

from releve.ward.chart import flag_of

from .cast import ADMIT_MARIE, MINUTE_US, House, hidden, play, potassium, sign_in, words_of


def chart_of(house: House, path: str = "", user: str = "nadia", language: str = "fr") -> httpx.Response:
    """Sign in and return Marie's chart."""
    answers = []

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, user)
        await client.get(f"/language/{language}?back=/status")
        answers.append(await client.get(path or f"/patient/{house.find('lefebvre')}", follow_redirects=True))

    play(house, story)
    return answers[0]


def test_the_identity_banner_names_birth_sex_number_bed_and_allergy(house: House) -> None:
    words = words_of(chart_of(house).text)
    assert "LEFEBVRE , Marie" in words or "LEFEBVRE, Marie" in words
    assert "02-mars-1950 (74 ans)" in words
    assert "féminin" in words
    assert "800123456" in words
    assert "CARDIO · 101 · 1" in words
    assert "PENICILLINE" in words


def test_a_critical_result_has_arrows_letters_and_words_and_the_range_and_the_trend(house: House) -> None:
    page = chart_of(house).text
    words = words_of(page)
    assert "6,8 mmol/L ↑↑ HH (critique, élevé)" in words
    assert "3,5–5,1" in words or "3,5 – 5,1" in words
    assert 'aria-label="Évolution : 4,4, 6,8"' in page


def test_english_keeps_the_decimal_point_and_the_english_letters(house: House) -> None:
    house.hear(potassium("3.0", "L", "20240803133000", number="K2"))
    page = chart_of(house, language="en")
    assert '<html lang="en">' in page.text
    assert "3.0 mmol/L ↓ L (low)" in words_of(page.text)
    assert "↓ B" in words_of(chart_of(house, language="fr").text)


def test_each_block_says_when_it_was_received_how_long_ago_and_from_whom(house: House) -> None:
    house.now += 4 * MINUTE_US
    assert "reçu à 14:00 (il y a 4 min) · Laboratoire (H01)" in words_of(chart_of(house).text).replace("\xa0", " ")


def test_a_corrected_result_is_marked_and_its_earlier_value_stays_readable(house: House) -> None:
    house.hear(potassium("4.8", "", "20240803130000", number="K1", status="C", issued="20240803135500"))
    words = words_of(chart_of(house).text)
    assert "4,8 mmol/L CORRIGÉ avant : 6,8 mmol/L" in words


def test_a_preliminary_result_is_said_to_be_preliminary(house: House) -> None:
    house.hear(potassium("5.0", "", "20240803134000", number="K3", status="P"))
    assert "5,0 mmol/L PROVISOIRE" in words_of(chart_of(house).text)


def test_a_result_that_only_became_final_warns_of_nothing(house: House) -> None:
    house.hear(potassium("5.0", "", "20240803134000", number="K3", status="P"))
    house.hear(potassium("5.0", "", "20240803134000", number="K3", status="F", issued="20240803135000"))
    said = words_of(chart_of(house).text)
    assert "5,0 mmol/L" in said
    assert "avant :" not in said


def test_a_cancelled_result_is_not_the_last_value_which_stands_below_it(house: House) -> None:
    house.hear(potassium("", "", "20240803134000", number="K4", status="X"))
    page = chart_of(house).text
    assert 'class="gone"' in page
    words = words_of(page)
    assert words.index("ANNULÉ") < words.index("6,8 mmol/L")


def test_allergies_that_nobody_recorded_are_not_none(house: House) -> None:
    words = words_of(chart_of(house, f"/patient/{house.find('nguyen')}").text)
    assert "non renseigné" in words
    assert "Rien de reçu ne veut pas dire aucune allergie" in words
    assert "aucune connue" not in words


def test_what_came_since_the_reader_last_looked_is_marked_once(house: House) -> None:
    first = chart_of(house).text
    assert "2 nouveaux résultats" in words_of(first) or "1 nouveau résultat" in words_of(first)
    house.now += MINUTE_US
    assert "nouveau résultat" not in words_of(chart_of(house).text)
    house.now += MINUTE_US
    house.hear(potassium("7.0", "HH", "20240803140100", number="K5"))
    assert "1 nouveau résultat" in words_of(chart_of(house).text)


def test_a_page_that_reloads_itself_keeps_the_marks_of_what_is_new(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        path = f"/patient/{house.find('lefebvre')}"
        assert "nouveau" in words_of((await client.get(path)).text)
        house.now += MINUTE_US
        again = await client.get(path, headers={"X-Releve-Auto": "1"})
        assert "chip new" in again.text

    play(house, story)


def test_every_read_of_a_chart_is_audited_with_the_patient(house: House) -> None:
    chart_of(house)
    marie = house.find("lefebvre")
    assert ("nadia", "read", "Patient", "done", (marie,), "") in house.audit


def test_hostile_text_in_a_message_is_text_on_the_page(house: House) -> None:
    hostile = ADMIT_MARIE.replace(b"LEFEBVRE^Marie", b"<script>alert(1)</script>^{{7*7}}").replace(b"|A1|", b"|A9|")
    house.hear(hostile.replace(b"20240803090000", b"20240803100000"))
    page = chart_of(house, f"/patient/{house.find('800123456')}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{7*7}}" in page


def test_an_address_without_a_record_says_so(house: House) -> None:
    answer = chart_of(house, "/patient/00000000-0000-5000-8000-000000000000")
    assert answer.status_code == 404
    assert "Dossier introuvable ici" in words_of(answer.text)


def test_the_page_of_a_result_has_every_value_and_a_trend(house: House) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client)
        chart = await client.get(f"/patient/{house.find('lefebvre')}")
        path = chart.text.split('class="results cards"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
        page = await client.get(path)
        assert page.status_code == 200
        assert 'class="trend"' in page.text
        words = words_of(page.text)
        assert "6,8 mmol/L" in words
        assert "4,4 mmol/L" in words
        assert (await client.get(path + "zz")).status_code == 404

    play(house, story)


MERGE = (
    b"MSH|^~\\&|DPI|H01|RELEVE|H01|20240803120000||ADT^A40^ADT_A39|M1|P|2.5|||||FRA|UNICODE UTF-8\r"
    b"EVN||20240803120000\rPID|||800123456^^^H01^PI||LEFEBVRE^Marie\rMRG|800987654^^^H01^PI\r"
)


def test_a_merged_identity_leads_to_the_person_and_a_doctor_can_undo_it(house: House) -> None:
    marie, leo = house.find("lefebvre"), house.find("nguyen")
    house.hear(MERGE)

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "paul")
        page = await client.get(f"/patient/{leo}", follow_redirects=True)
        assert page.url.path == f"/patient/{marie}"
        assert "a été fusionnée dans celle-ci" in words_of(page.text)
        assert "Annuler la fusion" in words_of(page.text)
        form = {name: hidden(page.text, name) for name in ("csrf", "key", "loser", "winner")}
        assert form["loser"] == leo
        house.now += MINUTE_US
        after = await client.post(f"/patient/{marie}/unmerge", data=form, follow_redirects=True)
        assert "La fusion est annulée" in words_of(after.text)
        assert (await client.get(f"/patient/{leo}")).status_code == 200
        again = await client.post(f"/patient/{marie}/unmerge", data=form)
        assert again.status_code == 409

    play(house, story)


def test_a_nurse_sees_the_merge_but_cannot_undo_it(house: House) -> None:
    marie, leo = house.find("lefebvre"), house.find("nguyen")
    house.hear(MERGE)

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "nadia")
        page = (await client.get(f"/patient/{marie}")).text
        assert "Un médecin peut annuler cette fusion" in words_of(page)
        form = {"csrf": hidden(page, "csrf"), "key": hidden(page, "key"), "loser": leo, "winner": marie}
        assert (await client.post(f"/patient/{marie}/unmerge", data=form)).status_code == 403

    play(house, story)
    assert house.drafts == []


def test_a_flag_that_nobody_knows_is_shown_as_it_came() -> None:
    found = flag_of("QZ")
    assert found is not None
    assert found.letters == "QZ"
    assert flag_of("N") is None
    assert flag_of("") is None
