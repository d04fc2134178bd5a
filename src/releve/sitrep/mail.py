"""Sending what waits in the outbox: one connection to the relay, each message to each recipient, kept until taken."""

from __future__ import annotations

from pathlib import Path

import aiosmtplib
import msgspec

from releve.clock import Instant
from releve.errors import WrongUse
from releve.recovery.lock import hold
from releve.sitrep.folder import put
from releve.sitrep.outbox import (
    OUTBOX,
    RETRY_FIRST_S,
    RETRY_LONGEST_S,
    SENT,
    TRIES_MAX,
    MailRules,
    Queued,
    waiting,
)

#: A relay that accepts the connection and stays silent is away.
RELAY_TIMEOUT_S = 20.0

#: Below this an SMTP answer asks to come again (RFC 5321, 4.2.1).
_REFUSED_FROM = 500


class Delivered(msgspec.Struct, frozen=True):
    """What became of one try.

    sent  the relay took it for every recipient that was left
    last  what was said where it did not
    """

    name: str
    sent: bool
    last: str = ""


async def deliver(folder: Path, rules: MailRules, at: Instant) -> list[Delivered]:
    """Try what is due in the outbox, and say what became of it.

    raises  WrongUse  the file with the relay's password is missing, open to others, or not "user:password"
    """
    login = _login(rules.secret)
    with hold(folder / OUTBOX / "lock") as is_alone:
        # Somebody else (a node, a terminal) is sending just now: what it leaves waits for the next time.
        due = [one for one in waiting(folder) if not one.refused and one.next_at <= at] if is_alone else []
        return await _deliver(folder, rules, login, due, at) if due else []


async def _deliver(
    folder: Path, rules: MailRules, login: tuple[str, str] | None, due: list[Queued], at: Instant
) -> list[Delivered]:
    client = aiosmtplib.SMTP(
        hostname=rules.relay_host,
        port=rules.relay_port,
        timeout=RELAY_TIMEOUT_S,
        start_tls={"auto": None, "always": True, "never": False}[rules.tls],
    )
    results = []
    try:
        async with client:
            if login is not None:
                await client.login(*login)
            for one in due:
                results.append(await _send(client, folder, rules, one, at))
    except (OSError, aiosmtplib.SMTPException) as error:
        tried = {one.name for one in results}
        results += [_again(folder, one, _said(error), at) for one in due if one.name not in tried]
    return results


async def _send(client: aiosmtplib.SMTP, folder: Path, rules: MailRules, one: Queued, at: Instant) -> Delivered:
    """Send one message to each recipient by itself; those that took it are not sent it again."""
    content = (folder / OUTBOX / f"{one.name}.eml").read_bytes()
    left: list[str] = []
    said, for_good = "", True
    for place, recipient in enumerate(one.recipients):
        try:
            await client.sendmail(rules.sender, [recipient], content)
        except aiosmtplib.SMTPRecipientsRefused as error:
            left.append(recipient)
            said = "; ".join(f"{refusal.code} {refusal.message}" for refusal in error.recipients)
            for_good = for_good and all(refusal.code >= _REFUSED_FROM for refusal in error.recipients)
        except aiosmtplib.SMTPResponseException as error:
            left.append(recipient)
            said, for_good = f"{error.code} {error.message}", for_good and error.code >= _REFUSED_FROM
        except (OSError, aiosmtplib.SMTPException) as error:  # the line broke: who has it already is not sent it again
            left += one.recipients[place:]
            said, for_good = _said(error), False
            break
    if left:
        again = msgspec.structs.replace(one, recipients=tuple(left))
        return _again(folder, again, said, at, refused=for_good)
    outbox = folder / OUTBOX
    (outbox / f"{one.name}.eml").replace(outbox / SENT / f"{one.name}.eml")
    (outbox / f"{one.name}.json").unlink(missing_ok=True)
    return Delivered(one.name, True)


def _again(folder: Path, one: Queued, said: str, at: Instant, *, refused: bool = False) -> Delivered:
    """Note what was said, and when to try again."""
    wait_s = min(RETRY_FIRST_S * 2 ** min(one.tries, 16), RETRY_LONGEST_S)
    later = msgspec.structs.replace(
        one,
        tries=one.tries + 1,
        next_at=at + wait_s * 1_000_000,
        last=said,
        refused=refused or one.tries + 1 >= TRIES_MAX,
    )
    put(folder / OUTBOX / f"{one.name}.json", msgspec.json.encode(later))
    return Delivered(one.name, False, said)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _login(secret: Path | None) -> tuple[str, str] | None:
    if secret is None:
        return None
    try:
        mode, text = secret.stat().st_mode, secret.read_text("utf-8").strip()
    except OSError as error:
        raise WrongUse("sitrep.mail-secret", f"{secret} cannot be read: {error.strerror}. Nothing was sent.") from error
    user, colon, password = text.partition(":")
    if mode & 0o077 or not (user and colon and password):
        raise WrongUse(
            "sitrep.mail-secret",
            f"{secret} must hold user:password and be readable by its owner alone (chmod 600). Nothing was sent.",
        )
    return user, password
