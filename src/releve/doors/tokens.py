"""Bearer tokens for machines: printed once, kept as a hash, revocable, read again when the file changes.

A token is 256 random bits, so its plain SHA-256 is enough: there is nothing to guess that a slow hash would protect.
The file is DIR/keys/tokens.json, mode 0600, replaced whole under a lock, so the command line and the running node may
use it at the same time. It names labels and roles, and refuses to know people.

Source: RFC 6750 (bearer tokens), sections 2.1 and 3.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hmac
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from releve.clock import Instant, to_iso, wall_us
from releve.errors import StoreUnable, WrongUse

#: What a token may do. "system" reads every record by FHIR; "monitor" reads /metrics and no patient.
ROLES = ("system", "monitor")
#: A hospital has some dozens of systems; each check compares against every token.
TOKENS_MAX = 500
LABEL_CHARS_MAX = 100

#: In front of every token, so that one left in a mail or a repository is recognised for what it is.
TOKEN_PREFIX = "releve_"  # noqa: S105 - not a secret, the mark of one
_TOKEN_BYTES = 32
_TOKEN_CHARS_MAX = 200
_log = logging.getLogger(__name__)


class Holder(msgspec.Struct, frozen=True):
    """Who holds a token, as the file keeps it.

    id          short public name of the token, for lists and revocation
    sha256      hash of the token, hex
    created_at, expires_at, revoked_at   microseconds since 1970; 0 for never
    """

    id: str
    role: str
    label: str
    sha256: str
    created_at: Instant
    expires_at: Instant = 0
    revoked_at: Instant = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    tokens: list[Holder]


class Tokens:
    """The tokens of one node.

    folder  the node's folder
    now     microseconds since 1970

    raises  WrongUse  the file is there and cannot be read
    """

    def __init__(self, folder: Path, now: Callable[[], Instant] = wall_us) -> None:
        self._path = folder / "keys" / "tokens.json"
        self._now = now
        self._mark = _mark(self._path)
        self._holders = _read(self._path)

    def issue(self, role: str, label: str = "", *, expires_at: Instant = 0) -> str:
        """Make a token and return it; it is never shown again, the file keeps only its hash.

        role        one of ROLES
        label       which system it is for, such as "laboratory H01"; stands in the audit trail
        expires_at  microseconds since 1970; 0 for never

        raises  WrongUse     unknown role, impossible label, too many tokens
        raises  StoreUnable  the folder cannot be written; no token was made
        """
        if role not in ROLES:
            raise WrongUse("token.role", f"There is no role {role!r} for a token; the roles are {', '.join(ROLES)}.")
        if len(label) > LABEL_CHARS_MAX or not label.isprintable():
            raise WrongUse("token.label", f"A label is at most {LABEL_CHARS_MAX} printable characters.")
        text = TOKEN_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_TOKEN_BYTES)).rstrip(b"=").decode()
        digest = sha256(text.encode()).hexdigest()
        holder = Holder(secrets.token_hex(4), role, label or role, digest, self._now(), expires_at)
        with self._changing() as holders:
            if len(holders) >= TOKENS_MAX:
                raise WrongUse("token.too-many", f"There are {TOKENS_MAX} tokens already; forget revoked ones first.")
            holders.append(holder)
        return text

    def revoke(self, token_id: str) -> Holder:
        """Make a token invalid from now on, at the running node as well, and return who held it.

        raises  WrongUse  there is no token of this id
        """
        with self._changing() as holders:
            for place, holder in enumerate(holders):
                if holder.id == token_id:
                    holders[place] = revoked = msgspec.structs.replace(
                        holder, revoked_at=holder.revoked_at or self._now()
                    )
                    return revoked
            raise WrongUse("token.unknown", f"There is no token {token_id!r}; nothing was changed.")

    def every(self) -> list[Holder]:
        """Return all tokens ever issued, oldest first, revoked ones included."""
        self._reload()
        return list(self._holders)

    def holder_of(self, authorization: str | None) -> Holder | None:
        """Return who sent an Authorization header, or None when it holds no valid token.

        Every token is compared, in constant time each, so that the time tells nothing.
        """
        scheme, _, text = (authorization or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text or len(text) > _TOKEN_CHARS_MAX:
            return None
        self._reload()
        digest = sha256(text.encode("utf-8", "replace")).hexdigest()
        found = None
        for holder in self._holders:
            if hmac.compare_digest(holder.sha256, digest):
                found = holder
        if found is None or found.revoked_at or (found.expires_at and found.expires_at <= self._now()):
            return None
        return found

    def _reload(self) -> None:
        """Read the file again if it is another; a file that cannot be read leaves what was known, and says so once."""
        mark = _mark(self._path)
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._holders = _read(self._path)
        except WrongUse as error:
            _log.error("tokens kept as last read", extra={"code": error.code})

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Holder]]:
        """Hold the file's lock, give its tokens to be changed, and replace it whole."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            holders = _read(self._path)
            yield holders
            _write(self._path, holders)
            self._mark, self._holders = _mark(self._path), holders
        except OSError as error:
            raise _unwritable(self._path, error) from error
        finally:
            os.close(lock)


def describe(holder: Holder, now: Instant) -> str:
    """Return a token's line for a list: id, role, label, since when, and whether it still opens anything."""
    if holder.revoked_at:
        state = f"revoked {to_iso(holder.revoked_at)}"
    elif holder.expires_at:
        state = ("expired " if holder.expires_at <= now else "until ") + to_iso(holder.expires_at)
    else:
        state = "valid"
    return f"{holder.id}  {holder.role:8} {to_iso(holder.created_at)}  {state}  {holder.label}"


def _mark(path: Path) -> tuple[int, int, int]:
    """Return what changes when the file is replaced; zeros when there is none to be seen."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _read(path: Path) -> list[Holder]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WrongUse("token.unreadable", f"The tokens {path} cannot be read: {error.strerror}.") from error
    try:
        file = msgspec.json.decode(content, type=_File)
    except msgspec.DecodeError as error:
        raise WrongUse("token.broken", f"{path} is no file of tokens: {error}. Nothing was changed.") from error
    if file.version != 1:
        raise WrongUse("token.other-version", f"{path} is of version {file.version}; this program knows version 1.")
    return file.tokens


def _write(path: Path, holders: list[Holder]) -> None:
    """Replace the file whole and synced: after a power cut it is the old one or the new one."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    target = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(target, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(_File(1, holders)), indent=2))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unwritable(path: Path, error: OSError) -> StoreUnable:
    return StoreUnable("token.unwritable", f"The tokens {path} cannot be written: {error.strerror}. None was changed.")
