"""Who a Patient resource says somebody is, for lists and searches. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from releve.record.fold import Document
from releve.record.terms import INS_SYSTEM_PREFIX, TEMPORARY_SYSTEM, identifier_type

#: The name a person is called by, before the name of birth, before anything else. Source: FHIR NameUse; RNIV.
_NAME_USES = ("usual", "official", "")
#: Where the IPP stands: types of HL7 table 0203 that number a patient, the best first.
_IPP_TYPES = ("PI", "MR")


class Identity(NamedTuple):
    """What a list shows of a person."""

    family: str
    given: str
    birth_date: str
    sex: str
    ipp: str
    is_temporary: bool


def identity(doc: Document) -> Identity:
    """Return what a list shows of a Patient."""
    name = called(doc)
    identifiers = [one for one in as_list(doc.get("identifier")) if isinstance(one, dict)]
    temporary = next((text(one, "value") for one in identifiers if one.get("system") == TEMPORARY_SYSTEM), "")
    ipp = _ipp(identifiers)
    return Identity(
        text(name, "family") or (text(name, "text") if not name.get("given") else ""),
        " ".join(one for one in as_list(name.get("given")) if isinstance(one, str)),
        text(doc, "birthDate"),
        text(doc, "gender"),
        ipp or temporary,
        bool(temporary) and not ipp,
    )


def called(doc: Document) -> Document:
    """Return the HumanName a person is called by; an empty one when there is none."""
    names = [one for one in as_list(doc.get("name")) if isinstance(one, dict) and one.get("use") != "old"]
    for use in _NAME_USES:
        for name in names:
            if (name.get("use") or "") == use:
                return name
    return names[0] if names else {}


def birth_family(doc: Document) -> str:
    """Return the family name of birth."""
    names = [one for one in as_list(doc.get("name")) if isinstance(one, dict)]
    for use in ("maiden", "official"):
        for name in names:
            if name.get("use") == use:
                return text(name, "family")
    return ""


def _ipp(identifiers: list[Document]) -> str:
    candidates = [
        one
        for one in identifiers
        if one.get("use") != "old"
        and one.get("system") != TEMPORARY_SYSTEM
        and not text(one, "system").startswith(INS_SYSTEM_PREFIX)
    ]
    for type_ in _IPP_TYPES:
        for one in candidates:
            if identifier_type(one) == type_:
                return text(one, "value")
    for one in candidates:
        if not identifier_type(one):
            return text(one, "value")
    return ""


def text(doc: Document, name: str) -> str:
    """Return a text element, or nothing."""
    value = doc.get(name)
    return value if isinstance(value, str) else ""


def as_list(value: Any) -> list[Any]:
    """Return a list element, or an empty one."""
    return value if isinstance(value, list) else []
