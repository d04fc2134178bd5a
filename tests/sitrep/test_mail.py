"""E-mail with a real SMTP server: sent once, kept while the relay is away, left to a person when it refuses."""

from __future__ import annotations

import asyncio
import fcntl
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from releve.errors import WrongUse
from releve.sitrep import Person, Register, SituationReport
from releve.sitrep.mail import Delivered, deliver
from releve.sitrep.outbox import RETRY_FIRST_S, MailRules, read_mail_rules, waiting
from releve.sitrep.publishing import publish

pytestmark = pytest.mark.peer

Moments = dict[str, SituationReport]
ANNE = Person("Anne Moreau", "directrice de garde")
S = 1_000_000
MAIL = """
[mail]
relay = "127.0.0.1:{port}"
sender = "crise@hopital.example"
staff = ["tous@hopital.example", "garde@hopital.example"]
authorities = ["alerte@ars.example"]
"""


class Mailbox:
    """What a real SMTP server took, and whom it refuses."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.refuses: dict[str, str] = {}
        self.breaks_after: int | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.breaks_after is not None and len(self.taken) >= self.breaks_after:
            server.transport.abort()
            return "421 gone"
        self.taken += [(one, envelope.content) for one in envelope.rcpt_tos]
        return "250 taken"


@asynccontextmanager
async def relay(mailbox: Mailbox) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="relay.example"), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def queued(register: Register, report: SituationReport) -> MailRules:
    """Publish a report for whoever mail.toml names, and return the rules."""
    (register.folder / "mail.toml").parent.mkdir(exist_ok=True)
    (register.folder / "mail.toml").write_text(MAIL.format(port=25), "utf-8")
    register.draft(report, by=ANNE)
    register.approve(1, by=ANNE, at=report.issued_at)
    publish(register, 1, by=ANNE, at=report.issued_at)
    rules = read_mail_rules(register.folder)
    assert rules is not None
    return rules


def tried(register: Register, rules: MailRules, mailbox: Mailbox, at: int) -> list[Delivered]:
    async def once() -> list[Delivered]:
        async with relay(mailbox) as port:
            return await deliver(register.folder, replace(rules, relay_port=port), at)

    return asyncio.run(once())


def test_each_reader_gets_the_report_once_in_both_languages_with_its_pdf(register: Register, moments: Moments) -> None:
    report, mailbox = moments["cut"], Mailbox()
    rules = queued(register, report)
    assert [one.sent for one in tried(register, rules, mailbox, report.issued_at)] == [True, True]
    assert [to for to, _ in mailbox.taken] == ["alerte@ars.example", "tous@hopital.example", "garde@hopital.example"]
    message = message_from_bytes(mailbox.taken[1][1], policy=default)
    assert message["Subject"] == "Point de situation n° 1 / Situation report no. 1 — Centre d'hébergement"
    assert "garde@" not in str(message["To"]), "nobody reads who else is told"
    body = message.get_body()
    assert body is not None
    assert "Pour les équipes" in body.get_content()
    assert "For staff" in body.get_content()
    files = [part.get_filename() for part in message.iter_attachments()]
    assert files == ["sitrep-0001.staff.fr.pdf", "sitrep-0001.staff.en.pdf"]
    assert tried(register, rules, mailbox, report.issued_at + 3600 * S) == [], "nothing is sent twice"
    assert waiting(register.folder) == []


def test_while_the_relay_is_away_messages_wait_and_go_later(register: Register, moments: Moments) -> None:
    at = moments["cut"].issued_at
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        rules = replace(queued(register, moments["cut"]), relay_port=taken.getsockname()[1])
        assert [one.sent for one in asyncio.run(deliver(register.folder, rules, at))] == [False, False]
    assert [one.tries for one in waiting(register.folder)] == [1, 1]
    mailbox = Mailbox()
    assert tried(register, rules, mailbox, at + (RETRY_FIRST_S - 1) * S) == [], "not before its time"
    assert [one.sent for one in tried(register, rules, mailbox, at + RETRY_FIRST_S * S)] == [True, True]


def test_a_recipient_that_is_refused_keeps_nobody_else_waiting(register: Register, moments: Moments) -> None:
    at, mailbox = moments["cut"].issued_at, Mailbox()
    mailbox.refuses = {"garde@hopital.example": "550 no such mailbox", "alerte@ars.example": "451 come again"}
    rules = queued(register, moments["cut"])
    tried(register, rules, mailbox, at)
    assert [to for to, _ in mailbox.taken] == ["tous@hopital.example"]
    kept = {one.name: one for one in waiting(register.folder)}
    assert kept["0001.staff"].recipients == ("garde@hopital.example",)
    assert (kept["0001.staff"].refused, kept["0001.authorities"].refused) == (True, False)
    assert "550 no such mailbox" in kept["0001.staff"].last
    mailbox.refuses = {}
    tried(register, rules, mailbox, at + RETRY_FIRST_S * S)
    assert [to for to, _ in mailbox.taken] == ["tous@hopital.example", "alerte@ars.example"]


def test_a_line_that_breaks_half_way_sends_nobody_a_report_twice(register: Register, moments: Moments) -> None:
    at, mailbox = moments["cut"].issued_at, Mailbox()
    rules = queued(register, moments["cut"])
    mailbox.breaks_after = 2
    assert [one.sent for one in tried(register, rules, mailbox, at)] == [True, False]
    mailbox.breaks_after = None
    tried(register, rules, mailbox, at + RETRY_FIRST_S * S)
    assert [to for to, _ in mailbox.taken] == ["alerte@ars.example", "tous@hopital.example", "garde@hopital.example"]


def test_two_that_send_at_once_send_once(register: Register, moments: Moments) -> None:
    at, mailbox = moments["cut"].issued_at, Mailbox()
    rules = queued(register, moments["cut"])
    (register.folder / "outbox" / "lock").touch()
    with (register.folder / "outbox" / "lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert tried(register, rules, mailbox, at) == []
    assert len(tried(register, rules, mailbox, at)) == 2


def test_a_password_that_others_can_read_is_refused(register: Register, moments: Moments) -> None:
    rules = queued(register, moments["cut"])
    secret = register.folder / "relay.secret"
    secret.write_text("releve:x", "utf-8")
    secret.chmod(0o644)
    with pytest.raises(WrongUse, match="chmod 600"):
        asyncio.run(deliver(register.folder, replace(rules, secret=secret), moments["cut"].issued_at))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[mail]\nrelay = "x"\nsender = "a@b"\n', "line 2"),
        ('[mail]\nsender = "a@b"\nstaff = ["x y@z"]\n', "line 3"),
        ('[mail]\nsender = "a@b"\ntls = "perhaps"\n', '"always"'),
        ('[mail]\nsender = "a@b"\npress = []\n', "known are"),
        ("[mail]\n", "'sender'"),
    ],
)
def test_a_wrong_mail_file_is_refused_by_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mail.toml").write_text(text, "utf-8")
    with pytest.raises(WrongUse, match=says):
        read_mail_rules(tmp_path)


def test_without_a_mail_file_nobody_is_written_to(tmp_path: Path) -> None:
    assert read_mail_rules(tmp_path) is None
