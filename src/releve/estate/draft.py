"""A draft of an estate: what another system knows of it, to be completed by a person.

An inventory knows things and not what they are for: services, clinical order, durations and most dependencies have to
be written by people. What could not be carried over is said in remarks, at the head or above the unit it concerns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from releve.errors import WrongUse
from releve.estate.cycles import demanded_breaks
from releve.estate.file import load_unproved
from releve.estate.model import FEED, HOST, KINDS, NETWORK, STORAGE, UNIT, UPS
from releve.estate.written import Value, write_entry, write_remark

#: An export of a whole hospital group is some tens of megabytes.
FILE_BYTES_MAX = 200_000_000

# Kinds by words in a role or a group, the telling ones first.
_KIND_WORDS = (
    (UPS, r"\b(ups|onduleurs?)\b"),
    (FEED, r"\b(pdus?|power|rpp|ats)\b"),
    (STORAGE, r"\b(storages?|stockage|san|nas|filers?|ceph|baies?)\b"),
    (NETWORK, r"\b(switch(es)?|routers?|firewalls?|network|reseau|réseau|leaf|spine|core|vpn|load.?balancers?)\b"),
    (HOST, r"\b(servers?|serveurs?|hosts?|hypervisors?|hyperviseurs?|esxi?|proxmox|kvm|compute)\b"),
)

#: TCP port → how its protocol is asked.
PORT_SCHEMES = {
    22: "ssh",
    25: "smtp",
    80: "http",
    104: "dicom",
    143: "imap",
    389: "ldap",
    443: "https",
    587: "smtp",
    2575: "mllp",
    5432: "postgresql",
    6379: "redis",
    8080: "http",
    11112: "dicom",
}


@dataclass
class DraftUnit:
    """A unit as far as an inventory knows it."""

    id: str
    kind: str = UNIT
    name: str = ""
    site: str = ""
    room: str = ""
    owner: str = ""
    tier: int | None = None
    needs: list[str] = field(default_factory=list)
    needs_any: list[str] = field(default_factory=list)
    wants: list[str] = field(default_factory=list)
    start_needs: list[str] = field(default_factory=list)
    start: dict[str, Value] | None = None
    stop: dict[str, Value] | None = None
    probe: str | None = None
    remarks: list[str] = field(default_factory=list)


@dataclass
class Draft:
    """An estate as far as an inventory knows it.

    name      of the estate
    sites, rooms, contacts   id → the fields of its entry
    missing   what could not be carried over, in sentences
    """

    name: str
    sites: dict[str, dict[str, Value]] = field(default_factory=dict)
    rooms: dict[str, dict[str, Value]] = field(default_factory=dict)
    contacts: dict[str, dict[str, Value]] = field(default_factory=dict)
    units: dict[str, DraftUnit] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def new_id(self, name: str, taken: Iterable[str] | None = None) -> str:
        """Return a short name without spaces that nothing here has yet."""
        others = set(self.units if taken is None else taken)
        first = re.sub(r"[^\w.@+-]+", "-", name).strip("-") or "unit"
        identity, number = first, 2
        while identity in others:
            identity, number = f"{first}-{number}", number + 1
        return identity


def read_export(path: Path) -> bytes:
    """Return the content of an export, refused when it cannot be one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongUse("import.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > FILE_BYTES_MAX:
        raise WrongUse("import.too-long", f"{path} has {len(content)} bytes; an export has at most {FILE_BYTES_MAX}.")
    return content


def kind_of(words: Iterable[str], default: str = UNIT) -> str:
    """Return the kind that the words of a role or of groups speak of."""
    text = " ".join(words).lower().replace("-", " ").replace("_", " ")
    return next((kind for kind, pattern in _KIND_WORDS if re.search(pattern, text)), default)


def probe_of(host: str, port: int, scheme: str = "") -> str:
    """Return how a TCP port of a host is asked: by its protocol where the port number tells it."""
    bracketed = f"[{host}]" if ":" in host else host
    return f"{scheme or PORT_SCHEMES.get(port, 'tcp')}://{bracketed}:{port}"


def draft_text(draft: Draft, source: str) -> str:
    """Return the draft as an estate file that load accepts.

    raises  WrongUse  there is nothing in it
    """
    if not draft.units:
        raise WrongUse("import.empty", f"Nothing of an estate was found in this {source} export.")
    head = [
        write_remark(f"Draft made from {source} by releve estate import. Complete it, then run releve estate check."),
        write_remark(
            "An inventory does not know: [[service]] entries and the hospitals they serve, clinical order, durations, "
            "capacities, owners, what is needed by what beyond power and hosts."
        ),
        *(write_remark(f"Not carried over: {sentence}") for sentence in dict.fromkeys(draft.missing)),
    ]
    parts = ["\n".join(head) + "\n", write_entry("[estate]", {"name": draft.name})]
    parts += [write_entry("site", fields) for fields in draft.sites.values()]
    parts += [write_entry("room", fields) for fields in draft.rooms.values()]
    parts += [write_entry("contact", fields) for fields in draft.contacts.values()]
    for unit in sorted(draft.units.values(), key=lambda unit: KINDS.index(unit.kind)):
        parts.append(_unit_text(unit))
    return _with_breaks("\n".join(parts))


def _unit_text(unit: DraftUnit) -> str:
    fields: dict[str, Value | None] = {"id": unit.id}
    fields["name"] = unit.name if unit.name != unit.id else None
    fields |= {"site": unit.site or None, "room": unit.room or None, "owner": unit.owner or None, "tier": unit.tier}
    for key in ("needs", "needs_any", "wants", "start_needs"):
        fields[key] = [one for one in dict.fromkeys(getattr(unit, key)) if one != unit.id]
    fields |= {"start": unit.start, "stop": unit.stop, "probe": unit.probe}
    return write_entry(unit.kind, fields, unit.remarks)


def _with_breaks(text: str) -> str:
    """Return the text with a break point, its how left to be written, for each cycle that the inventory holds."""
    with TemporaryDirectory(prefix="releve-import-") as folder:
        path = Path(folder) / "estate.toml"
        path.write_text(text, "utf-8")
        estate = load_unproved(path)
    for demand in demanded_breaks(estate.units):
        if demand.unit:
            remark = f"A cycle: {' needs '.join(demand.walk)}. Say how it comes up once without it."
            text += "\n" + write_entry("break", {"unit": demand.unit, "without": demand.without}, [remark])
    return text
