"""From the criteria of a FHIR search to resource keys: which index holds a superset of the answer.

It knows the tables and refuses to know what a parameter means; whatever it returns is judged afterwards, except what
is_covered says an index answers alone. What nothing narrows is refused with the parameter to add.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from releve.clock import Instant
from releve.record.schema import TOKEN_SEPARATOR, TYPE_CODES, decode_id, encode_id
from releve.record.terms import normal
from releve.wire.fhir import Criterion, FhirRefusal, Query
from releve.wire.fhir.dates import edges
from releve.wire.fhir.query import Moment, Target, Token

#: Keys that one search may hold in memory; beyond it no index has narrowed anything.
KEYS_MAX = 200_000

SQL_BY_ID = "SELECT key FROM name WHERE id = ? AND type = ?"
SQL_BY_WORD = "SELECT key FROM token WHERE param = ? AND value >= ? AND value < ? LIMIT ?"
SQL_BY_PATIENT = "SELECT key FROM card WHERE patient = ? AND type = ? LIMIT ?"
SQL_PERSON = "SELECT key FROM person WHERE id = ?"
SQL_RECORDS = "SELECT q.key, q.id FROM person p JOIN person q ON q.root = p.root WHERE p.id = ?"
SQL_RECORDS_OF_KEY = "SELECT q.key, q.id FROM person p JOIN person q ON q.root = p.root WHERE p.key = ?"
SQL_PATIENT_OF = "SELECT patient FROM resource WHERE key = (SELECT key FROM name WHERE id = ? AND type = ?)"

#: What must be given so that an index can narrow a search, by type; said in the refusal.
_ADD = {
    "Observation": "patient, subject, encounter or _id",
    "DiagnosticReport": "patient, subject, encounter, identifier or _id",
    "DocumentReference": "patient, subject, encounter, identifier or _id",
    "AllergyIntolerance": "patient or _id",
}
#: Types whose numbers the index holds.
_NUMBERED = ("Patient", "Encounter", "DiagnosticReport", "DocumentReference")
#: Types of which there are so few that they may be listed whole, page by page.
LISTED = ("Patient", "Encounter")


def is_covered(criterion: Criterion) -> bool:
    """Say whether the index alone answers a criterion, so that nothing need be read to judge it."""
    return not criterion.modifier and (
        criterion.parameter.name == "_id"
        or (
            criterion.parameter.name in ("patient", "subject") and all(_is_patient(value) for value in criterion.values)
        )
    )


def _is_patient(value: object) -> bool:
    return isinstance(value, Target) and value.type in ("", "Patient")


def narrowed(db: sqlite3.Connection, query: Query) -> list[int] | None:
    """Return, in order, keys among which all matches are; None when the type is one of LISTED and nothing narrows it.

    raises  FhirRefusal  nothing narrows it and the type is too large to be listed
    """
    found: set[int] | None = None
    for rank in _NARROWING:
        for criterion in query.criteria:
            if criterion.modifier or rank[0] != criterion.parameter.name:
                continue
            # Covered criteria must all take part, or nobody would judge them; of the others the first one is enough.
            if found is not None and not is_covered(criterion):
                continue
            keys = rank[1](db, query.type, criterion)
            if keys is not None:
                found = keys if found is None else found & keys
    if found is not None:
        return sorted(found)
    if query.type in LISTED:
        return None
    raise too_costly(
        f"A search of {query.type} would have to read every one of them. "
        f"Add {_ADD.get(query.type, '_id')} to it; of the person asked for, all will be found."
    )


def _ids(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    keys: set[int] = set()
    for value in criterion.values:
        if isinstance(value, Token) and value.code is not None and not value.system:
            keys.update(keys_by_id(db, kind, value.code))
    return keys


def _patients(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    if not all(_is_patient(value) for value in criterion.values):
        return None
    keys: set[int] = set()
    for value in criterion.values:
        assert isinstance(value, Target)
        row = db.execute(SQL_PERSON, (encode_id(value.id),)).fetchone()
        if row is not None:
            keys.update(keys_by_patient(db, row[0], kind))
    return keys


def _encounters(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    """Narrow to the resources of the persons whose stays they are; the judge then looks for the stay itself."""
    keys: set[int] = set()
    for value in criterion.values:
        assert isinstance(value, Target)
        for (patient,) in db.execute(SQL_PATIENT_OF, (encode_id(value.id), TYPE_CODES["Encounter"])):
            for person, _ in db.execute(SQL_RECORDS_OF_KEY, (patient,)):
                keys.update(keys_by_patient(db, person, kind))
    return keys


def _identifiers(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    if kind not in _NUMBERED:
        return None
    keys: set[int] = set()
    for value in criterion.values:
        if not isinstance(value, Token) or value.code is None:
            return None
        whole_value = f"{value.code}{TOKEN_SEPARATOR}{value.system or ''}"
        # A system given, even the empty one, names one value; none given, all values that go on with the separator.
        end = whole_value + "\0" if value.system is not None else whole_value + _LAST
        keys.update(_by_word(db, f"{kind}:identifier", whole_value, end))
    return keys


def _names(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    if kind != "Patient" or criterion.modifier:
        return None
    params = ("family", "given") if criterion.parameter.name == "name" else (criterion.parameter.name,)
    if params != ("family",) and params != ("given",):
        return None  # "name" also looks at text, prefix and suffix, which no index holds
    keys: set[int] = set()
    for value in criterion.values:
        start = normal(str(value))
        if not start:
            return None
        keys.update(_by_word(db, f"Patient:{params[0]}", start, start + _LAST))
    return keys


def _birth_dates(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    """Narrow to births between the edges of what is sought; a day is added on each side, for zones."""
    keys: set[int] = set()
    for value in criterion.values:
        assert isinstance(value, Moment)
        if value.prefix in ("ne", "ap"):
            return None
        low, high = edges(value.prefix, value.span, 0)
        first, last = _day(low, -1), _day(high, 1)
        # A birth known only by year or month is written shorter and sorts before its days; it can be inside a span
        # of that length alone, so a sought day need not look for it.
        is_short = value.prefix == "eq" and high - low <= 2 * 86_400_000_000
        keys.update(_by_word(db, "Patient:birthdate", first if is_short else first[:4], last + _LAST))
    return keys


def _statuses(db: sqlite3.Connection, kind: str, criterion: Criterion) -> set[int] | None:
    if kind != "Encounter":
        return None
    keys: set[int] = set()
    for value in criterion.values:
        if not isinstance(value, Token) or value.code is None:
            return None
        keys.update(_by_word(db, "Encounter:status", value.code, value.code + "\0"))
    return keys


_Narrowing = Callable[[sqlite3.Connection, str, Criterion], "set[int] | None"]
#: In this order: what usually leaves the fewest comes first.
_NARROWING: tuple[tuple[str, _Narrowing], ...] = (
    ("_id", _ids),
    ("identifier", _identifiers),
    ("encounter", _encounters),
    ("patient", _patients),
    ("subject", _patients),
    ("birthdate", _birth_dates),
    ("family", _names),
    ("given", _names),
    ("status", _statuses),
)
#: After every text that begins alike.
_LAST = "\U0010ffff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _day(at: Instant, days: int) -> str:
    """Return a day as it is written, kept within the years that can be."""
    try:
        return (_EPOCH + timedelta(microseconds=at, days=days)).date().isoformat()
    except OverflowError:
        return "0001" if at < 0 else "9999-12-31"


def keys_by_id(db: sqlite3.Connection, kind: str, id_: str) -> list[int]:
    return [key for (key,) in db.execute(SQL_BY_ID, (encode_id(id_), TYPE_CODES[kind]))]


def _by_word(db: sqlite3.Connection, param: str, low: str, high: str) -> list[int]:
    return _within([key for (key,) in db.execute(SQL_BY_WORD, (param, low, high, KEYS_MAX + 1))])


def keys_by_patient(db: sqlite3.Connection, person: int, kind: str) -> list[int]:
    return _within([key for (key,) in db.execute(SQL_BY_PATIENT, (person, TYPE_CODES[kind], KEYS_MAX + 1))])


def _within(keys: list[int]) -> list[int]:
    if len(keys) > KEYS_MAX:
        raise too_costly(f"The search leads to more than {KEYS_MAX} resources; add a narrower parameter.")
    return keys


def records_of(db: sqlite3.Connection, patient_id: str) -> list[tuple[int, str]]:
    """Return (key, id) of every record of the person that a patient id belongs to."""
    return [(key, decode_id(id_)) for key, id_ in db.execute(SQL_RECORDS, (encode_id(patient_id),))]


def too_costly(sentence: str) -> FhirRefusal:
    """Return the refusal of what would read too much; the sentence says what to add."""
    return FhirRefusal(400, "too-costly", "fhir.too-costly", sentence)
