"""Docker compose → a draft of an estate: `docker compose config --format json`, one file for each project.

    depends_on, condition service_healthy      needs
    depends_on, service_started                start_needs: compose orders starts and nothing else
    depends_on, service_completed_successfully start_needs, with a remark: it ends, nobody can find it up
    depends_on, required: false                wants
    healthcheck                                probe, from outside where its port is published, else inside
    published ports                            probe where there is no healthcheck

Environment, volumes, secrets and images are not read. source: the Compose specification, compose-spec.io.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from releve.errors import WrongUse
from releve.estate.draft import Draft, DraftUnit, kind_of, probe_of, read_export
from releve.estate.model import SERVICE

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised in what a file says, bound to nowhere


class _Depends(msgspec.Struct):
    condition: str = "service_started"
    required: bool = True


class _Health(msgspec.Struct):
    test: list[str] | str | None = None
    disable: bool = False


class _Port(msgspec.Struct):
    target: int = 0
    published: str | int | None = None
    host_ip: str | None = None
    protocol: str = "tcp"


class _Service(msgspec.Struct):
    depends_on: dict[str, _Depends] | list[str] | None = None
    healthcheck: _Health | None = None
    ports: list[_Port] | None = None
    profiles: list[str] | None = None


class _Project(msgspec.Struct):
    services: dict[str, _Service]
    name: str = "compose"


def read_compose(files: Sequence[Path]) -> Draft:
    """Return the services of these projects as a draft."""
    draft = Draft(name=", ".join(path.stem for path in files))
    for path in files:
        try:
            project = msgspec.json.decode(read_export(path), type=_Project)
        except msgspec.DecodeError as error:
            raise WrongUse(
                "import.compose", f"{path} is not what `docker compose config --format json` prints: {error}."
            ) from error
        _add(draft, project)
    draft.missing += [
        "environment, secrets, volumes, networks and images of containers",
        "what a container needs outside its project (storage, name service, power)",
    ]
    return draft


def _add(draft: Draft, project: _Project) -> None:
    ids: dict[str, str] = {}
    for name in project.services:
        ids[name] = draft.new_id(name if name not in draft.units else f"{project.name}-{name}")
        draft.units[ids[name]] = DraftUnit(ids[name], name=name)
    needed = {other for service in project.services.values() for other in _depends(service)}
    for name, service in project.services.items():
        unit = draft.units[ids[name]]
        unit.kind = SERVICE if service.ports and name not in needed else kind_of([])
        for verb, act in (("start", "start"), ("stop", "stop")):
            setattr(unit, verb, {"command": ["docker", "compose", "-p", project.name, act, name]})
        if service.profiles:
            unit.remarks.append(f"only with profile {', '.join(service.profiles)}")
        for other, how in _depends(service).items():
            if other in ids:
                _depend(unit, ids[other], how)
            else:
                unit.remarks.append(f"depends on {other}, which is not in this project")
        unit.probe = _probe(unit, name, project.name, service)


def _depends(service: _Service) -> dict[str, _Depends]:
    if isinstance(service.depends_on, list):
        return {name: _Depends() for name in service.depends_on}
    return service.depends_on or {}


def _depend(unit: DraftUnit, other: str, how: _Depends) -> None:
    if not how.required:
        unit.wants.append(other)
    elif how.condition == "service_healthy":
        unit.needs.append(other)
    else:
        unit.start_needs.append(other)
        if how.condition == "service_completed_successfully":
            unit.remarks.append(f"waits until {other} has ended well; a probe would not find {other} up")


def _probe(unit: DraftUnit, name: str, project: str, service: _Service) -> str | None:
    published = {port.target: where for port in service.ports or () if (where := _outside(port)) is not None}
    test = service.healthcheck.test if service.healthcheck and not service.healthcheck.disable else None
    words = [test] if isinstance(test, str) else list(test or ())
    if words and words[0] == "NONE":
        words = []
    if words:
        is_shell = isinstance(test, str) or words[0] == "CMD-SHELL"
        inner = words if isinstance(test, str) else words[1:]
        return _from_outside(" ".join(inner), published) or _from_inside(inner, is_shell, name, project)
    if published:
        host, port = next(iter(published.values()))
        unit.remarks.append("no healthcheck: the probe asks its published port")
        return probe_of(host, port)
    unit.remarks.append("no healthcheck and no published port: nothing proves that it is well")
    return None


def _outside(port: _Port) -> tuple[str, int] | None:
    """Return where a published port is reached from this machine, None when it is not."""
    text = str(port.published or "")
    if port.protocol != "tcp" or not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65_536):
        return None
    host = port.host_ip or ""
    is_one_address = re.fullmatch(r"[0-9a-fA-F.:]+", host) and host not in _EVERY_ADDRESS
    return (host if is_one_address else "127.0.0.1", int(text))


def _from_outside(test: str, published: dict[int, tuple[str, int]]) -> str | None:
    """Return the probe of a healthcheck that speaks a known protocol to a port that is published."""
    url = re.search(r"https?://[^\s'\"|;&]+", test)
    if url:
        try:
            parts = urlsplit(url[0])
            target = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return None
        if target not in published or parts.username is not None:
            return None
        host, port = published[target]
        return urlunsplit((parts.scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", parts.path, "", ""))
    for program, scheme, target in (("pg_isready", "postgresql", 5432), ("redis-cli", "redis", 6379)):
        if program in test and target in published:
            host, port = published[target]
            return f"{scheme}://{host}:{port}"
    return None


def _from_inside(words: list[str], is_shell: bool, name: str, project: str) -> str:
    inner = ["sh", "-c", " ".join(words)] if is_shell else words
    return "command:" + shlex.join(["docker", "compose", "-p", project, "exec", "-T", name, *inner])
