"""Documents inside results: OBX of type ED and RP → an attachment, its bytes beside it.

Small documents travel inside the statement, so that every hospital can open them; larger ones are referred to as
Binary/<sha256 in hex> and their bytes handed over apart. What cannot be decoded is not lost: the message is kept as it
came. Source: HL7 v2.5.1 2.A.24 (ED), 2.A.67 (RP); tables 0191, 0291, 0299.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any, NamedTuple

from releve.translate.grammar import Grammar
from releve.translate.reading import Reading
from releve.translate.tables import MEDIA_TYPES

#: Above this a document stays at its origin and at the hubs: what every hospital gets must stay lean.
INLINE_BYTES_MAX = 16_384

#: (sha256, bytes) as a Draft takes them.
Attachment = tuple[bytes, bytes]

_MAGIC = (
    (b"%PDF", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"{\\rtf", "text/rtf"),
)


class Document(NamedTuple):
    """A document as FHIR sees it: attachment, its bytes when they do not stand in it, and a name for people."""

    attachment: dict[str, Any]
    blob: Attachment | None
    name: str


def read_document(kind: str, exact: str, title: str, reading: Reading) -> Document | None:
    """Return the document in one ED or RP; None when there is none in it."""
    grammar = reading.grammar
    parts = grammar.components(exact)
    if kind == "RP":
        return _pointed_at(parts, title, grammar)
    content_type = _media_type(grammar.part(parts, 1), grammar.part(parts, 2))
    encoding = grammar.part(parts, 3).lower()
    data = (
        grammar.component.join(parts[4:])
        if encoding in ("a", "") and grammar.component
        else parts[4]
        if len(parts) > 4
        else ""
    )
    raw = _decoded(data, encoding, reading)
    if not raw:
        reading.remark(
            "hl7v2.document-empty", "an OBX of type ED holds no document that can be decoded; see the message."
        )
        return None
    content_type = next((found for magic, found in _MAGIC if raw.startswith(magic)), content_type)
    attachment: dict[str, Any] = {"contentType": content_type}
    blob = None
    if len(raw) <= INLINE_BYTES_MAX:
        attachment["data"] = b64encode(raw).decode("ascii")
    else:
        digest = sha256(raw).digest()
        attachment["url"] = f"Binary/{digest.hex()}"
        blob = (digest, raw)
    attachment["size"] = len(raw)
    attachment["title"] = title
    return Document(attachment, blob, f"{title} ({content_type})")


def _pointed_at(parts: list[str], title: str, grammar: Grammar) -> Document | None:
    url = grammar.text(parts[0])
    if not url.lower().startswith(("http://", "https://", "urn:", "ftp://")) or len(url.split()) != 1:
        return None
    attachment = {
        "contentType": _media_type(grammar.part(parts, 2), grammar.part(parts, 3)),
        "url": url,
        "title": title,
    }
    return Document(attachment, None, url)


def _media_type(kind: str, subtype: str) -> str:
    """Return the media type that two codes of the sender mean; application/octet-stream when they mean none."""
    for word in (subtype, kind):
        if word.upper() in MEDIA_TYPES:
            return MEDIA_TYPES[word.upper()]
    kind, subtype = kind.lower(), subtype.lower()
    if kind in ("text", "image", "application", "audio", "video") and _is_token(subtype):
        return f"{kind}/{subtype}"
    return "text/plain" if kind in ("text", "ft") else "application/octet-stream"


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and all(character.isalnum() or character in ".+-" for character in text)


def _decoded(data: str, encoding: str, reading: Reading) -> bytes:
    """Return the bytes of a document; what is there of one that was cut."""
    if encoding == "base64":
        compact = "".join(reading.grammar.text(data).split())
        compact = compact.rstrip("=")
        if len(compact) % 4 == 1:
            reading.remark(
                "hl7v2.document-cut", "the Base64 of an OBX of type ED ends too early; what came is charted."
            )
            compact = compact[:-1]
        try:
            return b64decode(compact + "=" * (-len(compact) % 4), validate=True)
        except (binascii.Error, ValueError):
            reading.remark("hl7v2.document-unreadable", "an OBX of type ED says Base64 and is not; see the message.")
            return b""
    if encoding == "hex":
        try:
            return bytes.fromhex(reading.grammar.text(data))
        except ValueError:
            reading.remark("hl7v2.document-unreadable", "an OBX of type ED says Hex and is not; see the message.")
            return b""
    return reading.grammar.text(data).encode("utf-8", "replace")
