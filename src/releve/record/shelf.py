"""The resources and persons of a batch in memory, and what is gathered to be written at its end.

A resource is found here, changed through its state, and settled: then it says what its state says, a version is kept
when that is something new, and what it is looked for by follows. It knows the tables; it decides nothing about order.
"""

from __future__ import annotations

import sqlite3

import orjson

from releve.log import Body, Event, Statement
from releve.record import fold, merges, movements
from releve.record.band import red_band
from releve.record.fold import Document, Place, State
from releve.record.glance import Glance
from releve.record.held import SQL_HELD, SQL_HELD_BY_IDS, SQL_INSERT, SQL_UPDATE, Held, held_from
from releve.record.index import Index
from releve.record.kin import LINK, sharers
from releve.record.person import identity
from releve.record.schema import (
    ALLERGY,
    DOCUMENT,
    ENCOUNTER,
    OBSERVATION,
    PATIENT,
    REPORT,
    TYPE_CODES,
    decode_id,
    encode_id,
)
from releve.record.terms import (
    Tokens,
    clinical_time,
    encounter_tokens,
    first_code,
    identifier_tokens,
    patient_tokens,
)

#: Resources kept in memory between batches: the patients and stays of a busy hour; about 3 kB each.
_HELD_MAX = 8_000
#: Resources asked for in one question; SQLite takes 32,766 values.
_LOOK_AHEAD = 1000
#: Patient ids whose key is kept in memory: about 200 bytes each.
_PERSON_KEYS_MAX = 200_000
SORTED = orjson.OPT_SORT_KEYS

SQL_PERSON_KEY = "SELECT key FROM person WHERE id = ?"
SQL_PERSON_INSERT = "INSERT INTO person (key, id, root) VALUES (?, ?, ?)"
SQL_PERSON_IDENTITY = (
    "UPDATE person SET family=?, given=?, birth_date=?, sex=?, ipp=?, is_temporary=?, is_stated=?, deceased=? "
    "WHERE key=?"
)
SQL_PERSON_HEARD = "UPDATE person SET last_result_at = max(coalesce(last_result_at, 0), ?) WHERE key = ?"
SQL_PERSON_BAND = "UPDATE person SET red_band = ? WHERE key = ?"
SQL_VERSION = "INSERT INTO version (key, n, heard_at, source, pos, json) VALUES (?, ?, ?, ?, ?, ?)"
SQL_STATEMENT = "INSERT INTO statement (key, pos, place) VALUES (?, ?, ?)"
SQL_INDEX = "INSERT OR IGNORE INTO token (param, value, key) VALUES (?, ?, ?)"
SQL_UNINDEX = "DELETE FROM token WHERE param = ? AND value = ? AND key = ?"
SQL_STAY = "INSERT OR REPLACE INTO stay VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
SQL_FEED = (
    "INSERT INTO feed VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "count = count + excluded.count, last_at = max(last_at, excluded.last_at)"
)
SQL_OWN = "INSERT INTO own_event VALUES (?, ?, ?, ?, ?, ?)"
SQL_ALLERGIES = (
    "SELECT json FROM resource WHERE key IN (SELECT key FROM card WHERE patient = ? AND type = ?) ORDER BY at, id"
)
SQL_SOURCE = "INSERT INTO source (key, origin, sender) VALUES (?, ?, ?)"


class Shelf:
    """What a batch of events holds in memory, over the one connection that writes the views.

    index   where a resource is found
    unsure  keys of patients of whom the event in hand may have changed who they are
    feeds   (origin, sender, type) → [how many more, last heard]
    own     rows of own_event
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.index = Index(db)
        self.forget()

    def forget(self) -> None:
        """Forget everything held in memory; the tables say it all."""
        top = "SELECT max((SELECT coalesce(max(key), 0) FROM resource), (SELECT coalesce(max(key), 0) FROM person))"
        self._next_key: int = self.db.execute(top).fetchone()[0] + 1
        self._sources = {(o, s): k for k, o, s in self.db.execute("SELECT key, origin, sender FROM source")}
        self._held: dict[tuple[int, str], Held] = {}
        self._passing: list[tuple[int, str]] = []
        self._absent: dict[tuple[int, str], bytes | str] = {}  # → the id as it lies in the tables
        self._laid: dict[tuple[int, str], tuple[object, ...]] = {}
        self._person_keys: dict[str, int] = {}
        self.index.recount()
        self.unsure: set[int] = set()
        self._empty()

    def _empty(self) -> None:
        """Empty what is gathered for the end of a batch."""
        self._dirty: list[Held] = []
        self._persons: list[tuple[int, bytes | str, int]] = []
        self._identities: dict[int, tuple[object, ...]] = {}
        self._heard: dict[int, int] = {}
        self._bands: set[int] = set()
        self.versions: list[tuple[object, ...]] = []
        self.statements: list[tuple[int, int, int]] = []
        self._tokens: dict[tuple[str, str, int], bool] = {}
        self._stays: dict[int, tuple[object, ...]] = {}
        self.feeds: dict[tuple[str, str, str], list[int]] = {}
        self.own: list[tuple[object, ...]] = []

    def flush(self) -> None:
        """Write what is gathered."""
        db = self.db
        if self._persons:
            db.executemany(SQL_PERSON_INSERT, self._persons)
        new = [*self._laid.values(), *(held.row() for held in self._dirty if held.is_new)]
        for name in self._laid:
            self._absent.pop(name, None)
        self._laid.clear()
        changed = [(*held.changing(), held.key) for held in self._dirty if not held.is_new]
        db.executemany(SQL_INSERT, new)
        db.executemany(SQL_UPDATE, changed)
        self.index.enter(new, self._dirty)
        for held in self._dirty:
            held.is_new = held.is_dirty = False
        db.executemany(SQL_VERSION, self.versions)
        db.executemany(SQL_STATEMENT, self.statements)
        db.executemany(SQL_PERSON_IDENTITY, [(*columns, key) for key, columns in self._identities.items()])
        db.executemany(SQL_PERSON_HEARD, [(at, key) for key, at in self._heard.items()])
        db.executemany(SQL_INDEX, [token for token, stands in self._tokens.items() if stands])
        db.executemany(SQL_UNINDEX, [token for token, stands in self._tokens.items() if not stands])
        db.executemany(SQL_STAY, self._stays.values())
        db.executemany(SQL_FEED, [(*feed, count, at) for feed, (count, at) in self.feeds.items()])
        db.executemany(SQL_OWN, self.own)
        for key in self._bands:
            rows = db.execute(SQL_ALLERGIES, (key, ALLERGY))
            band = red_band(orjson.loads(row[0]) for row in rows)
            db.execute(SQL_PERSON_BAND, (orjson.dumps(band).decode() if band else None, key))
        self._empty()

    def look_ahead(self, bodies: list[Body | None]) -> None:
        """Read the resources of a batch at once: one question for hundreds costs a fifth of hundreds of questions."""
        held = self._held
        asked: dict[bytes | str, tuple[int, str]] = {}
        for body in bodies:
            for told in body.statements if body is not None else ():
                name = (TYPE_CODES.get(told.type, 0), told.id)
                if name not in held:
                    asked[encode_id(told.id)] = name
        ids = self.index.perhaps_known(list(asked))
        for start in range(0, len(ids), _LOOK_AHEAD):
            some = ids[start : start + _LOOK_AHEAD]
            marks = ",".join("?" * len(some))
            for row in self.db.execute(f"{SQL_HELD_BY_IDS} ({marks}))", some):
                found = held_from(row)
                self._hold(found.type, decode_id(found.id), found)
        self._absent = {name: stored for stored, name in asked.items() if name not in held}

    def trim(self) -> None:
        """Keep patients and stays, which are spoken of again soon; forget results, which are not."""
        for name in self._passing:
            self._held.pop(name, None)
        self._passing.clear()
        if len(self._held) > _HELD_MAX:
            self._held.clear()
        self._absent.clear()
        if len(self._person_keys) > _PERSON_KEYS_MAX:
            self._person_keys.clear()

    def find(self, told: Statement) -> Held | None:
        """Return the resource a statement is about, if anything is known of it; an unknown type is a ValueError."""
        code = TYPE_CODES.get(told.type)
        if code is None:
            raise ValueError(f"type {told.type!r}")
        return self.find_id(code, told.id)

    def find_id(self, code: int, id_: str) -> Held | None:
        """Return a resource by type and id, if anything is known of it."""
        held = self._held.get((code, id_))
        if held is None and (laid := self._laid.pop((code, id_), None)) is not None:
            held = held_from(laid)
            held.is_new = True
            self._hold(code, id_, held)
            self.mark(held)
        elif held is None and (code, id_) not in self._absent:
            row = self.db.execute(SQL_HELD, (encode_id(id_), code)).fetchone()
            if row is None:
                return None
            held = held_from(row)
            self._hold(code, id_, held)
        return held

    def _hold(self, code: int, id_: str, held: Held) -> None:
        """Keep a resource in memory: a patient or a stay for long, anything else for this batch."""
        self._held[code, id_] = held
        if code not in (PATIENT, ENCOUNTER):
            self._passing.append((code, id_))

    def lay(self, told: Statement, seen: Glance, place: Place, event: Event, source: int) -> None:
        """Lay down a result of which nothing is known yet: the row that make and renew would give it."""
        code = TYPE_CODES[told.type]
        if told.subject:
            self.person_key(told.subject)  # in the order in which make and renew give keys
        key = self._next_key
        self._next_key += 1
        patient = self.person_key(seen.patient_id)
        heard_at = event.recorded_at
        name = (code, told.id)
        self._laid[name] = (
            *(key, code, self._absent.get(name) or encode_id(told.id), patient),
            *(max(place[0], 0) if seen.at is None else seen.at, seen.code, seen.status),
            *(1, heard_at, source, event.pos, event.pos, place[3]),
            *(*place, told.content, None, None),
        )
        if code == REPORT:
            if seen.identified is not None:
                for param, value in identifier_tokens("DiagnosticReport", seen.identified):
                    self._tokens[param, value, key] = True
        elif self._heard.get(patient, 0) < heard_at:
            self._heard[patient] = heard_at

    def make(self, told: Statement) -> Held:
        """Make a resource of which nothing is known yet."""
        code = TYPE_CODES[told.type]
        if code == PATIENT:
            key, patient = self.person_key(told.id), None
        else:
            patient = self.person_key(told.subject) if told.subject else None
            key = self._next_key
            self._next_key += 1
        held = Held(key, code, encode_id(told.id))
        held.patient = patient
        held.is_new = True
        self._hold(code, told.id, held)
        self.mark(held)
        return held

    def mark(self, held: Held) -> None:
        """Note that the row of a resource must be written."""
        if not held.is_dirty:
            held.is_dirty = True
            self._dirty.append(held)

    def state_of(self, held: Held) -> State:
        """Return the state of a resource, read from its row when it is not in memory."""
        if held.state is None:
            if held.version == 0:
                held.state = State()
                return held.state
            raw = held.below if held.below is not None else held.json
            held.state, held.above = fold.decode_state(orjson.loads(raw), raw, held.last, held.encoded)
            if held.type == ENCOUNTER:
                held.above = movements.decode(held.above)
        return held.state

    def settle(self, held: Held, event: Event, source: int) -> None:
        """Make a resource say what its state says; a version is kept when that is something else than before."""
        state = self.state_of(held)
        doc = final = state.doc
        stay = None
        if held.type == ENCOUNTER:
            stay = movements.stay(held.above or [])
            final = movements.overlay(doc, stay)
        elif held.type == PATIENT and held.above:
            final = merges.overlay(doc, held.above[0], held.above[1])
        json = state.raw if state.raw is not None and final is doc else orjson.dumps(final, option=SORTED)
        if json == held.json:
            self.mark(held)
            if state.put_at is not None and clinical_time(doc) is None:
                held.at = max(state.put_at, 0)
            return
        below = None if final is doc else orjson.dumps(doc, option=SORTED)
        self.renew(held, final, json, below, state.put_at, event, source)
        if stay is not None:
            self._lie(held, final, stay, event.origin)

    def renew(
        self, held: Held, doc: Document, json: bytes, below: bytes | None, put_at: int | None, event: Event, source: int
    ) -> None:
        """Make a resource a new version, and all that is looked for in it."""
        if held.version:
            self.versions.append((held.key, held.version, held.heard_at, held.source, held.pos, held.json))
        held.version += 1
        held.json, held.below = json, below
        held.heard_at, held.source, held.pos = event.recorded_at, source, event.pos
        self.mark(held)
        kind = held.type
        self._attribute(held, doc)
        taken_at = clinical_time(doc)
        if taken_at is not None:
            held.at = taken_at
        elif put_at is not None:
            held.at = max(put_at, 0)
        status = doc.get("docStatus" if kind == DOCUMENT else "status")
        held.status = status if isinstance(status, str) else None
        if kind == OBSERVATION:
            held.code = first_code(doc.get("code"))
            patient = held.patient
            if patient is not None and self._heard.get(patient, 0) < event.recorded_at:
                self._heard[patient] = event.recorded_at
            return
        if kind == PATIENT:
            changed = self._index(held, patient_tokens(doc))
            self.identify(held, doc)
            self._relate(held, changed)
            return
        held.code = first_code(doc.get("type" if kind == DOCUMENT else "code"))
        if kind == ENCOUNTER:
            self._index(held, encounter_tokens(doc))
        elif kind in (REPORT, DOCUMENT):
            if "identifier" in doc or held.version > 1:
                self._index(held, identifier_tokens("DiagnosticReport" if kind == REPORT else "DocumentReference", doc))
        elif kind == ALLERGY and held.patient is not None:
            self._bands.add(held.patient)

    def _attribute(self, held: Held, doc: Document) -> None:
        """Give a resource to the patient it names; the one its first statement named when it names none."""
        subject = doc.get("subject") or doc.get("patient")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if isinstance(reference, str) and reference.startswith("Patient/"):
            key = self.person_key(reference[8:])
            if held.type == ALLERGY and held.patient is not None:
                self._bands.add(held.patient)
            held.patient = key

    def _index(self, held: Held, tokens: Tokens) -> Tokens:
        """Make a resource be found by these tokens and no others; returns those that came or went."""
        known = held.tokens
        if known is None:
            known = set() if held.version == 1 else self._tokens_before(held)
        held.tokens = tokens
        if tokens == known:
            return set()
        key = held.key
        changed = tokens ^ known
        for token in changed:
            if token[0] == LINK:
                self.db.execute(SQL_INDEX if token in tokens else SQL_UNINDEX, (*token, key))
            else:
                self._tokens[token[0], token[1], key] = token in tokens
        return changed

    def _tokens_before(self, held: Held) -> Tokens:
        doc = orjson.loads(self.versions[-1][5])  # type: ignore[arg-type]  # the json that was just replaced
        if held.type == PATIENT:
            return patient_tokens(doc)
        if held.type == ENCOUNTER:
            return encounter_tokens(doc)
        return identifier_tokens("DiagnosticReport" if held.type == REPORT else "DocumentReference", doc)

    def _lie(self, held: Held, doc: Document, stay: movements.StayState, origin: str) -> None:
        """Note where somebody lies."""
        place = stay.places[-1] if stay.places else None
        class_ = doc.get("class")
        code = class_.get("code") if isinstance(class_, dict) else None
        self._stays[held.key] = (
            held.key,
            held.patient or 0,
            doc.get("status") or "unknown",
            code if isinstance(code, str) else "",
            *((place.ward, place.room, place.bed) if place else movements.mentioned_place(doc)),
            place.since if place else held.at,
            origin,
        )

    def person_key(self, id_: str) -> int:
        """Return the key of a Patient id, known or not yet."""
        key = self._person_keys.get(id_)
        if key is None:
            stored = encode_id(id_)
            row = self.db.execute(SQL_PERSON_KEY, (stored,)).fetchone()
            if row is None:
                key = self._next_key
                self._next_key += 1
                self._persons.append((key, stored, key))
            else:
                key = row[0]
            self._person_keys[id_] = key
        return key

    def identify(self, held: Held, doc: Document) -> None:
        """Note who a patient is."""
        assert held.state is not None
        self._identities[held.key] = (*identity(doc), held.state.is_stated, _deceased(doc))

    def _relate(self, held: Held, changed: Tokens) -> None:
        """Note whether numbers that came or went make a patient the same person as others, or no longer."""
        for param, value in changed:
            if param == LINK:
                found = sharers(self.db, value) - {held.key}
                if 0 < len(found) <= merges.IDENTIFIER_SHARERS_MAX:  # with more, the number had ceased to link before
                    self.unsure |= {held.key, *found}

    def source(self, origin: str, sender: str) -> int:
        """Return the key of where something came from."""
        key = self._sources.get((origin, sender))
        if key is None:
            key = self._sources[origin, sender] = len(self._sources) + 1
            self.db.execute(SQL_SOURCE, (key, origin, sender))
        return key


def _deceased(doc: Document) -> str | None:
    at = doc.get("deceasedDateTime")
    if isinstance(at, str):
        return at
    return "true" if doc.get("deceasedBoolean") is True else None
