"""BER, the basic encoding rules of ASN.1 (X.690), as far as LDAP and SNMP need them: definite lengths, small tags."""

from __future__ import annotations

from collections.abc import Iterator

from releve.recovery.probe.reading import Unwell

SEQUENCE, INTEGER, OCTETS, NULL, OBJECT, ENUM, BOOLEAN = 0x30, 0x02, 0x04, 0x05, 0x06, 0x0A, 0x01


def encode(tag: int, content: bytes) -> bytes:
    """Return one BER element with a definite length."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def encode_integer(number: int, tag: int = INTEGER) -> bytes:
    """Return a number that is not negative."""
    return encode(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def encode_object(dotted: str) -> bytes:
    """Return an object identifier such as 1.3.6.1.2.1.33."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = bytearray((40 * first + second,))
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        content += bytes(reversed(groups))
    return encode(OBJECT, bytes(content))


def split(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first element of some bytes, and what follows it.

    raises  Unwell  the bytes are no BER
    """
    if len(data) < 2:
        raise Unwell("wrong", "its answer is no BER: an element is cut short")
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(data[2:start], "big")
    if len(data) < start + size:
        raise Unwell("wrong", "its answer is no BER: an element is cut short")
    return tag, data[start : start + size], data[start + size :]


def elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in the content of a sequence.

    raises  Unwell  the bytes are no BER
    """
    while content:
        tag, inner, content = split(content)
        yield tag, inner
