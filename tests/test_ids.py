import uuid

from hypothesis import given
from hypothesis import strategies as st

from releve.ids import _NAMESPACE, computed_id, content_id


@given(st.text(), st.text(), st.text())
def test_a_computed_id_is_the_uuid5_of_the_standard_library(kind: str, system: str, value: str) -> None:
    name = "\x1f".join((kind, system, value))
    try:
        expected = str(uuid.uuid5(uuid.UUID(bytes=_NAMESPACE), name))
    except UnicodeEncodeError:
        return  # the standard library refuses lone surrogates; ours must only not fail on them
    assert computed_id(kind, system, value) == expected


def test_the_same_number_from_two_authorities_is_two_people() -> None:
    assert computed_id("Patient", "urn:oid:1.2.3", "42") != computed_id("Patient", "urn:oid:1.2.4", "42")


def test_parts_do_not_run_into_each_other() -> None:
    assert content_id(b"ab", b"c") != content_id(b"a", b"bc")
    assert len(content_id(b"")) == 16
