"""The estate file of the demo's centre: what needs what, how each is started, asked and stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from releve.demo.hospitals import Hospital

#: So many programs start at once; a crew of three at a keyboard each.
STARTS_AT_ONCE = 3


class Place(NamedTuple):
    """One program in the file. scheme is its probe, {port} filled in."""

    id: str
    kind: str
    fr: str
    en: str
    tier: int
    clinical: int
    needs: tuple[str, ...]
    probe: str
    p50_s: float


_POWER = ("feed-a", "feed-b")

PLACES: tuple[Place, ...] = (
    Place("feed-a", "feed", "Arrivée électrique A", "Power feed A", 0, 9, (), "nut://127.0.0.1:{port}/feed-a", 0),
    Place("feed-b", "feed", "Arrivée électrique B", "Power feed B", 0, 9, (), "nut://127.0.0.1:{port}/feed-b", 0),
    Place("storage", "unit", "Stockage", "Storage", 0, 9, (), "http://127.0.0.1:{port}/healthz", 1.2),
    Place(
        "names", "unit", "Service de noms", "Name service", 0, 9, (),
        "dns://127.0.0.1:{port}?name=record.centre.example", 0.8,
    ),
    Place(
        "hub-a", "unit", "Relais A de Relève", "Relève hub A", 0, 4, (), "tcp://127.0.0.1:{port}", 1.5
    ),
    Place(
        "directory", "unit", "Annuaire", "Directory", 0, 9, ("names", "storage"),
        "ldap://127.0.0.1:{port}/dc=centre,dc=example", 1.3,
    ),
    Place(
        "database", "unit", "Base de données", "Database", 0, 9, ("names", "storage", "directory"),
        "postgresql://probe@127.0.0.1:{port}/centre", 2.6,
    ),
    Place(
        "engine", "unit", "Moteur d’échanges", "Interface engine", 1, 3, ("names", "directory"),
        "mllp://127.0.0.1:{port}", 1.8,
    ),
    Place(
        "record", "service", "Dossier patient", "Patient record", 1, 1, ("names", "directory", "database"),
        "mllp://127.0.0.1:{port}", 3.0,
    ),
    Place(
        "laboratory", "service", "Système de laboratoire", "Laboratory system", 1, 2,
        ("names", "storage", "directory", "database", "record", "engine"), "mllp://127.0.0.1:{port}", 2.2,
    ),
    Place(
        "lab-portal", "service", "Portail de résultats de laboratoire", "Laboratory results portal", 2, 3,
        ("directory", "database", "record", "laboratory"), "http://127.0.0.1:{port}/healthz", 1.4,
    ),
    Place(
        "imaging-portal", "service", "Portail d’imagerie", "Imaging results portal", 2, 3,
        ("directory", "database", "record"), "http://127.0.0.1:{port}/healthz", 1.6,
    ),
    Place("mail", "service", "Messagerie", "Internal mail", 2, 5, ("names", "storage"), "smtp://127.0.0.1:{port}", 1.1),
    Place(
        "telephone", "service", "Téléphonie", "Telephony", 1, 4, ("names", "directory"), "sip://127.0.0.1:{port}", 1.5,
    ),
)  # fmt: skip
#: Of every start, what the machine takes to run a program; haste does not change it.
_PROCESS_S = 0.4
#: And to stop one.
_STOP_S = 0.6
#: After a stop that was not clean these are looked through before anything stands on them.
_CHECKED = ("storage", "database")
#: The guard keeps so much between the end of the stop and the end of the battery; a real one keeps a minute.
_MARGIN_S = 3
#: P90 over P50 of a start here: the programs are alike, what spreads is the machine.
_SPREAD = 1.6
#: A start that has not passed its probe by then is tried again.
_UP_WITHIN_S = 20


def write_estate(
    path: Path, room: Path, ports: dict[str, int], hospitals: Sequence[Hospital], haste: float = 1.0
) -> None:
    """Write the file. It stands outside the centre, as the tool that reads it must.

    haste  divides the durations that are believed

    In this invented group every hospital has an emergency ward, since every desk here fills one; which of the real ones
    have is another matter.
    """
    parts = [
        '[estate]\nname = {fr = "Centre d’hébergement (démonstration)", en = "Hosting centre (demo)"}\n',
        f"[restart]\nat_once = {STARTS_AT_ONCE}\n",
        f"[battery]\nmargin_s = {_MARGIN_S}\nsteady_s = 1\n",
        '[[site]]\nid = "centre"\nname = {fr = "Centre d’hébergement", en = "Hosting centre"}\nkind = "hosting"\n',
    ]
    parts += [
        f'[[site]]\nid = "{hospital.id}"\nname = "{hospital.name}"\nkind = "hospital"\nemergency = true\n'
        for hospital in hospitals
    ]
    parts += [_unit(place, room, ports, haste) for place in PLACES]
    path.write_text("\n".join(parts), "utf-8")


def _unit(place: Place, room: Path, ports: dict[str, int], haste: float) -> str:
    lines = [
        f"[[{place.kind}]]",
        f'id = "{place.id}"',
        f'name = {{fr = "{place.fr}", en = "{place.en}"}}',
        'site = "centre"',
        f"tier = {place.tier}",
        f"clinical = {place.clinical}",
        f'probe = "{place.probe.format(port=ports[place.id])}"',
        "probe_timeout_s = 2",
    ]
    if place.kind != "feed":
        p50_s = _PROCESS_S + (place.p50_s - _PROCESS_S) / haste
        command = f'["{sys.executable}", "-m", "releve.demo.centre", "{room}", "{{verb}}", "{place.id}"]'
        lines += [
            f"needs = {_listed(place.needs)}",
            f"needs_any = {_listed(_POWER)}",
            f"duration = {{p50_s = {p50_s:g}, p90_s = {p50_s * _SPREAD:g}}}",
            f"up_within_s = {_UP_WITHIN_S}",
            f"start = {{command = {command.format(verb='start')}, timeout_s = 30}}",
            f"stop = {{command = {command.format(verb='stop')}, timeout_s = 30}}",
            f"stop_duration = {{p50_s = {_STOP_S:g}, p90_s = {_STOP_S * _SPREAD:g}}}",
        ]
    if place.id in _CHECKED:
        lines.append(f"check = {{command = {command.format(verb='check')}, timeout_s = 30}}")
        lines.append(f"check_duration = {{p50_s = {_PROCESS_S:g}, p90_s = {_PROCESS_S * _SPREAD:g}}}")
    return "\n".join(lines) + "\n"


def _listed(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
