"""The centre's programs as what they say: each protocol core asked without a socket."""

import sqlite3
from contextlib import suppress

import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.demo.centre import database, directory, names, power, record, telephone

PORTS = {"record": 2575, "names": 53}


def test_the_name_service_says_where_a_program_listens() -> None:
    question = dns.message.make_query("_record.centre.example", dns.rdatatype.SRV)
    reply = dns.message.from_wire(names.answer(question.to_wire(), PORTS) or b"")
    assert reply.answer[0][0].port == 2575
    address = dns.message.make_query("record.centre.example", dns.rdatatype.A)
    assert "127.0.0.1" in dns.message.from_wire(names.answer(address.to_wire(), PORTS) or b"").answer[0].to_text()


def test_the_name_service_knows_no_strangers() -> None:
    question = dns.message.make_query("_other.centre.example", dns.rdatatype.SRV)
    assert dns.message.from_wire(names.answer(question.to_wire(), PORTS) or b"").rcode() == 3


@given(st.binary(max_size=80))
def test_any_bytes_at_the_name_service_are_answered_or_passed_over(data: bytes) -> None:
    assert isinstance(names.answer(data, PORTS), bytes | None)


def test_a_feed_answers_upsmon() -> None:
    assert power.answer("feed-a", "GET VAR feed-a ups.status") == 'VAR feed-a ups.status "OL"'
    assert power.answer("feed-a", "GET VAR feed-b ups.status") == "ERR UNKNOWN-UPS"
    assert power.answer("feed-a", "GET VAR feed-a ups.colour") == "ERR VAR-NOT-SUPPORTED"
    assert power.answer("feed-a", "SING") == "ERR UNKNOWN-COMMAND"


ACCOUNTS = {directory.dn_of("record"): "secret"}


def _content(message: bytes) -> bytes:
    ((tag, content),) = directory.elements(message)
    assert tag == 0x30
    return content


@pytest.mark.parametrize(("password", "code"), [("secret", 0), ("wrong", 49)])
def test_the_directory_knows_right_from_wrong_passwords(password: str, code: int) -> None:
    request = directory.bind_request(directory.dn_of("record"), password)
    assert directory.result_code(directory.answer(_content(request), ACCOUNTS) or b"") == code


def test_the_directory_refuses_who_it_does_not_know() -> None:
    request = directory.bind_request("cn=nobody", "")
    assert directory.result_code(directory.answer(_content(request), ACCOUNTS) or b"") == 49


@given(st.integers(0, 70_000))
def test_a_length_of_any_size_is_read_back(size: int) -> None:
    assert list(directory.elements(directory.tlv(4, bytes(size)))) == [(4, bytes(size))]


@given(st.binary(max_size=60))
def test_any_bytes_at_the_directory_are_values_or_an_error_of_value(data: bytes) -> None:
    with suppress(ValueError):
        directory.answer(data, ACCOUNTS)


def test_a_semicolon_inside_a_literal_divides_nothing() -> None:
    assert database.statements("SELECT 'a;b'; SELECT 2;\n") == ["SELECT 'a;b'", "SELECT 2"]


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_a_bound_text_comes_back_as_it_was(text: str) -> None:
    db = sqlite3.connect(":memory:")
    try:
        answer = database.run_query(db, database.bound("SELECT ?", text))
    finally:
        db.close()
    assert (
        database.encode_rows([f"{database.bound('?', text)}"], [(text,)]) + database.message(b"C", b"SELECT 1\0")
        == answer
    )


def test_an_error_undoes_the_transaction_and_is_told() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    answer = database.run_query(db, "BEGIN;\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);\nCOMMIT")
    assert b"UNIQUE constraint failed" in answer
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)
    db.close()


SIP = (
    "{} sip:hub@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5;branch=z\r\nFrom: <sip:p@x>;tag=1\r\n"
    "To: <sip:hub@x>\r\nCall-ID: 7\r\nCSeq: 1 {}\r\nContent-Length: 0\r\n\r\n"
)


def test_the_telephone_hub_says_that_it_is_there_and_what_it_does_not_do() -> None:
    options = (telephone.answer(SIP.format("OPTIONS", "OPTIONS").encode()) or b"").decode()
    assert options.startswith("SIP/2.0 200 OK\r\n")
    assert "Call-ID: 7" in options
    assert "To: <sip:hub@x>;tag=" in options
    assert (telephone.answer(SIP.format("INVITE", "INVITE").encode()) or b"").startswith(b"SIP/2.0 405 ")
    assert telephone.answer(b"hello") is None


ADMISSION = b"MSH|^~\\&|GAM|H01|||1||ADT^A01|1|P|2.5\rPID|1||7^^^H01&2.25.1&ISO^PI||X^Y\r"
RESULT = (
    b"MSH|^~\\&|AUTO|H01|||1||ORU^R01|2|P|2.5\rPID|1||7^^^H01&2.25.1&ISO^PI\rOBR|1||R1^LAB|P\r"
    b"OBX|1|NM|2823-3^K^LN||4.2|mmol/L|||||F\r"
)


def test_the_record_application_takes_results_of_people_it_knows_and_refuses_others() -> None:
    patient, statements = record.statements_for(ADMISSION, set())
    assert patient == "7^H01"
    assert len(statements) == 1
    with pytest.raises(record.Refusal, match="not known here"):
        record.statements_for(RESULT, set())
    _, statements = record.statements_for(RESULT, {patient})
    assert "'R1', '2823-3', '7^H01', '4.2', 'mmol/L', 'F'" in statements[0]


def test_the_record_application_refuses_what_it_does_not_take() -> None:
    with pytest.raises(record.Refusal, match="QRY is not taken"):
        record.statements_for(ADMISSION.replace(b"ADT^A01", b"QRY^A19"), set())
