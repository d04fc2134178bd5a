"""The red band: what must be seen before anything else, and the four states of allergies. Pure.

Absence of data is not absence of allergy, so there are four states: known, none known (somebody asked), not recorded
(nobody said), unavailable (we hold nothing of this person's record). Source: NHS ISB 1505 PAB-0064; FHIR R4
AllergyIntolerance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from releve.record.fold import Document

KNOWN = "known"
NONE_KNOWN = "none-known"
NOT_RECORDED = "not-recorded"
UNAVAILABLE = "unavailable"

#: SNOMED CT: no known allergy, no known drug, food, environmental, latex allergy; and the older "no known allergies".
_NONE_KNOWN_CODES = frozenset(
    {"716186003", "409137002", "429625007", "428607008", "1003774007", "160244002", "716184000", "716185004"}
)
#: As senders write it when they have no code.
_NONE_KNOWN_TEXTS = frozenset(
    {
        "nka",
        "nkda",
        "no known allergies",
        "no known allergy",
        "aucune",
        "aucune allergie connue",
        "pas d'allergie connue",
    }
)


def is_in_force(allergy: Document) -> bool:
    """Say whether an AllergyIntolerance still counts: not refuted, not an error, not resolved."""
    if _codes(allergy.get("verificationStatus")) & {"refuted", "entered-in-error"}:
        return False
    return not _codes(allergy.get("clinicalStatus")) & {"inactive", "resolved"}


def is_none_known(allergy: Document) -> bool:
    """Say whether an AllergyIntolerance says that somebody asked and there is none."""
    concept = allergy.get("code")
    return bool(_codes(concept) & _NONE_KNOWN_CODES) or concept_text(concept).strip().casefold() in _NONE_KNOWN_TEXTS


def red_band(allergies: Iterable[Document]) -> list[str]:
    """Return the texts of the band."""
    band: list[str] = []
    for allergy in allergies:
        if not is_in_force(allergy):
            continue
        # The marker keeps "somebody asked" apart from "nobody said" where only the band is at hand.
        text = NONE_KNOWN_MARK if is_none_known(allergy) else concept_text(allergy.get("code"))
        if text and text not in band:
            band.append(text)
    return band


#: Stands in a stored band for "none known"; never shown.
NONE_KNOWN_MARK = "\x00none-known"


def shown(band: Iterable[str]) -> list[str]:
    """Return a band as it is shown, without the marker."""
    return [text for text in band if text != NONE_KNOWN_MARK]


def allergy_state(band: Iterable[str], *, is_stated: bool) -> str:
    """Return which of the four states a person's allergies are in.

    is_stated  whether anything but mentions is known of the person
    """
    entries = list(band)
    if any(text != NONE_KNOWN_MARK for text in entries):
        return KNOWN
    if entries:
        return NONE_KNOWN
    return NOT_RECORDED if is_stated else UNAVAILABLE


def concept_text(concept: Any) -> str:
    """Return a CodeableConcept in words: its text, else the first display, else the first code."""
    if not isinstance(concept, dict):
        return ""
    text = concept.get("text")
    if isinstance(text, str) and text:
        return text
    codings = [one for one in concept.get("coding") or () if isinstance(one, dict)]
    for name in ("display", "code"):
        for coding in codings:
            value = coding.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def _codes(concept: Any) -> set[str]:
    if not isinstance(concept, dict):
        return set()
    return {
        one["code"] for one in concept.get("coding") or () if isinstance(one, dict) and isinstance(one.get("code"), str)
    }
