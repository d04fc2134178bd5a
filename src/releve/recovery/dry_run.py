"""The dry run: what each step would execute, by which driver, and what would keep it from being executed.

Programs, keys, known hosts, allow-lists and power states are looked at; nothing is started or stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from releve.clock import Instant
from releve.estate import Command, Estate
from releve.recovery.dispatch import timetable
from releve.recovery.driver import Carrier
from releve.recovery.driver.person import whom
from releve.recovery.past import STOP
from releve.recovery.problem import Task, restart_problem, stop_problem

#: So many addresses are looked at at the same time.
LOOKS_MAX = 20


@dataclass(frozen=True, slots=True)
class DryStep:
    """One step as it would be taken.

    words  exactly what would be executed; of a gate who would be asked; "" for what is only waited for
    flaws  what would keep it from being executed
    """

    task: Task
    driver: str
    words: str
    flaws: tuple[str, ...]


async def dry_run(estate: Estate, act: str, unclean: Sequence[str] = (), at: Instant | None = None) -> list[DryStep]:
    """Return every step in the order of its start, with what would keep it from being taken."""
    problem = stop_problem(estate) if act == STOP else restart_problem(estate, unclean=unclean, at=at)
    starts, ends = timetable(problem, problem.believed_s(), [0.0] * problem.size)
    order = sorted(range(problem.size), key=lambda number: (starts[number], ends[number]))
    carrier = Carrier(estate)
    commands = {number: _command(estate, problem.tasks[number]) for number in order}
    flaws = await _flaws(carrier, [one for one in dict.fromkeys(commands.values()) if one is not None])
    steps = []
    for number in order:
        task, command = problem.tasks[number], commands[number]
        if command is not None:
            steps.append(DryStep(task, command.driver, carrier.words(command), flaws[command]))
        elif task.asks:
            steps.append(DryStep(task, "person", f"is asked to release it: {whom(estate.contacts.get(task.asks))}", ()))
        else:
            steps.append(DryStep(task, "", "", ()))
    return steps


async def _flaws(carrier: Carrier, commands: Sequence[Command]) -> dict[Command, tuple[str, ...]]:
    gate = asyncio.Semaphore(LOOKS_MAX)

    async def look(command: Command) -> tuple[str, ...]:
        async with gate:
            return tuple(await carrier.flaws(command))

    return dict(zip(commands, await asyncio.gather(*map(look, commands)), strict=True))


def _command(estate: Estate, task: Task) -> Command | None:
    unit = estate.units[task.unit]
    match task.act:
        case "start":
            return unit.start
        case "stop":
            return unit.stop
        case "check":
            return unit.check
        case _:
            return None
