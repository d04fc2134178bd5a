"""Counting for the picture: what has been acknowledged, and what the record application does not have yet."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from releve.demo.stage import Stage
from releve.demo.view import View

_PAUSE_S = 0.5
_ANSWERED = b'"type":"answered"'
#: What the centre's own systems sent is not owed to them.
_CENTRE_ACCOUNTS = ("record-", "laboratory-")


class Tally:
    """Follows the accounts by their new bytes only, and the centre's rows by one count."""

    def __init__(self, stage: Stage, view: View) -> None:
        self._stage = stage
        self._view = view
        self._places = stage.places()
        self._seen: dict[Path, tuple[int, int]] = {}
        self._back: dict[str, int] = {}

    async def count_on(self, ending: asyncio.Event) -> None:
        """Count until the end of the night."""
        while not ending.is_set():
            self.count()
            await asyncio.sleep(_PAUSE_S)

    def count(self) -> None:
        """Bring every row of the picture up to date."""
        self._count_back()
        for place in self._places:
            counts = {path: self._answered(path) for path in place.accounts}
            row = self._view.rows[place.id]
            row.acknowledged = sum(counts.values())
            own = sum(count for path, count in counts.items() if not path.name.startswith(_CENTRE_ACCOUNTS))
            row.owed = max(0, own - self._back.get(place.id, 0))

    def _answered(self, path: Path) -> int:
        """Return how many different messages have an answer; repeated answers of the analyser count once."""
        offset, count = self._seen.get(path, (0, 0))
        if path.exists():
            with path.open("rb") as file:
                file.seek(offset)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            count += sum(_ANSWERED in line and b'"again":true' not in line for line in whole.splitlines())
            self._seen[path] = offset + len(whole), count
        return count

    def _count_back(self) -> None:
        """Count what the record application holds of each hospital; nothing is known while its file is not there."""
        database = self._stage.room.path / "volumes" / "database" / "centre.db"
        if not database.exists():
            return
        try:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=0.1)) as db:
                rows = db.execute("SELECT sender, control_id FROM message").fetchall()
        except sqlite3.OperationalError:
            return  # just being made, or just coming back: the next count will see it
        back: dict[str, int] = {}
        for place in self._places:
            back[place.id] = sum(sender.endswith(f"|{place.id}") for sender, _ in rows)
        self._back = back
