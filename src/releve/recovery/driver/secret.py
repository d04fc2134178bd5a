"""Secret files: keys and passwords of other machines, which only the owner may read."""

from __future__ import annotations

import stat
from pathlib import Path

#: A private key or a password is no longer.
SECRET_BYTES_MAX = 64 * 1024


class Unusable(Exception):
    """A secret cannot be used; the sentence says why and what to do."""


def secret_path(name: str) -> Path:
    """Return the file of a secret.

    raises  Unusable  it is not there, or others than its owner may read or write it
    """
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Unusable(f"the secret {path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise Unusable(f"the secret {path} is no file")
    if mode & 0o077:
        raise Unusable(
            f"the secret {path} may be read by others (mode {stat.S_IMODE(mode):04o}, expected 0600); "
            f"it was not used: chmod 600 {path}, and change the secret if others have been on this machine"
        )
    return path


def read_secret(name: str) -> str:
    """Return the first line of a secret file.

    raises  Unusable  see secret_path
    """
    path = secret_path(name)
    try:
        with path.open("rb") as file:
            lines = file.read(SECRET_BYTES_MAX).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"the secret {path} cannot be read: {error}") from error
    if not lines or not lines[0]:
        raise Unusable(f"the secret {path} is empty")
    return lines[0]
