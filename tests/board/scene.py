"""A crisis on the board: a small estate, a restart half-way, and what three hospitals see of it."""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette

from releve.board.crisis import crisis_routes
from releve.board.recovery import PLAN_FILE, RecoveryReader
from releve.board.reporting import Reports, report_routes
from releve.estate import Bilingual, Estate, load
from releve.recovery.folder import Decision, RecoveryFolder
from releve.recovery.forecast import Forecast, Span
from releve.recovery.journal import Happened
from releve.recovery.plan import Plan
from releve.sitrep import Edition, Measured
from ward.cast import MINUTE_US, NOON_US, House

ESTATE = """
[estate]
name = {fr = "Centre d’hébergement", en = "Hosting centre"}

[[site]]
id = "centre"
name = {fr = "Centre", en = "Centre"}
kind = "hosting"

[[site]]
id = "H01"
name = "Hôpital d'essai"
beds = 520
emergency = true

[[site]]
id = "H02"
name = "Hôpital du Sud"
beds = 310

[[site]]
id = "H03"
name = "Hôpital de l'Est"
beds = 90

[[contact]]
id = "astreinte"
name = {fr = "Astreinte stockage", en = "Storage on call"}
phone = "01 02 03 04 05"

[[contact]]
id = "biologiste"
name = {fr = "Biologiste de garde", en = "Biologist on call"}
phone = "01 02 03 04 06"

[[capacity]]
id = "crew"
name = {fr = "Équipe système", en = "System crew"}
amount = 2

[[feed]]
id = "feed-a"
name = {fr = "Arrivée électrique A", en = "Power feed A"}
site = "centre"
probe = "tcp://127.0.0.1:1"

[[storage]]
id = "storage"
name = {fr = "Baie de stockage", en = "Storage array"}
site = "centre"
owner = "astreinte"
needs = ["feed-a"]
uses = {crew = 1}
duration = {p50_s = 900, p90_s = 1500}
start = {person = "astreinte", do = {fr = "Allumer la baie, attendre le voyant vert.", en = "Switch the array on."}}

[[network]]
id = "dns"
name = {fr = "Service de noms", en = "Name service"}
site = "centre"
needs = ["feed-a"]
uses = {crew = 1}
duration = {p50_s = 300, p90_s = 600}
start = {command = ["x"]}

[[unit]]
id = "database"
name = {fr = "Base de données", en = "Database"}
site = "centre"
needs = ["storage", "dns"]
uses = {crew = 1}
duration = {p50_s = 1200, p90_s = 2400}
start = {command = ["x"]}
repair = {fr = "Rejouer les journaux, puis relancer.", en = "Replay the logs, then start again."}

[[service]]
id = "record"
name = {fr = "Dossier patient", en = "Patient record"}
tier = 1
clinical = 1
needs = ["database"]
duration = {p50_s = 1200, p90_s = 1800}
start = {command = ["x"]}

[[service]]
id = "laboratory"
name = {fr = "Résultats de laboratoire", en = "Laboratory results"}
tier = 1
clinical = 2
needs = ["database"]
release = "biologiste"
released_by_hospital = true
duration = {p50_s = 600, p90_s = 900}
start = {command = ["x"]}

[[service]]
id = "mail"
name = {fr = "Messagerie interne", en = "Internal mail"}
tier = 3
clinical = 5
needs = ["dns"]
hospitals = ["H01", "H02"]
duration = {p50_s = 300, p90_s = 600}
start = {command = ["x"]}
"""

MIN = MINUTE_US
BEGAN = NOON_US - 40 * MIN


class Crisis:
    """A house with the crisis cell's pages over a recovery folder of its own."""

    def __init__(self, house: House, estate: str = ESTATE) -> None:
        self.house = house
        self.path = house.folder / "recovery"
        self.path.mkdir(exist_ok=True)
        (self.path / "estate.toml").write_text(estate, "utf-8")
        self.folder = RecoveryFolder(self.path)
        self.measured: list[Measured] = []
        self.units: dict[str, str] = {}
        self.reader = RecoveryReader(self.path, lambda: self.measured, lambda: self.units)
        self.others: list[tuple[str, Edition]] = []
        self.reports = Reports(house.folder / "reports")
        routes = [
            *house.app.routes,
            *crisis_routes(house.screen, self.reader, next_at=self.reports.next_at),
            *report_routes(house.screen, self.reader, self.reports, others=lambda: self.others),
        ]
        house.app = Starlette(routes=routes, exception_handlers=house.screen.error_pages())

    @property
    def estate(self) -> Estate:
        return load(self.path / "estate.toml")

    def see(self, service: str, state: str, *hospitals: str, since_min: int = 180, age_s: int = 0) -> None:
        """Measure a service at hospitals."""
        for hospital in hospitals:
            words = Bilingual("pas de réponse", "no answer")
            now = self.house.now
            one = Measured(service, hospital, state, now - since_min * MIN, now - age_s * 1_000_000, words)  # type: ignore[arg-type]
            self.measured.append(one)

    def tell(self, kind: str, unit: str = "", minute: float = 0, **more: object) -> None:
        """Add a line to the journal, so many minutes after the beginning."""
        self.folder.happened(Happened(BEGAN + round(minute * MIN), kind, unit, **more))  # type: ignore[arg-type]

    def announce(self, minute: float, spans: dict[str, tuple[float, float]], **more: object) -> None:
        """Publish a forecast: unit → (P50, P90) in minutes from the moment of issue."""
        units = {unit: Span(p50 * 60, p90 * 60) for unit, (p50, p90) in spans.items()}
        latest = Span(max(s.p50_s for s in units.values()), max(s.p90_s for s in units.values())) if units else None
        known = {
            "issued_at": BEGAN + round(minute * MIN),
            "provisional": False,
            "after": (),
            "factor": 1.0,
            "units": units,
            "essential": latest,
            "last": latest,
            "unknown": (),
            "runs": 200,
        }
        self.folder.publish(Forecast(**(known | more)))  # type: ignore[arg-type]

    def plan(self, plan: Plan) -> None:
        """Leave a plan where the pages read it."""
        (self.path / PLAN_FILE).write_bytes(msgspec.json.encode(plan))

    def decide(self, verb: str, unit: str = "", *, by: str = "cora", minute: float = 39, **more: str) -> None:
        """Add a decision made elsewhere."""
        at = BEGAN + round(minute * MIN)
        self.folder.decide(Decision(f"H02-{verb}-{unit}-{minute}", at, verb, by, "crisis", unit, **more))  # type: ignore[arg-type]

    def begin(self) -> None:
        """Play the first forty minutes: storage by hand, names up, database failed, laboratory waits for a person."""
        self.see("record", "down", "H01", "H02", "H03")
        self.see("laboratory", "down", "H01")
        self.see("laboratory", "returning", "H02")
        self.see("mail", "normal", "H01", "H02")
        self.tell("power-lost", "feed-a", -180, detail="OB DISCHRG, 40 min by the UPS")
        self.tell("power-reading", "feed-a", -175, detail="load 61 %, 34 min by slope")
        self.tell("unclean", "database", -139)
        self.tell("run-began", detail="7 units of Hosting centre", act="restart")
        self.tell("already-up", "feed-a", 0.1)
        self.tell("asked", "storage", 1, act="start", detail="Allumer la baie, attendre le voyant vert.")
        self.tell("start-began", "dns", 1)
        self.tell("up", "dns", 6, took_s=300.0)
        self.announce(6, {"record": (55, 90), "laboratory": (50, 80)}, provisional=True)
        self.tell("start-began", "mail", 6.5)
        self.tell("up", "mail", 11, took_s=270.0)
        self.tell("up", "storage", 20, took_s=1140.0, by="paul")
        self.tell("start-began", "database", 20.5, detail="try 1 of 1")
        self.tell("up", "database", 30, took_s=570.0)
        self.announce(30, {"record": (40, 75), "laboratory": (20, 45)})
        self.tell("start-began", "record", 31)
        self.tell("start-began", "laboratory", 31)
        self.tell("up", "laboratory", 38, took_s=420.0)
        for hospital in ("H01", "H02", "H03"):
            self.tell("asked", "laboratory", 38.5, act="release", hospital=hospital, detail="Deux résultats relus ?")
