"""Acknowledgements: the right code for the mode that is asked for, in the sender's own characters."""

import hl7
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from releve.wire.hl7v2 import (
    Fault,
    Message,
    acknowledge,
    acknowledge_batch,
    answer_mode,
    parse,
    parse_answers,
    refuse_unreadable,
)
from releve.wire.hl7v2.ack import INTERNAL_ERROR

AT = "20240803091244+0000"
FULL = Fault("E", INTERNAL_ERROR, "log.disk-full", "The disk is full | nothing was kept; send again.")


def _message(accept: str = "", application: str = "", version: str = "2.5", charset: str = "") -> Message:
    return parse(
        f"MSH|^~\\&|LAB|H07|EHR|G1|20240803||ADT^A01^ADT_A01|E1|P|{version}|||{accept}|{application}||{charset}\r".encode()
    )


@pytest.mark.parametrize(
    ("accept", "application", "when_kept", "when_refused"),
    [
        ("", "", "A", "A"),
        (" ", "", "A", "A"),
        ("AL", "NE", "C", "C"),
        ("AL", "AL", "C", "C"),
        ("AL", "", "C", "C"),
        ("ER", "NE", "", "C"),
        ("ER", "AL", "A", "C"),
        ("SU", "NE", "C", ""),
        ("NE", "AL", "A", "A"),
        ("NE", "ER", "", "A"),
        ("NE", "SU", "A", ""),
        ("", "AL", "A", "A"),
        ("NE", "NE", "", ""),
        ("al", "ne", "C", "C"),
        ("??", "", "C", "C"),
    ],
)
def test_msh_15_and_16_say_which_answer_is_wanted(
    accept: str, application: str, when_kept: str, when_refused: str
) -> None:
    message = _message(accept, application)
    assert (when_kept, when_refused) == (answer_mode(message, is_refused=False), answer_mode(message, is_refused=True))


def test_an_acceptance_echoes_what_the_sender_needs() -> None:
    answer = acknowledge(_message(version="2.5^FRA^2.11", charset="8859/15"), "A", None, control_id="R1", at=AT)
    assert (
        answer
        == b"MSH|^~\\&|EHR|G1|LAB|H07|20240803091244+0000||ACK^A01^ACK|R1|P|2.5^FRA^2.11||||||8859/15\rMSA|AA|E1\r"
    )


def test_a_refusal_says_why_in_msa_and_in_err() -> None:
    message = parse(acknowledge(_message(), "C", FULL, control_id="R1", at=AT))
    msa, err = message.all("MSA")[0], message.all("ERR")[0]
    assert ("CE", "E1", FULL.sentence) == (msa.get(1), msa.get(2), msa.get(3))
    assert ("207", "HL70357", "E", "log.disk-full", FULL.sentence) == (
        err.get(3),
        err.get(3, 3),
        err.get(4),
        err.get(5),
        err.get(8),
    )


def test_an_old_sender_gets_the_err_that_it_knows() -> None:
    message = parse(acknowledge(_message(version="2.3"), "A", FULL, control_id="R1", at=AT))
    assert (
        message.all("ERR")[0].get(1, 4),
        message.all("ERR")[0].get(1, 4, 2),
    ) == ("207", "Application internal error")
    assert message.segments[0].raw(9) == "ACK^A01"


def test_the_answer_is_in_the_characters_of_the_message() -> None:
    message = parse("MSH$%*!@$HÔP$H$$$$$ADT%A01$é9$P$2.5$$$$$$8859/1\r".encode("latin-1"))
    answer = acknowledge(message, "A", None, control_id="R1", at=AT)
    assert answer.startswith(b"MSH$%*!@$$$H\xd4P$H$")
    assert b"MSA$AA$\xe99\r" in answer
    assert parse(answer).all("MSA")[0].get(2) == "é9"


@pytest.mark.parametrize("content", [b"", b"GET / HTTP/1.1", b"\xff\xfe\x00", b"MSH", b"PID|1"])
def test_what_is_no_message_is_refused_with_a_sentence(content: bytes) -> None:
    fault = Fault("R", INTERNAL_ERROR, "hl7v2.no-msh", "This is no HL7 v2.")
    [answer] = parse_answers(refuse_unreadable(content, fault, control_id="R1", at=AT))
    assert (
        answer.code,
        answer.control_id,
        answer.sentence,
        answer.is_accepted,
    ) == ("AR", "", "This is no HL7 v2.", False)


def test_the_beginning_of_a_message_is_refused_by_its_control_id() -> None:
    fault = Fault("R", INTERNAL_ERROR, "hl7v2.message-too-long", "Too long.")
    [answer] = parse_answers(refuse_unreadable(_message("AL").raw + b"OBX|1|ED|", fault, control_id="R1", at=AT))
    assert (answer.code, answer.control_id) == ("CR", "E1")


def test_a_batch_is_answered_by_a_batch() -> None:
    parts = [
        acknowledge(_message(), "A", None, control_id="R1", at=AT),
        acknowledge(_message(), "A", FULL, control_id="R2", at=AT),
    ]
    answer = acknowledge_batch(parts, "B77", control_id="R3", at=AT)
    assert answer.startswith(b"BHS|^~\\&|||||20240803091244+0000||||R3|B77\r")
    assert answer.endswith(b"BTS|2\r")
    assert [one.code for one in parse_answers(answer)] == ["AA", "AE"]


def test_python_hl7_reads_the_answer() -> None:
    read = hl7.parse(acknowledge(_message(), "A", FULL, control_id="R1", at=AT).decode())
    assert str(read.segment("MSA")[1]) == "AE"
    assert str(read.segment("MSA")[2]) == "E1"


@given(st.binary(max_size=120))
@example(b"\x9a\xe1\x8d")  # behind MSH: no separator of anybody, and another letter in every character set
def test_any_bytes_get_an_answer_that_can_be_read(content: bytes) -> None:
    fault = Fault("R", INTERNAL_ERROR, "hl7v2.no-msh", "Nothing | that ^ can be read.")
    for attempt in (content, b"MSH|" + content, b"MSH" + content):
        answer = refuse_unreadable(attempt, fault, control_id="R1", at=AT)
        assert not {0x0B, 0x1C} & set(answer)
        if b"\x00" not in attempt[:16]:  # one in wide characters is answered in wide characters
            [said] = parse_answers(answer)
            assert said.code in ("AR", "CR")
