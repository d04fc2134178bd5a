"""Parallel schedule generation over flat arrays: the one rule of what may start now.

`Dispatch` (the live run), the search of the plan and every imagined day of the forecast call these functions. They
know only indexing and arithmetic, so that the same text runs on Python lists and, compiled by numba, on numpy arrays
(`compiled`): a small estate needs no compiler, two thousand imagined restarts of a large one take seconds.

At each event every task that may start and fits the capacities starts, in the order of its rank. A ready task that did
not fit is parked with the capacity it lacked and looked at again only when that has more. A capacity whose shift ends
may be overdrawn for a while: what was begun is finished by those who began it.
Source: Kolisch, "Serial and parallel resource-constrained project scheduling methods revisited" (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

Ints = list[int]
Floats = list[float]

#: States of a task.
WAITS, READY, RUNS, DONE, LOST, BLOCKED = 0, 1, 2, 3, 4, 5

#: Places in State.counts: ready tasks, running ones, ended ones, capacities with more, parked tasks.
N_READY, N_RUNNING, N_ENDED, N_MORE, N_PARKED = 0, 1, 2, 3, 4


class Net(NamedTuple):
    """What waits for what and uses what, flat: the things of number i stand at x_at[i] to x_at[i + 1].

    opens_at, opens          task → the groups it is a member of
    group_task, group_soft   group → the task that waits for it, 1 if it waits only softly
    group_size               group → its members
    waits                    task → how many groups it waits for
    uses_at, used, amount    task → capacities and how much of each
    shift_at, shift_s, shift_amount  capacity → from when on there is how much; the first at 0
    parked_at                capacity → where its heap stands in State.parked
    """

    opens_at: Ints
    opens: Ints
    group_task: Ints
    group_soft: Ints
    group_size: Ints
    waits: Ints
    uses_at: Ints
    used: Ints
    amount: Ints
    shift_at: Ints
    shift_s: Floats
    shift_amount: Ints
    parked_at: Ints


class State(NamedTuple):
    """Where a restart stands.

    rank, by_rank  task → rank, rank → task: the lower starts first when both may
    state          task → WAITS … BLOCKED
    left           task → groups not met yet
    met, hope      group → 1 when met; members that may still come
    free           capacity → how much may be taken now
    ready          heap of the ranks of ready tasks that were not looked at yet
    parked         a heap of ranks for each capacity; n_parked says how many are in it
    more, has_more capacities that have more since they were last looked at, and whether one is among them
    shift          capacity → the step of its calendar that holds now
    clock          when the next step of any calendar comes; infinity: never
    counts         see N_READY and its fellows
    queue, aside   room to work in
    """

    rank: Ints
    by_rank: Ints
    state: Ints
    left: Ints
    met: Ints
    hope: Ints
    free: Ints
    ready: Ints
    parked: Ints
    n_parked: Ints
    more: Ints
    has_more: Ints
    shift: Ints
    clock: Floats
    counts: Ints
    queue: Ints
    aside: Ints


def make_net(
    waiting: Sequence[Sequence[tuple[int, ...]]],
    soft: Sequence[frozenset[int]],
    uses: Sequence[Sequence[tuple[int, int]]],
    calendars: Sequence[Sequence[tuple[float, int]]],
) -> Net:
    """Return the flat form of tasks with their groups and uses, and of capacities with their calendars."""
    opens: list[Ints] = [[] for _ in waiting]
    group_task: Ints = []
    group_soft: Ints = []
    group_size: Ints = []
    for task, groups in enumerate(waiting):
        for number, members in enumerate(groups):
            for member in members:
                opens[member].append(len(group_task))
            group_task.append(task)
            group_soft.append(int(number in soft[task]))
            group_size.append(len(members))
    users = [0] * len(calendars)
    for pairs in uses:
        for capacity, _ in pairs:
            users[capacity] += 1
    return Net(
        opens_at=_offsets([len(groups) for groups in opens]),
        opens=[group for groups in opens for group in groups],
        group_task=group_task,
        group_soft=group_soft,
        group_size=group_size,
        waits=[len(groups) for groups in waiting],
        uses_at=_offsets([len(pairs) for pairs in uses]),
        used=[capacity for pairs in uses for capacity, _ in pairs],
        amount=[amount for pairs in uses for _, amount in pairs],
        shift_at=_offsets([len(steps) for steps in calendars]),
        shift_s=[since_s for steps in calendars for since_s, _ in steps],
        shift_amount=[amount for steps in calendars for _, amount in steps],
        parked_at=_offsets(users),
    )


def make_state(net: Net) -> State:
    """Return room for the state of a restart; `begin` fills it."""
    tasks, groups, capacities = len(net.waits), len(net.group_task), len(net.shift_at) - 1
    return State(
        rank=list(range(tasks)),
        by_rank=list(range(tasks)),
        state=[WAITS] * tasks,
        left=[0] * tasks,
        met=[0] * groups,
        hope=[0] * groups,
        free=[0] * capacities,
        ready=[0] * tasks,
        parked=[0] * net.parked_at[capacities],
        n_parked=[0] * capacities,
        more=[0] * capacities,
        has_more=[0] * capacities,
        shift=[0] * capacities,
        clock=[inf],
        counts=[0] * 5,
        queue=[0] * (tasks + 1),
        aside=[0] * (2 * tasks + 2),
    )


def _offsets(lengths: Sequence[int]) -> Ints:
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    return ends


# From here on every function is compiled as well: no objects, no comprehensions, nothing but numbers and arrays.


def push(heap: Ints, first: int, count: int, value: int) -> None:
    """Add a value to the heap of `count` values that begins at `first`."""
    at = count
    while at > 0:
        above = (at - 1) >> 1
        if heap[first + above] <= value:
            break
        heap[first + at] = heap[first + above]
        at = above
    heap[first + at] = value


def pop(heap: Ints, first: int, count: int) -> int:
    """Take the smallest value out of the heap of `count` values that begins at `first`."""
    smallest = heap[first]
    size = count - 1
    last = heap[first + size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and heap[first + below + 1] < heap[first + below]:
            below += 1
        if heap[first + below] >= last:
            break
        heap[first + at] = heap[first + below]
        at = below
    heap[first + at] = last
    return smallest


def push_end(coming: Ints, count: int, ends: Floats, task: int) -> None:
    """Add a running task to the heap of those to come, the first to end on top."""
    at = count
    when = ends[task]
    while at > 0:
        above = (at - 1) >> 1
        if ends[coming[above]] <= when:
            break
        coming[at] = coming[above]
        at = above
    coming[at] = task


def pop_end(coming: Ints, count: int, ends: Floats) -> int:
    """Take the task that ends first."""
    first = coming[0]
    size = count - 1
    last = coming[size]
    when = ends[last]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and ends[coming[below + 1]] < ends[coming[below]]:
            below += 1
        if ends[coming[below]] >= when:
            break
        coming[at] = coming[below]
        at = below
    coming[at] = last
    return first


def begin(net: Net, st: State) -> None:
    """Set the state to nothing started; ranks are left as they are."""
    counts = st.counts
    for place in range(len(counts)):
        counts[place] = 0
    for capacity in range(len(st.free)):
        st.shift[capacity] = net.shift_at[capacity]
        st.free[capacity] = net.shift_amount[net.shift_at[capacity]]
        st.n_parked[capacity] = 0
        st.has_more[capacity] = 0
    for group in range(len(net.group_task)):
        st.met[group] = 0
        st.hope[group] = net.group_size[group]
    for task in range(len(net.waits)):
        st.state[task] = WAITS
        st.left[task] = net.waits[task]
        if net.waits[task] == 0:
            make_ready(st, task)
    set_clock(net, st)


def copy(source: Ints, target: Ints) -> None:
    """Copy values; slices would make arrays, which is not done here."""
    for place in range(len(source)):
        target[place] = source[place]


def copy_state(source: State, target: State) -> None:
    """Make the target what the source is."""
    copy(source.rank, target.rank)
    copy(source.by_rank, target.by_rank)
    copy(source.state, target.state)
    copy(source.left, target.left)
    copy(source.met, target.met)
    copy(source.hope, target.hope)
    copy(source.free, target.free)
    copy(source.ready, target.ready)
    copy(source.parked, target.parked)
    copy(source.n_parked, target.n_parked)
    copy(source.more, target.more)
    copy(source.has_more, target.has_more)
    copy(source.shift, target.shift)
    copy(source.counts, target.counts)
    target.clock[0] = source.clock[0]


def make_ready(st: State, task: int) -> None:
    """Note that nothing but capacities keeps a task from starting."""
    st.state[task] = READY
    push(st.ready, 0, st.counts[N_READY], st.rank[task])
    st.counts[N_READY] += 1


def set_clock(net: Net, st: State) -> None:
    """Note when the next step of any calendar comes."""
    soonest = inf
    for capacity in range(len(st.free)):
        following = st.shift[capacity] + 1
        if following < net.shift_at[capacity + 1] and net.shift_s[following] < soonest:
            soonest = net.shift_s[following]
    st.clock[0] = soonest


def note_more(st: State, capacity: int) -> None:
    """Note that a capacity has more than when it was last looked at."""
    if st.has_more[capacity] == 0:
        st.has_more[capacity] = 1
        st.more[st.counts[N_MORE]] = capacity
        st.counts[N_MORE] += 1


def change_shifts(net: Net, st: State, now: float) -> None:
    """Take every step of a calendar that has come by now."""
    if st.clock[0] > now:
        return
    for capacity in range(len(st.free)):
        before = net.shift_amount[st.shift[capacity]]
        while st.shift[capacity] + 1 < net.shift_at[capacity + 1] and net.shift_s[st.shift[capacity] + 1] <= now:
            st.shift[capacity] += 1
        after = net.shift_amount[st.shift[capacity]]
        st.free[capacity] += after - before
        if after > before:
            note_more(st, capacity)
    set_clock(net, st)


def start_ready(net: Net, st: State, now: float, started: Ints) -> int:
    """Take the capacities of every task that may start now, write them down most urgent first, return how many."""
    change_shifts(net, st, now)
    counts = st.counts
    heaps = 0
    for place in range(counts[N_MORE]):
        capacity = st.more[place]
        st.has_more[capacity] = 0
        if st.free[capacity] > 0 and st.n_parked[capacity] > 0:
            st.more[heaps] = capacity
            heaps += 1
    counts[N_MORE] = 0
    begun = 0
    aside = 0
    while True:
        # The most urgent of those never looked at and of those parked where there is more now.
        best = -1
        place = -1
        if counts[N_READY] > 0:
            best = st.ready[0]
        at = 0
        while at < heaps:
            capacity = st.more[at]
            if st.free[capacity] <= 0 or st.n_parked[capacity] == 0:
                heaps -= 1
                st.more[at] = st.more[heaps]
                continue
            top = st.parked[net.parked_at[capacity]]
            if best < 0 or top < best:
                best = top
                place = capacity
            at += 1
        if best < 0:
            break
        if place < 0:
            pop(st.ready, 0, counts[N_READY])
            counts[N_READY] -= 1
        else:
            pop(st.parked, net.parked_at[place], st.n_parked[place])
            st.n_parked[place] -= 1
            counts[N_PARKED] -= 1
        task = st.by_rank[best]
        lacking = -1
        for use in range(net.uses_at[task], net.uses_at[task + 1]):
            if st.free[net.used[use]] < net.amount[use]:
                lacking = net.used[use]
                break
        if lacking >= 0:
            st.aside[2 * aside] = lacking
            st.aside[2 * aside + 1] = best
            aside += 1
            continue
        take(net, st, task)
        started[begun] = task
        begun += 1
    for place in range(aside):
        capacity = st.aside[2 * place]
        push(st.parked, net.parked_at[capacity], st.n_parked[capacity], st.aside[2 * place + 1])
        st.n_parked[capacity] += 1
        counts[N_PARKED] += 1
    return begun


def take(net: Net, st: State, task: int) -> None:
    """Let a task run: it holds what it uses until it ends."""
    for use in range(net.uses_at[task], net.uses_at[task + 1]):
        st.free[net.used[use]] -= net.amount[use]
    st.state[task] = RUNS
    st.counts[N_RUNNING] += 1


def end_well(net: Net, st: State, task: int) -> None:
    """Give back what a running task held, and let those go on that waited for it alone."""
    give_back(net, st, task)
    st.state[task] = DONE
    for place in range(net.opens_at[task], net.opens_at[task + 1]):
        meet(net, st, net.opens[place])


def end_badly(net: Net, st: State, task: int) -> int:
    """Give back what a running task held, and block what can never start now: State.queue[1:returned], nearest first.

    What only waits softly goes on.
    """
    give_back(net, st, task)
    st.state[task] = LOST
    st.queue[0] = task
    known = 1
    at = 0
    while at < known:
        gone = st.queue[at]
        at += 1
        for place in range(net.opens_at[gone], net.opens_at[gone + 1]):
            group = net.opens[place]
            follower = net.group_task[group]
            st.hope[group] -= 1
            if st.hope[group] > 0 or st.met[group] == 1 or st.state[follower] != WAITS:
                continue
            if net.group_soft[group] == 1:
                meet(net, st, group)
            else:
                st.state[follower] = BLOCKED
                st.counts[N_ENDED] += 1
                st.queue[known] = follower
                known += 1
    return known


def give_back(net: Net, st: State, task: int) -> None:
    """End a running task, whichever way."""
    for use in range(net.uses_at[task], net.uses_at[task + 1]):
        st.free[net.used[use]] += net.amount[use]
        note_more(st, net.used[use])
    st.counts[N_RUNNING] -= 1
    st.counts[N_ENDED] += 1


def meet(net: Net, st: State, group: int) -> None:
    """Note that one member of a group is up, or is not waited for any more; the first time counts."""
    if st.met[group] == 1:
        return
    st.met[group] = 1
    follower = net.group_task[group]
    st.left[follower] -= 1
    if st.left[follower] == 0 and st.state[follower] == WAITS:
        make_ready(st, follower)


def play(
    net: Net, st: State, durations: Floats, running: Ints, starts: Floats, ends: Floats, coming: Ints, started: Ints
) -> None:
    """Play the rest of a restart from second 0 on if every task takes its duration; of a running one, its rest.

    running  what runs at second 0
    starts, ends  filled for every task that starts or ends from now on
    """
    waiting = 0
    for place in range(len(running)):
        task = running[place]
        ends[task] = durations[task]
        push_end(coming, waiting, ends, task)
        waiting += 1
    now = 0.0
    while True:
        begun = start_ready(net, st, now, started)
        for place in range(begun):
            task = started[place]
            starts[task] = now
            ends[task] = now + durations[task]
            push_end(coming, waiting, ends, task)
            waiting += 1
        is_shift = st.counts[N_PARKED] > 0 and st.clock[0] < inf
        if waiting == 0:
            if not is_shift:
                break
            now = st.clock[0]
            continue
        if is_shift and st.clock[0] < ends[coming[0]]:
            now = st.clock[0]
            continue
        now = ends[coming[0]]
        while waiting > 0 and ends[coming[0]] <= now:
            task = pop_end(coming, waiting, ends)
            waiting -= 1
            end_well(net, st, task)


def play_many(
    net: Net,
    origin: State,
    st: State,
    durations: list[Floats],
    running: Ints,
    starts: Floats,
    ends: list[Floats],
    coming: Ints,
    started: Ints,
) -> None:
    """Play the rest of a restart from the same state once for each row of durations, into the same row of ends."""
    for run in range(len(durations)):
        copy_state(origin, st)
        play(net, st, durations[run], running, starts, ends[run], coming, started)


def play_ranked(
    net: Net, st: State, durations: Floats, running: Ints, starts: Floats, ends: Floats, coming: Ints, started: Ints
) -> None:
    """Play a whole restart in the order of by_rank."""
    for place in range(len(st.by_rank)):
        st.rank[st.by_rank[place]] = place
    begin(net, st)
    play(net, st, durations, running, starts, ends, coming, started)
