"""How the state of a unit is drawn: a shape, words and colours, so that no colour speaks alone.

The words of a state come from probes, from the run's journal and from what a hospital's node declares; each has a look.
A word that is not known here is shown as it is, with the shape of what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from releve.estate.model import Bilingual

Shape = Literal["disc", "cross", "triangle", "half", "ring", "square", "question"]


@dataclass(frozen=True, slots=True)
class Look:
    """A state as it is drawn. rank: 0 is the worst, which a group of units shows."""

    rank: int
    shape: Shape
    ink: str
    paper: str
    words: Bilingual


_RED, _RED_PAPER = "#9b0f14", "#fde4e2"
_ORANGE, _ORANGE_PAPER = "#6b3d00", "#ffe9c9"
_BLUE, _BLUE_PAPER = "#003f80", "#e3eefb"
_GREEN, _GREEN_PAPER = "#0d5224", "#e4f3e8"
_GREY, _GREY_PAPER = "#3f4d5c", "#eef2f6"

_LOOKS = {
    "failed": Look(0, "cross", _RED, _RED_PAPER, Bilingual("échec", "failed")),
    "check-failed": Look(0, "cross", _RED, _RED_PAPER, Bilingual("contrôle en échec", "check failed")),
    "down": Look(1, "cross", _RED, _RED_PAPER, Bilingual("en panne", "down")),
    "frozen": Look(1, "cross", _RED, _RED_PAPER, Bilingual("figé", "frozen")),
    "silent": Look(1, "cross", _RED, _RED_PAPER, Bilingual("muet", "silent")),
    "refused": Look(1, "cross", _RED, _RED_PAPER, Bilingual("refuse", "refused")),
    "closed": Look(1, "cross", _RED, _RED_PAPER, Bilingual("raccroche", "hangs up")),
    "wrong": Look(1, "cross", _RED, _RED_PAPER, Bilingual("répond mal", "wrong answer")),
    "blocked": Look(2, "cross", _RED, _RED_PAPER, Bilingual("bloqué", "blocked")),
    "unclean": Look(2, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("arrêt brutal", "unclean stop")),
    "battery": Look(2, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("sur batterie", "on battery")),
    "asked": Look(3, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("attend quelqu’un", "waits for a person")),
    "flapping": Look(3, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("instable", "flapping")),
    "degraded": Look(3, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("dégradé", "degraded")),
    "slow": Look(3, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("lent", "slow")),
    "weak": Look(3, "triangle", _ORANGE, _ORANGE_PAPER, Bilingual("à surveiller", "weak")),
    "starting": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("démarre", "starting")),
    "start-began": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("démarre", "starting")),
    "running": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("démarre", "starting")),
    "check-began": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("contrôle en cours", "being checked")),
    "returning": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("revient", "returning")),
    "stopping": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("s’arrête", "stopping")),
    "stop-began": Look(4, "half", _BLUE, _BLUE_PAPER, Bilingual("s’arrête", "stopping")),
    "waiting": Look(5, "ring", _GREY, _GREY_PAPER, Bilingual("en attente", "waiting")),
    "stopped": Look(5, "square", _GREY, _GREY_PAPER, Bilingual("arrêté proprement", "stopped cleanly")),
    "already-down": Look(5, "square", _GREY, _GREY_PAPER, Bilingual("déjà arrêté", "already down")),
    "left": Look(5, "square", _GREY, _GREY_PAPER, Bilingual("laissé tel quel", "left as it is")),
    "skipped": Look(5, "square", _GREY, _GREY_PAPER, Bilingual("passé par décision", "skipped by decision")),
    "unasked": Look(5, "question", _GREY, _GREY_PAPER, Bilingual("non mesurable", "cannot be asked")),
    "": Look(6, "question", _GREY, "#ffffff", Bilingual("non mesuré", "not measured")),
    "checked": Look(7, "disc", _GREEN, _GREEN_PAPER, Bilingual("contrôlé", "checked")),
    "released": Look(8, "disc", _GREEN, _GREEN_PAPER, Bilingual("rendu aux soins", "released to care")),
    "up": Look(8, "disc", _GREEN, _GREEN_PAPER, Bilingual("en service", "up")),
    "already-up": Look(8, "disc", _GREEN, _GREEN_PAPER, Bilingual("en service", "up")),
    "normal": Look(8, "disc", _GREEN, _GREEN_PAPER, Bilingual("en service", "up")),
}

FALLEN = Look(1, "cross", _RED, "#ffffff", Bilingual("tomberait", "would fall"))


def look_of(state: str) -> Look:
    """Return how a state is drawn."""
    return _LOOKS.get(state) or Look(6, "question", _GREY, _GREY_PAPER, Bilingual(state, state))


def sum_up(states: Iterable[str], lang: str) -> tuple[Look, str]:
    """Return the worst look of several states, and how many are in which, the worst first."""
    counts: dict[str, int] = {}
    worst = _LOOKS["up"]
    ranked = sorted((look_of(state) for state in states), key=lambda look: look.rank)
    for look in ranked:
        words = look.words.in_language(lang)
        counts[words] = counts.get(words, 0) + 1
    if ranked:
        worst = ranked[0]
    return worst, ", ".join(f"{words} {count}".replace(" ", "\u00a0") for words, count in counts.items())
