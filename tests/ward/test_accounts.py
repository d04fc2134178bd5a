"""Accounts, attempts and sessions: slowed, never locked out; nobody can sign in with what the file holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.ward.accounts import (
    ABSOLUTE_S,
    ACCOUNTS_FILE,
    IDLE_S,
    WAIT_S_MAX,
    WALL_S,
    Accounts,
    NotSignedIn,
    SignedIn,
)

from .cast import NOON_US, PASSWORD

SECOND_US = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOON_US

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += int(seconds * SECOND_US)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Iterator[Accounts]:
    opened = Accounts(tmp_path, clock)
    opened.add("nadia", "Nadia Benali", "nurse", PASSWORD)
    yield opened
    opened.close()


def try_wrong(accounts: Accounts, *, device: str = "", peer: str = "10.0.0.9") -> NotSignedIn:
    outcome = accounts.sign_in("nadia", "wrong password", device=device, peer=peer)
    assert isinstance(outcome, NotSignedIn)
    return outcome


def sign_in(accounts: Accounts, *, device: str = "", peer: str = "10.0.0.7") -> SignedIn:
    outcome = accounts.sign_in(" Nadia ", PASSWORD, device=device, peer=peer)
    assert isinstance(outcome, SignedIn), outcome
    return outcome


def test_the_right_password_begins_a_session_that_says_who_it_is(accounts: Accounts) -> None:
    session = sign_in(accounts)
    visitor = accounts.visitor(session.token, is_active=True)
    assert visitor is not None
    assert (visitor.user, visitor.display, visitor.role, visitor.is_care) == ("nadia", "Nadia Benali", "nurse", True)


def test_nothing_in_the_file_lets_anybody_sign_in(accounts: Accounts, tmp_path: Path) -> None:
    session = sign_in(accounts)
    data = b"".join(path.read_bytes() for path in tmp_path.glob(f"{ACCOUNTS_FILE}*"))
    assert b"$argon2id$" in data
    for secret in (PASSWORD, session.token, session.device):
        assert secret.encode() not in data


def test_the_file_is_for_its_owner_alone_and_refused_when_it_is_not(accounts: Accounts, tmp_path: Path) -> None:
    for path in tmp_path.glob(f"{ACCOUNTS_FILE}*"):
        assert path.stat().st_mode & 0o077 == 0
    (tmp_path / ACCOUNTS_FILE).chmod(0o644)
    with pytest.raises(WrongUse, match="may be read by others"):
        Accounts(tmp_path)


def test_a_file_that_is_none_of_ours_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / ACCOUNTS_FILE
    path.write_bytes(b"no database at all, " * 100)
    path.chmod(0o600)
    with pytest.raises(WrongUse, match="no file of accounts"):
        Accounts(tmp_path)


def test_wrong_passwords_wait_longer_and_longer_up_to_a_limit_and_never_lock_out(
    accounts: Accounts, clock: Clock
) -> None:
    waits = []
    for _ in range(12):
        wait = try_wrong(accounts).wait_s
        waits.append(wait)
        clock.pass_s(wait)
        if wait:
            assert try_wrong(accounts).wait_s == 0, "after waiting, the next attempt is looked at"
    assert waits[:3] == [0, 0, 0]
    assert waits[3:9] == [1, 2, 4, 8, 16, 30]
    assert max(waits) == WAIT_S_MAX
    clock.pass_s(WAIT_S_MAX)
    assert sign_in(accounts, peer="10.0.0.9")


def test_even_the_right_password_is_not_looked_at_too_soon(accounts: Accounts) -> None:
    for _ in range(3):
        try_wrong(accounts)
    outcome = accounts.sign_in("nadia", PASSWORD, device="", peer="10.0.0.9")
    assert outcome == NotSignedIn(1)


def test_attempts_elsewhere_do_not_slow_the_pc_she_always_uses(accounts: Accounts) -> None:
    device = sign_in(accounts).device
    for _ in range(4):
        try_wrong(accounts, peer="10.0.0.7")
    assert try_wrong(accounts, peer="10.0.0.7").wait_s > 0
    assert sign_in(accounts, device=device)


def test_a_device_of_somebody_else_is_no_known_device(accounts: Accounts) -> None:
    accounts.add("paul", "Dr Paul Roux", "doctor", PASSWORD)
    other = accounts.sign_in("paul", PASSWORD, device="", peer="10.0.0.8")
    assert isinstance(other, SignedIn)
    for _ in range(3):
        try_wrong(accounts, device=other.device)
    assert try_wrong(accounts, device="").wait_s > 0, "counted under the machine, not under the device"


def test_an_account_that_does_not_exist_is_refused_like_a_wrong_password(accounts: Accounts) -> None:
    assert accounts.sign_in("nobody", PASSWORD, device="", peer="10.0.0.9") == NotSignedIn()
    for _ in range(2):
        accounts.sign_in("nobody", PASSWORD, device="", peer="10.0.0.9")
    assert accounts.sign_in("nobody", PASSWORD, device="", peer="10.0.0.9") == NotSignedIn(1)


def test_a_session_survives_a_restart_of_the_node(accounts: Accounts, clock: Clock, tmp_path: Path) -> None:
    token = sign_in(accounts).token
    accounts.close()
    again = Accounts(tmp_path, clock)
    assert again.visitor(token, is_active=True) is not None
    again.close()


def test_a_session_locks_after_ten_idle_minutes(accounts: Accounts, clock: Clock) -> None:
    token = sign_in(accounts).token
    clock.pass_s(IDLE_S - 1)
    assert accounts.visitor(token, is_active=True)
    clock.pass_s(IDLE_S - 1)
    assert accounts.visitor(token, is_active=True)
    clock.pass_s(IDLE_S + 1)
    assert accounts.visitor(token, is_active=True) is None
    clock.now -= IDLE_S * SECOND_US
    assert accounts.visitor(token, is_active=True) is None, "a clock set back does not open it again"


def test_a_page_that_reloads_itself_does_not_keep_a_session_open(accounts: Accounts, clock: Clock) -> None:
    token = sign_in(accounts).token
    for _ in range(10):
        clock.pass_s(59)
        assert accounts.visitor(token, is_active=False)
    clock.pass_s(11)
    assert accounts.visitor(token, is_active=False) is None


def test_a_session_ends_after_twelve_hours_however_busy(accounts: Accounts, clock: Clock) -> None:
    token = sign_in(accounts).token
    for _ in range(ABSOLUTE_S // 300):
        clock.pass_s(300)
        accounts.visitor(token, is_active=True)
    clock.pass_s(1)
    assert accounts.visitor(token, is_active=True) is None


def test_signing_out_ends_the_session(accounts: Accounts) -> None:
    token = sign_in(accounts).token
    accounts.sign_out(token)
    assert accounts.visitor(token, is_active=True) is None


def test_a_disabled_account_is_out_at_once_and_cannot_come_back(accounts: Accounts) -> None:
    token = sign_in(accounts).token
    accounts.disable("nadia")
    assert accounts.visitor(token, is_active=True) is None
    assert isinstance(accounts.sign_in("nadia", PASSWORD, device="", peer="x"), NotSignedIn)
    assert [account.is_disabled for account in accounts.every()] == [True]


def test_another_password_ends_the_sessions_of_the_old_one(accounts: Accounts) -> None:
    token = sign_in(accounts).token
    accounts.set_password("nadia", "cinq mots encore plus simples")
    assert accounts.visitor(token, is_active=True) is None
    assert isinstance(accounts.sign_in("nadia", PASSWORD, device="", peer="x"), NotSignedIn)


@pytest.mark.parametrize(
    ("name", "display", "role", "password", "sentence"),
    [
        ("nadia", "Other", "nurse", PASSWORD, "already"),
        ("Nadia", "Other", "nurse", PASSWORD, "already"),
        ("a b", "A", "nurse", PASSWORD, "name is up to 40"),
        ("", "A", "nurse", PASSWORD, "name is up to 40"),
        ("ab", "A", "root", PASSWORD, "nurse, doctor, it, crisis"),
        ("ab", " ", "nurse", PASSWORD, "1 to 80 characters"),
        ("ab", "A", "nurse", "short", "10 to 256 characters"),
        ("abel", "A", "nurse", "xxABELxxxxxx", "holds the account's name"),
    ],
)
def test_a_wrong_account_is_refused_with_the_reason(
    accounts: Accounts, name: str, display: str, role: str, password: str, sentence: str
) -> None:
    with pytest.raises(WrongUse, match=sentence):
        accounts.add(name, display, role, password)
    assert len(accounts.every()) == 1


def test_a_full_disk_keeps_nobody_from_signing_in_and_reading(accounts: Accounts, clock: Clock) -> None:
    before = sign_in(accounts).token
    accounts._db.execute("PRAGMA query_only=1")  # the disk refuses every write from now on
    session = sign_in(accounts)
    for _ in range(3):
        clock.pass_s(IDLE_S - 60)
        assert accounts.visitor(before, is_active=True)
        assert accounts.visitor(session.token, is_active=True)
    for _ in range(3):
        try_wrong(accounts)
    assert try_wrong(accounts).wait_s > 0, "attempts are counted all the same"
    accounts.sign_out(session.token)
    accounts.sign_out(before)
    assert accounts.visitor(session.token, is_active=True) is None
    assert accounts.visitor(before, is_active=True) is None
    accounts._db.execute("PRAGMA query_only=0")
    assert sign_in(accounts)


def test_a_token_that_never_was_is_nobody(accounts: Accounts) -> None:
    for token in ("", "x", "\ud800", "a" * 10_000):
        assert accounts.visitor(token, is_active=True) is None


def test_sign_ins_are_counted_by_the_hour_without_names(tmp_path: Path) -> None:
    now = [NOON_US]
    accounts = Accounts(tmp_path, now=lambda: now[0])
    accounts.add("nadia", "Nadia", "nurse", PASSWORD)
    for password in ("wrong", "wrong again", PASSWORD):
        accounts.sign_in("nadia", password, device="", peer="10.0.0.7")
    now[0] += 3 * 3_600_000_000
    accounts.sign_in("nadia", PASSWORD, device="", peer="10.0.0.7")
    assert accounts.sign_ins(NOON_US, NOON_US) == (1, 2)
    assert accounts.sign_ins(NOON_US, now[0]) == (2, 2)
    accounts.close()


def test_a_wall_screen_looks_for_a_week_without_anybody_at_its_keyboard(tmp_path: Path) -> None:
    now = [NOON_US]
    accounts = Accounts(tmp_path, now=lambda: now[0])
    for name, role in (("mur", "wall"), ("cora", "crisis")):
        accounts.add(name, name, role, PASSWORD)
    found = [accounts.sign_in(name, PASSWORD, device="", peer="x") for name in ("mur", "cora")]
    tokens = [one.token for one in found if isinstance(one, SignedIn)]
    now[0] += 24 * 3_600_000_000
    accounts.sign_in("cora", PASSWORD, device="", peer="x")
    assert [accounts.visitor(token, is_active=False) is not None for token in tokens] == [True, False]
    now[0] = NOON_US + WALL_S * 1_000_000 + 1
    assert accounts.visitor(tokens[0], is_active=False) is None
    accounts.close()
