"""SNMP: a UPS is asked where its output comes from, by the UPS-MIB (RFC 1628). On battery is a state of its own.

Versions 1 and 2c (RFC 1157, RFC 1901) by hand: one question, five values. Their community goes over the network in
clear; it is the name of a door, not a key, so the UPS should answer readers only on the management network.
"""

from __future__ import annotations

from releve.recovery.probe.ber import (
    INTEGER,
    NULL,
    OCTETS,
    SEQUENCE,
    elements,
    encode,
    encode_integer,
    encode_object,
    split,
)
from releve.recovery.probe.reading import Unwell, Verdict

VERSIONS = {"1": 0, "2c": 1}

_UPS = "1.3.6.1.2.1.33."
#: Battery status, seconds on battery, minutes remaining, charge in percent, output source.
ASKED = tuple(_UPS + tail for tail in ("1.2.1.0", "1.2.2.0", "1.2.3.0", "1.2.4.0", "1.4.1.0"))

#: What was asked, in that order; None is a value that this UPS does not give.
Values = tuple[int | None, int | None, int | None, int | None, int | None]

_GET, _RESPONSE = 0xA0, 0xA2

_BATTERY_LOW, _BATTERY_DEPLETED = 3, 4
_BYPASS, _ON_BATTERY = 4, 5
_ON_LINE = {3: "on line power", 6: "on line power, raised (booster)", 7: "on line power, lowered (reducer)"}
_SOURCES = {1: "other", 2: "none"}
_ERRORS = {2: "it knows no such value: not a UPS by RFC 1628", 5: "it could not read them", 16: "not allowed to read"}


def question(request_id: int, community: str = "public", version: str = "2c") -> bytes:
    """Return a GetRequest for the values that say whether a UPS carries its load from the mains."""
    wanted = b"".join(encode(SEQUENCE, encode_object(one) + encode(NULL, b"")) for one in ASKED)
    pdu = encode_integer(request_id) + encode_integer(0) + encode_integer(0) + encode(SEQUENCE, wanted)
    head = encode_integer(VERSIONS[version]) + encode(OCTETS, community.encode())
    return encode(SEQUENCE, head + encode(_GET, pdu))


def judge(answer: bytes, request_id: int) -> Verdict | None:
    """Return what an answer means, None when it is not an answer to this question."""
    said = parse_values(answer, request_id)
    return said if said is None or isinstance(said, Verdict) else judge_values(*said)


def parse_values(answer: bytes, request_id: int) -> Values | Verdict | None:
    """Return the five values of an answer, the Verdict of an error, None when it is no answer to this question."""
    try:
        response = _response(answer)
        if len(response) != 4 or int.from_bytes(response[0], "big") != request_id:
            return None
        error = int.from_bytes(response[1], "big")
        if error:
            return Verdict("wrong", f"its answer is error {error}: {_ERRORS.get(error, 'see RFC 1905')}")
        values = _values(response[3])
    except Unwell:
        return None
    battery, on_battery_s, left_min, charge, source = (values.get(encode_object(one)[2:]) for one in ASKED)
    return battery, on_battery_s, left_min, charge, source


def judge_values(
    battery: int | None, on_battery_s: int | None, left_min: int | None, charge: int | None, source: int | None
) -> Verdict:
    """Return what the five values mean; None is a value that this UPS does not give."""
    if source is None:
        return Verdict("wrong", "it does not say where its output comes from: not a UPS by RFC 1628")
    low = battery in (_BATTERY_LOW, _BATTERY_DEPLETED)
    if source == _ON_BATTERY:
        said = [f"on battery for {on_battery_s} s" if on_battery_s is not None else "on battery"]
        said += [f"{left_min} min left"] if left_min is not None else []
        said += [f"{charge} %"] if charge is not None else []
        return Verdict("battery", ", ".join(said) + (", which is low" if low else ""))
    if source == _BYPASS:
        return Verdict("weak", "on bypass: line power without a battery behind it")
    if source in _ON_LINE:
        said_so = _ON_LINE[source]
        return Verdict("weak", f"{said_so}, its battery is low") if low else Verdict("up", said_so)
    return Verdict("wrong", f"its output source is {_SOURCES.get(source, source)}, expected normal")


def _response(answer: bytes) -> list[bytes]:
    """Return the four parts of the response in a message: request id, error, index, bindings."""
    tag, message, _ = split(answer)
    parts = list(elements(message)) if tag == SEQUENCE else []
    if len(parts) != 3 or parts[2][0] != _RESPONSE:
        return []
    return [content for _, content in elements(parts[2][1])]


def _values(bindings: bytes) -> dict[bytes, int]:
    """Return the whole numbers among the bindings by their encoded name; what is absent has another tag."""
    values: dict[bytes, int] = {}
    for _, binding in elements(bindings):
        pair = list(elements(binding))
        if len(pair) == 2 and pair[1][0] == INTEGER:
            values[pair[0][1]] = int.from_bytes(pair[1][1], "big", signed=True)
    return values
