"""What each site may do at a hub, as text for nats-server."""

from __future__ import annotations

from pathlib import Path

from releve.replica.enrolment import Site
from releve.replica.permissions import epochs_open, publishes, render_conf, subscribes

SITES = [Site(f"H{n:02}", "", f"UKEY{n}", "00" * 32, epoch=1 + n // 30) for n in range(1, 39)]


def test_a_site_writes_its_own_streams_and_reads_only_the_group_streams_of_others() -> None:
    mine, others = SITES[0], SITES[1:]
    allowed = publishes(mine, SITES)
    assert {subject for subject in allowed if subject.startswith("ev.")} == {
        "ev.H01.group",
        "ev.H01.site",
        "ev.H01.group.e2",
        "ev.H01.site.e2",
        "ev.H01.group.e3",
        "ev.H01.site.e3",
    }
    for other in others:
        assert f"$JS.API.DIRECT.GET.EV_{other.site}_group" in allowed
        assert not any(f"EV_{other.site}_site" in subject for subject in allowed)
        assert not any(f".{other.site}" in subject for subject in allowed)
    assert not any(mark in subject for subject in allowed for mark in ("*", ">"))


def test_a_site_hears_its_own_inbox_the_digest_the_roster_and_hints() -> None:
    assert subscribes(SITES[3]) == ["_INBOX_H04.>", "digest.group", "roster", "hint.*"]


def test_the_next_epochs_are_open_in_advance() -> None:
    assert list(epochs_open(Site("H1", "", "U", "", epoch=4))) == [1, 2, 3, 4, 5, 6]
    assert max(epochs_open(Site("H1", "", "U", "", epoch=64))) == 64


def test_the_configuration_syncs_always_verifies_always_and_holds_no_secret() -> None:
    text = render_conf(Path("/x"), "hub-A", "127.0.0.1:4222", "USTEWARD", SITES, store_bytes_max=10**9)
    for needed in ("sync_interval: always", "verify: true", "handshake_first: true", f"nkey: {SITES[37].nkey},"):
        assert needed in text
    assert "key: $RELEVE_HUB_STORE_KEY" in text
    assert not any(word in text for word in ("mirror", "sources", "leafnodes", "cluster", "http", "monitor"))
