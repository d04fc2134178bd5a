"""The functions of `schedule` and `serial`, compiled by numba; imported only where there is enough to do.

The compiled code is kept beside the sources, or in numba's own folder of the user where those may not be written; the
first use after an update compiles for some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import register_jitable

from releve.recovery import schedule, serial

#: Nothing in these functions makes an array, so none needs counting; counting the thirty of a Net and a State at every
#: call made a pass of two thousand steps take eight times as long.
_OPTIONS: dict[str, Any] = {"_nrt": False, "forceinline": True}

_INNER = (
    schedule.push,
    schedule.pop,
    schedule.push_end,
    schedule.pop_end,
    schedule.begin,
    schedule.copy,
    schedule.copy_state,
    schedule.make_ready,
    schedule.set_clock,
    schedule.note_more,
    schedule.change_shifts,
    schedule.start_ready,
    schedule.take,
    schedule.end_well,
    schedule.give_back,
    schedule.meet,
    schedule.play,
    serial.fits_from,
    serial.find_place,
    serial.split,
    serial.occupy,
    serial.place_all,
    serial.lift,
    serial.sort_by,
)

for _function in _INNER:
    register_jitable(**_OPTIONS)(_function)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder may be written, so nothing can be kept: compiled anew by each process
        compiled = numba.njit(**_OPTIONS)(function)
    return compiled


play_ranked = _compiled(schedule.play_ranked)
play_many = _compiled(schedule.play_many)
place_all = _compiled(serial.place_all)
walk = _compiled(serial.walk)


def arrays_of(record: Any) -> Any:
    """Return a Net, State, Arcs or Profile with its lists as arrays."""
    floats = {"shift_s", "clock", "since"}
    return type(record)(
        *(
            np.array(values, dtype=np.float64 if name in floats else np.int64)
            for name, values in zip(record._fields, record, strict=True)
        )
    )
