"""UPS asked over real sockets: an SNMP agent, a server that stays silent, one that hangs up, and nobody."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from recovery.probe.test_datagram_protocols import snmp_answer
from releve.errors import WrongUse
from releve.estate import Estate, Unit
from releve.recovery.power.ask import ask_ups
from releve.recovery.probe import ber

EstateOf = Callable[[str], Estate]


def feed(estate_of: EstateOf, probe: str) -> Unit:
    return estate_of(f'[[feed]]\nid = "feed-a"\nprobe = "{probe}"\n').units["feed-a"]


@pytest.fixture
def agent() -> Iterator[int]:
    """A UPS that answers one question by SNMP: on battery, low, 14 minutes, 60 %."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))

        def answer() -> None:
            question, asker = heard.recvfrom(2000)
            message = list(ber.elements(ber.split(question)[1]))
            request_id = int.from_bytes(next(iter(ber.elements(message[2][1])))[1], "big")
            heard.sendto(snmp_answer(3, 30, 14, 60, 5, request_id=request_id), asker)

        thread = threading.Thread(target=answer)
        thread.start()
        yield heard.getsockname()[1]
        thread.join()


def test_a_ups_is_asked_by_snmp(estate_of: EstateOf, agent: int) -> None:
    reading = asyncio.run(ask_ups(feed(estate_of, f"snmp://127.0.0.1:{agent}")))
    assert (reading.runtime_s, reading.charge, reading.is_low) == (840, 60, True)


def test_a_server_that_stays_silent_is_lost_data(estate_of: EstateOf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        unit = feed(estate_of, f"nut://127.0.0.1:{server.getsockname()[1]}/feed-a")
        reading = asyncio.run(ask_ups(unit, timeout_s=0.05))
    assert reading.is_lost
    assert "no answer within 0.05 s" in reading.detail


def test_a_server_that_hangs_up_and_one_that_is_not_there_are_lost_data(estate_of: EstateOf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        unit = feed(estate_of, f"nut://127.0.0.1:{port}/feed-a")
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        assert asyncio.run(ask_ups(unit)).is_lost
        thread.join()
    assert "could not be asked" in asyncio.run(ask_ups(unit)).detail


def test_a_wrong_address_is_refused(estate_of: EstateOf) -> None:
    with pytest.raises(WrongUse, match="version '3' is not spoken"):
        asyncio.run(ask_ups(feed(estate_of, "snmp://127.0.0.1?version=3")))
