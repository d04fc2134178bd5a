"""How a unit is started, stopped, checked and asked, as it stands in an estate file.

    {command = ["program", "argument", …]}                                   this machine, never through a shell
    {ssh = "ssh://user@host:22", command = […], key_file = "…"}              another machine
    {redfish = "https://bmc/redfish/v1/Systems/1", reset = "On", password_file = "…"}
    {ansible = "playbook.yml", arguments = […]}                              many at once
    {person = "contact-id", do = "what is to be done"}                       somebody does it and ticks it off

Passwords and keys are named by file and never written here. A file or playbook without a leading slash is looked for
beside the estate file that names it.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from releve.estate.model import PROBE_SCHEMES, Bilingual, Command, Duration
from releve.wire.toml import Table

#: Seconds after which a driver is given up: a playbook goes over many hosts, a person is reminded.
TIMEOUT_S = {"local": 60.0, "ssh": 60.0, "redfish": 60.0, "ansible": 1800.0, "person": 900.0}

_KEYS = {
    "local": ("command", "stays", "log", "timeout_s"),
    "ssh": ("ssh", "command", "key_file", "log", "timeout_s"),
    "redfish": ("redfish", "reset", "password_file", "timeout_s"),
    "ansible": ("ansible", "arguments", "log", "timeout_s"),
    "person": ("person", "do", "timeout_s"),
}


def parse_command(table: Table, key: str) -> Command | None:
    """Return how something is done, or None when the table does not say."""
    if key not in table:
        return None
    inner = table.table(key)
    named = [driver for driver in ("ssh", "redfish", "ansible", "person") if driver in inner]
    if len(named) > 1:
        table.refuse(key, f"must name one way of doing it; found {' and '.join(named)}")
    driver = named[0] if named else "local"
    inner.only(*_KEYS[driver])
    timeout_s = parse_positive(inner, "timeout_s", TIMEOUT_S[driver])
    log = inner.text("log") if "log" in inner else None
    match driver:
        case "ssh":
            address = _address(inner, "ssh", ("ssh",))
            return Command(_argv(table, key, inner), False, log, timeout_s, driver, address, _file(inner, "key_file"))
        case "redfish":
            address = _address(inner, "redfish", ("https", "http"))
            secret = _file(inner, "password_file")
            return Command((inner.text("reset"),), False, None, timeout_s, driver, address, secret)
        case "ansible":
            playbook = str(table.path.parent / _filled(inner, "ansible"))
            return Command((playbook, *inner.texts("arguments", [])), False, log, timeout_s, driver)
        case "person":
            contact = _filled(inner, "person")
            return Command((), False, None, timeout_s, driver, contact, words=parse_name(inner, "do"))
    stays = inner.flag("stays", False)
    if stays and key != "start":
        table.refuse(key, "cannot stay: a program that stops or checks something ends")
    return Command(_argv(table, key, inner), stays, log, timeout_s)


def parse_probe(table: Table) -> str | None:
    """Return the address that is asked whether the unit is well, or None when the table does not say."""
    if "probe" not in table:
        return None
    url = table.text("probe")
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in PROBE_SCHEMES:
        table.refuse("probe", f"must begin with one of {', '.join(PROBE_SCHEMES)} and a colon; found {url!r}")
    if scheme == "command":
        if not rest.strip():
            table.refuse("probe", 'must name a program, such as "command:/usr/bin/systemctl is-active slapd"')
        return url
    if _split(url) is None:
        table.refuse("probe", f"must be {scheme}://HOST:PORT…; found {url!r}")
    return url


def parse_duration(table: Table, key: str) -> Duration | None:
    """Return a duration with its spread, or None when the table does not say."""
    if key not in table:
        return None
    inner = table.table(key)
    inner.only("p50_s", "p90_s")
    p50_s, p90_s = inner.number("p50_s"), inner.number("p90_s")
    if not 0 < p50_s <= p90_s:
        table.refuse(key, f"must have 0 < p50_s <= p90_s; found {p50_s:g} and {p90_s:g}")
    return Duration(p50_s, p90_s)


def parse_name(table: Table, key: str) -> Bilingual:
    """Return words given once for both languages, or as {fr = "…", en = "…"}."""
    if not table.holds_table(key):
        text = table.text(key)
        return Bilingual(text, text)
    both = table.table(key)
    both.only("fr", "en")
    return Bilingual(both.text("fr"), both.text("en"))


def parse_positive(table: Table, key: str, default: float) -> float:
    """Return a number above 0."""
    value = table.number(key, default)
    if value <= 0:
        table.refuse(key, f"must be more than 0; found {value:g}")
    return value


def _argv(table: Table, key: str, inner: Table) -> tuple[str, ...]:
    argv = inner.texts("command")
    if not argv or not argv[0]:
        table.refuse(key, 'must have command = ["program", "argument", …]; found an empty one')
    return tuple(argv)


def _address(table: Table, key: str, schemes: tuple[str, ...]) -> str:
    url = table.text(key)
    parts = _split(url)
    if parts is None or parts.scheme not in schemes:
        table.refuse(key, f"must be {schemes[0]}://HOST…; found {url!r}")
    if parts.password is not None:
        table.refuse(key, "must not hold a password; write it to a file (0600) and name that file")
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if has_host else None


def _file(table: Table, key: str) -> str:
    return str(table.path.parent / _filled(table, key)) if key in table else ""


def _filled(table: Table, key: str) -> str:
    text = table.text(key)
    if not text.strip():
        table.refuse(key, "must not be empty")
    return text
