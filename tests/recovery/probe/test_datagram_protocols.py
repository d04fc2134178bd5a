"""DNS and SIP over UDP: the questions, and what answers mean. No socket."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from releve.recovery.probe import dns as name_service
from releve.recovery.probe import sip

SIP_OK = b"SIP/2.0 200 OK\r\nCall-ID: abc@probe.invalid\r\nCSeq: 1 OPTIONS\r\n\r\n"


def answer_to(question: bytes, *records: str, rcode: int = dns.rcode.NOERROR) -> bytes:
    answer = dns.message.make_response(dns.message.from_wire(question))
    answer.set_rcode(dns.rcode.Rcode(rcode))
    answer.answer = [dns.rrset.from_text("record.example.", 60, "IN", "A", record) for record in records]
    return bytes(answer.to_wire())


def dns_state(answer: bytes) -> str | None:
    verdict = name_service.judge(answer, "record.example", 7)
    return verdict.state if verdict else None


def test_a_name_that_resolves_is_well_and_an_empty_answer_is_not() -> None:
    question = name_service.question("record.example", "A", 7)
    assert dns_state(answer_to(question, "192.0.2.1")) == "up"
    assert dns_state(answer_to(question)) == "wrong"
    assert dns_state(answer_to(question, rcode=dns.rcode.NXDOMAIN)) == "wrong"
    assert dns_state(answer_to(question, rcode=dns.rcode.SERVFAIL)) == "starting"


def test_an_answer_to_another_question_is_passed_over() -> None:
    assert dns_state(answer_to(name_service.question("record.example", "A", 8), "192.0.2.1")) is None
    assert dns_state(name_service.question("record.example", "A", 7)) is None, "a question is no answer"


@given(st.binary(max_size=300))
def test_any_datagram_is_judged_or_passed_over(data: bytes) -> None:
    dns_state(data)
    sip.judge(data, "abc")


def sip_state(answer: bytes) -> str | None:
    verdict = sip.judge(answer, "abc")
    return verdict.state if verdict else None


def test_sip_options_names_the_call_and_asks_the_server_itself() -> None:
    words = sip.options("192.0.2.5", 5060, "abc").decode()
    assert words.startswith("OPTIONS sip:192.0.2.5:5060 SIP/2.0\r\n")
    assert "Call-ID: abc@probe.invalid\r\n" in words
    assert words.endswith("\r\n\r\n")


def test_only_a_final_answer_to_our_own_call_counts() -> None:
    assert sip_state(SIP_OK) == "up"
    assert sip_state(SIP_OK.replace(b"abc@", b"xyz@")) is None
    assert sip_state(SIP_OK.replace(b"200 OK", b"100 Trying")) is None
    assert sip_state(SIP_OK.replace(b"200 OK", b"404 Not Found")) == "wrong"
    assert sip_state(SIP_OK.replace(b"200 OK", b"503 Service Unavailable")) == "starting"
    assert sip_state(SIP_OK.replace(b"Call-ID", b"i")) == "up", "the compact form of Call-ID"
