"""The lookout as a whole: what concerns this hospital is asked at its turn, and the others hear of what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from releve.config import Config, load
from releve.errors import StoreUnable, WrongUse
from releve.log import GROUP, Draft, Receipt, decode_body
from releve.node.folder import make_folder
from releve.node.lookout import SAID_AGAIN_US, Lookout, estate_mark, keep_asking, keep_telling, lookout, read_estate
from releve.recovery.probe import Reading
from releve.recovery.state import read_states, write_states

ESTATE = """
[estate]
name = "Centre"
[[site]]
id = "centre"
name = "Centre"
kind = "hosting"
[[site]]
id = "H01"
name = "Un"
kind = "hospital"
[[site]]
id = "H02"
name = "Deux"
kind = "hospital"
[[unit]]
id = "names"
site = "centre"
probe = "dns://192.0.2.1"
[[unit]]
id = "mount"
site = "centre"
probe = "command:mountpoint /data"
[[service]]
id = "record"
site = "centre"
needs = ["names"]
probe = "mllp://192.0.2.2:2575"
[[service]]
id = "theirs"
site = "centre"
hospitals = ["H02"]
probe = "https://192.0.2.3"
"""
SERVICE = '\n[[service]]\nid = "record"\nname = "Dossier"\nprobe = "mllp://10.0.0.5:2575"\n'

Write = Callable[[str, str], Config]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Make a node with more lines in its node.toml and an estate, "" for none."""

    def made(more: str, estate: str) -> Config:
        path = make_folder(tmp_path / "node", "H01", "Un")
        path.write_text(path.read_text("utf-8") + more, "utf-8")
        if estate:
            (tmp_path / "node" / "recovery").mkdir()
            (tmp_path / "node" / "recovery" / "estate.toml").write_text(estate, "utf-8")
        return load(tmp_path / "node")

    return made


def looked(config: Config) -> Lookout:
    return lookout(config, read_estate(config.estate.file))


def test_the_services_of_other_hospitals_and_programs_are_not_asked_from_here(write: Write) -> None:
    found = looked(write("", ESTATE))
    assert [target.id for target in found.targets] == ["names", "record"]
    assert (found.spoken, found.units, found.unasked) == (("record",), ("names", "record"), ("mount",))


def test_programs_are_run_where_the_hospital_says_so(write: Write) -> None:
    assert "mount" in looked(write("\n[estate]\ncommands = true\n", ESTATE)).watches


def test_a_service_of_the_node_goes_before_the_unit_of_that_name(write: Write) -> None:
    found = looked(write(SERVICE, ESTATE))
    assert {target.id: target.probe for target in found.targets}["record"] == "mllp://10.0.0.5:2575"
    assert (found.services, found.spoken, found.units) == (("record",), ("record",), ("names", "record"))


def test_the_turns_begin_spread_out(write: Write) -> None:
    many = ESTATE + "".join(
        f'[[unit]]\nid = "u{n}"\nsite = "centre"\nprobe = "tcp://192.0.2.9:{n + 1}"\n' for n in range(98)
    )
    firsts = [target.first_s for target in looked(write("", many)).targets]
    assert len(firsts) == 100
    assert max(b - a for a, b in pairwise(firsts)) < 0.21
    assert firsts[-1] < 20.0


def asked(found: Lookout, answers: dict[str, list[str]], turns: int) -> list[str]:
    """Let every target take so many turns; the last answer of an address stays. Returns who was asked."""
    said: list[str] = []
    over = asyncio.Event()
    clock = iter(range(1, 10_000))

    async def ask(url: str, timeout_s: float) -> Reading:
        said.append(url)
        state = answers[url].pop(0) if len(answers[url]) > 1 else answers[url][0]
        if state == "wrong use":
            raise WrongUse("probe.password-file", "The file cannot be read for a probe.")
        if state == "fault":
            raise IndexError("a fault of ours")
        return Reading(url, state, state, 0.01, next(clock))  # type: ignore[arg-type]

    async def pause(seconds: float) -> None:
        if len(said) >= turns * len(found.targets):
            over.set()
        await asyncio.sleep(0)

    async def whole() -> None:
        asking = asyncio.create_task(keep_asking(found, {}, ask=ask, pause=pause))
        await over.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(whole())
    return said


def test_everything_is_asked_and_what_was_seen_is_left_for_the_pages(write: Write, tmp_path: Path) -> None:
    found = looked(write("", ESTATE))
    asked(found, {"dns://192.0.2.1": ["up"], "mllp://192.0.2.2:2575": ["up", "frozen"]}, 4)
    write_states(tmp_path, found.states(7))
    states = read_states(tmp_path)
    assert states is not None
    assert (states.site, states.at, states.unasked) == ("H01", 7, ("mount",))
    assert {one.id: (one.state, one.why) for one in states.units.values()} == {
        "names": ("normal", "up"),
        "record": ("down", "frozen"),
    }


def test_a_probe_that_cannot_be_used_is_said_and_ends_nothing(write: Write) -> None:
    found = looked(write("", ESTATE))
    asked(found, {"dns://192.0.2.1": ["wrong use"], "mllp://192.0.2.2:2575": ["up"]}, 2)
    assert found.watches["names"].why == "unasked"
    assert "cannot be read" in found.watches["names"].reason.en


def test_a_fault_in_one_probe_does_not_end_the_watch_over_the_others(write: Write) -> None:
    found = looked(write("", ESTATE))
    asked(found, {"dns://192.0.2.1": ["fault"], "mllp://192.0.2.2:2575": ["up"]}, 2)
    assert (found.watches["names"].why, found.watches["record"].why) == ("unasked", "up")


def told(found: Lookout, moments: list[int], refuse: set[int] = frozenset()) -> list[Draft]:  # type: ignore[assignment]
    """Let the lookout speak at these moments; returns what was handed in, also what was refused."""
    drafts: list[Draft] = []
    clock: Iterator[int] = iter(moments)
    at = 0

    async def append(draft: Draft) -> Receipt:
        drafts.append(draft)
        if at in refuse:
            raise StoreUnable("desk.away", "The node's log is not open right now; nothing was kept.")
        return Receipt(1, 1, False)

    async def pause(seconds: float) -> None:
        nonlocal at
        following = next(clock, None)
        if following is None:
            raise asyncio.CancelledError
        at = following

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_telling(lambda: found, append, now=lambda: at, pause=pause))
    return drafts


def test_the_others_hear_of_a_state_once_and_again_after_ten_minutes(write: Write) -> None:
    found = looked(write("", ESTATE))
    asked(found, {"dns://192.0.2.1": ["up"], "mllp://192.0.2.2:2575": ["refused"]}, 3)
    (first, again) = told(found, [10, 20, 30, 10 + SAID_AGAIN_US, 20 + SAID_AGAIN_US])
    assert (first.channel, first.kind) == (GROUP, "state")
    services = decode_body(first.body).source["services"]
    assert set(services) == {"record"}, "units are this node's own affair"
    assert (services["record"][0], services["record"][3]) == ("down", "refused")
    assert first.event_id != again.event_id


def test_what_could_not_be_kept_is_said_at_the_next_turn(write: Write) -> None:
    found = looked(write("", ESTATE))
    asked(found, {"dns://192.0.2.1": ["up"], "mllp://192.0.2.2:2575": ["up"]}, 1)
    assert len(told(found, [10, 20, 30], refuse={10})) == 2


def test_an_estate_that_was_replaced_keeps_the_watches_and_a_broken_one_changes_nothing(write: Write) -> None:
    config = write("", ESTATE)
    path = config.estate.file
    estate = read_estate(path)
    found = lookout(config, estate)
    found.watches["record"].since = 42
    mark = estate_mark(path, estate)
    path.write_text(ESTATE.replace('id = "mount"', 'id = "disk"'), "utf-8")
    assert estate_mark(path, estate) != mark
    following = lookout(config, read_estate(path, estate), found)
    assert (following.watches["record"].since, following.unasked) == (42, ("disk",))
    path.write_text("[[unit]]\nid =", "utf-8")
    assert read_estate(path, estate) is estate


def test_a_node_without_an_estate_watches_its_services(write: Write) -> None:
    found = looked(write(SERVICE, ""))
    assert (found.units, found.spoken) == ((), ("record",))
    assert estate_mark(Path("/nowhere"), None) == (0, 0)


def test_a_node_that_has_nothing_to_ask_rests(write: Write) -> None:
    async def turns() -> bool:
        asking = asyncio.create_task(keep_asking(looked(write("", "")), {}))
        for _ in range(10):
            await asyncio.sleep(0)
        has_ended = asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return has_ended

    assert not asyncio.run(turns())
