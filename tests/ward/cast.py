"""The cast of the page tests: a small hospital with a real log, real folding and real views, and who works there.

Marie Lefebvre lies in CARDIO with an allergy and results, Léo Nguyen in the next room without any. Nadia is a nurse,
Paul a doctor, Inès from IT, Cora sits in the crisis cell. Time stands still until a test moves it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from releve.board import Decision, FeedWatch, HubState, board_routes
from releve.config import FeedRule
from releve.errors import StoreUnable
from releve.log import Body, Draft, Ledger, Log, Receipt, encode_body
from releve.record import Archive, Views
from releve.recovery.alert import Alert
from releve.screen import Screen, ServiceState, Site
from releve.translate import translate
from releve.ward import Accounts, Looked, ward_routes
from releve.wire.hl7v2 import parse

PASSWORD = "quatre mots tout simples"
ZONE = ZoneInfo("Europe/Paris")
#: 3 August 2024, 14:00 in Paris.
NOON_US = 1_722_686_400_000_000
MINUTE_US = 60_000_000

ADMIT_MARIE = (
    "MSH|^~\\&|DPI|H01|RELEVE|H01|20240803090000||ADT^A01^ADT_A01|A1|P|2.5|||||FRA|8859/15\r"
    "EVN||20240803090000\r"
    "PID|||800123456^^^H01^PI||LEFEBVRE^Marie^^^^^L||19500302|F\r"
    "PV1||I|CARDIO^101^1^H01|||||||||||||||||V77^^^H01^VN|||||||||||||||||||||||||20240803090000\r"
    "AL1|1|DA|^PENICILLINE|SV|Oedeme\r"
).encode("iso8859-15")
ADMIT_LEO = (
    "MSH|^~\\&|DPI|H01|RELEVE|H01|20240803091000||ADT^A01^ADT_A01|A2|P|2.5|||||FRA|UNICODE UTF-8\r"
    "EVN||20240803091000\r"
    "PID|||800987654^^^H01^PI||NGUYEN^Léo^^^^^L||20240112|M\r"
    "PV1||I|CARDIO^102^1^H01|||||||||||||||||V78^^^H01^VN|||||||||||||||||||||||||20240803091000\r"
).encode()


def potassium(value: str, flag: str, at: str, *, status: str = "F", number: str = "K1", issued: str = "") -> bytes:
    """Return a potassium of Marie's, in mmol/L, reference 3.5 to 5.1."""
    issued = issued or at
    return (
        f"MSH|^~\\&|LAB|H01|RELEVE|H01|{issued}||ORU^R01^ORU_R01|L{number}{issued}|P|2.5|||||FRA|UNICODE UTF-8\r"
        "PID|||800123456^^^H01^PI||LEFEBVRE^Marie\r"
        f"OBR|1||{number}^LAB|IONO^Ionogramme^L|||{at}|||||||||||||||{issued}|||{status}\r"
        f"OBX|1|NM|2823-3^Potassium^LN||{value}|mmol/L|3.5-5.1|{flag}|||{status}|||{at}\r"
    ).encode()


class House:
    """A hospital's node without its sockets: what is sent is kept, folded and shown."""

    def __init__(self, folder: Path, *, is_secure: bool = False) -> None:
        self.folder = folder
        self.now = NOON_US
        self.services: list[ServiceState] = []
        self.hubs: list[HubState] = []
        self.alerts: list[Alert] = []
        self.audit: list[tuple[str, str, str, str, tuple[str, ...], str]] = []
        self.decisions: list[Decision] = []
        self.drafts: list[Draft] = []
        self.is_folding = True
        self.is_refusing = False
        (folder / "reports").mkdir()
        self.log = Log(folder, "H01", Ed25519PrivateKey.generate(), now=lambda: self.now)
        self.ledger = Ledger(folder)
        self.archive = Archive(folder, origin="H01")
        self.views = Views(folder)
        self.accounts = Accounts(folder, now=lambda: self.now)
        self.looked = Looked(folder)
        for name, display, role in (
            ("nadia", "Nadia Benali", "nurse"),
            ("paul", "Dr Paul Roux", "doctor"),
            ("ines", "Inès Informatique", "it"),
            ("cora", "Cora Cellule", "crisis"),
        ):
            self.accounts.add(name, display, role, PASSWORD)
        self.feeds = FeedWatch(self.views.feeds, [FeedRule("LAB|H01", "Laboratoire", 300)], "H01", now=lambda: self.now)
        self.screen = Screen(
            Site("H01", "Hôpital d'essai"),
            visitor=self.accounts.find,
            services=lambda: self.services,
            late_feeds=self.feeds.late,
            now=lambda: self.now,
            zone=ZONE,
            remember_language=self.accounts.set_language,
            is_secure=is_secure,
        )
        self.app = Starlette(
            routes=[
                *self.screen.routes(),
                *ward_routes(
                    self.screen,
                    views=self.views,
                    append=self.append,
                    accounts=self.accounts,
                    audit=self,
                    looked=self.looked,
                    sender_names={"LAB|H01": "Laboratoire"},
                ),
                *board_routes(
                    self.screen,
                    views=self.views,
                    feeds=self.feeds,
                    hubs=lambda: self.hubs,
                    destinations=["dossier"],
                    reports_folder=folder / "reports",
                    log_position=self.ledger.last_pos,
                    decide=self.decide,
                    alerts=lambda: self.alerts,
                    may_read_metrics=lambda request: request.headers.get("authorization") != "Bearer wrong",
                ),
            ],
            exception_handlers=self.screen.error_pages(),
        )

    def close(self) -> None:
        for part in (self.looked, self.accounts, self.views, self.archive, self.ledger, self.log):
            part.close()

    def hear(self, *messages: bytes) -> None:
        """Take messages in as the desk does, and fold them as the archive does."""
        for raw in messages:
            message = parse(raw)
            said = translate(message, received_at=self.now, zone=ZONE)
            source = {
                "door": "mllp",
                "sender": message.sender,
                "control_id": message.control_id,
                "type": message.type,
            }
            remarks = [said.reason, *said.remarks] if said.reason else said.remarks
            body = Body(source, raw, b"", said.statements, remarks, said.understood)
            self.log.append_now(Draft(said.channel, "hl7v2", sha256(raw).digest()[:16], encode_body(body)))
        self.archive.fold_all()

    async def append(self, draft: Draft) -> Receipt:
        if self.is_refusing:
            raise StoreUnable("log.full", "The disk is full; nothing was kept.")
        self.drafts.append(draft)
        receipt = await asyncio.to_thread(self.log.append_now, draft)
        if self.is_folding:
            self.archive.fold_all()
        return receipt

    async def decide(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def record(
        self, who, role, action, resource_type="", resource_id="", patient_id="", reason="", outcome="done", peer="",
        *, patient_ids=(), query="",
    ) -> None:  # fmt: skip
        """The audit trail of the tests: a list."""
        named = (patient_id, *patient_ids) if patient_id else tuple(patient_ids)
        self.audit.append((who, action, resource_type, outcome, named, reason))

    def find(self, words: str) -> str:
        """Return the id of the one person found by words."""
        found = self.views.find(words)
        assert len(found) == 1, found
        return found[0].id

    def client(self, **options: object) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=("10.0.0.7", 1234))
        scheme = "https" if self.screen.is_secure else "http"
        return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://node.example", **options)

    def service(self, state: str, *, since_min: int = 20, name: str = "Dossier patient", central: bool = True) -> None:
        """Add a service, measured just now."""
        since = self.now - since_min * MINUTE_US
        self.services.append(ServiceState(name.lower(), name, state, since, self.now, "no answer", central, since))


async def sign_in(client: httpx.AsyncClient, name: str = "nadia", **more: str) -> httpx.Response:
    """Sign in as one of the cast."""
    return await client.post("/login", data={"name": name, "password": PASSWORD, **more})


def hidden(page: str, name: str) -> str:
    """Return the value of a hidden field of a page: a form's key, a session's token."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"the page has no field {name}"
    return found[1]


def words_of(page: str) -> str:
    """Return what a page says, without its tags."""
    text = re.sub(r"<(script|style|svg).*?</\1>", " ", page, flags=re.S)
    text = re.sub(r"<[^>]+>", " ", text).replace("&#39;", "'").replace("&lt;", "<").replace("&amp;", "&")
    return re.sub(r"\s+", " ", text)


def play(house: House, story: Callable[[httpx.AsyncClient], object], **options: object) -> None:
    """Run a story with one browser."""

    async def run() -> None:
        async with house.client(**options) as client:
            await story(client)

    asyncio.run(run())
