"""An entry of the audit trail as a FHIR AuditEvent, in the shape of IHE's Basic Audit Log Patterns.

Source: IHE ITI Basic Audit Log Patterns (BALP) 1.1, "Patient Read" and "Patient Query"; FHIR R4 AuditEvent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from releve.clock import Instant, to_iso

_TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_INTERACTIONS = "http://hl7.org/fhir/restful-interaction"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"

#: action of the trail → (type, subtype, action letter); what is not here is read.
_ACTIONS: dict[str, tuple[tuple[str, str], tuple[str, str], str]] = {
    "read": ((_TYPES, "rest"), (_INTERACTIONS, "read"), "R"),
    "vread": ((_TYPES, "rest"), (_INTERACTIONS, "vread"), "R"),
    "history": ((_TYPES, "rest"), (_INTERACTIONS, "history-instance"), "R"),
    "search": ((_TYPES, "rest"), (_INTERACTIONS, "search-type"), "E"),
    "everything": ((_TYPES, "rest"), (_INTERACTIONS, "operation"), "E"),
    "create": ((_TYPES, "rest"), (_INTERACTIONS, "create"), "C"),
    "login": ((_DICOM, "110114"), (_DICOM, "110122"), "E"),
    "logout": ((_DICOM, "110114"), (_DICOM, "110123"), "E"),
    "break-glass": ((_DICOM, "110113"), (_DICOM, "110127"), "E"),
}
_OUTCOMES = {"done": "0", "refused": "4", "failed": "8"}


def audit_event(
    *,
    n: int,
    at: Instant,
    who: str,
    role: str,
    action: str,
    resource_type: str,
    resource_id: str,
    query: str,
    patient_ids: Sequence[str],
    reason: str,
    outcome: str,
    peer: str,
    node: str,
) -> bytes:
    """Return one entry as an AuditEvent; the arguments are those of the trail's entry.

    node  which node's trail it is
    """
    kind, subkind, letter = _ACTIONS.get(action, _ACTIONS["read"])
    agent: dict[str, Any] = {
        "who": {"identifier": {"value": who or "unknown"}},
        "role": [{"text": role or "unknown"}],
        "requestor": True,
    }
    if peer:
        agent["network"] = {"address": peer, "type": "2"}
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(n),
        "type": {"system": kind[0], "code": kind[1]},
        "subtype": [{"system": subkind[0], "code": subkind[1]}],
        "action": letter,
        "recorded": to_iso(at),
        "outcome": _OUTCOMES.get(outcome, "8"),
        "agent": [agent],
        "source": {"observer": {"display": node}},
    }
    if reason:
        event["purposeOfEvent"] = [{"text": reason}]
    entities = [_patient(patient) for patient in patient_ids]
    if resource_type and resource_id and resource_type != "Patient":
        entities.append(
            {
                "what": {"reference": f"{resource_type}/{resource_id}"},
                "type": {"system": _ENTITY, "code": "2"},
                "role": {"system": _ROLE, "code": "3"},
            }
        )
    if query:
        # The names of the parameters only: their values would carry names and birth dates into the trail.
        entities.append(
            {
                "type": {"system": _ENTITY, "code": "2"},
                "role": {"system": _ROLE, "code": "24"},
                "description": f"{resource_type}?{query}",
            }
        )
    if entities:
        event["entity"] = entities
    return orjson.dumps(event)


def _patient(patient: str) -> dict[str, Any]:
    return {
        "what": {"reference": f"Patient/{patient}"},
        "type": {"system": _ENTITY, "code": "1"},
        "role": {"system": _ROLE, "code": "1"},
    }
