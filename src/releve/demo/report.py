"""The crisis cell of the night: situation reports drafted from what was measured, written where all can read them.

States come from each hospital's own node (what it sees of the centre), losses from the night's own round of probes, the
restart from its journal, the forecast from the same dispatch, counts from what the nodes acknowledged. The only typed
words are those of a named person, about what no machine measures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import httpx

from releve.clock import Instant, wall_us
from releve.demo.account import Entry, read_account
from releve.demo.checker import is_capture
from releve.demo.mllp import field
from releve.demo.recovery import Recovery
from releve.demo.stage import WRITE_BACK, Stage, Ward
from releve.errors import WrongUse
from releve.estate import Bilingual, Estate
from releve.node.folder import SERVICES_FILE, read_state
from releve.record import Views
from releve.recovery.probe import Reading
from releve.sitrep import Captured, Care, Declared, Loss, Measured, Person, Register, SituationReport, draft, write
from releve.sitrep.folder import stem
from releve.sitrep.public import write_public
from releve.sitrep.publishing import publish
from releve.sitrep.wording import LANGS

#: The next report of a night of two minutes; in a real one it is hours.
NEXT_REPORT_US = 60 * 1_000_000
#: A node that does not answer its public page in this time is not called open.
_OPEN_WITHIN_S = 2.0
_US = 1_000_000
#: The forms of a report that the verdict names; its folder has the audiences', the feeds and the declaration too.
_FORMS = ("html", "txt", "pdf")
_PREPARES = Person("Cellule de crise (exercice)", "rédaction")
_AUTHORIZES = Person("Administratrice de garde (exercice)", "direction")


class Reporter:
    """Gathers what was seen and done, and writes a report of it when asked.

    every_s  how far apart the rounds of probes lie that `saw` is told of
    """

    def __init__(self, estate: Estate, stage: Stage, recovery: Recovery, every_s: float) -> None:
        self.paths: list[str] = []
        self._estate = estate
        self._stage = stage
        self._recovery = recovery
        self._every_s = every_s
        self._seen: set[str] = set()
        self._losses: dict[str, Loss] = {}
        self.first_at: Instant = 0
        self.declared_at: Instant = 0
        self._cut_at: Instant = 0
        self._register = Register(stage.reports)

    def saw(self, readings: Mapping[str, Reading]) -> None:
        """Take a round of readings: what was there and is not any more is a loss."""
        for unit, reading in readings.items():
            loss = self._losses.get(unit)
            if reading.ok:
                self._seen.add(unit)
                if loss is not None and loss.back_at is None:
                    self._losses[unit] = Loss(unit, loss.at, reading.at, loss.evidence)
            elif loss is None and unit in self._seen:
                self._losses[unit] = Loss(unit, reading.at, None, reading.detail)

    def cut(self) -> None:
        """The power was cut: what is captured from now on is counted."""
        self._cut_at = wall_us()

    async def write(self) -> dict[str, object]:
        """Draft a report of now, have it signed, publish it in every form; returns its number and path."""
        expected = None
        earlier = list(self._recovery.forecasts)
        if any(loss.back_at is None for loss in self._losses.values()):
            expected = await self._recovery.publish()
        measured = [one for ward in self._stage.wards for one in _measured(ward)]
        self._note_declared(measured)
        at = wall_us()
        report = draft(
            self._estate,
            number=self._register.next_number(),
            at=at,
            next_at=at + NEXT_REPORT_US,
            measured=measured,
            losses=list(self._losses.values()),
            journal=list(self._recovery.journal),
            forecast=expected,
            earlier=earlier,
            care=await self._care(),
            declared=_declared(self._cut_at or at),
            every_s=self._every_s,
            is_exercise=True,
        )
        await asyncio.to_thread(self._publish, report)
        for ward in self._stage.wards:
            await asyncio.to_thread(write, report, ward.folder / "reports")
        self.first_at = self.first_at or wall_us()
        name = stem(report.number)
        found = [self._stage.reports / f"{name}.{lang}.{form}" for form in _FORMS for lang in LANGS]
        self.paths += [str(path) for path in found if path.exists()]
        return {"n": report.number, "path": str(self._stage.reports / f"{name}.fr.html")}

    def _note_declared(self, measured: Iterable[Measured]) -> None:
        """Remember when the first node said that a service was down."""
        down = [one.since for one in measured if one.state == "down" and one.since]
        self.declared_at = self.declared_at or min(down, default=0)

    def _publish(self, report: SituationReport) -> None:
        """Sign and publish as the exercise's duty people do, and renew the public page."""
        drafted = self._register.draft(report, by=_PREPARES)
        number = drafted.sheet.number
        self._register.approve(number, by=_AUTHORIZES, at=wall_us())
        publish(self._register, number, by=_AUTHORIZES, at=wall_us())
        published = [one for one in self._register.editions() if one.published is not None]
        write_public(self._stage.folder / "public", report, published)

    async def _care(self) -> Care:
        answers = await asyncio.gather(*(_is_open(ward.url) for ward in self._stage.wards))
        owed = refused = accepted = 0
        for ward in self._stage.wards:
            counts = _write_back(ward)
            owed, accepted, refused = owed + counts[0], accepted + counts[1], refused + counts[2]
        return Care(
            open={ward.hospital.id: is_open for ward, is_open in zip(self._stage.wards, answers, strict=True)},
            captured=await asyncio.to_thread(self._captured),
            owed=owed,
            accepted=accepted,
            refused=refused,
        )

    def _captured(self) -> Captured:
        """Count what the nodes took in since the cut: of messages the type, of captures the form."""
        counts = dict.fromkeys(("admissions", "results", "notes", "others"), 0)
        for place in self._stage.places():
            for path in place.accounts:
                for entry in read_account(path):
                    if entry.is_acknowledged and entry.sent.at * _US >= self._cut_at:
                        counts[_kind(entry)] += 1
        return Captured(**counts)


def _kind(entry: Entry) -> str:
    if is_capture(entry):
        return "notes" if entry.sent.facts[0].kind == "note" else "admissions"
    type_, _, event = field(entry.raw, "MSH", 9).partition("^")
    if type_ == "ORU":
        return "results"
    return "admissions" if event[:3] in ("A01", "A04") else "others"


def _measured(ward: Ward) -> list[Measured]:
    """Return what a hospital's node last wrote of the services it watches."""
    states = read_state(ward.folder / SERVICES_FILE)
    if not isinstance(states, list):
        return []
    return [
        Measured(one["id"], ward.hospital.id, one["state"], one["since"] or None, one["checked_at"], one["reason"])
        for one in states
    ]


def _write_back(ward: Ward) -> tuple[int, int, int]:
    """Return how much a node owes the record application, and what was accepted and refused."""
    try:
        views = Views(ward.folder)
    except WrongUse:
        return 0, 0, 0  # its views are being made anew: nothing can be counted now
    id_ = ward.hospital.id
    owed = views.owed_count(WRITE_BACK, senders=(f"GAM|{id_}", f"AUTOMATE|{id_}"))
    counts = views.delivery_counts(WRITE_BACK)
    views.close()
    return owed, counts.get("accepted", 0), counts.get("refused", 0)


async def _is_open(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=_OPEN_WITHIN_S) as client:
            return (await client.get(f"{url}/status")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _declared(at: Instant) -> list[Declared]:
    """Return the words of the exercise's duty director; what they say no probe can measure."""
    by = "Administratrice de garde (exercice) / Duty director (exercise)"
    return [
        Declared(
            "care",
            Bilingual(
                "Les services de soins travaillent sur les postes de leur hôpital ; aucune fermeture n’est décidée.",
                "Wards work at their own hospital’s screens; no closure has been decided.",
            ),
            by,
            at,
        ),
        Declared(
            "emergency",
            Bilingual(
                "Urgences ouvertes, SAMU joignable par les lignes directes.",
                "Emergency departments are open; the SAMU is reached by direct lines.",
            ),
            by,
            at,
        ),
    ]
