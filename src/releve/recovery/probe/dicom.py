"""DICOM (PS3.7, PS3.8): an association for Verification, C-ECHO answered by status 0, release. By hand, since a probe
needs six kinds of message and a library would bring threads.

Source: PS3.8 section 9.3 (PDUs), PS3.7 section 9.3.5 (C-ECHO) and annex E.1 (command elements).
"""

from __future__ import annotations

from collections.abc import Generator

from releve.recovery.probe.dialogue import Dialogue, exactly, more
from releve.recovery.probe.reading import Unwell, Verdict, clipped

_ASSOCIATE, _ACCEPT, _REJECT, _DATA, _RELEASE, _ABORT = 0x01, 0x02, 0x03, 0x04, 0x05, 0x07
_KINDS = frozenset((_ACCEPT, _REJECT, _DATA, _ABORT))
_PRESENTATION_ANSWER = 0x21

_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_VERIFICATION = b"1.2.840.10008.1.1"
_IMPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2"
#: Root 2.25 (UUIDs): whose implementation this is.
_IMPLEMENTATION = b"2.25.68039228371009956039783558670624074959"

_ECHO_REQUEST, _ECHO_ANSWER, _NO_DATA_SET = 0x0030, 0x8030, 0x0101
_CONTEXT, _MESSAGE_ID = 1, 1
#: Command and last fragment: both bits of the control header of a PDV.
_COMMAND, _LAST = 0x01, 0x02
#: An answer to C-ECHO is 78 bytes; a peer that cuts it finer than this is playing.
FRAGMENTS_MAX = 100

#: Why an association is refused (PS3.8, table 9-21), by (source, reason).
_REASONS = {
    (1, 3): "it does not know who calls (calling AE title)",
    (1, 7): "nobody of that name answers there (called AE title)",
    (3, 1): "it is congested for the moment",
    (3, 2): "it has as many associations as it may",
}
_AE_CHARS_MAX = 16


def echo(called: str = "ANY-SCP", calling: str = "RELEVE") -> Dialogue:
    """Return the dialogue.

    called, calling  application entity titles, at most 16 characters of ASCII
    """
    heard = bytearray()
    yield from more(heard, encode_associate(encode_title(called), encode_title(calling)))
    kind, body = yield from _pdu(heard)
    if kind == _REJECT:
        return judge_reject(body)
    if kind != _ACCEPT:
        return Verdict("wrong", f"its answer to the association is a PDU of type {kind:#04x}, expected an acceptance")
    result = presentation_result(body)
    if result != 0:
        return Verdict("wrong", f"it takes the association but no C-ECHO in it (result {result})")
    yield from more(heard, encode_data(encode_echo()))
    command = bytearray()
    for _ in range(FRAGMENTS_MAX):
        kind, body = yield from _pdu(heard)
        if kind != _DATA:
            return Verdict("wrong", f"its answer to C-ECHO is a PDU of type {kind:#04x}, expected data")
        is_last = False
        for control, part in fragments(body):
            command += part
            is_last = bool(control & _LAST)
        if is_last:
            return judge_answer(bytes(command))
    return Verdict("wrong", f"its answer to C-ECHO does not end within {FRAGMENTS_MAX} parts")


def judge_reject(body: bytes) -> Verdict:
    """Return what a refused association means: a transient refusal is a server that is not ready yet."""
    if len(body) < 4:
        return Verdict("wrong", "it refuses the association without a reason")
    result, source, reason = body[1], body[2], body[3]
    why = _REASONS.get((source, reason), f"source {source}, reason {reason}")
    return Verdict("starting" if result == 2 else "wrong", f"it refuses the association: {why}")


def judge_answer(command: bytes) -> Verdict:
    """Return what a command set means as the answer to our C-ECHO."""
    elements = read_command(command)
    kind, answered, status = (_number(elements.get(element)) for element in (0x0100, 0x0120, 0x0900))
    if kind != _ECHO_ANSWER or answered != _MESSAGE_ID:
        return Verdict("wrong", f"its answer is command {kind} to message {answered}, not the answer to our C-ECHO")
    release = encode_pdu(_RELEASE, bytes(4))
    if status != 0:
        return Verdict("wrong", f"it answers C-ECHO with status {status}, expected 0", release)
    return Verdict("up", "it accepts an association and answers C-ECHO", release)


def presentation_result(body: bytes) -> int | None:
    """Return the result for our presentation context in an acceptance; None when it says nothing about it."""
    for kind, content in _items(body[68:]):
        if kind == _PRESENTATION_ANSWER and content[:1] == bytes((_CONTEXT,)) and len(content) >= 3:
            return content[2]
    return None


def fragments(body: bytes) -> list[tuple[int, bytes]]:
    """Return control header and content of each PDV of a data PDU.

    raises  Unwell  a length in it lies
    """
    found = []
    while body:
        size = int.from_bytes(body[:4], "big")
        if size < 2 or len(body) < 4 + size:
            raise Unwell("wrong", "its answer to C-ECHO is cut short")
        found.append((body[5], body[6 : 4 + size]))
        body = body[4 + size :]
    return found


def read_command(command: bytes) -> dict[int, bytes]:
    """Return the elements of group 0000 by their number; what is cut short is left out."""
    elements: dict[int, bytes] = {}
    while len(command) >= 8:
        group, element = int.from_bytes(command[:2], "little"), int.from_bytes(command[2:4], "little")
        size = int.from_bytes(command[4:8], "little")
        if group == 0 and len(command) >= 8 + size:
            elements[element] = command[8 : 8 + size]
        command = command[8 + size :]
    return elements


def encode_title(title: str) -> bytes:
    """Return an application entity title, padded.

    raises  Unwell  it is too long or holds what no title may
    """
    if not title.isascii() or not title.isprintable() or "\\" in title or not 0 < len(title.strip()) <= _AE_CHARS_MAX:
        raise Unwell("unasked", f"{clipped(title)!r} is no AE title: 1 to 16 characters of ASCII without backslash")
    return title.strip().encode().ljust(_AE_CHARS_MAX)


def encode_associate(called: bytes, calling: bytes) -> bytes:
    """Return an A-ASSOCIATE-RQ that offers Verification in implicit little endian."""
    syntaxes = _item(0x30, _VERIFICATION) + _item(0x40, _IMPLICIT_LITTLE_ENDIAN)
    about_us = _item(0x51, (16_384).to_bytes(4, "big")) + _item(0x52, _IMPLEMENTATION) + _item(0x55, b"RELEVE-PROBE")
    return encode_pdu(
        _ASSOCIATE,
        b"\x00\x01\x00\x00"
        + called
        + calling
        + bytes(32)
        + _item(0x10, _APPLICATION_CONTEXT)
        + _item(0x20, bytes((_CONTEXT, 0, 0, 0)) + syntaxes)
        + _item(0x50, about_us),
    )


def encode_echo() -> bytes:
    """Return the command set of a C-ECHO-RQ."""
    rest = (
        _element(0x0002, _VERIFICATION + b"\x00")
        + _element(0x0100, _ECHO_REQUEST.to_bytes(2, "little"))
        + _element(0x0110, _MESSAGE_ID.to_bytes(2, "little"))
        + _element(0x0800, _NO_DATA_SET.to_bytes(2, "little"))
    )
    return _element(0x0000, len(rest).to_bytes(4, "little")) + rest


def encode_data(command: bytes) -> bytes:
    """Return a command set as one P-DATA-TF."""
    value = bytes((_CONTEXT, _COMMAND | _LAST)) + command
    return encode_pdu(_DATA, len(value).to_bytes(4, "big") + value)


def encode_pdu(kind: int, body: bytes) -> bytes:
    """Return a PDU: type, reserved byte, length, body."""
    return bytes((kind, 0)) + len(body).to_bytes(4, "big") + body


def _item(kind: int, content: bytes) -> bytes:
    return bytes((kind, 0)) + len(content).to_bytes(2, "big") + content


def _element(number: int, value: bytes) -> bytes:
    return bytes(2) + number.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value


def _items(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(data) >= 4:
        size = int.from_bytes(data[2:4], "big")
        found.append((data[0], data[4 : 4 + size]))
        data = data[4 + size :]
    return found


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value, "little") if value is not None else None


def _pdu(heard: bytearray) -> Generator[bytes, bytes, tuple[int, bytes]]:
    """Return type and body of the next PDU.

    raises  Unwell  it is an abort, or no PDU
    """
    head = yield from exactly(heard, 6)
    kind, size = head[0], int.from_bytes(head[2:], "big")
    if kind not in _KINDS:
        raise Unwell("wrong", f"it does not speak DICOM: {clipped(head)!r}")
    body = yield from exactly(heard, size)
    if kind == _ABORT:
        raise Unwell("closed", "it aborts the association")
    return kind, body
