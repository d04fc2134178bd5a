"""How a site is let in: a request that anybody may read, one secret invitation, a roster that nobody can forge."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from releve.errors import PeerError, Refused, WrongUse
from releve.replica.access import Request, accept, read_accesses, read_request, write_request
from releve.replica.authority import hosts_of, make_authority
from releve.replica.enrolment import (
    create_hub,
    enrol,
    expel,
    open_epoch,
    public_nkey,
    read_authority,
    read_roster_bytes,
    read_settings,
    read_sites,
)
from releve.replica.roster import Member, Roster, encode_roster, parse_roster

NOW = datetime(2024, 8, 3, 9, 0, tzinfo=UTC)
AUTHORITY = make_authority("a hub", at=NOW)


def asks(folder: Path, site: str, key: Ed25519PrivateKey | None = None) -> Request:
    return read_request(write_request(folder, site, f"Hospital {site}", key or Ed25519PrivateKey.generate()))


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    create_hub(tmp_path / "hub-A", "hub-a.example", 4222, at=NOW)
    return tmp_path / "hub-A"


def test_an_invitation_accepted_gives_access_to_its_hub(hub: Path, tmp_path: Path) -> None:
    (invitation,) = enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    accept(tmp_path / "n", invitation)
    (access,) = read_accesses(tmp_path / "n")
    assert (access.hub, access.url, access.site) == ("hub-A", "tls://hub-a.example:4222", "H01")
    assert access.tls().check_hostname
    assert public_nkey(access.nkey_seed.encode()) == read_sites(hub).sites[0].nkey
    assert access.roster.member("H01") is not None


def test_two_hubs_are_two_enrolments_with_one_request(hub: Path, tmp_path: Path) -> None:
    create_hub(tmp_path / "hub-B", "127.0.0.1", 4223, at=NOW)
    request = asks(tmp_path / "n", "H01")
    for folder in (hub, tmp_path / "hub-B"):
        accept(tmp_path / "n", enrol(folder, [request], at=NOW)[0])
    first, second = read_accesses(tmp_path / "n")
    assert (first.hub, second.hub) == ("hub-A", "hub-B")
    assert first.nkey_seed != second.nkey_seed


def test_everything_secret_is_readable_by_its_owner_alone(hub: Path, tmp_path: Path) -> None:
    (invitation,) = enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    accept(tmp_path / "n", invitation)
    secret = [invitation, hub / "sites.json", *(hub / "keys").glob("*.key"), *(hub / "keys").glob("*.seed")]
    secret += [hub / "keys/server.pem", hub / "keys/steward.pem"]
    secret += [tmp_path / "n/keys/hubs/hub-A/access.json", tmp_path / "n/keys/hubs/hub-A/client.pem"]
    assert len(secret) == 9
    assert [path.name for path in secret if stat.S_IMODE(path.stat().st_mode) != 0o600] == []


def test_a_request_and_a_roster_hold_nothing_secret(hub: Path, tmp_path: Path) -> None:
    (invitation,) = enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    seed = json.loads(invitation.read_text())["nkey_seed"]
    public = (tmp_path / "n/keys/request.json").read_text() + read_roster_bytes(hub).decode()
    assert seed not in public
    assert "PRIVATE" not in public


def test_a_request_that_was_changed_after_its_node_signed_it_is_refused(tmp_path: Path) -> None:
    path = write_request(tmp_path, "H01", "Hospital", Ed25519PrivateKey.generate())
    path.write_text(path.read_text().replace("H01", "H02"))
    with pytest.raises(WrongUse, match="changed after its node signed it"):
        read_request(path)


def test_a_site_with_another_log_key_is_refused_and_nobody_is_enrolled(hub: Path, tmp_path: Path) -> None:
    enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    before = read_sites(hub)
    with pytest.raises(Refused, match="another log key"):
        enrol(hub, [asks(tmp_path / "m", "H02"), asks(tmp_path / "o", "H01")], at=NOW)
    assert read_sites(hub) == before


def test_a_second_invitation_takes_the_force_of_the_first(hub: Path, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    enrol(hub, [asks(tmp_path / "n", "H01", key)], at=NOW)
    first = read_sites(hub).sites[0].nkey
    enrol(hub, [asks(tmp_path / "n", "H01", key)], at=NOW)
    assert [site.nkey != first for site in read_sites(hub).sites] == [True]


def test_an_invitation_for_another_node_is_refused(hub: Path, tmp_path: Path) -> None:
    (invitation,) = enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    asks(tmp_path / "m", "H02")
    with pytest.raises(WrongUse, match="invites site H01; this node is H02"):
        accept(tmp_path / "m", invitation)
    asks(tmp_path / "o", "H01")  # the same name, another key
    with pytest.raises(WrongUse, match="with a key of its own"):
        accept(tmp_path / "o", invitation)
    assert read_accesses(tmp_path / "m") == read_accesses(tmp_path / "o") == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"hub": 4}'])
def test_what_is_no_invitation_and_no_request_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    asks(tmp_path / "n", "H01")
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(WrongUse, match="is no invitation"):
        accept(tmp_path / "n", tmp_path / "x")
    with pytest.raises(WrongUse, match="is no request"):
        read_request(tmp_path / "x")
    with pytest.raises(WrongUse, match="cannot be read"):
        accept(tmp_path / "n", tmp_path / "absent")


def test_a_newer_roster_is_learnt_and_kept_and_an_older_one_is_not(hub: Path, tmp_path: Path) -> None:
    (invitation,) = enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    access, old = accept(tmp_path / "n", invitation), read_roster_bytes(hub)
    enrol(hub, [asks(tmp_path / "m", "H02")], at=NOW)
    assert access.learn(read_roster_bytes(hub))
    assert not access.learn(old)
    (again,) = read_accesses(tmp_path / "n")
    assert [member.site for member in again.roster.members] == ["H01", "H02"]


def test_a_roster_of_another_authority_is_refused(hub: Path, tmp_path: Path) -> None:
    (invitation,) = enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    access = accept(tmp_path / "n", invitation)
    forged = Roster("hub-A", 99, (Member("H01", "", "11" * 32),))
    with pytest.raises(PeerError, match="not signed by its hub's authority"):
        access.learn(encode_roster(forged, AUTHORITY))
    assert access.roster.version == 1


def test_a_roster_changed_by_one_letter_is_refused() -> None:
    roster = Roster("hub-A", 3, (Member("H01", "Hospital", "ab" * 32),))
    data = encode_roster(roster, AUTHORITY)
    assert parse_roster(data, AUTHORITY.certificate_pem) == roster
    with pytest.raises(PeerError):
        parse_roster(data.replace(b"H01", b"H02"), AUTHORITY.certificate_pem)


@given(st.binary())
def test_any_bytes_are_a_roster_or_a_refusal(data: bytes) -> None:
    with pytest.raises(PeerError):
        parse_roster(data, AUTHORITY.certificate_pem)


def test_a_site_shut_out_leaves_the_roster(hub: Path, tmp_path: Path) -> None:
    enrol(hub, [asks(tmp_path / "n", "H01"), asks(tmp_path / "m", "H02")], at=NOW)
    expel(hub, "H01")
    roster = parse_roster(read_roster_bytes(hub), read_authority(hub).certificate_pem)
    assert [member.site for member in roster.members] == ["H02"]
    assert roster.version == 2
    with pytest.raises(WrongUse, match="No site H01"):
        expel(hub, "H01")


def test_epochs_rise_step_by_step_and_only_for_sites_that_are_in(hub: Path, tmp_path: Path) -> None:
    enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    assert open_epoch(hub, "H01", 2)
    assert not open_epoch(hub, "H01", 2)
    assert not open_epoch(hub, "H01", 5)
    assert not open_epoch(hub, "H09", 2)
    assert [site.epoch for site in read_sites(hub).sites] == [2]


def test_a_hub_that_moves_gets_a_certificate_for_its_new_host_and_keeps_its_authority(hub: Path) -> None:
    before = read_authority(hub).certificate_pem
    settings = create_hub(hub, "10.1.2.3", 4222, at=NOW)
    assert settings == read_settings(hub)
    assert (settings.name, settings.url) == ("hub-A", "tls://10.1.2.3:4222")
    assert hosts_of((hub / "keys/server.pem").read_bytes()) >= {"hub-a.example", "10.1.2.3", "127.0.0.1", "localhost"}
    assert read_authority(hub).certificate_pem == before


def test_a_folder_that_is_no_hub_is_refused_and_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="releve hub"):
        read_settings(tmp_path)


def test_a_damaged_list_of_sites_is_refused_and_not_overwritten(hub: Path, tmp_path: Path) -> None:
    (hub / "sites.json").write_text('{"version": 3, "sites": [')
    with pytest.raises(WrongUse, match="damaged"):
        enrol(hub, [asks(tmp_path / "n", "H01")], at=NOW)
    assert (hub / "sites.json").read_text() == '{"version": 3, "sites": ['


def test_thirty_eight_sites_are_enrolled_at_once(hub: Path, tmp_path: Path) -> None:
    requests = [asks(tmp_path / f"n{n}", f"H{n:02}") for n in range(1, 39)]
    invitations = enrol(hub, requests, at=NOW)
    accesses = [accept(tmp_path / f"n{n}", path) for n, path in enumerate(invitations, 1)]
    assert len({access.nkey_seed for access in accesses}) == 38
    assert all(len(access.roster.members) == 38 for access in accesses)
    assert msgspec.json.decode(read_roster_bytes(hub))["payload"]
