"""Inventories of others: what is carried over, what is said to be missing, and that the text always loads."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.errors import WrongUse
from releve.estate import Bilingual, Estate, load
from releve.estate.inventory import import_inventory

URL = "https://netbox.example/api/"


def brought(folder: Path, source: str, *contents: object) -> tuple[str, Estate]:
    """Import some exports and return the text with what load makes of it."""
    files = []
    for number, content in enumerate(contents):
        files.append(folder / f"export-{number}")
        files[-1].write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    text = import_inventory(source, files)
    path = folder / "estate.toml"
    path.write_text(text, "utf-8")
    return text, load(path)


def answer(endpoint: str, *objects: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    """Write what NetBox answers for an endpoint."""
    results = [{"url": f"{URL}{endpoint}/{one['id']}/", "display": one.get("name", ""), **one} for one in objects]
    return {"count": len(results), "next": following, "previous": None, "results": results}


def ref(number: int, name: str = "", **more: Any) -> dict[str, Any]:
    return {"id": number, "url": "x", "display": name, "name": name, **more}


def supply(number: int, device: int, kind: str, *ends: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"PSU{number}",
        "device": ref(device),
        "connected_endpoints": list(ends),
        "connected_endpoints_type": kind,
    }


NETBOX = (
    answer("dcim/sites", {"id": 1, "name": "Centre", "slug": "centre"}, {"id": 2, "name": "Nord", "slug": "nord"}),
    answer("dcim/locations", {"id": 5, "name": "Salle 1", "site": ref(1)}),
    answer("dcim/power-panels", {"id": 1, "name": "Panel A", "site": ref(1), "location": ref(5)}),
    answer(
        "dcim/power-feeds",
        {"id": 1, "name": "Feed A", "power_panel": ref(1), "status": {"value": "active"}},
        {"id": 2, "name": "Feed B", "power_panel": ref(1), "status": {"value": "active"}},
    ),
    answer(
        "dcim/devices",
        {"id": 1, "name": "pdu-a", "role": ref(1, "PDU", slug="pdu"), "site": ref(1), "location": ref(5)},
        {
            "id": 2,
            "name": "esx 01",
            "role": ref(2, "Hypervisor", slug="hypervisor"),
            "site": ref(1),
            "cluster": ref(9, "vm"),
            "oob_ip": {"address": "192.0.2.99/24"},
            "primary_ip": {"address": "192.0.2.2/24"},
        },
        {"id": 3, "name": "esx 02", "device_role": ref(2, "Server", slug="server"), "cluster": ref(9, "vm")},
        {"id": 4, "name": "old", "status": {"value": "decommissioning", "label": "Decommissioning"}},
    ),
    answer(
        "dcim/power-ports",
        supply(1, 1, "dcim.powerfeed", ref(1, "Feed A")),
        supply(2, 2, "dcim.poweroutlet", ref(7, "out 1", device=ref(1, "pdu-a"))),
        supply(3, 2, "dcim.powerfeed", ref(2, "Feed B")),
    ),
    answer("virtualization/clusters", {"id": 9, "name": "vm", "site": ref(1)}),
    answer(
        "virtualization/virtual-machines",
        {"id": 1, "name": "db", "cluster": ref(9, "vm"), "primary_ip": {"address": "2001:db8::5/64"}},
        {"id": 2, "name": "pinned", "cluster": ref(9, "vm"), "device": ref(3, "esx 02"), "site": ref(2)},
    ),
    answer(
        "ipam/services",
        {"id": 1, "name": "pg", "virtual_machine": ref(1), "ports": [5432], "protocol": {"value": "tcp"}},
        {
            "id": 2,
            "name": "ssh",
            "parent_object_type": "dcim.device",
            "parent": ref(2),
            "ports": [22],
            "protocol": {"value": "tcp"},
        },
    ),
    answer("tenancy/contacts", {"id": 3, "name": "Ops", "phone": "+33 1", "email": "ops@x.example", "title": "it"}),
    answer(
        "tenancy/contact-assignments", {"id": 1, "object_type": "dcim.device", "object_id": 2, "contact": ref(3, "Ops")}
    ),
)


def test_netbox_becomes_power_hosts_machines_probes_and_owners(tmp_path: Path) -> None:
    text, estate = brought(tmp_path, "netbox", *NETBOX)
    units = estate.units
    assert units["Feed-A"].needs == ("Panel-A",)
    assert units["pdu-a"].needs == ("Feed-A",)
    assert set(units["esx-01"].needs_any) == {"pdu-a", "Feed-B"}
    assert set(units["db"].needs_any) == {"esx-01", "esx-02"}
    assert units["pinned"].needs == ("esx-02",)
    assert {name: unit.kind for name, unit in units.items()} == {
        "Panel-A": "feed",
        "Feed-A": "feed",
        "Feed-B": "feed",
        "pdu-a": "feed",
        "esx-01": "host",
        "esx-02": "host",
        "db": "unit",
        "pinned": "unit",
    }
    assert (units["db"].probe, units["esx-01"].probe) == ("postgresql://[2001:db8::5]:5432", "ssh://192.0.2.2:22")
    assert (units["pdu-a"].room, units["esx-01"].owner, units["pinned"].site) == ("room-5", "contact-3", "nord")
    assert [site.is_hospital for site in estate.sites.values()] == [False, True]
    assert estate.contacts["contact-3"].phone == "+33 1"
    assert units["esx-01"].name == Bilingual("esx 01", "esx 01")
    assert "# Not carried over: old (decommissioning)" in text
    assert "https://192.0.2.99/redfish/v1/Systems/" in text


def test_a_page_of_several_and_an_unread_endpoint_are_said(tmp_path: Path) -> None:
    page = answer("dcim/devices", {"id": 1, "name": "a"}, following=f"{URL}dcim/devices/?offset=50")
    text, _ = brought(tmp_path, "netbox", page, answer("dcim/cables", {"id": 1}))
    assert "export-0 is one page of several" in text
    assert "export-1: dcim/cables" in text
    assert "nothing was given of dcim/sites" in text


INVENTORY = """\
; before any group
mail.example ansible_host=192.0.2.9

[db_servers]
db[01:03].example ansible_user=ops ansible_password=geheim
old.example:2022
[storage]
san-[a:b] ansible_connection=local   # a remark
[prod:children]
db_servers
storage
[db_servers:vars]
ansible_port = 2222
secret_thing = geheim
"""


def test_an_ini_inventory_becomes_hosts_by_groups(tmp_path: Path) -> None:
    text, estate = brought(tmp_path, "ansible", INVENTORY)
    assert set(estate.units) == {
        "mail.example",
        *(f"db0{n}.example" for n in (1, 2, 3)),
        "old.example",
        "san-a",
        "san-b",
    }
    assert estate.units["old.example"].probe == "ssh://old.example:2022", "its own port before that of its group"
    assert estate.units["db02.example"].probe == "ssh://db02.example:2222"
    assert estate.units["mail.example"].probe == "ssh://192.0.2.9:22"
    assert (estate.units["san-a"].kind, estate.units["san-a"].probe) == ("storage", None)
    assert "# groups: db_servers, prod" in text
    assert "geheim" not in text


def test_the_list_that_ansible_prints_gives_the_same(tmp_path: Path) -> None:
    listed = {
        "_meta": {
            "hostvars": {"db1": {"ansible_host": "192.0.2.1", "ansible_port": 2200, "ansible_become_pass": "geheim"}}
        },
        "all": {"children": ["ungrouped", "db_servers"]},
        "db_servers": {"hosts": ["db1", "db2"]},
    }
    text, estate = brought(tmp_path, "ansible", listed)
    assert (estate.units["db1"].probe, estate.units["db2"].probe) == ("ssh://192.0.2.1:2200", "ssh://db2:22")
    assert "geheim" not in text


def test_a_yaml_inventory_is_refused_with_the_way_to_read_it(tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as caught:
        brought(tmp_path, "ansible", "all:\n  hosts:\n    db1:\n")
    assert "ansible-inventory -i FILE --list" in caught.value.sentence


def healthy(**more: Any) -> dict[str, Any]:
    return {"condition": "service_healthy", "required": True, **more}


COMPOSE = {
    "name": "lab",
    "services": {
        "db": {"healthcheck": {"test": ["CMD-SHELL", "pg_isready -U x"]}, "environment": {"PASSWORD": "geheim"}},
        "migrate": {"depends_on": {"db": healthy()}},
        "web": {
            "depends_on": {
                "db": healthy(),
                "migrate": {"condition": "service_completed_successfully", "required": True},
                "cache": {"condition": "service_started", "required": False},
            },
            "ports": [{"mode": "ingress", "target": 80, "published": "8081", "protocol": "tcp"}],
            "healthcheck": {"test": ["CMD", "curl", "-f", "http://localhost/healthz"]},
        },
        "cache": {"ports": [{"target": 6379, "published": "6379", "host_ip": "192.0.2.4"}], "depends_on": ["db"]},
    },
}


def test_compose_becomes_needs_and_probes_by_condition_and_healthcheck(tmp_path: Path) -> None:
    text, estate = brought(tmp_path, "compose", COMPOSE)
    web, cache, db = estate.units["web"], estate.units["cache"], estate.units["db"]
    assert (web.kind, web.needs, web.start_needs, web.wants) == ("service", ("db",), ("migrate",), ("cache",))
    assert web.probe == "http://127.0.0.1:8081/healthz"
    assert (cache.kind, cache.start_needs, cache.probe) == ("unit", ("db",), "redis://192.0.2.4:6379")
    assert db.probe == "command:docker compose -p lab exec -T db sh -c 'pg_isready -U x'"
    assert db.start is not None
    assert db.start.argv == ("docker", "compose", "-p", "lab", "start", "db")
    assert "geheim" not in text


def test_a_cycle_of_an_inventory_loads_with_a_break_point_to_be_explained(tmp_path: Path) -> None:
    services = {"a": {"depends_on": {"b": healthy()}}, "b": {"depends_on": {"a": healthy()}}}
    text, estate = brought(tmp_path, "compose", {"services": services})
    assert len(estate.breaks) == 1
    assert "# A cycle: a needs b needs a." in text


@pytest.mark.parametrize("source", ["netbox", "ansible", "compose"])
@pytest.mark.parametrize("content", ["", "[]", "{}", "nonsense {", '{"results": 3}', '{"services": []}', "{]"])
def test_what_is_no_export_is_refused_and_nothing_is_printed(tmp_path: Path, source: str, content: str) -> None:
    with pytest.raises(WrongUse):
        brought(tmp_path, source, content)


NAME = st.text(min_size=1, max_size=12)


@given(
    names=st.lists(NAME, min_size=1, max_size=4, unique=True),
    test=st.one_of(NAME, st.lists(NAME, max_size=3)),
    port=st.one_of(st.none(), st.integers(-1, 99_999), NAME),
)
def test_whatever_stands_in_a_compose_file_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], test: Any, port: Any
) -> None:
    services = {
        name: {"healthcheck": {"test": test}, "ports": [{"target": 80, "published": port}], "depends_on": names[:1]}
        for name in names
    }
    _, estate = brought(tmp_path_factory.mktemp("compose"), "compose", {"services": services})
    assert len(estate.units) == len(names)


@given(names=st.lists(NAME, min_size=1, max_size=4), role=NAME, address=NAME)
def test_whatever_stands_in_netbox_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], role: str, address: str
) -> None:
    devices = [
        {"id": number, "name": name, "role": ref(1, role, slug=role), "primary_ip": {"address": address}}
        for number, name in enumerate(names)
    ]
    _, estate = brought(tmp_path_factory.mktemp("netbox"), "netbox", answer("dcim/devices", *devices))
    assert len(estate.units) == len(names)


@given(text=st.text(max_size=80))
def test_whatever_stands_in_an_ini_inventory_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    with suppress(WrongUse):
        brought(tmp_path_factory.mktemp("ini"), "ansible", text)


@pytest.mark.peer
def test_what_ansible_itself_prints_is_read_as_its_inventory(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ansible-inventory")
    if not program.exists():
        pytest.skip("ansible-core is not installed beside this Python")
    (tmp_path / "hosts").write_text(INVENTORY.replace("   # a remark", ""), "utf-8")
    printed = subprocess.run(
        [program, "-i", tmp_path / "hosts", "--list"],
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    _, by_ansible = brought(tmp_path, "ansible", printed.stdout.decode())
    _, by_us = brought(tmp_path, "ansible", INVENTORY)
    assert {unit.id: unit.probe for unit in by_ansible.units.values()} == {
        unit.id: unit.probe for unit in by_us.units.values()
    }
