"""Bundles hold the very bytes that were kept, and are valid FHIR."""

from __future__ import annotations

import fhirkit
import orjson
import pytest

from releve.wire.fhir.bundle import Entry, Past, encode_history, encode_searchset
from releve.wire.fhir.outcome import FhirRefusal, encode_refusal, operation_outcome

HB = (
    b'{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"Hb"},'
    b'"valueQuantity":{"value":72.50,"unit":"g/L"}}'
)
AT = 1_722_700_000_000_000


def issues(content: bytes) -> list[str]:
    return [str(issue) for issue in fhirkit.validate(content)]


def test_a_searchset_holds_the_bytes_that_were_kept() -> None:
    outcome = operation_outcome("warning", "not-supported", "fhir.unknown-parameter", "shoe-size was ignored")
    content = encode_searchset(
        [Entry("http://n/fhir/Observation/o1", HB), Entry("", outcome, "outcome")],
        total=1,
        self_url="http://n/fhir/Observation?code=Hb",
        next_url='http://n/fhir/Observation?code=Hb&_cursor="x',
        at=AT,
    )
    assert HB in content
    assert issues(content) == []
    bundle = orjson.loads(content)
    assert [link["relation"] for link in bundle["link"]] == ["self", "next"]
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "outcome"]


def test_an_empty_searchset_has_no_entry_at_all() -> None:
    content = encode_searchset([], total=0, self_url="http://n/fhir/Patient", at=AT)
    assert issues(content) == []
    assert "entry" not in orjson.loads(content)
    assert "total" not in orjson.loads(encode_searchset([], total=None, self_url="http://n/fhir/Patient", at=AT))


def test_a_history_says_how_each_version_came() -> None:
    content = encode_history(
        [Past("http://n/fhir/Observation/o1", HB, "Observation/o1", n, AT) for n in (2, 1)],
        total=2,
        self_url="http://n/fhir/Observation/o1/_history",
        at=AT,
    )
    assert issues(content) == []
    assert [entry["response"]["etag"] for entry in orjson.loads(content)["entry"]] == ['W/"2"', 'W/"1"']


@pytest.mark.parametrize("sentence", ["plain", "", " ", "\0\x07", "\ud800", "x" * 5000, "naïve → \u202e", "\n"])
def test_an_outcome_is_valid_whatever_it_quotes(sentence: str) -> None:
    content = encode_refusal(FhirRefusal(400, "invalid", "fhir.value", sentence))
    assert issues(content) == []
    assert orjson.loads(content)["issue"][0]["details"]["coding"][0]["code"] == "fhir.value"
