"""The board, the public page and what machines read."""

import httpx
import orjson
import pytest

from releve.board import HubState
from releve.log import Body, Draft, encode_body
from releve.record.capture import note_draft
from releve.recovery.alert import Alert
from ward.cast import MINUTE_US, NOON_US, House, hidden, play, sign_in, words_of

from .test_metrics import parse

UNKNOWN_TYPE = (
    b"MSH|^~\\&|VAC|H01|RELEVE|H01|20240803120000||VXU^V04^VXU_V04|V1|P|2.5\rPID|||800123456^^^H01^PI||LEFEBVRE^Marie\r"
)


def refuse_a_note(house: House, key: str = "k1") -> int:
    """Capture a note of Marie's and let the destination refuse it; returns its position."""
    draft = note_draft(
        key=key,
        patient_id=house.find("lefebvre"),
        encounter_id="",
        text="x",
        author="nadia",
        author_display="Nadia Benali",
        at=house.now,
    )
    pos = house.log.append_now(draft).pos
    told = {
        "destination": "dossier",
        "pos": pos,
        "event_id": draft.event_id.hex(),
        "state": "refused",
        "ack": "AE 204 unknown patient",
        "attempts": 2,
    }
    house.log.append_now(Draft("site", "delivery", key.encode().ljust(16), encode_body(Body(told))))
    house.archive.fold_all()
    return pos


def get(house: House, path: str, user: str = "ines", **headers: str) -> httpx.Response:
    answers = []

    async def story(client: httpx.AsyncClient) -> None:
        if user:
            await sign_in(client, user)
        answers.append(await client.get(path, headers=headers))

    play(house, story)
    return answers[0]


def words(answer: httpx.Response) -> str:
    return words_of(answer.text).replace("\xa0", " ").replace("\u202f", " ")


def test_the_board_says_the_state_of_each_service_since_when_and_why(house: House) -> None:
    house.service("down")
    house.service("normal", name="Automate", central=False)
    said = words(get(house, "/board"))
    assert "Dossier patient centre ✗ en panne 13:40 (il y a 20 min) 14:00 (à l'instant) no answer" in said
    assert "Automate ✓ normal" in said


def test_the_board_says_which_feed_is_late(house: House) -> None:
    house.now += 6 * MINUTE_US
    said = words(get(house, "/board"))
    assert "Laboratoire LAB|H01 ✗ en retard 14:00 (il y a 6 min) 5 min 2 ORU^R01 2" in said
    assert "DPI H01 DPI|H01 sans limite fixée" in said


def test_the_board_shows_alerts_of_the_monitoring_as_evidence(house: House) -> None:
    assert "Alertes de la supervision" not in words(get(house, "/board"))
    since = house.now - 20 * MINUTE_US
    house.alerts = [
        Alert("f1", "firing", "FeedDown", "feed-a", "critical", "Voie A sans courant", since, 0, since, "releve", {}),
        Alert("f2", "firing", "DiskSlow", "", "", "<b>lent</b>", since, 0, since, "releve", {}),
    ]
    said = words(get(house, "/board"))
    assert "un indice, pas un état" in said
    assert "FeedDown critical feed-a 13:40 (il y a 20 min) Voie A sans courant" in said
    assert "DiskSlow ne nomme aucun élément du parc" in said


def test_the_board_says_what_each_hub_does_not_hold_yet(house: House) -> None:
    house.hubs = [HubState("hub-a", "down", NOON_US - MINUTE_US, NOON_US, 37, NOON_US - MINUTE_US, "no connection")]
    assert "hub-a ✗ en panne 13:59 13:59 (il y a 1 min) 37 événements no connection" in words(get(house, "/board"))


def test_what_is_kept_and_not_understood_is_counted_with_its_reason(house: House) -> None:
    house.hear(UNKNOWN_TYPE, UNKNOWN_TYPE.replace(b"|V1|", b"|V2|"))
    answer = get(house, "/board")
    said = words(answer)
    assert "Gardés, pas encore compris : 2" in said
    assert "VXU^V04 2 hl7v2.no-translation" in said
    assert "LEFEBVRE" not in answer.text.upper()


def test_a_refusal_waits_for_a_person_and_says_what_the_destination_said(house: House) -> None:
    pos = refuse_a_note(house)
    said = words(get(house, "/board"))
    assert "1 refusé, attend une décision" in said
    assert f"Événement {pos} · note · 14:00 · 2 essais réponse : AE 204 unknown patient" in said


@pytest.mark.parametrize("user", ["ines", "cora", "paul"])
@pytest.mark.parametrize(("verb", "reason"), [("again", ""), ("by-hand", "entered at the desk")])
def test_a_person_decides_and_signs(house: House, user: str, verb: str, reason: str) -> None:
    pos = refuse_a_note(house)

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, user)
        page = (await client.get("/board")).text
        form = {"csrf": hidden(page, "csrf"), "destination": "dossier", "pos": str(pos), "verb": verb, "reason": reason}
        answer = await client.post("/board/decision", data=form)
        assert answer.headers["location"] == "/board?done=decision#writeback"

    play(house, story)
    (decision,) = house.decisions
    assert (decision.destination, decision.pos, decision.verb, decision.reason) == ("dossier", pos, verb, reason)
    assert decision.who == user


@pytest.mark.parametrize(
    ("user", "change", "status"),
    [
        ("nadia", {}, 403),
        ("ines", {"verb": "by-hand"}, 400),
        ("ines", {"verb": "forget"}, 400),
        ("ines", {"destination": "elsewhere"}, 400),
        ("ines", {"pos": "-1"}, 400),
        ("ines", {"pos": "999"}, 409),
        ("ines", {"csrf": "x.y"}, 403),
    ],
)
def test_a_decision_that_is_not_sound_changes_nothing(
    house: House, user: str, change: dict[str, str], status: int
) -> None:
    pos = refuse_a_note(house)

    async def story(client: httpx.AsyncClient) -> None:
        await sign_in(client, user)
        page = (await client.get("/board")).text
        form = {"csrf": hidden(page, "csrf"), "destination": "dossier", "pos": str(pos), "verb": "again", "reason": ""}
        assert (await client.post("/board/decision", data=form | change)).status_code == status

    play(house, story)
    assert house.decisions == []


def test_reports_are_listed_and_shown_in_a_box_of_their_own(house: House) -> None:
    (house.folder / "reports" / "report-0001.fr.html").write_text("<h1>Point 1</h1>")
    (house.folder / "reports" / "report-0001.fr.pdf").write_bytes(b"%PDF-1.7")

    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.get("/board/reports/report-0001.fr.html")).status_code == 303
        await sign_in(client, "cora")
        assert "/board/reports/report-0001.fr.html" in (await client.get("/board")).text
        answer = await client.get("/board/reports/report-0001.fr.html")
        assert answer.text == "<h1>Point 1</h1>"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        paper = await client.get("/board/reports/report-0001.fr.pdf")
        given = paper.headers["content-type"], paper.headers["content-disposition"]
        assert given == ("application/pdf", "attachment")
        assert (await client.get("/board/reports/..%2Faccounts.db")).status_code == 404

    play(house, story)


def test_the_public_page_names_services_and_nobody(house: House) -> None:
    house.service("down")
    answer = get(house, "/status", user="")
    assert answer.status_code == 200
    assert "L'hôpital fonctionne en mode dégradé" in words(answer)
    assert "Dossier patient ✗ en panne" in words(answer)
    for private in ("LEFEBVRE", "800123456", "no answer", "nadia"):
        assert private not in answer.text
    assert get(house, "/status", user="", accept="application/json").json() == {
        "site": {"id": "H01", "name": "Hôpital d'essai"},
        "at": "2024-08-03T12:00:00.000Z",
        "mode": "down",
        "services": [
            {"id": "dossier patient", "name": "Dossier patient", "state": "down", "since": "2024-08-03T11:40:00.000Z"}
        ],
    }


def test_the_public_page_of_a_quiet_day_says_that_all_answers(house: House) -> None:
    house.service("normal")
    assert "Tous les systèmes du centre répondent." in words(get(house, "/status", user=""))


def test_health_is_ok_while_the_views_keep_up_and_503_when_they_do_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = get(house, "/healthz", user="")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["log_position"] == answer.json()["view_position"] == 4
    monkeypatch.setattr("releve.board.routes.LAG_EVENTS_MAX", 0)
    house.log.append_now(Draft("site", "opened", b"0" * 16, encode_body(Body())))
    behind = get(house, "/healthz", user="")
    assert (behind.status_code, behind.json()["status"], behind.json()["lag_events"]) == (503, "behind", 1)


def test_without_views_health_is_failing_and_the_board_still_shows_services(house: House) -> None:
    house.service("down")
    house.archive.close = lambda: None  # closed below, by hand
    type(house.archive).close(house.archive)
    house.views.close()
    for path in house.folder.glob("views.db*"):
        path.unlink()
    answer = get(house, "/healthz", user="")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    said = words(get(house, "/board"))
    assert "se reconstruit à partir de son journal" in said
    assert "Dossier patient centre ✗ en panne" in said
    chart = get(house, "/", user="nadia")
    assert chart.status_code == 503
    assert "Passer au papier" in words(chart)
    assert get(house, "/metrics", user="").status_code == 200


def test_metrics_say_services_feeds_positions_and_what_is_owed(house: House) -> None:
    house.service("down")
    house.hubs = [HubState("hub-a", "down", NOON_US, NOON_US, 37)]
    refuse_a_note(house)
    house.hear(UNKNOWN_TYPE)
    house.now += 6 * MINUTE_US
    answer = get(house, "/metrics", user="")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = parse(answer.text)
    found = {(name, labels.get("sender", "")): value for name, labels, value in samples}
    assert found["releve_service_up", ""] == 0
    assert found["releve_hub_owed_events", ""] == 37
    assert found["releve_feed_age_seconds", "LAB|H01"] == 360
    assert found["releve_feed_late", "LAB|H01"] == 1
    assert found["releve_log_position", ""] == house.ledger.last_pos()
    assert found["releve_fold_lag_events", ""] == 0
    assert found["releve_writeback_refused", ""] == 1
    assert found["releve_kept_not_understood_total", ""] == 1
    assert "LEFEBVRE" not in answer.text


def test_metrics_can_be_closed_to_those_without_a_token(house: House) -> None:
    answer = get(house, "/metrics", user="", authorization="Bearer wrong")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_board_is_for_staff(house: House) -> None:
    assert get(house, "/board", user="").headers["location"] == "/login?next=/board"
    assert orjson.loads(get(house, "/healthz", user="").content)["site"] == "H01"
