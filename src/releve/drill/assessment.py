"""What an exercise reached, beside its goals: times, decisions, the restart beside its bound, the forecasts' record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from releve.clock import Instant, to_iso
from releve.drill.played import CONTROL, Moments, Played, Question
from releve.drill.scenario import Announced, Goals, Scenario
from releve.estate import Estate
from releve.recovery.forecast import ESSENTIAL_TIER_MAX, Forecast
from releve.recovery.journal import Happened
from releve.recovery.score import Score, encode_score, returns, score

Mark = Literal["declare", "forecast", "report", "decide", "ratio"]

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Reached:
    """One goal: what was wanted, what was reached. None: it never happened, which is not reaching it."""

    mark: Mark
    goal: float
    reached: float | None

    @property
    def is_met(self) -> bool:
        """Return whether it was reached within the goal."""
        return self.reached is not None and self.reached <= self.goal


@dataclass(frozen=True)
class Decisions:
    """How people decided.

    questions     what they were asked to decide: releases, checks, what to do about a failure; steps by hand are work
    by_control    of those, answered by exercise control because nobody did in time
    skips … refused  by people and by control
    not_obeyed    came too late, came second, or nothing waited for them
    """

    questions: int
    answered: int
    by_control: int
    steps_by_hand: int
    middle_s: float | None
    longest_s: float | None
    skips: int
    retries: int
    step_backs: int
    refused: int
    not_obeyed: int


@dataclass(frozen=True)
class Assessment:
    """The whole of it.

    bound_s     the least that any order could have taken with the durations as they were
    bottleneck  the capacity that sets it; None: the chain of needs does
    left        steps that were not done at the end
    announced   (what was announced in the outage that was played, how late the return was)
    """

    goals: tuple[Reached, ...]
    moments: Moments
    essential_at: Instant | None
    last_at: Instant | None
    makespan_s: float | None
    bound_s: float | None
    bottleneck: str | None
    left: tuple[str, ...]
    unclean: int
    reports: int
    decisions: Decisions
    forecasts: Score
    announced: tuple[Announced, ...]

    @property
    def is_complete(self) -> bool:
        """Return whether everything came back."""
        return not self.left and self.moments.restart_ended is not None


def assess(
    estate: Estate,
    scenario: Scenario,
    played: Played,
    journal: Sequence[Happened],
    forecasts: Sequence[Forecast],
) -> Assessment:
    """Return what an exercise reached, read from its journal, its questions and its forecasts."""
    moments = played.moments
    at = moments.ended if moments.ended is not None else max((line.at for line in journal), default=moments.began)
    back = returns(estate, journal)
    makespan_s = between_s(moments.restart_began, moments.restart_ended)
    bound_s = played.bound.least_s if played.bound is not None else None
    decisions = _decisions(played.questions, journal)
    return Assessment(
        goals=_goals(scenario.goals, moments, decisions, makespan_s, bound_s),
        moments=moments,
        essential_at=_latest((unit.id for unit in estate.units.values() if unit.tier <= ESSENTIAL_TIER_MAX), back),
        last_at=_latest(estate.units, back),
        makespan_s=makespan_s,
        bound_s=bound_s,
        bottleneck=played.bound.bottleneck if played.bound is not None else None,
        left=played.left,
        unclean=sum(line.kind == "unclean" for line in journal),
        reports=played.reports,
        decisions=decisions,
        forecasts=score(estate, forecasts, journal, at),
        announced=scenario.announced,
    )


def between_s(begin: Instant | None, end: Instant | None) -> float | None:
    """Return the seconds between two moments, None when one of them never came."""
    return None if begin is None or end is None else (end - begin) / _US


def encode_assessment(found: Assessment) -> dict[str, Any]:
    """Return it as JSON."""
    moments = found.moments
    decisions = found.decisions
    return {
        "exercise": True,
        "complete": found.is_complete,
        "goals": [
            {"mark": one.mark, "goal": one.goal, "reached": one.reached, "met": one.is_met} for one in found.goals
        ],
        "moments": {
            name: value if isinstance(value, str) or value is None else to_iso(value)
            for name in Moments.__dataclass_fields__
            for value in (getattr(moments, name),)
        },
        "essential_at": None if found.essential_at is None else to_iso(found.essential_at),
        "last_at": None if found.last_at is None else to_iso(found.last_at),
        "restart": {
            "makespan_s": found.makespan_s,
            "lower_bound_s": found.bound_s,
            "bottleneck": found.bottleneck,
            "left": list(found.left),
        },
        "unclean": found.unclean,
        "reports": found.reports,
        "decisions": {name: getattr(decisions, name) for name in Decisions.__dataclass_fields__},
        "announced_then": [
            {
                "words": one.words,
                "issued_s": one.issued_s,
                "predicted_s": one.predicted_s,
                "outcome": one.outcome,
            }
            for one in found.announced
        ],
        "forecasts": encode_score(found.forecasts),
    }


def _goals(
    goals: Goals, moments: Moments, decisions: Decisions, makespan_s: float | None, bound_s: float | None
) -> tuple[Reached, ...]:
    ratio = makespan_s / bound_s if makespan_s is not None and bound_s else None
    found = [
        Reached("declare", goals.declare_s, between_s(moments.lost, moments.declared)),
        Reached("forecast", goals.forecast_s, _after_s(moments.declared, moments.first_forecast)),
        Reached("report", goals.report_s, _after_s(moments.declared, moments.first_report)),
        Reached("ratio", goals.ratio, ratio),
    ]
    if decisions.questions:
        # A question that exercise control had to answer was not decided in time, however long it waited.
        is_theirs = decisions.by_control == 0 and decisions.answered == decisions.questions
        found.insert(3, Reached("decide", goals.decide_s, decisions.longest_s if is_theirs else None))
    return tuple(found)


def _after_s(begin: Instant | None, end: Instant | None) -> float | None:
    """Return how long something took after another; what came before it took nothing."""
    took_s = between_s(begin, end)
    return None if took_s is None else max(took_s, 0.0)


def _decisions(questions: Iterable[Question], journal: Iterable[Happened]) -> Decisions:
    asked = list(questions)
    decided = [one for one in asked if one.act not in ("start", "stop")]
    waits = [one.waited_s for one in decided if one.waited_s is not None and one.by != CONTROL]
    kinds = [line.kind for line in journal]
    retries = sum(one.verb == "retry" for one in asked)
    return Decisions(
        questions=len(decided),
        answered=sum(one.answered_at is not None for one in decided),
        by_control=sum(one.by == CONTROL for one in decided),
        steps_by_hand=len(asked) - len(decided),
        middle_s=median(waits) if waits else None,
        longest_s=max(waits, default=None),
        skips=kinds.count("skipped"),
        retries=retries,
        step_backs=sum(line.kind == "step-back" and line.by != "" for line in journal),
        refused=kinds.count("refused"),
        not_obeyed=kinds.count("not-obeyed"),
    )


def _latest(units: Iterable[str], back: dict[str, Instant]) -> Instant | None:
    found = [back.get(unit) for unit in units]
    known = [one for one in found if one is not None]
    return max(known) if known and len(known) == len(found) else None
