"""AL1 → AllergyIntolerance: what must stand in the red band.

A list that no longer names an allergy takes none away: a stale warning is safer than a lost one. An AL1 that says "none
known" is an AllergyIntolerance too, with SNOMED CT 716186003, as FHIR asks. Source: HL7 v2.5.1 3.4.6; FHIR R4 9.1.
"""

from __future__ import annotations

from typing import Any

from releve.clock import Instant
from releve.ids import computed_id
from releve.log import Statement
from releve.translate.coding import encode, read_concept
from releve.translate.reading import Reading
from releve.translate.tables import (
    ALLERGEN_CATEGORIES,
    ALLERGEN_TYPES,
    ALLERGY_CLINICAL,
    CRITICALITIES,
    SEVERITIES,
    SNOMED,
)
from releve.wire.hl7v2 import Segment

_NONE_KNOWN = {"coding": [{"system": SNOMED, "code": "716186003", "display": "No known allergy"}]}
_NONE_KNOWN_CODES = ("716186003", "409137002", "160244002", "NKA", "NKDA", "NOALLERGY")
_NONE_KNOWN_TEXTS = (
    "no known allergies",
    "no known allergy",
    "no known drug allergies",
    "nka",
    "nkda",
    "none known",
    "aucune allergie connue",
    "pas d'allergie connue",
)
_ACTIVE = {"coding": [{"system": ALLERGY_CLINICAL, "code": "active"}]}


def state_allergy(al1: Segment, patient_id: str, at: Instant, reading: Reading) -> Statement | None:
    """Return what one AL1 says; None, with a remark, when it names nothing."""
    grammar = reading.grammar
    allergen = read_concept(al1.raw(3), grammar)
    if allergen is None:
        reading.remark("hl7v2.allergy-unnamed", "AL1-3 is empty: an allergy to nothing named is not charted.")
        return None
    is_none = allergen.code in _NONE_KNOWN_CODES or allergen.text.lower() in _NONE_KNOWN_TEXTS
    kind = al1.get(2)
    content: dict[str, Any] = {
        "clinicalStatus": _ACTIVE,
        "code": {**_NONE_KNOWN, "text": allergen.text} if is_none else allergen.json,
        "patient": {"reference": f"Patient/{patient_id}"},
    }
    if kind in ALLERGEN_TYPES and not is_none:
        content["type"] = "allergy"
    if kind in ALLERGEN_CATEGORIES:
        content["category"] = [ALLERGEN_CATEGORIES[kind]]
    _put_severity(content, al1, reading)
    onset = reading.moment(al1.raw(6), "AL1-6")
    if onset is not None:
        content["onsetDateTime"] = onset.iso
    system = allergen.codings[0].get("system", "") if allergen.codings else ""
    id_ = computed_id("AllergyIntolerance", "urn:id:releve", patient_id, system, allergen.code)
    return Statement("put", "AllergyIntolerance", id_, at, patient_id, encode(content))


def _put_severity(content: dict[str, Any], al1: Segment, reading: Reading) -> None:
    """Put how bad it is: AL1-4 is the severity of the reaction in AL1-5 when there is one, and a criticality always."""
    severity = al1.get(4)
    if severity in CRITICALITIES:
        content["criticality"] = CRITICALITIES[severity]
    shown = [{"text": text} for text in map(reading.grammar.text, al1.reps(5)) if text]
    if shown:
        reaction: dict[str, Any] = {"manifestation": shown}
        if severity in SEVERITIES:
            reaction["severity"] = SEVERITIES[severity]
        content["reaction"] = [reaction]
