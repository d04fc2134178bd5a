"""The pages of the crisis cell."""

import asyncio

import httpx
import orjson
import pytest

from releve.recovery.folder import Decision
from releve.recovery.plan import make_plan
from ward.cast import PASSWORD, House, hidden, play, sign_in, words_of

from .scene import BEGAN, MIN, Crisis

PAGES = ["", "/restart", "/decisions", "/reports", "/journal", "/cause", "/estate", "/estate?unit=storage"]
RELEASE = {"unit": "laboratory", "hospital": "H01", "act": "release", "asked_at": str(BEGAN + round(38.5 * MIN))}


def words(answer: httpx.Response) -> str:
    return words_of(answer.text).replace("\xa0", " ").replace("\u202f", " ")


def get(crisis: Crisis, path: str, user: str = "cora", **headers: str) -> httpx.Response:
    answers = []

    async def story(client: httpx.AsyncClient) -> None:
        if user:
            await sign_in(client, user)
        answers.append(await client.get(path, headers=headers))

    play(crisis.house, story)
    return answers[0]


def post(crisis: Crisis, path: str, user: str = "cora", **fields: str) -> httpx.Response:
    answers = []

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, user)
        token = hidden((await client.get("/crisis/decisions")).text, "csrf")
        answers.append(await client.post(path, data={"csrf": token, **fields}, follow_redirects=True))

    play(crisis.house, story)
    return answers[0]


@pytest.mark.parametrize("user", ["nadia", "paul", "ines", "cora"])
def test_everybody_signed_in_may_look(crisis: Crisis, user: str) -> None:
    statuses = {}

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, user)
        for path in (*PAGES, "/journal.txt"):
            statuses[path] = (await client.get(f"/crisis{path}")).status_code

    play(crisis.house, story)
    assert set(statuses.values()) == {200}, statuses


def test_nobody_else_may(crisis: Crisis) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for path in (*PAGES, "/live", "/journal.csv"):
            answer = await client.get(f"/crisis{path}")
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=")

    play(crisis.house, story)


def test_the_overview_says_what_is_out_for_whom_since_when_and_until_when(crisis: Crisis) -> None:
    said = words(get(crisis, "/crisis"))
    assert "3 / 3 hôpitaux touchés 920 / 920 lits dans ces hôpitaux" in said
    assert (
        "Dossier patient ✗ en panne 3 11:00 (il y a 3 h 00) 3 hôpitaux, 920 lits vers 14:30, au plus tard 15:05" in said
    )
    assert "! plus tard qu’annoncé annoncé à 13:26 : au plus tard 14:56" in said
    assert "? H03 Hôpital de l'Est – inconnu" in said


def test_a_forecast_that_was_a_first_estimate_says_so(crisis: Crisis) -> None:
    crisis.announce(39, {"record": (10, 20)}, provisional=True)
    assert "première estimation, rien n’est encore mesuré" in words(get(crisis, "/crisis"))


def test_without_a_forecast_no_date_is_given(crisis: Crisis) -> None:
    (crisis.path / "forecasts.jsonl").unlink()
    assert "Relève ne donne aucune date" in words(get(crisis, "/crisis"))


def test_the_restart_names_what_limits_it_and_its_critical_path(crisis: Crisis) -> None:
    crisis.plan(make_plan(crisis.estate))
    said = words(get(crisis, "/crisis/restart"))
    assert "En cours depuis 13:20" in said
    assert "6 / 10 étapes faites" in said
    assert "Ce qui limite : la chaîne des dépendances" in said
    assert "Chemin critique : 4 étapes" in said
    assert "13:21 → 13:40 prévu 13:20 → 13:35" in said


def test_a_wall_screen_has_large_type(crisis: Crisis) -> None:
    assert '<html lang="fr" class="wall' in get(crisis, "/crisis?wall=1").text


def test_a_wall_screen_looks_and_decides_nothing(crisis: Crisis) -> None:
    crisis.house.accounts.add("mur", "Salle de crise", "wall", PASSWORD)

    async def story(client: httpx.AsyncClient) -> None:
        answer = await sign_in(client, "mur")
        assert answer.headers["location"] == "/crisis?wall=1"
        token = hidden((await client.get("/crisis/decisions")).text, "csrf")
        data = {"csrf": token, "verb": "release", **RELEASE}
        assert (await client.post("/crisis/decision", data=data)).status_code == 403
        patient = crisis.house.find("lefebvre")
        assert (await client.get(f"/patient/{patient}")).status_code == 403
        assert (await client.get("/")).status_code in (303, 403)

    play(crisis.house, story)


def test_without_an_estate_every_page_says_what_is_missing(house: House) -> None:
    crisis = Crisis(house)
    (crisis.path / "estate.toml").unlink()
    for path in PAGES:
        assert get(crisis, f"/crisis{path}").status_code == 200
    assert "pas de fichier du parc" in words(get(crisis, "/crisis"))
    (crisis.path / "estate.toml").write_text('[estate]\nname = "x"\n[[service]]\nid = "a"\nneeds = ["b"]\n')
    assert "estate.toml" in words(get(crisis, "/crisis"))


def test_a_release_is_decided_and_signed(crisis: Crisis) -> None:
    answer = post(crisis, "/crisis/decision", "paul", verb="release", **RELEASE)
    assert answer.status_code == 200
    (decision,) = crisis.folder.decisions()
    assert (decision.verb, decision.unit, decision.hospital, decision.by, decision.role) == (
        "release", "laboratory", "H01", "paul", "doctor",
    )  # fmt: skip
    assert decision.id.startswith("H01-")
    assert "paul a décidé : remise aux soins pas encore pris par le redémarrage" in words(answer)


def test_the_second_of_two_people_is_told_who_was_first(crisis: Crisis) -> None:
    crisis.decide("refuse", "laboratory", hospital="H01", by="ines")
    answer = post(crisis, "/crisis/decision", "paul", verb="release", **RELEASE)
    assert answer.status_code == 409
    assert "ines a décidé « ne pas remettre » à 13:59" in words(answer)
    assert [one.by for one in crisis.folder.decisions()] == ["ines"]


def test_two_decisions_at_the_very_same_moment_leave_one(crisis: Crisis) -> None:
    statuses = []

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "cora")
        token = hidden((await client.get("/crisis/decisions")).text, "csrf")
        sent = [
            client.post("/crisis/decision", data={"csrf": token, "verb": verb, "reason": "x", **RELEASE})
            for verb in ("release", "refuse")
        ]
        statuses.extend(answer.status_code for answer in await asyncio.gather(*sent))

    play(crisis.house, story)
    assert sorted(statuses) == [303, 409]
    assert len(crisis.folder.decisions()) == 1


NONSENSE: list[tuple[dict[str, str], int]] = [
    ({"verb": "retry", **RELEASE}, 400),
    ({"verb": "refuse", **RELEASE}, 400),
    ({"verb": "release", **RELEASE, "unit": "nothing"}, 409),
    ({"verb": "release", **RELEASE, "hospital": "H09"}, 409),
    ({"verb": "release", **RELEASE, "asked_at": "x"}, 303),
    ({"verb": "cancel"}, 400),
    ({"verb": "resume"}, 409),
    ({"verb": ""}, 400),
    ({"verb": "declare", "unit": "", "act": "declare"}, 400),
]


def test_a_decision_that_makes_no_sense_changes_nothing(crisis: Crisis) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "cora")
        token = hidden((await client.get("/crisis/decisions")).text, "csrf")
        for fields, status in NONSENSE:
            answer = await client.post("/crisis/decision", data={"csrf": token, **fields})
            assert answer.status_code == status, fields
            assert len(crisis.folder.decisions()) == (status == 303)
            (crisis.path / "decisions.jsonl").unlink(missing_ok=True)

    play(crisis.house, story)


def test_deciding_is_for_those_who_answer_for_it(crisis: Crisis) -> None:
    assert post(crisis, "/crisis/decision", "nadia", verb="release", **RELEASE).status_code == 403
    assert crisis.folder.decisions() == []


def test_a_form_of_another_session_changes_nothing(crisis: Crisis) -> None:
    assert post(crisis, "/crisis/decision", verb="release", **RELEASE, csrf="x.y").status_code == 403
    assert crisis.folder.decisions() == []


def test_the_run_is_paused_once(crisis: Crisis) -> None:
    assert post(crisis, "/crisis/decision", verb="pause").status_code == 200
    crisis.tell("paused", minute=39)
    assert post(crisis, "/crisis/decision", verb="pause").status_code == 409
    assert "En pause" in words(get(crisis, "/crisis/restart"))


def test_a_decision_that_the_run_turned_down_is_told(crisis: Crisis) -> None:
    crisis.tell("not-obeyed", "laboratory", 39, by="ines", detail="paul was first")
    assert "ines – une décision n’a pas été exécutée : paul was first" in words(get(crisis, "/crisis/decisions"))


def test_a_declaration_stands_in_the_cause_file_under_its_name(crisis: Crisis) -> None:
    answer = post(crisis, "/crisis/declaration", "ines", words="Disjoncteur Q3 ouvert, vu sur place.")
    assert "Disjoncteur Q3 ouvert, vu sur place. ines (informatique)" in words(answer)
    assert post(crisis, "/crisis/declaration", "ines", words=" ").status_code == 400
    assert post(crisis, "/crisis/declaration", "nadia", words="x").status_code == 403


def test_what_falls_if_this_falls_stands_beside_the_picture(crisis: Crisis) -> None:
    answer = get(crisis, "/crisis/estate?unit=database")
    assert "<svg" in answer.text
    said = words(answer)
    assert "2 éléments tombent avec" in said
    assert "Hôpital d'essai – Dossier patient, Résultats de laboratoire" in said
    assert get(crisis, "/crisis/estate?unit=<script>").status_code == 200


def test_the_journal_is_taken_away_as_it_is_filtered(crisis: Crisis) -> None:
    values = orjson.loads(get(crisis, "/crisis/journal.json?unit=storage").content)
    assert [value["kind"] for value in values] == ["asked", "up"]
    answer = get(crisis, "/crisis/journal.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="releve-journal-H01.csv"'
    assert get(crisis, "/crisis/journal.exe").status_code == 404


def test_a_hostile_name_is_shown_as_text(crisis: Crisis) -> None:
    crisis.folder.decide(Decision("x", BEGAN, "declare", "<script>alert(1)</script>", "it", "cause", reason="<b>x</b>"))
    crisis.tell("failed", "record", 39, detail="<img src=x onerror=alert(1)>")
    for path in ("/crisis/cause", "/crisis/journal", "/crisis/restart"):
        text = get(crisis, path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
