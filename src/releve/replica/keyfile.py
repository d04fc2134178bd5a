"""Files that are replaced whole, and secrets that only their owner may read. A cut leaves the old file or the new."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from releve.errors import StoreUnable


def write_private(path: Path, content: bytes) -> Path:
    """Replace a file that only its owner may read (0600)."""
    return _replace(path, content, 0o600)


def write_public(path: Path, content: bytes) -> Path:
    """Replace a file that anybody on the machine may read (0644)."""
    return _replace(path, content, 0o644)


def _replace(path: Path, content: bytes, mode: int) -> Path:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(file, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise StoreUnable(
            "replica.unwritable", f"{path} cannot be written: {error.strerror}. The file that was there is unchanged."
        ) from error
    return path


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let nobody else change a hub's list of sites meanwhile: the steward and the command line both do."""
    with open(folder / "sites.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
