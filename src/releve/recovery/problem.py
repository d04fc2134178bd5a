"""The estate as numbers: tasks, groups of needs, capacities. Frozen, shared by everyone who asks the dispatch.

A task waits for its *groups*, and a group is met as soon as one of its members is up: a hard need is a group of one,
`needs_any` is a group of several. A soft group (`wants`) is also met when its member can no longer come.

A gate is a task like any other, so that plan, forecast and run see it alike. Tasks are named and mean this:

    record              act "start"    the unit's start, or the wait for what comes by itself; (stop) act "stop"
    record/check        act "check"    the integrity check of a unit that is `unclean`: what stands on the unit waits
                                       for it, not for the start alone
    record/release      act "release"  a person (Unit.release) releases the unit to care for everybody
    record/release/H07  act "release"  the same for one hospital: asked there when Unit.released_by_hospital, else
                                       let in by itself after record/release. With Unit.wave so many hospitals at a
                                       time: the next wave waits until every one before it is released

`Task.asks` is the contact that must decide, "" where nobody is asked and the step passes by itself. Nothing technical
waits for a release: other units stand on what is up and whole. Care gets the service when its last release is given.
A release at a hospital takes one of the capacity `validators-H07` where the estate has it; one for everybody takes one
of `validators`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from releve.clock import Instant, to_datetime, to_instant
from releve.estate import Capacity, Duration, Estate, Unit, strongly_connected

Groups = tuple[tuple[int, ...], ...]

#: From which second on how much of a capacity there is; the first step is at 0.
Calendar = tuple[tuple[float, int], ...]

Act = Literal["start", "check", "release", "stop"]

#: A start, a stop, a check or a release whose duration nobody wrote down: assumptions, and plan and forecast say so.
UNKNOWN = Duration(p50_s=60.0, p90_s=240.0)
UNKNOWN_STOP = Duration(p50_s=30.0, p90_s=120.0)
UNKNOWN_CHECK = Duration(p50_s=120.0, p90_s=600.0)
UNKNOWN_RELEASE = Duration(p50_s=300.0, p90_s=1200.0)

#: How long the callers of one wave take to sign on before the next is let in.
UNKNOWN_WAVE = Duration(p50_s=300.0, p90_s=600.0)

#: The capacity that `[restart] at_once` makes.
AT_ONCE_CAPACITY = "at_once"

#: What comes by itself (power) takes no time of ours: the clock starts when it is back.
AT_ONCE = 0.0

#: A restart that outlasts this many days finds every crew complete: nothing may wait for ever.
CALENDAR_DAYS = 28

#: The capacity for releases; a hospital's own has its id behind a dash.
VALIDATORS = "validators"


@dataclass(frozen=True, slots=True)
class Task:
    """What a number means.

    name      unique in its problem; of a start or stop the id of the unit
    hospital  of a release for one hospital, "" for all
    asks      id of the contact that must decide, "" when nobody is asked
    """

    name: str
    unit: str
    act: Act
    hospital: str = ""
    asks: str = ""


@dataclass(frozen=True)
class Problem:
    """Tasks with what they wait for and what they use.

    tasks       what each number means
    capacities  the most there ever is of each
    calendars   capacity → how much there is from which second on
    groups      task → groups of tasks; each must be met
    soft        task → the numbers of its groups that are soft
    opens       task → (group number, follower) for every group it is a member of
    uses        task → (capacity, amount)
    weights     task → how much its return matters, for choosing among plans
    beliefs     task → how long it takes; None: no time of ours
    assumed     tasks whose belief nobody wrote down
    """

    tasks: tuple[Task, ...]
    capacity_names: tuple[str, ...]
    capacities: tuple[int, ...]
    calendars: tuple[Calendar, ...]
    groups: tuple[Groups, ...]
    soft: tuple[frozenset[int], ...]
    opens: tuple[tuple[tuple[int, int], ...], ...]
    uses: tuple[tuple[tuple[int, int], ...], ...]
    weights: tuple[float, ...]
    beliefs: tuple[Duration | None, ...] = field(repr=False)
    assumed: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Number of tasks."""
        return len(self.tasks)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks, by number."""
        return tuple(task.name for task in self.tasks)

    def number(self) -> dict[str, int]:
        """Return the number of each task."""
        return {task.name: number for number, task in enumerate(self.tasks)}

    def believed_s(self) -> list[float]:
        """Return how long each task is believed to take: the middle of its belief."""
        return [AT_ONCE if belief is None else belief.p50_s for belief in self.beliefs]

    def sole_needs(self, task: int) -> Iterable[int]:
        """Return the tasks that must be up before this one, whatever happens."""
        return (
            members[0]
            for group, members in enumerate(self.groups[task])
            if len(members) == 1 and group not in self.soft[task]
        )


def make_problem(
    names: Sequence[str | Task],
    groups: Sequence[Sequence[tuple[int, ...]]],
    uses: Sequence[Sequence[tuple[int, int]]],
    capacities: Sequence[tuple[str, int]],
    *,
    soft: Sequence[frozenset[int]] | None = None,
    weights: Sequence[float] | None = None,
    calendars: Sequence[Calendar] | None = None,
    beliefs: Sequence[Duration | None] | None = None,
    assumed: Collection[int] = (),
) -> Problem:
    """Return a problem of any origin; the caller has refused cycles and demands above a capacity."""
    opens: list[list[tuple[int, int]]] = [[] for _ in names]
    for task, of_task in enumerate(groups):
        for group, members in enumerate(of_task):
            for member in members:
                opens[member].append((group, task))
    constant = tuple(((0.0, amount),) for _, amount in capacities)
    return Problem(
        tasks=tuple(name if isinstance(name, Task) else Task(name, name, "start") for name in names),
        capacity_names=tuple(name for name, _ in capacities),
        capacities=tuple(amount for _, amount in capacities),
        calendars=tuple(calendars) if calendars is not None else constant,
        groups=tuple(tuple(of_task) for of_task in groups),
        soft=tuple(soft) if soft is not None else (frozenset(),) * len(names),
        opens=tuple(tuple(pairs) for pairs in opens),
        uses=tuple(tuple(pairs) for pairs in uses),
        weights=tuple(weights) if weights is not None else (1.0,) * len(names),
        beliefs=tuple(beliefs) if beliefs is not None else (None,) * len(names),
        assumed=frozenset(assumed),
    )


def restart_problem(estate: Estate, *, unclean: Collection[str] = (), at: Instant | None = None) -> Problem:
    """Return the problem of bringing everything up, gates included.

    unclean  units that went down without a clean stop: those with an integrity check get it before anything stands on
             them
    at       when second 0 is, for the shifts of the capacities; None: everybody is there all the time
    """
    return _Restart(estate, frozenset(unclean), at).problem()


def stop_problem(estate: Estate) -> Problem:
    """Return the problem of taking everything down: whoever needs goes before what it needs.

    What a start uses (inrush, crews, sign-ons) does not limit a stop; only how many may run at once does.
    """
    number = {name: task for task, name in enumerate(estate.units)}
    groups: list[list[tuple[int, ...]]] = [[] for _ in number]
    opened = {(point.unit, point.without) for point in estate.breaks}
    for unit in estate.units.values():
        for one in dict.fromkeys((*unit.needs, *unit.needs_any)):
            if (unit.id, one) not in opened:
                groups[number[one]].append((number[unit.id],))
    limits = [(one.id, one.amount) for one in estate.capacities.values() if one.id == AT_ONCE_CAPACITY]
    units = list(estate.units.values())
    return make_problem(
        [Task(unit.id, unit.id, "stop") for unit in units],
        groups,
        [[(0, unit.uses[AT_ONCE_CAPACITY])] if unit.stop and AT_ONCE_CAPACITY in unit.uses else [] for unit in units],
        limits,
        weights=[weight(unit) for unit in units],
        beliefs=[(unit.stop_duration or UNKNOWN_STOP) if unit.stop is not None else None for unit in units],
        assumed=[task for task, unit in enumerate(units) if unit.stop is not None and unit.stop_duration is None],
    )


def believed_s(unit: Unit) -> float:
    """Return how long the start of a unit is believed to take."""
    if unit.duration is not None:
        return unit.duration.p50_s
    return UNKNOWN.p50_s if unit.start is not None else AT_ONCE


def weight(unit: Unit) -> float:
    """Return how much the return of a unit matters: each tier half the one before, then the order of care.

    The base (tier 0) has no weight of its own: nobody is treated by a storage, only by what stands on it.
    """
    if unit.tier == 0:
        return 0.0
    return 2.0 ** (4 - unit.tier) * (1 + 1 / unit.clinical)


def calendar(capacity: Capacity, zone: str, at: Instant) -> Calendar:
    """Return how much of a capacity there is from which second after an instant on, read off the wall clock there.

    The first shift of the list that covers a moment counts. A shift that ends before it begins ends the day after.
    """
    most = max((capacity.amount, *(shift.amount for shift in capacity.shifts)))
    if not capacity.shifts:
        return ((0.0, most),)
    there = ZoneInfo(zone)
    today = to_datetime(at).astimezone(there).date()
    spans: list[tuple[Instant, Instant, int, int]] = []
    for ahead in range(-1, CALENDAR_DAYS):
        day = today + timedelta(days=ahead)
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the wall clock there; the zone follows
        for rank, shift in enumerate(capacity.shifts):
            if day.weekday() in shift.days:
                until_s = shift.until_s + (86_400 if shift.until_s <= shift.from_s else 0)
                ends = [
                    to_instant((midnight + timedelta(seconds=s)).replace(tzinfo=there)) for s in (shift.from_s, until_s)
                ]
                spans.append((ends[0], ends[1], rank, shift.amount))
    moments = sorted({at, *(moment for span in spans for moment in span[:2] if moment > at)})
    steps: list[tuple[float, int]] = []
    for moment in moments:
        covering = [(rank, amount) for begin, end, rank, amount in spans if begin <= moment < end]
        amount = min(covering)[1] if covering else capacity.amount
        if not steps or steps[-1][1] != amount:
            steps.append(((moment - at) / 1e6, amount))
    return (*steps, (max(steps[-1][0], CALENDAR_DAYS * 86_400.0), most))


class _Restart:
    """The tasks of one restart, collected unit by unit."""

    def __init__(self, estate: Estate, unclean: frozenset[str], at: Instant | None) -> None:
        self._estate = estate
        self._unclean = unclean
        self._at = at
        self._places = {name: place for place, name in enumerate(estate.capacities)}
        self._tasks: list[Task] = []
        self._groups: list[list[tuple[int, ...]]] = []
        self._uses: list[list[tuple[int, int]]] = []
        self._weights: list[float] = []
        self._beliefs: list[Duration | None] = []
        self._assumed: list[int] = []

    def problem(self) -> Problem:
        """Return it whole: starts first, in the order of the file, then the gates."""
        units = list(self._estate.units.values())
        soft: dict[int, frozenset[int]] = {}
        for unit in units:
            belief = unit.duration or UNKNOWN if unit.start is not None else unit.duration
            uses = [(self._places[one], amount) for one, amount in unit.uses.items()] if unit.start is not None else []
            gated = bool(unit.release or unit.wave)
            self._add(
                Task(unit.id, unit.id, "start"),
                [],
                uses,
                0.0 if gated else weight(unit),
                belief,
                assumed=unit.start is not None and unit.duration is None,
            )
        whole = {unit.id: self._check(task, unit) for task, unit in enumerate(units)}
        wanted = _wants_without_cycles(self._estate)
        for task, unit in enumerate(units):
            groups: list[tuple[int, ...]] = [(whole[one],) for one in dict.fromkeys(self._estate.first_needs(unit))]
            if unit.needs_any:
                groups.append(tuple(dict.fromkeys(whole[one] for one in unit.needs_any)))
            hard = len(groups)
            groups += [(whole[one],) for one in dict.fromkeys(wanted[unit.id])]
            self._groups[task] = groups
            soft[task] = frozenset(range(hard, len(groups)))
            self._releases(whole[unit.id], unit)
        capacities = list(self._estate.capacities.values())
        most = [max((one.amount, *(shift.amount for shift in one.shifts))) for one in capacities]
        return make_problem(
            self._tasks,
            self._groups,
            self._uses,
            [(one.id, amount) for one, amount in zip(capacities, most, strict=True)],
            soft=[soft.get(task, frozenset()) for task in range(len(self._tasks))],
            weights=self._weights,
            calendars=None if self._at is None else [calendar(one, self._estate.zone, self._at) for one in capacities],
            beliefs=self._beliefs,
            assumed=self._assumed,
        )

    def _check(self, task: int, unit: Unit) -> int:
        """Add the integrity check of a unit where it needs one, and return the task that others wait for."""
        if unit.check is None or unit.id not in self._unclean:
            return task
        asks = unit.check.address if unit.check.driver == "person" else ""
        name = f"{unit.id}/check"
        belief = unit.check_duration or UNKNOWN_CHECK
        assumed = unit.check_duration is None
        return self._add(Task(name, unit.id, "check", "", asks), [(task,)], [], 0.0, belief, assumed=assumed)

    def _releases(self, whole: int, unit: Unit) -> None:
        """Add what stands between a unit that is up and care that may use it."""
        by_hospital = unit.released_by_hospital or unit.wave
        name = f"{unit.id}/release"
        after = whole
        if unit.release and not unit.released_by_hospital:
            after = self._add(
                Task(name, unit.id, "release", "", unit.release),
                [(whole,)],
                self._validators(VALIDATORS),
                0.0 if by_hospital else weight(unit),
                unit.release_duration or UNKNOWN_RELEASE,
                assumed=unit.release_duration is None,
            )
        if not by_hospital or not unit.hospitals:
            return
        share = weight(unit) / len(unit.hospitals)
        asks = unit.release if unit.released_by_hospital else ""
        before: list[int] = []
        size = unit.wave or len(unit.hospitals)
        for first in range(0, len(unit.hospitals), size):
            wave = [
                self._add(
                    Task(f"{name}/{hospital}", unit.id, "release", hospital, asks),
                    [(after,), *((one,) for one in before)],
                    self._validators(f"{VALIDATORS}-{hospital}") if asks else [],
                    share,
                    (unit.release_duration or UNKNOWN_RELEASE) if asks else UNKNOWN_WAVE,
                    assumed=unit.release_duration is None or not asks,
                )
                for hospital in unit.hospitals[first : first + size]
            ]
            before = wave

    def _validators(self, capacity: str) -> list[tuple[int, int]]:
        return [(self._places[capacity], 1)] if capacity in self._places else []

    def _add(
        self,
        task: Task,
        groups: list[tuple[int, ...]],
        uses: list[tuple[int, int]],
        worth: float,
        belief: Duration | None,
        *,
        assumed: bool,
    ) -> int:
        self._tasks.append(task)
        self._groups.append(groups)
        self._uses.append(uses)
        self._weights.append(worth)
        self._beliefs.append(belief)
        if assumed:
            self._assumed.append(len(self._tasks) - 1)
        return len(self._tasks) - 1


def _wants_without_cycles(estate: Estate) -> dict[str, tuple[str, ...]]:
    """Return the soft needs, without those that would make a circle: a wish never stops a start."""
    needs = {unit.id: (*estate.first_needs(unit), *unit.needs_any, *unit.wants) for unit in estate.units.values()}
    circle = {name: index for index, members in enumerate(strongly_connected(needs)) for name in members}
    return {
        unit.id: tuple(
            one
            for one in unit.wants
            if one not in unit.hard() and not (one in circle and circle.get(unit.id) == circle[one])
        )
        for unit in estate.units.values()
    }
