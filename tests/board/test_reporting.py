"""Situation reports on pages: read, worded, signed, published, by named people."""

import httpx

from ward.cast import MINUTE_US, play, sign_in

from .scene import Crisis
from .test_crisis import get, post, words


def sign(crisis: Crisis, verb: str, user: str = "cora", number: int = 1) -> httpx.Response:
    return post(crisis, f"/crisis/reports/{number}/sign", user, verb=verb)


def draft(crisis: Crisis, user: str = "cora") -> httpx.Response:
    return post(crisis, "/crisis/reports/draft", user)


def test_a_report_is_drafted_worded_approved_and_published_under_names(crisis: Crisis) -> None:
    assert "Point n° 1 · projet" in words(draft(crisis))
    edited = post(
        crisis, "/crisis/reports/1/edit", "ines",
        section="emergency", lang="fr", audience="cell", words="Urgences ouvertes, SAMU joignable.",
    )  # fmt: skip
    assert "Urgences ouvertes, SAMU joignable." in words(edited)
    assert "Inès Informatique" in words(edited)
    assert sign(crisis, "approve", "paul").status_code == 200
    assert "Point n° 1 · publié" in words(sign(crisis, "publish"))
    (edition,) = crisis.reports.editions()
    assert edition.prepared is not None
    assert edition.authorized is not None
    assert (edition.prepared.by.text, edition.authorized.by.text) == (
        "Inès Informatique (informatique)", "Dr Paul Roux (médecin)",
    )  # fmt: skip
    assert "15:00 prochain point de situation" in words(get(crisis, "/crisis"))


def test_what_may_not_be_published_is_refused_with_the_reason(crisis: Crisis) -> None:
    draft(crisis)
    answer = sign(crisis, "publish")
    assert answer.status_code == 409
    assert "pas approuvé en l’état" in words(answer)
    sign(crisis, "approve")
    crisis.house.now += 61 * MINUTE_US
    answer = sign(crisis, "publish")
    assert answer.status_code == 409
    assert "plus d’une heure" in words(answer)


def test_words_take_an_approval_back(crisis: Crisis) -> None:
    draft(crisis)
    assert "approuvé" in words(sign(crisis, "approve"))
    post(crisis, "/crisis/reports/1/edit", section="staff", lang="fr", audience="staff", only="1", words="Papier.")
    assert [one.status for one in crisis.reports.editions()] == ["drafted"]
    assert "Papier." in words(get(crisis, "/crisis/reports/1?audience=staff"))
    part = get(crisis, "/crisis/reports/1?audience=cell").text.partition('id="h-staff"')[2].partition("</section>")[0]
    assert "Papier." not in part


def test_nurses_read_and_do_not_sign(crisis: Crisis) -> None:
    draft(crisis)
    assert get(crisis, "/crisis/reports/1", "nadia").status_code == 200
    assert sign(crisis, "approve", "nadia").status_code == 403
    assert draft(crisis, "nadia").status_code == 403
    assert get(crisis, "/crisis/reports/1", "").status_code == 303


def test_a_report_is_read_as_each_reader_would_in_both_languages(crisis: Crisis) -> None:
    draft(crisis)
    statuses = {}

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, "cora")
        for audience in ("cell", "staff", "authorities", "public", "nobody"):
            for lang in ("fr", "en", "xx"):
                answer = await client.get(f"/crisis/reports/1?audience={audience}&lang={lang}")
                statuses[audience, lang] = answer.status_code
        assert (await client.get("/crisis/reports/9")).status_code == 404

    play(crisis.house, story)
    assert set(statuses.values()) == {200}


def test_words_that_nobody_gave_are_not_made_up(crisis: Crisis) -> None:
    draft(crisis)
    assert post(crisis, "/crisis/reports/1/edit", section="none", lang="fr", words="x").status_code == 409
    assert post(crisis, "/crisis/reports/1/edit", section="care", lang="fr", words="x" * 4001).status_code == 409
    assert post(crisis, "/crisis/reports/7/edit", section="care", lang="fr", words="x").status_code == 409
    (edition,) = crisis.reports.editions()
    assert edition.edits == ()


def test_what_another_node_published_is_read_here_and_changed_there(crisis: Crisis) -> None:
    draft(crisis)
    sign(crisis, "approve")
    sign(crisis, "publish")
    crisis.others = [("H03", crisis.reports.editions()[0])]
    assert "Point n° 1 (H03)" in words(get(crisis, "/crisis/reports"))
    page = get(crisis, "/crisis/reports/H03/1?audience=public")
    assert "Point n° 1 (H03) · publié" in words(page)
    assert "/edit" not in page.text
    assert get(crisis, "/crisis/reports/H09/1").status_code == 404
