"""Asking: one URL, one fresh Reading. The only file that knows all the protocols."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

import dns.exception

from releve.clock import Instant, to_datetime, wall_us
from releve.errors import WrongUse
from releve.recovery.probe import (
    command,
    datagram,
    dicom,
    http,
    imap,
    ldap,
    mllp,
    ntp,
    nut,
    postgresql,
    redfish,
    redis,
    sip,
    smtp,
    snmp,
    ssh,
    tcp,
)
from releve.recovery.probe import dns as name_service
from releve.recovery.probe import tls as certificate
from releve.recovery.probe.address import Address, parse_address
from releve.recovery.probe.dialogue import Dialogue, hold
from releve.recovery.probe.reading import Reading, Verdict

#: The root of the name space is served by every recursive name server, when no other name is given.
DNS_NAME, DNS_KIND = ".", "NS"


async def probe(url: str, timeout_s: float = 3.0, *, now: Callable[[], Instant] = wall_us) -> Reading:
    """Ask a server one question in its own protocol and return what came of it.

    url        see estate.PROBE_SCHEMES: tcp://host:port, dns://host:port?name=…&type=A, ldap://host:port/BASE_DN,
               smtp://, imap://user@host, http(s)://…/path, postgresql://user@host:port/database, mllp://, sip://,
               dicom://host:port/CALLED_AE?calling=AE, ntp://host?offset_s=1, ssh://, tls://host:port?days=14,
               nut://host:port/ups, snmp://host?community=public&version=2c, redfish://user@host/redfish/v1/Systems/1,
               redis://, command:program argument …; ?tls=1 where the protocol has it; passwords in the URL, or better
               ?password_file=PATH. A password goes only to a server whose certificate is trusted: ?ca=PATH names one
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
        verdict = await _ask(address, timeout_s, at, now)
    return Reading(shown, verdict.state, verdict.detail, time.monotonic() - began, at)


async def _ask(address: Address, timeout_s: float, at: Instant, now: Callable[[], Instant]) -> Verdict:
    match address.scheme:
        case "dns":
            return await _ask_dns(address, timeout_s)
        case "sip":
            token = secrets.token_hex(8)
            words = sip.options(address.host, address.port, token, address.user)
            return await _ask_datagram(address, words, lambda data: sip.judge(data, token), timeout_s)
        case "ntp":
            nonce, offset_s_max = secrets.token_bytes(ntp.NONCE_BYTES), address.number("offset_s", ntp.OFFSET_S_MAX)
            asked_at = now()
            return await _ask_datagram(
                address,
                ntp.question(nonce),
                lambda data: ntp.judge(data, nonce, asked_at, now(), offset_s_max),
                timeout_s,
            )
        case "snmp":
            return await _ask_snmp(address, timeout_s)
    shown: list[bytes] = []
    if address.scheme == "tls":
        dialogue = certificate.expiry(shown, at, address.number("days", certificate.DAYS_MIN))
    else:
        dialogue = _dialogue(address, at)
    return await hold(
        dialogue,
        address.host,
        address.port,
        timeout_s=timeout_s,
        tls=_tls(address) if address.is_private else None,
        show=shown.append if address.scheme == "tls" else None,
    )


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
        case "imap":
            return imap.open_inbox(address.user, address.password)
        case "dicom":
            return dicom.echo(address.path or "ANY-SCP", address.query.get("calling", "RELEVE"))
        case "ssh":
            return ssh.exchange_begins()
        case "redfish":
            path = urlsplit(address.url).path or "/redfish/v1/Systems/1"
            return redfish.power_and_health(address.host, address.port, path, address.user, address.password)
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
    return await _ask_datagram(address, words, lambda data: name_service.judge(data, name, query_id), timeout_s)


def snmp_question(address: Address) -> tuple[int, bytes]:
    """Return the number and the bytes of a question for what a UPS says of itself by SNMP.

    raises  WrongUse  a version that is not spoken here
    """
    version = address.query.get("version", "2c")
    if version not in snmp.VERSIONS:
        known = " and ".join(snmp.VERSIONS)
        raise WrongUse("probe.snmp-version", f"{address.shown()}: version {version!r} is not spoken; {known} are.")
    request_id = secrets.randbelow(2**31)
    return request_id, snmp.question(request_id, address.password or address.query.get("community", "public"), version)


async def _ask_snmp(address: Address, timeout_s: float) -> Verdict:
    request_id, words = snmp_question(address)
    return await _ask_datagram(address, words, lambda data: snmp.judge(data, request_id), timeout_s)


async def _ask_datagram(address: Address, words: bytes, judge: datagram.Judge, timeout_s: float) -> Verdict:
    return await datagram.ask(words, judge, address.host, address.port, timeout_s=timeout_s)


def _tls(address: Address) -> ssl.SSLContext:
    """Return the context of a private connection: who the server is matters only where a password is sent.

    Otherwise the question is whether it answers: a certificate that ran out during the outage must not make a service
    that works look dead, and expiry is a probe of its own.

    raises  WrongUse  the file that ?ca= names cannot be used
    """
    if not address.password:
        return _tls_to_anybody()
    trusted = address.query.get("ca")
    try:
        context = ssl.create_default_context(cafile=trusted)
    except OSError as error:  # an SSLError is one
        raise WrongUse("probe.ca", f"{address.shown()}: {trusted} cannot be used as ca: {error.strerror}.") from error
    # A certificate handed over as a file is itself the name; management boards rarely write theirs into it.
    context.check_hostname = trusted is None
    return context


@cache
def _tls_to_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
