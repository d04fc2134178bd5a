"""The restart as a timeline: what was planned, what happened, what is expected; in lanes that fold.

Two thousand rows help nobody at three in the morning: steps stand in lanes (a tier, or what a service stands on), a
lane folds into one line that sums it up, and what runs, failed or waits for a person is never folded away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from releve.clock import Instant
from releve.estate import Bilingual, Estate
from releve.recovery.forecast import Forecast
from releve.recovery.journal import Happened
from releve.recovery.plan import Plan

By = Literal["tier", "service"]

#: A restart of so few steps is shown whole.
FOLD_ABOVE = 40
#: Steps of an open lane on one page; the rest is one click further.
STEPS_SHOWN_MAX = 100
#: Ticks of the axis: more do not fit on a phone.
TICKS_MAX = 6
_MINUTE_US = 60_000_000
_TICK_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10_080)

#: What each line of the journal makes of its step.
_BECOMES = {
    "start-began": "running",
    "stop-began": "running",
    "check-began": "running",
    "waiting": "running",
    "try-failed": "running",
    "overrun": "late",
    "asked": "asked",
    "up": "done",
    "already-up": "done",
    "down": "done",
    "already-down": "done",
    "left": "skipped",
    "checked": "done",
    "released": "done",
    "refused": "refused",
    "failed": "failed",
    "check-failed": "failed",
    "blocked": "blocked",
    "skipped": "skipped",
    "step-back": "waiting",
}
#: Which act a line is about; the others are about the start (or stop) itself.
_ACT = {
    "check-began": "check",
    "checked": "check",
    "check-failed": "check",
    "released": "release",
    "refused": "release",
}
#: What a person must see first.
ACTIVE = ("failed", "refused", "late", "asked", "running")
_ORDER = {state: place for place, state in enumerate((*ACTIVE, "blocked", "waiting", "skipped", "done"))}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a start, a check or a release.

    name      as plan and forecast call it
    state     waiting, running, late, asked, done, failed, refused, blocked, skipped
    plan      (from, until) as planned, None without a plan
    began_at, ended_at  as it was
    p50_at, p90_at      as it is expected
    by        who decided, of a release or a skip
    """

    name: str
    unit: str
    act: str
    hospital: str
    state: str
    plan: tuple[Instant, Instant] | None
    began_at: Instant | None
    ended_at: Instant | None
    p50_at: Instant | None
    p90_at: Instant | None
    detail: str
    by: str
    is_critical: bool


@dataclass(frozen=True)
class Lane:
    """Steps that belong together, summed up in a line.

    is_open  its steps are shown
    shown    those of them that fit on the page, what a person must see first
    """

    key: str
    name: Bilingual
    steps: tuple[Step, ...]
    is_open: bool
    shown: tuple[Step, ...]

    @property
    def done(self) -> int:
        """Number of steps that are behind us."""
        return sum(step.state in ("done", "skipped") for step in self.steps)

    @property
    def state(self) -> str:
        """Return the state that a person must see first."""
        states = {step.state for step in self.steps}
        if states <= {"done", "skipped"}:
            return "done"
        return next((state for state in (*ACTIVE, "blocked") if state in states), "waiting")

    @property
    def plan(self) -> tuple[Instant, Instant] | None:
        """Return from when until when it was planned."""
        planned = [step.plan for step in self.steps if step.plan is not None]
        return (min(one[0] for one in planned), max(one[1] for one in planned)) if planned else None

    @property
    def began_at(self) -> Instant | None:
        """Return when its first step began."""
        return min((step.began_at for step in self.steps if step.began_at is not None), default=None)

    @property
    def ended_at(self) -> Instant | None:
        """Return when its last step ended; None while one is open."""
        ends = [step.ended_at for step in self.steps if step.state != "skipped"]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    @property
    def p50_at(self) -> Instant | None:
        """Return the expected end of its last step."""
        return max((step.p50_at for step in self.steps if step.p50_at is not None), default=None)

    @property
    def p90_at(self) -> Instant | None:
        """Return until when its last step is over, nine times in ten."""
        return max((step.p90_at for step in self.steps if step.p90_at is not None), default=None)

    @property
    def is_critical(self) -> bool:
        """Say whether the critical path runs through it."""
        return any(step.is_critical for step in self.steps)


@dataclass(frozen=True)
class Timeline:
    """All lanes on one axis.

    active    steps that a person must see first, of all lanes
    critical  names of the steps on the critical path of the plan, first to last
    bottleneck  id of the capacity that sets the bound; "" for the chain of needs
    """

    lanes: tuple[Lane, ...]
    active: tuple[Step, ...]
    from_at: Instant
    until_at: Instant
    now: Instant
    ticks: tuple[Instant, ...]
    done: int
    total: int
    critical: tuple[Step, ...]
    bottleneck: str
    is_run: bool

    @property
    def is_folded(self) -> bool:
        """Say whether lanes fold: what a person must see first then stands above them."""
        return self.total > FOLD_ABOVE

    def x(self, at: Instant) -> str:
        """Return where a moment lies, as a percentage of the width."""
        return f"{self._share(at):.2f}%"

    def width(self, from_at: Instant, until_at: Instant) -> str:
        """Return how wide a span is; a short one is still seen."""
        return f"{max(self._share(until_at) - self._share(from_at), 0.4):.2f}%"

    def _share(self, at: Instant) -> float:
        length = max(self.until_at - self.from_at, 1)
        return min(max((at - self.from_at) / length * 100, 0.0), 100.0)


def timeline(
    estate: Estate,
    plan: Plan | None,
    run: Sequence[Happened],
    forecast: Forecast | None,
    now: Instant,
    *,
    by: By = "tier",
    opened: Collection[str] = (),
) -> Timeline:
    """Return the timeline of the last run, or of the plan when none has begun.

    run     lines of the last run; empty when none ever began
    opened  keys of the lanes that are unfolded
    """
    began_at = run[0].at if run else now
    if run and run[0].act == "stop":
        plan = None  # it is a plan of the return
    is_over = any(line.kind == "run-ended" for line in run)
    steps = _steps(estate, plan, run, None if is_over else forecast, began_at)
    lanes = tuple(_lanes(estate, steps, by, opened))
    ends = [at for step in steps for at in (step.ended_at, step.p90_at, step.plan[1] if step.plan else None) if at]
    until_at = max([*ends, began_at + _MINUTE_US] if is_over or not run else [*ends, now, began_at + _MINUTE_US])
    until_at += (until_at - began_at) // 50
    named = {step.name: step for step in steps}
    return Timeline(
        lanes=lanes,
        active=tuple(sorted((step for step in steps if step.state in ACTIVE), key=_place))[:STEPS_SHOWN_MAX],
        from_at=began_at,
        until_at=until_at,
        now=now,
        ticks=tuple(_ticks(began_at, until_at)),
        done=sum(step.state in ("done", "skipped") for step in steps),
        total=len(steps),
        critical=tuple(named[name] for name in (plan.critical if plan is not None else ()) if name in named),
        bottleneck=(plan.bound.bottleneck or "") if plan is not None else "",
        is_run=bool(run),
    )


def split_name(name: str) -> tuple[str, str, str]:
    """Return (unit, act, hospital) of a step's name: "record/release/H07"."""
    unit, _, rest = name.partition("/")
    act, _, hospital = rest.partition("/")
    return unit, act or "start", hospital


def name_of(line: Happened) -> str:
    """Return the name of the step that a line is about."""
    act = _ACT.get(line.kind, line.act if line.kind in ("asked", "skipped") else "")
    if act not in ("check", "release"):
        return line.unit
    return "/".join(part for part in (line.unit, act, line.hospital) if part)


def _steps(
    estate: Estate, plan: Plan | None, run: Sequence[Happened], forecast: Forecast | None, began_at: Instant
) -> list[Step]:
    planned = {
        (step.name or step.unit): (began_at + round(step.start_s * 1e6), began_at + round(step.end_s * 1e6))
        for step in (plan.steps if plan is not None else ())
    }
    critical = set(plan.critical) if plan is not None else set()
    lines: dict[str, list[Happened]] = {}
    for line in run:
        if line.unit in estate.units and line.kind in _BECOMES:
            lines.setdefault(name_of(line), []).append(line)
    found = []
    for name in dict.fromkeys((*planned, *estate.units, *lines)):
        unit, act, hospital = split_name(name)
        state, began, ended, last = _lived(lines.get(name, []))
        span = None
        if forecast is not None and not forecast.after and state not in ("done", "skipped"):
            at_hospital = forecast.at_hospital.get(unit, {}).get(hospital) if act == "release" else None
            span = at_hospital or forecast.units.get(name)
        issued = forecast.issued_at if forecast is not None else 0
        found.append(
            Step(
                name, unit, act, hospital, state, planned.get(name), began, ended,
                issued + round(span.p50_s * 1e6) if span else None,
                issued + round(span.p90_s * 1e6) if span else None,
                last.detail if last is not None else "",
                last.by if last is not None else "",
                name in critical,
            )
        )  # fmt: skip
    return found


def _lived(lines: Iterable[Happened]) -> tuple[str, Instant | None, Instant | None, Happened | None]:
    """Return (state, began, ended, last line) of a step."""
    state, began, ended, last = "waiting", None, None, None
    for line in lines:
        state, last = _BECOMES[line.kind], line
        if state in ("running", "asked", "late"):
            began, ended = began or line.at, None
        elif state == "waiting":
            began = ended = None
        elif state in ("done", "failed", "refused", "skipped"):
            began, ended = began or line.at, line.at
    return state, began, ended, last


def _lanes(estate: Estate, steps: Sequence[Step], by: By, opened: Collection[str]) -> Iterable[Lane]:
    keys = _tiers(estate) if by == "tier" else _services(estate)
    grouped: dict[str, list[Step]] = {}
    for step in steps:
        grouped.setdefault(keys[step.unit], []).append(step)
    order = sorted(grouped) if by == "tier" else [*(unit.id for unit in estate.services()), ""]
    for key in order:
        if key not in grouped:
            continue
        members = tuple(sorted(grouped[key], key=_place))
        is_open = key in opened or len(steps) <= FOLD_ABOVE
        yield Lane(key, _lane_name(estate, key, by), members, is_open, members[:STEPS_SHOWN_MAX] if is_open else ())


def _place(step: Step) -> tuple[int, Instant, str]:
    return _ORDER[step.state], step.began_at or (step.plan[0] if step.plan else 0), step.name


def _tiers(estate: Estate) -> dict[str, str]:
    return {unit.id: str(unit.tier) for unit in estate.units.values()}


def _services(estate: Estate) -> dict[str, str]:
    """Return for each unit the first service, in the order of care, that stands on it."""
    found: dict[str, str] = {}
    for service in estate.services():
        waiting = [service.id]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found[name] = service.id
            unit = estate.units[name]
            waiting += [*unit.hard(), *unit.needs_any]
    return {name: found.get(name, "") for name in estate.units}


_TIERS = {
    "0": Bilingual("Socle", "Base"),
    "1": Bilingual("Essentiel", "Essential"),
    "2": Bilingual("Important", "Important"),
    "3": Bilingual("Ensuite", "Later"),
    "4": Bilingual("En dernier", "Last"),
}


def _lane_name(estate: Estate, key: str, by: By) -> Bilingual:
    if by == "tier":
        return _TIERS.get(key, Bilingual(f"Rang {key}", f"Tier {key}"))
    return estate.units[key].name if key else Bilingual("Sans service connu", "No known service")


def _ticks(from_at: Instant, until_at: Instant) -> Iterable[Instant]:
    length = (until_at - from_at) / _MINUTE_US
    weeks = ceil(length / TICKS_MAX / _TICK_MIN[-1])
    minutes = next((step for step in _TICK_MIN if length / step <= TICKS_MAX), _TICK_MIN[-1] * weeks)
    step_us = minutes * _MINUTE_US
    at = -(-from_at // step_us) * step_us
    while at < until_at:
        yield at
        at += step_us
