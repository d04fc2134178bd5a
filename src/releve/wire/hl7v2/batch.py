"""Batches: FHS/BHS … BTS/FTS around messages, and several messages in one block. Bytes only.

Each message comes out exactly as it stands; what stands around the messages is the envelope, so that nothing is lost.
Source: HL7 v2.5.1, 2.10.3 and 2.15.
"""

from __future__ import annotations

import re

import msgspec

_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
#: A line begins one of these: the only places at which a block may be cut into messages.
_BOUNDARY = re.compile(rb"(?:^|(?<=[\r\n]))(?:MSH|FHS|BHS|BTS|FTS)(?=[^\w\s]|[\r\n]|$)")
#: More messages than any night's batch holds; what follows stays in the last one, kept and readable, not lost.
MESSAGES_MAX = 10_000


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Messages that came together.

    messages    each as it stands, its last terminator included
    envelope    the lines around them: FHS, BHS, BTS, FTS; empty when there are none
    control_id  BHS-11, or FHS-11 when there is no BHS: what the reply refers to
    """

    messages: list[bytes]
    envelope: bytes
    control_id: str


def split_batch(content: bytes) -> Batch | None:
    """Return the messages of a block that holds several, or that has an envelope; None of a plain message."""
    if content[:3] not in _ENVELOPE and content.find(b"\rMSH", 3) < 0 and content.find(b"\nMSH", 3) < 0:
        return None
    starts = [(match.start(), match.group()) for match in _BOUNDARY.finditer(content)]
    starts = _plausible(content, starts)
    if not starts or (len(starts) == 1 and starts[0][1] == b"MSH"):
        return None
    messages: list[bytes] = []
    envelope = [content[: starts[0][0]]] if content[: starts[0][0]].strip() else []
    ends = [start for start, _ in starts[1:]] + [len(content)]
    for (start, name), end in zip(starts, ends, strict=True):
        (messages if name == b"MSH" else envelope).append(content[start:end])
    return Batch(messages, b"".join(envelope), _control_id(envelope))


def _plausible(content: bytes, starts: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Leave out line feeds that are data of a CR message, and what exceeds the limit."""
    first = min((at for at in (content.find(b"\r"), content.find(b"\n")) if at >= 0), default=-1)
    is_feed_data = first >= 0 and content[first] == 13
    kept = []
    messages = 0
    for start, name in starts:
        is_lone_feed = content[max(0, start - 1) : start] == b"\n" and content[start - 2 : start - 1] != b"\r"
        is_same_header = name == b"MSH" and content[start + 3 : start + 8] == content[3:8]
        if is_feed_data and is_lone_feed and not is_same_header:
            continue  # a line feed in a text of a message of CR lines
        messages += name == b"MSH"
        if messages > MESSAGES_MAX:
            break
        kept.append((start, name))
    return kept


def _control_id(envelope: list[bytes]) -> str:
    for wanted in (b"BHS", b"FHS"):
        for lines in envelope:
            if lines[:3] == wanted:
                fields = lines.split(b"\r")[0].split(b"\n")[0].split(lines[3:4] or b"|")
                if len(fields) > 10 and fields[10]:
                    return fields[10].decode("latin-1")
    return ""
