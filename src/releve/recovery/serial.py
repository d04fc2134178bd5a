"""Serial schedule generation over flat arrays, and the double justification of a timetable with it.

A timetable is pushed to the right as far as it goes, the last to end first, and then to the left again, the first to
start first: it never gets longer, and mostly shorter. The search of the plan uses the order that comes out as one more
order to try.
Source: Valls, Ballestín, Quintanilla, "Justification and RCPSP: a technique that pays" (2005).

Like `schedule`, this text runs on lists and is compiled over arrays. Of each capacity it keeps a profile: from which
moment on how much is taken.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from releve.recovery.schedule import Floats, Ints

#: Two moments nearer than this are one.
NEAR_S = 1e-9


class Arcs(NamedTuple):
    """What must end before what, and what uses what, flat; see schedule.Net for the form.

    before_at, before  task → tasks that must end before it starts
    after_at, after    task → tasks that must start after its end
    limit              capacity → how much there is
    room_at            capacity → where its profile stands in Profile.since and .taken
    """

    before_at: Ints
    before: Ints
    after_at: Ints
    after: Ints
    uses_at: Ints
    used: Ints
    amount: Ints
    limit: Ints
    room_at: Ints


class Profile(NamedTuple):
    """How much of each capacity is taken from which moment on; steps says how many moments each has."""

    since: Floats
    taken: Ints
    steps: Ints


# From here on every function is compiled as well: no objects, no comprehensions, nothing but numbers and arrays.


def find_place(arcs: Arcs, profile: Profile, task: int, earliest: float, length: float) -> float:
    """Return the first moment from `earliest` on at which everything a task uses is free for its whole length."""
    when = earliest
    while True:
        moved = False
        for use in range(arcs.uses_at[task], arcs.uses_at[task + 1]):
            capacity = arcs.used[use]
            found = fits_from(arcs, profile, capacity, arcs.limit[capacity] - arcs.amount[use], when, length)
            if found > when:
                when = found
                moved = True
        if not moved:
            return when


def fits_from(arcs: Arcs, profile: Profile, capacity: int, spare: int, when: float, length: float) -> float:
    """Return the first moment from `when` on after which no more than `spare` is taken for a length of time."""
    first = arcs.room_at[capacity]
    low = 0
    high = profile.steps[capacity] - 1
    while low < high:  # the step that holds at `when`
        middle = (low + high + 1) >> 1
        if profile.since[first + middle] <= when + NEAR_S:
            low = middle
        else:
            high = middle - 1
    begin = when
    step = low
    while step < profile.steps[capacity]:
        if profile.since[first + step] >= begin + length - NEAR_S:
            break
        if profile.taken[first + step] > spare:
            # The last step holds for ever and takes nothing, so there is one behind this.
            begin = profile.since[first + step + 1]
        step += 1
    return begin


def split(arcs: Arcs, profile: Profile, capacity: int, when: float) -> int:
    """Return the step of a profile that begins at a moment, made if there is none."""
    first = arcs.room_at[capacity]
    low = 0
    high = profile.steps[capacity] - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if profile.since[first + middle] <= when + NEAR_S:
            low = middle
        else:
            high = middle - 1
    if profile.since[first + low] >= when - NEAR_S:
        return low
    for step in range(profile.steps[capacity] - 1, low, -1):
        profile.since[first + step + 1] = profile.since[first + step]
        profile.taken[first + step + 1] = profile.taken[first + step]
    profile.since[first + low + 1] = when
    profile.taken[first + low + 1] = profile.taken[first + low]
    profile.steps[capacity] += 1
    return low + 1


def occupy(arcs: Arcs, profile: Profile, task: int, begin: float, end: float) -> None:
    """Write down that a task holds what it uses from one moment to another."""
    for use in range(arcs.uses_at[task], arcs.uses_at[task + 1]):
        capacity = arcs.used[use]
        first = arcs.room_at[capacity]
        low = split(arcs, profile, capacity, begin)
        high = split(arcs, profile, capacity, end)
        for step in range(low, high):
            profile.taken[first + step] += arcs.amount[use]


def place_all(
    arcs: Arcs, profile: Profile, durations: Floats, order: Ints, starts: Floats, ends: Floats, forward: bool
) -> None:
    """Give each task, in an order that keeps the arcs, the first place it fits; backward, time runs the other way."""
    for capacity in range(len(profile.steps)):
        profile.steps[capacity] = 1
        profile.since[arcs.room_at[capacity]] = -inf
        profile.taken[arcs.room_at[capacity]] = 0
    for place in range(len(order)):
        task = order[place]
        earliest = 0.0
        if forward:
            for at in range(arcs.before_at[task], arcs.before_at[task + 1]):
                earliest = max(earliest, ends[arcs.before[at]])
        else:
            for at in range(arcs.after_at[task], arcs.after_at[task + 1]):
                earliest = max(earliest, ends[arcs.after[at]])
        length = durations[task]
        begin = earliest
        if length > 0.0:
            begin = find_place(arcs, profile, task, earliest, length)
            occupy(arcs, profile, task, begin, begin + length)
        starts[task] = begin
        ends[task] = begin + length


def lift(arcs: Arcs, order: Ints, keys: Floats) -> None:
    """Raise keys until each task's is above those of all before it; order is one that keeps the arcs."""
    for place in range(len(order)):
        task = order[place]
        for at in range(arcs.before_at[task], arcs.before_at[task + 1]):
            if keys[task] <= keys[arcs.before[at]]:
                keys[task] = keys[arcs.before[at]] + NEAR_S


def sort_by(keys: Floats, ties: Ints, order: Ints) -> None:
    """Sort tasks by their keys, then by ties; quick where the order was nearly right."""
    for place in range(1, len(order)):
        task = order[place]
        at = place
        while at > 0:
            other = order[at - 1]
            if keys[other] < keys[task] or (keys[other] == keys[task] and ties[other] < ties[task]):
                break
            order[at] = other
            at -= 1
        order[at] = task


def walk(
    arcs: Arcs,
    profile: Profile,
    durations: Floats,
    topological: Ints,
    first: Ints,
    last: Ints,
    noise: list[Floats],
    parent: Floats,
    score: Floats,
    starts: Floats,
    ends: Floats,
    keys: Floats,
    order: Ints,
) -> None:
    """Disturb a timetable once for each row of noise, justify it, and go on from there where it is not longer.

    first, last  task → its place in a topological order, and that negated: who goes first where keys are equal
    parent       start times gone on from; score holds their makespan; both are changed
    """
    for row in range(len(noise)):
        for task in range(len(keys)):
            keys[task] = parent[task] + noise[row][task]
        lift(arcs, topological, keys)
        sort_by(keys, first, order)
        place_all(arcs, profile, durations, order, starts, ends, True)
        for task in range(len(keys)):
            keys[task] = -ends[task]
        sort_by(keys, last, order)
        place_all(arcs, profile, durations, order, starts, ends, False)
        for task in range(len(keys)):
            keys[task] = -ends[task]
        sort_by(keys, first, order)
        place_all(arcs, profile, durations, order, starts, ends, True)
        makespan = 0.0
        for task in range(len(keys)):
            makespan = max(makespan, ends[task])
        if makespan <= score[0]:
            score[0] = makespan
            for task in range(len(keys)):
                parent[task] = starts[task]
