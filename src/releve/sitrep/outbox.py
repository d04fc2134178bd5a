"""Reports on their way by e-mail: one file per message, kept until a relay has taken it.

    mail.toml                        who gets what, by which relay
    outbox/0003.staff.eml            a message, as it will be sent
    outbox/0003.staff.json           how often it was tried, when next, what the relay said
    outbox/sent/0003.staff.eml       taken by the relay

A relay that is away is asked again, later and later; a relay that refuses for good leaves the message to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import msgspec

from releve.clock import Instant
from releve.sitrep.edition import Edition
from releve.sitrep.folder import put
from releve.sitrep.paper import lay_out
from releve.sitrep.text import render_text
from releve.sitrep.wording import LANGS, WORDS, local
from releve.wire.toml import Table, read_toml

MAIL_FILE, OUTBOX, SENT = "mail.toml", "outbox", "sent"

READERS = ("staff", "authorities", "public")

#: A relay that is away is asked again after so long, doubled each time up to an hour, for three days.
RETRY_FIRST_S, RETRY_LONGEST_S, TRIES_MAX = 30, 3600, 80


@dataclass(frozen=True)
class MailRules:
    """Who gets a report by e-mail, and by which relay.

    recipients  audience → addresses
    tls         "auto" where the relay offers it, "always", or "never"
    secret      file (0600) with "user:password"; None: the relay asks for none
    """

    relay_host: str
    relay_port: int
    sender: str
    recipients: Mapping[str, tuple[str, ...]]
    tls: str = "auto"
    secret: Path | None = None


class Queued(msgspec.Struct, frozen=True):
    """A message that waits.

    refused  a relay said no for good: it is not tried again until a person does
    """

    name: str
    recipients: tuple[str, ...]
    tries: int = 0
    next_at: Instant = 0
    last: str = ""
    refused: bool = False


def read_mail_rules(folder: Path) -> MailRules | None:
    """Return who gets the reports of a folder by e-mail; None where nobody does.

    raises  WrongUse  a wrong file: the sentence names the line, what was expected, what came
    """
    path = folder / MAIL_FILE
    if not path.exists():
        return None
    top = read_toml(path)
    top.only("mail")
    mail = top.table("mail")
    mail.only("relay", "sender", "tls", "secret", *READERS)
    host, _, port = mail.text("relay", "127.0.0.1:25").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        mail.refuse("relay", "must be HOST:PORT, such as 127.0.0.1:25")
    tls = mail.text("tls", "auto")
    if tls not in ("auto", "always", "never"):
        mail.refuse("tls", f'must be "auto", "always" or "never"; found {tls!r}')
    secret = mail.text("secret", "")
    return MailRules(
        relay_host=host.strip("[]"),
        relay_port=int(port),
        sender=_address(mail, "sender", mail.text("sender")),
        recipients={
            reader: tuple(_address(mail, reader, one) for one in mail.texts(reader, []))
            for reader in READERS
            if reader in mail
        },
        tls=tls,
        secret=folder / secret if secret else None,
    )


def _address(mail: Table, key: str, text: str) -> str:
    name, at, domain = text.partition("@")
    if not (name and at and domain) or any(letter.isspace() or letter in ",<>;" for letter in text):
        mail.refuse(key, f'must hold addresses such as "name@hospital.example"; found {text!r}')
    return text


def compose_mail(edition: Edition, audience: str, rules: MailRules, attachments: Mapping[str, bytes]) -> EmailMessage:
    """Return a published report as a message: French, then English, with files.

    attachments  name → PDF
    """
    assert edition.published is not None, "only what was published is sent"
    sheet = edition.sheet
    fr, en = (lay_out(edition, audience, lang) for lang in LANGS)
    mark = f"[{WORDS['fr']['exercise'].split(' ')[0]}] " if sheet.is_exercise else ""
    message = EmailMessage(policy=SMTP)
    name = " ".join(fr.name.split())  # a header is one line
    message["Subject"] = f"{mark}{fr.title} / {en.title} — {name}"
    message["From"] = formataddr((name, rules.sender))
    # Each recipient stands in the envelope alone: nobody reads who else is told.
    message["To"] = formataddr((fr.reader, rules.sender))
    message["Date"] = format_datetime(local(edition.published.at, sheet.zone))
    id_ = uuid5(NAMESPACE_URL, f"releve:mail:{sheet.name.fr}:{sheet.number}:{sheet.issued_at}:{audience}")
    message["Message-ID"] = f"<{id_}@{rules.sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    texts = [render_text(edition, lang, audience) for lang in LANGS]
    message.set_content(f"\n\n{'=' * 72}\n\n".join(texts), charset="utf-8", cte="quoted-printable")
    for name, content in attachments.items():
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return message


def queue(folder: Path, edition: Edition, rules: MailRules, pdfs: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    """Put a published report into the outbox for every audience that has recipients; returns the messages' names.

    pdfs  audience → file name → content
    """
    outbox = folder / OUTBOX
    (outbox / SENT).mkdir(parents=True, exist_ok=True, mode=0o700)
    names = []
    for audience, recipients in rules.recipients.items():
        name = f"{edition.sheet.number:04}.{audience}"
        if not recipients or (outbox / f"{name}.eml").exists() or (outbox / SENT / f"{name}.eml").exists():
            continue
        message = compose_mail(edition, audience, rules, pdfs.get(audience, {}))
        put(outbox / f"{name}.json", msgspec.json.encode(Queued(name, recipients)))
        put(outbox / f"{name}.eml", message.as_bytes())
        names.append(name)
    return names


def waiting(folder: Path) -> list[Queued]:
    """Return what has not been taken by a relay yet, oldest report first."""
    outbox = folder / OUTBOX
    found = []
    for path in sorted(outbox.glob("*.eml")) if outbox.is_dir() else []:
        found.append(msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Queued))
    return found
