"""FHIR searches over the views: an index narrows, the judge decides.

Every search is first turned into keys that an index gives (narrow.py), a superset of the answer. Each of those
resources is then judged by wire/fhir/match.py, the only place that knows what a parameter means. A page costs at most
EXAMINED_MAX judged resources: of Patients and Encounters, which may be listed whole, a page may be short and still have
a next one.

Pages are cut by resource key, or by sort values and key, never by counting, so a result that arrives meanwhile neither
doubles nor hides another. A search for a patient's resources finds those of every record merged with that patient.
Source: FHIR R4 Search, RESTful search; paging by keyset.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import tzinfo
from functools import cmp_to_key
from typing import Any

import msgspec
import orjson

from releve.clock import Instant
from releve.record.narrow import is_covered, keys_by_id, keys_by_patient, narrowed, records_of, too_costly
from releve.record.schema import TYPE_CODES, TYPES, decode_id
from releve.record.stored import whole
from releve.wire.fhir import COMPARTMENT, Criterion, FhirRefusal, Query, quoted
from releve.wire.fhir.match import Judge, is_before, judge_of, sort_key, target_of, values_of
from releve.wire.fhir.query import Include, Sort, Target, Token

#: Resources judged for one page; 0.1 to 0.2 s of one core, measured on Patients of half a kilobyte.
EXAMINED_MAX = 20_000
#: Targets that a chain may find; more says that the chain's condition is too wide.
CHAIN_TARGETS_MAX = 500
#: Resources that _include and _revinclude may add to one page.
INCLUDED_MAX = 1000
#: Keys given to one SQL statement; SQLite's own limit on variables is far above.
_BATCH = 500

SQL_LIST_PATIENTS = "SELECT key FROM person WHERE key > ? ORDER BY key LIMIT ?"
SQL_LIST_ENCOUNTERS = "SELECT encounter FROM stay WHERE encounter > ? ORDER BY encounter LIMIT ?"
SQL_COUNT_PATIENTS = "SELECT count(*) FROM person p WHERE EXISTS (SELECT 1 FROM resource r WHERE r.key = p.key)"
SQL_COUNT_ENCOUNTERS = "SELECT count(*) FROM stay"
SQL_ROWS = (
    "SELECT r.key, r.type, r.id, r.version, r.heard_at, s.origin, r.json, p.id FROM resource r"
    " JOIN source s ON s.key = r.source LEFT JOIN person p ON p.key = r.patient WHERE r.key IN ({})"
)

_PLAIN_CODE = re.compile(r"[A-Za-z0-9.\-]+", re.ASCII)


class Hit(msgspec.Struct, frozen=True):
    """A resource that was found. patient_id is empty when it is about none."""

    key: int
    type: str
    id: str
    json: bytes
    patient_id: str
    updated_at: Instant


class Found(msgspec.Struct, frozen=True):
    """One page.

    total        of all pages; None when it was neither asked for nor free
    next_cursor  where the next page begins; empty at the end
    warnings     sentences about what was left out
    """

    matches: list[Hit]
    included: list[Hit]
    total: int | None
    next_cursor: str
    warnings: list[str]

    def patient_ids(self) -> list[str]:
        """Return the patients whose data is on this page, for the audit trail."""
        return list(dict.fromkeys(hit.patient_id for hit in (*self.matches, *self.included) if hit.patient_id))


def search(db: sqlite3.Connection, query: Query, *, zone: tzinfo, now: Instant) -> Found:
    """Return one page of a search.

    db    the views, in one moment: a page and its total are of one state of the record
    zone  of dates without an offset
    now   for searches that say "about"

    raises  FhirRefusal  no index narrows it (with the parameter to add), or the cursor is not ours
    """
    if query.type not in TYPE_CODES:
        return Found([], [], 0, "", [])
    query = msgspec.structs.replace(query, criteria=tuple(_resolved(db, query.criteria, zone, now)))
    judged = [criterion for criterion in query.criteria if not is_covered(criterion)]
    judge = _judge(judged, zone, now)
    keys = narrowed(db, query)
    if keys is None:
        return _listed(db, query, judge)
    if query.sorts:
        return _sorted_page(db, query, keys, judge, zone)
    return _page(db, query, keys, judge)


def everything(
    db: sqlite3.Connection,
    patient_id: str,
    *,
    types: Sequence[str] = (),
    since: Instant = 0,
    count: int,
    cursor: str = "",
) -> Found | None:
    """Return a page of all that is known of a person, merged records included; None when there is no such patient.

    types  only these; empty for all of the patient's compartment
    since  only what changed here after this instant
    """
    persons = records_of(db, patient_id)
    if not persons:
        return None
    chosen = [name for name in ("Patient", *COMPARTMENT) if not types or name in types]
    keys: list[int] = []
    for name in chosen:
        if name == "Patient":
            keys += [key for _, id_ in persons for key in keys_by_id(db, name, id_)]
        else:
            keys += [key for person, _ in persons for key in keys_by_patient(db, person, name)]
    if since:
        keys = [hit.key for hit in _hits(db, keys, 0, _BATCH) if hit.updated_at > since]
    query = Query("", (), count=count, cursor=cursor)
    return _page(db, query, sorted(keys), None)


def _resolved(db: sqlite3.Connection, criteria: Iterable[Criterion], zone: tzinfo, now: Instant) -> Iterator[Criterion]:
    """Yield the criteria with chains followed and patients widened to all records of the person."""
    for criterion in criteria:
        if criterion.chained is not None:
            inner = Query(criterion.onto, (criterion.chained,), count=CHAIN_TARGETS_MAX)
            found = search(db, inner, zone=zone, now=now)
            if found.next_cursor:
                raise too_costly(
                    f"The chain on {quoted(criterion.parameter.name)} leads to more than {CHAIN_TARGETS_MAX} "
                    "resources; make its condition narrower."
                )
            targets = tuple(Target(criterion.onto, hit.id) for hit in found.matches)
            criterion = Criterion(criterion.parameter, "", targets)
        if criterion.parameter.kind == "reference" and not criterion.modifier and criterion.parameter.name != "link":
            criterion = msgspec.structs.replace(criterion, values=tuple(_widened(db, criterion.values)))
        yield criterion


def _widened(db: sqlite3.Connection, values: Iterable[object]) -> Iterator[Target]:
    for value in values:
        assert isinstance(value, Target)
        yield value
        if value.type in ("", "Patient"):
            yield from (Target("Patient", id_) for _, id_ in records_of(db, value.id) if id_ != value.id)


# From keys to a page


def _judge(
    criteria: Sequence[Criterion], zone: tzinfo, now: Instant
) -> Callable[[bytes], dict[str, Any] | None] | None:
    """Return what reads a resource and gives it back if it answers all criteria; None when nothing is to be judged."""
    if not criteria:
        return None
    judges: list[Judge] = [judge_of(criterion, zone, now) for criterion in criteria]
    marks = [mark for criterion in criteria if (mark := _marks(criterion))]

    def judge(content: bytes) -> dict[str, Any] | None:
        # A code that was sought stands in the bytes, quoted; most resources are turned away without being read.
        for alternatives in marks:
            if not any(mark in content for mark in alternatives):
                return None
        resource: dict[str, Any] = orjson.loads(content)
        return resource if all(each(resource) for each in judges) else None

    return judge


def _marks(criterion: Criterion) -> tuple[bytes, ...]:
    """Return bytes of which one must stand in whatever answers a token criterion; none when that cannot be said."""
    if criterion.parameter.kind != "token" or criterion.modifier:
        return ()
    marks = []
    for value in criterion.values:
        code = value.code if isinstance(value, Token) else None
        if code is None or code in ("true", "false") or not _PLAIN_CODE.fullmatch(code):
            return ()
        marks.append(b'"%b"' % code.encode())
    return tuple(marks)


_Reading = Callable[[bytes], "dict[str, Any] | None"]


def _page(db: sqlite3.Connection, query: Query, keys: list[int], judge: _Reading | None) -> Found:
    """Return a page of keys in order of key."""
    (after,) = _cursor(query.cursor, 1) or (0,)
    start = bisect_right(keys, _whole_number(after))
    matches: list[Hit] = []
    last, is_more = 0, False
    for examined, hit in enumerate(_hits(db, keys, start, query.count + 1 if judge is None else _BATCH)):
        if len(matches) == query.count or examined == EXAMINED_MAX:
            is_more = True
            break
        last = hit.key
        if judge is None or judge(hit.json) is not None:
            matches.append(hit)
    total: int | None = None
    if judge is None:
        total = len(keys)
    elif not query.cursor and not is_more:
        total = len(matches)
    elif _wants_total(query):
        total = _counted(db, keys, judge)
    return _found(db, query, matches, total, _encode_cursor(last) if is_more and last else "")


def _sorted_page(db: sqlite3.Connection, query: Query, keys: list[int], judge: _Reading | None, zone: tzinfo) -> Found:
    """Return a page in the order asked for; every match is read for it, so there may not be too many."""
    if len(keys) > EXAMINED_MAX:
        raise too_costly(f"Sorting would read {len(keys)} resources; at most {EXAMINED_MAX} are. Narrow the search.")
    sorts = query.sorts
    placed = []
    for hit in _hits(db, keys, 0, _BATCH):
        resource = orjson.loads(hit.json) if judge is None else judge(hit.json)
        if resource is not None:
            placed.append((sort_key(resource, sorts, zone), hit.key))
    order = cmp_to_key(_in_order(sorts))
    placed.sort(key=order)
    start = 0
    cursor = _cursor(query.cursor, 1 + len(sorts))
    if cursor:
        mark = order((_sort_values(cursor[1:], sorts), _whole_number(cursor[0])))
        start = bisect_right(placed, mark, key=order)
    chosen = placed[start : start + query.count]
    is_more = start + len(chosen) < len(placed)
    hits = {hit.key: hit for hit in _hits(db, [key for _, key in chosen], 0, _BATCH)}
    next_cursor = _encode_cursor(chosen[-1][1], *chosen[-1][0]) if is_more and chosen else ""
    return _found(db, query, [hits[key] for _, key in chosen if key in hits], len(placed), next_cursor)


_Placed = tuple[tuple[int | str | None, ...], int]


def _in_order(sorts: Sequence[Sort]) -> Callable[[_Placed, _Placed], int]:
    def compare(left: _Placed, right: _Placed) -> int:
        return is_before(left[0], right[0], sorts) or (left[1] > right[1]) - (left[1] < right[1])

    return compare


def _listed(db: sqlite3.Connection, query: Query, judge: _Reading | None) -> Found:
    """Return a page of a whole type, Patients or Encounters, in the order in which they became known."""
    if query.sorts:
        raise too_costly(
            f"Sorting every {query.type} would read them all. "
            f"Add {_LISTED[query.type]} to the search, or leave out _sort."
        )
    (after,) = _cursor(query.cursor, 1) or (0,)
    sql = SQL_LIST_PATIENTS if query.type == "Patient" else SQL_LIST_ENCOUNTERS
    place, examined, is_more = _whole_number(after), 0, query.count > 0
    matches: list[Hit] = []
    while is_more and len(matches) < query.count and examined < EXAMINED_MAX:
        wanted = _BATCH if judge else min(_BATCH, query.count - len(matches))
        keys = [key for (key,) in db.execute(sql, (place, wanted))]
        is_more = len(keys) == wanted
        for hit in _hits(db, keys, 0, _BATCH):
            if len(matches) == query.count:
                is_more = True
                break
            place = hit.key
            if judge is None or judge(hit.json) is not None:
                matches.append(hit)
        else:
            place = keys[-1] if keys else place
        examined += len(keys)
    total = _listed_total(db, query, judge, None if query.cursor or is_more or not query.count else len(matches))
    return _found(db, query, matches, total, _encode_cursor(place) if is_more else "")


#: What narrows the types that may be listed.
_LISTED = {
    "Patient": "identifier, family, given or birthdate",
    "Encounter": "patient, identifier or status",
}


def _listed_total(db: sqlite3.Connection, query: Query, judge: _Reading | None, known: int | None) -> int | None:
    if known is not None or not _wants_total(query):
        return known
    if judge is not None:
        raise too_costly(
            f"Counting would read every {query.type}. Add {_LISTED[query.type]} to the search, or leave out the total."
        )
    if query.type == "Patient":
        return int(db.execute(SQL_COUNT_PATIENTS).fetchone()[0])
    return int(db.execute(SQL_COUNT_ENCOUNTERS).fetchone()[0])


def _wants_total(query: Query) -> bool:
    return query.total in ("accurate", "estimate") or query.summary == "count" or query.count == 0


def _counted(db: sqlite3.Connection, keys: list[int], judge: _Reading) -> int:
    if len(keys) > EXAMINED_MAX:
        raise too_costly(f"Counting would read {len(keys)} resources; at most {EXAMINED_MAX} are. Narrow the search.")
    return sum(judge(hit.json) is not None for hit in _hits(db, keys, 0, _BATCH))


def _hits(db: sqlite3.Connection, keys: Sequence[int], start: int, first_batch: int) -> Iterator[Hit]:
    """Yield the resources of keys in the order of keys; those that went meanwhile are passed over."""
    batch = max(1, min(first_batch, _BATCH))
    while start < len(keys):
        wanted = keys[start : start + batch]
        start += batch
        batch = _BATCH
        marks = ",".join("?" * len(wanted))
        rows = {row[0]: row for row in db.execute(SQL_ROWS.format(marks), wanted)}
        for key in wanted:
            row = rows.get(key)
            if row is not None:
                _, type_, id_, version, heard_at, origin, content, patient = row
                name, ident = TYPES[type_], decode_id(id_)
                about = ident if name == "Patient" else "" if patient is None else decode_id(patient)
                yield Hit(key, name, ident, whole(type_, id_, version, heard_at, origin, content), about, heard_at)


# What is added to a page


def _found(db: sqlite3.Connection, query: Query, matches: list[Hit], total: int | None, next_cursor: str) -> Found:
    included: dict[int, Hit] = {}
    warnings: list[str] = []
    known = {hit.key for hit in matches}
    if query.includes or query.revincludes:
        for hit in _added(db, query, matches):
            if hit.key in known or hit.key in included:
                continue
            if len(included) == INCLUDED_MAX:
                warnings.append(
                    f"Only the first {INCLUDED_MAX} included resources are here; ask for fewer matches with _count."
                )
                break
            included[hit.key] = hit
    return Found(matches, list(included.values()), total, next_cursor, warnings)


def _added(db: sqlite3.Connection, query: Query, matches: list[Hit]) -> Iterator[Hit]:
    if query.includes:
        for hit in matches:
            resource = orjson.loads(hit.json)
            for include in query.includes:
                yield from _pointed_at(db, include, resource)
    for include in query.revincludes:
        yield from _pointing(db, include, query.type, matches)


def _pointed_at(db: sqlite3.Connection, include: Include, resource: dict[str, Any]) -> Iterator[Hit]:
    for parameter in include.parameters:
        for value in values_of(resource, parameter):
            kind, id_ = target_of(value)
            if kind in parameter.targets and kind in TYPE_CODES and include.target in ("", kind):
                yield from _hits(db, keys_by_id(db, kind, id_), 0, 1)


def _pointing(db: sqlite3.Connection, include: Include, kind: str, matches: list[Hit]) -> Iterator[Hit]:
    """Yield the resources of one type that point at one of the matches."""
    if include.source not in TYPE_CODES:
        return
    patient_ids = dict.fromkeys(hit.patient_id for hit in matches if hit.patient_id)
    persons = dict.fromkeys(person for patient_id in patient_ids for person in records_of(db, patient_id))
    sought = {(kind, hit.id) for hit in matches}
    if kind == "Patient":
        sought |= {(kind, id_) for _, id_ in persons}
    for person, id_ in persons:
        keys = (
            keys_by_id(db, "Patient", id_)
            if include.source == "Patient"
            else keys_by_patient(db, person, include.source)
        )
        for hit in _hits(db, keys, 0, _BATCH):
            resource = orjson.loads(hit.json)
            if any(target_of(value) in sought for each in include.parameters for value in values_of(resource, each)):
                yield hit


# Cursors


def _encode_cursor(key: int, *values: int | str | None) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([key, *values])).rstrip(b"=").decode()


def _cursor(text: str, length: int) -> list[object]:
    """Return what a cursor holds; nothing for the first page.

    raises  FhirRefusal  it is not one that this search gave
    """
    if not text:
        return []
    try:
        values = orjson.loads(base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True))
    except ValueError:
        values = None
    if not isinstance(values, list) or len(values) != length:
        raise _not_ours()
    return values


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        raise _not_ours()
    return value


def _sort_values(values: Sequence[object], sorts: Sequence[Sort]) -> tuple[int | str | None, ...]:
    """Return the sort values of a cursor, each of the type that its key has."""
    checked: list[int | str | None] = []
    for value, sort in zip(values, sorts, strict=True):
        if value is None or (isinstance(value, int if sort.parameter.kind == "date" else str)):
            checked.append(value)
        else:
            raise _not_ours()
    return tuple(checked)


def _not_ours() -> FhirRefusal:
    return FhirRefusal(
        400, "invalid", "fhir.cursor", "The page link is not one that this server gave for this search; begin again."
    )
