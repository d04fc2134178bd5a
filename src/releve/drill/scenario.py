"""What is played: at which minute what falls and returns, what goes wrong, who is told what, what is expected of whom.

    [scenario]   name, seed, factor, begins, restart_at_min, report_after_min, report_every_min, answer_min
    [[inject]]   at_min, falls, returns, words, source, target, expected
    [[failure]]  unit, tries                  so many tries of its start fail
    [[slow]]     unit, factor                 its start takes so many times as long, beside the factor of the whole day
    [[decision]] verb, unit, hospital, by, role, reason, at_min or after_min (after it was asked for)
    [goals]      minutes within which things should be done

`falls` and `returns` name units, or many at once: "kind:feed", "room:R1", "site:S1". What stands on what falls, falls
too: the estate knows. Minutes count from the beginning of the exercise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import cast, get_args
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_instant
from releve.errors import WrongUse
from releve.estate import KINDS, Bilingual, Estate
from releve.estate.command import parse_name
from releve.estate.outage import OutageCase
from releve.recovery.folder import Verb
from releve.wire.toml import Table, read_toml

#: Nobody plays longer than the longest outage that is known to us lasted, nine weeks.
MINUTES_MAX = 100_000.0

#: More injects than a director of an exercise can follow in a day.
INJECTS_MAX = 500

#: A case of a week is not reported every hour: about so many reports in all.
REPORTS_OF_A_CASE = 8

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(Z|[+-]\d\d:\d\d)")

#: A power cut as that of 3 August 2024: three and a half hours.
POWER_CUT_MIN = 210.0


@dataclass(frozen=True, slots=True)
class Inject:
    """Something that is brought into the exercise at a minute.

    falls, returns  ids of units
    words           what the players are told; None: they must see it for themselves
    expected        the reaction that whoever wrote the exercise waits for
    """

    at_s: float
    falls: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    words: Bilingual | None = None
    source: str = ""
    target: str = ""
    expected: Bilingual | None = None


@dataclass(frozen=True, slots=True)
class Scripted:
    """A decision that is written down before: it comes at a moment, or so long after it was asked for."""

    verb: Verb
    by: str
    unit: str = ""
    hospital: str = ""
    role: str = ""
    reason: str = ""
    at_s: float | None = None
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Goals:
    """Within what time things should be done; what was reached is set beside it.

    declare_s   from the loss until a node says "down": two minutes are promised
    forecast_s  from the declaration until the first forecast
    report_s    from the declaration until the first report
    decide_s    from a question until its answer, the longest
    ratio       makespan of the restart over the least that any order needs
    """

    declare_s: float = 120.0
    forecast_s: float = 900.0
    report_s: float = 3600.0
    decide_s: float = 900.0
    ratio: float = 1.5


@dataclass(frozen=True, slots=True)
class Announced:
    """What was announced in the outage that is played; kept beside our own forecasts.

    issued_s, predicted_s  None where nobody wrote it down
    """

    words: str
    issued_s: float | None
    predicted_s: float | None
    outcome: str


@dataclass(frozen=True)
class Scenario:
    """One exercise. The same scenario with the same seed is played the same way.

    seed           of the durations
    factor         how many times longer than believed everything takes that day
    begins_at      the moment the clocks of the exercise show at its beginning; None: now
    failures       unit → how many tries of its start fail
    slow           unit → factor of its own
    ends_s         unit → second at which its return is known; its start takes until then
    not_before_s   unit → second at which it was known to be still away
    restart_at_s   None: when nothing that comes by itself is waited for any more
    answer_s       after so long exercise control answers a question that nobody answered
    announced      forecasts that were published in the outage that is played
    """

    name: Bilingual
    injects: tuple[Inject, ...]
    seed: int = 1
    factor: float = 1.0
    begins_at: Instant | None = None
    failures: dict[str, int] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    ends_s: dict[str, float] = field(default_factory=dict)
    not_before_s: dict[str, float] = field(default_factory=dict)
    decisions: tuple[Scripted, ...] = ()
    restart_at_s: float | None = None
    report_after_s: float = 1800.0
    report_every_s: float = 3600.0
    answer_s: float = 600.0
    goals: Goals = field(default_factory=Goals)
    announced: tuple[Announced, ...] = ()

    def fallen_first(self) -> tuple[str, ...]:
        """Return everything that an inject takes away, once each."""
        return tuple(dict.fromkeys(unit for inject in self.injects for unit in inject.falls))


def power_cut(estate: Estate, minutes: float = POWER_CUT_MIN) -> Scenario:
    """Return the plainest exercise: every power feed falls at once and returns after a while.

    raises  WrongUse  the estate names no feed
    """
    feeds = tuple(unit.id for unit in estate.feeds())
    if not feeds:
        raise WrongUse(
            "drill.no-feed",
            "This estate names no power feed, so no power cut can be played on it. Write a [[feed]], or give a "
            "scenario that says what falls (--scenario FILE).",
        )
    return Scenario(
        name=Bilingual("Coupure de courant", "Power cut"),
        injects=(
            Inject(
                0.0,
                falls=feeds,
                expected=Bilingual(
                    "La perte est déclarée ; la cellule de crise se réunit.", "The loss is declared; the cell meets."
                ),
            ),
            Inject(
                minutes * 60,
                returns=feeds,
                words=Bilingual("Le courant est revenu et stable.", "Power is back and steady."),
                expected=Bilingual("Le redémarrage commence.", "The restart begins."),
            ),
        ),
    )


def from_case(case: OutageCase) -> Scenario:
    """Return a past outage as it was, on the estate that was made of it: what came back by when is known to the minute.

    Where nobody published when something returned, it takes what the estate made of the case believes.
    """
    estate = case.estate
    first_min = min([0.0, *(minute for minute, _ in case.timeline)])
    down = tuple(unit for unit in estate.units if unit not in case.unaffected)

    def second(minute: float) -> float:
        return (minute - first_min) * 60

    injects = [Inject(second(minute), words=Bilingual(words, words), source="case") for minute, words in case.timeline]
    injects.append(Inject(second(0.0), falls=down))
    injects += [
        Inject(second(minute), returns=(unit,))
        for unit, minute in case.up_by_min.items()
        if estate.units[unit].start is None
    ]
    # At the same minute first what happens, then what people are told of it.
    injects.sort(key=lambda inject: (inject.at_s, inject.words is not None))
    last_s = max(
        [inject.at_s for inject in injects]
        + [second(minute) for minute in (*case.up_by_min.values(), *case.up_after_min.values())]
    )
    return Scenario(
        name=Bilingual(case.title, case.title),
        injects=tuple(injects),
        begins_at=_first_moment(case.t0, first_min),
        ends_s={unit: second(minute) for unit, minute in case.up_by_min.items()},
        not_before_s={unit: second(minute) for unit, minute in case.up_after_min.items()},
        report_every_s=max(Scenario.report_every_s, last_s / REPORTS_OF_A_CASE),
        announced=tuple(
            Announced(
                one.text,
                None if one.issued_min is None else second(one.issued_min),
                None if one.predicted_min is None else second(one.predicted_min),
                one.outcome,
            )
            for one in case.forecasts
        ),
    )


def from_case_on(case: OutageCase, estate: Estate) -> Scenario:
    """Return a past outage played on another estate: its power fails here for as long as it did there.

    What the case calls the same as the estate falls for as long as well; everything else takes what this estate
    believes.

    raises  WrongUse  the estate names no power feed
    """
    away_min = [
        minute
        for unit, minute in case.up_by_min.items()
        if not case.estate.units[unit].needs and unit not in case.unaffected
    ]
    cut = power_cut(estate, max(away_min)) if away_min else power_cut(estate)
    told = [inject for inject in from_case(case).injects if inject.words is not None]
    before_s = -60 * min([0.0, *(minute for minute, _ in case.timeline)])
    fallen = [replace(inject, at_s=inject.at_s + before_s) for inject in cut.injects]
    ends = {
        unit: minute * 60 + before_s
        for unit, minute in case.up_by_min.items()
        if unit in estate.units and estate.units[unit].start is not None
    }
    injects = sorted([*fallen, *told], key=lambda inject: (inject.at_s, inject.words is not None))
    return replace(from_case(case), injects=tuple(injects), ends_s=ends, not_before_s={})


def read_scenario(path: Path, estate: Estate) -> Scenario:
    """Read a scenario for an estate.

    raises  WrongUse  unreadable, unknown keys, a unit the estate does not have: the sentence names the line
    """
    top = read_toml(path)
    top.only("scenario", "inject", "failure", "slow", "decision", "goals")
    head = top.table("scenario")
    head.only(
        "name", "seed", "factor", "begins", "restart_at_min", "report_after_min", "report_every_min", "answer_min"
    )
    injects = top.tables("inject")
    if not 1 <= len(injects) <= INJECTS_MAX:
        top.refuse(None, f"{path} has {len(injects)} [[inject]]; expected 1 to {INJECTS_MAX}")
    return Scenario(
        name=_words(head, "name") or Bilingual(path.stem, path.stem),
        injects=tuple(sorted((_inject(table, estate) for table in injects), key=lambda inject: inject.at_s)),
        seed=head.count("seed", 1),
        factor=_positive(head, "factor", 1.0),
        begins_at=_begins(head, estate),
        failures={_unit(table, estate): _tries(table) for table in top.tables("failure")},
        slow={_unit(table, estate): _positive(table, "factor", 1.0) for table in top.tables("slow")},
        decisions=tuple(_scripted(table, estate) for table in top.tables("decision")),
        restart_at_s=_minutes(head, "restart_at_min") if "restart_at_min" in head else None,
        report_after_s=_minutes(head, "report_after_min", 30.0),
        report_every_s=_minutes(head, "report_every_min", 60.0, least=1.0),
        answer_s=_minutes(head, "answer_min", 10.0),
        goals=_goals(top.table("goals")),
    )


def named(estate: Estate, names: Iterable[str]) -> tuple[str, ...]:
    """Return the units that a list of ids and "kind:", "room:", "site:" names means.

    raises  KeyError  one of them means nothing here
    """
    found: dict[str, None] = {}
    for name in names:
        sort, colon, which = name.partition(":")
        if not colon or name in estate.units:
            found[estate.units[name].id] = None
            continue
        members = [
            unit.id
            for unit in estate.units.values()
            if (sort == "kind" and which in KINDS and unit.kind == which)
            or (sort == "room" and unit.room == which)
            or (sort == "site" and unit.site == which)
        ]
        if not members:
            raise KeyError(name)
        found.update(dict.fromkeys(members))
    return tuple(found)


def _first_moment(t0: str, first_min: float) -> Instant | None:
    """Return the moment of the first minute, None where the case has words instead of a whole date and zone."""
    found = _ISO.match(t0)
    if found is None:
        return None
    return to_instant(datetime.fromisoformat(found[0].replace("Z", "+00:00"))) + round(first_min * 60_000_000)


def _inject(table: Table, estate: Estate) -> Inject:
    table.only("at_min", "falls", "returns", "words", "source", "target", "expected")
    return Inject(
        at_s=_minutes(table, "at_min"),
        falls=_named(table, "falls", estate),
        returns=_named(table, "returns", estate),
        words=_words(table, "words"),
        source=table.text("source", ""),
        target=table.text("target", ""),
        expected=_words(table, "expected"),
    )


def _named(table: Table, key: str, estate: Estate) -> tuple[str, ...]:
    try:
        return named(estate, table.texts(key, []))
    except KeyError as unknown:
        table.refuse(
            key, f'must name units of the estate, or "kind:feed", "room:ID", "site:ID"; found {unknown.args[0]!r}'
        )


def _unit(table: Table, estate: Estate) -> str:
    unit = table.text("unit")
    if unit not in estate.units:
        table.refuse("unit", f"must be a unit of the estate; found {unit!r}")
    return unit


def _tries(table: Table) -> int:
    table.only("unit", "tries")
    tries = table.count("tries", 1)
    if not 1 <= tries <= 100:
        table.refuse("tries", f"must be 1 to 100; found {tries}")
    return tries


def _scripted(table: Table, estate: Estate) -> Scripted:
    table.only("verb", "unit", "hospital", "by", "role", "reason", "at_min", "after_min")
    verb = table.text("verb")
    if verb not in get_args(Verb):
        table.refuse("verb", f"must be one of {', '.join(get_args(Verb))}; found {verb!r}")
    if ("at_min" in table) == ("after_min" in table):
        table.refuse(None, "needs either at_min or after_min")
    return Scripted(
        verb=cast("Verb", verb),
        by=table.text("by"),
        unit=_unit(table, estate) if "unit" in table else "",
        hospital=table.text("hospital", ""),
        role=table.text("role", ""),
        reason=table.text("reason", ""),
        at_s=_minutes(table, "at_min") if "at_min" in table else None,
        after_s=_minutes(table, "after_min") if "after_min" in table else None,
    )


def _goals(table: Table) -> Goals:
    table.only("declare_min", "forecast_min", "report_min", "decide_min", "ratio")
    usual = Goals()
    return Goals(
        declare_s=_minutes(table, "declare_min", usual.declare_s / 60),
        forecast_s=_minutes(table, "forecast_min", usual.forecast_s / 60),
        report_s=_minutes(table, "report_min", usual.report_s / 60),
        decide_s=_minutes(table, "decide_min", usual.decide_s / 60),
        ratio=_positive(table, "ratio", usual.ratio),
    )


def _begins(head: Table, estate: Estate) -> Instant | None:
    if "begins" not in head:
        return None
    written = head.text("begins")
    try:
        begins = datetime.fromisoformat(written)
    except ValueError:
        head.refuse("begins", f'must be a moment such as "2026-10-03T11:00"; found {written!r}')
    return to_instant(begins if begins.tzinfo else begins.replace(tzinfo=ZoneInfo(estate.zone)))


def _words(table: Table, key: str) -> Bilingual | None:
    return parse_name(table, key) if key in table else None


def _minutes(table: Table, key: str, default: float | None = None, *, least: float = 0.0) -> float:
    value = table.number(key, default)
    if not least <= value <= MINUTES_MAX:
        table.refuse(key, f"must be {least:g} to {MINUTES_MAX:g} minutes; found {value:g}")
    return value * 60


def _positive(table: Table, key: str, default: float) -> float:
    value = table.number(key, default)
    if not 0 < value <= 1000:
        table.refuse(key, f"must be above 0 and at most 1000; found {value:g}")
    return value
