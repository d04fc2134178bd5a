"""MLLP: an HL7 v2 message is answered by an acknowledgement that names it: MSA|AA|<our control id>.

The message is NMQ^N01, the standard's own "are you there" of the network (HL7 v2.5.1, chapter 14), marked as a test
(MSH-11 T). Whoever refuses it by name (AE, AR) speaks HL7 too but is not called well, unless the estate says that this
system does so when it is well: mllp://host:port?accept=AA,AR
Source: MLLP release 1: <VT> message <FS><CR>.
"""

from __future__ import annotations

import re

from releve.recovery.probe.dialogue import Dialogue, more
from releve.recovery.probe.reading import Verdict, clipped

_START, _END = 0x0B, 0x1C

#: What stands between the frame of our own question, to the last character.
_OURS = re.compile(
    rb"MSH\|\^~\\&\|RELEVE\|PROBE\|\|\|(\d{14})\|\|NMQ\^N01\|([0-9a-f]{16})\|T\|2\.5\.1\r"
    rb"QRD\|\1\|R\|I\|\2\|\|\|1\^RD\|\|OTH\|PROBE\r"
)


def question(control_id: str, at: str, kind: str = "NMQ^N01") -> bytes:
    """Return the framed message.

    at    now as HL7 writes it, 20240803091244
    kind  MSH-9
    """
    message = (
        f"MSH|^~\\&|RELEVE|PROBE|||{at}||{kind}|{control_id}|T|2.5.1\rQRD|{at}|R|I|{control_id}|||1^RD||OTH|PROBE\r"
    )
    return b"\x0b" + message.encode("ascii") + b"\x1c\r"


def is_question(raw: bytes) -> bool:
    """Say whether a message is what `question` writes, and nothing besides: it tells no fact that could be lost."""
    return raw.startswith(b"MSH|^~\\&|RELEVE|PROBE|") and _OURS.fullmatch(raw) is not None


def acknowledged(
    control_id: str, at: str, kind: str = "NMQ^N01", accept: frozenset[str] = frozenset(("AA", "CA"))
) -> Dialogue:
    """Return the dialogue; answers to other messages on the line are passed over."""
    heard = bytearray()
    words = question(control_id, at, kind)
    while True:
        yield from more(heard, words)
        words = b""
        while True:
            start = heard.find(_START)
            end = heard.find(_END, max(start, 0))
            if start < 0 or end < 0:
                break
            block = bytes(heard[start + 1 : end])
            del heard[: end + 1]
            verdict = judge(block, control_id, accept)
            if verdict is not None:
                return verdict


def judge(block: bytes, control_id: str, accept: frozenset[str]) -> Verdict | None:
    """Return what an acknowledgement means, None when it is of another message."""
    text = block.decode("latin-1")
    if not text.startswith("MSH") or len(text) < 5:
        return Verdict("wrong", f"its answer is no HL7 v2: {clipped(text, 40)!r}")
    separator = text[3]
    segments = text.replace("\n", "\r").split("\r")
    msa = next((segment.split(separator) for segment in segments if segment.startswith("MSA" + separator)), None)
    if msa is None or len(msa) < 3:
        return Verdict("wrong", "its answer has no MSA segment, so it acknowledges nothing")
    if msa[2] != control_id:
        return None
    if msa[1] in accept:
        return Verdict("up", f"it acknowledges our message with {msa[1]}")
    return Verdict(
        "wrong", f"it answers our message with {clipped(msa[1], 10)}, expected {' or '.join(sorted(accept))}"
    )
