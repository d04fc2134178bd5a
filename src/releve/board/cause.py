"""The cause file: what speaks for a technical cause, what speaks against it, and what nobody knows yet.

It never concludes. A power cut that explains every loss does not say why the power went, and says nothing about what
happened before; "no attack" is a sentence of people, and stands here under their names when they say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from releve.board.recovery import Recovery
from releve.clock import Instant
from releve.estate import Bilingual, Estate, impact
from releve.recovery.folder import Decision
from releve.recovery.journal import Happened

#: Wrong passwords at this node's pages in the time around the loss: people mistype, so many people do not.
WRONG_PASSWORDS_MANY = 20
#: Readings of a battery that are shown: the first and the last ones tell the story.
READINGS_SHOWN_MAX = 6


@dataclass(frozen=True, slots=True)
class LogIns:
    """Sign-ins at this node's own pages; what happened at the centre's systems is not in it."""

    from_at: Instant
    until_at: Instant
    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact, with where it comes from.

    source  "journal", "measures", "estate", "sign-ins"
    """

    at: Instant | None
    topic: str
    sentence: Bilingual
    source: str


@dataclass(frozen=True, slots=True)
class CauseFile:
    """Everything that is known about the cause, sorted by what it speaks for; the reader concludes.

    technical  fits a technical fault
    against    does not fit it, or would fit a hostile act as well
    neutral    facts that speak for neither
    unknown    what would have to be found out
    declared   words of named persons
    """

    technical: tuple[Evidence, ...]
    against: tuple[Evidence, ...]
    neutral: tuple[Evidence, ...]
    unknown: tuple[Bilingual, ...]
    declared: tuple[Decision, ...]


def cause_file(estate: Estate, recovery: Recovery, log_ins: LogIns | None = None) -> CauseFile:
    """Return the cause file of what the folder holds.

    log_ins  of this node around the loss; None: not counted
    """
    lost = _first_lines(recovery.journal, "power-lost")
    technical: list[Evidence] = _power(estate, recovery.journal, lost)
    against: list[Evidence] = []
    neutral: list[Evidence] = []
    for_order, against_order = _order(estate, recovery, lost)
    technical += for_order
    against += against_order
    for_checks, against_checks, unchecked = _checks(estate, recovery.journal)
    technical += for_checks
    against += against_checks
    unknown = [*_always_unknown(bool(lost)), *unchecked]
    if log_ins is None:
        unknown.append(
            Bilingual(
                "Les connexions aux pages de ce site autour de la perte n’ont pas été comptées.",
                "Sign-ins at this node’s pages around the loss were not counted.",
            )
        )
    else:
        (against if log_ins.wrong >= WRONG_PASSWORDS_MANY else neutral).append(_of_log_ins(log_ins))
    declared = tuple(one for one in recovery.decisions if one.verb == "declare" and one.unit in ("", "cause"))
    return CauseFile(tuple(technical), tuple(against), tuple(neutral), tuple(unknown), declared)


def first_loss(recovery: Recovery) -> Instant | None:
    """Return when the first thing was seen to go; None when nothing was."""
    seen = [line.at for line in recovery.journal if line.kind == "power-lost"]
    seen += [one.since for one in recovery.measured if one.state == "down" and one.since is not None]
    return min(seen, default=None)


def _power(estate: Estate, journal: Sequence[Happened], lost: dict[str, Happened]) -> list[Evidence]:
    found = [
        Evidence(
            line.at, "power",
            Bilingual(
                f"{estate.units[unit].name.fr} : passage sur batterie constaté.",
                f"{estate.units[unit].name.en}: seen to go on battery.",
            ),
            "journal",
        )
        for unit, line in lost.items()
    ]  # fmt: skip
    readings = [line for line in journal if line.kind == "power-reading" and line.unit in estate.units]
    for line in _ends_of(readings):
        name = estate.units[line.unit].name
        found.append(
            Evidence(
                line.at,
                "power",
                Bilingual(f"{name.fr}, relevé : {_reading_fr(line.detail)}", f"{name.en}, reading: {line.detail}"),
                "journal",
            )
        )
    for unit, line in _first_lines(journal, "power-back").items():
        name = estate.units[unit].name
        found.append(
            Evidence(
                line.at,
                "power",
                Bilingual(f"{name.fr} : courant revenu.", f"{name.en}: power is back."),
                "journal",
            )
        )
    return sorted(found, key=lambda one: one.at or 0)


#: What the guard writes of a battery, see recovery.power.estimate.
_READING = (
    (" left: ", " restantes : "),
    ("reported ", "annoncées "),
    ("by load ", "d’après la charge "),
    ("by slope ", "d’après la pente "),
    ("unknown", "inconnu"),
)


def _reading_fr(detail: str) -> str:
    """Return a reading of a battery in French; what it is not made of stays as it is."""
    for english, french in _READING:
        detail = detail.replace(english, french)
    return detail


def _order(estate: Estate, recovery: Recovery, lost: dict[str, Happened]) -> tuple[list[Evidence], list[Evidence]]:
    """Return what the order of the losses speaks for, and against."""
    gone: dict[str, Instant] = {}
    for one in recovery.measured:
        # What lost its power is no loss beside it: it is the loss.
        if one.state == "down" and one.since is not None and one.service in estate.units and one.service not in lost:
            gone[one.service] = min(one.since, gone.get(one.service, one.since))
    if not gone:
        return [], []
    if not lost:
        sentence = Bilingual(
            f"{len(gone)} services perdus et aucune perte de courant constatée : le courant n’explique rien ici.",
            f"{len(gone)} services lost and no loss of power seen: power explains nothing here.",
        )
        return [], [Evidence(min(gone.values()), "order", sentence, "measures")]
    explained = impact(estate, lost).falls
    began = min(line.at for line in lost.values())
    after = [unit for unit in gone if unit in explained and gone[unit] >= began]
    before = [unit for unit in gone if unit in explained and gone[unit] < began]
    apart = [unit for unit in gone if unit not in explained]
    technical: list[Evidence] = []
    against: list[Evidence] = []
    if after:
        sentence = Bilingual(
            f"{len(after)} des {len(gone)} services perdus reposent sur ce qui a perdu le courant, et ont suivi.",
            f"{len(after)} of the {len(gone)} services lost stand on what lost its power, and fell after it.",
        )
        technical.append(Evidence(began, "order", sentence, "estate"))
    if before:
        sentence = Bilingual(
            f"Perdus avant la perte de courant constatée : {_names(estate, before, 'fr')}.",
            f"Lost before the loss of power was seen: {_names(estate, before, 'en')}.",
        )
        against.append(Evidence(min(gone[unit] for unit in before), "order", sentence, "measures"))
    if apart:
        sentence = Bilingual(
            f"Perdus sans reposer sur ce qui a perdu le courant : {_names(estate, apart, 'fr')}.",
            f"Lost without standing on what lost its power: {_names(estate, apart, 'en')}.",
        )
        against.append(Evidence(min(gone[unit] for unit in apart), "order", sentence, "estate"))
    return technical, against


def _checks(estate: Estate, journal: Sequence[Happened]) -> tuple[list[Evidence], list[Evidence], list[Bilingual]]:
    """Return what integrity checks speak for and against, and which are still missing."""
    last = {line.unit: line for line in journal if line.kind in ("checked", "check-failed", "unclean")}
    technical: list[Evidence] = []
    against: list[Evidence] = []
    missing: list[Bilingual] = []
    for unit, line in last.items():
        if unit not in estate.units:
            continue
        name = estate.units[unit].name
        if line.kind == "checked":
            sentence = Bilingual(f"{name.fr} : contrôle d’intégrité réussi.", f"{name.en}: integrity check passed.")
            technical.append(Evidence(line.at, "integrity", sentence, "journal"))
        elif line.kind == "check-failed":
            sentence = Bilingual(
                f"{name.fr} : intégrité en échec ({line.detail}). La coupure peut l’expliquer, une atteinte aussi.",
                f"{name.en}: integrity check failed ({line.detail}). The cut can explain it, tampering can too.",
            )
            against.append(Evidence(line.at, "integrity", sentence, "journal"))
        else:
            missing.append(
                Bilingual(
                    f"{name.fr} : arrêté brutalement, intégrité pas encore contrôlée.",
                    f"{name.en}: not stopped cleanly, integrity not checked yet.",
                )
            )
    return technical, against, missing


def _always_unknown(is_power: bool) -> list[Bilingual]:
    found = [
        Bilingual(
            "Connexions et actes d’administration au centre : Relève ne les voit pas ; demander les journaux de "
            "l’annuaire, des bastions et des hyperviseurs.",
            "Sign-ins and administration at the centre: Relève does not see them; ask for the logs of the directory, "
            "the bastions and the hypervisors.",
        ),
        Bilingual(
            "Si des données ont été lues ou copiées avant la perte : aucune mesure d’ici ne le dit.",
            "Whether data was read or copied before the loss: no measurement from here tells.",
        ),
    ]
    if is_power:
        found.insert(
            0,
            Bilingual(
                "Pourquoi le courant a manqué : constat de l’électricien et de l’hébergeur à joindre.",
                "Why the power went: the finding of the electrician and of the hosting company is to be added.",
            ),
        )
    return found


def _of_log_ins(log_ins: LogIns) -> Evidence:
    return Evidence(
        log_ins.until_at,
        "sign-ins",
        Bilingual(
            f"Pages de ce site, 24 h avant la perte : {log_ins.right} connexions, {log_ins.wrong} mots de passe faux.",
            f"This node’s pages, 24 h before the loss: {log_ins.right} sign-ins, {log_ins.wrong} passwords refused.",
        ),
        "sign-ins",
    )


def _first_lines(journal: Sequence[Happened], kind: str) -> dict[str, Happened]:
    found: dict[str, Happened] = {}
    for line in journal:
        if line.kind == kind and line.unit:
            found.setdefault(line.unit, line)
    return found


def _ends_of(readings: Sequence[Happened]) -> list[Happened]:
    if len(readings) <= READINGS_SHOWN_MAX:
        return list(readings)
    half = READINGS_SHOWN_MAX // 2
    return [*readings[:half], *readings[-half:]]


def _names(estate: Estate, units: Sequence[str], lang: str) -> str:
    return ", ".join(estate.units[unit].name.in_language(lang) for unit in units)
