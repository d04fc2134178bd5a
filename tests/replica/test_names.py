"""Names at a hub: what is parsed was made, and nothing that NATS would read as more than one name gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.errors import WrongUse
from releve.log import GROUP, SITE
from releve.replica.names import SITE_ID, Channel, check_site, inbox, parse_stream

SITES = st.from_regex(SITE_ID, fullmatch=True)


def test_the_first_epoch_bears_no_number_and_later_ones_do() -> None:
    assert (Channel("H07", 1, GROUP).stream, Channel("H07", 1, GROUP).subject) == ("EV_H07_group", "ev.H07.group")
    assert (Channel("H07", 2, SITE).stream, Channel("H07", 2, SITE).subject) == ("EV_H07_site_e2", "ev.H07.site.e2")


@given(SITES, st.integers(1, 9999), st.sampled_from([GROUP, SITE]))
def test_a_stream_names_its_channel_and_no_other(site: str, epoch: int, name: str) -> None:
    channel = Channel(site, epoch, name)
    assert parse_stream(channel.stream) == channel
    assert "." not in channel.stream


@given(st.text())
def test_any_text_is_a_stream_of_ours_or_none(text: str) -> None:
    channel = parse_stream(text)
    assert channel is None or channel.stream == text


@pytest.mark.parametrize("site", ["", "H 1", "H.1", "H_1", "*", ">", "-H", "É1", "H" * 33, "H1\n"])
def test_a_site_id_that_nats_would_misread_is_refused(site: str) -> None:
    with pytest.raises(WrongUse, match="site id"):
        check_site(site)


def test_an_inbox_belongs_to_one_site() -> None:
    assert not f"{inbox('H1')}.".startswith(f"{inbox('H')}.")
