"""Whether a resource answers a search, and where it sorts. The one judge: an index only narrows what is judged.

It works on a resource as a dictionary and knows the shapes of FHIR data types, not their meaning.
Source: FHIR R4 Search, the tables of each parameter type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from typing import Any

from releve.clock import Instant
from releve.wire.fhir.dates import EARLIEST, LATEST, Span, holds, parse_span
from releve.wire.fhir.parameters import Parameter
from releve.wire.fhir.query import Criterion, Moment, Sort, Target, Token, folded

Resource = dict[str, Any]
Judge = Callable[[Resource], bool]


def values_at(resource: Any, path: tuple[str, ...]) -> list[Any]:
    """Return the values at a path, arrays on the way entered."""
    found: list[Any] = [resource]
    for name in path:
        step: list[Any] = []
        for value in found:
            inner = value.get(name) if isinstance(value, dict) else None
            if isinstance(inner, list):
                step += inner
            elif inner is not None:
                step.append(inner)
        found = step
    return found


def values_of(resource: Resource, parameter: Parameter) -> list[Any]:
    """Return what a parameter looks at in a resource."""
    if parameter.name == "deceased":
        # The standard's expression: deceased exists and is not false; a date of death says so as well.
        return [bool(resource.get("deceasedBoolean") or resource.get("deceasedDateTime"))]
    return [value for path in parameter.paths for value in values_at(resource, path)]


def judge_of(criterion: Criterion, zone: tzinfo, now: Instant) -> Judge:
    """Return the judge of one criterion. A chained one must have been resolved to its targets before."""
    assert criterion.chained is None, "a chain is resolved by whoever can look resources up"
    parameter, modifier = criterion.parameter, criterion.modifier
    if modifier == "missing":
        return lambda resource: (not values_of(resource, parameter)) is criterion.values[0]
    test = _test_of(criterion, zone, now)
    if modifier == "not":
        return lambda resource: not any(map(test, values_of(resource, parameter)))
    return lambda resource: any(map(test, values_of(resource, parameter)))


def _test_of(criterion: Criterion, zone: tzinfo, now: Instant) -> Callable[[Any], bool]:
    """Return what says of one value of a resource whether it is one of those sought."""
    parameter, sought = criterion.parameter, criterion.values
    if parameter.kind == "date":
        moments = [value for value in sought if isinstance(value, Moment)]
        return lambda value: (
            (span := span_of(value, zone)) is not None
            and any(holds(moment.prefix, moment.span, span, now) for moment in moments)
        )
    if criterion.modifier == "identifier":
        # Senders name orders and places by number alone; nothing of their own stands here to point at.
        numbers = [value for value in sought if isinstance(value, Token)]
        return lambda value: (
            isinstance(value, dict)
            and any(
                _is_token(number, system, code)
                for system, code in codes_of(value.get("identifier"))
                for number in numbers
            )
        )
    if parameter.kind == "reference":
        targets = {(value.type, value.id) for value in sought if isinstance(value, Target)}
        return lambda value: (found := target_of(value)) in targets or ("", found[1]) in targets
    texts = [value for value in sought if isinstance(value, str)]
    if criterion.modifier == "text":
        starts = tuple(map(folded, texts))
        return lambda value: any(_begins(text, starts) for text in _displays(value))
    if parameter.kind == "token":
        tokens = [value for value in sought if isinstance(value, Token)]
        return lambda value: any(
            _is_token(token, system, code) for system, code in codes_of(value, parameter.system) for token in tokens
        )
    if criterion.modifier == "exact":
        return lambda value: value in texts
    parts = tuple(map(folded, texts))
    if criterion.modifier == "contains":
        return lambda value: isinstance(value, str) and any(part in folded(value) for part in parts)
    return lambda value: isinstance(value, str) and _begins(value, parts)


def _begins(text: str, starts: tuple[str, ...]) -> bool:
    """Say whether a text, or the rest of it from one of its words on, begins so: "goff" finds Le Goff."""
    plain = folded(text)
    return plain.startswith(starts) or any(f" {start}" in f" {plain}" for start in starts)


def _is_token(sought: Token, system: str, code: str) -> bool:
    return (sought.system is None or sought.system == system) and (sought.code is None or sought.code == code)


def codes_of(value: Any, system: str = "") -> Iterator[tuple[str, str]]:
    """Yield (system, code) of a code, boolean, Coding, CodeableConcept, Identifier or ContactPoint.

    system  of a plain code
    """
    if isinstance(value, bool):
        yield "", "true" if value else "false"
    elif isinstance(value, str):
        yield system, value
    elif isinstance(value, dict):
        if isinstance(value.get("coding"), list):
            for coding in value["coding"]:
                yield from codes_of(coding)
        elif "code" in value or "value" in value:
            yield str(value.get("system", "")), str(value.get("code", value.get("value")))


def _displays(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name in ("text", "display"):
            if isinstance(value.get(name), str):
                yield value[name]
        if isinstance(value.get("type"), dict):  # an Identifier: the text of its type
            yield from _displays(value["type"])
        for coding in value.get("coding", ()):
            yield from _displays(coding)


def target_of(value: Any) -> tuple[str, str]:
    """Return (type, id) that a Reference points at on this server; ("", "") when it does not."""
    reference = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(reference, str) or reference.startswith(("#", "urn:")):
        return "", ""
    parts = reference.split("/")
    if len(parts) >= 4 and parts[-2] == "_history":
        parts = parts[:-2]
    return (parts[-2], parts[-1]) if len(parts) == 2 else ("", "")


def span_of(value: Any, zone: tzinfo) -> Span | None:
    """Return the span of a date, dateTime, instant or Period; None for anything else."""
    try:
        if isinstance(value, str):
            return parse_span(value, zone)
        if isinstance(value, dict) and ("start" in value or "end" in value):
            low = parse_span(value["start"], zone)[0] if "start" in value else EARLIEST
            return low, parse_span(value["end"], zone)[1] if "end" in value else LATEST
    except (ValueError, OverflowError, TypeError):
        return None
    return None


def sort_key(resource: Resource, sorts: Iterable[Sort], zone: tzinfo) -> tuple[int | str | None, ...]:
    """Return what a resource sorts by, one value a key; None where it has none. JSON can carry it, so a cursor can."""
    return tuple(_sort_value(resource, sort, zone) for sort in sorts)


def _sort_value(resource: Resource, sort: Sort, zone: tzinfo) -> int | str | None:
    values = values_of(resource, sort.parameter)
    found: list[Any]
    if sort.parameter.kind == "date":
        # Ascending by when it began, descending by when it ended: an open stay is the newest.
        found = [span[sort.is_descending] for value in values if (span := span_of(value, zone))]
    elif sort.parameter.kind == "token":
        found = [code for value in values for _, code in codes_of(value, sort.parameter.system)]
    elif sort.parameter.kind == "reference":
        found = ["/".join(target) for value in values if (target := target_of(value))[1]]
    else:
        found = [folded(value) for value in values if isinstance(value, str)]
    if not found:
        return None
    chosen: int | str = max(found) if sort.is_descending else min(found)
    return chosen


def is_before(left: tuple[int | str | None, ...], right: tuple[int | str | None, ...], sorts: Iterable[Sort]) -> int:
    """Compare two sort keys: -1 when left comes first, 1 when right does, 0 for a tie. What has no value is last."""
    for one, other, sort in zip(left, right, sorts, strict=True):
        if one == other:
            continue
        if one is None or other is None:
            return 1 if one is None else -1
        comes_first = one < other  # type: ignore[operator]  # a key has one type at one place
        return -1 if comes_first is not sort.is_descending else 1
    return 0
