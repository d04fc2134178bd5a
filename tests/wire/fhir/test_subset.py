"""Parts of resources: what stays, what goes, and that a number keeps its last zero."""

from __future__ import annotations

import fhirkit
import orjson
import pytest

from releve.wire.fhir.subset import subset

HB = (
    b'{"resourceType":"Observation","id":"o1","meta":{"versionId":"3","tag":[{"code":"x"}]},'
    b'"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">Hb</div>"},'
    b'"status":"final","code":{"text":"Hb"},"valueQuantity":{"value":72.50,"unit":"g/L"},"note":[{"text":"n"}],'
    b'"_issued":{"extension":[{"url":"http://e","valueString":"?"}]}}'
)


def test_elements_leaves_what_was_asked_for_and_what_must_be() -> None:
    content = subset("Observation", HB, elements=("valueQuantity",))
    assert b"72.50" in content
    kept = orjson.loads(content)
    assert set(kept) == {"resourceType", "id", "meta", "status", "code", "valueQuantity"}
    assert [tag["code"] for tag in kept["meta"]["tag"]] == ["x", "SUBSETTED"]
    assert kept["meta"]["versionId"] == "3"


@pytest.mark.parametrize(
    ("summary", "gone", "there"),
    [("data", "text", "note"), ("text", "valueQuantity", "text"), ("true", "note", "valueQuantity")],
)
def test_a_summary_is_the_part_the_standard_names(summary: str, gone: str, there: str) -> None:
    kept = orjson.loads(subset("Observation", HB, summary=summary))
    assert gone not in kept
    assert there in kept
    assert [str(issue) for issue in fhirkit.validate(kept)] == []


def test_a_type_without_a_table_keeps_everything() -> None:
    kept = orjson.loads(subset("Device", b'{"resourceType":"Device","id":"d","note":[{"text":"n"}]}', summary="true"))
    assert "note" in kept
    assert kept["meta"]["tag"][0]["code"] == "SUBSETTED"
