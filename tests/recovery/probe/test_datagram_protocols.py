"""DNS, SIP, NTP and SNMP over UDP: the questions, and what answers mean. No socket."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from releve.recovery.probe import ber, ntp, sip, snmp
from releve.recovery.probe import dns as name_service

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


NOON = 1_722_686_400_000_000
NONCE = b"8 random"


def ntp_answer(
    stratum: int = 2, *, leap: int = 0, off_s: float = 0.0, nonce: bytes = NONCE, at: int = NOON, kiss: bytes = b"RATE"
) -> bytes:
    """Return what a server says whose clock differs by off_s, a millisecond after it was asked."""
    seconds = at / 1e6 + off_s + 0.001 + 2_208_988_800
    stamp = int(seconds % 2**32).to_bytes(4, "big") + int(seconds % 1 * 2**32).to_bytes(4, "big")
    return bytes((leap << 6 | 4 << 3 | 4, stratum)) + bytes(10) + kiss + bytes(8) + nonce + stamp + stamp


def ntp_verdict(answer: bytes, *, way_s: float = 0.002, at: int = NOON) -> tuple[str, str] | None:
    verdict = ntp.judge(answer, NONCE, at, at + int(way_s * 1e6))
    return (verdict.state, verdict.detail) if verdict else None


def test_ntp_asks_as_a_client_and_tells_nothing_about_itself() -> None:
    assert ntp.question(NONCE) == bytes((0x23,)) + bytes(39) + NONCE


def test_a_synchronised_clock_that_agrees_is_well() -> None:
    assert ntp_verdict(ntp_answer()) == ("up", "stratum 2, its clock and ours differ by 0.000 s")


def test_clocks_that_disagree_are_a_fault_that_stops_nobody() -> None:
    weak = ("weak", "stratum 1, its clock and ours differ by 3.500 s, more than 1 s")
    assert ntp_verdict(ntp_answer(1, off_s=3.5)) == weak
    assert ntp_verdict(ntp_answer(1, off_s=-3.5)) == weak


def test_what_may_be_the_ways_fault_is_not_the_clocks() -> None:
    verdict = ntp_verdict(ntp_answer(off_s=1.4), way_s=1.0)
    assert verdict is not None
    assert verdict[0] == "up"


def test_a_clock_that_is_not_synchronised_says_so() -> None:
    assert ntp_verdict(ntp_answer(16)) == ("starting", "it answers but is not synchronised (stratum 16)")
    assert ntp_verdict(ntp_answer(3, leap=3)) == ("starting", "it answers but is not synchronised (stratum 3)")
    assert ntp_verdict(ntp_answer(0)) == ("wrong", "it sends callers away: RATE")
    for kiss in (bytes(4), b"INIT"):
        not_yet = ("starting", "it answers but is not synchronised (stratum 0)")
        assert ntp_verdict(ntp_answer(0, leap=3, kiss=kiss)) == not_yet


def test_only_an_answer_to_our_own_question_counts() -> None:
    assert ntp_verdict(ntp_answer(nonce=b"9 others")) is None
    assert ntp_verdict(ntp.question(NONCE)) is None, "a question is no answer"
    assert ntp_verdict(ntp_answer()[:40]) is None


def test_ntp_goes_on_after_its_first_era_ends_in_2036() -> None:
    in_2040 = 2_209_032_000_000_000
    verdict = ntp_verdict(ntp_answer(at=in_2040), at=in_2040)
    assert verdict == ("up", "stratum 2, its clock and ours differ by 0.000 s")


def snmp_answer(*values: int | None, request_id: int = 7, error: int = 0) -> bytes:
    pairs = b"".join(
        ber.encode(0x30, ber.encode_object(name) + (b"\x80\x00" if value is None else ber.encode_integer(value)))
        for name, value in zip(snmp.ASKED, values, strict=True)
    )
    parts = ber.encode_integer(request_id) + ber.encode_integer(error) + ber.encode_integer(0) + ber.encode(0x30, pairs)
    return ber.encode(0x30, ber.encode_integer(1) + ber.encode(0x04, b"public") + ber.encode(0xA2, parts))


def snmp_verdict(answer: bytes) -> tuple[str, str] | None:
    verdict = snmp.judge(answer, 7)
    return (verdict.state, verdict.detail) if verdict else None


def test_an_object_identifier_is_written_as_x690_has_it() -> None:
    assert ber.encode_object("1.3.6.1.4.1.343") == bytes.fromhex("06072b06010401 8257")


def test_a_ups_says_where_its_output_comes_from() -> None:
    assert snmp_verdict(snmp_answer(2, 0, 14, 97, 3)) == ("up", "on line power")
    assert snmp_verdict(snmp_answer(2, 30, 14, 97, 5)) == ("battery", "on battery for 30 s, 14 min left, 97 %")
    assert snmp_verdict(snmp_answer(3, None, None, None, 5)) == ("battery", "on battery, which is low")
    assert snmp_verdict(snmp_answer(3, 0, 2, 20, 3)) == ("weak", "on line power, its battery is low")
    assert snmp_verdict(snmp_answer(2, 0, 14, 97, 4)) == ("weak", "on bypass: line power without a battery behind it")
    assert snmp_verdict(snmp_answer(2, 0, 14, 97, 2)) == ("wrong", "its output source is none, expected normal")


def test_what_is_no_ups_says_so() -> None:
    absent = snmp_verdict(snmp_answer(None, None, None, None, None))
    assert absent == ("wrong", "it does not say where its output comes from: not a UPS by RFC 1628")
    refusal = snmp_verdict(snmp_answer(0, 0, 0, 0, 0, error=2))
    assert refusal == ("wrong", "its answer is error 2: it knows no such value: not a UPS by RFC 1628")


def test_an_snmp_answer_to_another_question_is_passed_over() -> None:
    assert snmp_verdict(snmp_answer(2, 0, 14, 97, 3, request_id=8)) is None
    assert snmp_verdict(snmp.question(7)) is None


@given(st.binary(max_size=120), st.integers(0, 119), st.binary(max_size=4))
def test_any_answer_by_ntp_or_snmp_is_judged_or_passed_over(data: bytes, place: int, put: bytes) -> None:
    good = snmp_answer(2, 0, 14, 97, 3)
    for answer in (data, good[:place] + put + good[place + len(put) :]):
        snmp.judge(answer, 7)
    for answer in (data, ntp_answer()[:24] + NONCE + data.ljust(16, b"\xff")[:16]):
        ntp.judge(answer, NONCE, NOON, NOON + 1000)
