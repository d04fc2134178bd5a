"""Messages: exact text, lazily read, whatever the sender made of delimiters and line ends."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.wire.hl7v2 import Message, NotHL7, parse, split_batch

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
PUBLIC = sorted(path for name in ("hl7v2", "hl7v2-edge") for path in SHARED.glob(f"{name}/messages/**/*.hl7"))

ORU = (
    b"MSH|^~\\&|LAB^1.2.3^ISO|H07|EHR|H07|20240803091244||ORU^R01^ORU_R01|77|P^T|2.5^FRA^2.11|||AL|NE||UNICODE UTF-8\r"
    b"PID|1||000042^^^H07&1.2.3&ISO^PI~123^^^INS||DUPONT^Jeanne^Marie~DURAND^Jeanne|\r"
    b'OBX|1|TX|NA^Sodium^L||a\\F\\b|""||\r'
    b"ZBE|501|20240803||INSERT\r"
)


def test_the_header_is_read_by_name() -> None:
    message = parse(ORU)
    assert (message.type, message.code, message.trigger, message.structure) == ("ORU^R01", "ORU", "R01", "ORU_R01")
    assert (message.control_id, message.version, message.processing_id) == ("77", "2.5", "P")
    assert (message.sender, message.sending_facility) == ("LAB^1.2.3^ISO|H07", "H07")
    assert (message.accept_ack_type, message.application_ack_type) == ("AL", "NE")


def test_msh_1_is_the_separator_and_msh_2_the_encoding_characters() -> None:
    msh = parse(ORU).segments[0]
    assert (msh.raw(1), msh.raw(2), msh.raw(3)) == ("|", "^~\\&", "LAB^1.2.3^ISO")
    assert (msh.get(1), msh.get(2), msh.get(3), msh.get(3, 2)) == ("|", "^~\\&", "LAB", "1.2.3")
    assert msh.reps(2) == ["^~\\&"]


def test_fields_are_read_by_number_component_subcomponent_and_repetition() -> None:
    pid = parse(ORU).all("PID")[0]
    assert pid.get(3) == "000042"
    assert pid.get(3, component=4, sub=2) == "1.2.3"
    assert (pid.get(3, rep=1), pid.get(3, 4, rep=1)) == ("123", "INS")
    assert pid.reps(5) == ["DUPONT^Jeanne^Marie", "DURAND^Jeanne"]
    assert "" == pid.get(3, rep=2) == pid.get(3, 9) == pid.get(3, 1, 2) == pid.get(99) == pid.raw(99)
    assert [] == pid.reps(6) == pid.reps(99)


def test_null_is_not_empty_and_escapes_are_replaced_only_in_values() -> None:
    obx = parse(ORU).all("OBX")[0]
    assert (obx.is_null(6), obx.is_null(7), obx.is_null(99)) == (True, False, False)
    assert obx.get(6) == ""
    assert (obx.get(5), obx.raw(5)) == ("a|b", "a\\F\\b")


def test_z_segments_are_kept() -> None:
    message = parse(ORU)
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "OBX", "ZBE"]
    assert message.all("ZBE")[0].get(4) == "INSERT"
    assert message.first("ZBE") is message.segments[3]
    assert message.first("PV1") is None


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r", b"\n\n"])
def test_segments_end_as_their_sender_ends_them(end: bytes) -> None:
    raw = ORU.replace(b"\r", end)
    message = parse(raw)
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "OBX", "ZBE"]
    assert raw == message.encode()
    assert message.remarks == []


def test_a_lone_line_feed_in_a_message_of_cr_lines_is_data() -> None:
    message = parse(b"MSH|^~\\&|A\rOBX|1|TX|||un\ndeux\n\ntrois||||||F\rZZZ|1\r")
    assert message.all("OBX")[0].get(5) == "un\ndeux\n\ntrois"
    assert message.all("OBX")[0].get(11) == "F"


def test_line_feeds_end_segments_too_when_a_known_segment_follows() -> None:
    message = parse(b"MSH|^~\\&|A\rPID|1\nPV1|1\nZBE|5\nTNF|un\nDG1|1\r")
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "PV1", "ZBE", "DG1"]
    assert message.all("ZBE")[0].raw(1) == "5\nTNF"


@pytest.mark.parametrize("end", [b"\r", b"\n"])
def test_a_text_that_its_sender_broke_keeps_its_rest_and_its_status(end: bytes) -> None:
    raw = end.join([b"MSH|^~\\&|A", b"OBX|1|TX|||un", b"deux", b"trois||||||F", b"NTE|1", b""])
    message = parse(raw)
    assert [segment.name for segment in message.segments] == ["MSH", "OBX", "NTE"]
    assert (message.all("OBX")[0].get(5), message.all("OBX")[0].get(11)) == ("un\ndeux\ntrois", "F")
    assert message.remarks[0].split(":")[0] == "hl7v2.text-broken"


def test_a_line_that_begins_no_segment_is_kept_and_flagged() -> None:
    message = parse(b"MSH|^~\\&|A\rPID|1\rwhat is this|x\r")
    assert message.segments[2].text == "what is this|x"
    assert message.remarks[0].split(":")[0] == "hl7v2.odd-line"


def test_other_delimiters_are_those_of_the_header() -> None:
    message = parse(b"MSH$%*!@$LAB%X$H07$$$$$ADT%A01$9$P$2.5\rPID$$$1%%%H@2~*2\r")
    assert (message.type, message.sender) == ("ADT^A01", "LAB%X|H07")
    pid = message.all("PID")[0]
    assert (pid.get(3, 4, 2), pid.get(3, rep=1)) == ("2~", "2")
    assert message.unescape("!F!") == "$"


def test_a_fifth_encoding_character_is_the_truncation_character() -> None:
    message = parse(b"MSH|^~\\&#|A|B||||||1|P|2.7\rPID|1|a\\P\\b\r")
    assert message.all("PID")[0].get(2) == "a#b"


def test_a_backslash_escaped_once_too_often_leaves_the_subcomponents() -> None:
    message = parse(b"MSH|^~\\\\&|A|B\rPID|1|a&b\r")
    assert (message.all("PID")[0].get(2), message.all("PID")[0].get(2, 1, 2)) == ("a", "b")


def test_delimiters_that_are_not_declared_are_not_in_use() -> None:
    message = parse(b"MSH|^~|A|B\rPID|1|Dupont & fils \\F\\ x\r")
    assert message.all("PID")[0].get(2) == "Dupont & fils \\F\\ x"


@pytest.mark.parametrize(
    "raw", [b"MSH|", b"MSH||ADT", b"MSH|^~\\&", b"MSH|^~\\&|\r", b"\r\nMSH|^~\\&|A", b"MSH|^~\\&|\xff"]
)
def test_a_poor_header_is_a_message_all_the_same(raw: bytes) -> None:
    message = parse(raw)
    assert raw == message.encode()
    assert (message.control_id, message.type) == ("", "")
    assert message.segments[0].name == "MSH"


@pytest.mark.parametrize(
    "raw", [b"", b"PID|1", b"MSH", b"MSH\r", b"MSHX|", b"MSH \r", b"GET / HTTP/1.1", b"\xff" * 9, b"FHS|^~\\&|"]
)
def test_what_has_no_header_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(NotHL7, match="expected MSH") as refusal:
        parse(raw)
    assert refusal.value.code == "hl7v2.no-msh"


def test_a_message_in_a_log_line_shows_no_patient() -> None:
    message = parse(ORU)
    assert "DUPONT" not in repr(message) + repr(message.segments)


_PIECE = st.sampled_from(
    [
        b"|",
        b"^",
        b"~",
        b"\\",
        b"&",
        b"\r",
        b"\n",
        b"PID",
        b"OBX|1|",
        b"ZBE|",
        b'""',
        b"x",
        b"\xc3\xa9",
        b"\xe9",
        b"\\F\\",
    ]
)


@given(st.lists(_PIECE, max_size=40).map(lambda pieces: b"MSH|^~\\&|" + b"".join(pieces)))
def test_any_message_is_read_whole(raw: bytes) -> None:
    message = parse(raw)
    assert raw == message.encode()
    _assert_whole(message)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_the_one_refusal(raw: bytes) -> None:
    for attempt in (raw, b"MSH" + raw, b"MSH|" + raw):
        with suppress(NotHL7):
            _assert_whole(parse(attempt))


def _assert_whole(message: Message) -> None:
    """Every character of the text stands in one segment or between two, and every segment is its fields."""
    text = "".join(segment.text for segment in message.segments)
    ends = str.maketrans("", "", "\r\n\t \x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029")
    begin = message.text.find("MSH")
    assert message.text[begin:].translate(ends) == text.translate(ends)
    for segment in message.segments:
        fields = segment.fields()
        exact = [fields[0], *fields[2:]] if segment.name in ("MSH", "BHS", "FHS") else fields
        assert segment.text == message.delimiters.field.join(exact)
        for field in range(1, len(fields)):
            segment.get(field)
            segment.get(field, 2, 2, 1)


@pytest.mark.skipif(not PUBLIC, reason="the shared public messages are not beside this checkout")
def test_public_messages_come_back_byte_for_byte() -> None:
    """All of them: 100 %, batches by their messages and envelope."""
    seen: Counter[str] = Counter()
    for path in PUBLIC:
        raw = path.read_bytes()
        batch = split_batch(raw)
        for content in batch.messages if batch is not None else [raw]:
            message = parse(content)
            assert content == message.encode(), path.name
            assert content == message.text.encode(message.charset), path.name
            _assert_whole(message)
            seen["messages"] += 1
            seen["Z"] += sum(segment.name.startswith("Z") for segment in message.segments)
            seen["odd"] += any("odd-line" in remark for remark in message.remarks)
        seen["files"] += 1
    assert len(PUBLIC) == seen["files"]
    assert seen["messages"] >= seen["files"]
    assert seen["Z"] > 0
    assert seen["odd"] == 0
