"""The stage: folders, ports, keys and configuration of everybody in the night, made as an engineer would make them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from releve.demo.centre.__main__ import PROGRAMMES, pid_file
from releve.demo.centre.room import Room
from releve.demo.checker import Place
from releve.demo.estate import PLACES, write_estate
from releve.demo.feeder import QUIET_FILE, STAYS_AT_START
from releve.demo.hospitals import Hospital
from releve.demo.plant import HOST, Group, NightLock, free_ports, module
from releve.doors.tokens import Tokens
from releve.node.folder import RECOVERY_FOLDER, make_folder, signing_key
from releve.replica.access import accept, read_request, write_request
from releve.replica.enrolment import create_hub, enrol
from releve.ward.accounts import Accounts

NURSE = "infirmiere"
DOCTOR = "medecin"
#: What the nodes call the record application as a destination.
WRITE_BACK = "dossier"
HUBS = ("hub-a", "hub-b")
#: A node looks at the centre's services this often; more hospitals look more seldom, since all share one machine here.
PROBE_EVERY_S = 1.5
_HOSPITALS_AT_FULL_PACE = 4
#: Every message is copied to every hospital, so work grows with the square of their number, and with more of them each
#: one writes less, more than in proportion.
_PACE_POWER = 1.5
#: Above so many hospitals each begins with half as many patients: all of them are told to all.
_HOSPITALS_FULL = 8
#: The record application and the laboratory each write one message to each hospital in this time.
_CENTRE_PAUSE_S = 1.5
#: A feed that is silent for so long is late; in a real hospital it is five minutes.
_FEED_LATE_S = 20


@dataclass
class Ward:
    """One hospital on the stage: its node, its feeders, and the people who work with it."""

    hospital: Hospital
    folder: Path
    http: int
    mllp: int
    node: Group
    feeder: Group
    token: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        """Where its pages and its FHIR door are."""
        return f"http://{HOST}:{self.http}"


@dataclass
class Stage:
    """Everything that stands ready before the first process is started.

    crowd  1 for as many hospitals as one machine plays at full pace; more are slower by this
    """

    folder: Path
    seed: int
    lock: NightLock
    ports: dict[str, int]
    room: Room
    wards: list[Ward]
    hub_b: Group
    crowd: float
    hub_urls: dict[str, str] = field(default_factory=dict)

    @property
    def room_file(self) -> Path:
        """The plan of the machine room."""
        return self.folder / "centre" / "room.json"

    @property
    def estate_file(self) -> Path:
        """The estate; it does not stand in the centre that it describes."""
        return self.folder / "estate.toml"

    @property
    def recovery(self) -> Path:
        """The recovery folder that the night works in: that of the first hospital, and every node shows it."""
        return self.wards[0].folder / RECOVERY_FOLDER

    @property
    def reports(self) -> Path:
        """Where situation reports are written."""
        return self.folder / "reports"

    def centre_groups(self) -> list[Path]:
        """The process groups of the centre, hub A among them."""
        return [pid_file(self.room, name) for name in PROGRAMMES]

    def quiet_files(self) -> list[Path]:
        """The files that, while they are there, keep every sender from inventing anything new."""
        return [self.room.quiet, *(self.folder / "accounts" / ward.hospital.id / QUIET_FILE for ward in self.wards)]

    def neighbours_of(self, ward: Ward) -> list[Ward]:
        """Return the next hospital in the list, where this one's people may sign in too."""
        others = [other for other in self.wards if other is not ward]
        at = self.wards.index(ward)
        return (others[at:] + others[:at])[:1]

    def places(self) -> list[Place]:
        """Return every hospital as the checker sees it."""
        accounts = self.folder / "accounts"
        return [
            Place(
                ward.hospital.id,
                ward.hospital.name,
                ward.folder,
                ward.url,
                ward.token,
                (
                    accounts / ward.hospital.id / "desk.jsonl",
                    accounts / ward.hospital.id / "analyser.jsonl",
                    accounts / ward.hospital.id / "nurse.jsonl",
                    self.room.path / "accounts" / f"record-{ward.hospital.id}.jsonl",
                    self.room.path / "accounts" / f"laboratory-{ward.hospital.id}.jsonl",
                ),
            )
            for ward in self.wards
        ]


def set_stage(folder: Path, hospitals: Sequence[Hospital], seed: int, haste: float = 1.0) -> Stage:
    """Make everything that the night needs in an empty folder.

    haste   divides what the centre's programs take to start
    raises  WrongUse, StoreUnable  the folder cannot be used
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = NightLock(folder / "night.lock")
    names = [*PROGRAMMES, "engine-out", "hub-b"]
    numbers = free_ports(len(names) + 2 * len(hospitals))
    ports = dict(zip(names, numbers, strict=False))
    doors = iter(numbers[len(names) :])
    crowd = max(1.0, len(hospitals) / _HOSPITALS_AT_FULL_PACE)
    stays = STAYS_AT_START if len(hospitals) <= _HOSPITALS_FULL else STAYS_AT_START // 2
    feeds = ("--seed", str(seed), "--stretch", f"{crowd**_PACE_POWER:g}", "--stays", str(stays))
    wards = [_ward(folder, hospital, next(doors), next(doors), feeds) for hospital in hospitals]
    room = Room(
        folder=str(folder / "centre"),
        seed=seed,
        ports=ports,
        hospitals={ward.hospital.id: ward.mllp for ward in wards},
        secrets={name: secrets.token_urlsafe(18) for name in PROGRAMMES},
        hub=str(folder / HUBS[0]),
        lock=str(lock.path),
        pace_s=_CENTRE_PAUSE_S * crowd**_PACE_POWER,
        haste=haste,
        stays_at_start=stays,
    )
    hub_b = Group(
        HUBS[1],
        module("releve.cli", "hub", str(folder / HUBS[1]), "--listen", f"{HOST}:{ports['hub-b']}"),
        folder / "logs" / "hub-b.log",
        ready="ready ",
    )
    stage = Stage(folder, seed, lock, ports, room, wards, hub_b, crowd)
    room.path.mkdir()
    stage.room_file.touch(mode=0o600)
    stage.room_file.write_bytes(msgspec.json.encode(room))
    write_estate(stage.estate_file, stage.room_file, ports, hospitals, haste)
    stage.hub_urls = {name: f"tls://{HOST}:{ports[name]}" for name in HUBS}
    for ward in wards:
        _equip(stage, ward)
    _enrol(stage)
    stage.recovery.mkdir(mode=0o700)
    (stage.recovery / "estate.toml").write_bytes(stage.estate_file.read_bytes())
    for ward in wards:
        _employ(stage, ward)
    return stage


def _ward(folder: Path, hospital: Hospital, http: int, mllp: int, feeds: Sequence[str]) -> Ward:
    home, logs = folder / "nodes" / hospital.id, folder / "logs"
    node = Group(hospital.id, module("releve.cli", "run", str(home)), logs / f"{hospital.id}.log", ready="ready ")
    feeder = Group(
        f"{hospital.id} feeds",
        module(
            "releve.demo.feeder",
            *("--site", hospital.id, "--mllp", f"{HOST}:{mllp}", *feeds),
            *("--folder", str(folder / "accounts" / hospital.id)),
        ),
        logs / f"{hospital.id}-feeds.log",
    )
    return Ward(hospital, home, http, mllp, node, feeder)


def _equip(stage: Stage, ward: Ward) -> None:
    """Make a node's folder, and tell its node.toml of the centre's services and where captures go."""
    hospital = ward.hospital
    path = make_folder(
        ward.folder,
        hospital.id,
        hospital.name,
        tuple(stage.hub_urls.values()),
        http=f"{HOST}:{ward.http}",
        mllp=f"{HOST}:{ward.mllp}",
    )
    text = path.read_text("utf-8").replace("production = false", "production = true")  # these nodes serve patients
    lines = [text, "[watch]", f"probe_every_s = {PROBE_EVERY_S * stage.crowd:g}", ""]
    for sender, name in ((f"AUTOMATE|{hospital.id}", "Automate du laboratoire"), (f"GAM|{hospital.id}", "Admissions")):
        late_s = _FEED_LATE_S * stage.crowd**_PACE_POWER
        lines += ["[[feed]]", f'sender = "{sender}"', f'name = "{name}"', f"late_after_s = {late_s:g}", ""]
    for place in PLACES:
        if place.kind == "service":
            probe = place.probe.format(port=stage.ports[place.id])
            lines += ["[[service]]", f'id = "{place.id}"', f'name = "{place.fr}"', f'probe = "{probe}"', ""]
    lines += ["[[writeback]]", f'name = "{WRITE_BACK}"', f'to = "mllp://{HOST}:{stage.ports["engine"]}"']
    lines += [f'forwards = ["GAM|{hospital.id}", "AUTOMATE|{hospital.id}"]', ""]
    path.write_text("\n".join(lines), "utf-8")
    write_request(ward.folder, hospital.id, hospital.name, signing_key(ward.folder))


def _enrol(stage: Stage) -> None:
    """Make both hubs, let every node in at each, and give each node its two invitations."""
    now = datetime.now(UTC)
    requests = [read_request(ward.folder / "keys" / "request.json") for ward in stage.wards]
    for name in HUBS:
        create_hub(stage.folder / name, HOST, stage.ports[name], at=now)
        for ward, invitation in zip(stage.wards, enrol(stage.folder / name, requests, at=now), strict=True):
            accept(ward.folder, invitation)
            invitation.unlink()


def _employ(stage: Stage, ward: Ward) -> None:
    """Give the hospital's people their accounts, at their own node and at their neighbour's."""
    ward.token = Tokens(ward.folder).issue("system", "checker of the demo")
    ward.password = secrets.token_urlsafe(12)
    id_ = ward.hospital.id.lower()
    for home, name, display, role in (
        (ward, NURSE, f"Infirmière de nuit {ward.hospital.id}", "nurse"),
        (ward, DOCTOR, f"Médecin de garde {ward.hospital.id}", "doctor"),
        *((other, f"{NURSE}.{id_}", f"Infirmière {ward.hospital.id}", "nurse") for other in stage.neighbours_of(ward)),
    ):
        accounts = Accounts(home.folder)
        accounts.add(name, display, role, ward.password)
        accounts.close()
