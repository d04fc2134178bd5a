"""The FHIR door as a stranger's client sees it: httpx over a real uvicorn, every answer validated by fhirkit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fhirkit
import httpx
import orjson
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from releve.doors import fhir as door_module
from releve.doors.fhir import fhir_routes
from releve.doors.tokens import Tokens
from releve.errors import StoreUnable
from releve.ids import content_id
from releve.log import GROUP, Body, Draft, Ledger, Log, Statement, encode_body
from releve.log.audit import AuditTrail
from releve.record import Archive, Views

NOW = 1_722_675_600_000_000  # 2024-08-03T09:00Z
ALICE, BOB = "11111111-1111-5111-8111-111111111111", "22222222-2222-5222-8222-222222222222"
SCAN = b"%PDF-1.4 a scanned page"
PARIS = ZoneInfo("Europe/Paris")


class Node:
    """A record with two patients, and its FHIR door on a real socket."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.log = Log(folder, "H01", Ed25519PrivateKey.generate(), now=self.now)
        self.archive = Archive(folder, origin="H01")
        self.views = Views(folder)
        self.ledger = Ledger(folder)
        self.tokens = Tokens(folder)
        self.audit = AuditTrail(folder, gather_s=0)
        self.bearer = self.tokens.issue("system", "laboratory")
        self.monitor = self.tokens.issue("monitor", "prometheus")
        self.fill()
        routes = fhir_routes(
            self.views, self.tokens, self.audit, now=self.now, node="H01", version="0.1.0", zone=PARIS,
            blob=self.ledger.blob,
        )  # fmt: skip
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off", ws="none", access_log=False)
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}/fhir"
        self.client = httpx.Client(headers={"authorization": f"Bearer {self.bearer}"}, timeout=30)

    def now(self) -> int:
        return NOW + self.count * 1_000_000

    def state(self, *statements: Statement, blobs: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.count += 1
        body = encode_body(Body({"door": "mllp", "sender": "LAB|H01", "type": "ORU^R01"}, statements=list(statements)))
        self.log.append_now(Draft(GROUP, "hl7v2", content_id(b"%d" % self.count), body, blobs))

    def put(self, verb: str, kind: str, id_: str, content: dict[str, Any], subject: str = "") -> None:
        self.state(Statement(verb, kind, id_, NOW, subject, orjson.dumps(content)))

    def result(self, number: int, value: bytes, status: str = "final") -> None:
        content = (
            b'{"status":"%b","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"subject":{"reference":'
            b'"Patient/%b"},"effectiveDateTime":"2024-08-03T%02d:00:00Z","valueQuantity":{"value":%b,"unit":"g/L"}}'
        ) % (status.encode(), ALICE.encode(), number, value)
        self.state(Statement("put", "Observation", f"hb-{number}", NOW + number, ALICE, content))

    def fill(self) -> None:
        number = {"system": "urn:id:H01", "value": "42"}
        name = {"family": "Lefèvre", "given": ["Alice"]}
        about = {"subject": {"reference": f"Patient/{ALICE}"}}
        self.put("patch", "Patient", ALICE, {"identifier": [number], "name": [name], "birthDate": "1950-03-02"})
        self.put("patch", "Patient", BOB, {"identifier": [{**number, "value": "43"}], "name": [{"family": "Le Goff"}]})
        self.put("patch", "Encounter", "stay-a", {"status": "in-progress", "class": {"code": "IMP"}, **about}, ALICE)
        for hour in range(5):
            self.result(hour, b"72.50")
        self.result(0, b"73.10", "corrected")
        blob = content_id(SCAN) + content_id(SCAN, SCAN)
        attachment = {"contentType": "application/pdf", "url": f"Binary/{blob.hex()}"}
        self.blob = blob.hex()
        document = {"status": "current", "content": [{"attachment": attachment}], **about}
        self.state(
            Statement("put", "DocumentReference", "doc-1", NOW, ALICE, orjson.dumps(document)), blobs=((blob, SCAN),)
        )
        self.archive.fold_all()

    def get(self, path: str, **settings_: Any) -> httpx.Response:
        return self.client.get(f"{self.base}{path}", **settings_)

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()
        self.audit.close()
        self.ledger.close()
        self.views.close()
        self.archive.close()
        self.log.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    there = Node(tmp_path)
    yield there
    there.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node for tests that change nothing in it."""
    there = Node(tmp_path_factory.mktemp("node"))
    yield there
    there.close()


def valid(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Return an answer that is what it says and valid FHIR."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/fhir+json; charset=utf-8"
    resource = orjson.loads(response.content)
    assert resource["resourceType"] == kind
    assert [str(issue) for issue in fhirkit.validate(response.content) if issue.severity == "error"] == []
    return resource  # type: ignore[no-any-return]  # JSON


def outcome(response: httpx.Response, status: int, code: str) -> str:
    """Return the sentence of a refusal."""
    (issue,) = valid(response, status, "OperationOutcome")["issue"]
    assert issue["details"]["coding"][0]["code"] == code
    return str(issue["details"]["text"])


def ids(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    return [each["resource"]["id"] for each in bundle.get("entry", ()) if each["search"]["mode"] == mode]


# Reading


@pytest.mark.peer
def test_a_read_gives_the_resource_as_it_was_kept(standing: Node) -> None:
    response = standing.get("/Observation/hb-1")
    resource = valid(response, 200, "Observation")
    assert b"72.50" in response.content
    assert resource["meta"] == {
        "versionId": "1", "lastUpdated": resource["meta"]["lastUpdated"], "source": "urn:releve:H01"
    }  # fmt: skip
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["last-modified"].startswith("Sat, 03 Aug 2024 09:00:")


@pytest.mark.peer
def test_a_client_that_holds_the_version_is_told_so(standing: Node) -> None:
    for tag in ('W/"2"', '"2"', 'W/"1", W/"2"', "*"):
        response = standing.get("/Observation/hb-0", headers={"if-none-match": tag})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == 'W/"2"'
    valid(standing.get("/Observation/hb-0", headers={"if-none-match": 'W/"1"'}), 200, "Observation")


@pytest.mark.peer
def test_earlier_versions_stay_readable(standing: Node) -> None:
    history = valid(standing.get("/Observation/hb-0/_history"), 200, "Bundle")
    assert history["type"] == "history"
    assert [entry["resource"]["meta"]["versionId"] for entry in history["entry"]] == ["2", "1"]
    first = standing.get("/Observation/hb-0/_history/1")
    assert b"72.50" in first.content
    assert valid(first, 200, "Observation")["status"] == "final"
    assert valid(standing.get("/Observation/hb-0/_history/2"), 200, "Observation")["status"] == "corrected"
    for number in ("3", "0", "x", "99999999999"):
        outcome(standing.get(f"/Observation/hb-0/_history/{number}"), 404, "fhir.no-version")


@pytest.mark.peer
def test_a_history_turns_pages(standing: Node) -> None:
    page = valid(standing.get("/Observation/hb-0/_history?_count=1"), 200, "Bundle")
    (link,) = [each["url"] for each in page["link"] if each["relation"] == "next"]
    rest = valid(standing.client.get(link), 200, "Bundle")
    assert [entry["resource"]["meta"]["versionId"] for entry in (*page["entry"], *rest["entry"])] == ["2", "1"]
    assert [each["relation"] for each in rest["link"]] == ["self"]
    assert valid(standing.get("/Observation/hb-0/_history?_since=2025"), 200, "Bundle")["total"] == 0


@pytest.mark.peer
def test_head_is_get_without_the_body(standing: Node) -> None:
    response = standing.client.head(f"{standing.base}/Patient/{ALICE}")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(standing.get(f"/Patient/{ALICE}").content))


@pytest.mark.peer
def test_kept_bytes_are_read_as_a_binary(standing: Node) -> None:
    binary = valid(standing.get(f"/Binary/{standing.blob}"), 200, "Binary")
    assert binary["data"] == "JVBERi0xLjQgYSBzY2FubmVkIHBhZ2U="
    for ident in ("0" * 64, "zz", "g" * 64):
        outcome(standing.get(f"/Binary/{ident}"), 404, "fhir.not-found")


@pytest.mark.peer
def test_parts_of_a_resource_may_be_asked_for(standing: Node) -> None:
    resource = valid(standing.get(f"/Patient/{ALICE}?_elements=birthDate"), 200, "Patient")
    assert set(resource) == {"resourceType", "id", "meta", "birthDate"}
    bundle = valid(standing.get(f"/Observation?patient={ALICE}&_summary=data&_elements="), 200, "Bundle")
    assert bundle["entry"][0]["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


# Searching


@pytest.mark.peer
def test_the_base_works_with_and_without_a_slash(standing: Node) -> None:
    for path in ("/Patient?family=lefevre", "/Patient/?family=lefevre"):
        assert ids(valid(standing.get(path), 200, "Bundle")) == [ALICE]
    for path in ("", "/"):
        outcome(standing.get(path), 404, "fhir.nothing-here")


@pytest.mark.peer
def test_a_client_follows_next_links_to_everything(standing: Node) -> None:
    url = f"{standing.base}/Observation?subject=Patient/{ALICE}&code=http://loinc.org|718-7&_count=2&_sort=-date"
    found, pages = [], 0
    while url and pages < 10:
        bundle = valid(standing.client.get(url), 200, "Bundle")
        assert bundle["total"] == 5
        found += ids(bundle)
        pages += 1
        url = next((each["url"] for each in bundle["link"] if each["relation"] == "next"), "")
    assert (found, pages) == (["hb-4", "hb-3", "hb-2", "hb-1", "hb-0"], 3)


@pytest.mark.peer
def test_a_search_by_form_is_the_search_by_address(standing: Node) -> None:
    by_form = standing.client.post(
        f"{standing.base}/Observation/_search?_count=2", data={"patient": ALICE, "status": "final"}
    )
    by_address = standing.get(f"/Observation?_count=2&patient={ALICE}&status=final")
    bundle = valid(by_form, 200, "Bundle")
    assert ids(bundle) == ids(valid(by_address, 200, "Bundle"))
    assert bundle["link"][0]["url"] == orjson.loads(by_address.content)["link"][0]["url"]


@pytest.mark.peer
def test_full_urls_and_links_begin_with_the_address_that_the_client_used(standing: Node) -> None:
    bundle = valid(standing.get("/Patient?family=lefevre", headers={"host": "releve.chu.example:8080"}), 200, "Bundle")
    assert bundle["link"][0]["url"] == "http://releve.chu.example:8080/fhir/Patient?family=lefevre"
    assert bundle["entry"][0]["fullUrl"] == f"http://releve.chu.example:8080/fhir/Patient/{ALICE}"
    odd = valid(standing.get("/Patient?family=lefevre", headers={"host": 'evil"><script>'}), 200, "Bundle")
    assert odd["link"][0]["url"].startswith(standing.base)


@pytest.mark.peer
def test_includes_come_marked_as_such(standing: Node) -> None:
    bundle = valid(standing.get(f"/Observation?patient={ALICE}&_include=Observation:patient&_count=3"), 200, "Bundle")
    assert (len(ids(bundle)), ids(bundle, "include")) == (3, [ALICE])
    back = valid(standing.get(f"/Patient?_id={ALICE}&_revinclude=Observation:subject"), 200, "Bundle")
    assert sorted(ids(back, "include")) == [f"hb-{n}" for n in range(5)]


@pytest.mark.peer
def test_an_unknown_parameter_is_ignored_and_said_or_refused_when_strict(standing: Node) -> None:
    bundle = valid(standing.get("/Patient?family=lefevre&shoe-size=42"), 200, "Bundle")
    assert ids(bundle) == [ALICE]
    assert "shoe-size" not in bundle["link"][0]["url"]
    (warning,) = [each["resource"] for each in bundle["entry"] if each["search"]["mode"] == "outcome"]
    assert "shoe-size" in warning["issue"][0]["details"]["text"]
    strict = standing.get("/Patient?family=lefevre&shoe-size=42", headers={"prefer": "return=minimal; handling=strict"})
    assert "shoe-size" in outcome(strict, 400, "fhir.unknown-parameter")


@pytest.mark.peer
def test_counts_come_without_entries(standing: Node) -> None:
    for text in ("_summary=count", "_count=0", "_count=0&_totalMethod=count"):
        bundle = valid(standing.get(f"/Observation?patient={ALICE}&{text}"), 200, "Bundle")
        assert (bundle["total"], bundle.get("entry")) == (5, None)
    assert "total" not in valid(standing.get(f"/Observation?patient={ALICE}&_total=none"), 200, "Bundle")


@pytest.mark.peer
def test_a_search_that_would_read_everything_says_what_to_add(standing: Node) -> None:
    assert "patient" in outcome(standing.get("/Observation?code=718-7"), 400, "fhir.too-costly")


@pytest.mark.peer
def test_everything_of_a_patient_comes_in_pages(standing: Node) -> None:
    url, found = f"{standing.base}/Patient/{ALICE}/$everything?_count=3", []
    while url and len(found) < 100:
        bundle = valid(standing.client.get(url), 200, "Bundle")
        found += ids(bundle)
        url = next((each["url"] for each in bundle["link"] if each["relation"] == "next"), "")
    assert sorted(found) == sorted([ALICE, "stay-a", "doc-1", *(f"hb-{n}" for n in range(5))])
    only = valid(standing.get(f"/Patient/{ALICE}/$everything?_type=Encounter&_since=2024-08-03"), 200, "Bundle")
    assert ids(only) == ["stay-a"]
    assert valid(standing.get(f"/Patient/{ALICE}/$everything?_since=2030"), 200, "Bundle")["total"] == 0
    outcome(standing.get("/Patient/nobody/$everything"), 404, "fhir.not-found")


@pytest.mark.peer
def test_merged_records_are_one_person(node: Node) -> None:
    node.put("merge", "Patient", BOB, {"into": ALICE}, BOB)
    node.archive.fold_all()
    loser = valid(node.get(f"/Patient/{BOB}"), 200, "Patient")
    assert (loser["active"], loser["link"][0]["type"]) == (False, "replaced-by")
    assert len(ids(valid(node.get(f"/Observation?patient={BOB}"), 200, "Bundle"))) == 5


# Who may ask, and what is written down


@pytest.mark.peer
def test_the_statement_is_for_everybody_and_names_what_is_done(standing: Node) -> None:
    response = httpx.get(f"{standing.base}/metadata")
    statement = valid(response, 200, "CapabilityStatement")
    types = {each["type"]: each for each in statement["rest"][0]["resource"]}
    assert {"Patient", "Encounter", "Observation", "Binary", "AuditEvent"} <= set(types)
    for kind, declared in types.items():
        # What is declared is done: each parameter, alone, is understood by a strict server.
        for parameter in declared.get("searchParam", ()):
            value = {"date": "2024", "reference": ALICE}.get(parameter["type"], "x")
            answer = standing.get(f"/{kind}?{parameter['name']}={value}", headers={"prefer": "handling=strict"})
            assert answer.status_code == 200 or "fhir.too-costly" in answer.text, answer.text


@pytest.mark.peer
def test_without_a_valid_token_nothing_is_told(standing: Node) -> None:
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp4"}):
        for path in (f"/Patient/{ALICE}", "/Patient?family=lefevre", "/Nothing", ""):
            response = httpx.get(f"{standing.base}{path}", headers=headers)
            outcome(response, 401, "fhir.token")
            assert response.headers["www-authenticate"].startswith("Bearer ")
            assert "Lef" not in response.text
    monitor = httpx.get(f"{standing.base}/Patient/{ALICE}", headers={"authorization": f"Bearer {standing.monitor}"})
    outcome(monitor, 403, "fhir.role")


@pytest.mark.peer
def test_a_revoked_token_stops_working_at_once(node: Node, tmp_path: Path) -> None:
    assert node.get(f"/Patient/{ALICE}").status_code == 200
    Tokens(tmp_path).revoke(node.tokens.every()[0].id)
    outcome(node.get(f"/Patient/{ALICE}"), 401, "fhir.token")


@pytest.mark.peer
def test_every_read_of_a_record_is_in_the_trail_with_its_patient(node: Node) -> None:
    node.get(f"/Patient/{ALICE}")
    node.get("/Observation/hb-1")
    node.get("/Observation/hb-1/_history")
    node.get("/Observation/hb-0/_history/1")
    node.get(f"/Observation?patient={ALICE}&code=718-7")
    node.get("/Patient?family=lefevre&birthdate=1950-03-02")
    node.get(f"/Patient/{ALICE}/$everything")
    node.get(f"/Observation?patient={BOB}")
    node.get("/Patient/nobody")
    assert node.audit.verify() == []
    assert [(entry.action, entry.resource_type) for entry in reversed(node.audit.reads_of(ALICE))] == [
        ("read", "Patient"),
        ("read", "Observation"),
        ("history", "Observation"),
        ("vread", "Observation"),
        ("search", "Observation"),
        ("search", "Patient"),
        ("everything", "Patient"),
    ]
    assert {entry.who for entry in node.audit.reads_of(ALICE)} == {"laboratory"}
    assert [entry.query for entry in node.audit.reads_of(BOB)] == ["patient"]
    refused = node.audit.entry_at(9)
    assert refused is not None
    assert (refused.outcome, refused.resource_id, refused.peer) == ("refused", "nobody", "127.0.0.1")
    kept = (node.audit._path).read_bytes() + node.audit._path.with_name("audit.db-wal").read_bytes()
    for private in (b"lefevre", b"1950-03-02", "Lefèvre".encode()):
        assert private not in kept


@pytest.mark.peer
def test_who_saw_a_record_is_answered_as_audit_events(node: Node) -> None:
    for _ in range(3):
        node.get(f"/Patient/{ALICE}")
    node.get(f"/Patient/{BOB}")
    node.audit.flush()
    page = valid(node.get(f"/AuditEvent?patient=Patient/{ALICE}&_count=2"), 200, "Bundle")
    assert ids(page) == ["3", "2"]
    (link,) = [each["url"] for each in page["link"] if each["relation"] == "next"]
    assert ids(valid(node.client.get(link), 200, "Bundle")) == ["1"]
    event = valid(node.get("/AuditEvent/1"), 200, "AuditEvent")
    assert event["agent"][0]["who"]["identifier"]["value"] == "laboratory"
    assert event["entity"][0]["what"]["reference"] == f"Patient/{ALICE}"
    outcome(node.get("/AuditEvent/9999"), 404, "fhir.not-found")
    outcome(node.get("/AuditEvent"), 400, "fhir.too-costly")
    outcome(node.get(f"/AuditEvent?patient={ALICE}&_id=1"), 400, "fhir.audit-search")
    assert "date" in outcome(
        node.get(f"/AuditEvent?patient={ALICE}&date=2024", headers={"prefer": "handling=strict"}),
        400,
        "fhir.unknown-parameter",
    )


@pytest.mark.peer
def test_nothing_is_shown_that_cannot_be_audited(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnable("audit.full", "The audit trail cannot be written.")

    monkeypatch.setattr(node.audit, "record", full)
    response = node.get(f"/Patient/{ALICE}")
    outcome(response, 503, "audit.full")
    assert response.headers["retry-after"] == "5"
    assert "Lef" not in response.text


# What is refused


@pytest.mark.peer
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SEARCH"])
@pytest.mark.parametrize("path", ["", "/", "/Patient", f"/Patient/{ALICE}", "/metadata"])
def test_writing_is_refused_with_a_sentence(standing: Node, method: str, path: str) -> None:
    response = standing.client.request(method, f"{standing.base}{path}", json={"resourceType": "Patient"})
    assert "for reading" in outcome(response, 405, "fhir.read-only")
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.peer
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/Patient/nobody", 404, "fhir.not-found"),
        ("/Patient/nobody/_history", 404, "fhir.not-found"),
        ("/Patient/%2e%2e%2fetc", 404, "fhir.interaction"),
        ("/Patient/a%00b", 404, "fhir.not-found"),
        ("/Patient/" + "x" * 65, 404, "fhir.not-found"),
        ("/Medication", 404, "fhir.type"),
        ("/patient/1", 404, "fhir.type"),
        ("/%ff%fe", 404, "fhir.type"),
        ("/Patient/_search", 404, "fhir.interaction"),
        ("/Patient/_history", 404, "fhir.interaction"),
        ("/Patient/$match", 404, "fhir.interaction"),
        ("/Observation/hb-1/$everything", 404, "fhir.interaction"),
        ("/Observation/hb-1/_history/1/2", 404, "fhir.interaction"),
        ("/AuditEvent/1/_history", 404, "fhir.interaction"),
        ("/.well-known/smart-configuration", 404, "fhir.type"),
        ("/Patient?family=%zz", 400, "fhir.percent"),
        ("/Patient?family=%ff", 400, "fhir.not-utf8"),
        ("/Patient?family=a%00b", 400, "fhir.null"),
        ("/Patient?_count=99999999999999999999", 400, "fhir.count"),
        ("/Patient?_count=-1", 400, "fhir.count"),
        ("/Patient?birthdate=yesterday", 400, "fhir.date"),
        ("/Patient?family:below=x", 400, "fhir.modifier"),
        ("/Patient?_cursor=nonsense", 400, "fhir.cursor"),
        ("/Patient?family=" + "x" * 20_000, 400, "fhir.query-too-long"),
        ("/Patient/" + "x" * 40_000, 400, "fhir.url-too-long"),
        ("/Patient?" + "&".join(["family=x"] * 65), 400, "fhir.too-many-parameters"),
        ("/Patient/x/_history?_since=yesterday", 400, "fhir.date"),
        ("/Patient/x/_history?_count=many", 400, "fhir.count"),
    ],
)
def test_a_wrong_request_gets_its_own_sentence_and_the_next_is_served(
    standing: Node, path: str, status: int, code: str
) -> None:
    assert outcome(standing.get(path), status, code)
    assert standing.get("/Observation/hb-1").status_code == 200


@pytest.mark.peer
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
        ("application/json", "application/json"),
        ("application/json;q=0.9, text/html", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/fhir+json"),
        ("application/fhir+xml", ""),
        ("application/fhir+json; fhirVersion=3.0", ""),
        ("application/fhir+json;q=0", ""),
        ("text/html", ""),
    ],
)
def test_answers_are_json_or_it_is_said_that_they_are(standing: Node, accept: str, kind: str) -> None:
    response = standing.get("/Observation/hb-1", headers={"accept": accept})
    if kind:
        assert response.headers["content-type"] == f"{kind}; charset=utf-8"
        assert response.status_code == 200
    else:
        outcome(response, 406, "fhir.format")


@pytest.mark.peer
def test_the_format_parameter_wins_over_the_header(standing: Node) -> None:
    for text in ("json", "application/fhir%2Bjson", "application/fhir+json"):
        valid(standing.get(f"/Observation/hb-1?_format={text}", headers={"accept": "text/html"}), 200, "Observation")
    outcome(standing.get("/Observation/hb-1?_format=xml"), 406, "fhir.format")


@pytest.mark.peer
def test_a_form_that_is_none_or_too_long_is_refused(standing: Node) -> None:
    url = f"{standing.base}/Patient/_search"
    outcome(standing.client.post(url, json={"family": "x"}), 415, "fhir.form")
    outcome(standing.client.post(url, data={"family": "x" * 100_000}), 400, "fhir.query-too-long")
    assert len(ids(valid(standing.client.post(url), 200, "Bundle"))) == 2


@pytest.mark.peer
def test_a_fault_of_ours_is_an_outcome_without_details(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Lefèvre")

    monkeypatch.setattr(door_module, "search", broken)
    response = node.get("/Patient?family=x")
    outcome(response, 500, "fhir.failed")
    (line,) = caplog.records
    assert (line.message, line.reason) == ("fhir request failed", "RuntimeError")  # type: ignore[attr-defined]  # extra
    assert line.where.startswith("test_fhir.py:")  # type: ignore[attr-defined]  # extra
    assert "Lef" not in response.text + caplog.text
    assert node.get("/Observation/hb-1").status_code == 200


@pytest.mark.peer
def test_too_many_searches_at_once_are_told_to_come_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "SEARCHES_MAX", 0)
    monkeypatch.setattr(door_module, "SEARCHES_WAITING_MAX", 0)
    outcome(node.get("/Patient?family=x"), 503, "fhir.busy")
    assert node.get("/Observation/hb-1").status_code == 200


@pytest.mark.peer
def test_searches_from_many_sides_at_once_are_all_answered(node: Node) -> None:
    answers: list[list[str]] = []

    def ask() -> None:
        with httpx.Client(headers=node.client.headers, timeout=30) as client:
            for _ in range(10):
                answers.append(ids(client.get(f"{node.base}/Observation?patient={ALICE}").json()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["hb-0", "hb-1", "hb-2", "hb-3", "hb-4"]] * 80
    assert node.audit.verify() == []
    assert len(node.audit.reads_of(ALICE)) == 80


@pytest.mark.peer
def test_a_client_that_goes_away_in_the_middle_of_its_form_harms_nobody(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    address = ("127.0.0.1", node.socket.getsockname()[1])
    with socket.create_connection(address) as peer:
        head = f"POST /fhir/Patient/_search HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {node.bearer}\r\n"
        peer.sendall(f"{head}Content-Length: 100\r\n\r\nfamily=".encode())
    assert node.get("/Observation/hb-1").status_code == 200
    assert caplog.records == []


@pytest.mark.peer
def test_views_that_are_being_rebuilt_are_a_sentence(node: Node, tmp_path: Path) -> None:
    (tmp_path / "views.db").rename(tmp_path / "elsewhere.db")
    for path in ("/Observation/hb-1", "/Patient?family=x"):
        assert "rebuilt" in outcome(node.get(path), 503, "record.no-views")
    (tmp_path / "elsewhere.db").rename(tmp_path / "views.db")
    assert node.get("/Observation/hb-1").status_code == 200


@pytest.mark.peer
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["Patient", "Observation", "Encounter", "AuditEvent", "Binary", "Nothing"]),
    raw=st.text("ab=&%20|,:._-$\\<>+?2024CFPatient", max_size=60)
    | st.lists(
        st.tuples(
            st.sampled_from(
                ["patient", "_id", "family", "birthdate", "_sort", "_include", "_cursor", "_count", "date"]
            ),
            st.sampled_from(["", ":exact", ":missing", ":not", ".family"]),
            st.text("abge2024-|,\\C3A9%", max_size=12),
        ).map(lambda part: f"{part[0]}{part[1]}={part[2]}"),
        max_size=4,
    ).map("&".join),
)
def test_no_query_is_ever_our_fault(standing: Node, kind: str, raw: str) -> None:
    url = httpx.URL(f"{standing.base}/{kind}").copy_with(query=raw.encode())
    response = standing.client.get(url)
    assert response.status_code in (200, 400, 404, 406)
    valid(response, response.status_code, "Bundle" if response.status_code == 200 else "OperationOutcome")
