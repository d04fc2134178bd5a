"""Which ids the views may know: an answer from memory to a question that is nearly always answered no.

Nearly every result is new, and to find that out the index of names is asked for each of them. Here an id sets three
bits of a large field (a Bloom filter). An id whose bits are not all set was never told; one whose bits are set may have
been, and the index is asked. It forgets none, so it may say "perhaps" too often and never "no" wrongly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import compress

# What multiplies matrices for numpy starts its threads when it is loaded, and in a process with more than one thread
# each lock of SQLite and of the allocator costs more: a twentieth of a fold. Nobody multiplies matrices here. The word
# for it is taken back, or every program that this one starts would inherit it.
_THREADS = "OPENBLAS_NUM_THREADS"
_is_ours = _THREADS not in os.environ
os.environ.setdefault(_THREADS, "1")
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

if _is_ours:
    del os.environ[_THREADS]

#: 8 MB: of five million names one question in a hundred is asked for nothing, of twenty million one in five.
FIELD_BYTES = 2**23
_BITS = np.uint64(3)
#: An odd number whose bits are well mixed (of the golden ratio): ids that differ little fall far from each other.
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = np.arange(1, 4, dtype=np.uint64)


class Known:
    """The ids that were told to it; each has 16 bytes."""

    def __init__(self, field_bytes: int = FIELD_BYTES) -> None:
        self._field = np.zeros(field_bytes, np.uint8)
        self._shift = np.uint64(64 - (field_bytes * 8 - 1).bit_length())

    def tell(self, ids: Iterable[bytes]) -> None:
        """Note ids as known."""
        places = self._places(b"".join(ids))
        np.bitwise_or.at(self._field, places >> _BITS, _masks(places))

    def perhaps(self, ids: list[bytes]) -> list[bytes]:
        """Return those that may be known, in their order; the others are not."""
        places = self._places(b"".join(ids))
        is_set = (self._field[places >> _BITS] & _masks(places)) != 0
        return list(compress(ids, is_set.all(axis=1).tolist()))

    def _places(self, joined: bytes) -> npt.NDArray[np.uint64]:
        """Return the places of three bits for each id."""
        halves = np.frombuffer(joined, np.uint64).reshape(-1, 2)
        mixed = halves[:, :1] * _MIX + halves[:, 1:] * _ROUNDS
        places: npt.NDArray[np.uint64] = ((mixed ^ (mixed >> np.uint64(29))) * _MIX) >> self._shift
        return places


def _masks(places: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (places & np.uint64(7)).astype(np.uint8))
