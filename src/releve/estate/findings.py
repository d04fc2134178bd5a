"""What is wrong with an estate before anything has failed: said now, while there is time.

    findings(estate) → Finding, the grave ones first

Grave is what would stop a restart, or what is believed and is not so: a cycle without a way out, two feeds that are
one, a recovery tool that stands on what it is to bring back. A risk is a fact one may have to live with. A gap is
something that nobody wrote down. Finding nothing means that the file holds none of these, not that the estate is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from releve.estate.cycles import demanded_breaks, first_needs
from releve.estate.file import amount_max
from releve.estate.french import set_spaces
from releve.estate.impact import impact, takes_down
from releve.estate.model import FEED, SERVICE, UPS, Command, Estate, Unit

Severity = Literal["grave", "risk", "gap"]
SEVERITIES: tuple[Severity, ...] = ("grave", "risk", "gap")

Kind = Literal[
    "cycle",  # units that wait for each other, and no break point opens it
    "break-without-how",
    "one-feed",  # of several, one is enough; but all of them fall with one thing
    "tool-on-estate",  # the recovery tool needs what it is to bring back
    "tool-unsaid",  # nobody wrote down what the recovery tool needs
    "name-of-estate",  # an address is a name, and the service that knows names is in this estate
    "secret-inline",  # a password stands in the file
    "person-without-phone",
    "above-capacity",
    "single-point",  # its fall alone takes several services, or several hospitals
    "single-room",  # things that stand in for each other share a room
    "not-probed",
    "no-duration",
    "no-owner",
]

#: A single point of failure takes at least so many (service, hospital) pairs that are not itself.
LOSSES_MIN = 2

_NAMES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    units   whom it concerns, the most important first
    fr, en  the sentence, with what to do
    weight  how much hangs on it, to sort by
    """

    kind: Kind
    severity: Severity
    units: tuple[str, ...]
    fr: str
    en: str
    weight: int = 0

    def in_language(self, lang: str) -> str:
        """Return the sentence in "fr" or "en"."""
        return self.fr if lang == "fr" else self.en


def findings(estate: Estate) -> list[Finding]:
    """Return everything found, the grave first and in each severity what most hangs on."""
    causes = takes_down(estate)
    found = [
        *_cycles(estate),
        *_breaks(estate),
        *_one_feed(estate, causes),
        *_tool(estate),
        *_names(estate),
        *_secrets(estate),
        *_phones(estate),
        *_capacities(estate),
        *_single_points(estate, causes),
        *_rooms(estate, causes),
        *_gaps(estate),
    ]
    found = [replace(one, fr=set_spaces(one.fr)) for one in found]
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -one.weight))


def _cycles(estate: Estate) -> Iterator[Finding]:
    for demand in demanded_breaks(estate.units, estate.breaks):
        fr, en = " a besoin de ".join(demand.walk), " needs ".join(demand.walk)
        if demand.unit:
            entry = f'[[break]] unit = "{demand.unit}", without = "{demand.without}", how = "…"'
            fr_way, en_way = f"Déclarez le point de rupture : {entry}.", f"Declare the break point: {entry}."
        else:
            fr_way = "Écrivez un des choix (needs_any) comme un besoin (needs), puis déclarez un [[break]]."
            en_way = "Write one of the choices (needs_any) as a need (needs), then declare a [[break]]."
        yield Finding(
            "cycle",
            "grave",
            demand.walk[:-1],
            f"Cycle : {fr}. Aucun ne peut démarrer le premier. {fr_way}",
            f"Cycle: {en}. None can start first. {en_way}",
            weight=1000,
        )


def _breaks(estate: Estate) -> Iterator[Finding]:
    for point in estate.breaks:
        if not point.how.fr.strip():
            yield Finding(
                "break-without-how",
                "grave",
                (point.unit,),
                f"Le point de rupture de {point.unit} (sans {point.without}) ne dit pas comment : écrivez how, "
                "par exemple un compte local ou un fichier hosts.",
                f"The break point of {point.unit} (without {point.without}) does not say how: write how, such as a "
                "local account or a hosts file.",
            )


def _one_feed(estate: Estate, causes: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Find choices that are none: whatever their names, one fall takes all of them."""
    users: dict[tuple[str, ...], list[str]] = {}
    for unit in estate.units.values():
        if len(unit.needs_any) > 1:
            users.setdefault(tuple(sorted(unit.needs_any)), []).append(unit.id)
    for members, standing in users.items():
        shared = frozenset.intersection(*(causes[one] for one in members))
        nearest = sorted(one for one in shared if not any(other != one and one in causes[other] for other in shared))
        why = _why_one(estate, members, nearest)
        if why is None:
            continue
        is_power = all(estate.units[one].kind in (FEED, UPS) for one in members)
        fr_what = "Ces arrivées électriques n’en font qu’une" if is_power else "Ce choix n’en est pas un"
        en_what = "These feeds are one" if is_power else "This choice is none"
        severity, fr_why, en_why = why
        yield Finding(
            "one-feed",
            severity,
            (*members, *nearest),
            f"{fr_what} : {_listed(members, 'fr')} — {fr_why}. {_count(standing, 'fr')} en "
            f"{'dépend' if len(standing) == 1 else 'dépendent'}.",
            f"{en_what}: {_listed(members, 'en')} — {en_why}. {_count(standing, 'en')} "
            f"{'depends' if len(standing) == 1 else 'depend'} on them.",
            weight=len(standing),
        )


def _why_one(estate: Estate, members: Sequence[str], nearest: list[str]) -> tuple[Severity, str, str] | None:
    """Return how grave it is and why the members of a choice are one, or None when nothing says so."""
    addresses = {estate.units[one].probe for one in members}
    rooms = {estate.units[one].room for one in members}
    if nearest:
        return "grave", f"tout tombe avec {_listed(nearest, 'fr')}", f"all fall with {_listed(nearest, 'en')}"
    if len(addresses) == 1 and None not in addresses:
        return "grave", "une seule adresse de mesure", "all are measured at the same address"
    if len(rooms) == 1 and "" not in rooms:
        where = estate.rooms[rooms.pop()].name
        fr = f"une seule salle, {where.fr}, dont le froid ou la fumée les arrête ensemble"
        return "risk", fr, f"one room, {where.en}, whose cooling or smoke stops them together"
    return None


def _tool(estate: Estate) -> Iterator[Finding]:
    if not estate.stands_on:
        yield Finding(
            "tool-unsaid",
            "gap",
            (),
            "Rien ne dit de quoi l’outil de redémarrage a besoin : écrivez son courant et son réseau ici, et "
            "[recovery] stands_on = […].",
            "Nothing says what the recovery tool needs: write its power and its network as units, and "
            "[recovery] stands_on = […].",
        )
    # Power comes by itself; it counts as failed when what is to be restarted stands on it too.
    failed = {unit.id for unit in estate.units.values() if unit.start is not None}
    shared = {one for name in failed for one in estate.units[name].needs + estate.units[name].needs_any}
    failed |= {one for one in _below(estate, shared) if estate.units[one].kind in (FEED, UPS)}
    for name in estate.stands_on:
        below = [one for one in _below(estate, (name,)) if one in failed]
        if below:
            others = [one for one in below if one != name]
            by = f" (par {_listed(others, 'fr')})" if others else ""
            through = f" (through {_listed(others, 'en')})" if others else ""
            yield Finding(
                "tool-on-estate",
                "grave",
                (name, *others),
                f"L’outil de redémarrage repose sur le parc en panne : il a besoin de {name}{by}, qu’il doit lui-même "
                "remettre en route. Placez-le ailleurs.",
                f"The recovery tool stands on the failed estate: it needs {name}{through}, which it is itself to bring "
                "back. Put it elsewhere.",
                weight=100,
            )


def _names(estate: Estate) -> Iterator[Finding]:
    """Find addresses that are names while the service that knows names is to be restarted too."""
    servers = [
        unit
        for unit in estate.units.values()
        if unit.probe is not None and unit.probe.startswith("dns:") and unit.start
    ]
    if not servers:
        return
    before = set(_below(estate, [server.id for server in servers]))
    named = {
        unit.id: host
        for unit in estate.units.values()
        if (host := next((host for host in _hosts(unit) if _is_name(host)), ""))
    }
    early = [name for name in named if name in before]
    late = [name for name in named if name not in before]
    knows_fr, knows_en = _listed([one.id for one in servers], "fr"), _listed([one.id for one in servers], "en")
    if early:
        yield Finding(
            "name-of-estate",
            "grave",
            tuple(early),
            f"{_listed(early, 'fr')} : l’adresse est un nom ({named[early[0]]}) que {knows_fr} doit résoudre, or "
            f"{knows_fr} démarre après ou avec. Écrivez une adresse IP.",
            f"{_listed(early, 'en')}: the address is a name ({named[early[0]]}) that {knows_en} must resolve, but "
            f"{knows_en} starts after it or with it. Write an IP address.",
            weight=len(early),
        )
    if late:
        yield Finding(
            "name-of-estate",
            "risk",
            tuple(late),
            f"{_count(late, 'fr')} à joindre par un nom que {knows_fr} doit résoudre ({_listed(late, 'fr')}) : sans "
            "lui, ni démarrage ni mesure. Une adresse IP ou un fichier hosts l’évite.",
            f"{_count(late, 'en')} to be reached by a name that {knows_en} must resolve ({_listed(late, 'en')}): "
            "without it, neither start nor measure. An IP address or a hosts file avoids that.",
            weight=len(late),
        )


def _secrets(estate: Estate) -> Iterator[Finding]:
    guilty = [unit.id for unit in estate.units.values() if unit.probe and _holds_secret(unit.probe)]
    if guilty:
        yield Finding(
            "secret-inline",
            "grave",
            tuple(guilty),
            f"Un mot de passe est écrit dans l’adresse de mesure de {_listed(guilty, 'fr')} : ce fichier est copié "
            "dans chaque hôpital. Utilisez un compte sans droit ni mot de passe.",
            f"A password stands in the probe address of {_listed(guilty, 'en')}: this file is copied to every "
            "hospital. Use an account without rights or password.",
        )


def _phones(estate: Estate) -> Iterator[Finding]:
    wanted: dict[str, list[str]] = {}
    for unit in estate.units.values():
        for command in _commands(unit):
            if command.driver == "person":
                wanted.setdefault(command.address, []).append(unit.id)
        if unit.release:
            wanted.setdefault(unit.release, []).append(unit.id)
    for contact, units in wanted.items():
        if not estate.contacts[contact].phone.strip():
            concerned = tuple(dict.fromkeys(units))
            yield Finding(
                "person-without-phone",
                "grave",
                concerned,
                f"{contact} doit agir pour {_listed(concerned, 'fr')} et n’a pas de numéro de téléphone.",
                f"{contact} must act for {_listed(concerned, 'en')} and has no phone number.",
                weight=len(concerned),
            )


def _capacities(estate: Estate) -> Iterator[Finding]:
    for unit in estate.units.values():
        for name, amount in unit.uses.items():
            capacity = estate.capacities[name]
            most = amount_max(capacity)
            if amount > most:
                yield Finding(
                    "above-capacity",
                    "grave",
                    (unit.id,),
                    f"{unit.id} prend {amount} de {name}, qui n’a que {most} : il ne pourrait jamais démarrer.",
                    f"{unit.id} takes {amount} of {name}, which has {most}: it could never start.",
                )
            elif amount > min(capacity.amount, *(shift.amount for shift in capacity.shifts), most):
                yield Finding(
                    "above-capacity",
                    "risk",
                    (unit.id,),
                    f"{unit.id} prend {amount} de {name}, qui n’en a pas autant à toute heure : il ne démarre qu’à "
                    "certaines heures.",
                    f"{unit.id} takes {amount} of {name}, which has less at some hours: it starts at certain hours "
                    "only.",
                )


def _single_points(estate: Estate, causes: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    services: dict[str, list[Unit]] = {}
    for unit in estate.services():
        for cause in causes[unit.id]:
            if cause != unit.id:
                services.setdefault(cause, []).append(unit)
    for name, lost in services.items():
        losses = sum(max(1, len(unit.hospitals)) for unit in lost)
        if losses < LOSSES_MIN:
            continue
        hospitals = {one for unit in lost for one in unit.hospitals}
        ids = [unit.id for unit in lost]
        yield Finding(
            "single-point",
            "risk",
            (name, *ids),
            f"À lui seul, {name} fait tomber {_services(ids, 'fr')}{_in_hospitals(len(hospitals), 'fr')} : "
            f"{_listed(ids, 'fr')}.",
            f"{name} alone takes {_services(ids, 'en')}{_in_hospitals(len(hospitals), 'en')}: {_listed(ids, 'en')}.",
            weight=losses,
        )


def _rooms(estate: Estate, causes: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Find rooms whose loss takes what no unit in them takes alone: what should stand in for each other shares them."""
    inside: dict[str, list[str]] = {}
    for unit in estate.units.values():
        if unit.room:
            inside.setdefault(unit.room, []).append(unit.id)
    for room, members in inside.items():
        lost = impact(estate, members).falls
        more = [name for name in lost if not causes[name] & set(members) and estate.units[name].kind == SERVICE]
        if more:
            where = estate.rooms[room].name
            yield Finding(
                "single-room",
                "risk",
                tuple(more),
                f"La salle {where.fr} porte à la fois ce qui devait se remplacer : sa perte (froid, eau, fumée) fait "
                f"tomber {_services(more, 'fr')} : {_listed(more, 'fr')}.",
                f"Room {where.en} holds both of what should stand in for each other: its loss (cooling, water, smoke) "
                f"takes {_services(more, 'en')}: {_listed(more, 'en')}.",
                weight=len(more),
            )


def _gaps(estate: Estate) -> Iterator[Finding]:
    yield from _gap(
        estate,
        "not-probed",
        lambda unit: unit.probe is None,
        "sans mesure (probe) : rien ne prouve que cela va",
        "without a probe: nothing proves that it is well",
    )
    yield from _gap(
        estate,
        "no-duration",
        lambda unit: unit.start is not None and unit.duration is None,
        "sans durée (duration) : la prévision restera provisoire",
        "without a duration: the forecast stays provisional",
    )
    yield from _gap(
        estate,
        "no-owner",
        lambda unit: not unit.owner,
        "sans responsable (owner) : qui appeler ?",
        "without an owner: whom to call?",
    )


def _gap(estate: Estate, kind: Kind, missing: Callable[[Unit], bool], fr: str, en: str) -> Iterator[Finding]:
    units = sorted(estate.units.values(), key=lambda unit: (unit.tier, unit.clinical))
    ids = tuple(unit.id for unit in units if missing(unit))
    if ids:
        yield Finding(
            kind,
            "gap",
            ids,
            f"{_count(ids, 'fr')} {fr} ({_listed(ids, 'fr')}).",
            f"{_count(ids, 'en')} {en} ({_listed(ids, 'en')}).",
            weight=len(ids),
        )


def _below(estate: Estate, names: Iterable[str]) -> list[str]:
    """Return these units and what must be up before their first start, near and far; of choices, all."""
    first = first_needs(estate.units, estate.breaks)
    seen = dict.fromkeys(names)
    todo = list(seen)
    while todo:
        one = todo.pop()
        for other in (*first[one], *estate.units[one].needs_any):
            if other not in seen:
                seen[other] = None
                todo.append(other)
    return list(seen)


def _commands(unit: Unit) -> list[Command]:
    return [one for one in (unit.start, unit.stop, unit.check) if one is not None]


def _hosts(unit: Unit) -> Iterator[str]:
    addresses = [one.address for one in _commands(unit) if one.driver in ("ssh", "redfish")]
    if unit.probe is not None and not unit.probe.startswith("command:"):
        addresses.append(unit.probe)
    for address in addresses:
        yield urlsplit(address).hostname or ""


def _is_name(host: str) -> bool:
    if host in ("", "localhost"):
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def _holds_secret(probe: str) -> bool:
    if probe.startswith("command:"):
        return False
    parts = urlsplit(probe)
    return parts.password is not None or any(key in ("password", "secret") for key, _ in parse_qsl(parts.query))


def _listed(names: Iterable[str], lang: str) -> str:
    every = list(names)
    shown = ", ".join(every[:_NAMES_SHOWN])
    more = len(every) - _NAMES_SHOWN
    if more <= 0:
        return shown
    return f"{shown} et {more} de plus" if lang == "fr" else f"{shown} and {more} more"


def _count(names: Iterable[str], lang: str) -> str:
    count = len(tuple(names))
    if lang == "fr":
        return f"{count} élément{'s' if count > 1 else ''}"
    return f"{count} unit{'s' if count > 1 else ''}"


def _services(names: Iterable[str], lang: str) -> str:
    count = len(tuple(names))
    return f"{count} service{'s' if count > 1 else ''}"


def _in_hospitals(count: int, lang: str) -> str:
    if not count:
        return ""
    if lang == "fr":
        return f" dans {count} {'hôpitaux' if count > 1 else 'hôpital'}"
    return f" in {count} hospital{'s' if count > 1 else ''}"
