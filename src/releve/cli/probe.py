"""releve probe URL…: ask once, in the server's own protocol, and say what came; --estate asks all of an estate.

For three o'clock at night: is it the server, the network, or us? Exit 0 when everything works, 1 when something does
not, 2 when an address cannot be asked.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from releve.clock import wall_us
from releve.errors import WrongUse
from releve.estate import load
from releve.recovery.probe import Reading, probe
from releve.recovery.probe.reading import WORKING

#: Open at once: a whole estate is asked within seconds, and does not feel it.
ASKING_MAX = 100

_MARKS = {"up": "✓", "weak": "!", "starting": "…", "battery": "!"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "urls",
        nargs="*",
        metavar="URL",
        help="such as dicom://10.0.0.7:104/ARCHIVE, tls://mail.example:993, snmp://ups-a?community=public",
    )
    parser.add_argument("--estate", type=Path, metavar="FILE", help="ask every unit of an estate file that has a probe")
    parser.add_argument("--timeout", type=float, default=3.0, metavar="S", help="seconds for each answer (3)")


def run(options: argparse.Namespace) -> int:
    if bool(options.urls) == bool(options.estate):
        raise WrongUse("probe.what", "Give addresses to probe, or --estate FILE; one of the two.")
    if options.timeout <= 0:
        raise WrongUse("probe.timeout", f"--timeout must be more than 0; found {options.timeout:g}.")
    if options.urls:
        asked = [("", url) for url in options.urls]
    else:
        asked = [(unit.id, unit.probe) for unit in load(options.estate).units.values() if unit.probe]
        if not asked:
            raise WrongUse("probe.none", f"No unit of {options.estate} has a probe; nothing was asked.")
    readings = asyncio.run(_ask_all(asked, options.timeout))
    names = [name for name, _ in asked]
    print("\n".join(_lines(names, readings)))
    works = sum(reading.state in WORKING for reading in readings)
    if len(readings) > 1:
        print(f"{works} of {len(readings)} work.")
    return 0 if works == len(readings) else 1


async def _ask_all(asked: Sequence[tuple[str, str]], timeout_s: float) -> list[Reading]:
    room = asyncio.Semaphore(ASKING_MAX)

    async def ask(unit: str, url: str) -> Reading:
        async with room:
            try:
                return await probe(url, timeout_s)
            except WrongUse as error:
                if not unit:
                    raise
                # One wrong line of an estate must not hide what the others say.
                return Reading(unit, "unasked", error.sentence, 0.0, wall_us())

    return await asyncio.gather(*(ask(unit, url) for unit, url in asked))


def _lines(names: Sequence[str], readings: Sequence[Reading]) -> list[str]:
    """Return a line for each reading, in columns; a state is a sign and a word, never a colour alone."""
    shown = [name or reading.url for name, reading in zip(names, readings, strict=True)]
    width = max(len(text) for text in shown)
    return [
        f"{_MARKS.get(reading.state, '✗')} {text:{width}}  {reading.state:8}  {reading.took_s * 1000:7.1f} ms  "
        f"{reading.detail}"
        for text, reading in zip(shown, readings, strict=True)
    ]
