"""releve report: situation reports, from what is measured to what named people publish.

    releve report FILE                    write a report of now, as it was drafted, in French and English
    releve report draft FILE              draft the next one for people to read, edit, approve and publish
    releve report show|edit|prepare|approve|publish|withdraw|list
    releve report send                    e-mails that wait for a relay; forms that a cut left unwritten
    releve report public FILE             the public status page, as static files

What each hospital sees comes from its own node's states (`--node DIR`, repeated); without any, this place asks every
service itself and says that it did. The journal of a restart (`releve restart --journal`) tells what came back when and
what the forecast may learn from.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from releve.clock import Instant, wall_us
from releve.config import load as load_node
from releve.errors import WrongUse
from releve.estate import Estate, load
from releve.node.folder import SERVICES_FILE, read_state
from releve.recovery.forecast import forecast, progress_of
from releve.recovery.journal import Happened, from_json
from releve.recovery.probe import Reading, probe
from releve.sitrep import (
    AUDIENCES,
    Edition,
    Loss,
    Measured,
    Person,
    Register,
    SituationReport,
    draft,
    earlier_forecasts,
    one_view,
    render_text,
    write,
)
from releve.sitrep.mail import deliver
from releve.sitrep.outbox import read_mail_rules, waiting
from releve.sitrep.public import write_public
from releve.sitrep.publishing import finish, publish
from releve.sitrep.register import printable

_PROBE_TIMEOUT_S = 3.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", metavar="FILE | ACTION", help=f"an estate file, or one of: {', '.join(_ACTIONS)} (see the manual)"
    )
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the estate file of an action that measures")
    parser.add_argument("--folder", type=Path, default=Path("reports"), metavar="DIR", help="where reports are kept")
    parser.add_argument(
        "--node", type=Path, action="append", default=[], metavar="DIR", help="a node whose states count"
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="journal of the restart so far")
    parser.add_argument("--next", type=float, default=60, metavar="MIN", help="minutes until the next report")
    parser.add_argument("--exercise", action="store_true", help="say on every page that this is an exercise")
    people = parser.add_argument_group("who, and which report")
    people.add_argument("--by", default="", metavar="NAME", help="the person who does it")
    people.add_argument("--role", default="", help="that person's function")
    people.add_argument("--number", type=int, metavar="N", help="of the report; left out, the open draft")
    people.add_argument("--reason", default="", help="withdraw: why")
    words = parser.add_argument_group("words and pages")
    words.add_argument("--section", default="", help="edit: back, out, care, emergency, cause, staff, advice, …")
    words.add_argument("--words", default="-", metavar="TEXT", help='edit: the words; "-" reads them from the input')
    words.add_argument("--lang", choices=("fr", "en"), default="fr", help="edit, show: which language")
    words.add_argument("--audience", choices=AUDIENCES, help="edit: for one audience; show: for whom")
    words.add_argument("--public", type=Path, default=Path("public"), metavar="DIR", help="public: where it is written")
    words.add_argument("--url", default="", help="public: where it is served, ending in /")


def run(options: argparse.Namespace) -> int:
    act = _ACTIONS.get(options.action)
    if act is not None:
        return act(options)
    if options.file is not None:
        raise WrongUse(
            "report.no-action", f"{options.action!r} is no action of releve report; known are {', '.join(_ACTIONS)}."
        )
    options.file = Path(options.action)
    options.folder.mkdir(parents=True, exist_ok=True)
    written = write(_measure(options), options.folder)
    for path in (*written.html.values(), *written.text.values()):
        print(path)
    return 0


def _draft(options: argparse.Namespace) -> int:
    by = _person(options) if options.by else None
    return _told(Register(options.folder).draft(_measure(options), by=by))


def _show(options: argparse.Namespace) -> int:
    register = Register(options.folder)
    sys.stdout.write(
        render_text(register.edition(_number(register, options)), options.lang, options.audience or "cell")
    )
    return 0


def _edit(options: argparse.Namespace) -> int:
    register = Register(options.folder)
    words = sys.stdin.read() if options.words == "-" else options.words
    edition = register.edit(
        _number(register, options),
        options.section,
        options.lang,
        words,
        by=_person(options),
        at=wall_us(),
        audience=options.audience or "",
    )
    for line in edition.edits[-1].diff() if edition.edits else []:
        print(line)
    return _told(edition)


def _prepare(options: argparse.Namespace) -> int:
    register = Register(options.folder)
    return _told(register.prepare(_number(register, options), by=_person(options), at=wall_us()))


def _approve(options: argparse.Namespace) -> int:
    register = Register(options.folder)
    return _told(register.approve(_number(register, options), by=_person(options), at=wall_us()))


def _publish(options: argparse.Namespace) -> int:
    register = Register(options.folder)
    edition = publish(register, _number(register, options), by=_person(options), at=wall_us())
    for path in sorted(options.folder.glob(f"sitrep-{edition.sheet.number:04}.*")):
        print(path)
    _send_waiting(options.folder)
    return _told(edition)


def _withdraw(options: argparse.Namespace) -> int:
    register = Register(options.folder)
    number = _number(register, options)
    return _told(register.withdraw(number, by=_person(options), at=wall_us(), reason=options.reason))


def _list(options: argparse.Namespace) -> int:
    for edition in Register(options.folder).editions():
        _told(edition)
    return 0


def _send(options: argparse.Namespace) -> int:
    for number in finish(Register(options.folder)):
        print(f"report {number}: its files are written")
    return _send_waiting(options.folder)


def _public(options: argparse.Namespace) -> int:
    rules = read_mail_rules(options.folder)
    sender = rules.sender if rules is not None else "releve"
    editions = [one for one in Register(options.folder).editions() if one.published is not None]
    report = replace(_measure(options), forecast=None)
    for path in write_public(options.public, report, editions, url=options.url, sender=sender):
        print(path)
    return 0


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "draft": _draft,
    "show": _show,
    "edit": _edit,
    "prepare": _prepare,
    "approve": _approve,
    "publish": _publish,
    "withdraw": _withdraw,
    "list": _list,
    "send": _send,
    "public": _public,
}


def _told(edition: Edition) -> int:
    """Print how a report stands, on one line."""
    signed = [
        f"{verb} by {one.by.text}"
        for verb, one in (
            ("prepared", edition.prepared),
            ("approved", edition.authorized),
            ("published", edition.published),
        )
        if one is not None
    ]
    sheet = edition.sheet
    print(f"report {sheet.number}, draft {sheet.version}: {'; '.join([edition.status, *signed])} - {sheet.headline.en}")
    return 0


def _send_waiting(folder: Path) -> int:
    """Send what waits for a relay; 1 when a relay refused something for good."""
    rules = read_mail_rules(folder)
    if rules is None:
        return 0
    for one in asyncio.run(deliver(folder, rules, wall_us())):
        print(f"mail {one.name}: {'sent' if one.sent else f'waits: {one.last}'}")
    refused = [one for one in waiting(folder) if one.refused]
    for message in refused:
        print(f"mail {message.name}: refused for {', '.join(message.recipients)}: {message.last}", file=sys.stderr)
    return 1 if refused else 0


def _person(options: argparse.Namespace) -> Person:
    return Person(printable(options.by).strip(), printable(options.role).strip())


def _number(register: Register, options: argparse.Namespace) -> int:
    if options.number is not None:
        return int(options.number)
    opened = register.opened()
    if opened is None:
        raise WrongUse(
            "report.no-draft", f"There is no open draft in {options.folder}. Begin with: releve report draft FILE"
        )
    return opened.sheet.number


def _measure(options: argparse.Namespace) -> SituationReport:
    """Return a report of now, drafted from what is measured."""
    if options.file is None:
        raise WrongUse("report.no-file", f"releve report {options.action} needs the estate file.")
    estate = load(options.file)
    readings = asyncio.run(_ask_all(estate))
    at = wall_us()
    journal = _read_journal(options.journal) if options.journal else []
    losses = [Loss(unit, reading.at, None, reading.detail) for unit, reading in readings.items() if not reading.ok]
    measured = [one for node in options.node for one in _of_node(node)] or one_view(estate, readings)
    expected = None
    if losses and all(_has_duration(estate, loss.unit) for loss in losses):
        rng = Random(at)  # noqa: S311 - draws of a simulation
        expected = forecast(estate, progress_of(estate, journal, at), at, rng)
    return draft(
        estate,
        number=Register(options.folder).free_number(),
        at=at,
        next_at=at + round(options.next * 60_000_000),
        measured=measured,
        losses=losses,
        journal=journal,
        forecast=expected,
        earlier=earlier_forecasts(options.folder),
        is_exercise=options.exercise,
    )


def _has_duration(estate: Estate, unit: str) -> bool:
    """Say whether the estate tells how long a unit takes to come back; without that no date is given at all."""
    known = estate.units[unit]
    return known.duration is not None or known.start is not None


async def _ask_all(estate: Estate) -> dict[str, Reading]:
    units = [unit for unit in estate.units.values() if unit.probe]
    readings = await asyncio.gather(*(probe(str(unit.probe), _PROBE_TIMEOUT_S) for unit in units))
    return {unit.id: reading for unit, reading in zip(units, readings, strict=True)}


def _of_node(folder: Path) -> list[Measured]:
    """Return what a hospital's node last wrote of the services it watches."""
    config = load_node(folder)
    states = read_state(config.folder / SERVICES_FILE)
    if not isinstance(states, list):
        raise WrongUse("report.no-states", f"The node in {folder} has measured nothing yet; it must have run.")
    return [
        Measured(one["id"], config.site_id, one["state"], _instant(one["since"]), one["checked_at"], one["reason"])
        for one in states
    ]


def _instant(value: int) -> Instant | None:
    return value or None


def _read_journal(path: Path) -> list[Happened]:
    try:
        return [from_json(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise WrongUse("report.no-journal", f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError) as error:
        raise WrongUse("report.bad-journal", f"{path} is no journal of a restart: {error}.") from error
