"""The statement of what is done: valid, and true to the table that does it."""

from __future__ import annotations

import fhirkit
import orjson

from releve.wire.fhir.auditevent import _ACTIONS, audit_event
from releve.wire.fhir.capability import capability_statement
from releve.wire.fhir.parameters import COMPARTMENT, PARAMETERS

AT = 1_722_700_000_000_000


def test_the_statement_is_valid_and_declares_the_table() -> None:
    content = capability_statement(
        base_url="http://n/fhir", version="0.1.0", at=AT, types=["Patient", *COMPARTMENT, "Binary", "AuditEvent"]
    )
    assert [str(issue) for issue in fhirkit.validate(content)] == []
    resources = {each["type"]: each for each in orjson.loads(content)["rest"][0]["resource"]}
    declared = {each["name"] for each in resources["Observation"]["searchParam"]}
    assert declared == set(PARAMETERS["Observation"])
    assert "searchParam" not in resources["Binary"]
    assert "Observation:patient" in resources["Patient"]["searchRevInclude"]
    assert {each["code"] for each in resources["Patient"]["interaction"]} == {
        "read", "vread", "history-instance", "search-type"
    }  # fmt: skip


def test_every_kind_of_audit_entry_is_a_valid_event() -> None:
    for action in [*_ACTIONS, "unheard-of"]:
        for outcome in ("done", "refused", "unheard-of"):
            content = audit_event(
                n=1, at=AT, who="nurse-1", role="nurse", action=action, resource_type="Observation", resource_id="o1",
                query="code&date", patient_ids=["p1", "p2"], reason="break-glass", outcome=outcome, peer="10.0.0.7",
                node="H01",
            )  # fmt: skip
            assert [str(issue) for issue in fhirkit.validate(content)] == []
    bare = audit_event(
        n=2, at=AT, who="", role="", action="login", resource_type="", resource_id="", query="", patient_ids=[],
        reason="", outcome="failed", peer="", node="H01",
    )  # fmt: skip
    assert [str(issue) for issue in fhirkit.validate(bare)] == []
