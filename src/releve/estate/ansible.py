"""Ansible inventory → a draft of an estate: what `ansible-inventory --list` prints (JSON), or an INI inventory.

Hosts and their groups are carried over; the words of the groups tell the kind of a host where they can. Ansible knows
no dependencies: they are left to be written. Of the variables only ansible_host, ansible_port, ansible_user and
ansible_connection are read; passwords and vaulted values never leave the inventory. YAML is read by Ansible itself:
`ansible-inventory -i FILE --list`.

source: Ansible documentation, "How to build your inventory"; patterns such as web[01:10].example, db-[a:c].
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from releve.errors import WrongUse
from releve.estate.draft import Draft, DraftUnit, kind_of, probe_of, read_export
from releve.estate.model import HOST

#: A range of host names in one line stands for at most so many.
RANGE_MAX = 10_000

_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "")
_READ = ("ansible_host", "ansible_port", "ansible_user", "ansible_connection", "ansible_ssh_host", "ansible_ssh_port")


class _Inventory:
    """Hosts with their variables, and the groups each is in."""

    def __init__(self) -> None:
        self.variables: dict[str, dict[str, str]] = {}
        self.groups: dict[str, list[str]] = {}
        self.children: dict[str, list[str]] = {}
        self.group_variables: dict[str, dict[str, str]] = {}

    def add(self, host: str, group: str, variables: dict[str, str] | None = None) -> None:
        self.variables.setdefault(host, {}).update(variables or {})
        if host not in self.groups.setdefault(group, []):
            self.groups[group].append(host)

    def above(self, host: str) -> list[str]:
        """Return the groups of a host, the nearest first, without those that hold every host."""
        near = [group for group, hosts in self.groups.items() if host in hosts]
        parents: dict[str, list[str]] = {}
        for parent, children in self.children.items():
            for child in children:
                parents.setdefault(child, []).append(parent)
        seen = dict.fromkeys(near)
        todo = list(near)
        while todo:
            for parent in parents.get(todo.pop(0), ()):
                if parent not in seen:
                    seen[parent] = None
                    todo.append(parent)
        return [group for group in seen if group not in ("all", "ungrouped")]


def read_ansible(files: Sequence[Path]) -> Draft:
    """Return the hosts of these inventories as a draft."""
    draft = Draft(name=", ".join(path.stem for path in files))
    inventory = _Inventory()
    for path in files:
        text = read_export(path).decode("utf-8", "replace")
        if text.lstrip().startswith("{"):
            _read_json(path, text, inventory)
        else:
            _read_ini(path, text, inventory)
    membership: dict[str, list[str]] = {host: inventory.above(host) for host in inventory.variables}
    for host, groups in membership.items():
        variables: dict[str, str] = {}
        for group in reversed(groups):
            variables |= inventory.group_variables.get(group, {})
        variables = inventory.group_variables.get("all", {}) | variables | inventory.variables[host]
        unit = DraftUnit(draft.new_id(host), kind_of(groups, HOST), name=host)
        if groups:
            unit.remarks.append(f"groups: {', '.join(groups)}")
        _reach(unit, host, variables)
        draft.units[unit.id] = unit
    draft.missing += [
        "dependencies: an inventory of Ansible has none",
        "variables other than address, port, user and kind of connection; no password was read",
        'how hosts start: {redfish = …} for machines, {ansible = "playbook.yml", …} or {ssh = …, command = […]} for '
        "what runs on them",
    ]
    return draft


def _reach(unit: DraftUnit, host: str, variables: dict[str, str]) -> None:
    address = variables.get("ansible_host") or variables.get("ansible_ssh_host") or host
    connection = variables.get("ansible_connection", "")
    if connection not in _SSH:
        unit.remarks.append(f"reached by {connection}, which no probe speaks: write one")
        return
    port = variables.get("ansible_port") or variables.get("ansible_ssh_port") or "22"
    if not re.fullmatch(r"[\w.:-]+", address) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        unit.remarks.append("its address or port is computed by Ansible: write the probe by hand")
        return
    unit.probe = probe_of(address, int(port), "ssh")
    user = variables.get("ansible_user", "")
    if user and re.fullmatch(r"[\w.-]+", user):
        unit.remarks.append(f"Ansible signs in as {user}")


def _read_json(path: Path, text: str, inventory: _Inventory) -> None:
    try:
        top = msgspec.json.decode(text.encode(), type=dict[str, dict[str, Any]])
    except msgspec.DecodeError as error:
        raise WrongUse("import.ansible", f"{path} is not what `ansible-inventory --list` prints: {error}.") from error
    known = top.pop("_meta", {}).get("hostvars", {})
    if not isinstance(known, dict):
        raise WrongUse("import.ansible", f"{path} has no table of hosts under _meta.hostvars.")
    for group, content in top.items():
        for host in _texts(content.get("hosts")):
            inventory.add(host, group)
        inventory.children.setdefault(group, []).extend(_texts(content.get("children")))
        inventory.group_variables.setdefault(group, {}).update(_some(content.get("vars")))
    for host, variables in known.items():
        inventory.variables.setdefault(host, {}).update(_some(variables))


def _texts(value: object) -> list[str]:
    """Return the texts of a list, or the keys of a table: older Ansible writes hosts as one or the other."""
    if isinstance(value, dict | list):
        return [one for one in value if isinstance(one, str)]
    return []


def _some(variables: object) -> dict[str, str]:
    if not isinstance(variables, dict):
        return {}
    return {key: str(variables[key]) for key in _READ if isinstance(variables.get(key), str | int)}


def _read_ini(path: Path, text: str, inventory: _Inventory) -> None:
    group, kind = "ungrouped", "hosts"
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content[0] in "#;":
            continue
        header = re.match(r"\[([^\[\]:\s]+)(?::(children|vars|hosts))?\]\s*([#;].*)?$", content)
        if header:
            group, kind = header[1], header[2] or "hosts"
            continue
        try:
            words = shlex.split(content, comments=True)
        except ValueError as error:
            raise WrongUse("import.ansible", f"{path}, line {number}: {error}; expected an INI inventory.") from error
        if not words:
            continue
        if kind == "children":
            inventory.children.setdefault(group, []).append(words[0])
        elif kind == "vars":
            key, _, value = content.partition("=")
            if key.strip() in _READ:
                inventory.group_variables.setdefault(group, {})[key.strip()] = value.strip().strip("'\"")
        else:
            _read_host(path, number, words, group, inventory)


def _read_host(path: Path, number: int, words: list[str], group: str, inventory: _Inventory) -> None:
    """Read a line such as db[01:03].example:2222 ansible_user=ops."""
    with_port = re.fullmatch(r"((?:[^:\[\]]|\[[^\]]*\])+):([0-9]+)", words[0])
    name = with_port[1] if with_port else words[0]
    variables = {"ansible_port": with_port[2]} if with_port else {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            _refuse_line(path, number, word)
        if key in _READ:
            variables[key] = value
    for host in _expanded(path, number, name):
        if not re.fullmatch(r"[\w.@+:-]+", host) or host.endswith(":"):
            _refuse_line(path, number, host)
        inventory.add(host, group, variables)


def _refuse_line(path: Path, number: int, word: str) -> NoReturn:
    raise WrongUse(
        "import.ansible",
        f"{path}, line {number}: {word!r} stands in no INI inventory; for YAML, give what `ansible-inventory -i FILE "
        "--list` prints.",
    )


def _expanded(path: Path, number: int, pattern: str) -> Iterator[str]:
    """Return the hosts of web[01:10].example or db-[a:c]; a step may follow, [1:9:2]."""
    found = re.search(r"\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]", pattern)
    if not found:
        yield pattern
        return
    first, last, step = found[1], found[2], int(found[3] or 1) or 1
    if first.isdigit() != last.isdigit():
        raise WrongUse("import.ansible", f"{path}, line {number}: {pattern!r} mixes numbers and letters.")
    if first.isdigit():
        if int(last) - int(first) >= RANGE_MAX:
            raise WrongUse("import.ansible", f"{path}, line {number}: {pattern!r} is more than {RANGE_MAX} hosts.")
        width = len(first) if first.startswith("0") else 0
        names = [str(value).zfill(width) for value in range(int(first), int(last) + 1, step)]
    else:
        names = [chr(value) for value in range(ord(first), ord(last) + 1, step)]
    for name in names:
        yield from _expanded(path, number, pattern[: found.start()] + name + pattern[found.end() :])
