"""Pages for IT and the crisis cell: what works, what is late, what is owed, what is not yet understood; and the same
for machines.

    board_routes   /board, its decisions and reports; /status for the public; /healthz and /metrics for machines
    FeedWatch      says which expected feeds are late
    HubState       what the exchange with one hub was measured to be
    Decision       what a person decided about a message that a destination refused

No page of this room shows a name, a birth date or a message: it counts, dates and gives reasons.
"""

from releve.board.feeds import ExpectedFeed, FeedState, FeedWatch
from releve.board.routes import Decision, HubState, board_routes

__all__ = ["Decision", "ExpectedFeed", "FeedState", "FeedWatch", "HubState", "board_routes"]
