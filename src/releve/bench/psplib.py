"""PSPLIB in Patterson format: the instances by which the field measures schedulers, as Problems.

    activities, resources · capacities · per activity: duration, use of each resource, number of successors, successors

Numbers stand anywhere, separated by blanks; the first and last activities are dummies. They are not part of this
project: a folder of instances with `best_known.json` is named to the bench, which skips them otherwise.
Source: Kolisch, Sprecher, "PSPLIB: a project scheduling problem library" (1996).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from releve.errors import WrongUse
from releve.recovery.problem import Problem, make_problem


@dataclass(frozen=True)
class Instance:
    """One instance: what is to be done, how long each takes, and the shortest makespan anybody has found."""

    name: str
    problem: Problem
    durations: tuple[float, ...]
    best_known: int
    is_proved: bool


def read_instances(folder: Path, prefix: str) -> list[Instance]:
    """Return the instances of a set ("J30"), by name.

    raises  WrongUse  a file is not of the format, or best_known.json does not know it
    """
    known = json.loads((folder / "best_known.json").read_text("utf-8"))
    instances = []
    for path in sorted(folder.glob(f"{prefix}_*.txt")):
        try:
            problem, durations = parse(path.read_text("utf-8"))
            best, proved = known[path.name]["ub"], known[path.name]["opt"] is not None
        except (ValueError, IndexError, KeyError) as error:
            raise WrongUse(
                "bench.psplib", f"{path} is no instance in Patterson format that is known: {error}"
            ) from error
        instances.append(Instance(path.stem, problem, durations, best, proved))
    return instances


def parse(text: str) -> tuple[Problem, tuple[float, ...]]:
    """Return an instance and its durations.

    raises  ValueError, IndexError  it is none
    """
    numbers = iter([int(word) for word in text.split()])

    def following() -> int:
        value = next(numbers, None)
        if value is None:
            raise ValueError("it ends too early")
        return value

    size, resources = following(), following()
    if size < 1 or resources < 0:
        raise ValueError(f"{size} activities and {resources} resources")
    limits = [following() for _ in range(resources)]
    durations: list[float] = []
    uses: list[list[tuple[int, int]]] = []
    groups: list[list[tuple[int, ...]]] = [[] for _ in range(size)]
    for task in range(size):
        durations.append(float(following()))
        demands = [following() for _ in range(resources)]
        uses.append([(resource, amount) for resource, amount in enumerate(demands) if amount])
        for _ in range(following()):
            successor = following()
            if not task + 1 < successor <= size:
                raise ValueError(f"activity {task + 1} names {successor} as its successor")
            groups[successor - 1].append((task,))
    if any(amount > limits[resource] for of_task in uses for resource, amount in of_task):
        raise ValueError("an activity demands more than there is")
    if next(numbers, None) is not None:
        raise ValueError("there is more in it than its activities")
    names = [str(task + 1) for task in range(size)]
    capacities = [(f"R{resource + 1}", limit) for resource, limit in enumerate(limits)]
    return make_problem(names, groups, uses, capacities), tuple(durations)
