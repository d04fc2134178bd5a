"""The runbook on paper: who, how, what proves it, what to do if not; and a fingerprint that tells an old copy."""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from releve.cli import main
from releve.estate import Estate, load
from releve.recovery.plan import make_plan
from releve.sitrep.runbook import contents, fingerprint, runbook
from releve.sitrep.runbook_wording import EN, FR

AT = 1_722_675_600_000_000
ESTATE = """
[estate]
name = {fr = "Centre d'hébergement", en = "Hosting centre"}

[[site]]
id = "H01"
name = "Hôpital du Nord"

[[site]]
id = "H02"
name = "Hôpital du Sud"

[[contact]]
id = "duty"
name = {fr = "Astreinte", en = "Systems on call"}
phone = "01 00 00 00 01"

[[contact]]
id = "lab"
name = {fr = "Biologiste de garde", en = "Duty biologist"}
phone = "01 00 00 00 02"

[[feed]]
id = "feed-a"
name = {fr = "Arrivée électrique A", en = "Power feed A"}
probe = "nut://monitor:secret@127.0.0.1:3493/ups-a"

[[storage]]
id = "array"
name = {fr = "Baie", en = "Array"}
owner = "duty"
needs = ["feed-a"]
start = {redfish = "https://admin@10.0.0.5/redfish/v1/Systems/1", reset = "On", password_file = "array.secret"}
stop = {redfish = "https://admin@10.0.0.5/redfish/v1/Systems/2", reset = "GracefulShutdown", password_file = "a"}
check = {command = ["/usr/sbin/fsck", "-n", "/dev/a"]}
repair = {fr = "Appeler le constructeur.", en = "Call the maker."}

[[host]]
id = "dns"
name = {fr = "Serveur de noms", en = "Name server"}
needs = ["array", "ldap"]
start = {ssh = "ssh://root@10.0.0.7", command = ["systemctl", "start", "name server"], key_file = "k"}

[[host]]
id = "ldap"
name = {fr = "Annuaire", en = "Directory"}
needs = ["array", "dns"]
start = {ansible = "start-ldap.yml"}

[[break]]
unit = "dns"
without = "ldap"
how = {fr = "compte local", en = "local account"}

[[service]]
id = "results"
name = {fr = "Résultats", en = "Results"}
tier = 1
needs = ["dns", "ldap"]
duration = {p50_s = 1200, p90_s = 1800}
start = {person = "lab", do = {fr = "Lancer l'automate 1, puis 2", en = "Start analyser 1, then 2"}}
release = "lab"
released_by_hospital = true
wave = 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "estate.toml").write_text(ESTATE, "utf-8")
    return tmp_path / "estate.toml"


@pytest.fixture
def estate(path: Path) -> Estate:
    return load(path)


def step(estate: Estate, unit: str, lang: str = "en") -> dict[str, str]:
    """Return what is printed about one step: name of the line → text."""
    printed = contents(estate, make_plan(estate), lang, AT)
    found: dict[str, Any] = next(one for one in printed["steps"] if one["id"] == unit)
    return {fact["name"]: fact["text"].replace("\u00a0", " ") for fact in found["facts"]}


def test_a_step_says_who_how_what_proves_it_and_what_if_not(estate: Estate) -> None:
    assert step(estate, "array") == {
        "After": "Power feed A (1)",
        "Who": "Systems on call, 01 00 00 00 01",
        "How": "by the management card https://admin@10.0.0.5/redfish/v1/Systems/1 (Redfish): On",
        "Proof": "no probe: look with your own eyes",
        "Length": "not written down",
        "Integrity": "on the recovery machine: /usr/sbin/fsck -n /dev/a",
        "If it fails": "2 tries, then: Call the maker.",
    }
    assert step(estate, "dns")["How"] == "by SSH on ssh://root@10.0.0.7: systemctl start 'name server'"
    assert "waiting for it: Directory" in step(estate, "dns")["If it fails"]
    assert step(estate, "ldap")["How"] == "by Ansible: start-ldap.yml"
    assert step(estate, "feed-a")["How"] == "comes back by itself: wait for the proof"


def test_a_step_by_hand_is_for_the_person_who_does_it(estate: Estate) -> None:
    told = step(estate, "results", "fr")
    assert told["Qui"] == "Biologiste de garde, 01 00 00 00 02"
    assert told["Comment"] == "à la main : Lancer l'automate 1, puis 2"
    assert told["Durée"] == "20 min une fois sur deux, moins de 30 min neuf fois sur dix"
    assert told["Libération"] == "Biologiste de garde, 01 00 00 00 02, hôpital par hôpital ; par vagues, 1 à la fois"


def test_no_password_is_printed(estate: Estate) -> None:
    assert step(estate, "feed-a")["Proof"] == "nut://monitor@127.0.0.1:3493/ups-a"
    assert "array.secret" not in str(contents(estate, make_plan(estate), "en", AT))


def test_a_cycle_says_how_it_is_opened(estate: Estate) -> None:
    printed = contents(estate, make_plan(estate), "en", AT)
    assert printed["breaks"] == ["Name server (3) without Directory (4): local account"]
    assert step(estate, "dns")["After"] == "Array (2)"


def test_the_order_of_the_stop_takes_nothing_from_under_what_still_runs(estate: Estate) -> None:
    stops = [one["id"] for one in contents(estate, make_plan(estate), "en", AT)["stops"]]
    assert stops == ["results", "ldap", "dns", "array", "feed-a"]


def test_every_service_that_must_be_released_has_a_box_for_each_hospital(estate: Estate) -> None:
    printed = contents(estate, make_plan(estate), "fr", AT)
    assert printed["gates"] == ["Résultats"]
    assert [(row["name"], row["has"]) for row in printed["hospitals"]] == [
        ("Hôpital du Nord", [True]),
        ("Hôpital du Sud", [True]),
    ]


def test_every_copy_carries_its_fingerprint_and_changes_it_with_the_estate(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint(load(path))
    printed = contents(load(path), make_plan(load(path)), "en", AT)
    assert first in printed["stamp"]
    assert first in printed["foot"]
    monkeypatch.chdir(tmp_path)
    assert fingerprint(load(Path("estate.toml"))) == first, "however the file was named"
    elsewhere = tmp_path / "node" / "recovery" / "estate.toml"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("# a comment moves every line\n" + ESTATE, "utf-8")
    assert fingerprint(load(elsewhere)) == first, "the same estate in another folder is the same"
    elsewhere.write_text(ESTATE.replace("01 00 00 00 02", "01 00 00 00 03"), "utf-8")
    assert fingerprint(load(elsewhere)) != first, "another telephone number is another runbook"


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_it_prints(estate: Estate, lang: str) -> None:
    printed = runbook(estate, make_plan(estate), lang, AT)
    assert printed.startswith(b"%PDF-")
    assert runbook(estate, make_plan(estate), lang, AT) == printed, "the same plan at the same time is the same file"


def test_words_have_the_same_keys_and_blanks_in_both_languages() -> None:
    def blanks(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert FR.keys() == EN.keys()
    assert {key: blanks(text) for key, text in FR.items()} == {key: blanks(text) for key, text in EN.items()}


def test_the_command_writes_it_and_prints_its_fingerprint(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "runbook.pdf"
    assert main(["runbook", str(path), "-o", str(target), "--lang", "en"]) == 0
    assert target.read_bytes().startswith(b"%PDF-")
    assert fingerprint(load(path)) in capsys.readouterr().out
    assert main(["runbook", str(path), "--hash"]) == 0
    assert capsys.readouterr().out.strip() == fingerprint(load(path))
    assert main(["runbook", str(path), "-o", str(tmp_path / "no" / "runbook.pdf")]) == 2
    assert "Nothing was changed" in capsys.readouterr().err
