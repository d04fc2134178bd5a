"""chart: the chart page over HTTP in a full node, beside the same page in an empty one; quiet, and behind full intake.

The full node holds 100,000 patients and 5 million results, taken in through translation, log and fold like any other
(only the sockets are left out). The empty node holds one patient with as many results as the others have on average.
A reader signs in as a nurse would and asks for charts of patients drawn from a seed, one after the other. The views lie
in the machine's memory, as they do in a node that has been up since it wrote them; on the first day after a restart of
the machine the first look at a patient costs some reads from the disk on top.
"""

from __future__ import annotations

import http.client
import multiprocessing
import random
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from zoneinfo import ZoneInfo

from releve.bench.load import send_on_many
from releve.bench.messages import Traffic, frame
from releve.bench.running import RunningNode, running_node
from releve.config import load
from releve.errors import Refused, ReleveError
from releve.ids import computed_id
from releve.log import Ledger, Log, Receipt
from releve.node.folder import make_folder, signing_key
from releve.node.intake import Intake
from releve.record import Archive
from releve.ward.accounts import Accounts
from releve.wire.hl7v2 import parse

PATIENTS = 100_000
RESULTS = 5_000_000
_PANEL = 8  # results of one message: 625,000 messages make 5 million
_SEED = 2024
_NAME, _PASSWORD = "bench", "Une-nuit-sans-centre-2024"
_FLOOD_CONNECTIONS = 16
_IN_FLIGHT_MAX = 4096


@dataclass(frozen=True)
class ChartFigures:
    """Milliseconds, and the ratios that are promised."""

    patients: int
    results: int
    requests: int
    empty_p50_ms: float
    empty_p99_ms: float
    full_p50_ms: float
    full_p99_ms: float
    busy_p50_ms: float
    busy_p99_ms: float
    ratio_p50: float
    ratio_p99: float
    ratio_busy_p99: float
    intake_meanwhile_per_s: float
    page_bytes: int
    views_bytes: int
    log_bytes: int


def measure(
    folder: Path, *, patients: int = PATIENTS, results: int = RESULTS, requests: int = 2000, say: Callable[[str], None]
) -> ChartFigures:
    """Fill two nodes in a folder, run them, and time the chart page; a node that is there already is used again.

    raises  Refused  a page was not served
    """
    empty, full = folder / "empty", folder / "full"
    fill(empty, 1, results // patients, say)
    fill(full, patients, results, say)
    for node in (empty, full):
        _bring_into_memory(node / "views.db")
    with running_node(empty) as small, running_node(full) as large:
        small_reader, large_reader = Reader(small, 1), Reader(large, patients)
        for reader in (small_reader, large_reader):
            reader.times_ms(200)  # warm: caches, branch predictors, the first reads from the disk
        small_ms: list[float] = []
        large_ms: list[float] = []
        for _ in range(4):  # in turn, so that both share whatever else the machine does
            small_ms += small_reader.times_ms(requests // 4)
            large_ms += large_reader.times_ms(requests // 4)
        say("  quiet rounds done; now behind intake at full speed")
        with Flood(large, patients) as flood:
            busy_ms = large_reader.times_ms(requests)
        page_bytes = large_reader.page_bytes
        small_reader.close()
        large_reader.close()
    return ChartFigures(
        patients=patients,
        results=results,
        requests=requests,
        empty_p50_ms=_quantile(small_ms, 0.5),
        empty_p99_ms=_quantile(small_ms, 0.99),
        full_p50_ms=_quantile(large_ms, 0.5),
        full_p99_ms=_quantile(large_ms, 0.99),
        busy_p50_ms=_quantile(busy_ms, 0.5),
        busy_p99_ms=_quantile(busy_ms, 0.99),
        ratio_p50=_quantile(large_ms, 0.5) / _quantile(small_ms, 0.5),
        ratio_p99=_quantile(large_ms, 0.99) / _quantile(small_ms, 0.99),
        ratio_busy_p99=_quantile(busy_ms, 0.99) / _quantile(large_ms, 0.99),
        intake_meanwhile_per_s=flood.rate,
        page_bytes=page_bytes,
        views_bytes=(full / "views.db").stat().st_size,
        log_bytes=(full / "log.db").stat().st_size,
    )


def fill(folder: Path, patients: int, results: int, say: Callable[[str], None]) -> None:
    """Make a node and take in so many results of so many patients, each admitted first.

    Nothing is done for a folder whose views are complete.
    """
    if (folder / "filled").exists():
        return
    make_folder(folder, "H01", "Banc", http="127.0.0.1:0", mllp="127.0.0.1:0")
    Accounts(folder).add(_NAME, "Banc d’essai", "nurse", _PASSWORD)
    config = load(folder)
    log = Log(folder, config.site_id, signing_key(folder))
    _take_in(log, config.zone, _history(patients, results), patients + results // _PANEL, say)
    log.close()
    archive = Archive(folder)
    began = folded = 0
    began_at = time.monotonic()
    while count := archive.fold_new(2000):
        folded += count
        if folded // 50_000 > began:
            began = folded // 50_000
            say(f"  folded {folded:,} messages, {folded / (time.monotonic() - began_at):,.0f}/s")
    archive.close()
    (folder / "filled").touch()


def _bring_into_memory(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(2**24):
            pass


def _history(patients: int, results: int) -> Iterator[bytes]:
    traffic = Traffic(_SEED, patients)
    for patient in range(patients):
        yield traffic.admission(patient, "A01")
    for number in range(results // _PANEL):
        yield traffic.results(number % patients, _PANEL)


def _take_in(log: Log, zone: ZoneInfo, messages: Iterator[bytes], total: int, say: Callable[[str], None]) -> None:
    """Translate and keep messages as the desk does, without sockets."""
    room = threading.Semaphore(_IN_FLIGHT_MAX)
    refusals: list[ReleveError] = []

    def done(outcome: Receipt | ReleveError) -> None:
        room.release()
        if isinstance(outcome, ReleveError):
            refusals.append(outcome)

    intake = Intake(log.append, zone, production=True)
    began_at = time.monotonic()
    for number, raw in enumerate(messages, 1):
        room.acquire()
        intake.receive(parse(raw), "bench", done)
        if number % 50_000 == 0:
            say(f"  taken in {number:,} of {total:,} messages, {number / (time.monotonic() - began_at):,.0f}/s")
    for _ in range(_IN_FLIGHT_MAX):
        room.acquire()
    if refusals:
        raise refusals[0]


class Reader:
    """A signed-in person who asks for one chart after the other."""

    def __init__(self, node: RunningNode, patients: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=30)
        self._random = random.Random(_SEED)  # noqa: S311 - which chart is asked for next
        self._patients = patients
        self.page_bytes = 0
        self._cookie = self._sign_in()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def times_ms(self, count: int) -> list[float]:
        """Ask for so many charts and return how long each took."""
        times = []
        for _ in range(count):
            number = f"{self._random.randrange(self._patients):09}"
            path = f"/patient/{computed_id('Patient', 'urn:oid:1.2.250.1.999.1', number)}"
            began = time.perf_counter()
            self._connection.request("GET", path, headers={"Cookie": self._cookie, "Accept-Encoding": "gzip"})
            answer = self._connection.getresponse()
            self.page_bytes = len(answer.read())
            times.append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise Refused("bench.page", f"{path} was answered by {answer.status}.")
        return times

    def _sign_in(self) -> str:
        page = self._get("/login")
        form = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page[1]))
        form.update(name=_NAME, password=_PASSWORD)
        body = urllib.parse.urlencode(form)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Sec-Fetch-Site": "same-origin",
            "Cookie": page[0],
        }
        self._connection.request("POST", "/login", body, headers)
        answer = self._connection.getresponse()
        answer.read()
        cookies = _cookies(answer, page[0])
        if answer.status not in (302, 303):
            raise Refused("bench.sign-in", f"The node did not let the reader sign in: {answer.status}.")
        return cookies

    def _get(self, path: str) -> tuple[str, str]:
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        return _cookies(answer, ""), text


def _cookies(answer: http.client.HTTPResponse, before: str) -> str:
    new = [value.split(";", 1)[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    return "; ".join([part for part in (before, *new) if part])


class Flood:
    """Intake at full speed, on many connections, for as long as the block lasts; in a process of its own.

    Its messages begin where the node's log ends, so that a node that is used again does not take them for repetitions.
    """

    def __init__(self, node: RunningNode, patients: int) -> None:
        context = multiprocessing.get_context("fork")
        self._told, telling = context.Pipe(duplex=False)
        self._stopping = context.Event()
        ledger = Ledger(node.folder)
        first = ledger.last_pos()
        ledger.close()
        self._process = context.Process(
            target=_flood, args=(node.mllp_port, patients, first, self._stopping, telling), daemon=True
        )
        self.rate = 0.0

    def __enter__(self) -> Flood:
        self._process.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._stopping.set()
        self.rate = self._told.recv()
        self._process.join()
        self._told.close()


def _flood(port: int, patients: int, first: int, stopping: Event, telling: Connection) -> None:
    """Send until told to stop; then tell how many messages a second were acknowledged."""
    sent, took_s, seed = 0, 0.0, first
    while not stopping.is_set():
        frames = [frame(message) for message in Traffic(seed, patients, after_s=seed * 1000).messages(2000)]
        took_s += send_on_many(port, frames, _FLOOD_CONNECTIONS)
        sent += len(frames)
        seed += 2
    telling.send(sent / took_s if took_s else 0.0)
    telling.close()


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(figures: ChartFigures) -> list[str]:
    """Return the figures as lines: what was measured, beside what, what was to be reached."""
    f = figures
    return [
        f"{f.patients:,} patients, {f.results:,} results; views {f.views_bytes / 1e9:.1f} GB, "
        f"log {f.log_bytes / 1e9:.1f} GB; page {f.page_bytes:,} bytes gzipped; {f.requests:,} requests each",
        f"empty node                        p50 {f.empty_p50_ms:6.2f} ms   p99 {f.empty_p99_ms:6.2f} ms",
        f"full node                         p50 {f.full_p50_ms:6.2f} ms   p99 {f.full_p99_ms:6.2f} ms"
        f"   = {f.ratio_p50:.2f} / {f.ratio_p99:.2f} of empty, to reach 1.50 at most",
        f"full node, intake at full speed   p50 {f.busy_p50_ms:6.2f} ms   p99 {f.busy_p99_ms:6.2f} ms"
        f"   = {f.ratio_busy_p99:.2f} of quiet p99, to reach 3.00 at most; "
        f"{f.intake_meanwhile_per_s:,.0f} messages/s meanwhile",
    ]


def as_json(figures: ChartFigures) -> dict[str, object]:
    """Return the figures as plain values."""
    return asdict(figures)
