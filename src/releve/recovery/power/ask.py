"""Reading a UPS over the network: all variables of NUT in one answer, or the objects of the UPS-MIB. Never raises for
what the other side does: what cannot be read is lost data, and the rule knows what that means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from releve.estate import Unit
from releve.recovery.power.reading import UpsReading, from_mib, from_nut_lines, lost
from releve.recovery.probe import datagram, snmp
from releve.recovery.probe.address import Address, parse_address
from releve.recovery.probe.ask import snmp_question
from releve.recovery.probe.reading import Verdict

#: More than any upsd says of one UPS (a hundred variables).
ANSWER_BYTES_MAX = 65_536

#: A UPS that has not answered by then is asked again in the next round.
TIMEOUT_S = 2.0

AskUps = Callable[[Unit], Awaitable[UpsReading]]


async def ask_ups(unit: Unit, timeout_s: float = TIMEOUT_S) -> UpsReading:
    """Return what the UPS of a feed says now.

    unit    with a probe nut://HOST:PORT/UPS or snmp://HOST?community=NAME
    raises  WrongUse  the address itself is wrong
    """
    assert unit.probe is not None
    address = parse_address(unit.probe)
    if address.scheme == "snmp":
        return await _ask_snmp(address, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            return await _ask_nut(address)
    except TimeoutError:
        return lost(f"no answer within {timeout_s:g} s")
    except (OSError, ValueError, EOFError) as error:
        return lost(f"it could not be asked: {error}")


async def _ask_nut(address: Address) -> UpsReading:
    """Ask upsd for all variables of one UPS: LIST VAR, answered line by line until END LIST or ERR."""
    ups = address.path or "ups"
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(f"LIST VAR {ups}\n".encode())
        heard = b""
        while not heard.startswith(b"ERR ") or not heard.endswith(b"\n"):
            data = await reader.read(ANSWER_BYTES_MAX)
            heard += data
            if not data or b"\nEND LIST" in heard or len(heard) > ANSWER_BYTES_MAX:
                break
        writer.write(b"LOGOUT\n")
        return from_nut_lines(heard.decode("utf-8", "replace"), ups)
    finally:
        writer.close()


async def _ask_snmp(address: Address, timeout_s: float) -> UpsReading:
    request_id, words = snmp_question(address)
    found: list[snmp.Values] = []

    def judge(data: bytes) -> Verdict | None:
        said = snmp.parse_values(data, request_id)
        if said is None or isinstance(said, Verdict):
            return said
        found.append(said)
        return snmp.judge_values(*said)

    verdict = await datagram.ask(words, judge, address.host, address.port, timeout_s=timeout_s)
    if not found:
        return lost(verdict.detail)
    battery, _, minutes, charge, source = found[0]
    return from_mib(battery_status=battery, source=source, minutes=minutes, charge=charge)
