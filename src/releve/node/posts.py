"""The four posts of a node, in the order in which they start, and the run of them all."""

from __future__ import annotations

import socket
from collections.abc import Callable

from releve.config import Config
from releve.node import archive, courier, desk, ward
from releve.node.supervisor import Doors, Post, Supervisor, bind, lock

Announce = Callable[[socket.socket, socket.socket], None]

# A page somebody waits for goes before the taking in of messages, whose senders wait some milliseconds more at most;
# that goes before the folding of what came in, and all of it before the exchange with others.
_NICE_DESK = 3
_NICE_ARCHIVE = 5
_NICE_COURIER = 10


def run_node(config: Config, announce: Announce) -> int:
    """Run a node until SIGTERM; returns the exit code.

    announce  called once with the two listening sockets when every door is open

    raises  WrongUse, StoreUnable  the node could not start; nothing of it is left running
    """
    doors = Doors(http=bind(config.http.listen, "http"), mllp=bind(config.mllp.listen, "mllp"))
    lock(config.folder)
    posts = [
        Post("desk", desk.run, _NICE_DESK),
        Post("archive", archive.run, _NICE_ARCHIVE),
        Post("ward", ward.run),
        Post("courier", courier.run, _NICE_COURIER),
    ]
    return Supervisor(config, doors, posts).run(lambda: announce(doors.http, doors.mllp))
