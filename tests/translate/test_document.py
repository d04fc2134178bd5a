from base64 import b64decode, b64encode
from hashlib import sha256

import pytest

from releve.translate import Translation
from releve.translate.document import INLINE_BYTES_MAX
from translate.scene import codes, content, faults, oru, statement

PDF = b"%PDF-1.4\n%\xc3\xa4\xc3\xbc\n" + b"x" * 100


def _with(value: str, kind: str = "ED") -> Translation:
    obr = "OBR|1||FL1|11502-2^CR^LN|||20260315080000|||||||||||||||20260315100000|||F"
    return oru("PID|1||42^^^CHU^PI", obr, f"OBX|1|{kind}|11502-2^CR^LN||{value}||||||F")


def test_a_small_document_travels_with_its_statement_and_the_result_points_at_it() -> None:
    translation = _with(f"^application^pdf^Base64^{b64encode(PDF).decode()}")
    document = statement(translation, "DocumentReference")
    attachment = content(translation, "DocumentReference")["content"][0]["attachment"]
    assert ("application/pdf", len(PDF)) == (attachment["contentType"], attachment["size"])
    assert b64decode(attachment["data"]) == PDF
    observation = content(translation, "Observation")
    assert [{"reference": f"DocumentReference/{document.id}"}] == observation["derivedFrom"]
    assert attachment == content(translation, "DiagnosticReport")["presentedForm"][0]
    assert translation.blobs == []
    for one in translation.statements:
        assert one.verb == "mention" or faults(one) == []


def test_a_large_document_is_referred_to_by_its_hash_and_handed_over_apart() -> None:
    raw = PDF + bytes(INLINE_BYTES_MAX)
    translation = _with(f"^application^pdf^Base64^{b64encode(raw).decode()}")
    attachment = content(translation, "DocumentReference")["content"][0]["attachment"]
    assert f"Binary/{sha256(raw).hexdigest()}" == attachment["url"]
    assert "data" not in attachment
    assert [(sha256(raw).digest(), raw)] == translation.blobs
    assert max(len(one.content) for one in translation.statements) < 2000


def test_a_french_cda_is_xml() -> None:
    xml = b'<?xml version="1.0"?><ClinicalDocument/>'
    attachment = content(_with(f"^TEXT^XML^Base64^{b64encode(xml).decode()}"), "DocumentReference")["content"][0]
    assert attachment["attachment"]["contentType"] == "text/xml"
    assert xml == b64decode(attachment["attachment"]["data"])


@pytest.mark.parametrize(
    ("data", "remark"),
    [("JVBERi0xLjQKJ", "hl7v2.document-cut"), ("§§§§", "hl7v2.document-unreadable"), ("", "hl7v2.document-empty")],
)
def test_a_broken_document_does_not_lose_the_message(data: str, remark: str) -> None:
    translation = _with(f"^application^pdf^Base64^{data}")
    assert remark in codes(translation)
    assert translation.understood
    assert content(translation, "Observation")["status"] == "final"


def test_a_document_that_was_cut_is_charted_as_far_as_it_came() -> None:
    attachment = content(_with("^application^pdf^Base64^JVBERi0xLjQKJ"), "DocumentReference")["content"][0]
    assert b64decode(attachment["attachment"]["data"]) == b"%PDF-1.4\n"


def test_a_pointer_with_an_address_is_a_document_and_any_other_is_a_text() -> None:
    translation = _with("http://pacs.example/x^PACS^IM^JPEG", "RP")
    attachment = content(translation, "DocumentReference")["content"][0]["attachment"]
    assert (attachment["url"], attachment["contentType"]) == ("http://pacs.example/x", "image/jpeg")
    assert content(translation, "Observation")["valueString"] == "http://pacs.example/x"
    assert content(_with("archive 7^PACS^IM", "RP"), "Observation")["valueString"] == "archive 7 PACS IM"
