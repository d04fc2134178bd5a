from releve.translate.grammar import REMEMBERED_CHARACTERS_MAX, grammar_of, remembered
from releve.wire.hl7v2 import parse
from translate.scene import content, said, text


def test_messages_of_one_sender_share_one_grammar_and_those_of_others_do_not() -> None:
    one = parse(text("PID|1"))
    assert grammar_of(one) is grammar_of(parse(text("PID|2")))
    other = parse(text("PID|1").replace(b"|CHU|RELEVE", b"|NORD|RELEVE"))
    assert grammar_of(one) is not grammar_of(other)
    assert grammar_of(other).facility == "NORD"


def test_other_delimiters_give_the_same_facts() -> None:
    usual = text("PID|1||42^^^CHU&1.2.250.9&ISO^PI~43^^^CHU^AN||DOE^JANE^^^^^L||19800214|F", type_="ADT^A28")
    odd = usual.replace(b"^~\\&", b"*!?%")
    for before, after in (b"^*", b"~!", b"&%"):
        odd = odd[:8] + odd[8:].replace(bytes([before]), bytes([after]))
    assert content(said(usual), "Patient") == content(said(odd), "Patient")


def test_an_escape_is_read_in_the_charset_of_its_message() -> None:
    utf8 = text("PID|1||42^^^CHU^PI||LEF\\XC3A8\\VRE^A", type_="ADT^A28")
    latin = utf8.replace(b"UNICODE UTF-8", b"8859/1").replace(b"\\XC3A8\\", b"\\XE8\\")
    for raw in (utf8, latin):
        assert content(said(raw), "Patient")["name"][0]["family"] == "LEFèVRE"


def test_a_text_of_unusual_length_is_read_and_not_remembered() -> None:
    read: list[str] = []

    @remembered(8)
    def shout(exact: str) -> str:
        read.append(exact)
        return exact.upper()

    long = "x" * (REMEMBERED_CHARACTERS_MAX + 1)
    assert [shout(text) for text in ("a", "a", long, long)] == ["A", "A", long.upper(), long.upper()]
    assert read == ["a", long, long]
