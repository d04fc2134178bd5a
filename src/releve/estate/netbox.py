"""NetBox → a draft of an estate: what its REST API answers, one file for each endpoint (further pages are more files).

    dcim/sites, dcim/locations, dcim/racks          sites and rooms
    dcim/power-panels, dcim/power-feeds             feeds
    dcim/devices, dcim/power-ports, dcim/power-outlets   hosts, networks, storages, UPS, and what feeds them
    virtualization/clusters, virtualization/virtual-machines   units on hosts
    ipam/services                                   probes
    tenancy/contacts, tenancy/contact-assignments   owners

A device with two supplies is read as needing one of them; a machine of a cluster as needing one of its hosts. Cables of
data networks are not followed: NetBox knows who is plugged where, not who needs whom.

source: NetBox documentation, REST API, versions 3.5 to 4: {"count": …, "next": …, "results": […]}.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from releve.errors import WrongUse
from releve.estate.draft import Draft, DraftUnit, kind_of, probe_of, read_export
from releve.estate.model import FEED, HOST, STORAGE, UNIT, UPS

ENDPOINTS = (
    "dcim/sites",
    "dcim/locations",
    "dcim/racks",
    "dcim/power-panels",
    "dcim/power-feeds",
    "dcim/devices",
    "dcim/power-ports",
    "dcim/power-outlets",
    "virtualization/clusters",
    "virtualization/virtual-machines",
    "ipam/services",
    "tenancy/contacts",
    "tenancy/contact-assignments",
)

#: States of a device that say that nothing stands on it.
_NOT_THERE = ("decommissioning", "planned", "inventory")

_UDP_SCHEMES = {123: "ntp", 5060: "sip"}


class _Ref(msgspec.Struct):
    """Another object, as NetBox names it inside this one."""

    id: int
    name: str | None = None
    display: str = ""
    slug: str = ""
    device: _Ref | None = None
    power_panel: _Ref | None = None


class _Choice(msgspec.Struct):
    value: str | int | None = None
    label: str = ""


class _Address(msgspec.Struct):
    address: str = ""


class _Object(msgspec.Struct):
    """Any object of these endpoints; each has some of the fields."""

    id: int
    name: str | None = None
    display: str = ""
    slug: str = ""
    status: _Choice | None = None
    site: _Ref | None = None
    location: _Ref | None = None
    rack: _Ref | None = None
    role: _Ref | None = None
    device_role: _Ref | None = None
    device: _Ref | None = None
    virtual_machine: _Ref | None = None
    cluster: _Ref | None = None
    power_panel: _Ref | None = None
    power_port: _Ref | None = None
    primary_ip: _Address | None = None
    oob_ip: _Address | None = None
    connected_endpoints: list[_Ref] | None = None
    connected_endpoints_type: str | None = None
    ports: list[int] | None = None
    protocol: _Choice | None = None
    parent: _Ref | None = None
    parent_object_type: str = ""
    phone: str = ""
    email: str = ""
    title: str = ""
    contact: _Ref | None = None
    object_type: str = ""
    content_type: str = ""
    object_id: int = 0


_Answers = dict[str, dict[int, _Object]]


def read_netbox(files: Sequence[Path]) -> Draft:
    """Return what these answers hold as a draft."""
    draft = Draft(name="NetBox")
    answers: _Answers = {endpoint: {} for endpoint in ENDPOINTS}
    for path in files:
        _read(path, answers, draft)
    _places(draft, answers)
    ids = _units(draft, answers)
    _owners(draft, answers, ids)
    _supplies(draft, answers, ids)
    _machines(draft, answers, ids)
    _probes(draft, answers, ids)
    absent = [endpoint for endpoint in ENDPOINTS if not answers[endpoint]]
    if absent:
        draft.missing.append(f"nothing was given of {', '.join(absent)}")
    draft.missing.append("cables, interfaces, VLANs and prefixes: who needs which network has to be written")
    return draft


def _read(path: Path, answers: _Answers, draft: Draft) -> None:
    try:
        top = msgspec.json.decode(read_export(path))
        further = top.get("next") if isinstance(top, dict) else None
        results = top.get("results") if isinstance(top, dict) else top
        if not isinstance(results, list):
            raise WrongUse("import.netbox", f'{path} is no answer of NetBox: it has no list "results".')
        for item in results:
            endpoint = _endpoint(item)
            if endpoint in answers:
                read = msgspec.convert(item, _Object)
                answers[endpoint][read.id] = read
            else:
                draft.missing.append(f"{path.name}: {endpoint or 'objects without a url of NetBox'}")
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise WrongUse("import.netbox", f"{path} is no answer of NetBox: {error}.") from error
    if further:
        draft.missing.append(f"{path.name} is one page of several; give the others too, or ask with ?limit=0")


def _endpoint(item: object) -> str:
    url = item.get("url") if isinstance(item, dict) else None
    found = re.search(r"/api/([a-z-]+/[a-z-]+)/\d+/?$", url) if isinstance(url, str) else None
    return found[1] if found else ""


def _places(draft: Draft, answers: _Answers) -> None:
    hosting = {one.site.id for one in answers["dcim/power-panels"].values() if one.site}
    hosting |= {one.site.id for one in answers["virtualization/clusters"].values() if one.site}
    for site in answers["dcim/sites"].values():
        identity = draft.new_id(site.slug or _name(site), draft.sites)
        kind = "hosting" if site.id in hosting else "hospital"
        draft.sites[identity] = {"id": identity, "name": _name(site), "kind": kind}
    if draft.sites:
        draft.missing.append(
            'which sites are hospitals: one with power panels or clusters was written as kind = "hosting"'
        )
    racks_apart = not answers["dcim/locations"]
    for room in answers["dcim/locations" if not racks_apart else "dcim/racks"].values():
        identity = _room_id(room)
        where = _site(draft, answers, room.site)
        if where:
            draft.rooms[identity] = {"id": identity, "name": _name(room), "site": where}
    for contact in answers["tenancy/contacts"].values():
        identity = _contact_id(contact)
        draft.contacts[identity] = {
            "id": identity,
            "name": _name(contact),
            "phone": contact.phone,
            "email": contact.email,
            "role": contact.title,
        }


def _units(draft: Draft, answers: _Answers) -> dict[tuple[str, int], str]:
    """Add what can be down and return its id by endpoint and number."""
    ids: dict[tuple[str, int], str] = {}
    for endpoint in ("dcim/power-panels", "dcim/power-feeds", "dcim/devices", "virtualization/virtual-machines"):
        for one in answers[endpoint].values():
            status = str(one.status.value) if one.status else "active"
            if status in _NOT_THERE:
                draft.missing.append(f"{_name(one)} ({status})")
                continue
            unit = DraftUnit(draft.new_id(_name(one)), _kind(endpoint, one), name=_name(one))
            unit.site = _site(draft, answers, one.site)
            unit.room = _room(draft, one)
            if status != "active":
                unit.remarks.append(f"NetBox says: {status}")
            if one.oob_ip and (address := _ip(one.oob_ip)):
                host = f"[{address}]" if ":" in address else address
                unit.remarks.append(
                    f'its management board: start = {{redfish = "https://{host}/redfish/v1/Systems/…", reset = "On", '
                    'password_file = "…"}'
                )
            draft.units[unit.id] = unit
            ids[endpoint, one.id] = unit.id
    return ids


def _kind(endpoint: str, one: _Object) -> str:
    if endpoint.startswith("dcim/power"):
        return FEED
    role = one.role or one.device_role
    words = [role.name or "", role.slug] if role else []
    return kind_of(words, UNIT if endpoint != "dcim/devices" else HOST)


def _owners(draft: Draft, answers: _Answers, ids: dict[tuple[str, int], str]) -> None:
    endpoints = {
        "dcim.device": "dcim/devices",
        "dcim.powerpanel": "dcim/power-panels",
        "dcim.powerfeed": "dcim/power-feeds",
        "virtualization.virtualmachine": "virtualization/virtual-machines",
    }
    for one in answers["tenancy/contact-assignments"].values():
        owned = ids.get((endpoints.get(one.object_type or one.content_type, ""), one.object_id))
        contact = answers["tenancy/contacts"].get(one.contact.id) if one.contact else None
        if owned and contact:
            unit = draft.units[owned]
            unit.owner = unit.owner or _contact_id(contact)


def _supplies(draft: Draft, answers: _Answers, ids: dict[tuple[str, int], str]) -> None:
    """Carry over what feeds what: panel → feed → inlet of a PDU → outlet → inlet of a device."""
    for feed in answers["dcim/power-feeds"].values():
        unit = ids.get(("dcim/power-feeds", feed.id))
        panel = ids.get(("dcim/power-panels", feed.power_panel.id)) if feed.power_panel else None
        if unit and panel:
            draft.units[unit].needs.append(panel)
            draft.units[unit].site = draft.units[unit].site or draft.units[panel].site
    supplies: dict[str, list[str]] = {}
    for port in answers["dcim/power-ports"].values():
        unit = ids.get(("dcim/devices", port.device.id)) if port.device else None
        if unit is None:
            continue
        for end in port.connected_endpoints or ():
            if port.connected_endpoints_type == "dcim.powerfeed":
                supply = ids.get(("dcim/power-feeds", end.id))
            else:
                supply = ids.get(("dcim/devices", end.device.id)) if end.device else None
            if supply and supply != unit:
                supplies.setdefault(unit, []).append(supply)
    for name, found in supplies.items():
        unit_of, distinct = draft.units[name], list(dict.fromkeys(found))
        if len(distinct) == 1:
            unit_of.needs += distinct
        else:
            unit_of.needs_any += distinct
            unit_of.remarks.append("read as: one supply is enough; correct it if all are needed")
    unfed = [one.id for one in draft.units.values() if one.kind in (HOST, STORAGE, UPS) and one.id not in supplies]
    if unfed and answers["dcim/devices"]:
        shown = ", ".join(unfed[:10]) + (f" and {len(unfed) - 10} more" if len(unfed) > 10 else "")
        draft.missing.append(f"what feeds {shown}: no power port of theirs is connected")


def _machines(draft: Draft, answers: _Answers, ids: dict[tuple[str, int], str]) -> None:
    hosts: dict[int, list[str]] = {}
    for device in answers["dcim/devices"].values():
        if device.cluster and ("dcim/devices", device.id) in ids:
            hosts.setdefault(device.cluster.id, []).append(ids["dcim/devices", device.id])
    for machine in answers["virtualization/virtual-machines"].values():
        name = ids.get(("virtualization/virtual-machines", machine.id))
        if name is None:
            continue
        unit = draft.units[name]
        pinned = ids.get(("dcim/devices", machine.device.id)) if machine.device else None
        of_cluster = hosts.get(machine.cluster.id, []) if machine.cluster else []
        if pinned:
            unit.needs.append(pinned)
        elif len(of_cluster) == 1:
            unit.needs += of_cluster
        elif of_cluster:
            unit.needs_any += of_cluster
            unit.remarks.append(f"cluster {_of(machine.cluster)}: read as any of its hosts being enough")
        else:
            unit.remarks.append(f"cluster {_of(machine.cluster)}: no host of it was given")


def _probes(draft: Draft, answers: _Answers, ids: dict[tuple[str, int], str]) -> None:
    addresses: dict[str, str] = {}
    for endpoint in ("dcim/devices", "virtualization/virtual-machines"):
        for one in answers[endpoint].values():
            if (endpoint, one.id) in ids and one.primary_ip and (address := _ip(one.primary_ip)):
                addresses[ids[endpoint, one.id]] = address
    for service in answers["ipam/services"].values():
        name = _host_of(service, ids)
        port = next((port for port in service.ports or () if 0 < port < 65_536), None)
        if name is None or name not in addresses or port is None:
            continue
        unit = draft.units[name]
        scheme = _UDP_SCHEMES.get(port, "") if service.protocol and service.protocol.value == "udp" else ""
        if service.protocol and service.protocol.value == "udp" and not scheme:
            unit.remarks.append(f"service {_name(service)} (udp {port}) has no probe yet")
        elif unit.probe is None:
            unit.probe = probe_of(addresses[name], port, scheme)
        else:
            unit.remarks.append(f"also serves {_name(service)}: {probe_of(addresses[name], port, scheme)}")
    for name, address in addresses.items():
        if draft.units[name].probe is None:
            draft.units[name].remarks.append(f"its address: {address}; no service of it is known to probe")


def _host_of(service: _Object, ids: dict[tuple[str, int], str]) -> str | None:
    """Return the unit of a service; from NetBox 4.3 on it has one parent of any kind instead of two fields."""
    if service.device:
        return ids.get(("dcim/devices", service.device.id))
    if service.virtual_machine:
        return ids.get(("virtualization/virtual-machines", service.virtual_machine.id))
    endpoints = {"dcim.device": "dcim/devices", "virtualization.virtualmachine": "virtualization/virtual-machines"}
    if service.parent:
        return ids.get((endpoints.get(service.parent_object_type, ""), service.parent.id))
    return None


def _name(one: _Object) -> str:
    return (one.name or one.display or str(one.id)).strip() or str(one.id)


def _of(one: _Ref | None) -> str:
    return (one.name or one.display or str(one.id)) if one else "unknown"


def _room_id(room: _Object | _Ref) -> str:
    return f"room-{room.id}"


def _contact_id(contact: _Object) -> str:
    return f"contact-{contact.id}"


def _room(draft: Draft, one: _Object) -> str:
    for ref in (one.location, one.rack):
        if ref and _room_id(ref) in draft.rooms:
            return _room_id(ref)
    return ""


def _site(draft: Draft, answers: _Answers, site: _Ref | None) -> str:
    """Return the id of a site; sites keep the order in which NetBox gave them."""
    if site is None:
        return ""
    place = next((place for place, number in enumerate(answers["dcim/sites"]) if number == site.id), None)
    return list(draft.sites)[place] if place is not None else ""


def _ip(address: _Address) -> str:
    text = address.address.partition("/")[0]
    return text if re.fullmatch(r"[0-9a-fA-F.:]+", text) else ""
