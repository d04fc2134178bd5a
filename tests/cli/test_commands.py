"""Commands as a new user types them: what they print, what they return."""

import io
import stat
from pathlib import Path

import pytest

from releve.cli import main
from releve.node.folder import make_folder


def test_init_writes_a_file_that_works_and_says_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "n"), "--site", "H07", "--name", "Hôpital Broca"]) == 0
    said = capsys.readouterr().out
    assert "releve run" in said
    assert "releve account add" in said
    assert 'name = "Hôpital Broca"' in (tmp_path / "n" / "node.toml").read_text()


def test_init_leaves_a_node_that_is_there_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(tmp_path / "n", "H07", "")
    before = (tmp_path / "n" / "node.toml").read_bytes()
    assert main(["init", str(tmp_path / "n"), "--site", "H08"]) == 2
    assert "exists already; nothing was changed" in capsys.readouterr().err
    assert (tmp_path / "n" / "node.toml").read_bytes() == before


def test_init_refuses_a_site_id_that_could_not_name_a_stream(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "n"), "--site", "H.07"]) == 2
    assert "1 to 16 letters and digits" in capsys.readouterr().err


def test_every_secret_of_a_new_node_is_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "n"
    main(["init", str(folder), "--site", "H07"])
    monkeypatch.setattr("sys.stdin", io.StringIO("Une-nuit-bien-longue\n"))
    assert main(["account", "add", str(folder), "alice", "--role", "nurse", "--password-stdin"]) == 0
    assert main(["token", str(folder), "--role", "system"]) == 0
    secrets = [folder / "keys" / "origin.key", folder / "keys" / "tokens.json", folder / "accounts.db"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secrets] == [0o600] * 3


def test_a_key_that_others_may_read_stops_the_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(tmp_path / "n", "H07", "", http="127.0.0.1:0", mllp="127.0.0.1:0")
    (tmp_path / "n" / "keys" / "origin.key").chmod(0o644)
    assert main(["verify", str(tmp_path / "n")]) == 2
    assert "chmod 600" in capsys.readouterr().err


def test_an_account_needs_a_role_and_a_long_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "n", "H07", "")
    assert main(["account", "add", str(tmp_path / "n"), "alice"]) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("court\n"))
    assert main(["account", "add", str(tmp_path / "n"), "alice", "--role", "nurse", "--password-stdin"]) == 2
    assert "characters" in capsys.readouterr().err


def test_sending_to_nobody_says_so_and_returns_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.hl7"
    file.write_bytes(b"MSH|^~\\&|A|B|C|D|20240803||ADT^A01|1|P|2.5\rEVN|A01\r")
    for address in ("127.0.0.1:1", "mllp://127.0.0.1:1"):  # the second as releve run says it
        assert main(["send", address, str(file)]) == 1
        assert " 127.0.0.1:1 cannot be reached" in (said := capsys.readouterr().out)
        assert "0 accepted, 0 refused, 1 unanswered" in said


def test_a_wrong_address_or_file_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("nowhere", "https://127.0.0.1:2575"):
        assert main(["send", address, "x.hl7"]) == 2
        assert "Expected HOST:PORT" in capsys.readouterr().err
    assert main(["send", "127.0.0.1:2575", str(tmp_path / "none.hl7")]) == 2
    assert "No such file" in capsys.readouterr().err


ESTATE = """
[estate]
name = "x"

[[unit]]
id = "dns"
name = { fr = "Noms", en = "Names" }
needs = ["storage"]

[[unit]]
id = "storage"
name = { fr = "Stockage", en = "Storage" }
needs = [%s]
"""


def test_a_plan_names_each_place_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "estate.toml"
    path.write_text(ESTATE % "")
    assert main(["plan", str(path)]) == 0
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if line.strip()[:1].isdigit()]
    assert [row[:2] for row in rows] == [["1", "Storage"], ["2", "Names"]]


def test_a_plan_with_a_cycle_is_refused_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "estate.toml"
    path.write_text(ESTATE % '"dns"')
    assert main(["plan", str(path)]) == 2
    assert "dns needs storage needs dns" in capsys.readouterr().err


def test_a_dry_run_of_a_restart_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "estate.toml"
    path.write_text(ESTATE % "")
    assert main(["restart", str(path), "--dry-run"]) == 0
    assert "storage" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_use() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["restore-everything"])
    assert ended.value.code == 2


REPORTED = """
[estate]
name = "Centre"

[[site]]
id = "H01"
name = "Hôpital Un"

[[service]]
id = "record"
name = { fr = "Dossier patient", en = "Patient record" }
probe = "tcp://127.0.0.1:1"
"""


def test_a_report_of_now_is_measured_numbered_and_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "estate.toml"
    path.write_text(REPORTED)
    for number in (1, 2):
        assert main(["report", str(path), "--folder", str(tmp_path / "reports")]) == 0
        names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
        assert sorted(names) == [f"sitrep-000{number}.{end}" for end in ("en.html", "en.txt", "fr.html", "fr.txt")]
    french = (tmp_path / "reports" / "sitrep-0002.fr.txt").read_text()
    assert "Dossier patient\u00a0: en panne" in french
    assert "Remplace le point" in french.splitlines()[2]
    assert "0\u00a0s" not in french  # the estate says nothing of durations: no date is invented


def test_a_report_knows_what_a_restart_has_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, journal = tmp_path / "estate.toml", tmp_path / "journal.jsonl"
    path.write_text(ESTATE % "")
    assert main(["restart", str(path), "--journal", str(journal)]) in (0, 1)
    assert main(["report", str(path), "--folder", str(tmp_path / "r"), "--journal", str(journal)]) == 0
    journal.write_text("{}\n")
    assert main(["report", str(path), "--folder", str(tmp_path / "r"), "--journal", str(journal)]) == 2
    assert "is no journal of a restart" in capsys.readouterr().err
