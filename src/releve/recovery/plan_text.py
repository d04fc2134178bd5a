"""A plan as text for a terminal, in English or French: the table, the critical path, the bottleneck, the bound."""

from __future__ import annotations

from releve.estate import Estate
from releve.recovery.plan import Plan, Reason, make_plan

_WORDS = {
    "en": {
        "head": ("place", "what", "start", "up", "why here"),
        "first": "stands on nothing",
        "comes": "comes by itself; it is waited for",
        "after": "as soon as {units} is up",
        "after_many": "as soon as {units} are up",
        "capacity": "{capacity}: taken until then by {units}",
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
        "comes": "revient de lui-même ; on l'attend",
        "after": "dès que {units} est rétabli",
        "after_many": "dès que {units} sont rétablis",
        "capacity": "{capacity} : occupé jusque-là par {units}",
        "and": " et ",
        "critical": "Chemin critique ({length}) : {path}",
        "limit_chain": "Borne inférieure {least} : la chaîne des dépendances elle-même, {path}.",
        "limit_capacity": "Borne inférieure {least}. Le goulet est {capacity} ({amount} à la fois).",
        "ratio": "Prévu {makespan}, soit {ratio:.2f} × la borne inférieure. La fin d'un plan n'est pas une prévision.",
        "assumed": "Aucune durée n'est écrite pour {units} : supposée.",
        "unproved": "Aucune sonde pour {units} : rien ne prouvera leur retour.",
    },
}

#: A list of names in a sentence is cut here; the table above it has them all.
NAMES_MAX = 4


def plan_text(estate: Estate, lang: str = "en", plan: Plan | None = None) -> str:
    """Return the plan of an estate as a table with its reasons, ended by what limits it."""
    plan = plan or make_plan(estate)
    words = _WORDS[lang]
    rows = [tuple(words["head"])]
    for step in plan.steps:
        unit = estate.units[step.unit]
        name = unit.name.in_language(lang)
        shown = name if name == step.unit else f"{name} ({step.unit})"
        why = reason_text(estate, step.reason, lang)
        rows.append((str(step.place), shown, time_text(step.start_s), time_text(step.end_s), why))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{place:>{widths[0]}}  {what:<{widths[1]}}  {start:>{widths[2]}}  {up:>{widths[3]}}  {why}"
        for place, what, start, up, why in rows
    ]
    lines.insert(1, "─" * max(len(line) for line in lines))
    return "\n".join([*lines, "", *_limits(estate, plan, lang)]) + "\n"


def reason_text(estate: Estate, reason: Reason, lang: str) -> str:
    """Return a reason as a sentence without its full stop."""
    words = _WORDS[lang]
    units = _names(reason.units, lang)
    if reason.kind == "capacity":
        return str(words["capacity"]).format(
            capacity=estate.capacities[reason.capacity].name.in_language(lang), units=units
        )
    key = "after_many" if reason.kind == "after" and len(reason.units) > 1 else reason.kind
    return str(words[key]).format(units=units)


def time_text(seconds: float) -> str:
    """Return a length of time for people: 7.5 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


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
