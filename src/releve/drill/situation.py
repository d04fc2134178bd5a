"""The situation reports of an exercise: drafted from its own facts, as real ones are, and marked EXERCICE."""

from __future__ import annotations

from collections.abc import Iterable

from releve.drill.exercise import Exercise
from releve.estate import Bilingual, Estate
from releve.recovery.journal import Happened
from releve.recovery.score import as_of
from releve.sitrep import Loss, Measured, SituationReport, draft

_US = 1_000_000
_SEEN = Bilingual("Simulé pour l’exercice.", "Simulated for the exercise.")


def draft_situation(exercise: Exercise, number: int, every_s: float) -> SituationReport:
    """Return the report of an exercise as it stands.

    every_s  seconds until the next one
    """
    at = exercise.now
    in_force = exercise.forecasts[-1] if exercise.forecasts and exercise.world.down_s else None
    return draft(
        exercise.estate,
        number=number,
        at=at,
        next_at=at + round(every_s * _US),
        measured=_measured(exercise),
        losses=losses(exercise.estate, exercise.journal),
        journal=exercise.journal,
        forecast=None if in_force is None else as_of(in_force, at),
        earlier=exercise.forecasts[:-1] if in_force is not None else exercise.forecasts,
        is_exercise=True,
    )


def losses(estate: Estate, journal: Iterable[Happened]) -> list[Loss]:
    """Return what a journal says went, and when it was back."""
    found: dict[str, Loss] = {}
    for line in journal:
        if line.unit not in estate.units:
            continue
        old = found.get(line.unit)
        if line.kind in ("unclean", "power-lost", "down") and (old is None or old.back_at is not None):
            found[line.unit] = Loss(line.unit, line.at, None, _SEEN)
        elif line.kind in ("up", "power-back") and old is not None and old.back_at is None:
            found[line.unit] = Loss(line.unit, old.at, line.at, _SEEN)
    return list(found.values())


def _measured(exercise: Exercise) -> list[Measured]:
    began = {line.unit for line in exercise.journal if line.kind == "start-began"}
    since = {line.unit: line.at for line in exercise.journal if line.kind in ("up", "unclean")}
    found = []
    for unit in exercise.estate.services():
        is_down = unit.id in exercise.world.down_s
        state = ("returning" if unit.id in began else "down") if is_down else "normal"
        found += [
            Measured(unit.id, hospital, state, since.get(unit.id), exercise.now, _SEEN)  # type: ignore[arg-type]
            for hospital in unit.hospitals
        ]
    return found
