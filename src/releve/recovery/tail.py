"""The tail of a file that only grows: its new whole lines, each asked for once.

A page asks every second what is new of a journal that may have ten thousand lines; reading them all again each time
would make care wait for a page of the crisis cell. A line that is half written is not given out before it is whole.
"""

from __future__ import annotations

import os
from pathlib import Path


class Tail:
    """Reads a file from where it stopped; a file that became another one is read from its beginning.

    offset  bytes that were given out already
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self._inode = 0

    def new_lines(self) -> tuple[list[bytes], bool]:
        """Return the whole lines behind the offset, and whether what was given out before no longer counts."""
        try:
            with self.path.open("rb") as file:
                inode = self._status(file.fileno())
                size = file.seek(0, 2)
                is_new = size < self.offset or (self._inode not in (0, inode))
                self._inode = inode
                if is_new:
                    self.offset = 0
                if size == self.offset:
                    return [], is_new
                file.seek(self.offset)
                data = file.read(size - self.offset)
        except FileNotFoundError:
            is_gone, self.offset, self._inode = self.offset > 0, 0, 0
            return [], is_gone
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [line for line in whole.split(b"\n") if line], is_new

    @staticmethod
    def _status(descriptor: int) -> int:
        return os.fstat(descriptor).st_ino
