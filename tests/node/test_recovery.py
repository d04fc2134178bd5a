"""Who sees what: this node's probes first, then what the other hospitals said."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.errors import StoreUnable
from releve.node.recovery import Sightings
from releve.record.rows import Sighting
from releve.recovery.state import States, UnitState, write_states
from releve.screen import ServiceState

NOW = 1_722_686_400_000_000
MINUTE = 60_000_000


class Told:
    """What the views would say."""

    def __init__(self) -> None:
        self.rows = [
            Sighting("record", "H02", "down", NOW - MINUTE, NOW, "refused"),
            Sighting("record", "H01", "down", 0, 0, "x"),
        ]
        self.is_away = False

    def sightings(self, service: str = "") -> list[Sighting]:
        if self.is_away:
            raise StoreUnable("record.no-views", "The record is being rebuilt.")
        return self.rows


@pytest.fixture
def told() -> Told:
    return Told()


def look(folder: Path, told: Told, services: list[ServiceState], now: list[int]) -> Sightings:
    return Sightings("H01", folder, told, lambda: services, now=lambda: now[0])  # type: ignore[arg-type] # a twin of Views


def test_this_nodes_own_probe_counts_before_what_its_log_says(tmp_path: Path, told: Told) -> None:
    own = [ServiceState("record", "Dossier", "normal", NOW - MINUTE, NOW, "answers", reason_fr="répond")]
    found = look(tmp_path, told, own, [NOW]).measured()
    assert [(one.hospital, one.state) for one in found] == [("H02", "down"), ("H01", "normal")]
    assert found[1].evidence.fr == "répond"  # type: ignore[union-attr]


def test_units_of_the_estate_are_seen_too_and_a_service_once(tmp_path: Path, told: Told) -> None:
    told.rows = []
    units = {name: UnitState(name, "down", NOW, NOW, "refused", "refuse", "refuses") for name in ("record", "storage")}
    write_states(tmp_path, States("H01", NOW, units))
    sightings = look(tmp_path, told, [ServiceState("record", "Dossier", "normal", NOW, NOW)], [NOW])
    assert [(one.service, one.state) for one in sightings.measured()] == [("storage", "down"), ("record", "normal")]
    assert sightings.units() == {"record": "down", "storage": "down"}


def test_while_the_views_are_rebuilt_what_was_said_grows_old_and_then_counts_no_more(
    tmp_path: Path, told: Told
) -> None:
    now = [NOW]
    sightings = look(tmp_path, told, [], now)
    assert len(sightings.measured()) == 1
    told.is_away = True
    now[0] += 5 * MINUTE
    assert len(sightings.measured()) == 1
    now[0] += 10 * MINUTE
    assert sightings.measured() == []


def test_a_state_of_a_newer_node_is_unknown_and_not_good(tmp_path: Path, told: Told) -> None:
    told.rows = [Sighting("record", "H02", "sideways", NOW, NOW, "up")]
    assert [one.state for one in look(tmp_path, told, [], [NOW]).measured()] == ["unknown"]
