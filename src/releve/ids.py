"""Computed identifiers: the same fact from two roads gets one id, so sending anything again changes nothing.

UUID version 5 (RFC 9562, section 5.5) over a namespace of our own; written out here because the standard library's
uuid.uuid5 costs four times as much and an identifier is computed for every order, result and visit that passes.
"""

from __future__ import annotations

from hashlib import sha1, sha256

_NAMESPACE = bytes.fromhex("6d0f8a52f6c25b0f8d4f0b9b5a3f2c71")
_VARIANT = "89ab"


def computed_id(kind: str, system: str, *values: str) -> str:
    """Return the UUIDv5, as text, of a thing named by an authority.

    kind    what it is, usually the FHIR type: "Patient", "Observation"
    system  who gave the identifier (a URI or a namespace of the sender)
    values  the identifier and, where it has parts, its parts in order
    """
    name = "\x1f".join((kind, system, *values)).encode("utf-8", "surrogatepass")
    digest = sha1(_NAMESPACE + name, usedforsecurity=False).digest()
    text = digest.hex()
    variant = _VARIANT[digest[8] >> 4 & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def content_id(*parts: bytes) -> bytes:
    """Return sixteen bytes that are equal only for equal parts: the id of an event whose content names it."""
    return sha256(b"".join([piece for part in parts for piece in (len(part).to_bytes(4, "big"), part)])).digest()[:16]
