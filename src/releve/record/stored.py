"""A stored resource as whole FHIR: the tables keep it without resourceType, id and meta, which the row says. Pure."""

from __future__ import annotations

from releve.clock import to_iso
from releve.record.rows import Stored
from releve.record.schema import TYPES, decode_id


def whole(type_: int, id_: bytes | str, version: int, heard_at: int, origin: str, json: bytes) -> bytes:
    """Return a resource as complete FHIR JSON, without parsing it.

    type_, id_, json  as they lie in the table resource (or version)
    """
    head = (
        f'{{"resourceType":"{TYPES[type_]}","id":"{decode_id(id_)}","meta":{{"versionId":"{version}",'
        f'"lastUpdated":"{to_iso(heard_at)}","source":"urn:releve:{origin}"}}'
    ).encode()
    return head + (b"," + json[1:] if len(json) > 2 else b"}")


def stored(row: tuple[int, bytes | str, int, int, str, bytes]) -> Stored:
    """Return a row (type, id, version, heard_at, origin, json) as a version of a resource."""
    return Stored(TYPES[row[0]], decode_id(row[1]), row[2], row[3], whole(*row))
