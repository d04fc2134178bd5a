"""The situation reports of the night."""

from __future__ import annotations

from releve.demo.stage import Stage
from releve.estate import Estate
from releve.recovery.journal import Happened


class Reporter:
    """Interim: replaced as soon as the reports' room is there."""

    def __init__(self, estate: Estate, stage: Stage) -> None:
        self._estate = estate
        self._stage = stage
        self.paths: list[str] = []

    def cut(self) -> None:
        """The power was cut."""

    def power(self) -> None:
        """The power is back."""

    def happened(self, happened: Happened) -> None:
        """Something happened in the restart."""

    async def write(self) -> dict[str, object]:
        """Write a report."""
        return {"n": len(self.paths) + 1, "path": "–"}
