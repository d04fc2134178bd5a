"""Progress of anything longer than two seconds, on standard error, where a person looks on."""

from __future__ import annotations

import sys
import time

_FIRST_AFTER_S = 2.0
_EVERY_S = 0.5


class Progress:
    """Called with (done, total); shows a line that renews itself."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next_at = time.monotonic() + _FIRST_AFTER_S
        self._has_shown = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next_at and not (self._has_shown and done >= total):
            return
        self._next_at = now + _EVERY_S
        self._has_shown = True
        share = f"{100 * done / total:5.1f} %" if total else ""
        end = "\n" if done >= total else ""
        print(f"\r{self._what}: {done:,} of {total:,} {share}", end=end, file=sys.stderr, flush=True)
