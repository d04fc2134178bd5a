"""The address of a probe: a URL whose scheme is the protocol and whose query holds what the question needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from releve.errors import WrongUse

PORTS = {
    "dns": 53,
    "http": 80,
    "https": 443,
    "ldap": 389,
    "mllp": 2575,
    "nut": 3493,
    "postgresql": 5432,
    "redis": 6379,
    "sip": 5060,
    "smtp": 25,
    "tcp": 0,
}


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed probe URL.

    path      what follows the host, without the first slash, percent signs undone
    password  from the URL, or the first line of the file that ?password_file= names: secrets stand by path
    query     further questions, such as {"name": "www.example.org"}
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str
    user: str
    password: str
    query: dict[str, str]

    def shown(self) -> str:
        """Return the address without its password, for sentences and logs."""
        return f"{self.scheme}://{self.host}:{self.port}" + (f"/{self.path}" if self.path else "")


def parse_address(url: str) -> Address:
    """Return the parts of a probe URL.

    raises  WrongUse  it is none, its scheme has no probe, or its password file cannot be read
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise WrongUse("probe.address", f"{url!r} is no address to probe: {error}.") from error
    if parts.scheme not in PORTS:
        raise WrongUse("probe.scheme", f"{url!r} cannot be probed; known are {', '.join(PORTS)} and command.")
    port = PORTS[parts.scheme] if port is None else port
    if not host or not port:
        raise WrongUse("probe.address", f"{url!r} is no address to probe; expected {parts.scheme}://HOST:PORT.")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    password = unquote(parts.password or "")
    if "password_file" in query:
        password = _first_line(query["password_file"])
    path = unquote(parts.path.removeprefix("/"))
    return Address(url, parts.scheme, host, port, path, unquote(parts.username or ""), password, query)


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").split("\n", 1)[0].strip()
    except OSError as error:
        raise WrongUse("probe.password-file", f"{path} cannot be read for a probe: {error.strerror}.") from error
