"""The stream protocols as transcripts: what is said, what is heard, what it means. No socket."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releve.recovery.probe import (
    ber,
    dicom,
    http,
    imap,
    ldap,
    mllp,
    nut,
    postgresql,
    redfish,
    redis,
    smtp,
    ssh,
    tcp,
)
from releve.recovery.probe.dialogue import Dialogue
from releve.recovery.probe.reading import ANSWER_BYTES_MAX, Verdict

Play = Callable[[Dialogue, Iterable[bytes]], tuple[Verdict, list[bytes]]]
Slowly = Callable[[Dialogue, bytes], tuple[Verdict, list[bytes]]]

BIND_OK = bytes.fromhex("300c02010161070a010004000400")
ENTRY = bytes.fromhex("3009020102640404003000")
SEARCH_OK = bytes.fromhex("300c02010265070a010004000400")
PG_READY = postgresql.encode_message(b"Z", b"I")
PG_TRUST = postgresql.encode_message(b"R", bytes(4)) + postgresql.encode_message(b"S", b"a\x00b\x00") + PG_READY
PG_ROW = postgresql.encode_message(b"T", b"\x00\x01") + postgresql.encode_message(b"D", b"\x00\x01\x00\x00\x00\x011")
PG_ONE = PG_ROW + postgresql.encode_message(b"C", b"SELECT 1\x00") + PG_READY
ACCOUNT = postgresql.Account("probe", "record", "secret", "nonce")


def pg_error(code: str, sentence: str) -> bytes:
    return postgresql.encode_message(b"E", f"SFATAL\x00C{code}\x00M{sentence}\x00\x00".encode())


def dicom_accept(result: int = 0) -> bytes:
    return dicom.encode_pdu(0x02, bytes(68) + bytes.fromhex("2100 0004 0100") + bytes((result, 0)))


def dicom_echo_answer(status: int = 0) -> bytes:
    """C-ECHO-RSP as a peer sends it: class, command 8030, answers message 1, no data set, status."""
    command = bytes.fromhex(
        "0000 0200 12000000 312e322e3834302e31303030382e312e3100"
        "0000 0001 02000000 3080 0000 2001 02000000 0100 0000 0008 02000000 0101 0000 0009 02000000"
    ) + status.to_bytes(2, "little")
    return dicom.encode_data(command)


def ssh_packet(kind: int = 20) -> bytes:
    payload = bytes((kind,)) + bytes(20)
    return (len(payload) + 1 + 6).to_bytes(4, "big") + b"\x06" + payload + bytes(6)


def json_answer(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


WELL: dict[str, tuple[Callable[[], Dialogue], list[bytes]]] = {
    "smtp": (smtp.noop, [b"220-hello\r\n220 mail.example ESMTP\r\n", b"250 OK\r\n"]),
    "redis": (redis.ping, [b"+PONG\r\n"]),
    "nut": (lambda: nut.status("feed-a"), [b'VAR feed-a ups.status "OL CHRG"\n']),
    "http": (lambda: http.get("h", 80, "/"), [b"HTTP/1.1 204 No Content\r\n\r\n"]),
    "http json": (lambda: http.get("h", 80, "/"), [json_answer('{"status":"pass"}')]),
    "mllp": (lambda: mllp.acknowledged("4711", "20240803"), [b"\x0bMSH|^~\\&|A\rMSA|AA|4711\r\x1c\r"]),
    "ldap": (ldap.bind_and_search, [BIND_OK, ENTRY + SEARCH_OK]),
    "postgresql": (lambda: postgresql.select_one(ACCOUNT), [PG_TRUST, PG_ONE]),
    "imap": (imap.open_inbox, [b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\na OK done\r\n"]),
    "imap login": (
        lambda: imap.open_inbox("probe", 's"x'),
        [b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\na OK in\r\n", b"* 3 EXISTS\r\nb OK [READ-ONLY] done\r\n"],
    ),
    "dicom": (dicom.echo, [dicom_accept(), dicom_echo_answer()]),
    "ssh": (ssh.exchange_begins, [b"welcome\r\nSSH-2.0-OpenSSH_9.2p1\r\n", ssh_packet()]),
    "redfish": (
        lambda: redfish.power_and_health("h", 443, "/redfish/v1/Systems/1", "probe", "p"),
        [json_answer('{"PowerState": "On", "Status": {"State": "Enabled", "Health": "OK"}}')],
    ),
}


def web() -> Dialogue:
    return http.get("h", 80, "/")


def hl7() -> Dialogue:
    return mllp.acknowledged("1", "2")


def ups() -> Dialogue:
    return nut.status("a")


def sql() -> Dialogue:
    return postgresql.select_one(ACCOUNT)


def board() -> Dialogue:
    return redfish.power_and_health("h", 443, "/redfish/v1/Systems/1")


def mailbox() -> Dialogue:
    return imap.open_inbox("probe", "p")


# The same protocols, saying that something is wrong.
UNWELL: list[tuple[Callable[[], Dialogue], list[bytes], str, str]] = [
    (smtp.noop, [b"421 too busy\r\n"], "wrong", "expected 220"),
    (smtp.noop, [b"220 hello\r\n", b"451 disk full\r\n"], "wrong", "disk full"),
    (smtp.noop, [b"220 hello\r\n"], "closed", "hung up"),
    (redis.ping, [b"-LOADING Redis is loading the dataset in memory\r\n"], "starting", "LOADING"),
    (redis.ping, [b"-NOAUTH Authentication required.\r\n"], "wrong", "NOAUTH"),
    (ups, [b'VAR a ups.status "OB DISCHRG LB"\n'], "battery", "low"),
    (ups, [b'VAR a ups.status "OL FSD"\n'], "battery", "forced shutdown"),
    (ups, [b"ERR DRIVER-NOT-CONNECTED\n"], "wrong", "DRIVER-NOT-CONNECTED"),
    (ups, [b'VAR b ups.status "OL"\n'], "wrong", "expected"),
    (ups, [b'VAR a ups.status "TRIM"\n'], "wrong", "neither OL nor OB"),
    (web, [b"HTTP/1.1 503 Later\r\n\r\n"], "starting", "503"),
    (web, [b"HTTP/1.1 500 Oops\r\n\r\n"], "wrong", "500 Oops"),
    (web, [b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"], "wrong", "302"),
    (web, [b"SSH-2.0-OpenSSH\r\n"], "wrong", "does not speak HTTP"),
    (web, [json_answer('{"status":"DOWN"}')], "wrong", "DOWN"),
    (web, [json_answer('{"status":"starting"}')], "starting", "starting"),
    (web, [json_answer("{")], "wrong", "not the JSON"),
    (hl7, [b"\x0bMSH|^~\\&|A\rMSA|AE|1\r\x1c\r"], "wrong", "AE, expected AA or CA"),
    (hl7, [b"\x0bMSH|^~\\&|A\rMSA|AA|2\r\x1c\r"], "closed", "hung up"),
    (hl7, [b"\x0bMSH|^~\\&|A\r\x1c\r"], "wrong", "no MSA"),
    (hl7, [b"\x0bhello\x1c\r"], "wrong", "no HL7"),
    (ldap.bind_and_search, [bytes.fromhex("300c02010161070a013104000400")], "wrong", "result 49"),
    (ldap.bind_and_search, [bytes.fromhex("300c02010161070a013304000400")], "starting", "result 51"),
    (ldap.bind_and_search, [BIND_OK, SEARCH_OK], "wrong", "0 entries"),
    (ldap.bind_and_search, [BIND_OK, bytes.fromhex("300c02010265070a012004000400")], "wrong", "result 32"),
    (ldap.bind_and_search, [b"HTTP/1.1 400 Bad Request\r\n"], "wrong", "does not speak LDAP"),
    (sql, [pg_error("57P03", "the database system is starting up")], "starting", "57P03"),
    (sql, [pg_error("3D000", "no such database")], "wrong", "3D000"),
    (sql, [PG_TRUST, PG_READY], "wrong", "no row"),
    (sql, [b"HTTP/1.1 400 Bad Request\r\n"], "wrong", "does not speak PostgreSQL"),
    (sql, [b"R\xff\xff\xff\xff"], "wrong", "announces an answer"),
    (imap.open_inbox, [b"* BYE too many connections\r\n"], "starting", "too many"),
    (imap.open_inbox, [b"220 mail ESMTP\r\n"], "wrong", "does not speak IMAP"),
    (mailbox, [b"* OK hi\r\n", b"a NO [AUTHENTICATIONFAILED] wrong\r\n"], "wrong", "LOGIN"),
    (mailbox, [b"* OK hi\r\n", b"a NO [UNAVAILABLE] directory away\r\n"], "starting", "directory away"),
    (mailbox, [b"* OK hi\r\n", b"a OK in\r\n", b"b NO mailbox locked\r\n"], "wrong", "EXAMINE INBOX"),
    (mailbox, [b"* OK hi\r\n", b"* BYE going down\r\n"], "starting", "hangs up at LOGIN"),
    (lambda: imap.open_inbox("a\r\nb"), [b"* OK hi\r\n"], "unasked", "control character"),
    (dicom.echo, [bytes.fromhex("030000000004 00020301")], "starting", "congested"),
    (dicom.echo, [bytes.fromhex("030000000004 00010107")], "wrong", "called AE title"),
    (dicom.echo, [bytes.fromhex("070000000004 00000000")], "closed", "aborts"),
    (dicom.echo, [dicom_accept(3)], "wrong", "no C-ECHO"),
    (dicom.echo, [dicom_accept(), dicom_echo_answer(0x0122)], "wrong", "status 290"),
    (dicom.echo, [b"HTTP/1.1 400 Bad Request\r\n"], "wrong", "does not speak DICOM"),
    (lambda: dicom.echo("A_TITLE_THAT_IS_TOO_LONG"), [], "unasked", "no AE title"),
    (ssh.exchange_begins, [b"SSH-1.5-old\r\n"], "wrong", "expected SSH 2.0"),
    (ssh.exchange_begins, [b"Exceeded MaxStartups\r\n"], "starting", "MaxStartups"),
    (ssh.exchange_begins, [b"SSH-2.0-x\r\n", ssh_packet(1)], "wrong", "does not begin the key exchange"),
    (ssh.exchange_begins, [b"SSH-2.0-x\r\n"], "closed", "hung up"),
    (board, [json_answer('{"PowerState": "Off"}')], "wrong", "its power is Off"),
    (board, [json_answer('{"PowerState": "PoweringOn"}')], "starting", "PoweringOn"),
    (board, [json_answer('{"PowerState": "PoweringOff"}')], "starting", "PoweringOff"),
    (board, [json_answer('{"PowerState": "On", "Status": {"Health": "Warning"}}')], "weak", "Warning"),
    (board, [json_answer('{"PowerState": "On", "Status": {"Health": "Critical"}}')], "wrong", "Critical"),
    (board, [json_answer('{"Members": []}')], "wrong", "no PowerState"),
    (board, [json_answer("", "401 Unauthorized")], "wrong", "401"),
]


@pytest.mark.parametrize("name", WELL)
def test_a_well_server_is_up_wherever_its_answer_is_cut(name: str, play: Play, play_byte_by_byte: Slowly) -> None:
    dialogue, answers = WELL[name]
    assert play(dialogue(), answers)[0].state == "up"
    assert play_byte_by_byte(dialogue(), b"".join(answers))[0].state == "up"


@pytest.mark.parametrize("name", WELL)
def test_a_server_that_hangs_up_anywhere_is_never_up(name: str, play_byte_by_byte: Slowly) -> None:
    dialogue, answers = WELL[name]
    whole = b"".join(answers)
    for cut in range(len(whole)):
        verdict, _ = play_byte_by_byte(dialogue(), whole[:cut])
        # The end of a line or block may be missing only where the answer was whole without it.
        assert verdict.state == "closed" or len(whole) - cut <= 2, f"cut at {cut}: {verdict}"


@pytest.mark.parametrize(("dialogue", "answers", "state", "says"), UNWELL)
def test_an_unwell_server_is_named_for_what_it_said(
    dialogue: Callable[[], Dialogue], answers: list[bytes], state: str, says: str, play: Play
) -> None:
    verdict, _ = play(dialogue(), answers)
    assert verdict.state == state
    assert says in verdict.detail


def test_dicom_speaks_the_bytes_of_the_standard(play: Play) -> None:
    verdict, said = play(dicom.echo("STORE"), [dicom_accept(), dicom_echo_answer()])
    assert said[0][:2] == b"\x01\x00"
    assert said[0][10:42] == b"STORE".ljust(16) + b"RELEVE".ljust(16)
    assert said[1].endswith(bytes.fromhex("0000 0008 02000000 0101"))
    assert verdict.parting == bytes.fromhex("05000000000400000000"), "released, not broken off"


def test_an_answer_to_c_echo_may_come_in_parts(play: Play) -> None:
    whole = dicom_echo_answer()[12:]
    parts = [(1, whole[:20]), (3, whole[20:])]
    pdus = [
        dicom.encode_pdu(0x04, (len(part) + 2).to_bytes(4, "big") + bytes((1, control)) + part)
        for control, part in parts
    ]
    assert play(dicom.echo(), [dicom_accept(), *pdus])[0].state == "up"


def test_imap_opens_the_mailbox_without_the_right_to_change_it(play: Play) -> None:
    dialogue, answers = WELL["imap login"]
    verdict, said = play(dialogue(), answers)
    assert said == [b'a LOGIN "probe" "s\\"x"\r\n', b"b EXAMINE INBOX\r\n"]
    assert verdict.parting == b"z LOGOUT\r\n"


def test_redfish_logs_in(play: Play) -> None:
    dialogue, answers = WELL["redfish"]
    assert b"\r\nAuthorization: Basic cHJvYmU6cA==\r\n" in play(dialogue(), answers)[1][0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.binary(min_size=1, max_size=60), max_size=6), name=st.sampled_from(sorted(WELL)))
def test_any_bytes_give_a_verdict(answers: list[bytes], name: str, play: Play) -> None:
    verdict, _ = play(WELL[name][0](), answers)
    assert verdict.detail


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    name=st.sampled_from(sorted(WELL)), which=st.integers(0, 3), place=st.integers(0, 200), put=st.binary(max_size=8)
)
def test_a_well_answer_that_was_damaged_gives_a_verdict(
    name: str, which: int, place: int, put: bytes, play: Play
) -> None:
    dialogue, answers = WELL[name]
    damaged = list(answers)
    whole = damaged[which % len(damaged)]
    damaged[which % len(damaged)] = whole[: place % len(whole)] + put + whole[place % len(whole) + len(put) :]
    verdict, _ = play(dialogue(), damaged)
    assert verdict.detail


def test_a_server_that_talks_without_end_is_cut_off(play: Play) -> None:
    verdict, _ = play(smtp.noop(), [b"x" * 30_000] * 4)
    assert verdict.state == "wrong"
    assert f"after {ANSWER_BYTES_MAX} bytes" in verdict.detail


def test_smtp_says_noop_and_parts_politely(play: Play) -> None:
    verdict, said = play(smtp.noop(), [b"220 a\r\n", b"250 OK\r\n"])
    assert said == [b"NOOP\r\n"]
    assert verdict.parting == b"QUIT\r\n"


def test_mllp_passes_over_the_answer_to_somebody_else(play: Play) -> None:
    other = b"\x0bMSH|^~\\&|A\rMSA|AA|someone\r\x1c\r"
    verdict, said = play(mllp.acknowledged("4711", "20240803091244"), [other, b"\x0bMSH|^~\\&|A\rMSA|CA|4711\r\x1c\r"])
    assert verdict.state == "up"
    assert len(said) == 1
    assert said[0].startswith(b"\x0bMSH|^~\\&|RELEVE|PROBE|||20240803091244||NMQ^N01|4711|T|2.5.1\r")


def test_mllp_can_be_told_that_a_refusal_by_name_is_well(play: Play) -> None:
    dialogue = mllp.acknowledged("1", "2", accept=frozenset(("AA", "AR")))
    assert play(dialogue, [b"\x0bMSH|^~\\&|A\rMSA|AR|1\r\x1c\r"])[0].state == "up"


def test_ldap_speaks_the_bytes_of_the_standard(play: Play) -> None:
    _, said = play(ldap.bind_and_search("dc=x"), [BIND_OK, ENTRY + SEARCH_OK])
    assert said[0] == bytes.fromhex("300c020101600702010304008000")
    assert said[1] == bytes.fromhex(
        "302e 020102 6329 0404 64633d78 0a0100 0a0100 020101 020100 010100870b 6f626a656374436c617373 3005 0403 312e31"
    )


@given(st.binary(max_size=400))
def test_a_ber_element_comes_back_as_it_went(content: bytes) -> None:
    tag, found, rest = ber.split(ber.encode(0x30, content) + b"rest")
    assert (tag, found, rest) == (0x30, content, b"rest")


def test_http_asks_for_the_path_with_its_query(play: Play) -> None:
    _, said = play(http.get("::1", 8080, "/healthz?deep=1"), [b"HTTP/1.1 200 OK\r\n\r\n"])
    assert said[0].startswith(b"GET /healthz?deep=1 HTTP/1.1\r\nHost: [::1]:8080\r\n")


def test_http_reads_a_chunked_body(play: Play) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    verdict, _ = play(http.get("h", 80, "/"), [head, b'9\r\n{"status"\r\n', b'8\r\n:"down"}\r\n0\r\n\r\n'])
    assert (verdict.state, "down" in verdict.detail) == ("wrong", True)


def test_postgresql_logs_in_by_md5(play: Play) -> None:
    ask = postgresql.encode_message(b"R", b"\x00\x00\x00\x05salt")
    verdict, said = play(postgresql.select_one(ACCOUNT), [ask, PG_TRUST, PG_ONE])
    inner = hashlib.md5(b"secretprobe").hexdigest().encode()
    word = b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode()
    assert verdict.state == "up"
    assert said[1] == postgresql.encode_message(b"p", word + b"\x00")


def scram_server(password: bytes, *, knows_it: bool = True) -> tuple[list[bytes], list[bytes]]:
    """Return the answers of a server to nonce "nonce", and the client's proof that it expects."""
    first = b"r=nonceSERVER,s=" + b64encode(b"salty") + b",i=4096"
    salted = hashlib.pbkdf2_hmac("sha256", password, b"salty", 4096)
    signed = b"n=,r=nonce," + first + b",c=biws,r=nonceSERVER"
    proof, signature = postgresql.scram_proof(salted, signed)
    signature = signature if knows_it else bytes(32)
    answers = [
        postgresql.encode_message(b"R", b"\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"),
        postgresql.encode_message(b"R", b"\x00\x00\x00\x0b" + first),
        postgresql.encode_message(b"R", b"\x00\x00\x00\x0cv=" + b64encode(signature)) + PG_TRUST,
        PG_ONE,
    ]
    return answers, [b"c=biws,r=nonceSERVER,p=" + b64encode(proof)]


def test_postgresql_logs_in_by_scram(play: Play) -> None:
    answers, expected = scram_server(b"secret")
    verdict, said = play(postgresql.select_one(ACCOUNT), answers)
    assert verdict.state == "up"
    assert said[2] == postgresql.encode_message(b"p", expected[0])


def test_a_server_that_cannot_prove_itself_is_wrong(play: Play) -> None:
    answers, _ = scram_server(b"secret", knows_it=False)
    verdict, _ = play(postgresql.select_one(ACCOUNT), answers)
    assert (verdict.state, "does not know the password" in verdict.detail) == ("wrong", True)


def test_scram_agrees_with_the_example_of_the_standard() -> None:
    """RFC 7677, section 3: user "user", password "pencil"."""
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    signed = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    proof, signature = postgresql.scram_proof(salted, signed)
    assert b64encode(proof) == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_bare_connection_is_called_weak(play: Play) -> None:
    verdict, _ = play(tcp.accepts(), [])
    assert (verdict.state, "not known" in verdict.detail) == ("up", True)
