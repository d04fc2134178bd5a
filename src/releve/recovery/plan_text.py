"""A plan as text for a terminal, in English or French: the table with its gates, who is waited for, how full each
capacity is, the critical path, the bottleneck, the bound.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_datetime
from releve.estate import Estate
from releve.recovery.plan import Plan, PlanStep, Reason, make_plan

_WORDS = {
    "en": {
        "head": ("place", "what", "start", "up", "why here"),
        "first": "stands on nothing",
        "comes": "comes by itself; it is waited for",
        "after": "as soon as {units} is up",
        "after_many": "as soon as {units} are up",
        "after_stop": "as soon as {units} is down",
        "after_stop_many": "as soon as {units} are down",
        "capacity": "{capacity}: taken until then by {units}",
        "shift": "{capacity}: not enough there until then",
        "check": "integrity check: {name}",
        "release": "release to care: {name}",
        "release_at": "release to care: {name}, {hospital}",
        "down": "down",
        "at": "Second 0 is {at}; capacities follow their shifts.",
        "asked": "{who} is asked for {count} of these steps, the first time at {at}.",
        "uses": "How full what is limited is: {uses}.",
        "use": "{capacity} {share:.0f}% of {amount}",
        "and": " and ",
        "critical": "Critical path ({length}): {path}",
        "limit_chain": "Lower bound {least}: the chain of needs itself, {path}.",
        "limit_capacity": "Lower bound {least}. The bottleneck is {capacity} ({amount} at once).",
        "ratio": "Planned {makespan}, which is {ratio:.2f} × the lower bound. A plan's end is no forecast.",
        "assumed": "No duration is written down for {units}: assumed.",
        "unproved": "No probe for {units}: nothing will prove that they are up.",
    },
    "fr": {
        "head": ("rang", "quoi", "départ", "rétabli", "pourquoi ici"),
        "first": "ne dépend de rien",
        "comes": "revient de lui-même ; on l’attend",
        "after": "dès que {units} est rétabli",
        "after_many": "dès que {units} sont rétablis",
        "after_stop": "dès que {units} est arrêté",
        "after_stop_many": "dès que {units} sont arrêtés",
        "capacity": "{capacity} : occupé jusque-là par {units}",
        "shift": "{capacity} : pas assez jusque-là",
        "check": "contrôle d’intégrité : {name}",
        "release": "remise aux soins : {name}",
        "release_at": "remise aux soins : {name}, {hospital}",
        "down": "arrêté",
        "at": "La seconde 0 est le {at} ; les moyens suivent leurs horaires.",
        "asked": "{who} est sollicité pour {count} de ces étapes, la première fois à {at}.",
        "uses": "Remplissage de ce qui est limité : {uses}.",
        "use": "{capacity} {share:.0f} % de {amount}",
        "and": " et ",
        "critical": "Chemin critique ({length}) : {path}",
        "limit_chain": "Borne inférieure {least} : la chaîne des dépendances elle-même, {path}.",
        "limit_capacity": "Borne inférieure {least}. Le goulet est {capacity} ({amount} à la fois).",
        "ratio": "Prévu {makespan}, soit {ratio:.2f} × la borne inférieure. La fin d’un plan n’est pas une prévision.",
        "assumed": "Aucune durée n’est écrite pour {units} : supposée.",
        "unproved": "Aucune sonde pour {units} : rien ne prouvera leur retour.",
    },
}

#: Capacities named in the sentence about how full they are, the fullest first.
USES_MAX = 8

#: A list of names in a sentence is cut here; the table above it has them all.
NAMES_MAX = 4


def plan_text(estate: Estate, lang: str = "en", plan: Plan | None = None) -> str:
    """Return the plan of an estate as a table with its reasons, ended by what limits it."""
    plan = plan or make_plan(estate)
    words = _WORDS[lang]
    head = list(words["head"])
    if plan.is_stop:
        head[3] = str(words["down"])
    rows = [tuple(head)]
    for step in plan.steps:
        why = reason_text(estate, step.reason, lang, is_stop=plan.is_stop)
        what = step_text(estate, step, lang)
        rows.append((str(step.place), what, time_text(step.start_s), time_text(step.end_s), why))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{place:>{widths[0]}}  {what:<{widths[1]}}  {start:>{widths[2]}}  {up:>{widths[3]}}  {why}"
        for place, what, start, up, why in rows
    ]
    lines.insert(1, "─" * max(len(line) for line in lines))
    return "\n".join([*lines, "", *_people(estate, plan, lang), *_limits(estate, plan, lang)]) + "\n"


def step_text(estate: Estate, step: PlanStep, lang: str) -> str:
    """Return what a step is: the unit by its name, or what is checked or released, and where."""
    unit = estate.units[step.unit]
    name = unit.name.in_language(lang)
    shown = name if name == step.unit else f"{name} ({step.unit})"
    if step.act == "check":
        return str(_WORDS[lang]["check"]).format(name=shown)
    if step.act == "release":
        site = estate.sites.get(step.hospital)
        hospital = site.name.in_language(lang) if site else step.hospital
        return str(_WORDS[lang]["release_at" if hospital else "release"]).format(name=shown, hospital=hospital)
    return shown


def reason_text(estate: Estate, reason: Reason, lang: str, *, is_stop: bool = False) -> str:
    """Return a reason as a sentence without its full stop."""
    words = _WORDS[lang]
    units = _names(reason.units, lang)
    capacity = estate.capacities[reason.capacity].name.in_language(lang) if reason.capacity else ""
    key: str = reason.kind
    if key == "after":
        key = ("after_stop" if is_stop else "after") + ("_many" if len(reason.units) > 1 else "")
    elif key == "comes" and is_stop:
        key = "first"
    return str(words[key]).format(units=units, capacity=capacity)


def time_text(seconds: float) -> str:
    """Return a length of time for people: 7.5 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _people(estate: Estate, plan: Plan, lang: str) -> list[str]:
    """Return who is asked for what, and when second 0 is."""
    words = {key: str(value) for key, value in _WORDS[lang].items()}
    lines = [words["at"].format(at=_moment(plan.at, estate.zone))] if plan.at is not None else []
    asked: dict[str, list[float]] = {}
    for step in plan.steps:
        if step.asks:
            asked.setdefault(step.asks, []).append(step.start_s)
    for contact, starts in asked.items():
        person = estate.contacts.get(contact)
        who = f"{person.name.in_language(lang)} {person.phone}".strip() if person else contact
        lines.append(words["asked"].format(who=who, count=len(starts), at=time_text(min(starts))))
    return lines


def _moment(at: Instant, zone: str) -> str:
    there: datetime = to_datetime(at).astimezone(ZoneInfo(zone))
    return there.strftime("%Y-%m-%d %H:%M")


def _limits(estate: Estate, plan: Plan, lang: str) -> list[str]:
    words = {key: str(value) for key, value in _WORDS[lang].items()}
    path = " → ".join(plan.critical)
    lines = [words["critical"].format(length=time_text(plan.makespan_s), path=path)]
    least = time_text(plan.bound.least_s)
    if plan.bound.bottleneck is None:
        lines.append(words["limit_chain"].format(least=least, path=" → ".join(plan.bound.chain)))
    else:
        capacity = estate.capacities[plan.bound.bottleneck]
        name = capacity.name.in_language(lang)
        lines.append(words["limit_capacity"].format(least=least, capacity=name, amount=capacity.amount))
    if plan.uses:
        uses = [
            words["use"].format(
                capacity=estate.capacities[use.capacity].name.in_language(lang),
                share=100 * use.share,
                amount=use.amount,
            )
            for use in plan.uses[:USES_MAX]
        ]
        rest = f" … ({len(plan.uses)})" if len(plan.uses) > USES_MAX else ""
        lines.append(words["uses"].format(uses=", ".join(uses) + rest))
    lines.append(words["ratio"].format(makespan=time_text(plan.makespan_s), ratio=plan.ratio))
    if plan.assumed:
        lines.append(words["assumed"].format(units=_names(plan.assumed, lang)))
    unproved = tuple(unit.id for unit in estate.units.values() if unit.probe is None)
    if unproved:
        lines.append(words["unproved"].format(units=_names(unproved, lang)))
    return lines


def _names(units: tuple[str, ...], lang: str) -> str:
    if len(units) > NAMES_MAX:
        return ", ".join(units[:NAMES_MAX]) + " … (" + str(len(units)) + ")"
    return str(_WORDS[lang]["and"]).join(filter(None, (", ".join(units[:-1]), *units[-1:])))
