"""How channels are called at a hub: streams, subjects, and which ids a site may bear. Values only.

A stream holds one channel of one origin in one epoch. Its name is one token of a NATS subject, so permissions can name
it but no wildcard can cover a part of it: lists of streams are written out. Epoch 1 bears no number.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from releve.errors import WrongUse
from releve.log import GROUP, SITE

#: A dot or a star would be read by NATS as more than one name; an underscore would blur the parts of a stream's name.
SITE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_STREAM = re.compile(rf"EV_({SITE_ID.pattern})_({GROUP}|{SITE})(?:_e([1-9][0-9]{{0,3}}))?")

DIGEST = "digest.group"
"""Where a steward publishes the counters of all group streams, every second."""
ROSTER = "roster"
"""Where a steward publishes the signed list of sites and their keys."""

CHANNELS = (GROUP, SITE)


class Channel(NamedTuple):
    """One gapless sequence of events."""

    origin: str
    epoch: int
    name: str

    @property
    def stream(self) -> str:
        """Return the name of the stream that holds it."""
        return f"EV_{self.origin}_{self.name}{_suffix(self.epoch, '_')}"

    @property
    def subject(self) -> str:
        """Return the subject that its events are published on."""
        return f"ev.{self.origin}.{self.name}{_suffix(self.epoch, '.')}"

    def __str__(self) -> str:
        return f"{self.origin}/{self.epoch}/{self.name}"


def _suffix(epoch: int, mark: str) -> str:
    assert epoch >= 1, "epochs count from 1"
    return "" if epoch == 1 else f"{mark}e{epoch}"


def parse_stream(stream: str) -> Channel | None:
    """Return the channel that a stream holds; None of a name that is not ours."""
    match = _STREAM.fullmatch(stream)
    if match is None or match[3] == "1":
        return None
    return Channel(match[1], int(match[3] or 1), match[2])


def hint(origin: str) -> str:
    """Return where an origin says, best effort, that it has pushed something."""
    return f"hint.{origin}"


def inbox(site: str) -> str:
    """Return the only inbox prefix that a site may listen on."""
    return f"_INBOX_{site}"


def check_site(site: str) -> str:
    """Return a site id that may stand in names of streams.

    raises  WrongUse  it holds something else than letters, digits and hyphens, or more than 32 of them
    """
    if not SITE_ID.fullmatch(site):
        raise WrongUse(
            "replica.site-id",
            f'"{site}" cannot be a site id: 1 to 32 letters, digits or hyphens were expected, a hyphen not first.',
        )
    return site
