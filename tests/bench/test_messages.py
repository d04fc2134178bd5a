from releve.bench.messages import ADT_SHARE, Traffic, frame
from releve.wire.hl7v2 import parse


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(Traffic(7, 100).messages(50)) == list(Traffic(7, 100).messages(50))


def test_every_message_has_a_control_id_of_its_own() -> None:
    control_ids = [parse(message).control_id for message in Traffic(7, 100).messages(500)]
    assert len(set(control_ids)) == 500


def test_the_mix_is_what_the_docstring_says() -> None:
    messages = [parse(message) for message in Traffic(7, 1000).messages(4000)]
    results = [message for message in messages if message.code == "ORU"]
    assert abs(1 - len(results) / len(messages) - ADT_SHARE) < 0.03
    assert 2.6 < sum(len(message.all("OBX")) for message in results) / len(results) < 3.2


def test_a_frame_is_an_mllp_block() -> None:
    assert frame(b"MSH|") == b"\x0bMSH|\x1c\r"
