"""The people of a hospital in the night: they read without pause, write notes, and admit somebody nobody knows.

They work with the node's own pages in a browser, as staff do, and every read is timed as the reader feels it. What they
write is accounted for like any sender's message: written down before, answered when the page shows it back.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from releve.demo.account import Account, Fact
from releve.demo.browser import Browser, Page
from releve.demo.seen import Fhir
from releve.demo.verdict import Reads

#: Of ten reads, so many are of a chart and so many of results by FHIR; the rest look at the ward list.
_CHARTS, _RESULTS = 5, 3
_PATIENT = re.compile(r"/patient/([0-9a-f-]{36})")
_NOTES = (
    "Patiente calme, douleur 2/10 après antalgique.",
    "Glycémie capillaire refaite sur papier, à recopier : 1,12 g/L.",
    "Famille prévenue par téléphone ; rappel prévu à 7 h.",
    "Pansement refait, pas de saignement. Voie veineuse perméable.",
    "Œdèmes en diminution ; diurèse 900 mL depuis 20 h.",
)


@dataclass
class Timing:
    """One read: when it began, how long the reader waited, whether it was served, and what the night was doing."""

    at: float
    took_ms: float
    is_served: bool
    phase: str
    was_own_down: bool
    was_elsewhere: bool = False


@dataclass
class Watch:
    """What the night tells its readers: the phase, and whether a hospital's own node is deliberately dead."""

    phase: str = "normal"
    own_down: set[str] = field(default_factory=set)


class Nurse:
    """One person at one hospital, with an account at its node.

    fhir        the own node's FHIR door, which bedside devices and portals read
    neighbours  (base URL, name of the account there) of other nodes where this person may sign in too
    on_read     called with site, waiting time and whether the read is as it should be
    """

    def __init__(
        self,
        site: str,
        url: str,
        name: str,
        password: str,
        account: Path,
        *,
        fhir: Fhir,
        neighbours: Sequence[tuple[str, str]],
        rng: Random,
        on_read: Callable[[str, float, bool], None] = lambda site, took_ms, is_counted: None,
    ) -> None:
        self.site = site
        self.timings: list[Timing] = []
        self._url = url
        self._names = {url: name, **dict(neighbours)}
        self._password = password
        self._account = Account(account)
        self._browsers: dict[str, Browser] = {}
        self._fhir = fhir
        self._neighbours = [neighbour for neighbour, _ in neighbours]
        self._rng = rng
        self._written = 0
        self._patients: list[str] = []
        self._on_read = on_read

    async def read_on(self, watch: Watch, ending: asyncio.Event, pause_s: float) -> None:
        """Read ward lists, charts and results until the end of the night."""
        while not ending.is_set():
            await self._read_once(watch)
            await asyncio.sleep(pause_s)

    async def _read_once(self, watch: Watch) -> None:
        phase, was_down, began = watch.phase, self.site in watch.own_down, time.monotonic()
        at = time.time()
        is_served = await self._try(self._url)
        took_ms = (time.monotonic() - began) * 1000
        was_down = was_down or self.site in watch.own_down
        timing = Timing(at, took_ms, is_served, phase, was_down)
        self.timings.append(timing)
        self._on_read(self.site, took_ms, is_served or was_down)
        if not is_served:
            for url in self._neighbours:
                if await self._try(url):
                    timing.was_elsewhere = True
                    break

    async def _try(self, url: str) -> bool:
        """Read a chart, or the ward list when none is known yet; True when the page came and is the one asked for."""
        try:
            path = (
                f"/patient/{self._rng.choice(self._patients)}" if self._patients and self._rng.random() < 0.7 else "/"
            )
            page = await self._page(url, path)
            if path == "/":
                await self._look_around(url, page)
            return page.status == 200
        except httpx.HTTPError:
            return False

    async def _look_around(self, url: str, page: Page) -> None:
        """Open one ward of the list and take note of who lies there."""
        wards = [link for link in page.links if link.startswith("/?ward=")]
        if wards:
            page = await self._page(url, self._rng.choice(wards))
        found = _PATIENT.findall(page.text)
        if found and url == self._url:
            self._patients = list(dict.fromkeys(found))

    async def _page(self, url: str, path: str) -> Page:
        """Open a page, signing in first when the node asks for it."""
        browser = self._browsers.get(url)
        if browser is None:
            browser = self._browsers[url] = Browser(url)
        page = await browser.open(path)
        form = page.form_with("name", "password")
        if form is not None:
            page = await browser.submit(page, form, name=self._names[url], password=self._password)
            if page.form_with("name", "password") is not None:
                raise httpx.HTTPError(f"{url} does not let {self._names[url]} in")
            page = await browser.open(path)
        return page

    async def write_note(self) -> bool:
        """Write a note on a chart of this hospital; True when the page showed it back."""
        if not self._patients:
            return False
        self._written += 1
        token = f"{self.site}-note-{self._written:04}"
        patient = self._rng.choice(self._patients)
        text = f"{self._rng.choice(_NOTES)} [{token}]"
        try:
            person = await self._identifier(patient)
            page = await self._page(self._url, f"/patient/{patient}")
            form = page.form_with("text")
            if page.status != 200 or form is None or not person:
                return False
            self._account.sent(
                token, f"page {self.site}", self.site, False, b"", [Fact("note", token, {"patient": person})]
            )
            page = await self._browsers[self._url].submit(page, form, text=text)
        except httpx.HTTPError:
            return False
        if page.status == 200 and token in page.text:
            self._account.answered(token, "AA")
            return True
        return False

    async def admit_unknown(self) -> str:
        """Admit a person nobody knows; returns the temporary number, or "" when the page did not show one."""
        self._written += 1
        token = f"{self.site}-unknown-{self._written:04}"
        try:
            page = await self._page(self._url, "/admission")
            form = page.form_with("description", "ward")
            if form is None:
                return ""
            description = f"Trouvé sans papiers place de la Gare. [{token}]"
            typed = {"description": description, "ward": "URG", "sex": "male", "age": "60"}
            page = await self._browsers[self._url].submit(page, form, **typed)
        except httpx.HTTPError:
            return ""
        found = _PATIENT.search(page.url)
        person = await self._identifier(found[1]) if found else ""
        if not person:
            return ""
        fact = Fact("admission", person, {"patient": person})
        self._account.sent(token, f"page {self.site}", self.site, True, b"", [fact])
        self._account.answered(token, "AA")
        return person.rpartition("|")[2]

    async def _identifier(self, patient: str) -> str:
        """Return system|number of a patient, as FHIR at the node says; "" when it does not answer."""
        try:
            resource = await self._fhir.read("Patient", patient)
        except httpx.HTTPError:
            return ""
        identifiers = resource.get("identifier", [])
        return f"{identifiers[0].get('system', '')}|{identifiers[0]['value']}" if identifiers else ""

    async def close(self) -> None:
        """Close the browsers and the account."""
        await self._fhir.close()
        for browser in self._browsers.values():
            await browser.close()
        self._account.close()


def reads_of(timings: Sequence[Timing], phases: frozenset[str], own_stop_s: float) -> Reads:
    """Return what the reading was like in some phases of the night."""
    reads = Reads(own_stop_s=own_stop_s)
    served: list[float] = []
    for timing in timings:
        if timing.phase not in phases:
            continue
        if timing.was_own_down:
            reads.during_own_stop += 1
            reads.failed_during_own_stop += not timing.is_served
            reads.elsewhere += timing.was_elsewhere
            continue
        reads.tried += 1
        if timing.is_served:
            served.append(timing.took_ms)
        else:
            reads.failed += 1
    if served:
        served.sort()
        reads.p50_ms = served[len(served) // 2]
        reads.p99_ms = served[min(len(served) - 1, len(served) * 99 // 100)]
    return reads
