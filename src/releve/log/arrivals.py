"""Arrivals: what came through a door, on the disk before it is understood, until it is an event of the log.

A small file beside the log, written from its beginning to its end and over again. A record takes whole blocks, so that
one write, which the disk confirms (O_DIRECT and O_DSYNC), keeps everything that arrived together: the file is filled
with zeros when it is made, and no later write changes its length, which is what makes a sync of a growing file slow.

    block 0        magic, key of this file
    record         digest (BLAKE2b under that key), serial, length, then the msgpack array of what arrived together

What was written over, torn by a power cut or made up by a sender has no right digest and is passed over. What is found
is taken in again at the next start; an event that is held already changes nothing.
"""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from releve.clock import Instant
from releve.errors import StoreUnable

ARRIVALS_FILE = "arrivals.bin"

#: A thousand messages that came one by one: what is written in a quarter of a second, and events some milliseconds old.
SIZE_BYTES = 4 * 2**20
#: What one record may hold; more is written as several.
RECORD_BYTES_MAX = 512 * 2**10
#: The unit in which a disk is written past the cache.
BLOCK_BYTES = 4096

_MAGIC = b"releve arrivals 1\n"
_KEY_BYTES = 32
_HEAD = struct.Struct("<16sQI")
_encoder = msgspec.msgpack.Encoder()


class Arrival(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One message as it came.

    charset  of messages that leave theirs open, as the door was told
    remarks  what the door and the reader had to say of it
    """

    received_at: Instant
    peer: str
    raw: bytes
    charset: str = "utf-8"
    remarks: list[str] = []


_decoder = msgspec.msgpack.Decoder(list[Arrival])


class Arrivals:
    """The arrivals of one node; one process at a time.

    folder  the node's folder; the file is made when it is not there

    raises  StoreUnable  the file cannot be made or opened
    """

    def __init__(self, folder: Path, *, size_bytes: int = SIZE_BYTES) -> None:
        self._path = folder / ARRIVALS_FILE
        self._end = size_bytes
        try:
            data = _read_whole(self._path)
            if len(data) != size_bytes or not data.startswith(_MAGIC):
                _make(self._path, size_bytes)
                data = _read_whole(self._path)
            self._file = _open(self._path)
        except OSError as error:
            raise StoreUnable(
                "arrivals.unusable",
                f"{self._path} cannot be used: {error.strerror}. No message would be kept before it is understood.",
            ) from error
        self._key = _key_of(data)
        self._left, self._serial = _read(data, self._key)
        self._at = BLOCK_BYTES
        self._unsettled: deque[tuple[int, int]] = deque()  # (serial, bytes) of records not in the log yet
        self._unsettled_bytes = 0
        self._page = mmap.mmap(-1, RECORD_BYTES_MAX + BLOCK_BYTES)  # a mapping begins at a block, as O_DIRECT wants

    def left(self) -> list[Arrival]:
        """Return what an earlier life of this node kept and may not have made events of, oldest first."""
        return self._left

    def keep(self, arrivals: Sequence[Arrival]) -> tuple[int, int]:
        """Write arrivals, as many of them as one record holds; returns how many, and the serial of their record.

        They are on the disk when this returns. A write that the kernel carries out meanwhile (io_submit) was tried:
        its end waits for a processor that the node keeps busy, and everybody is a quarter slower.

        raises  StoreUnable  the disk refused, or too much is kept here that is no event yet; none of them is kept
        """
        count = len(arrivals)
        packed = _encoder.encode(arrivals)
        while len(packed) > RECORD_BYTES_MAX - _HEAD.size:
            assert count > 1, "a message larger than a record goes another way"
            count //= 2
            packed = _encoder.encode(arrivals[:count])
        self._write(packed)
        return count, self._serial

    def settle(self, serial: int) -> None:
        """Say that every record up to this one is in the log: its place may be written over."""
        unsettled = self._unsettled
        while unsettled and unsettled[0][0] <= serial:
            self._unsettled_bytes -= unsettled.popleft()[1]

    def close(self) -> None:
        """Let go of the file. What is settled is marked so, and is not looked at again at the next start."""
        if not self._unsettled:
            with suppress(StoreUnable):  # the next start looks at it once more, and finds it in the log
                self._write(_encoder.encode(()))
        os.close(self._file)

    def _write(self, packed: bytes) -> None:
        size = -(-(_HEAD.size + len(packed)) // BLOCK_BYTES) * BLOCK_BYTES
        at, skipped = self._at, 0
        if at + size > self._end:
            at, skipped = BLOCK_BYTES, self._end - at
        if self._unsettled_bytes + skipped + size > self._end - BLOCK_BYTES:
            raise StoreUnable(
                "arrivals.full",
                "This node holds as many messages as it can that its log has not taken yet; send again in a moment.",
            )
        serial = self._serial + 1
        counted = struct.pack("<QI", serial, len(packed))
        page = self._page
        page[: _HEAD.size] = blake2b(counted + packed, digest_size=16, key=self._key).digest() + counted
        page[_HEAD.size : _HEAD.size + len(packed)] = packed
        try:
            with memoryview(page) as view:
                written = self._put(view[:size], at)
        except OSError as error:
            raise StoreUnable(
                "arrivals.unwritable", f"The disk of this node refused a message ({error.strerror}); it was not kept."
            ) from error
        if written != size:
            raise StoreUnable("arrivals.unwritable", "The disk of this node took half of a message; it was not kept.")
        self._serial, self._at = serial, at + size
        self._unsettled.append((serial, skipped + size))
        self._unsettled_bytes += skipped + size

    def _put(self, data: memoryview, at: int) -> int:
        try:
            return os.pwritev(self._file, [data], at)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # A file system that opens a way past its cache and then does not take our blocks on it.
            os.close(self._file)
            self._file = os.open(self._path, os.O_WRONLY | os.O_DSYNC)
            return os.pwritev(self._file, [data], at)


def read_arrivals(folder: Path) -> list[Arrival]:
    """Return what stands in a node's arrivals and is not marked as settled, oldest first; safe while the node runs."""
    data = _read_whole(folder / ARRIVALS_FILE)
    return _read(data, _key_of(data))[0] if data.startswith(_MAGIC) else []


def _key_of(data: bytes) -> bytes:
    return data[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES]


def _read_whole(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def _make(path: Path, size_bytes: int) -> None:
    """Make the file whole: a length that is only announced would be paid for by every first write."""
    whole = path.with_suffix(".new")
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        head = (_MAGIC + secrets.token_bytes(_KEY_BYTES)).ljust(BLOCK_BYTES, b"\0")
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(head + bytes(size_bytes - BLOCK_BYTES))
        os.fsync(descriptor)
        whole.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # or a power cut might leave the bytes without the name that leads to them
        finally:
            os.close(folder)
    except OSError:
        whole.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_DSYNC | os.O_DIRECT)
    except OSError:
        return os.open(path, os.O_WRONLY | os.O_DSYNC)  # a file system that knows no way past its cache


def _read(data: bytes, key: bytes) -> tuple[list[Arrival], int]:
    """Return what is not marked as settled, and the highest serial that was written."""
    records: list[tuple[int, list[Arrival]]] = []
    at = BLOCK_BYTES
    while at + BLOCK_BYTES <= len(data):
        digest, serial, length = _HEAD.unpack_from(data, at)
        packed = data[at + _HEAD.size : at + _HEAD.size + min(length, RECORD_BYTES_MAX)]
        counted = data[at + 16 : at + _HEAD.size]
        if len(packed) == length and blake2b(counted + packed, digest_size=16, key=key).digest() == digest:
            records.append((serial, _decoder.decode(packed)))
            at += -(-(_HEAD.size + length) // BLOCK_BYTES) * BLOCK_BYTES
        else:
            at += BLOCK_BYTES
    records.sort(key=lambda record: record[0])
    settled = max((serial for serial, arrivals in records if not arrivals), default=0)
    left = [arrival for serial, arrivals in records if serial > settled for arrival in arrivals]
    return left, records[-1][0] if records else 0
