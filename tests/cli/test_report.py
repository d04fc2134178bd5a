"""releve report: a report goes from measurement to print by named people, on a terminal."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from releve.cli import main

ESTATE = """
[estate]
name = { fr = "Centre", en = "Centre" }

[[site]]
id = "H01"
name = "Hôpital Un"

[[service]]
id = "record"
name = { fr = "Dossier patient", en = "Patient record" }
tier = 1
probe = "tcp://127.0.0.1:1"
"""

Report = Callable[..., int]


@pytest.fixture
def estate(tmp_path: Path) -> str:
    path = tmp_path / "estate.toml"
    path.write_text(ESTATE, "utf-8")
    return str(path)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return lambda *words: main(["report", *words, "--folder", str(tmp_path / "reports")])


def test_a_report_is_drafted_edited_approved_and_published(
    tmp_path: Path, estate: str, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("draft", estate) == 0
    assert capsys.readouterr().out.startswith("report 1, draft 1: drafted - Services down")
    edit = ("edit", "--section", "emergency", "--words", "Urgences ouvertes.", "--by", "Paul Petit")
    assert report(*edit) == 0
    out = capsys.readouterr().out
    assert "+Urgences ouvertes." in out
    assert "prepared by Paul Petit" in out
    assert report("publish", "--by", "Anne Moreau") == 1
    assert "not approved as it stands" in capsys.readouterr().err
    assert report("approve", "--by", "Anne Moreau", "--role", "directrice de garde") == 0
    assert report("publish", "--by", "Anne Moreau") == 0
    out = capsys.readouterr().out
    assert "sitrep-0001.public.fr.pdf" in out
    assert "published by Anne Moreau" in out
    assert report("list") == 0
    assert capsys.readouterr().out.count("report 1, draft 1: published") == 1
    assert report("public", estate, "--public", str(tmp_path / "public")) == 0
    assert "Urgences ouvertes." in (tmp_path / "public" / "index.fr.html").read_text("utf-8")


def test_words_are_read_from_the_input_and_shown_as_they_will_be_read(
    estate: str, report: Report, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report("draft", estate)
    monkeypatch.setattr("sys.stdin", io.StringIO("All open.\nSAMU answers.\n"))
    assert report("edit", "--section", "emergency", "--lang", "en", "--audience", "public", "--by", "P") == 0
    capsys.readouterr()
    assert report("show", "--lang", "en", "--audience", "public") == 0
    assert "- SAMU answers. (words of P, " in capsys.readouterr().out
    assert report("show", "--lang", "en", "--audience", "staff") == 0
    assert "SAMU answers" not in capsys.readouterr().out


def test_a_report_needs_a_name_a_draft_and_a_known_action(
    estate: str, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("approve", "--by", "x") == 2
    assert "releve report draft FILE" in capsys.readouterr().err
    report("draft", estate)
    assert report("prepare") == 2
    assert "named person" in capsys.readouterr().err
    assert report("proclaim", estate) == 2
    assert "no action of releve report" in capsys.readouterr().err
    assert report("withdraw", "--by", "x", "--reason", "a test") == 0
    assert report("draft") == 2


def test_a_report_of_now_takes_no_number_that_a_draft_has(tmp_path: Path, estate: str, report: Report) -> None:
    report("draft", estate)
    assert report(estate) == 0
    assert (tmp_path / "reports" / "sitrep-0002.json").exists()
    assert not (tmp_path / "reports" / "sitrep-0001.json").exists()


def test_an_unreachable_relay_is_no_reason_to_hold_a_report_back(
    tmp_path: Path, estate: str, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reports").mkdir()
    mail = '[mail]\nrelay = "127.0.0.1:1"\nsender = "a@hopital.example"\nstaff = ["b@hopital.example"]\n'
    (tmp_path / "reports" / "mail.toml").write_text(mail, "utf-8")
    report("draft", estate, "--by", "Paul")
    report("approve", "--by", "Anne")
    assert report("publish", "--by", "Anne") == 0
    assert "mail 0001.staff: waits" in capsys.readouterr().out
    assert report("send") == 0
    assert (tmp_path / "reports" / "outbox" / "0001.staff.eml").exists()


class Ailing(BaseHTTPRequestHandler):
    """A management board that works and warns."""

    def do_GET(self) -> None:
        body = b'{"PowerState": "On", "Status": {"Health": "Warning"}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_service_that_works_with_a_fault_is_reported_as_degraded(
    tmp_path: Path, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ailing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"redfish://127.0.0.1:{server.server_port}/redfish/v1/Systems/1?tls=0"
        path = tmp_path / "estate.toml"
        path.write_text(ESTATE.replace("tcp://127.0.0.1:1", address), "utf-8")
        assert report("draft", str(path)) == 0
        server.shutdown()
    capsys.readouterr()
    assert report("show") == 0
    shown = capsys.readouterr().out
    assert "avertissement" in shown
    assert "dégradé" in shown
