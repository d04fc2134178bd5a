"""When is everybody level? Asked of files and the hubs' own protocol, so that nobody's word is taken for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx

from releve.demo.account import Entry, read_account
from releve.demo.checker import GROUP, Place, not_back, read_centre
from releve.demo.kept import LOG_FILE, hub_heads
from releve.demo.seen import Fhir, compare, expected_facts
from releve.demo.stage import HUBS, Stage

_LOOK_PAUSE_S = 0.5

Heads = dict[tuple[str, int, str], int]


def log_heads(folder: Path) -> Heads:
    """Return the last number of each channel in a node's log."""
    sql = "SELECT origin, epoch, channel, max(seq) FROM event GROUP BY origin, epoch, channel"
    with closing(sqlite3.connect(f"file:{folder / LOG_FILE}?mode=ro", uri=True)) as db:
        return {(origin, epoch, channel): seq for origin, epoch, channel, seq in db.execute(sql)}


class Levelling:
    """Looks whether every log, hub, page and the record application have what the senders were promised."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._places = stage.places()

    async def wait(self, timeout_s: float) -> str:
        """Wait until everybody is level; returns "" or what is not after that time."""
        deadline = time.monotonic() + timeout_s
        while True:
            what = await self.missing()
            if not what or time.monotonic() > deadline:
                return what
            await asyncio.sleep(_LOOK_PAUSE_S)

    async def missing(self) -> str:
        """Return the first thing that is not level yet, as a sentence; "" when everything is."""
        for place in self._places:
            silent = [entry.sent.control_id for entry in _entries(place) if not entry.code]
            if silent:
                return f"{place.id}: {len(silent)} without an answer ({silent[0]} …)"
        heads = {place.id: log_heads(place.folder) for place in self._places}
        own = {channel: seq for id_, held in heads.items() for channel, seq in held.items() if channel[0] == id_}
        for id_, held in heads.items():
            for channel, seq in own.items():
                if channel[2] == GROUP and held.get(channel, 0) < seq:
                    return f"{id_}: {channel[0]}/{channel[2]} {held.get(channel, 0)}/{seq}"
        for hub in HUBS:
            depot = await hub_heads(self._stage.folder / hub, self._stage.hub_urls[hub])
            for channel, seq in own.items():
                if depot.get(channel, 0) < seq:
                    return f"{hub}: {channel[0]}/{channel[2]} {depot.get(channel, 0)}/{seq}"
        return self._not_at_centre() or await self._not_shown()

    def _not_at_centre(self) -> str:
        centre = read_centre(self._stage.room.path / "volumes" / "database" / "centre.db")
        for place in self._places:
            missing = not_back(_entries(place), centre)
            if missing:
                return f"{place.id}: {len(missing)} not back at the centre ({missing[0]} …)"
        return ""

    async def _not_shown(self) -> str:
        """Ask each node for the last thing that each hospital may share: views follow the log by a moment."""
        for reader in self._places:
            fhir = Fhir(reader.url, reader.token)
            try:
                for place in self._places:
                    shared = [entry for entry in _entries(place) if entry.sent.is_group]
                    comparison = await compare(fhir, reader.id, expected_facts(shared[-1:]))
                    if comparison.found < comparison.expected:
                        return (comparison.lost + comparison.wrong + comparison.duplicated)[0]
            except httpx.HTTPError as error:
                return f"{reader.id}: {type(error).__name__} {error}"
            finally:
                await fhir.close()
        return ""


def _entries(place: Place) -> list[Entry]:
    entries = [entry for path in place.accounts for entry in read_account(path)]
    return sorted(entries, key=lambda entry: entry.sent.at)
