"""What really lies on the disks: logs of nodes and streams of hubs, read from outside with our own dozen lines.

The bytes are read as the format says they are (a row, msgpack in zstd with its dictionary), not through Relève's own
reader: a reader that shared a mistake with the writer would see nothing. Every hash is computed here.
"""

from __future__ import annotations

import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import nats
import zstandard
from nats.aio.client import Client
from nats.js.errors import NotFoundError

import releve.log
from releve.replica.enrolment import steward_tls

LOG_FILE = "log.db"
_BODY_BYTES_MAX = 128 * 2**20
_NO_HASH = bytes(32)
#: Part of the format: bodies name it by its number.
_DICTIONARY = zstandard.ZstdCompressionDict((Path(releve.log.__file__).parent / "body-1.dict").read_bytes())


class Kept(NamedTuple):
    """One event as it lies there.

    digest   its hash, computed here
    before   the hash that it says it follows
    content  sha256 of the raw message in it, as hex; empty for a capture
    text     for a capture, everything that it says, attachments unpacked
    """

    origin: str
    epoch: int
    channel: str
    seq: int
    kind: str
    digest: bytes
    before: bytes
    content: str
    text: str


class Holding(NamedTuple):
    """Everything that one place holds, and what is wrong with it in itself."""

    events: list[Kept]
    faults: list[str]


def read_log(folder: Path) -> Holding:
    """Return what a node's log holds, in channel order."""
    sql = (
        "SELECT origin, epoch, channel, seq, hlc, recorded_at, kind, event_id, body, prev_hash, hash FROM event"
        " ORDER BY origin, epoch, channel, seq"
    )
    events, faults = [], []
    with closing(sqlite3.connect(f"file:{folder / LOG_FILE}?mode=ro", uri=True)) as db:
        blobs = {bytes(digest): bytes(content) for digest, content in db.execute("SELECT sha256, bytes FROM blob")}
        for *fields, stored in db.execute(sql):
            try:
                kept = _kept(fields, blobs)
            except (zstandard.ZstdError, msgspec.DecodeError, IndexError, TypeError) as error:
                faults.append(f"{fields[0]}/{fields[2]}: the body of event {fields[3]} cannot be read ({error})")
                continue
            events.append(kept)
            if kept.digest != stored:
                faults.append(f"{kept.origin}/{kept.channel}: event {kept.seq} is not what its hash says")
    return Holding(events, faults + list(_breaks(events)))


async def hub_heads(folder: Path, url: str) -> dict[tuple[str, int, str], int]:
    """Return the last number of each channel in a hub, as its server counts them."""
    client = await _as_steward(folder, url)
    try:
        heads = {}
        for info in await client.jetstream().streams_info():
            _, origin, channel, *epoch = str(info.config.name).split("_")
            heads[origin, int(epoch[0].removeprefix("e")) if epoch else 1, channel] = int(info.state.last_seq)
        return heads
    finally:
        await client.close()


async def _as_steward(folder: Path, url: str) -> Client:
    seed = (folder / "keys" / "steward.seed").read_text()
    return await nats.connect(
        url, tls=steward_tls(folder), tls_handshake_first=True, nkeys_seed_str=seed, name="checker", connect_timeout=5
    )


async def read_hub(folder: Path, url: str) -> Holding:
    """Return what a hub's streams hold, asked of its server under the steward's credential."""
    client = await _as_steward(folder, url)
    events, faults = [], []
    try:
        stream_context = client.jetstream()
        for info in await stream_context.streams_info():
            stream = str(info.config.name)
            for seq in range(1, info.state.last_seq + 1):
                try:
                    stored = await stream_context.get_msg(stream, seq, direct=True)
                except NotFoundError:
                    origin, channel = stream.split("_")[1:3]
                    faults.append(f"{origin}/{channel}: number {seq} is missing in the stream")
                    continue
                _version, *fields, _signature = msgspec.msgpack.decode(stored.data or b"")
                events.append(_kept(fields, {}))
    finally:
        await client.close()
    events.sort()
    return Holding(events, faults + list(_breaks(events)))


def _kept(fields: list[Any], blobs: dict[bytes, bytes]) -> Kept:
    origin, epoch, channel, seq, hlc, recorded_at, kind, event_id, body, before = fields
    header = msgspec.msgpack.encode((origin, epoch, channel, seq, hlc, recorded_at, kind, event_id))
    plain = zstandard.ZstdDecompressor(dict_data=_DICTIONARY).decompress(body, max_output_size=_BODY_BYTES_MAX)
    _source, raw, raw_digest, statements, *_ = msgspec.msgpack.decode(plain)
    raw = raw or blobs.get(bytes(raw_digest), b"")
    content = sha256(raw).hexdigest() if raw else bytes(raw_digest).hex()
    text = "" if kind == "hl7v2" else "\n".join(_unpacked(statement[5]) for statement in statements)
    return Kept(origin, epoch, channel, seq, kind, sha256(before + header + body).digest(), before, content, text)


def _unpacked(content: bytes) -> str:
    """Return a statement's JSON, and the texts that are attached to it."""
    value = msgspec.json.decode(content) if content else {}
    parts = [content.decode("utf-8", "replace")]
    for item in value.get("content", []) if isinstance(value, dict) else []:
        parts.append(b64decode(item.get("attachment", {}).get("data", "")).decode("utf-8", "replace"))
    return "\n".join(parts)


def _breaks(events: list[Kept]) -> Iterator[str]:
    """Yield where a channel has a gap or does not follow itself. events are in channel order."""
    last: Kept | None = None
    for event in events:
        is_next = last is not None and last[:3] == event[:3]
        expected_seq = last.seq + 1 if last is not None and is_next else 1
        expected_before = last.digest if last is not None and is_next else _NO_HASH
        if event.seq != expected_seq:
            yield f"{event.origin}/{event.channel}: event {event.seq} comes where {expected_seq} should be"
        elif event.before != expected_before:
            yield f"{event.origin}/{event.channel}: event {event.seq} does not follow the one before it"
        last = event
