"""FHIR R4 on the wire: searches, bundles, outcomes and statements as values. No socket, no clock, no SQL.

    query string → parse_pairs → parse_query → Query      what was asked, or FhirRefusal with status and sentence
    Query → judge_of, sort_key                            whether a resource answers, and where it sorts
    stored bytes → encode_searchset, encode_history       bundles without reading what is put into them
    FhirRefusal → encode_refusal                          OperationOutcome

One table, parameters.PARAMETERS, says by what each type is searched: parser, judge and CapabilityStatement read it.
"""

from releve.wire.fhir.auditevent import audit_event
from releve.wire.fhir.bundle import Entry, Past, encode_history, encode_searchset
from releve.wire.fhir.capability import capability_statement
from releve.wire.fhir.outcome import FhirRefusal, encode_refusal, operation_outcome, quoted
from releve.wire.fhir.parameters import COMPARTMENT, PARAMETERS, Parameter, parameter_of
from releve.wire.fhir.query import Criterion, Query, encode_pairs, folded, parse_pairs, parse_query
from releve.wire.fhir.subset import subset

__all__ = [
    "COMPARTMENT",
    "PARAMETERS",
    "Criterion",
    "Entry",
    "FhirRefusal",
    "Parameter",
    "Past",
    "Query",
    "audit_event",
    "capability_statement",
    "encode_history",
    "encode_pairs",
    "encode_refusal",
    "encode_searchset",
    "folded",
    "operation_outcome",
    "parameter_of",
    "parse_pairs",
    "parse_query",
    "quoted",
    "subset",
]
