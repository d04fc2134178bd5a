"""What people and machines look for in a resource: names without accents, numbers, dates. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from releve.record.fold import Document
from releve.record.schema import TOKEN_SEPARATOR

#: Identity numbers of the French state (NIR, NIA and their tests): they may be wrong or missing, so they never link.
INS_SYSTEM_PREFIX = "urn:oid:1.2.250.1.213.1.4."
INS_SYSTEM = "urn:oid:1.2.250.1.213.1.4.8"
TEMPORARY_SYSTEM = "urn:releve:temporary"
#: Numbers of a visit or a file, not of a person.
_VISIT_TYPES = frozenset({"AN", "VN", "ACSN", "FILL", "PLAC"})
#: Tokens of one resource and one parameter: a record with more is broken, the rest is not found by search.
TOKENS_MAX = 64

Tokens = set[tuple[str, str]]


@lru_cache(maxsize=20_000)
def normal(text: str) -> str:
    """Return a name as it is looked for: no accents, no case, one space between words."""
    decomposed = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE").replace("ß", "ss"))
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in plain).split())


def patient_tokens(doc: Document) -> Tokens:
    """Return what a Patient can be found by: names, numbers, birth date; "link" is what others must not share."""
    tokens = identifier_tokens("Patient", doc)
    tokens |= {("Patient:link", value) for value in linking_identifiers(doc)}
    for name in _dicts(doc, "name"):
        family = name.get("family")
        if isinstance(family, str):
            tokens |= _name_tokens("Patient:family", family)
        for given in _texts(name, "given"):
            tokens |= _name_tokens("Patient:given", given)
    birth_date = doc.get("birthDate")
    if isinstance(birth_date, str):
        tokens.add(("Patient:birthdate", birth_date))
    return tokens


def identifier_tokens(type_: str, doc: Document) -> Tokens:
    """Return the numbers of a resource, value first: a value may be looked for without its system."""
    found = [
        (f"{type_}:identifier", f"{value}{TOKEN_SEPARATOR}{one.get('system') or ''}")
        for one in _dicts(doc, "identifier")
        if isinstance(value := one.get("value"), str)
    ]
    return set(found[:TOKENS_MAX])


def encounter_tokens(doc: Document) -> Tokens:
    """Return what an Encounter can be found by: numbers and status."""
    tokens = identifier_tokens("Encounter", doc)
    status = doc.get("status")
    if isinstance(status, str):
        tokens.add(("Encounter:status", status))
    return tokens


def linking_identifiers(doc: Document) -> set[str]:
    """Return the token values of numbers that name a person beyond doubt: two patients with one are the same person."""
    return {
        f"{value}{TOKEN_SEPARATOR}{system}"
        for one in _dicts(doc, "identifier")
        if isinstance(value := one.get("value"), str)
        and isinstance(system := one.get("system"), str)
        and one.get("use") not in ("old", "temp")
        and not system.startswith(INS_SYSTEM_PREFIX)
        and identifier_type(one) not in _VISIT_TYPES
    }


def identifier_type(identifier: Document) -> str:
    """Return the code of an identifier's type (HL7 table 0203), or nothing."""
    type_ = identifier.get("type")
    for coding in _dicts(type_, "coding") if isinstance(type_, dict) else ():
        code = coding.get("code")
        if isinstance(code, str):
            return code
    return ""


def first_code(concept: Any) -> str | None:
    """Return "system|code" of the first coding of a concept that has a code; its text when none has."""
    if not isinstance(concept, dict):
        return None
    for coding in _dicts(concept, "coding"):
        code = coding.get("code")
        if isinstance(code, str):
            return f"{coding.get('system') or ''}|{code}"
    text = concept.get("text")
    return text if isinstance(text, str) else None


@lru_cache(maxsize=8192)
def instant(text: str) -> int | None:
    """Return a FHIR date or time as microseconds since 1970, the beginning of what is left open; None for no date."""
    try:
        if len(text) == 4:
            text += "-01-01"
        elif len(text) == 7:
            text += "-01"
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        return round(at.timestamp() * 1_000_000)
    except (OverflowError, OSError):
        return None


def clinical_time(doc: Document) -> int | None:
    """Return when what a resource tells of took place, if it says."""
    for name in ("effectiveDateTime", "effectivePeriod", "date", "issued", "recordedDate", "period"):
        value = doc.get(name)
        if isinstance(value, dict):
            value = value.get("start")
        if isinstance(value, str):
            return instant(value)
    return None


def _name_tokens(param: str, text: str) -> Tokens:
    """Return a name and each of its later words, so that "Le Goff" is found as "goff" too."""
    whole = normal(text)
    words = whole.split()
    return {(param, " ".join(words[index:])) for index in range(min(len(words), TOKENS_MAX))} if words else set()


def _dicts(doc: Any, name: str) -> Iterable[Document]:
    value = doc.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else ()


def _texts(doc: Document, name: str) -> Iterable[str]:
    value = doc.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else ()
