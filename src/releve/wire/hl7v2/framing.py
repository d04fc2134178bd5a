"""MLLP blocks out of a stream of bytes: VT, content, FS, CR. The same values come out wherever the stream was cut.

Rules, for what the standard leaves to luck:
- FS ends a block; the CR behind it, or its absence, or a LF, says nothing. Blanks between blocks say nothing.
- VT begins a block. Inside one it does so only when MSH, BHS or FHS follows: Word puts VT into pasted text.
- A block that a new one, the end of the stream or a long silence ends instead of FS is whole when it ends with a line
  end (its sender forgets the trailer), and cut otherwise (its sender died and will send it again).
- Content without VT that begins with MSH and ends with FS is a block too.
- A block above the limit is told of at once and passed over to its end; the next one is served.

It decodes nothing and knows no socket. Every byte is looked at a fixed number of times, whatever the cuts.
Source: HL7 Transport Specification: MLLP, release 1, "Minimal Lower Layer Protocol block format".
"""

from __future__ import annotations

import msgspec

VT, FS, CR = b"\x0b", b"\x1c", b"\r"

#: French feeds carry documents of 820 kB; scanned ones in base64 reach a few MB. This leaves room and has an end.
MESSAGE_BYTES_MAX = 20 * 2**20
#: What is kept of bytes outside blocks and of blocks that are too long: enough to see who sent them and what.
NOISE_BYTES_MAX = 65_536

_STARTS = (b"MSH", b"BHS", b"FHS")
_BLANKS = b"\r\n\t \x00"


class Block(msgspec.Struct, frozen=True, gc=False):
    """The content of one block.

    flaw  "" as the standard has it; "no-start" without VT; "no-end" when something other than FS ended it
    """

    content: bytes
    flaw: str = ""


class Cut(msgspec.Struct, frozen=True, gc=False):
    """The beginning of a block whose rest never came."""

    content: bytes


class Noise(msgspec.Struct, frozen=True, gc=False):
    """Bytes outside blocks, without the blanks around them.

    is_flood  there were more of them than NOISE_BYTES_MAX; the rest of them is not told of
    """

    content: bytes
    is_flood: bool = False


class TooLong(msgspec.Struct, frozen=True, gc=False):
    """A block above the limit; head is its beginning, the rest is passed over."""

    head: bytes
    bytes_max: int


Framed = Block | Cut | Noise | TooLong


def frame(content: bytes) -> bytes:
    """Return content as an MLLP block."""
    return b"\x0b" + content + b"\x1c\r"


class Deframer:
    """Finds blocks in the bytes of one connection."""

    def __init__(self, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._fs_from = 0  # no FS stands before this place of the buffer
        self._vt_from = 0  # no VT that begins a block stands before this place of the buffer
        self._in_block = False
        self._passing = False  # over the rest of a block that is too long, or of a flood

    @property
    def is_inside(self) -> bool:
        """Whether something has begun and not ended."""
        return self._in_block or bool(self._buffer.strip(_BLANKS))

    def feed(self, data: bytes) -> list[Framed]:
        """Take the next bytes and return what they complete, in order."""
        if not self._buffer and not self._in_block and not self._passing and data[:1] == VT:
            end = data.find(FS)  # most peers send one block at a time, and most networks leave it whole
            if end == len(data) - 2 and data[-1] == 13 and end - 1 <= self._bytes_max and data.find(VT, 1) < 0:
                return [Block(data[1:end])]
        self._buffer += data
        found: list[Framed] = []
        while self._step(found):
            pass
        return found

    def end(self) -> list[Framed]:
        """Take the end of the stream, or a silence that is too long, and return what stood unfinished."""
        content = bytes(self._buffer)
        in_block, passing = self._in_block, self._passing
        self._begin_anew(len(content))
        if passing:
            return []
        if in_block:
            return _unfinished(content)
        noise = content.strip(_BLANKS)
        return [Noise(noise)] if noise else []

    def _step(self, found: list[Framed]) -> bool:
        """Find the next value in the buffer; returns whether it is worth looking for another one."""
        if not self._buffer:
            return False
        if self._in_block:
            return self._step_inside(found)
        return self._step_outside(found)

    def _step_inside(self, found: list[Framed]) -> bool:
        buffer = self._buffer
        fs = buffer.find(FS, self._fs_from)
        end = len(buffer) if fs < 0 else fs
        self._fs_from = end
        vt, is_start = self._find_start(end)
        limit = end if vt < 0 else vt
        if limit > self._bytes_max and not self._passing:
            found.append(TooLong(bytes(buffer[: min(NOISE_BYTES_MAX, self._bytes_max)]), self._bytes_max))
            self._passing = True
        if vt >= 0 and is_start:
            if not self._passing:
                found.extend(_unfinished(bytes(buffer[:vt])))
            self._begin_anew(vt)
            return True
        if vt >= 0 or fs < 0:
            if self._passing:
                self._drop(limit)
            return False
        if not self._passing:
            found.append(Block(bytes(buffer[:fs])))
        self._begin_anew(fs + 1)
        return True

    def _find_start(self, end: int) -> tuple[int, bool]:
        """Return (place, whether it is certain) of the VT that begins the next block before end; -1 for none.

        It is not certain while the three bytes behind VT have not come and may still be those of a start.
        """
        buffer = self._buffer
        while (vt := buffer.find(VT, self._vt_from, end)) >= 0:
            self._vt_from = vt
            behind = bytes(buffer[vt + 1 : vt + 4])
            if behind in _STARTS:
                return vt, True
            if vt + 1 + len(behind) == len(buffer) and any(start.startswith(behind) for start in _STARTS):
                return vt, False
            self._vt_from = vt + 1
        self._vt_from = end
        return -1, True

    def _step_outside(self, found: list[Framed]) -> bool:
        buffer = self._buffer
        blanks = len(buffer) - len(buffer.lstrip(_BLANKS)) if buffer[0] in _BLANKS else 0
        if blanks:
            self._drop(blanks)
        vt = buffer.find(VT, self._vt_from)
        before_vt = len(buffer) if vt < 0 else vt
        fs = buffer.find(FS, self._fs_from, before_vt)
        end = before_vt if fs < 0 else fs
        if end > NOISE_BYTES_MAX and not self._passing:
            found.append(Noise(bytes(buffer[:NOISE_BYTES_MAX]), is_flood=True))
            self._passing = True
        if vt < 0 and fs < 0:
            self._vt_from = self._fs_from = end
            if self._passing:
                self._drop(end)
            return False
        content = b"" if self._passing else bytes(buffer[:end]).rstrip(_BLANKS)
        if fs >= 0 and content[:3] in _STARTS:
            found.append(Block(bytes(buffer[:fs]), "no-start"))
        elif content:
            found.append(Noise(content))
        self._begin_anew(end + 1)
        self._in_block = fs < 0
        return True

    def _drop(self, count: int) -> None:
        """Forget the first bytes of the buffer."""
        del self._buffer[:count]
        self._fs_from = max(0, self._fs_from - count)
        self._vt_from = max(0, self._vt_from - count)

    def _begin_anew(self, count: int) -> None:
        """Forget the first bytes of the buffer; what follows stands outside of any block."""
        self._drop(count)
        self._in_block = self._passing = False


def _unfinished(content: bytes) -> list[Framed]:
    """Return what a block without FS is: whole when it ends with a line end, cut otherwise."""
    if not content.strip(_BLANKS):
        return []
    if content[:3] in _STARTS and content[-1:] in (b"\r", b"\n"):
        return [Block(content, "no-end")]
    return [Cut(content)]
