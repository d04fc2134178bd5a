"""The address of a probe: a URL whose scheme is the protocol and whose query holds what the question needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from releve.errors import WrongUse

PORTS = {
    "dicom": 104,
    "dns": 53,
    "http": 80,
    "https": 443,
    "imap": 143,
    "ldap": 389,
    "mllp": 2575,
    "ntp": 123,
    "nut": 3493,
    "postgresql": 5432,
    "redfish": 443,
    "redis": 6379,
    "sip": 5060,
    "smtp": 25,
    "snmp": 161,
    "ssh": 22,
    "tcp": 0,
    "tls": 443,
}

#: The same protocols when the connection is private from its first byte (?tls=1).
TLS_PORTS = {"dicom": 2762, "imap": 993, "ldap": 636, "smtp": 465}

#: Over UDP there is no such connection, and SSH brings its own.
_NEVER_TLS = frozenset(("dns", "ntp", "sip", "snmp", "ssh", "tcp"))
_ALWAYS_TLS = frozenset(("https", "tls"))


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

    @property
    def is_private(self) -> bool:
        """Return whether the connection is made private by TLS before anything is said."""
        return self.query.get("tls", "1" if self.scheme in (*_ALWAYS_TLS, "redfish") else "0") != "0"

    def number(self, key: str, default: float) -> float:
        """Return a number of the query.

        raises  WrongUse  it is none
        """
        try:
            value = float(self.query.get(key, default))
            if not isfinite(value):
                raise ValueError(f"{value} is no amount")
            return value
        except ValueError as error:
            raise WrongUse(
                "probe.number", f"{self.shown()}: {key} must be a number; found {self.query[key]!r}."
            ) from error

    def shown(self) -> str:
        """Return the address without its password, for sentences and logs."""
        return f"{self.scheme}://{self.host}:{self.port}" + (f"/{self.path}" if self.path else "")


def parse_address(url: str) -> Address:
    """Return the parts of a probe URL.

    raises  WrongUse  it is none, its scheme has no probe, or its password file cannot be read
    """
    shown = repr(without_password(url))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as the system will when it looks the name up
    except ValueError as error:  # a UnicodeError is one
        raise WrongUse("probe.address", f"{shown} is no address to probe: {error}.") from error
    if parts.scheme not in PORTS:
        raise WrongUse("probe.scheme", f"{shown} cannot be probed; known are {', '.join(PORTS)} and command.")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    is_private = query.get("tls", "0") != "0"
    if port is None:
        port = TLS_PORTS.get(parts.scheme, PORTS[parts.scheme]) if is_private else PORTS[parts.scheme]
    if not host or not port:
        raise WrongUse("probe.address", f"{shown} is no address to probe; expected {parts.scheme}://HOST:PORT.")
    if (is_private and parts.scheme in _NEVER_TLS) or (
        "tls" in query and not is_private and parts.scheme in _ALWAYS_TLS
    ):
        raise WrongUse("probe.tls", f"{shown}: tls={query['tls']} cannot be had with {parts.scheme}://.")
    password = unquote(parts.password or "")
    if "password_file" in query:
        password = _first_line(query["password_file"])
    path = unquote(parts.path.removeprefix("/"))
    return Address(url, parts.scheme, host, port, path, unquote(parts.username or ""), password, query)


def without_password(url: str) -> str:
    """Return an address as it may stand in a sentence."""
    return re.sub(r"://([^/@:]*):[^/@]*@", r"://\1:…@", url)


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").split("\n", 1)[0].strip()
    except OSError as error:
        raise WrongUse("probe.password-file", f"{path} cannot be read for a probe: {error.strerror}.") from error
