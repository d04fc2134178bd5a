"""One recovery at every hospital: what is added to a node's recovery folder travels by the log, and is added at the
others.

    here    new lines of journal, decisions and forecasts → events of kind "recovery" on the group channel
    there   such events → the same lines in the folder there; a line that is there already is not added twice

One node runs the restart and writes its journal; decisions come from any of them and reach the run the same way. The
estate file travels too, but never over one that people put there: it names commands, and a node runs only what its
own people gave it. Published reports travel whole, see node.published.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import orjson

from releve.errors import ReleveError, StoreUnable
from releve.estate import load
from releve.log import GROUP, Body, Draft, Event, Ledger, Receipt, decode_body, encode_body
from releve.node.folder import RECOVERY_FOLDER
from releve.node.published import REPORT, keep_report, report_sources
from releve.recovery.folder import DECISIONS, FORECASTS, JOURNAL, Decision, RecoveryFolder
from releve.recovery.forecast import Forecast
from releve.recovery.journal import from_json
from releve.recovery.tail import Tail
from releve.sitrep import Register
from releve.sitrep.register import REGISTER

#: The kind of such an event.
RECOVERY = "recovery"
CURSOR_FILE = "run/recovery.json"
REPORTS_FOLDER = "reports"
ESTATE_FILE = "estate.toml"

#: So often the folder and the log are looked at; a decision must not wait longer for the run.
LOOK_S = 0.5
#: Lines of one event: a page of the log stays small, and a long journal is a few dozen events.
LINES_BYTES_MAX = 200_000
#: All files of an estate together; more is no estate that people wrote.
ESTATE_BYTES_MAX = 600_000
_PAGE = 200

_PARSE: dict[str, Callable[[Any], object]] = {
    JOURNAL: from_json,
    DECISIONS: lambda line: msgspec.convert(line, Decision),
    FORECASTS: lambda line: msgspec.convert(line, Forecast),
}

_log = logging.getLogger(__name__)

Append = Callable[[Draft], Awaitable[Receipt]]


class Cursor(msgspec.Struct, frozen=True):
    """What of the folder and the log is exchanged already. Losing it costs work, never a line.

    pos      of the log, read so far
    sent     file → bytes that are in events, or came from them
    estate   hash of the estate that is in an event, or came from one
    theirs   hash of the estate files as they came: nobody here has changed them while they still have it
    runs     when runs began that are carried out at another node
    reports  numbers of this node's published reports that are in events
    """

    pos: int = 0
    sent: dict[str, int] = {}
    estate: str = ""
    theirs: str = ""
    runs: tuple[str, ...] = ()
    reports: tuple[int, ...] = ()


class Mirror:
    """The exchange of one node's recovery folder with its log.

    folder  the node's
    origin  this node

    is_running  whether the last run of the journal goes on, here or elsewhere
    lines_seen  of the journal, so far
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self._recovery = RecoveryFolder(folder / RECOVERY_FOLDER)
        self._path = folder / CURSOR_FILE
        self._origin = origin
        self.cursor = self._read_cursor()
        self._kept = self.cursor
        self._known: dict[str, set[bytes]] = {}
        self._tails: dict[str, Tail] = {}
        for name in _PARSE:
            self._known[name] = {_mark(line) for line in Tail(self._recovery.path / name).new_lines()[0]}
            self._tails[name] = Tail(self._recovery.path / name, self.cursor.sent.get(name, 0))
        self._foreign: dict[str, set[bytes]] = {name: set() for name in _PARSE}
        self._passed: list[tuple[str, bytes]] = []
        self._estate_mark: object = None
        self._estate_gathered = ""
        self._register = Register(folder / REPORTS_FOLDER)
        self._register_mark: object = None
        self._reports_gathered: tuple[int, ...] = ()
        self._run = ""
        self.is_running = False
        self.lines_seen = 0
        for line in Tail(self._recovery.path / JOURNAL).new_lines()[0]:
            self._follow(line)

    def gather(self) -> list[Draft]:
        """Return what was added here since the last time; settle() when all of it is kept."""
        drafts = []
        for name, tail in self._tails.items():
            lines, _ = tail.new_lines()
            known, foreign = self._known[name], self._foreign[name]
            own = []
            for line in lines:
                mark = _mark(line)
                known.add(mark)
                if name == JOURNAL:
                    self._follow(line)
                if mark in foreign:
                    self._passed.append((name, mark))
                else:
                    own.append(line)
            drafts += [_draft({"file": name, "lines": [line.decode() for line in page]}) for page in _pages(own)]
        return [*drafts, *self._gather_estate(), *self._gather_reports()]

    def settle(self) -> None:
        """Remember that everything gathered is in the log."""
        sent = {name: tail.offset for name, tail in self._tails.items()}
        for name, mark in self._passed:
            self._foreign[name].discard(mark)
        self._passed.clear()
        estate = self._estate_gathered or self.cursor.estate
        reports = (*self.cursor.reports, *self._reports_gathered)
        self._reports_gathered = ()
        self.cursor = msgspec.structs.replace(self.cursor, sent=sent, estate=estate, reports=reports)
        self.keep()

    def unsettle(self) -> None:
        """Forget what was gathered last: the log did not take it, and it is gathered again."""
        for name, tail in self._tails.items():
            tail.offset = self.cursor.sent.get(name, 0)
        self._passed.clear()
        self._estate_mark, self._estate_gathered = None, ""
        self._register_mark, self._reports_gathered = None, ()

    def take(self, events: Iterable[Event], pos: int) -> None:
        """Add what other nodes wrote; pos is how far the log was read.

        raises  StoreUnable  the disk refused: the same events are taken again
        """
        lines: dict[str, list[bytes]] = {name: [] for name in _PARSE}
        for event in events:
            if event.origin == self._origin:
                continue
            try:
                self._sort(decode_body(event.body).source, event.origin, lines)
            except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
                # Of a newer node, or damaged there: the log keeps it; the others still count.
                _log.warning("recovery event not understood", extra={"origin": event.origin, "reason": str(error)})
            except OSError as error:
                raise StoreUnable("recovery.unwritten", f"{error.filename}: {error.strerror}.") from error
        self.keep()  # whose run it is must be known before its first line is: a fall in between must not make it ours
        for name, new in lines.items():
            self._foreign[name].update(_mark(line) for line in new)
            self._recovery.take(name, new)
            self._known[name].update(_mark(line) for line in new)
        self.cursor = msgspec.structs.replace(self.cursor, pos=pos)
        self.keep()

    def is_own_run(self) -> bool:
        """Say whether the last run in the journal is carried out at this node."""
        return bool(self._run) and self._run not in self.cursor.runs

    def _follow(self, line: bytes) -> None:
        """Keep in mind which run the journal is about, and whether it goes on."""
        try:
            happened = from_json(orjson.loads(line))
        except (ValueError, KeyError):
            return  # the pages say so; here it only means that this line changes nothing
        self.lines_seen += 1
        if happened.kind == "run-began":
            self._run, self.is_running = str(happened.at), True
        elif happened.kind == "run-resumed":
            self.is_running = True
        elif happened.kind == "run-ended":
            self.is_running = False

    def keep(self) -> None:
        """Write the cursor, when it is another one."""
        if self.cursor == self._kept:
            return
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(exist_ok=True)
            draft.write_bytes(msgspec.json.encode(self.cursor))
            draft.replace(self._path)
        except OSError as error:
            # The next round writes it; until then a fall costs that some lines are looked at once more.
            _log.warning("cursor not kept", extra={"reason": str(error.strerror)})
        else:
            self._kept = self.cursor

    def _sort(self, source: dict[str, Any], origin: str, lines: dict[str, list[bytes]]) -> None:
        name = source["file"]
        if name == ESTATE_FILE:
            self._take_estate(source["files"])
            return
        if name == REPORT:
            keep_report(self._recovery.path, origin, source)
        if name not in _PARSE:
            return
        waiting = {_mark(line) for line in lines[name]}
        for text in source["lines"]:
            value = orjson.loads(text)
            _PARSE[name](value)  # what cannot be read here is not written here
            line = orjson.dumps(value)
            if _mark(line) in self._known[name] or _mark(line) in waiting:
                continue
            waiting.add(_mark(line))
            lines[name].append(line)
            if name == JOURNAL and value["kind"] == "run-began":
                runs = (*self.cursor.runs, str(from_json(value).at))[-100:]
                self.cursor = msgspec.structs.replace(self.cursor, runs=runs)

    def _gather_estate(self) -> list[Draft]:
        mark = _file_mark(self._recovery.path / ESTATE_FILE)
        if mark is None or mark == self._estate_mark:
            return []
        try:
            files = self._estate_files()
        except (ReleveError, OSError, ValueError) as error:
            # A wrong file is told on the page and by releve estate check; it is not passed on.
            _log.warning("estate not passed on", extra={"reason": str(error)})
            self._estate_mark = mark
            return []
        digest = _digest(files)
        self._estate_mark = mark
        if digest in (self.cursor.estate, self.cursor.theirs):
            return []
        self._estate_gathered = digest
        return [_draft({"file": ESTATE_FILE, "files": files})]

    def _gather_reports(self) -> list[Draft]:
        mark = _file_mark(self._register.folder / REGISTER)
        if mark is None or mark == self._register_mark:
            return []
        self._register_mark = mark
        found = report_sources(self._register, self.cursor.reports)
        self._reports_gathered = tuple(number for number, _ in found)
        return [_draft(source) for _, source in found]

    def _estate_files(self) -> dict[str, str]:
        estate = load(self._recovery.path / ESTATE_FILE)
        root = self._recovery.path.resolve()
        files = {}
        for name in estate.files or (str(self._recovery.path / ESTATE_FILE),):
            path = Path(name).resolve()
            files[path.relative_to(root).as_posix()] = path.read_text("utf-8")
        if sum(len(text) for text in files.values()) > ESTATE_BYTES_MAX:
            raise ValueError(f"the estate is larger than {ESTATE_BYTES_MAX} characters")
        return files

    def _take_estate(self, files: dict[str, str]) -> None:
        """Write an estate that came, where there is none or only one that came before and nobody changed."""
        sound = all(_is_sound_name(name) and isinstance(text, str) for name, text in files.items())
        if not sound or ESTATE_FILE not in files or _digest(files) == self.cursor.theirs:
            return
        path = self._recovery.path / ESTATE_FILE
        if path.exists():
            try:
                here = _digest(self._estate_files())
            except (ReleveError, OSError, ValueError):
                return  # people are at work on it
            if here != self.cursor.theirs:
                return
        for name, text in sorted(files.items(), key=lambda item: item[0] == ESTATE_FILE):  # the one that includes, last
            target = self._recovery.path / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = target.with_name(target.name + ".new")
            draft.write_text(text, "utf-8")
            draft.replace(target)
        self.cursor = msgspec.structs.replace(self.cursor, theirs=_digest(files))

    def _read_cursor(self) -> Cursor:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Cursor)
        except (FileNotFoundError, msgspec.DecodeError):
            return Cursor()


def runs_elsewhere(recovery: RecoveryFolder) -> bool:
    """Say whether what a recovery folder tells of goes on at another node: here it is only a mirror of it."""
    try:
        cursor = msgspec.json.decode((recovery.path.parent / CURSOR_FILE).read_bytes(), type=Cursor)
    except (FileNotFoundError, msgspec.DecodeError):
        return False  # no node's folder, or nothing came from elsewhere yet
    run, goes_on = "", False
    for line in recovery.journal():
        if line.kind == "run-began":
            run, goes_on = str(line.at), True
        elif line.kind in ("run-resumed", "run-ended"):
            goes_on = line.kind == "run-resumed"
    return goes_on and run in cursor.runs


async def keep_mirrored(mirror: Mirror, ledger: Ledger, append: Append) -> None:
    """Exchange the recovery folder with the log, for as long as the courier works."""
    while True:
        await exchange(mirror, ledger, append)
        await asyncio.sleep(LOOK_S)


async def exchange(mirror: Mirror, ledger: Ledger, append: Append) -> None:
    """Exchange once: what was added here goes out, what came in is added here."""
    try:
        until = ledger.last_pos()
        while mirror.cursor.pos < until:
            events = ledger.of_kind(RECOVERY, mirror.cursor.pos, until, _PAGE)
            pos = events[-1].pos if len(events) == _PAGE else until
            await asyncio.to_thread(mirror.take, events, pos)
        drafts = mirror.gather()
        for draft in drafts:
            await append(draft)
        mirror.settle()
    except StoreUnable as error:
        # The desk is away or the disk is full: nothing is lost, the next round does it.
        _log.warning("recovery not exchanged", extra={"code": error.code})
        mirror.unsettle()


def _draft(source: dict[str, Any]) -> Draft:
    body = encode_body(Body({"door": RECOVERY, **source}))
    return Draft(GROUP, RECOVERY, sha256(orjson.dumps(source)).digest()[:16], body)


def _pages(lines: Sequence[bytes]) -> Iterable[list[bytes]]:
    page: list[bytes] = []
    size = 0
    for line in lines:
        if page and size + len(line) > LINES_BYTES_MAX:
            yield page
            page, size = [], 0
        page.append(line)
        size += len(line)
    if page:
        yield page


def _file_mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


def _mark(line: bytes) -> bytes:
    return sha256(line).digest()[:12]


def _digest(files: dict[str, str]) -> str:
    return sha256(orjson.dumps(files, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _is_sound_name(name: object) -> bool:
    """Say whether a file name that came from another node stays inside the folder and is an estate file."""
    if not isinstance(name, str) or not name.endswith(".toml") or len(name) > 200 or "\\" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and all(
        part not in ("", ".", "..") and not part.startswith(".") for part in path.parts
    )
