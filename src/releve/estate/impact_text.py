"""What falls, as text in the order in which care asks, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from releve.estate.french import set_spaces
from releve.estate.impact import Impact
from releve.estate.model import Estate

#: A list of technical units is cut here; the JSON has all of them.
SHOWN_MAX = 30

_WORDS = {
    "fr": {
        "title": "Si cela tombe : {names}",
        "services": "Services perdus, dans l’ordre où le soin les attend",
        "none": "Aucun service ne tombe.",
        "every": "tous les hôpitaux ({count})",
        "nobody": "aucun hôpital nommé",
        "hospitals": "Par hôpital",
        "emergency": " (urgences)",
        "falls": "Tombe avec",
        "with": "avec {cause}",
        "degraded": "Dégradé",
        "lacks": "sans {names}",
        "held": "Continue, mais ne pourrait pas redémarrer : ne pas arrêter",
        "more": "… et {count} de plus (--json)",
        "colon": " : ",
    },
    "en": {
        "title": "If this falls: {names}",
        "services": "Services lost, in the order in which care waits for them",
        "none": "No service falls.",
        "every": "all hospitals ({count})",
        "nobody": "no hospital named",
        "hospitals": "By hospital",
        "emergency": " (emergency department)",
        "falls": "Falls with it",
        "with": "with {cause}",
        "degraded": "Degraded",
        "lacks": "without {names}",
        "held": "Goes on, but could not start again: do not stop it",
        "more": "… and {count} more (--json)",
        "colon": ": ",
    },
}


def impact_text(estate: Estate, fallen: Impact, lang: str) -> str:
    """Return what falls, what is degraded and who loses what, services first."""
    words = _WORDS[lang]

    def named(names: Iterable[str]) -> str:
        return ", ".join(estate.units[one].name.in_language(lang) for one in names)

    lines = [words["title"].format(names=_cut(named(fallen.fell)))]
    services = _services(estate, fallen)
    lines += ["", words["services"] if services else words["none"]]
    every = {site.id for site in estate.hospitals()}
    for place, (service, hospitals) in enumerate(services.items(), 1):
        where = ", ".join(hospitals) or words["nobody"]
        if len(hospitals) > 1 and set(hospitals) == every:
            where = words["every"].format(count=len(every))
        lines.append(f"  {place}. {named([service])} — {where}")
    losses = {site: lost for site, lost in fallen.hospitals.items()}
    if losses and any(lost != next(iter(losses.values())) for lost in losses.values()):
        lines += ["", words["hospitals"]]
        for site, lost in losses.items():
            urgent = words["emergency"] if estate.sites[site].emergency else ""
            lines.append(f"  {estate.sites[site].name.in_language(lang)}{urgent}{words['colon']}{named(lost)}")
    technical = {name: cause for name, cause in fallen.falls.items() if name not in services}
    for head, rows in (
        ("falls", [f"{named([one])} ({words['with'].format(cause=named([by]))})" for one, by in technical.items()]),
        (
            "degraded",
            [f"{named([one])} ({words['lacks'].format(names=named(by))})" for one, by in fallen.degraded.items()],
        ),
        ("held", [f"{named([one])} ({words['lacks'].format(names=named(by))})" for one, by in fallen.held.items()]),
    ):
        if rows:
            lines += ["", f"{words[head]} ({len(rows)})", *(f"  {row}" for row in rows[:SHOWN_MAX])]
        if len(rows) > SHOWN_MAX:
            lines.append("  " + words["more"].format(count=len(rows) - SHOWN_MAX))
    text = "\n".join(lines)
    return set_spaces(text) if lang == "fr" else text


def impact_json(estate: Estate, fallen: Impact) -> dict[str, Any]:
    """Return the whole impact as JSON values."""
    return {
        "fell": list(fallen.fell),
        "services": [
            {
                "id": name,
                "fr": estate.units[name].name.fr,
                "en": estate.units[name].name.en,
                "clinical": estate.units[name].clinical,
                "tier": estate.units[name].tier,
                "hospitals": hospitals,
            }
            for name, hospitals in _services(estate, fallen).items()
        ],
        "hospitals": {site: list(lost) for site, lost in fallen.hospitals.items()},
        "falls": dict(fallen.falls),
        "degraded": {name: list(missing) for name, missing in fallen.degraded.items()},
        "held": {name: list(missing) for name, missing in fallen.held.items()},
    }


def _services(estate: Estate, fallen: Impact) -> dict[str, list[str]]:
    """Return the services lost in clinical order, each with the hospitals that lose it."""
    down = {*fallen.fell, *fallen.falls}
    return {
        unit.id: [site for site in estate.sites if site in unit.hospitals]
        for unit in estate.services()
        if unit.id in down
    }


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
