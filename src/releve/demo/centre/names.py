"""The name service: DNS over UDP. SRV of _record.centre.example says the port, A of record.centre.example the host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from releve.demo.centre.room import HOST, ZONE, Programme, Room

_TTL_S = 5


def answer(question: bytes, ports: dict[str, int]) -> bytes | None:
    """Return the answer to a question, or None for bytes that are not one."""
    try:
        query = dns.message.from_wire(question)
        asked = query.question[0]
    except (dns.exception.DNSException, IndexError):
        return None
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    label = asked.name.to_text(omit_final_dot=True).lower().removesuffix(f".{ZONE}")
    program = label.removeprefix("_")
    if program not in ports:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif asked.rdtype == dns.rdatatype.SRV and label.startswith("_"):
        record = f"0 0 {ports[program]} {program}.{ZONE}."
        reply.answer.append(dns.rrset.from_text(asked.name, _TTL_S, dns.rdataclass.IN, dns.rdatatype.SRV, record))
    elif asked.rdtype == dns.rdatatype.A and not label.startswith("_"):
        reply.answer.append(dns.rrset.from_text(asked.name, _TTL_S, dns.rdataclass.IN, dns.rdatatype.A, HOST))
    return reply.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(data, self._ports)
        if reply is not None:
            self._transport.sendto(reply, addr)


async def _check(room: Room) -> None:
    """A name service that needed something by name could never start."""


async def _serve(room: Room, _: object, opened: Callable[[], None]) -> None:
    transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(room.ports), local_addr=(HOST, room.ports["names"])
    )
    opened()
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()


NAMES = Programme(_check, _serve, 0.4)
