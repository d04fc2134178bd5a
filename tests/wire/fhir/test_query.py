"""The search grammar: what is understood, what is left out and named, what is refused with a sentence."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.wire.fhir.outcome import FhirRefusal
from releve.wire.fhir.parameters import PARAMETERS
from releve.wire.fhir.query import (
    COUNT_MAX,
    PARAMETERS_MAX,
    QUERY_BYTES_MAX,
    Include,
    Moment,
    Query,
    Target,
    Token,
    encode_pairs,
    folded,
    parse_pairs,
    parse_query,
)

BASE = "http://node.example/fhir"


def query_of(kind: str, text: str) -> Query:
    return parse_query(kind, parse_pairs(text.encode()), UTC, base_url=BASE)


def values_of(kind: str, text: str) -> tuple[object, ...]:
    (criterion,) = query_of(kind, text).criteria
    return criterion.values


def test_a_token_says_system_and_code_or_one_of_them() -> None:
    assert values_of("Observation", "code=http://loinc.org|718-7,789-8,|x,urn:id:H01|") == (
        Token("http://loinc.org", "718-7"),
        Token(None, "789-8"),
        Token("", "x"),
        Token("urn:id:H01", None),
    )


def test_a_backslash_keeps_commas_and_bars_inside_a_value() -> None:
    assert values_of("Patient", r"identifier=a\|b|c\,d\\,e") == (Token("a|b", "c,d\\"), Token(None, "e"))
    assert values_of("Patient", r"name=De\,la,Cruz") == ("De,la", "Cruz")


def test_dates_have_prefixes_and_a_bare_plus_sign_survives() -> None:
    first, second = query_of("Observation", "date=ge2024-08-03T09:00:00+02:00&date=lt2024-08-04").criteria
    assert isinstance(first.values[0], Moment)
    assert isinstance(second.values[0], Moment)
    assert (first.values[0].prefix, second.values[0].prefix) == ("ge", "lt")
    assert first.values[0].span[0] == 1_722_668_400_000_000


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("patient=p1", Target("Patient", "p1")),
        ("patient=Patient/p1", Target("Patient", "p1")),
        (f"patient={BASE}/Patient/p1", Target("Patient", "p1")),
        ("subject=p1", Target("", "p1")),
        ("subject:Patient=p1", Target("Patient", "p1")),
    ],
)
def test_a_reference_may_be_an_id_a_path_or_an_address_of_this_server(text: str, target: Target) -> None:
    assert values_of("Observation", text) == (target,)


def test_a_chain_of_one_step_is_a_criterion_on_the_target() -> None:
    (criterion,) = query_of("Observation", "patient.identifier=urn:id:H01|42").criteria
    assert criterion.onto == "Patient"
    assert criterion.chained is not None
    assert criterion.chained.values == (Token("urn:id:H01", "42"),)
    (typed,) = query_of("Observation", "subject:Patient.family:exact=Roy").criteria
    assert typed.chained is not None
    assert (typed.onto, typed.chained.modifier) == ("Patient", "exact")


def test_includes_name_the_parameters_they_follow() -> None:
    query = query_of("Observation", "_include=Observation:patient&_include=Observation:encounter:Encounter")
    patient = PARAMETERS["Observation"]["patient"]
    assert query.includes[0] == Include("Observation", (patient,), "")
    assert query.includes[1].target == "Encounter"
    assert len(query_of("Observation", "_include=*").includes[0].parameters) > 4
    assert query_of("Patient", "_revinclude=Observation:subject").revincludes[0].source == "Observation"


def test_unknown_parameters_are_named_and_left_out_of_the_self_link() -> None:
    query = query_of("Patient", "name=roy&shoe-size=42&_foo=1&_include=Patient:nothing&_cursor=abc")
    assert query.ignored == ("shoe-size", "_foo", "_include")
    assert query.pairs == (("name", "roy"),)
    assert query.cursor == "abc"


def test_paging_and_shape_are_read() -> None:
    query = query_of("Observation", "_count=7&_sort=-date,code&_summary=count&_total=accurate&_elements=code,value")
    assert (query.count, query.summary, query.total, query.elements) == (7, "count", "accurate", ("code", "value"))
    assert [(sort.parameter.name, sort.is_descending) for sort in query.sorts] == [("date", True), ("code", False)]
    assert query_of("Observation", "_count=99999999").count == COUNT_MAX


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("Observation", "date=yesterday", "fhir.date"),
        ("Observation", "date=", ""),
        ("Observation", "date=,", "fhir.value"),
        ("Observation", "code:below=1", "fhir.modifier"),
        ("Patient", "name:not=1", "fhir.modifier"),
        ("Patient", "name:missing=perhaps", "fhir.value"),
        ("Patient", "name=-", "fhir.value"),
        ("Patient", "_count=-1", "fhir.count"),
        ("Patient", "_count=1e9", "fhir.count"),
        ("Patient", "_count=99999999999999999999", "fhir.count"),
        ("Patient", "_count=٣", "fhir.count"),
        ("Patient", "_sort=shoe-size", "fhir.sort"),
        ("Patient", "_summary=all", "fhir.value"),
        ("Patient", "_summary=true&_elements=name", "fhir.elements-and-summary"),
        ("Patient", "_include:iterate=Patient:link", "fhir.modifier"),
        ("Patient", "name.family=x", "fhir.chain"),
        ("Observation", "patient.link.name=x", "fhir.chain"),
        ("Observation", "subject:Group.name=x", "fhir.chain"),
        ("Observation", "patient=Encounter/1", "fhir.reference"),
        ("Observation", "patient=http://elsewhere.example/fhir/Patient/1", "fhir.reference"),
        ("Observation", "patient=../../etc/passwd", "fhir.reference"),
        ("Observation", "code=" + ",".join("x" * 1 for _ in range(501)), "fhir.values"),
        ("Patient", "name=%zz", "fhir.percent"),
        ("Patient", "name=%ff", "fhir.not-utf8"),
        ("Patient", "name=%00", "fhir.null"),
        ("Patient", "&".join("name=x" for _ in range(PARAMETERS_MAX + 1)), "fhir.too-many-parameters"),
        ("Patient", "name=" + "x" * QUERY_BYTES_MAX, "fhir.query-too-long"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_code(kind: str, text: str, code: str) -> None:
    if not code:
        assert query_of(kind, text).criteria == ()
        return
    with pytest.raises(FhirRefusal) as refusal:
        query_of(kind, text)
    assert (refusal.value.code, refusal.value.status) == (code, 400)


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_pairs_or_a_refusal(raw: bytes) -> None:
    try:
        pairs = parse_pairs(raw)
    except FhirRefusal:
        return
    assert parse_pairs(encode_pairs(pairs).encode()) == pairs


CONTROLS = ("_count", "_sort", "_include", "_revinclude", "_summary", "_total", "_elements", "_cursor", "_has", "x")
NAMES = [*sorted({name for own in PARAMETERS.values() for name in own}), *CONTROLS]
TEXTS = ["2024", "ge2024-08", "a|b", "|", "\\", "\\,", ",", "true", "Patient/1", "Observation:patient"]
MODIFIERS = ["", "", "", ":exact", ":contains", ":missing", ":not", ":text", ":Patient", ":", ".identifier", ".name"]


@given(
    kind=st.sampled_from([*PARAMETERS, "Nothing"]),
    pairs=st.lists(
        st.tuples(
            st.tuples(st.sampled_from(NAMES), st.sampled_from(MODIFIERS)).map("".join),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
            | st.sampled_from(TEXTS),
        ),
        max_size=6,
    ),
)  # fmt: skip
def test_any_search_is_a_query_or_a_refusal_and_survives_its_own_link(kind: str, pairs: list[tuple[str, str]]) -> None:
    try:
        query = parse_query(kind, pairs, UTC, base_url=BASE)
    except FhirRefusal:
        return
    again = parse_query(kind, parse_pairs(encode_pairs(list(query.pairs)).encode()), UTC, base_url=BASE)
    assert again.criteria == query.criteria
    assert again.ignored == ()


def test_names_are_compared_without_case_and_accents() -> None:
    assert folded("  Élodie   L’Œuvre ") == "elodie l oeuvre"
    assert folded("MÜLLER") == folded("müller") == "muller"
