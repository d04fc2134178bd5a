"""The search parameters of each type: name, kind and where in the resource its values stand.

One table, read by the query parser, by the matcher and by the capability statement, so that what is declared is what is
done. Paths are the plain parts of the standard's FHIRPath expressions; arrays on the way are entered.
Source: FHIR R4 search parameter registry (search-parameters.json, 4.0.1).
"""

from __future__ import annotations

import msgspec

_HL7 = "http://hl7.org/fhir/"
_REGISTRY = "http://hl7.org/fhir/SearchParameter/"


class Parameter(msgspec.Struct, frozen=True):
    """One search parameter of one type.

    kind     "token", "string", "date" or "reference"
    paths    where its values stand, each a path of element names
    system   the code system of plain codes, which do not carry it themselves
    targets  types a reference may point to
    url      its definition in the standard
    """

    name: str
    kind: str
    paths: tuple[tuple[str, ...], ...]
    system: str = ""
    targets: tuple[str, ...] = ()
    url: str = ""


def _at(*paths: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in paths)


def _token(name: str, *paths: str, system: str = "", url: str = "") -> Parameter:
    return Parameter(name, "token", _at(*paths), system and _HL7 + system, (), url and _REGISTRY + url)


def _string(name: str, *paths: str, url: str = "") -> Parameter:
    return Parameter(name, "string", _at(*paths), url=url and _REGISTRY + url)


def _date(name: str, *paths: str, url: str = "") -> Parameter:
    return Parameter(name, "date", _at(*paths), url=url and _REGISTRY + url)


def _reference(name: str, *paths: str, to: tuple[str, ...], url: str = "") -> Parameter:
    return Parameter(name, "reference", _at(*paths), "", to, url and _REGISTRY + url)


#: Parameters of every type.
EVERY_TYPE = (
    _token("_id", "id", url="Resource-id"),
    _date("_lastUpdated", "meta.lastUpdated", url="Resource-lastUpdated"),
)

_PATIENT = ("Patient",)
_WHO = ("Practitioner", "PractitionerRole", "Organization", "Patient", "CareTeam", "RelatedPerson")


def _about_patient(url: str, path: str = "subject") -> tuple[Parameter, Parameter]:
    return (
        _reference("patient", path, to=_PATIENT, url="clinical-patient"),
        _reference("subject", path, to=("Patient", "Group", "Device", "Location"), url=url),
    )


_TYPES: dict[str, tuple[Parameter, ...]] = {
    "Patient": (
        _token("identifier", "identifier", url="Patient-identifier"),
        _string("name", "name.family", "name.given", "name.text", "name.prefix", "name.suffix", url="Patient-name"),
        _string("family", "name.family", url="individual-family"),
        _string("given", "name.given", url="individual-given"),
        _date("birthdate", "birthDate", url="individual-birthdate"),
        _token("gender", "gender", system="administrative-gender", url="individual-gender"),
        _token("active", "active", url="Patient-active"),
        _token("deceased", "deceasedBoolean", url="Patient-deceased"),
        _date("death-date", "deceasedDateTime", url="Patient-death-date"),
        _string("address-city", "address.city", url="individual-address-city"),
        _string("address-postalcode", "address.postalCode", url="individual-address-postalcode"),
        _reference("link", "link.other", to=("Patient", "RelatedPerson"), url="Patient-link"),
    ),
    "Encounter": (
        _token("identifier", "identifier", url="clinical-identifier"),
        _token("status", "status", system="encounter-status", url="Encounter-status"),
        _token("class", "class", url="Encounter-class"),
        _token("type", "type", url="clinical-type"),
        _date("date", "period", url="clinical-date"),
        *_about_patient("Encounter-subject"),
        _reference("location", "location.location", to=("Location",), url="Encounter-location"),
        _reference("service-provider", "serviceProvider", to=("Organization",), url="Encounter-service-provider"),
        _reference("part-of", "partOf", to=("Encounter",), url="Encounter-part-of"),
    ),
    "Observation": (
        _token("identifier", "identifier", url="clinical-identifier"),
        _token("status", "status", system="observation-status", url="Observation-status"),
        _token("category", "category", url="Observation-category"),
        _token("code", "code", url="clinical-code"),
        _date("date", "effectiveDateTime", "effectivePeriod", "effectiveInstant", url="clinical-date"),
        *_about_patient("Observation-subject"),
        _reference("encounter", "encounter", to=("Encounter",), url="clinical-encounter"),
        _reference("based-on", "basedOn", to=("ServiceRequest",), url="Observation-based-on"),
        _reference("performer", "performer", to=_WHO, url="Observation-performer"),
        _reference("has-member", "hasMember", to=("Observation",), url="Observation-has-member"),
        _reference(
            "derived-from", "derivedFrom", to=("Observation", "DocumentReference"), url="Observation-derived-from"
        ),
        _token("value-concept", "valueCodeableConcept", url="Observation-value-concept"),
        _string("value-string", "valueString", "valueCodeableConcept.text", url="Observation-value-string"),
    ),
    "DiagnosticReport": (
        _token("identifier", "identifier", url="clinical-identifier"),
        _token("status", "status", system="diagnostic-report-status", url="DiagnosticReport-status"),
        _token("category", "category", url="DiagnosticReport-category"),
        _token("code", "code", url="clinical-code"),
        _date("date", "effectiveDateTime", "effectivePeriod", url="clinical-date"),
        _date("issued", "issued", url="DiagnosticReport-issued"),
        *_about_patient("DiagnosticReport-subject"),
        _reference("encounter", "encounter", to=("Encounter",), url="clinical-encounter"),
        _reference("based-on", "basedOn", to=("ServiceRequest",), url="DiagnosticReport-based-on"),
        _reference("result", "result", to=("Observation",), url="DiagnosticReport-result"),
        _reference("performer", "performer", to=_WHO, url="DiagnosticReport-performer"),
    ),
    "DocumentReference": (
        # Nothing here makes a masterIdentifier, and the index of numbers holds identifier alone.
        _token("identifier", "identifier", url="clinical-identifier"),
        _token("status", "status", system="document-reference-status", url="DocumentReference-status"),
        _token("type", "type", url="clinical-type"),
        _token("category", "category", url="DocumentReference-category"),
        _token("contenttype", "content.attachment.contentType", url="DocumentReference-contenttype"),
        _date("date", "date", url="DocumentReference-date"),
        *_about_patient("DocumentReference-subject"),
        _reference("encounter", "context.encounter", to=("Encounter",), url="clinical-encounter"),
        _reference("author", "author", to=_WHO, url="DocumentReference-author"),
    ),
    "AllergyIntolerance": (
        _token("identifier", "identifier", url="clinical-identifier"),
        _token("clinical-status", "clinicalStatus", url="AllergyIntolerance-clinical-status"),
        _token("verification-status", "verificationStatus", url="AllergyIntolerance-verification-status"),
        _token("type", "type", system="allergy-intolerance-type", url="clinical-type"),
        _token("category", "category", system="allergy-intolerance-category", url="AllergyIntolerance-category"),
        _token(
            "criticality", "criticality", system="allergy-intolerance-criticality", url="AllergyIntolerance-criticality"
        ),
        _token("code", "code", "reaction.substance", url="clinical-code"),
        _date("date", "recordedDate", url="clinical-date"),
        _reference("patient", "patient", to=_PATIENT, url="clinical-patient"),
    ),
    "Location": (
        _token("identifier", "identifier", url="Location-identifier"),
        _string("name", "name", "alias", url="Location-name"),
        _token("status", "status", system="location-status", url="Location-status"),
        _token("type", "type", url="Location-type"),
        _reference("partof", "partOf", to=("Location",), url="Location-partof"),
    ),
    "AuditEvent": (_reference("patient", "entity.what", to=_PATIENT, url="AuditEvent-patient"),),
}

#: type → name → parameter; what is not here is not searched by.
PARAMETERS: dict[str, dict[str, Parameter]] = {
    kind: {parameter.name: parameter for parameter in (*EVERY_TYPE, *own)} for kind, own in _TYPES.items()
}

#: Types in a patient's compartment: what Patient/$everything returns beside the patient.
COMPARTMENT = ("Encounter", "AllergyIntolerance", "DiagnosticReport", "Observation", "DocumentReference")


def parameter_of(resource_type: str, name: str) -> Parameter | None:
    """Return a type's parameter by its name; every type that is kept knows _id and _lastUpdated."""
    return (PARAMETERS.get(resource_type) or _BARE).get(name)


_BARE = {parameter.name: parameter for parameter in EVERY_TYPE}
