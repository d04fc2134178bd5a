"""Parts of a resource: _elements and _summary. Elements leave as they were kept; a number keeps its last zero.

Source: FHIR R4 Search, "_summary" and "_elements"; the elements marked Σ and those with cardinality 1 of each type.
"""

from __future__ import annotations

import msgspec
import orjson

_Members = dict[str, msgspec.Raw]
_decoder = msgspec.json.Decoder(_Members)
_encoder = msgspec.json.Encoder()

_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}

#: Never left out: without them a resource is not valid, or changes its meaning (modifier elements).
_MANDATORY: dict[str, tuple[str, ...]] = {
    "Patient": ("active", "deceasedBoolean", "deceasedDateTime", "link"),
    "Encounter": ("status", "class"),
    "Observation": ("status", "code"),
    "DiagnosticReport": ("status", "code"),
    "DocumentReference": ("status", "content"),
    "AllergyIntolerance": ("patient", "clinicalStatus", "verificationStatus"),
    "Location": ("status", "mode"),
    "AuditEvent": ("type", "recorded", "agent", "source"),
}
_ALWAYS = ("resourceType", "id", "meta", "implicitRules", "modifierExtension")

_SUMMARY: dict[str, tuple[str, ...]] = {
    "Patient": ("identifier", "name", "telecom", "gender", "birthDate", "address", "managingOrganization"),
    "Encounter": (
        *("identifier", "type", "serviceType", "subject", "episodeOfCare", "participant", "appointment"),
        *("reasonCode", "reasonReference", "diagnosis"),
    ),
    "Observation": (
        *("identifier", "basedOn", "partOf", "subject", "focus", "encounter", "issued", "performer", "hasMember"),
        *("derivedFrom", "component", "effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming"),
        *("valueQuantity", "valueCodeableConcept", "valueString", "valueBoolean", "valueInteger", "valueRange"),
        *("valueRatio", "valueSampledData", "valueTime", "valueDateTime", "valuePeriod"),
    ),
    "DiagnosticReport": (
        *("identifier", "category", "subject", "encounter", "effectiveDateTime", "effectivePeriod", "issued"),
        *("performer", "resultsInterpreter", "media"),
    ),
    "DocumentReference": (
        *("masterIdentifier", "identifier", "docStatus", "type", "category", "subject", "date", "author"),
        *("relatesTo", "description", "securityLabel", "context"),
    ),
    "AllergyIntolerance": ("identifier", "type", "category", "criticality", "code"),
    "Location": (
        *("identifier", "operationalStatus", "name", "description", "type", "physicalType", "managingOrganization"),
    ),
    "AuditEvent": ("subtype", "action", "period", "outcome", "outcomeDesc", "purposeOfEvent"),
}


def subset(resource_type: str, resource: bytes, *, elements: tuple[str, ...] = (), summary: str = "") -> bytes:
    """Return a resource with only the elements asked for and those it cannot be without, marked SUBSETTED.

    summary  "true", "text" or "data"; elements is not looked at then
    """
    members = _decoder.decode(resource)
    mandatory = _MANDATORY.get(resource_type, ())
    if summary == "data":
        kept = set(members) - {"text"}
    elif summary == "text":
        kept = {"text", *mandatory}
    elif summary == "true":
        kept = {*_SUMMARY.get(resource_type, members), *mandatory}
    else:
        kept = {*elements, *mandatory}
    kept.update(_ALWAYS)
    chosen = {name: value for name, value in members.items() if name.removeprefix("_") in kept}
    meta = orjson.loads(bytes(members["meta"])) if "meta" in members else {}
    meta["tag"] = [*meta.get("tag", ()), _SUBSETTED]
    chosen["meta"] = msgspec.Raw(orjson.dumps(meta))
    return _encoder.encode(chosen)
