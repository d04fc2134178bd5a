"""Bearer tokens: shown once, kept hashed, revocable while the node runs."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.doors import tokens as tokens_module
from releve.doors.tokens import TOKEN_PREFIX, Tokens, describe
from releve.errors import StoreUnable, WrongUse

HOUR = 3_600_000_000


class Clock:
    def __init__(self) -> None:
        self.at = 1_722_700_000_000_000

    def __call__(self) -> int:
        return self.at


def test_a_token_opens_for_its_role_and_label(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, Clock())
    text = tokens.issue("system", "laboratory H01")
    holder = tokens.holder_of(f"Bearer {text}")
    assert holder is not None
    assert (holder.role, holder.label) == ("system", "laboratory H01")
    assert tokens.holder_of(f"bearer {text}") == holder


def test_the_token_itself_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    text = Tokens(tmp_path).issue("system")
    kept = (tmp_path / "keys" / "tokens.json").read_bytes()
    assert text.startswith(TOKEN_PREFIX)
    assert text.removeprefix(TOKEN_PREFIX).encode() not in kept
    assert stat.S_IMODE((tmp_path / "keys" / "tokens.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer " + "x" * 9999]
)
def test_anything_else_opens_nothing(tmp_path: Path, header: str | None) -> None:
    tokens = Tokens(tmp_path)
    tokens.issue("system")
    assert tokens.holder_of(header) is None


def test_a_token_with_one_character_changed_opens_nothing(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    text = tokens.issue("system")
    for place in range(len(TOKEN_PREFIX), len(text)):
        other = "A" if text[place] != "A" else "B"
        assert tokens.holder_of(f"Bearer {text[:place]}{other}{text[place + 1 :]}") is None


def test_a_running_node_hears_of_tokens_issued_and_revoked_by_another_process(tmp_path: Path) -> None:
    running, command = Tokens(tmp_path), Tokens(tmp_path)
    text = command.issue("system", "PACS")
    holder = running.holder_of(f"Bearer {text}")
    assert holder is not None
    command.revoke(holder.id)
    assert running.holder_of(f"Bearer {text}") is None
    assert [each.label for each in running.every()] == ["PACS"]


def test_a_token_opens_until_it_expires(tmp_path: Path) -> None:
    clock = Clock()
    tokens = Tokens(tmp_path, clock)
    header = f"Bearer {tokens.issue('monitor', expires_at=clock.at + HOUR)}"
    assert tokens.holder_of(header)
    clock.at += HOUR
    assert tokens.holder_of(header) is None


def test_a_list_says_what_still_opens(tmp_path: Path) -> None:
    clock = Clock()
    tokens = Tokens(tmp_path, clock)
    tokens.issue("system", "PACS")
    tokens.issue("monitor", "Prometheus", expires_at=clock.at + HOUR)
    tokens.revoke(tokens.every()[0].id)
    first, second = (describe(holder, clock.at) for holder in tokens.every())
    assert "revoked 2024-08-03" in first
    assert "until 2024-08-03" in second
    assert "expired" in describe(tokens.every()[1], clock.at + HOUR)


def test_issuing_from_many_sides_at_once_loses_none(tmp_path: Path) -> None:
    threads = [threading.Thread(target=Tokens(tmp_path).issue, args=("system", f"s{n}")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {holder.label for holder in Tokens(tmp_path).every()} == {f"s{n}" for n in range(12)}


@pytest.mark.parametrize(
    ("role", "label", "code"),
    [("root", "", "token.role"), ("system", "a\nb", "token.label"), ("system", "x" * 101, "token.label")],
)
def test_a_wrong_role_or_label_is_refused(tmp_path: Path, role: str, label: str, code: str) -> None:
    with pytest.raises(WrongUse) as refusal:
        Tokens(tmp_path).issue(role, label)
    assert refusal.value.code == code
    assert Tokens(tmp_path).every() == []


def test_revoking_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no token 'ffff'"):
        Tokens(tmp_path).revoke("ffff")


def test_too_many_tokens_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "TOKENS_MAX", 1)
    Tokens(tmp_path).issue("system")
    with pytest.raises(WrongUse, match="already"):
        Tokens(tmp_path).issue("system")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"version": 2, "tokens": []}', b'{"version": 1, "tokens": [{}]}']
)
def test_a_broken_file_is_refused_at_the_start_and_leaves_a_running_node_as_it_was(
    tmp_path: Path, content: bytes
) -> None:
    running = Tokens(tmp_path)
    header = f"Bearer {running.issue('system')}"
    (tmp_path / "keys" / "tokens.json").write_bytes(content)
    assert running.holder_of(header) is not None
    with pytest.raises(WrongUse, match=r"tokens\.json"):
        Tokens(tmp_path)
    with pytest.raises(WrongUse, match=r"tokens\.json"):
        running.issue("system")
    assert (tmp_path / "keys" / "tokens.json").read_bytes() == content


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file where a folder is expected")
    with pytest.raises((StoreUnable, WrongUse), match="tokens"):
        Tokens(tmp_path).issue("system")


@given(header=st.text(st.characters(), max_size=300))
def test_no_header_crashes_the_door(tmp_path_factory: pytest.TempPathFactory, header: str) -> None:
    assert Tokens(tmp_path_factory.getbasetemp()).holder_of("Bearer " + header) is None
