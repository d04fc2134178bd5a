"""What an event is, how it is chained, and what its body carries. Values only: no disk, no clock.

The chain: hash = SHA-256(prev_hash ‖ header ‖ body), header being the msgpack array of every field that is not bytes of
the chain itself. The origin signs (Ed25519) the hash of the last event of each group it commits; since every hash
covers the one before, that signature covers all events back to the previous one. An event in the middle of a group has
an empty signature, and is believed only together with a signed one after it.
"""

from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import zstandard

GROUP = "group"
"""The channel that every hospital may hold."""
SITE = "site"
"""The channel kept only at its origin and the hubs."""

FIRST_PREV_HASH = bytes(32)

#: A body above this passes no hub (max_payload 1 MB less headers); larger raw input goes into a blob beside the log.
BODY_BYTES_MAX = 900_000


class Statement(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an event says about one FHIR resource. Folding statements in the order in which things happened gives it.

    verb     "mention"   fills what nobody has stated; makes the resource known when it was not
             "patch"     a JSON Merge Patch (RFC 7396): absent keeps, null deletes, an array replaces
             "put"       the whole resource, as results come
             "movement"  one movement of a stay: insert, update or cancel by its id
             "merge"     this patient is now known as another: content {"into": id}
             "unmerge"   it was a mistake: content {"from": id}
    type     FHIR type: "Patient", "Encounter", "Observation"…
    id       computed id of the resource
    at       when it happened, microseconds since 1970; not when somebody typed or sent it
    subject  id of the patient it is about; empty for none
    content  FHIR JSON without id and meta
    """

    verb: str
    type: str
    id: str
    at: int
    subject: str
    content: bytes


class Body(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an event carries: the input as it came, and what was understood of it, once, at the origin.

    source      where it came from: door, peer, sender, control_id, type (such as "ADT^A01"), author…; no patient data
    raw         the bytes as received; empty when they are in a blob (raw_sha256 names it) or there were none
    raw_sha256  of the raw bytes; empty when there were none
    statements  what is now known, in the order of the message
    remarks     what was not understood or was doubtful, each a sentence with its code in front: "hl7v2.charset-lies: …"
    understood  False for input that is kept and waits for somebody who can read it
    """

    source: dict[str, Any] = {}
    raw: bytes = b""
    raw_sha256: bytes = b""
    statements: list[Statement] = []
    remarks: list[str] = []
    understood: bool = True


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event that is not kept yet.

    event_id  sixteen bytes that name the fact; a second draft with the same id changes nothing
    body      encoded, see encode_body
    blobs     (sha256, bytes) kept at the origin only, in the same transaction
    """

    channel: str
    kind: str
    event_id: bytes
    body: bytes
    blobs: tuple[tuple[bytes, bytes], ...] = ()


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Proof that an event is on the disk.

    pos           place in this node's own order of keeping, over all origins
    seq           place in the origin's channel
    is_duplicate  the fact was kept before; pos and seq are those of the first time
    """

    pos: int
    seq: int
    is_duplicate: bool


class Event(msgspec.Struct, frozen=True, gc=False):
    """One fact, as kept. pos is this node's own; every other field is the same everywhere."""

    origin: str
    epoch: int
    channel: str
    seq: int
    hlc: int
    recorded_at: int
    kind: str
    event_id: bytes
    body: bytes
    prev_hash: bytes
    hash: bytes
    signature: bytes
    pos: int = 0


class _WireEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    version: int
    origin: str
    epoch: int
    channel: str
    seq: int
    hlc: int
    recorded_at: int
    kind: str
    event_id: bytes
    body: bytes
    prev_hash: bytes
    signature: bytes


_WIRE_VERSION = 1
_header_encoder = msgspec.msgpack.Encoder()
_body_encoder = msgspec.msgpack.Encoder()
_body_decoder = msgspec.msgpack.Decoder(Body)
_wire_decoder = msgspec.msgpack.Decoder(_WireEvent)
_ZSTD_LEVEL = 1  # level 3 saves 4 % of the bytes of a laboratory message and costs twice the time
_BODY_BYTES_UNPACKED_MAX = 128 * 2**20  # a peer must not be able to make us allocate more than a large document


#: Bodies say the same FHIR again and again; a dictionary that knows it makes a laboratory message little more than half
#: of the bytes. Its number stands in every frame; it is never changed, see tools/train_body_dictionary.py.
_DICTIONARY = zstandard.ZstdCompressionDict((Path(__file__).parent / "body-1.dict").read_bytes())
_DICTIONARY.precompute_compress(level=_ZSTD_LEVEL)


class _Zstd(threading.local):
    """One packer and one unpacker a thread: they may not be shared, and making one costs four times its use.

    The unpacker reads bodies that were written without a dictionary too.
    """

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, dict_data=_DICTIONARY)
        self.unpacker = zstandard.ZstdDecompressor(dict_data=_DICTIONARY)


_zstd = _Zstd()


def event_hash(
    prev_hash: bytes,
    origin: str,
    epoch: int,
    channel: str,
    seq: int,
    hlc: int,
    recorded_at: int,
    kind: str,
    event_id: bytes,
    body: bytes,
) -> bytes:
    """Return the hash that chains an event to the one before it."""
    header = _header_encoder.encode((origin, epoch, channel, seq, hlc, recorded_at, kind, event_id))
    return sha256(prev_hash + header + body).digest()


def encode_body(body: Body) -> bytes:
    """Return a body as bytes: msgpack, compressed by zstd."""
    return _zstd.packer.compress(_body_encoder.encode(body))


def decode_body(data: bytes) -> Body:
    """Return the body that encode_body made.

    raises  ValueError  the bytes are not a body
    """
    try:
        plain = _zstd.unpacker.decompress(data, max_output_size=_BODY_BYTES_UNPACKED_MAX)
        return _body_decoder.decode(plain)
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise ValueError(f"these {len(data)} bytes are no event body: {error}") from error


def encode_event(event: Event) -> bytes:
    """Return an event as it travels between nodes; the hash is left out, the reader computes it."""
    return _header_encoder.encode(
        _WireEvent(
            _WIRE_VERSION,
            event.origin,
            event.epoch,
            event.channel,
            event.seq,
            event.hlc,
            event.recorded_at,
            event.kind,
            event.event_id,
            event.body,
            event.prev_hash,
            event.signature,
        )
    )


def decode_event(data: bytes) -> Event:
    """Return the event that travelled as these bytes, its hash computed anew.

    raises  ValueError  the bytes are not an event of a version we know
    """
    try:
        w = _wire_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"these {len(data)} bytes are no event: {error}") from error
    if w.version != _WIRE_VERSION:
        raise ValueError(f"event of version {w.version}; this node knows version {_WIRE_VERSION}: update it")
    digest = event_hash(
        w.prev_hash, w.origin, w.epoch, w.channel, w.seq, w.hlc, w.recorded_at, w.kind, w.event_id, w.body
    )
    return Event(
        w.origin,
        w.epoch,
        w.channel,
        w.seq,
        w.hlc,
        w.recorded_at,
        w.kind,
        w.event_id,
        w.body,
        w.prev_hash,
        digest,
        w.signature,
    )
