"""The archive: folds the log into the views, as soon as the desk has kept something."""

from __future__ import annotations

import gc
import signal
import threading
from types import FrameType

from releve.config import Config
from releve.log import Ledger
from releve.node.supervisor import Doors, Ready
from releve.record import Archive

#: How often to look whether the log grew: a page shows what was kept at most this much later. Results scatter over the
#: pages of two indexes, and a page that several of them touch is written once a transaction: by five hundreds a message
#: costs four fifths of what it costs by fifties. Nobody sees a tenth of a second.
_LOOK_EVERY_S = 0.1
#: After so many events at once others are there already: the longer they had to wait, the cheaper each of them is.
_MANY_EVENTS = 300
#: One transaction of the views; a reader never waits for it, but sees nothing of it before its end.
_EVENTS_MAX = 2000


def run(config: Config, doors: Doors, ready: Ready) -> None:
    """Be the archive until SIGTERM."""
    doors.http.close()
    doors.mllp.close()
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    archive = Archive(config.folder, origin=config.site_id)
    ledger = Ledger(config.folder)
    ready()
    # A fold makes no cycles, and walking what it holds in memory to find none costs 7 % of its time.
    gc.disable()
    seen = -1
    while not stopping.is_set():
        version = ledger.data_version()
        if version != seen:
            seen = version
            while archive.fold_new(_EVENTS_MAX) >= _MANY_EVENTS and not stopping.is_set():
                pass
        stopping.wait(_LOOK_EVERY_S)
    archive.close()
    ledger.close()
