"""The tables of the views file, how its connections are opened, and how an id lies in them.

The file holds nothing that the log does not: it may be deleted at any time and is rebuilt. It is in WAL mode with
synchronous=NORMAL: a commit waits for no disk, a power cut may take back the last commits but cannot tear the file, and
since the position is written in the same transaction as what was folded up to it, the fold goes on from there. OFF was
considered: it saves two syncs per checkpoint and would need a rebuild after every power cut, on the night when
hospitals have no time for one.

    person    one row per Patient id that anything was ever said about; root is the person it belongs to after merges
    resource  one row per FHIR resource; json is without resourceType, id and meta, see stored.whole
    name      the key of a resource by its id
    card      what there is of a patient: one row per resource that names one
    version   what a resource was before, by (key, n)
    statement the second and later statements of a resource, by place in the log, so that it can be folded again
    token     what people and machines look for, by (param, value); only for types of low volume
    link      every merge and unmerge ever stated, in force or not
    stay      who lies where, computed from the movements of an Encounter
    sighting  what each hospital's node said last about each service it watches
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path

from releve.errors import StoreUnable

VIEWS_FILE = "views.db"
SCHEMA_VERSION = 4

#: FHIR types by their code in the tables; append only.
TYPES = (
    "",
    "Patient",
    "Encounter",
    "Observation",
    "DiagnosticReport",
    "DocumentReference",
    "AllergyIntolerance",
    "Location",
    "Binary",
    "Communication",
    "ServiceRequest",
    "Appointment",
    "MedicationRequest",
    "MedicationAdministration",
    "Condition",
    "Procedure",
    "ImagingStudy",
    "Flag",
    "Task",
    "Composition",
    "Consent",
    "Specimen",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "RelatedPerson",
    "Provenance",
    "Device",
    "Immunization",
    "Media",
    "List",
    "CarePlan",
    "Coverage",
    "Account",
    "EpisodeOfCare",
    "MedicationStatement",
    "MedicationDispense",
    "QuestionnaireResponse",
    "Schedule",
    "Slot",
)
TYPE_CODES = {name: code for code, name in enumerate(TYPES) if name}
PATIENT = TYPE_CODES["Patient"]
ENCOUNTER = TYPE_CODES["Encounter"]
OBSERVATION = TYPE_CODES["Observation"]
REPORT = TYPE_CODES["DiagnosticReport"]
DOCUMENT = TYPE_CODES["DocumentReference"]
ALLERGY = TYPE_CODES["AllergyIntolerance"]

#: Between a value and its system in a token: identifiers may hold "|".
TOKEN_SEPARATOR = "\x1f"  # noqa: S105 - a character, not a secret

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE source (
  key INTEGER PRIMARY KEY, origin TEXT NOT NULL, sender TEXT NOT NULL, UNIQUE (origin, sender)
) STRICT;
CREATE TABLE person (
  key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, root INTEGER NOT NULL,
  family TEXT, given TEXT, birth_date TEXT, sex TEXT, ipp TEXT,
  is_temporary INTEGER NOT NULL DEFAULT 0, is_stated INTEGER NOT NULL DEFAULT 0, deceased TEXT,
  red_band TEXT, last_result_at INTEGER
);
CREATE INDEX person_by_root ON person (root);
CREATE TABLE resource (
  key INTEGER PRIMARY KEY, type INTEGER NOT NULL, id BLOB NOT NULL,
  patient INTEGER, at INTEGER NOT NULL, code TEXT, status TEXT,
  version INTEGER NOT NULL, heard_at INTEGER NOT NULL, source INTEGER NOT NULL, pos INTEGER NOT NULL,
  first_pos INTEGER NOT NULL, first_index INTEGER NOT NULL,
  last_at INTEGER NOT NULL, last_hlc INTEGER NOT NULL, last_origin TEXT NOT NULL, last_index INTEGER NOT NULL,
  json BLOB NOT NULL, below BLOB, state BLOB
);
-- Names and cards are the two indexes of resources: by id, and by patient. What is new falls on another page of a large
-- index each time. It gathers in a small one, which a batch touches whole anyway, and is sorted into the large one some
-- ten thousand at a time. Who asks for one id or one patient asks the view.
CREATE TABLE name_new (
  id BLOB NOT NULL, type INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (id, type)
) WITHOUT ROWID;
CREATE TABLE name_old (
  id BLOB NOT NULL, type INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (id, type)
) WITHOUT ROWID;
CREATE VIEW name AS SELECT id, type, key FROM name_new UNION ALL SELECT id, type, key FROM name_old;
CREATE TABLE card_new (
  patient INTEGER NOT NULL, type INTEGER NOT NULL, at INTEGER NOT NULL, heard_at INTEGER NOT NULL, key INTEGER NOT NULL,
  PRIMARY KEY (patient, type, at, heard_at, key)
) WITHOUT ROWID;
CREATE TABLE card_old (
  patient INTEGER NOT NULL, type INTEGER NOT NULL, at INTEGER NOT NULL, heard_at INTEGER NOT NULL, key INTEGER NOT NULL,
  PRIMARY KEY (patient, type, at, heard_at, key)
) WITHOUT ROWID;
CREATE VIEW card AS SELECT * FROM card_new UNION ALL SELECT * FROM card_old;
CREATE TABLE version (
  key INTEGER NOT NULL, n INTEGER NOT NULL, heard_at INTEGER NOT NULL, source INTEGER NOT NULL, pos INTEGER NOT NULL,
  json BLOB NOT NULL, PRIMARY KEY (key, n)
) WITHOUT ROWID;
CREATE TABLE statement (
  key INTEGER NOT NULL, pos INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (key, pos, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE token (
  param TEXT NOT NULL, value TEXT NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (param, value, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE link (
  loser INTEGER NOT NULL, winner INTEGER NOT NULL, is_merge INTEGER NOT NULL,
  at INTEGER NOT NULL, hlc INTEGER NOT NULL, origin TEXT NOT NULL, place INTEGER NOT NULL, pos INTEGER NOT NULL,
  is_in_force INTEGER NOT NULL,
  PRIMARY KEY (loser, at, hlc, origin, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_winner ON link (winner);
CREATE TABLE stay (
  encounter INTEGER PRIMARY KEY, patient INTEGER NOT NULL, status TEXT NOT NULL, class TEXT NOT NULL,
  ward TEXT NOT NULL, room TEXT NOT NULL, bed TEXT NOT NULL, since INTEGER NOT NULL, origin TEXT NOT NULL
) STRICT;
CREATE INDEX stay_by_ward ON stay (ward, room, bed) WHERE status IN ('in-progress', 'onleave');
CREATE INDEX stay_by_patient ON stay (patient);
CREATE TABLE feed (
  origin TEXT NOT NULL, sender TEXT NOT NULL, type TEXT NOT NULL,
  count INTEGER NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY (origin, sender, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE kept (
  pos INTEGER PRIMARY KEY, origin TEXT NOT NULL, type TEXT NOT NULL, sender TEXT NOT NULL, control_id TEXT NOT NULL,
  received_at INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE kept_count (
  type TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (type, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE own_event (
  pos INTEGER PRIMARY KEY, event_id BLOB NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL,
  patient INTEGER, recorded_at INTEGER NOT NULL
) STRICT;
CREATE TABLE delivery (
  destination TEXT NOT NULL, pos INTEGER NOT NULL, state TEXT NOT NULL, ack TEXT NOT NULL, attempts INTEGER NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (destination, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_by_state ON delivery (destination, state, pos);
CREATE TABLE sighting (
  service TEXT NOT NULL, origin TEXT NOT NULL, hlc INTEGER NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL,
  checked_at INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (service, origin)
) STRICT, WITHOUT ROWID;
"""

#: 64 MB of WAL before its pages go back, by the fold itself, which stands still for it. Another connection could do it
#: beside the fold, and must not: before SQLite 3.51.3, and Debian 12 has 3.40, a commit that begins the WAL anew while
#: another connection begins to copy it may leave pages behind for ever (sqlite.org/wal.html, "The WAL-Reset Bug").
_WAL_PAGES = 8000
#: A result takes a kilobyte. Pages of four waste a quarter of themselves, and have twice as many writes.
_PAGE_BYTES = 8192
_WRITER_CACHE_KIB = 131_072
_READER_CACHE_KIB = 32_768


def open_for_folding(path: Path) -> sqlite3.Connection:
    """Open the views file for its one writer, making it when it is not there.

    raises  StoreUnable            the folder cannot be written
    raises  sqlite3.DatabaseError  the file is torn, foreign or of another version: delete and rebuild it
    """
    try:
        path.touch(mode=0o600, exist_ok=True)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreUnable("record.unwritable", f"The views {path} cannot be written: {error}.") from error
    with ExitStack() as undo:
        undo.callback(db.close)
        db.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        db.execute(f"PRAGMA cache_size=-{_WRITER_CACHE_KIB}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"views of version {version}, not {SCHEMA_VERSION}")
        undo.pop_all()
    return db


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the views file for reading only, beside its writer.

    raises  StoreUnable  there are no views yet, or they are being rebuilt
    """
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise _absent(path) from error
    try:
        db.execute("PRAGMA query_only=1")
        db.execute(f"PRAGMA cache_size=-{_READER_CACHE_KIB}")
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            raise _absent(path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise _absent(path) from error
    except StoreUnable:
        db.close()
        raise
    return db


def _absent(path: Path) -> StoreUnable:
    return StoreUnable(
        "record.no-views", f"The views {path} are not there yet: they are being rebuilt from the log, which is whole."
    )


def encode_id(id_: str) -> bytes | str:
    """Return an id as it lies in the tables: a UUID in lower case as its 16 bytes, any other id as its text."""
    if len(id_) == 36 and id_[8] == id_[13] == id_[18] == id_[23] == "-":
        try:
            packed = bytes.fromhex(id_.replace("-", ""))
        except ValueError:
            return id_
        if len(packed) == 16 and id_ == id_.lower():
            return packed
    return id_


def decode_id(stored: bytes | str) -> str:
    """Return the id that encode_id packed."""
    if isinstance(stored, str):
        return stored
    digits = stored.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
