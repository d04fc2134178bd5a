"""intake: durable, translated and folded messages a second.

Beside (a) python-hl7's own MLLP server, which parses and answers and keeps nothing, and (b) the physical limit of a
server that keeps before it answers: frame + write + fdatasync + ACK, one message at a time on one connection.

A round sends the same kind of traffic to all three, one after the other, so that they share whatever the disk and the
other tenants of the machine do. The node's clock runs until the last message is folded into its views, not only
acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from releve.bench.load import send_on_many, send_one_by_one
from releve.bench.messages import Traffic, frame
from releve.bench.rivals import limit_server, serve_python_hl7
from releve.bench.running import running_node, running_rival
from releve.errors import Refused
from releve.log import Ledger
from releve.node.reception import unfinished
from releve.record import Views

CONNECTIONS = 16
#: People spoken of in a day: a hospital of 500 beds sees 600 a day and has results of some weeks coming in.
_PATIENTS = 2000
_WARM_UP = 500
_LATER = 0.5  # within a round the many connections come after the one
_FOLD_WAIT_S = 120.0
_RIVAL_SHARE = 20  # python-hl7 is slow: it gets a twentieth of the messages, its rate is per second all the same


@dataclass(frozen=True)
class IntakeFigures:
    """Messages a second, medians over the rounds, and the ratios that are promised."""

    python_hl7_per_s: float
    limit_per_s: float
    one_connection_per_s: float
    many_connections_per_s: float
    ratio_one_to_limit: float
    ratio_many_to_limit: float
    ratio_one_to_python_hl7: float
    rounds: list[dict[str, float]]
    messages: int
    message_bytes_mean: float


def measure(folder: Path, *, messages: int = 20_000, rounds: int = 3, say: Callable[[str], None]) -> IntakeFigures:
    """Measure intake in a folder that is on the disk in question.

    raises  Refused  a server refused a message, or the views did not follow
    """
    taken: list[dict[str, float]] = []
    sizes: list[int] = []
    with (
        running_node(folder / "node") as node,
        running_rival(serve_python_hl7) as rival_port,
        running_rival(limit_server(folder / "limit.bin")) as limit_port,
    ):
        views, ledger = Views(node.folder), Ledger(node.folder)
        send_one_by_one(node.mllp_port, _frames(0, _WARM_UP))
        _until_quiet(node.folder)
        for number in range(1, rounds + 1):
            frames = _frames(number, messages)
            sizes.extend(map(len, frames))
            few = frames[: max(200, messages // _RIVAL_SHARE)]
            rates = {"python_hl7": len(few) / send_one_by_one(rival_port, few)}
            rates["limit"] = len(frames) / send_one_by_one(limit_port, frames)
            rates["one"] = len(frames) / _until_folded(
                views,
                ledger.last_pos() + len(frames),
                lambda frames=frames: send_one_by_one(node.mllp_port, frames),  # type: ignore[misc]  # bound at once
            )
            frames = _frames(number + _LATER, messages)
            rates["many"] = len(frames) / _until_folded(
                views,
                ledger.last_pos() + len(frames),
                lambda frames=frames: send_on_many(node.mllp_port, frames, CONNECTIONS),  # type: ignore[misc]  # bound at once
            )
            taken.append(rates)
            say("  round {}: {}".format(number, "  ".join(f"{name} {rate:,.0f}/s" for name, rate in rates.items())))
    return _figures(taken, messages, sum(sizes) / len(sizes))


def _figures(taken: list[dict[str, float]], messages: int, bytes_mean: float) -> IntakeFigures:
    def middle(name: str) -> float:
        return median(rates[name] for rates in taken)

    def ratio(name: str, other: str) -> float:
        return median(rates[name] / rates[other] for rates in taken)

    return IntakeFigures(
        python_hl7_per_s=middle("python_hl7"),
        limit_per_s=middle("limit"),
        one_connection_per_s=middle("one"),
        many_connections_per_s=middle("many"),
        ratio_one_to_limit=ratio("one", "limit"),
        ratio_many_to_limit=ratio("many", "limit"),
        ratio_one_to_python_hl7=ratio("one", "python_hl7"),
        rounds=taken,
        messages=messages,
        message_bytes_mean=bytes_mean,
    )


def _frames(seed: float, count: int) -> list[bytes]:
    """Return messages of an hour of their own: what is sent later happened later, as in a hospital."""
    traffic = Traffic(int(seed * 10), _PATIENTS, after_s=int(seed * 2) * 500_000)
    return [frame(message) for message in traffic.messages(count)]


def _until_folded(views: Views, last: int, send: Callable[[], float]) -> float:
    """Return the seconds from the first message until all are acknowledged and folded, up to a position of the log."""
    began = time.perf_counter()
    send()
    while views.position() < last:
        if time.perf_counter() - began > _FOLD_WAIT_S:
            raise Refused("bench.fold", f"The views stand at {views.position()} of {last} after {_FOLD_WAIT_S:g} s.")
        time.sleep(0.002)
    return time.perf_counter() - began


def _until_quiet(folder: Path) -> None:
    """Wait until everything that was acknowledged is an event of the log."""
    while unfinished(folder):
        time.sleep(0.002)


def report(figures: IntakeFigures) -> list[str]:
    """Return the figures as lines: what was measured, beside what, what was to be reached."""
    return [
        f"messages of {figures.message_bytes_mean:,.0f} bytes on average, {figures.messages:,} a round",
        f"(a) python-hl7's server, nothing kept, 1 connection     {figures.python_hl7_per_s:>9,.0f}/s",
        f"(b) limit: frame + fdatasync + ACK, 1 connection        {figures.limit_per_s:>9,.0f}/s",
        f"    Relève, kept, translated, folded, 1 connection      {figures.one_connection_per_s:>9,.0f}/s"
        f"   = {figures.ratio_one_to_limit:.2f} of (b), to reach 0.50; {figures.ratio_one_to_python_hl7:.1f} of (a)",
        f"    Relève, kept, translated, folded, {CONNECTIONS} connections    {figures.many_connections_per_s:>9,.0f}/s"
        f"   = {figures.ratio_many_to_limit:.2f} of (b), to reach 1.00",
    ]


def as_json(figures: IntakeFigures) -> dict[str, object]:
    """Return the figures as plain values."""
    return asdict(figures)
