"""Local accounts and their sessions: signing in works with the centre, its directory and its clock dead.

One small SQLite file (accounts.db, 0600). A password is kept as an argon2id verifier, a session and a device as the
hash of their random value: who reads the file can sign in as nobody. Attempts are slowed, never locked out: a
wrong password costs its own device up to thirty seconds, and a known device is not slowed by attempts made elsewhere.
When the disk refuses to write, sessions and attempts are kept in memory: a full disk keeps no nurse from reading.

What it is not: two factors. Since 1 January 2026 login and password alone do not conform to the French framework
(arrêté of 28 March 2022); OIDC, passkeys and badges come above this floor, and the security officer decides.

Source: RFC 9106 (argon2id); RFC 6265bis (cookies); the settings are those of the project's measurements: 25 ms a try.
"""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.requests import Request

from releve.clock import Instant, wall_us
from releve.errors import StoreUnable, WrongUse
from releve.screen import LANGUAGES, Visitor
from releve.screen.screen import ROLES

ACCOUNTS_FILE = "accounts.db"
SCHEMA_VERSION = 1

SESSION_COOKIE = "releve_session"
#: With TLS: the prefix makes browsers refuse a cookie of this name that was not set by this very host over TLS.
SECURE_SESSION_COOKIE = "__Host-releve"

PASSWORD_CHARS_MIN = 10
#: argon2 reads the whole password; nobody types more than this, and somebody might send a megabyte.
PASSWORD_CHARS_MAX = 256
IDLE_S = 600
ABSOLUTE_S = 12 * 3600
#: A wall screen has nobody at its keyboard: it looks for a week, at pages without patients, and decides nothing.
WALL_ROLE, WALL_S = "wall", 7 * 86_400
#: A session's last use is written at most this often: a page a second must not be a write a second.
TOUCH_S = 20
#: The first wrong passwords cost nothing: people mistype.
FREE_ATTEMPTS = 3
WAIT_S_MAX = 30
#: After so long without an attempt the count begins anew.
FORGET_S = 3600
#: Whoever looks for a cause looks weeks back, not years.
TALLY_S = 90 * 86_400
#: More wrong passwords than this in a minute on the whole node is not people mistyping: it is said in the log.
ALERT_ATTEMPTS_A_MINUTE = 60

_HOUR_US = 3_600_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_TABLES = """
CREATE TABLE account (
  name TEXT PRIMARY KEY, display TEXT NOT NULL, role TEXT NOT NULL, language TEXT NOT NULL, verifier TEXT NOT NULL,
  created_at INTEGER NOT NULL, disabled_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
  token_hash BLOB PRIMARY KEY, account TEXT NOT NULL, secret BLOB NOT NULL, started_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE device (token_hash BLOB, account TEXT, PRIMARY KEY (token_hash, account)) STRICT, WITHOUT ROWID;
CREATE TABLE attempt (
  place TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
#: Files of version 1 are older than this table; a program that does not know it leaves it alone.
_TALLY = """
CREATE TABLE IF NOT EXISTS sign_in (
  hour INTEGER PRIMARY KEY, done INTEGER NOT NULL, wrong INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
SQL_TALLY = (
    "INSERT INTO sign_in VALUES (?, ?, ?) ON CONFLICT (hour) DO UPDATE"
    " SET done = done + excluded.done, wrong = wrong + excluded.wrong"
)
SQL_TALLIED = "SELECT coalesce(sum(done), 0), coalesce(sum(wrong), 0) FROM sign_in WHERE hour BETWEEN ? AND ?"
SQL_KEEP_SESSION = "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)"
SQL_COUNT_ATTEMPT = (
    "INSERT INTO attempt VALUES (?, 1, ?) ON CONFLICT (place) DO UPDATE"
    " SET failures = failures + 1, last_at = excluded.last_at"
)
SQL_SESSION = (
    "SELECT s.account, a.display, a.role, a.language, s.secret, s.started_at, s.seen_at FROM session s"
    " JOIN account a ON a.name = s.account WHERE s.token_hash = ? AND a.disabled_at IS NULL"
)

_log = logging.getLogger(__name__)


class Account(msgspec.Struct, frozen=True):
    """Somebody who may sign in."""

    name: str
    display: str
    role: str
    language: str
    is_disabled: bool


class SignedIn(msgspec.Struct, frozen=True):
    """A new session: its token goes into a cookie and is kept nowhere."""

    token: str
    device: str
    account: Account


class Attempt(msgspec.Struct, frozen=True):
    """An attempt that was counted and waits for its password to be verified; account is None for nobody we know."""

    account: Account | None
    verifier: str
    place: str
    device: str
    peer: str


class NotSignedIn(msgspec.Struct, frozen=True):
    """Not this time. wait_s is above 0 when the attempt was not even looked at, because it came too soon."""

    wait_s: int = 0


class Accounts:
    """The accounts and sessions of one node; several processes may have it open.

    folder  the node's folder; accounts.db is made when it is not there, with nobody in it

    raises  WrongUse     the file is none of ours, or others may read it
    raises  StoreUnable  the folder cannot be written
    """

    def __init__(self, folder: Path, now: Callable[[], Instant] = wall_us) -> None:
        self._now = now
        self._db = _open(folder / ACCOUNTS_FILE)
        # The same tables in memory, for what the disk refuses; it dies with the process, and people sign in again.
        self._memory = sqlite3.connect(":memory:", check_same_thread=False)
        self._memory.executescript(_TABLES + _TALLY)
        self._ended: set[bytes] = set()
        self._is_told = False
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        # Verified in place of an account that does not exist, so that the time of an answer tells no names.
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._minute = (0, 0)

    def close(self) -> None:
        self._db.close()
        self._memory.close()

    # Accounts

    def add(self, name: str, display: str, role: str, password: str) -> Account:
        """Make an account.

        name     small letters, digits, dot, dash: what is typed at sign-in and stands in audit and log
        display  as colleagues know them: "Dr Nadia Benali"

        raises   WrongUse  wrong name, role or password, or the name is taken; nothing was changed
        """
        name = account_name(name)
        if not _NAME.fullmatch(name):
            raise WrongUse(
                "account.name", f"An account's name is up to 40 of a-z, 0-9, dot, dash, underscore; found {name!r}."
            )
        if role not in ROLES:
            raise WrongUse("account.role", f"A role is one of {', '.join(ROLES)}; found {role!r}.")
        if not display.strip() or len(display) > 80 or not display.isprintable():
            raise WrongUse(
                "account.display", "The name that colleagues see is 1 to 80 characters; nothing was changed."
            )
        verifier = self._verifier(name, password)
        try:
            with self._db:
                self._db.execute(
                    "INSERT INTO account VALUES (?, ?, ?, '', ?, ?, NULL)",
                    (name, display.strip(), role, verifier, self._now()),
                )
        except sqlite3.IntegrityError:
            raise WrongUse("account.exists", f"There is an account {name!r} already; nothing was changed.") from None
        return Account(name, display.strip(), role, "", False)

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password and end its sessions.

        raises  WrongUse  no such account, or a password that is too short
        """
        name = self._known(name)
        verifier = self._verifier(name, password)
        with self._db:
            self._db.execute("UPDATE account SET verifier = ? WHERE name = ?", (verifier, name))
            self._db.execute("DELETE FROM session WHERE account = ?", (name,))

    def disable(self, name: str) -> None:
        """Close an account: it signs in no more and its sessions are over; what it wrote keeps its name.

        raises  WrongUse  no such account
        """
        name = self._known(name)
        with self._db:
            self._db.execute("UPDATE account SET disabled_at = ? WHERE name = ?", (self._now(), name))
            self._db.execute("DELETE FROM session WHERE account = ?", (name,))
        with self._memory:
            self._memory.execute("DELETE FROM session WHERE account = ?", (name,))

    def every(self) -> list[Account]:
        """Return all accounts by name."""
        rows = self._db.execute("SELECT name, display, role, language, disabled_at FROM account ORDER BY name")
        return [
            Account(name, display, role, language, gone is not None) for name, display, role, language, gone in rows
        ]

    def set_language(self, name: str, language: str) -> None:
        """Remember the language of an account."""
        if language in LANGUAGES:
            with self._db:
                self._db.execute("UPDATE account SET language = ? WHERE name = ?", (language, name))

    # Signing in

    def sign_in(self, name: str, password: str, *, device: str, peer: str) -> SignedIn | NotSignedIn:
        """Check a password and begin a session, in one go; 25 ms of one core. Pages do its three steps one by one.

        device  the device cookie of this browser, "" when it has none: a device known to the account has its own count
        peer    the address of the machine, which counts for the unknown devices behind it
        """
        attempt = self.begin_attempt(name, device=device, peer=peer)
        if isinstance(attempt, NotSignedIn):
            return attempt
        return self.end_attempt(attempt, is_right=self.verify(attempt, password))

    def begin_attempt(self, name: str, *, device: str, peer: str) -> Attempt | NotSignedIn:
        """Count an attempt before its slow part, so that a thousand at once do not all see an empty count."""
        name = account_name(name)
        place = self._place(name, device, peer)
        wait_s = self._wait_s(place)
        if wait_s:
            return NotSignedIn(wait_s)
        self._count_attempt(place)
        row = self._db.execute(
            "SELECT display, role, language, verifier FROM account WHERE name = ? AND disabled_at IS NULL", (name,)
        ).fetchone()
        account = Account(name, row[0], row[1], row[2], False) if row else None
        return Attempt(account, row[3] if row else self._nobody, place, device, peer)

    def verify(self, attempt: Attempt, password: str) -> bool:
        """Say whether a password is right. The slow part: it touches no file and may run in any thread."""
        try:
            return self._hasher.verify(attempt.verifier, password[:PASSWORD_CHARS_MAX]) and attempt.account is not None
        except (VerificationError, InvalidHashError):
            return False

    def end_attempt(self, attempt: Attempt, *, is_right: bool) -> SignedIn | NotSignedIn:
        """Begin a session after a right password."""
        if not is_right or attempt.account is None:
            self._watch_attempts(attempt.peer)
            self._write([self._tally(done=0, wrong=1)])
            return NotSignedIn()
        return self._begin(attempt.account, attempt.device, attempt.place)

    def sign_ins(self, since: Instant, until: Instant) -> tuple[int, int]:
        """Return how many sign-ins went well and how many passwords were wrong, by whole hours, names left out."""
        right, wrong = self._db.execute(SQL_TALLIED, (since // _HOUR_US, until // _HOUR_US)).fetchone()
        return right, wrong

    def visitor(self, token: str, *, is_active: bool) -> Visitor | None:
        """Return who a session token belongs to; None when it is over, was idle too long or never was.

        is_active  False for a page that reloads itself: it does not keep a session open
        """
        if not token or len(token) > 100:
            return None
        digest = _digest(token)
        if digest in self._ended:
            return None
        rows = [row for db in (self._memory, self._db) if (row := db.execute(SQL_SESSION, (digest,)).fetchone())]
        if not rows:
            return None
        account, display, role, language, secret, started_at, seen_at = max(rows, key=lambda row: row[6])
        now = self._now()
        idle_s, absolute_s = (WALL_S, WALL_S) if role == WALL_ROLE else (IDLE_S, ABSOLUTE_S)
        if now - seen_at > idle_s * 1_000_000 or now - started_at > absolute_s * 1_000_000:
            self._end(digest)
            return None
        if is_active and now - seen_at > TOUCH_S * 1_000_000:
            session = (digest, account, secret, started_at, now)
            self._write([(SQL_KEEP_SESSION, session)], account)
        return Visitor(account, display, role, language, secret)

    def find(self, request: Request, *, is_active: bool) -> Visitor | None:
        """Return who is signed in on a request, by its session cookie: what a Screen asks."""
        token = request.cookies.get(SECURE_SESSION_COOKIE) or request.cookies.get(SESSION_COOKIE, "")
        return self.visitor(token, is_active=is_active)

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._end(_digest(token))

    # Inside

    def _verifier(self, name: str, password: str) -> str:
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise WrongUse(
                "account.password-length",
                f"A password is {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters; this one has {len(password)}. "
                "Three or four words do. Nothing was changed.",
            )
        if name in password.casefold():
            raise WrongUse("account.password-name", "The password holds the account's name; choose another.")
        return self._hasher.hash(password)

    def _known(self, name: str) -> str:
        name = account_name(name)
        if self._db.execute("SELECT 1 FROM account WHERE name = ?", (name,)).fetchone() is None:
            raise WrongUse("account.unknown", f"There is no account {name!r}; nothing was changed.")
        return name

    def _place(self, name: str, device: str, peer: str) -> str:
        """Return what attempts are counted under."""
        digest = _digest(device)
        is_known = (
            device
            and self._db.execute("SELECT 1 FROM device WHERE token_hash = ? AND account = ?", (digest, name)).fetchone()
        )
        return f"{name} device {digest.hex()}" if is_known else f"{name} peer {peer}"

    def _wait_s(self, place: str) -> int:
        sql = "SELECT failures, last_at FROM attempt WHERE place = ?"
        rows = [row for db in (self._memory, self._db) if (row := db.execute(sql, (place,)).fetchone())]
        if not rows:
            return 0
        failures, last_at = (int(part) for part in max(rows))
        since_s = (self._now() - last_at) / 1_000_000
        if failures < FREE_ATTEMPTS or since_s > FORGET_S:
            return 0
        # Exponent bounded as well as its result: the count of a night's attack must not become a large number.
        wait_s: int = min(WAIT_S_MAX, 2 ** min(failures - FREE_ATTEMPTS, 10))
        return max(0, math.ceil(wait_s - since_s))

    def _count_attempt(self, place: str) -> None:
        now = self._now()
        forget = ("DELETE FROM attempt WHERE last_at < ?", (now - FORGET_S * 1_000_000,))
        self._write([forget, (SQL_COUNT_ATTEMPT, (place, now))])

    def _tally(self, *, done: int, wrong: int) -> tuple[str, tuple[object, ...]]:
        return SQL_TALLY, (self._now() // _HOUR_US, done, wrong)

    def _watch_attempts(self, peer: str) -> None:
        minute = self._now() // 60_000_000
        count = self._minute[1] + 1 if self._minute[0] == minute else 1
        self._minute = (minute, count)
        if count == ALERT_ATTEMPTS_A_MINUTE:
            _log.warning("many wrong passwords within a minute", extra={"attempts": count, "peer": peer})

    def _begin(self, account: Account, device: str, place: str) -> SignedIn:
        token = secrets.token_urlsafe(32)
        device = device if 40 <= len(device) <= 60 else secrets.token_urlsafe(32)
        now = self._now()
        session = (_digest(token), account.name, secrets.token_bytes(32), now, now)
        self._write(
            [
                ("DELETE FROM attempt WHERE place = ?", (place,)),
                ("DELETE FROM session WHERE started_at < ?", (now - WALL_S * 1_000_000,)),
                ("INSERT OR IGNORE INTO device VALUES (?, ?)", (_digest(device), account.name)),
                (SQL_KEEP_SESSION, session),
                ("DELETE FROM sign_in WHERE hour < ?", ((now - TALLY_S * 1_000_000) // _HOUR_US,)),
                self._tally(done=1, wrong=0),
            ],
            account.name,
        )
        return SignedIn(token, device, account)

    def _end(self, digest: bytes) -> None:
        statement = ("DELETE FROM session WHERE token_hash = ?", (digest,))
        with self._memory:
            self._memory.execute(*statement)
        if not self._write([statement]):
            self._ended.add(digest)  # its row still stands on the disk

    def _write(self, statements: Sequence[tuple[str, tuple[object, ...]]], account: str = "") -> bool:
        """Write sessions and attempts to the disk, or to memory when the disk refuses; say whether it was the disk.

        account  whose row goes into memory with them, since a session is read together with it
        """
        try:
            with self._db:
                for sql, values in statements:
                    self._db.execute(sql, values)
            self._is_told = False
            return True
        except sqlite3.OperationalError as error:
            if not self._is_told:
                _log.error("sessions kept in memory only: the disk refuses", extra={"reason": str(error)})
                self._is_told = True
        with self._memory:
            if account:
                row = self._db.execute("SELECT * FROM account WHERE name = ?", (account,)).fetchone()
                self._memory.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            for sql, values in statements:
                self._memory.execute(sql, values)
        return False


def account_name(text: str) -> str:
    """Return the form in which a name is kept and compared."""
    return unicodedata.normalize("NFKC", text).strip().casefold()[:100]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()


def _make_tally(db: sqlite3.Connection) -> None:
    """Add the table of counts to a file that is older than it; on a full disk they are kept until the program ends."""
    try:
        db.executescript(_TALLY)
    except sqlite3.OperationalError:
        db.executescript("PRAGMA temp_store=MEMORY;" + _TALLY.replace("CREATE TABLE", "CREATE TEMP TABLE"))


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077:
            raise WrongUse("account.open-file", f"{path} may be read by others. Close it: chmod 600 {path}")
        # One thread at a time, but not always the one that opened it: the supervisor opens, the loop's thread uses.
        db = sqlite3.connect(path, timeout=5, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")  # a power cut may end the last sessions; people sign in again
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
            version = SCHEMA_VERSION
        if version == SCHEMA_VERSION:
            _make_tally(db)
    except OSError as error:
        raise StoreUnable("account.unwritable", f"{path} cannot be written: {error.strerror}.") from error
    except sqlite3.DatabaseError as error:
        raise WrongUse("account.not-ours", f"{path} is no file of accounts: {error}.") from error
    if version != SCHEMA_VERSION:
        db.close()
        raise WrongUse(
            "account.other-version", f"{path} has version {version}; this program knows version {SCHEMA_VERSION}."
        )
    return db
