"""The FHIR door: HTTP under /fhir ⇄ the record. Reading only; every read is on its way into the audit trail first.

It knows HTTP, who may ask and how FHIR answers; what a search means is in wire/fhir, what exists is in the record.
Whatever it cannot do it says in an OperationOutcome, and the next request is served. Searches run in threads, because
the ward's pages live on the same event loop and a search may take a third of a second.
Source: FHIR R4 RESTful API (hl7.org/fhir/R4/http.html); RFC 6750 (bearer tokens); RFC 9110 (conditional requests).
"""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, tzinfo
from email.utils import formatdate
from pathlib import Path
from typing import TypeVar

import msgspec
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from releve.clock import Instant
from releve.doors.fhir_request import FHIR_JSON, base_url_of, negotiated, peer_of, read_form
from releve.doors.tokens import Holder, Tokens
from releve.errors import StoreUnable
from releve.log.audit import AuditEntry, AuditTrail
from releve.record import Views
from releve.record.rows import Stored
from releve.record.schema import TYPE_CODES
from releve.record.search import Found, Hit, everything, search
from releve.wire.fhir import (
    COMPARTMENT,
    Entry,
    FhirRefusal,
    Past,
    Query,
    audit_event,
    capability_statement,
    encode_history,
    encode_pairs,
    encode_refusal,
    encode_searchset,
    operation_outcome,
    parse_pairs,
    parse_query,
    quoted,
    subset,
)
from releve.wire.fhir.dates import parse_span
from releve.wire.fhir.match import target_of
from releve.wire.fhir.query import COUNT_DEFAULT, COUNT_MAX, Target

#: Searches at one time; two cores serve a node, and the pages need one.
SEARCHES_MAX = 2
#: Searches that may wait for a thread; beyond it a client is told to come back, and the pages keep their memory.
SEARCHES_WAITING_MAX = 64
#: Longest path and query of one request; the query has its own, smaller limit and sentence.
URL_BYTES_MAX = 32_768

#: The types declared in the CapabilityStatement, besides those that are only there when their source is.
TYPES_SERVED = ("Patient", *COMPARTMENT)

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)

_log = logging.getLogger(__name__)


Blob = Callable[[bytes], bytes | None]
_Result = TypeVar("_Result")


def fhir_routes(
    views: Views,
    tokens: Tokens,
    audit: AuditTrail,
    *,
    now: Callable[[], Instant],
    node: str,
    version: str,
    base_url: str = "",
    zone: tzinfo = UTC,
    blob: Blob | None = None,
) -> list[Route]:
    """Return the routes of /fhir.

    base_url  of this door, without a slash at the end; empty takes the address that the client used
    node      this node's id, named in AuditEvents
    zone      the hospital's, of dates without an offset
    blob      returns kept bytes by their SHA-256; without it there is no Binary
    """
    door = FhirDoor(views, tokens, audit, now, node, version, base_url, zone, blob)
    return [Route("/fhir", door), Route("/fhir/{path:path}", door)]


class _Asked(msgspec.Struct):
    """One request on its way: what was asked, by whom, and what the trail will say of it."""

    request: Request
    base_url: str
    pairs: list[tuple[str, str]]
    holder: Holder | None = None
    action: str = ""
    resource_type: str = ""
    resource_id: str = ""
    patient_ids: Sequence[str] = ()
    query: str = ""

    @property
    def is_strict(self) -> bool:
        return "handling=strict" in self.request.headers.get("prefer", "").replace(" ", "").lower()


class FhirDoor:
    """The door as an ASGI application; see fhir_routes."""

    def __init__(
        self,
        views: Views,
        tokens: Tokens,
        audit: AuditTrail,
        now: Callable[[], Instant],
        node: str,
        version: str,
        base_url: str,
        zone: tzinfo,
        blob: Blob | None,
    ) -> None:
        self._views, self._tokens, self._audit = views, tokens, audit
        self._now, self._node, self._version = now, node, version
        self._base_url, self._zone, self._blob = base_url, zone, blob
        # Threads of our own, which live on and keep their connections and caches warm.
        self._threads = ThreadPoolExecutor(SEARCHES_MAX, thread_name_prefix="fhir-search")
        self._busy = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    # The way of every request

    async def _answer(self, request: Request) -> Response:
        asked = _Asked(request, self._base_url or base_url_of(request), [])
        try:
            return await self._answer_or_refuse(asked)
        except StoreUnable as error:
            _log.error("fhir request not served", extra={"code": error.code})
            return _refused(FhirRefusal(503, "transient", error.code, error.sentence), {"retry-after": "5"})
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is left to read it
        except Exception as error:  # noqa: BLE001 - the mouth of the door: whatever one request breaks, the next one is served
            # Neither the text of the error nor its traceback: both may quote a patient.
            extra = {"code": "fhir.failed", "reason": type(error).__name__, "where": _where(error)}
            _log.error("fhir request failed", extra=extra)
            sentence = "This request could not be answered; the node's log says why. The record is not affected."
            return _refused(FhirRefusal(500, "exception", "fhir.failed", sentence))

    async def _answer_or_refuse(self, asked: _Asked) -> Response:
        try:
            return await self._dispatch(asked)
        except FhirRefusal as refusal:
            self._note(asked, "refused")
            return _refused(refusal)

    async def _dispatch(self, asked: _Asked) -> Response:
        request = asked.request
        if len(request.scope.get("raw_path", b"")) + len(request.scope["query_string"]) > URL_BYTES_MAX:
            raise _invalid("fhir.url-too-long", f"The address is longer than {URL_BYTES_MAX} bytes.")
        parts = [part for part in str(request.path_params.get("path", "")).split("/") if part]
        is_read = request.method in ("GET", "HEAD")
        is_search = request.method == "POST" and len(parts) == 2 and parts[1] == "_search"
        asked.pairs = parse_pairs(request.scope["query_string"])
        if parts == ["metadata"] and is_read:
            return self._respond(self._metadata(asked), negotiated(request, asked.pairs))
        asked.holder = self._holder(request)
        if is_search:
            asked.pairs += await read_form(request)
        elif not is_read:
            raise _read_only(request.method)
        media_type = negotiated(request, asked.pairs)
        body, headers, status = await self._serve(asked, parts, is_search)
        # Nothing leaves that is not on its way into the trail.
        self._note(asked, "done")
        return self._respond(body, media_type, status, headers)

    async def _serve(
        self, asked: _Asked, parts: list[str], is_search: bool
    ) -> tuple[bytes, dict[str, str] | None, int]:
        """Return body, headers and status of an interaction."""
        if not parts:
            raise FhirRefusal(
                404, "not-found", "fhir.nothing-here", "The base has nothing to read; /metadata says what can be asked."
            )
        kind, *rest = parts
        asked.resource_type = kind if _TYPE.fullmatch(kind) else ""
        if not self._is_served(kind):
            raise FhirRefusal(
                404,
                "not-supported",
                "fhir.type",
                f"{quoted(kind)} is not kept here; /metadata lists the types that are.",
            )
        if not rest or is_search:
            return await self._search(asked, kind), None, 200
        ident = rest[0]
        if not _ID.fullmatch(ident):
            raise _absent(kind, ident) if ident[0] not in "_$" else _no_interaction()
        asked.resource_id = ident
        if len(rest) == 1:
            return await self._read(asked, kind, ident)
        if rest[1:] == ["_history"] and kind in TYPE_CODES:
            return await self._history(asked, kind, ident), None, 200
        if len(rest) == 3 and rest[1] == "_history" and kind in TYPE_CODES:
            return self._vread(asked, kind, ident, rest[2])
        if rest[1:] == ["$everything"] and kind == "Patient":
            return await self._everything(asked, ident), None, 200
        raise FhirRefusal(
            404,
            "not-supported",
            "fhir.interaction",
            "There is no such interaction here; /metadata lists those there are.",
        )

    def _is_served(self, kind: str) -> bool:
        return kind in TYPE_CODES or kind == "AuditEvent" or (kind == "Binary" and self._blob is not None)

    def _holder(self, request: Request) -> Holder:
        """Return who asks.

        raises  FhirRefusal  nobody known (401), or somebody whose role reads no records (403)
        """
        authorization = request.headers.get("authorization")
        holder = self._tokens.holder_of(authorization)
        if holder is None:
            _log.warning("fhir token refused", extra={"code": "fhir.token", "peer": peer_of(request)})
            raise FhirRefusal(
                401,
                "login",
                "fhir.token",
                "A bearer token is needed, no valid one came. Make one at the node: releve token DIR --role system.",
            )
        if holder.role != "system":
            raise FhirRefusal(
                403, "forbidden", "fhir.role", f"This token has the role {quoted(holder.role)}, which reads no records."
            )
        return holder

    def _note(self, asked: _Asked, outcome: str) -> None:
        holder = asked.holder
        if holder is None or not asked.action:
            return
        self._audit.record(
            holder.label,
            holder.role,
            asked.action,
            asked.resource_type,
            asked.resource_id,
            outcome=outcome,
            peer=peer_of(asked.request),
            patient_ids=asked.patient_ids,
            query=asked.query,
        )

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        if self._busy >= SEARCHES_MAX + SEARCHES_WAITING_MAX:
            raise StoreUnable("fhir.busy", "Too many searches wait already; this one was not begun. Ask again later.")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._busy -= 1

    # Interactions

    def _metadata(self, asked: _Asked) -> bytes:
        types = [*TYPES_SERVED, *(["Binary"] if self._blob else []), "AuditEvent"]
        return capability_statement(base_url=asked.base_url, version=self._version, at=self._now(), types=types)

    async def _read(self, asked: _Asked, kind: str, ident: str) -> tuple[bytes, dict[str, str] | None, int]:
        asked.action = "read"
        if kind == "AuditEvent":
            return await self._read_audit_event(asked, ident), None, 200
        if kind == "Binary" and self._blob is not None:
            return await self._in_thread(lambda: self._read_binary(ident)), None, 200
        found = self._views.resource(kind, ident)
        if found is None:
            raise _absent(kind, ident)
        asked.patient_ids = _patients_of(found)
        headers = _version_headers(found)
        if _is_known(asked.request, found.version):
            return b"", headers, 304
        return _shaped(kind, found.json, _shape(asked, kind, self._zone)), headers, 200

    def _vread(self, asked: _Asked, kind: str, ident: str, number: str) -> tuple[bytes, dict[str, str] | None, int]:
        asked.action = "vread"
        found = self._views.version(kind, ident, int(number)) if _NUMBER.fullmatch(number) else None
        if found is None:
            raise FhirRefusal(
                404, "not-found", "fhir.no-version", f"{kind}/{ident} has no version {quoted(number)} at this node."
            )
        asked.patient_ids = _patients_of(found)
        return found.json, _version_headers(found), 200

    async def _history(self, asked: _Asked, kind: str, ident: str) -> bytes:
        asked.action = "history"
        count, before, since = COUNT_DEFAULT, 0, 0
        for name, value in asked.pairs:
            if name == "_count":
                count = _count_of(value)
            elif name == "_cursor":
                before = _count_of(value)
            elif name == "_since":
                since = self._instant_of(value)
        versions = await self._in_thread(lambda: self._views.history(kind, ident))
        if not versions:
            raise _absent(kind, ident)
        asked.patient_ids = _patients_of(versions[0])
        chosen = sorted((one for one in versions if one.updated_at >= since), key=lambda one: one.version, reverse=True)
        page = [one for one in chosen if not before or one.version < before][: min(count, COUNT_MAX)]
        path = f"{asked.base_url}/{kind}/{ident}"
        used = [(name, value) for name, value in asked.pairs if name in ("_count", "_since")]
        is_more = bool(page) and page[-1].version > chosen[-1].version
        return encode_history(
            [Past(path, one.json, f"{kind}/{ident}", one.version, one.updated_at) for one in page],
            total=len(chosen),
            self_url=_link(f"{path}/_history", used),
            next_url=_link(f"{path}/_history", [*used, ("_cursor", str(page[-1].version))]) if is_more else "",
            at=self._now(),
        )

    async def _search(self, asked: _Asked, kind: str) -> bytes:
        asked.action = "search"
        asked.query = "&".join(dict.fromkeys(name for name, _ in asked.pairs if name != "_cursor"))
        query = parse_query(kind, asked.pairs, self._zone, base_url=asked.base_url)
        if query.ignored and asked.is_strict:
            names = ", ".join(map(quoted, query.ignored))
            raise _invalid(
                "fhir.unknown-parameter", f"{kind} is not searched by {names}; handling=strict was asked for."
            )
        if kind == "AuditEvent":
            return await self._search_audit_events(asked, query)
        now = self._now()

        def look() -> Found:
            with self._views.one_moment() as db:
                return search(db, query, zone=self._zone, now=now)

        found = await self._in_thread(look)
        # Whoever asked for somebody's results and got none has still learnt something of that person.
        asked.patient_ids = list(dict.fromkeys([*_sought_patients(query), *found.patient_ids()]))
        return self._searchset(asked, f"{asked.base_url}/{kind}", query, found)

    async def _everything(self, asked: _Asked, ident: str) -> bytes:
        asked.action = "everything"
        types: list[str] = []
        count, cursor, since = COUNT_DEFAULT, "", 0
        used = []
        for name, value in asked.pairs:
            if name == "_count":
                count = max(1, min(_count_of(value), COUNT_MAX))
            elif name == "_type":
                types += value.split(",")
            elif name == "_since":
                since = self._instant_of(value)
            elif name == "_cursor":
                cursor = value
            if name in ("_count", "_type", "_since"):
                used.append((name, value))

        def look() -> Found | None:
            with self._views.one_moment() as db:
                return everything(db, ident, types=types, since=since, count=count, cursor=cursor)

        found = await self._in_thread(look)
        if found is None:
            raise _absent("Patient", ident)
        asked.patient_ids = list(dict.fromkeys([ident, *found.patient_ids()]))
        query = Query("", (), count=count, pairs=tuple(used))
        return self._searchset(asked, f"{asked.base_url}/Patient/{ident}/$everything", query, found)

    def _searchset(self, asked: _Asked, url: str, query: Query, found: Found) -> bytes:
        pairs = list(query.pairs)
        warnings = [
            operation_outcome("warning", "too-costly", "fhir.included-cut", sentence) for sentence in found.warnings
        ]
        if query.ignored:
            names = ", ".join(map(quoted, query.ignored))
            warnings.append(
                operation_outcome(
                    "warning",
                    "not-supported",
                    "fhir.unknown-parameter",
                    f"{query.type} is not searched by {names}: ignored, so more may be here than was meant.",
                )
            )
        is_counted = query.summary == "count" or query.count == 0
        entries = [] if is_counted else [_entry(asked.base_url, hit, query, "match") for hit in found.matches]
        entries += [_entry(asked.base_url, hit, query, "include") for hit in found.included if not is_counted]
        entries += [Entry("", warning, "outcome") for warning in warnings]
        next_url = _link(url, [*pairs, ("_cursor", found.next_cursor)]) if found.next_cursor and not is_counted else ""
        return encode_searchset(
            entries,
            total=None if query.total == "none" else found.total,
            self_url=_link(url, pairs),
            next_url=next_url,
            at=self._now(),
        )

    def _read_binary(self, ident: str) -> bytes:
        """Return kept bytes as a Binary; their type stands in the document that names them."""
        assert self._blob is not None
        try:
            content = self._blob(bytes.fromhex(ident)) if len(ident) == 64 else None
        except ValueError:
            content = None
        if content is None:
            raise _absent("Binary", ident)
        return orjson.dumps(
            {
                "resourceType": "Binary",
                "id": ident,
                "contentType": "application/octet-stream",
                "data": b64encode(content).decode(),
            }
        )

    # The trail itself, for whoever asks who saw a record

    async def _read_audit_event(self, asked: _Asked, ident: str) -> bytes:
        entry = await self._in_thread(lambda: self._audit.entry_at(int(ident)) if _NUMBER.fullmatch(ident) else None)
        if entry is None:
            raise _absent("AuditEvent", ident)
        asked.patient_ids = entry.patient_ids
        return self._audit_event(entry)

    async def _search_audit_events(self, asked: _Asked, query: Query) -> bytes:
        if any(criterion.parameter.name != "patient" or criterion.modifier for criterion in query.criteria):
            raise _invalid("fhir.audit-search", "AuditEvents are found by patient=ID alone; leave the rest out.")
        patients = _sought_patients(query)
        if not patients:
            raise FhirRefusal(
                400, "too-costly", "fhir.too-costly", "AuditEvents are read by patient: add patient=ID to the search."
            )
        before, count = _count_of(query.cursor) if query.cursor else 2**62, max(1, query.count)

        def look() -> list[AuditEntry]:
            ids = [record for patient in patients for record in (patient, *self._views.patient_ids(patient))]
            return self._audit.reads_of(*ids, before=before, limit=count + 1)

        entries = await self._in_thread(look)
        asked.patient_ids = patients
        hits = [
            Hit(entry.n, "AuditEvent", str(entry.n), self._audit_event(entry), "", entry.at)
            for entry in entries[:count]
        ]
        next_cursor = str(hits[-1].id) if len(entries) > count else ""
        found = Found(hits, [], None, next_cursor, [])
        return self._searchset(asked, f"{asked.base_url}/AuditEvent", query, found)

    def _audit_event(self, entry: AuditEntry) -> bytes:
        told = msgspec.structs.asdict(entry)
        del told["patients"]
        return audit_event(**told, node=self._node)

    # Small things

    def _instant_of(self, text: str) -> Instant:
        try:
            return parse_span(text.replace(" ", "+"), self._zone)[0]
        except (ValueError, OverflowError):
            raise _invalid("fhir.date", f"_since takes an instant; {quoted(text)} came.") from None

    def _respond(
        self, body: bytes, media_type: str, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        common = {"cache-control": "private, no-cache", "x-content-type-options": "nosniff", **(headers or {})}
        if status == 304:
            return Response(status_code=304, headers=common)
        return Response(body, status, common, f"{media_type}; charset=utf-8")


def _entry(base_url: str, hit: Hit, query: Query, mode: str) -> Entry:
    content = hit.json
    if mode == "match":
        content = _shaped(hit.type, content, (query.elements, query.summary))
    return Entry(f"{base_url}/{hit.type}/{hit.id}", content, mode)


_Shape = tuple[tuple[str, ...], str]


def _shape(asked: _Asked, kind: str, zone: tzinfo) -> _Shape:
    """Return which elements and summary a read asks for."""
    wanted = [(name, value) for name, value in asked.pairs if name in ("_elements", "_summary")]
    query = parse_query(kind, wanted, zone)
    return query.elements, query.summary.replace("count", "")


def _shaped(kind: str, content: bytes, shape: _Shape) -> bytes:
    elements, summary = shape
    return subset(kind, content, elements=elements, summary=summary) if elements or summary else content


def _sought_patients(query: Query) -> list[str]:
    return [
        value.id
        for criterion in query.criteria
        if criterion.parameter.name in ("patient", "subject")
        for value in criterion.values
        if isinstance(value, Target) and value.type in ("", "Patient")
    ]


def _patients_of(stored: Stored) -> list[str]:
    """Return the patient that a resource is about."""
    if stored.type == "Patient":
        return [stored.id]
    resource = orjson.loads(stored.json)
    kind, ident = target_of(resource.get("subject") or resource.get("patient"))
    return [ident] if kind == "Patient" else []


def _version_headers(stored: Stored) -> dict[str, str]:
    return {
        "etag": f'W/"{stored.version}"',
        "last-modified": formatdate(stored.updated_at / 1_000_000, usegmt=True),
    }


def _is_known(request: Request, version: int) -> bool:
    """Say whether the client holds this version; weak comparison (RFC 9110, 8.8.3.2)."""
    known = request.headers.get("if-none-match", "")
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return "*" in tags or f'"{version}"' in tags


def _link(url: str, pairs: list[tuple[str, str]]) -> str:
    return f"{url}?{encode_pairs(pairs)}" if pairs else url


def _count_of(value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise _invalid("fhir.count", f"A number from 0 to 999999999 is expected; {quoted(value)} came.")
    return int(value)


def _refused(refusal: FhirRefusal, headers: dict[str, str] | None = None) -> Response:
    """Return a refusal as a response; always JSON, even to a client that asked for something else."""
    common = {"cache-control": "no-store", "x-content-type-options": "nosniff", **(headers or {})}
    if refusal.status == 401:
        common["www-authenticate"] = 'Bearer realm="releve", error="invalid_token"'
    elif refusal.status == 405:
        common["allow"] = "GET, HEAD"
    return Response(encode_refusal(refusal), refusal.status, common, f"{FHIR_JSON}; charset=utf-8")


def _where(error: BaseException) -> str:
    """Return file and line where an error was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""


def _read_only(method: str) -> FhirRefusal:
    return FhirRefusal(
        405,
        "not-supported",
        "fhir.read-only",
        f"{quoted(method)} changes nothing here: this door is for reading. "
        "Send changes by HL7 v2 to the node, or enter them on its pages.",
    )


def _absent(kind: str, ident: str) -> FhirRefusal:
    return FhirRefusal(404, "not-found", "fhir.not-found", f"There is no {kind} {quoted(ident, 64)} at this node.")


def _no_interaction() -> FhirRefusal:
    return FhirRefusal(
        404, "not-supported", "fhir.interaction", "There is no such interaction here; /metadata lists those there are."
    )


def _invalid(code: str, sentence: str) -> FhirRefusal:
    return FhirRefusal(400, "invalid", code, sentence)
