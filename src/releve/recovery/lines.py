"""Lines that are only ever added to a file: whole or not there at all, and on the disk when adding returns.

A power cut may leave half a line at the end. It never counts: readers stop at the last line end, and the next writer
cuts it off.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


def add_lines(path: Path, lines: bytes) -> None:
    """Add lines, each with its end, in one write under a lock.

    raises  OSError  the disk refused; the file is as it was
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _cut_half_line(descriptor)
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            if os.write(descriptor, lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)


def _cut_half_line(descriptor: int) -> None:
    end = os.lseek(descriptor, 0, os.SEEK_END)
    if end == 0 or os.pread(descriptor, 1, end - 1) == b"\n":
        return
    data = os.pread(descriptor, end, 0)
    os.ftruncate(descriptor, data.rfind(b"\n") + 1)
