"""Which process is which: a number alone is given again, a number with its start time and its boot is not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")

#: Field 22 of /proc/PID/stat counts from the boot in these.
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

#: Start times are rounded to a tick and the clock may have been set a little since.
_ROUNDING_S = 2.0


def identity(pid: int) -> str:
    """Return "number/start time/boot" of a running process; "" when it is gone (or has ended and waits to be noticed).

    source  proc(5)
    """
    found = _state_and_start(pid)
    return f"{pid}/{found[1]}/{_boot()}" if found is not None and found[0] not in "ZX" else ""


def is_running(process: str) -> bool:
    """Return whether the very process of an identity still runs."""
    number = process.partition("/")[0]
    return number.isdecimal() and identity(int(number)) == process


def pid_of(process: str) -> int:
    """Return the number of an identity."""
    return int(process.partition("/")[0])


def find(argv: Sequence[str], since_s: float) -> str:
    """Return the identity of a process that was started with these words after a moment, "" when there is none.

    since_s  seconds since 1970
    A script runs under its interpreter, whose words stand before; so the end of its words is compared.
    """
    wanted = b"".join(word.encode() + b"\0" for word in argv)
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if words.endswith(wanted) and (found := _state_and_start(int(entry.name))) is not None:
            started_s = _boot_s() + found[1] / _TICKS_PER_S
            if found[0] not in "ZX" and started_s >= since_s - _ROUNDING_S:
                return f"{entry.name}/{found[1]}/{_boot()}"
    return ""


def _state_and_start(pid: int) -> tuple[str, int] | None:
    try:
        # The second field is the program's name in brackets, which may itself hold brackets and spaces.
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[19])


def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text("ascii")[:8]
    except OSError:
        return ""


def _boot_s() -> float:
    for line in (PROC / "stat").read_text("ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
