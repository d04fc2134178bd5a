"""The batteries of the two feeds, as the night scripts them: on line power, on battery with so much announced, back.

A real upsd holds them where one is installed; otherwise the centre's own speaker of the NUT protocol does
(releve.demo.centre.power). Whoever asks cannot tell the difference.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import msgspec

from releve.demo.centre.power import FULL_CHARGE, Discharge, discharge_file
from releve.demo.centre.room import Room


class Batteries:
    """The script of both feeds.

    now  seconds since 1970
    """

    def __init__(self, room: Room, now: Callable[[], float] = time.time) -> None:
        self._room = room
        self._now = now

    def discharge(self, announced_s: float) -> None:
        """The mains fail: both UPS carry the load and announce so many seconds, fewer with each that passes."""
        path = discharge_file(self._room)
        draft = path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(Discharge(self._now(), announced_s, FULL_CHARGE)))
        os.replace(draft, path)

    def recharge(self) -> None:
        """The mains are back."""
        discharge_file(self._room).unlink(missing_ok=True)
