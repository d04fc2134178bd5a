"""Dialogues over a stream: a generator says bytes, hears bytes, and returns a Verdict; it never sees the socket.

A dialogue yields what it wants to say (b"" to only listen) and is sent what came; b"" means that the other side hung
up. What it says last (QUIT) stands in the Verdict: nobody waits for an answer to that.
So a protocol is tested as a transcript, cut anywhere, without a server.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Generator

from releve.recovery.probe.reading import ANSWER_BYTES_MAX, Unwell, Verdict

Dialogue = Generator[bytes, bytes, Verdict]
Step = Generator[bytes, bytes, bytes]


def more(heard: bytearray, say: bytes = b"") -> Generator[bytes, bytes, None]:
    """Say something, listen, and add what came to `heard`.

    raises  Unwell  the other side hung up, or talks without end
    """
    data = yield say
    if not data:
        raise Unwell("closed", "it hung up before it had answered")
    heard += data
    if len(heard) > ANSWER_BYTES_MAX:
        raise Unwell("wrong", f"it talks without end; stopped after {ANSWER_BYTES_MAX} bytes")


def line(heard: bytearray, say: bytes = b"") -> Step:
    """Say something and return the next line, without its end, taking it out of `heard`."""
    if say:
        yield from more(heard, say)
    while (end := heard.find(b"\n")) < 0:
        yield from more(heard)
    found = bytes(heard[:end]).rstrip(b"\r")
    del heard[: end + 1]
    return found


def exactly(heard: bytearray, size: int) -> Step:
    """Return the next `size` bytes, taking them out of `heard`."""
    if size > ANSWER_BYTES_MAX:
        raise Unwell("wrong", f"it announces an answer of {size} bytes; at most {ANSWER_BYTES_MAX} are read")
    while len(heard) < size:
        yield from more(heard)
    found = bytes(heard[:size])
    del heard[:size]
    return found


async def hold(
    dialogue: Dialogue,
    host: str,
    port: int,
    *,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    show: Callable[[bytes], None] | None = None,
) -> Verdict:
    """Carry a dialogue over a TCP connection, within timeout_s for all of it.

    tls   the connection is made private by it before anything is said
    show  is given the server's certificate (DER) before the dialogue begins
    """
    connected = False
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            connected = True  # known apart from the handshake: a frozen server still accepts
            if tls is not None:
                await writer.start_tls(tls, server_hostname=host)
            if show is not None:
                show(writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b"")
            return await _carry(dialogue, reader, writer)
    except TimeoutError:
        if connected:
            return Verdict("frozen", f"it accepted the connection and did not answer within {timeout_s:g} s")
        return Verdict("silent", f"no connection within {timeout_s:g} s")
    except ConnectionRefusedError:
        return Verdict("refused", "nothing listens there")
    except ssl.SSLCertVerificationError as error:
        return Verdict("unasked", f"its certificate is not trusted ({error.verify_message}), so no password was sent")
    except (ConnectionError, ssl.SSLError) as error:
        return Verdict("closed", f"the connection broke: {error.strerror or error}")
    except OSError as error:
        return Verdict("unasked", f"it could not be asked: {error.strerror or error}")
    finally:
        dialogue.close()
        if writer is not None:
            writer.close()


async def _carry(dialogue: Dialogue, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Verdict:
    try:
        words = next(dialogue)
        while True:
            if words:
                writer.write(words)
                await writer.drain()
            words = dialogue.send(await reader.read(ANSWER_BYTES_MAX))
    except StopIteration as end:
        verdict: Verdict = end.value
        if verdict.parting:
            writer.write(verdict.parting)
        return verdict
    except Unwell as unwell:
        return unwell.verdict
