"""The CapabilityStatement: what this server does, from the same tables that do it. What is not done is not in it.

Source: FHIR R4 CapabilityStatement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from releve.clock import Instant, to_iso
from releve.wire.fhir.parameters import PARAMETERS

_SEARCHED = [{"code": "read"}, {"code": "vread"}, {"code": "history-instance"}, {"code": "search-type"}]
_READ = [{"code": "read"}]


def capability_statement(*, base_url: str, version: str, at: Instant, types: Sequence[str]) -> bytes:
    """Return what this server can do.

    types  the types served; Binary and AuditEvent can be less than the others and are declared so
    """
    return orjson.dumps(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": to_iso(at),
            "kind": "instance",
            "software": {"name": "Relève", "version": version},
            "implementation": {"description": "Relève, continuity node of a hospital: reading only", "url": base_url},
            "fhirVersion": "4.0.1",
            "format": ["json", "application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "documentation": "Reading only. What is captured here comes in by HL7 v2 and the ward pages.",
                    "security": {"description": "Bearer token, made at the node by: releve token DIR --role system"},
                    "resource": [_resource(kind) for kind in types],
                }
            ],
        }
    )


def _resource(kind: str) -> dict[str, Any]:
    parameters = PARAMETERS.get(kind, {})
    if kind == "Binary":
        return {"type": kind, "interaction": _READ, "versioning": "no-version"}
    if kind == "AuditEvent":
        return {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "versioning": "no-version",
            "searchParam": [{"name": "patient", "definition": parameters["patient"].url, "type": "reference"}],
        }
    references = [parameter.name for parameter in parameters.values() if parameter.kind == "reference"]
    declared: dict[str, Any] = {
        "type": kind,
        "interaction": _SEARCHED,
        "versioning": "versioned",
        "readHistory": True,
        "searchInclude": [f"{kind}:{name}" for name in references],
        "searchRevInclude": [
            f"{source}:{parameter.name}"
            for source, own in PARAMETERS.items()
            for parameter in own.values()
            if source != "AuditEvent" and parameter.kind == "reference" and kind in parameter.targets
        ],
        "searchParam": [
            {"name": parameter.name, "type": parameter.kind} | ({"definition": parameter.url} if parameter.url else {})
            for parameter in parameters.values()
        ],
    }
    if kind == "Patient":
        declared["operation"] = [
            {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}
        ]
    return {name: value for name, value in declared.items() if value != []}
