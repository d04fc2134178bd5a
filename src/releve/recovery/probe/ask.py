"""Asking: one URL, one fresh Reading. The only file that knows all the protocols."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Callable
from functools import cache

import dns.exception

from releve.clock import Instant, to_datetime, wall_us
from releve.errors import WrongUse
from releve.recovery.probe import command, datagram, http, ldap, mllp, nut, postgresql, redis, sip, smtp, tcp
from releve.recovery.probe import dns as name_service
from releve.recovery.probe.address import Address, parse_address
from releve.recovery.probe.dialogue import Dialogue, hold
from releve.recovery.probe.reading import Reading, Verdict

#: The root of the name space is served by every recursive name server, when no other name is given.
DNS_NAME, DNS_KIND = ".", "NS"


async def probe(url: str, timeout_s: float = 3.0, *, now: Callable[[], Instant] = wall_us) -> Reading:
    """Ask a server one question in its own protocol and return what came of it.

    url        see estate.PROBE_SCHEMES: tcp://host:port, dns://host:port?name=…&type=A, ldap://host:port/BASE_DN,
               smtp://, http(s)://…/path, postgresql://user@host:port/database, mllp://, sip://, nut://host:port/ups,
               redis://, command:program argument …; passwords in the URL, or better ?password_file=PATH
    timeout_s  for all of it: name, connection, log-in, question and answer
    returns    a Reading for everything that the other side can do or not do
    raises     WrongUse  the URL itself is wrong
    """
    at, began = now(), time.monotonic()
    if url.startswith("command:"):
        verdict = await command.run(command.parse_command(url), timeout_s=timeout_s)
        shown = url
    else:
        address = parse_address(url)
        shown = address.shown()
        verdict = await _ask(address, timeout_s, at)
    return Reading(shown, verdict.state, verdict.detail, time.monotonic() - began, at)


async def _ask(address: Address, timeout_s: float, at: Instant) -> Verdict:
    if address.scheme == "dns":
        return await _ask_dns(address, timeout_s)
    if address.scheme == "sip":
        token = secrets.token_hex(8)
        words = sip.options(address.host, address.port, token, address.user)
        return await datagram.ask(
            words, lambda data: sip.judge(data, token), address.host, address.port, timeout_s=timeout_s
        )
    tls = _tls() if address.scheme == "https" else None
    return await hold(_dialogue(address, at), address.host, address.port, timeout_s=timeout_s, tls=tls)


def _dialogue(address: Address, at: Instant) -> Dialogue:
    """Return the dialogue of a stream protocol."""
    match address.scheme:
        case "tcp":
            return tcp.accepts()
        case "smtp":
            return smtp.noop()
        case "http" | "https":
            # The path is sent as it was written: undoing and redoing percent signs could ask for something else.
            after_host = address.url.split("://", 1)[1]
            slash = after_host.find("/")
            return http.get(address.host, address.port, after_host[slash:].split("#")[0] if slash >= 0 else "/")
        case "ldap":
            return ldap.bind_and_search(address.path, address.user, address.password)
        case "redis":
            return redis.ping(address.user, address.password)
        case "nut":
            return nut.status(address.path or "ups")
        case "mllp":
            accept = frozenset(address.query.get("accept", "AA,CA").split(","))
            kind = address.query.get("type", "NMQ^N01")
            return mllp.acknowledged(secrets.token_hex(8), f"{to_datetime(at):%Y%m%d%H%M%S}", kind, accept)
        case "postgresql":
            user = address.user or "postgres"
            account = postgresql.Account(user, address.path or user, address.password, secrets.token_urlsafe(18))
            return postgresql.select_one(account)
        case scheme:
            raise AssertionError(f"{scheme} passed parse_address and has no dialogue")


async def _ask_dns(address: Address, timeout_s: float) -> Verdict:
    name, kind = address.query.get("name", DNS_NAME), address.query.get("type", "A")
    if "name" not in address.query:
        kind = DNS_KIND
    query_id = secrets.randbelow(65_536)
    try:
        words = name_service.question(name, kind, query_id)
    except (dns.exception.DNSException, ValueError) as error:
        raise WrongUse("probe.dns-name", f"{address.url}: {name!r} {kind!r} cannot be asked for: {error}.") from error
    return await datagram.ask(
        words,
        lambda data: name_service.judge(data, name, query_id),
        address.host,
        address.port,
        timeout_s=timeout_s,
    )


@cache
def _tls() -> ssl.SSLContext:
    """Return the context of HTTPS probes: they ask whether a server answers, not who it is.

    A certificate that ran out during the outage must not make a service that works look dead; expiry is a probe of its
    own. Nothing secret is sent.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
