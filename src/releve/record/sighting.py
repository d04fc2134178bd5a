"""What a hospital's node says to the others about the services it watches, as events, and what is kept of them.

An event holds the services whose state changed, or, now and then, all of them: so a hospital whose word is old can be
told apart from one that sees no change. Only the last word about each service is kept; the log has the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from releve.log import GROUP, Body, Draft, Event, encode_body
from releve.record.rows import Sighting
from releve.record.shelf import Shelf

#: The kind of such an event.
SIGHTING = "state"

SQL_SIGHTING = (
    "INSERT INTO sighting VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET hlc = excluded.hlc, "
    "state = excluded.state, since = excluded.since, checked_at = excluded.checked_at, why = excluded.why "
    "WHERE excluded.hlc > sighting.hlc"
)


def sighting_draft(sightings: Sequence[Sighting], event_id: bytes) -> Draft:
    """Return what this node says about services as an event for every hospital; whose word it is, its origin says."""
    services = {one.service: (one.state, one.since, one.checked_at, one.why) for one in sightings}
    return Draft(GROUP, SIGHTING, event_id, encode_body(Body({"door": "watch", "services": services})))


def see(shelf: Shelf, event: Event, told: dict[str, Any]) -> None:
    """Keep the last word of a hospital about each service: an older one never replaces a newer one."""
    for service, (state, since, checked_at, why) in told["services"].items():
        row = (str(service), event.origin, event.hlc, str(state), int(since), int(checked_at), str(why))
        shelf.db.execute(SQL_SIGHTING, row)
