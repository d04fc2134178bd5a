"""The estate as numbers: tasks, groups of needs, capacities. Frozen, shared by everyone who asks the dispatch.

A task waits for its *groups*, and a group is met as soon as one of its members is up: a hard need is a group of one,
`needs_any` is a group of several. A soft group (`wants`) is also met when its member can no longer come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from releve.estate import Duration, Estate, Unit, strongly_connected

Groups = tuple[tuple[int, ...], ...]

#: A start whose duration nobody wrote down: an assumption, and the forecast says so.
UNKNOWN = Duration(p50_s=60.0, p90_s=240.0)

#: What comes by itself (power) takes no time of ours: the clock starts when it is back.
AT_ONCE = 0.0


@dataclass(frozen=True)
class Problem:
    """Tasks with what they wait for and what they use.

    groups    task → groups of tasks; each must be met
    soft      task → the numbers of its groups that are soft
    opens     task → (group number, follower) for every group it is a member of
    missing   task → one bit for each of its groups
    uses      task → (capacity, amount)
    weights   task → how much its return matters, for choosing among plans
    """

    names: tuple[str, ...]
    capacity_names: tuple[str, ...]
    capacities: tuple[int, ...]
    groups: tuple[Groups, ...]
    soft: tuple[frozenset[int], ...]
    opens: tuple[tuple[tuple[int, int], ...], ...]
    missing: tuple[int, ...]
    uses: tuple[tuple[tuple[int, int], ...], ...]
    weights: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of tasks."""
        return len(self.names)

    def number(self) -> dict[str, int]:
        """Return the task of each unit."""
        return {name: task for task, name in enumerate(self.names)}

    def sole_needs(self, task: int) -> Iterable[int]:
        """Return the tasks that must be up before this one, whatever happens."""
        return (
            members[0]
            for group, members in enumerate(self.groups[task])
            if len(members) == 1 and group not in self.soft[task]
        )


def make_problem(
    names: Sequence[str],
    groups: Sequence[Sequence[tuple[int, ...]]],
    uses: Sequence[Sequence[tuple[int, int]]],
    capacities: Sequence[tuple[str, int]],
    *,
    soft: Sequence[frozenset[int]] | None = None,
    weights: Sequence[float] | None = None,
) -> Problem:
    """Return a problem of any origin; the caller has refused cycles and demands above a capacity."""
    opens: list[list[tuple[int, int]]] = [[] for _ in names]
    for task, of_task in enumerate(groups):
        for group, members in enumerate(of_task):
            for member in members:
                opens[member].append((group, task))
    return Problem(
        names=tuple(names),
        capacity_names=tuple(name for name, _ in capacities),
        capacities=tuple(amount for _, amount in capacities),
        groups=tuple(tuple(of_task) for of_task in groups),
        soft=tuple(soft) if soft is not None else (frozenset(),) * len(names),
        opens=tuple(tuple(pairs) for pairs in opens),
        missing=tuple((1 << len(of_task)) - 1 for of_task in groups),
        uses=tuple(tuple(pairs) for pairs in uses),
        weights=tuple(weights) if weights is not None else (1.0,) * len(names),
    )


def restart_problem(estate: Estate) -> Problem:
    """Return the problem of bringing everything up."""
    number = {name: task for task, name in enumerate(estate.units)}
    wanted = _wants_without_cycles(estate)
    groups: list[list[tuple[int, ...]]] = []
    soft: list[frozenset[int]] = []
    for unit in estate.units.values():
        of_unit: list[tuple[int, ...]] = [(number[one],) for one in estate.first_needs(unit)]
        if unit.needs_any:
            of_unit.append(tuple(number[one] for one in unit.needs_any))
        first_soft = len(of_unit)
        of_unit += [(number[one],) for one in wanted[unit.id]]
        groups.append(of_unit)
        soft.append(frozenset(range(first_soft, len(of_unit))))
    return _problem(estate, groups, soft, lambda unit: unit.start is not None)


def stop_problem(estate: Estate) -> Problem:
    """Return the problem of taking everything down: whoever needs goes before what it needs."""
    number = {name: task for task, name in enumerate(estate.units)}
    groups: list[list[tuple[int, ...]]] = [[] for _ in number]
    opened = {(point.unit, point.without) for point in estate.breaks}
    for unit in estate.units.values():
        for one in dict.fromkeys((*unit.needs, *unit.needs_any)):
            if (unit.id, one) in opened:
                continue
            groups[number[one]].append((number[unit.id],))
    return _problem(estate, groups, None, lambda unit: unit.stop is not None)


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


def _problem(
    estate: Estate,
    groups: list[list[tuple[int, ...]]],
    soft: list[frozenset[int]] | None,
    acts: Callable[[Unit], bool],
) -> Problem:
    places = {name: place for place, name in enumerate(estate.capacities)}
    return make_problem(
        list(estate.units),
        groups,
        [
            [(places[capacity], amount) for capacity, amount in unit.uses.items()] if acts(unit) else []
            for unit in estate.units.values()
        ],
        [(capacity.id, capacity.amount) for capacity in estate.capacities.values()],
        soft=soft,
        weights=[weight(unit) for unit in estate.units.values()],
    )


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
