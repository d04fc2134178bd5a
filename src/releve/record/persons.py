"""Reading who somebody is: the Patient resources that merges and shared numbers make one person; and finding them."""

from __future__ import annotations

import sqlite3

import orjson

from releve.record import band
from releve.record.fold import Document
from releve.record.person import as_list, birth_family, identity, text
from releve.record.rows import Alias, Identifier, Person
from releve.record.schema import decode_id, encode_id
from releve.record.terms import INS_SYSTEM, identifier_type, normal

#: Candidates looked at for one search before they are intersected: "DUPONT 1970" is found among all DUPONT.
CANDIDATES_MAX = 2_000
#: Patient resources of one person that are read.
FAMILY_MAX = 500
SQL_ROOT = "SELECT root FROM person WHERE id = ?"
SQL_FAMILY = "SELECT key, id, is_stated, red_band FROM person WHERE root = ? ORDER BY key LIMIT ?"
SQL_PATIENT = (
    "SELECT resource.json, resource.version, resource.heard_at, source.origin, source.sender "
    "FROM resource JOIN source ON source.key = resource.source WHERE resource.key = ? AND type = 1"
)
SQL_BY_PREFIX = "SELECT key FROM token WHERE param = ? AND value >= ? AND value < ? LIMIT ?"
_LAST_LETTER = "\U0010ffff"

#: (key, id, is_stated, red_band) of one Patient resource of a person.
Member = tuple[int, bytes | str, int, str | None]


def family_of(db: sqlite3.Connection, patient_id: str) -> list[Member]:
    """Return (key, id, is_stated, red_band) of every Patient resource of a person, the root first."""
    row = db.execute(SQL_ROOT, (encode_id(patient_id),)).fetchone()
    if row is None:
        return []
    members: list[Member] = db.execute(SQL_FAMILY, (row[0], FAMILY_MAX)).fetchall()
    return sorted(members, key=lambda member: member[0] != row[0])


def band_of(family: list[Member]) -> list[str]:
    """Return the red band of a person as it is stored, that of all members together."""
    found: dict[str, None] = {}
    for member in family:
        if member[3]:
            found.update(dict.fromkeys(orjson.loads(member[3])))
    return list(found)


def person(db: sqlite3.Connection, patient_id: str) -> Person | None:
    """Return who a patient is, merges followed; None for an id nobody ever spoke of."""
    family = family_of(db, patient_id)
    if not family:
        return None
    root_key, root_id = family[0][:2]
    row = db.execute(SQL_PATIENT, (root_key,)).fetchone()
    json, version, heard_at, origin, sender = row or (b"{}", 0, 0, "", "")
    doc: Document = orjson.loads(json)
    who = identity(doc)
    identifiers = _identifiers(doc)
    is_known = any(member[2] for member in family)
    birth = birth_family(doc)
    return Person(
        decode_id(root_id),
        patient_id,
        who.family,
        who.given,
        birth if birth != who.family else "",
        who.birth_date,
        who.sex,
        who.ipp,
        next((one.value for one in identifiers if one.system == INS_SYSTEM and one.use != "old"), ""),
        _identity_status(doc),
        _deceased(doc),
        who.is_temporary,
        is_known,
        identifiers,
        [_alias(db, member) for member in family[1:]],
        band.allergy_state(band_of(family), is_stated=is_known),
        heard_at,
        origin,
        sender,
        version,
    )


def _alias(db: sqlite3.Connection, member: Member) -> Alias:
    row = db.execute(SQL_PATIENT, (member[0],)).fetchone()
    doc: Document = orjson.loads(row[0]) if row else {}
    who = identity(doc)
    is_merged = any(isinstance(one, dict) and one.get("type") == "replaced-by" for one in as_list(doc.get("link")))
    why = "merged" if is_merged else "same-identifier"
    return Alias(decode_id(member[1]), why, who.family, who.given, who.birth_date, _identifiers(doc))


def _identifiers(doc: Document) -> list[Identifier]:
    return [
        Identifier(text(one, "system"), text(one, "value"), identifier_type(one), text(one, "use"))
        for one in as_list(doc.get("identifier"))
        if isinstance(one, dict)
    ]


def _identity_status(doc: Document) -> str:
    """Return the status of an identity as the sender coded it (fr-core: identity-reliability; PID-32)."""
    for extension in as_list(doc.get("extension")):
        if not isinstance(extension, dict) or "identity-reliability" not in text(extension, "url"):
            continue
        for one in [extension, *as_list(extension.get("extension"))]:
            if isinstance(one, dict):
                coding = one.get("valueCoding")
                found = text(coding, "code") if isinstance(coding, dict) else text(one, "valueCode")
                if found:
                    return found
    return ""


def _deceased(doc: Document) -> str:
    return text(doc, "deceasedDateTime") or ("true" if doc.get("deceasedBoolean") is True else "")


def keys_of_word(db: sqlite3.Connection, word: str) -> set[int]:
    """Return keys of Patients of whom a word begins a name or a number, or is the birth date."""
    keys: set[int] = set()
    asked = []
    plain = normal(word)
    if plain:
        asked += [("Patient:family", plain), ("Patient:given", plain)]
    if any(letter.isdigit() for letter in word):
        asked += [("Patient:identifier", one) for one in {word, word.upper()}]  # numbers have no lower case on a badge
        asked += [("Patient:birthdate", day) for day in days(word)]
    for param, value in asked:
        rows = db.execute(SQL_BY_PREFIX, (param, value, value + _LAST_LETTER, CANDIDATES_MAX))
        keys |= {key for (key,) in rows}
    return keys


def days(word: str) -> list[str]:
    """Return a word read as a date: 1970, 1970-03-12, 12/03/1970, 12031970."""
    parts = word.replace(".", "/").replace("-", "/").split("/")
    if not all(part.isdigit() for part in parts):
        return []
    if len(parts) == 1:
        digits = parts[0]
        if len(digits) == 8:
            return [f"{digits[4:]}-{digits[2:4]}-{digits[:2]}", f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"]
        return [digits] if len(digits) == 4 else []
    if len(parts[0]) == 4:
        return ["-".join(part.zfill(2) for part in parts)]
    return ["-".join(part.zfill(2) for part in reversed(parts))]
