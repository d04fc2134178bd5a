"""PostgreSQL (protocol 3.0): start-up, log in, `select 1`, and the row that says 1.

A server that is starting up or shutting down says so itself (SQLSTATE 57P03). Log-ins: trust, password, md5 and
SCRAM-SHA-256 (RFC 5802 without channel binding), as far as a probe's account needs them.
Source: PostgreSQL documentation, "Frontend/Backend Protocol", message formats.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Generator
from dataclasses import dataclass

from releve.recovery.probe.dialogue import Dialogue, exactly, more
from releve.recovery.probe.reading import Unwell, Verdict, clipped

_PROTOCOL_3 = 196_608
_STARTING = frozenset(("57P03", "57P01", "57P02"))

#: Parameter notices and the like before ReadyForQuery; a dozen is usual.
MESSAGES_MAX = 200

#: The iterations of SCRAM are the server's choice; above this a probe would burn the processor of its own node.
SCRAM_ITERATIONS_MAX = 200_000

_OK, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks.

    nonce  random text, fresh for every dialogue: SCRAM stands on it
    """

    user: str
    database: str
    password: str
    nonce: str


def select_one(account: Account) -> Dialogue:
    """Return the dialogue."""
    heard = bytearray()
    yield from more(heard, encode_startup(account.user, account.database))
    yield from _log_in(heard, account)
    yield from _until_ready(heard)
    yield from more(heard, encode_message(b"Q", b"select 1\x00"))
    row: bytes | None = None
    for _ in range(MESSAGES_MAX):
        kind, body = yield from _message(heard)
        if kind == b"D":
            row = body
        elif kind == b"Z":
            return judge_row(row)
    return Verdict("wrong", f"its answer to select 1 does not end within {MESSAGES_MAX} messages")


def judge_row(row: bytes | None) -> Verdict:
    """Return what the row of `select 1` means: one column, one byte, "1"."""
    if row is None:
        return Verdict("wrong", "select 1 brought no row")
    if row[2:] != b"\x00\x00\x00\x011":
        return Verdict("wrong", f"select 1 brought {row[6:20]!r}, expected 1")
    return Verdict("up", "it answers select 1", encode_message(b"X", b""))


def encode_startup(user: str, database: str) -> bytes:
    """Return the first message, which alone has no type byte."""
    body = _PROTOCOL_3.to_bytes(4, "big")
    for word in ("user", user, "database", database, "application_name", "releve-probe"):
        body += word.encode() + b"\x00"
    body += b"\x00"
    return (len(body) + 4).to_bytes(4, "big") + body


def encode_message(kind: bytes, body: bytes) -> bytes:
    """Return a message: type, length that counts itself, body."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def encode_md5(user: str, password: str, salt: bytes) -> bytes:
    """Return the password as md5 log-in wants it: "md5" + md5(md5(password + user) + salt)."""
    inner = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()


def _log_in(heard: bytearray, account: Account) -> Generator[bytes, bytes, None]:
    for _ in range(MESSAGES_MAX):
        kind, body = yield from _message(heard)
        if kind != b"R":
            continue
        method = int.from_bytes(body[:4], "big")
        if method == _OK:
            return
        if method == _SASL:
            yield from _scram(heard, account, body[4:])
        elif method in (_CLEARTEXT, _MD5):
            md5 = method == _MD5
            word = encode_md5(account.user, account.password, body[4:8]) if md5 else account.password.encode()
            yield from more(heard, encode_message(b"p", word + b"\x00"))
        else:
            raise Unwell("wrong", f"it wants log-in method {method}, which this probe does not speak")
    raise Unwell("wrong", "its log-in does not end")


def _scram(heard: bytearray, account: Account, methods: bytes) -> Generator[bytes, bytes, None]:
    """Log in by SCRAM-SHA-256 (RFC 5802, section 3; RFC 7677)."""
    if b"SCRAM-SHA-256" not in methods.split(b"\x00"):
        raise Unwell("wrong", f"it offers {clipped(methods)}, expected SCRAM-SHA-256")
    bare = f"n=,r={account.nonce}"
    first = b"n,," + bare.encode()
    yield from more(heard, encode_message(b"p", b"SCRAM-SHA-256\x00" + len(first).to_bytes(4, "big") + first))
    server_first = (yield from _sasl(heard, _SASL_CONTINUE)).decode("ascii", "replace")
    fields = dict(part.split("=", 1) for part in server_first.split(",") if "=" in part)
    nonce, salt, iterations = fields.get("r", ""), fields.get("s", ""), fields.get("i", "")
    if not nonce.startswith(account.nonce) or not iterations.isdigit() or int(iterations) > SCRAM_ITERATIONS_MAX:
        raise Unwell("wrong", "its SCRAM challenge is not an answer to ours")
    without_proof = f"c=biws,r={nonce}"
    signed = f"{bare},{server_first},{without_proof}".encode()
    try:
        salted = hashlib.pbkdf2_hmac("sha256", account.password.encode(), b64decode(salt), int(iterations) or 1)
    except ValueError as error:
        raise Unwell("wrong", "its SCRAM salt is not base64") from error
    proof, expected = scram_proof(salted, signed)
    final = f"{without_proof},p={b64encode(proof).decode()}"
    yield from more(heard, encode_message(b"p", final.encode()))
    answer = yield from _sasl(heard, _SASL_FINAL)
    if answer != b"v=" + b64encode(expected):
        raise Unwell("wrong", "it does not know the password it checks: its SCRAM signature is wrong")


def scram_proof(salted: bytes, signed: bytes) -> tuple[bytes, bytes]:
    """Return our proof and the signature that the server must answer with."""
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return proof, hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")


def _sasl(heard: bytearray, step: int) -> Generator[bytes, bytes, bytes]:
    kind, body = yield from _message(heard)
    if kind != b"R" or int.from_bytes(body[:4], "big") != step:
        raise Unwell("wrong", f"its log-in breaks off: message {kind!r}, expected step {step}")
    return body[4:]


def _until_ready(heard: bytearray) -> Generator[bytes, bytes, None]:
    for _ in range(MESSAGES_MAX):
        kind, _ = yield from _message(heard)
        if kind == b"Z":
            return
    raise Unwell("wrong", "it never says that it is ready")


def _message(heard: bytearray) -> Generator[bytes, bytes, tuple[bytes, bytes]]:
    """Return type and body of the next message.

    raises  Unwell  it is an error, or no message of this protocol
    """
    head = yield from exactly(heard, 5)
    kind, size = head[:1], int.from_bytes(head[1:], "big")
    if kind not in b"RSKZTDCNEIAv" or size < 4:
        raise Unwell("wrong", f"it does not speak PostgreSQL: {clipped(head)!r}")
    body = yield from exactly(heard, size - 4)
    if kind == b"E":
        fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\x00") if part}
        code = fields.get(b"C", "")
        raise Unwell("starting" if code in _STARTING else "wrong", f"it says {code}: {clipped(fields.get(b'M', ''))}")
    return kind, body
