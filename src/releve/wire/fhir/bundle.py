"""Bundles, made by putting stored JSON bytes one behind the other: a resource leaves as it was kept, digit for digit.

Source: FHIR R4 Bundle; Search, "self" and "next" links; RESTful API, history.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import orjson

from releve.clock import Instant, to_iso


class Entry(msgspec.Struct, frozen=True):
    """One entry of a searchset. mode: "match", "include" or "outcome"; an outcome has no url."""

    url: str
    resource: bytes
    mode: str = "match"


class Past(msgspec.Struct, frozen=True):
    """One version in a history."""

    url: str
    resource: bytes
    reference: str
    version: int
    updated_at: Instant


def encode_searchset(
    entries: Iterable[Entry], *, total: int | None, self_url: str, next_url: str = "", at: Instant
) -> bytes:
    """Return a searchset; total None leaves it out."""
    parts = [
        b'{"fullUrl":%b,"resource":%b,"search":{"mode":"%b"}}'
        % (orjson.dumps(entry.url), entry.resource, entry.mode.encode())
        if entry.url
        else b'{"resource":%b,"search":{"mode":"%b"}}' % (entry.resource, entry.mode.encode())
        for entry in entries
    ]
    return _bundle(b"searchset", parts, total, self_url, next_url, at)


def encode_history(versions: Iterable[Past], *, total: int, self_url: str, next_url: str = "", at: Instant) -> bytes:
    """Return the history of one resource, newest first as given."""
    parts = []
    for past in versions:
        # Ids are computed, never given by a server, so even the first version is a PUT.
        about = orjson.dumps(
            {
                "request": {"method": "PUT", "url": past.reference},
                "response": {
                    "status": "201" if past.version == 1 else "200",
                    "etag": f'W/"{past.version}"',
                    "lastModified": to_iso(past.updated_at),
                },
            }
        )
        parts.append(b'{"fullUrl":%b,"resource":%b,%b' % (orjson.dumps(past.url), past.resource, about[1:]))
    return _bundle(b"history", parts, total, self_url, next_url, at)


def _bundle(kind: bytes, parts: list[bytes], total: int | None, self_url: str, next_url: str, at: Instant) -> bytes:
    links = [{"relation": "self", "url": self_url}]
    if next_url:
        links.append({"relation": "next", "url": next_url})
    return b'{"resourceType":"Bundle","type":"%b","timestamp":"%b",%b"link":%b%b}' % (
        kind,
        to_iso(at).encode(),
        b"" if total is None else b'"total":%d,' % total,
        orjson.dumps(links),
        b',"entry":[%b]' % b",".join(parts) if parts else b"",  # an empty array is not allowed in FHIR
    )
