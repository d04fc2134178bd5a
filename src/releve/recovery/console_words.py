"""What a decision looks like when somebody types it, and what the kinds of lines are called at a console."""

from __future__ import annotations

from typing import get_args

from releve.recovery.folder import Verb

#: Every verb, in the order in which help names them.
VERBS: tuple[str, ...] = get_args(Verb)

#: Verbs about the run as a whole; all others name a unit.
OF_THE_RUN = ("pause", "resume", "cancel", "declare")

#: Kind of a line → (mark, French, English). The mark stands beside the word, so that no colour is needed.
KINDS: dict[str, tuple[str, str, str]] = {
    "run-began": ("▶", "début", "began"),
    "run-resumed": ("▶", "reprise", "resumed"),
    "run-ended": ("■", "fin", "ended"),
    "already-up": ("✓", "déjà en service", "up already"),
    "already-down": ("✓", "déjà arrêté", "down already"),
    "start-began": ("…", "démarrage", "starting"),
    "launched": ("·", "lancé", "launched"),
    "waiting": ("…", "attendu", "waited for"),
    "try-failed": ("!", "essai manqué", "try failed"),
    "up": ("✓", "en service", "up"),
    "failed": ("✗", "échec", "failed"),
    "blocked": ("✗", "bloqué", "blocked"),
    "stop-began": ("…", "arrêt", "stopping"),
    "down": ("✓", "arrêté", "down"),
    "left": ("–", "laissé", "left"),
    "paused": ("‖", "pause", "paused"),
    "resumed": ("▶", "reprise", "goes on"),
    "asked": ("?", "à décider", "asked"),
    "decided": ("»", "décidé", "decided"),
    "not-obeyed": ("»", "sans effet", "not obeyed"),
    "skipped": ("–", "laissé de côté", "left out"),
    "check-began": ("…", "contrôle", "checking"),
    "checked": ("✓", "intègre", "checked"),
    "check-failed": ("✗", "intégrité en doute", "check failed"),
    "released": ("✓", "rendu aux soins", "released"),
    "refused": ("✗", "non rendu", "not released"),
    "step-back": ("↶", "retour arrière", "step back"),
    "replanned": ("↻", "replanifié", "replanned"),
    "overrun": ("!", "en retard", "overrun"),
    "cancelled": ("■", "abandonné", "cancelled"),
    "power-lost": ("!", "courant perdu", "power lost"),
    "power-back": ("✓", "courant revenu", "power back"),
    "power-reading": ("·", "batterie", "battery"),
    "stop-decided": ("!", "arrêt décidé", "stop decided"),
    "unclean": ("!", "arrêt brutal", "unclean"),
}


def parse_decision(line: str) -> tuple[str, str, str, str]:
    """Return verb, unit, hospital and reason of a typed line such as "skip db: disk is dead".

    raises  ValueError  the sentence says what is expected
    """
    words, _, reason = line.partition(":")
    verb, *rest = words.split() or [""]
    if verb not in VERBS:
        raise ValueError(f"{verb!r} is no decision; expected one of {', '.join(VERBS)}")
    if verb in OF_THE_RUN:
        if rest and verb != "declare":
            raise ValueError(f"{verb} is about the whole run; found {' '.join(rest)!r} behind it")
        return verb, "", "", reason.strip() or " ".join(rest)
    if not 1 <= len(rest) <= 2:
        raise ValueError(f"{verb} names one unit, and a hospital where it is for one only, then a colon and the reason")
    return verb, rest[0], rest[1] if len(rest) == 2 else "", reason.strip()
