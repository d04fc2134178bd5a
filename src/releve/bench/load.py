"""The load: senders that wait for each ACK, on one or many connections, in a process of their own.

Cheap on purpose: it shares two cores with what it measures, so messages are framed beforehand and nothing is parsed
but the MSA segment's code.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence

from releve.errors import Refused

_END = b"\x1c\r"
_REPLY_BYTES = 65_536
SILENCE_S = 30.0


def connect(port: int) -> socket.socket:
    """Return a connection to a server of this machine."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def send_one_by_one(port: int, frames: Sequence[bytes]) -> float:
    """Send on one connection, each frame after the ACK of the one before; returns the seconds it took.

    raises  Refused  an answer was no AA, or none came
    """
    with connect(port) as sock:
        began = time.perf_counter()
        for frame in frames:
            sock.sendall(frame)
            reply = sock.recv(_REPLY_BYTES)
            while not reply.endswith(_END):
                more = sock.recv(_REPLY_BYTES)
                if not more:
                    raise Refused("bench.closed", "The server closed the connection instead of answering.")
                reply += more
            _check(reply)
        return time.perf_counter() - began


def send_on_many(port: int, frames: Sequence[bytes], connections: int) -> float:
    """Send on many connections at once, each waiting for its own ACKs; returns the seconds it took."""
    selector = selectors.DefaultSelector()
    position = 0
    began = time.perf_counter()
    sockets = [connect(port) for _ in range(connections)]
    for sock in sockets:
        selector.register(sock, selectors.EVENT_READ)
    for sock in sockets[: len(frames)]:
        sock.sendall(frames[position])
        position += 1
    answered = 0
    while answered < len(frames):
        ready = selector.select(SILENCE_S)
        if not ready:
            raise Refused("bench.silence", f"No answer for {SILENCE_S:g} s after {answered} of {len(frames)} messages.")
        for key, _ in ready:
            sender = key.fileobj
            assert isinstance(sender, socket.socket)
            reply = sender.recv(_REPLY_BYTES)
            if not reply:
                raise Refused("bench.closed", "The server closed a connection instead of answering.")
            _check(reply)
            answered += 1
            if position < len(frames):
                sender.sendall(frames[position])
                position += 1
    took = time.perf_counter() - began
    for sock in sockets:
        sock.close()
    selector.close()
    return took


def _check(reply: bytes) -> None:
    if b"MSA|AA|" not in reply:
        raise Refused("bench.refused", f"The server did not accept a message: {reply[:200]!r}")
