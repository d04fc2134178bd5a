"""What is heavy about a recovery, done in a process of its own: the plan, the runbook on paper, the forecast, the
public page and the files of a report. The posts of a node wait for none of it.

    python -m releve.node.outlook plan NODE       recovery/plan.json, recovery/runbook.fr.pdf and .en.pdf
    python -m releve.node.outlook forecast NODE   one more line of recovery/forecasts.jsonl
    python -m releve.node.outlook pages NODE      public/, a draft when one is due, files and e-mails of reports
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from releve.board.drafting import for_public, situation_report
from releve.board.recovery import PLAN_FILE, Recovery, RecoveryReader
from releve.clock import Instant, wall_us
from releve.config import Config
from releve.config import load as load_config
from releve.errors import ReleveError
from releve.node.folder import RECOVERY_FOLDER, SERVICES_FILE
from releve.node.mirror import REPORTS_FOLDER, Mirror
from releve.node.published import by_hour, others_published
from releve.node.recovery import Sightings
from releve.node.ward import StateFile
from releve.record import Views
from releve.recovery.folder import RecoveryFolder
from releve.recovery.forecast import forecast, progress_of
from releve.recovery.plan import make_plan
from releve.screen import ServiceState
from releve.sitrep import Register, due
from releve.sitrep.folder import put
from releve.sitrep.mail import deliver
from releve.sitrep.outbox import read_mail_rules
from releve.sitrep.public import write_public
from releve.sitrep.publishing import finish
from releve.sitrep.runbook import runbook
from releve.sitrep.wording import LANGS

PUBLIC_FOLDER = "public"

#: A forecast is made when the journal has something new, and not more often than this: people read minutes.
FORECAST_EVERY_S = 30.0
#: The public page says its age; it is written anew so often while something is out, and so often when nothing is.
PAGES_EVERY_S, PAGES_QUIET_S = 60.0, 600.0
#: A job that takes longer hangs: two thousand steps take seconds.
JOB_S_MAX = 180.0
_LOOK_S = 1.0

_log = logging.getLogger(__name__)


@dataclass
class Round:
    """When each job was done last, and of what; due() says which is next.

    plan_of      mark of the estate file the plan was made of
    lines        of the journal, when the last forecast was made
    register_of  mark of the register, when pages were written
    """

    plan_of: object = None
    lines: int = -1
    register_of: object = None
    forecast_at_s: float = -1e9
    pages_at_s: float = -1e9

    def due(self, now_s: float, *, estate: object, register: object, lines: int, is_own_run: bool, is_out: bool) -> str:
        """Return the job that is due, "" for none; it counts as done from now on."""
        if estate is None:
            return ""
        if estate != self.plan_of:
            self.plan_of = estate
            return "plan"
        if is_own_run and lines != self.lines and now_s - self.forecast_at_s >= FORECAST_EVERY_S:
            self.lines, self.forecast_at_s = lines, now_s
            return "forecast"
        every_s = PAGES_EVERY_S if is_out else PAGES_QUIET_S
        if register != self.register_of or now_s - self.pages_at_s >= every_s:
            self.register_of, self.pages_at_s = register, now_s
            return "pages"
        return ""


async def keep_outlook(config: Config, mirror: Mirror) -> None:
    """Have done what is due, one job at a time, for as long as the courier works."""
    turn = Round()
    clock = asyncio.get_running_loop().time
    services = StateFile(config.folder / SERVICES_FILE, list[ServiceState])
    while True:
        job = turn.due(
            clock(),
            estate=_mark(config.estate.file),
            register=_mark(config.folder / REPORTS_FOLDER / "register.jsonl"),
            lines=mirror.lines_seen,
            is_own_run=mirror.is_own_run() and mirror.is_running,
            is_out=mirror.is_running or any(one.state != "normal" for one in services.read()),
        )
        if job and not await _have_done(job, config.folder):
            # What stood there before still stands there, with its hour. A plan is tried again; the others have a turn.
            turn.plan_of = None if job == "plan" else turn.plan_of
            await asyncio.sleep(PAGES_EVERY_S)
        await asyncio.sleep(_LOOK_S)


async def _have_done(job: str, folder: Path) -> bool:
    """Have a job done by a process of its own; say whether it was."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, job, str(folder), stdin=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        _log.warning("job of the recovery not begun", extra={"job": job, "reason": error.strerror})
        return False
    try:
        code = await asyncio.wait_for(process.wait(), JOB_S_MAX)
    except TimeoutError:
        code = -1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        _log.warning("job of the recovery not done", extra={"job": job, "exit": code})
    return code == 0


def run(job: str, folder: Path, at: Instant) -> None:
    """Do one job.

    raises  WrongUse, StoreUnable, Refused  it could not be done; what was there before is as it was
    """
    config = load_config(folder)
    views = Views(folder)
    try:
        services = StateFile(folder / SERVICES_FILE, list[ServiceState])
        sightings = Sightings(config.site_id, folder / RECOVERY_FOLDER, views, services.read)
        recovery = RecoveryReader(
            folder / RECOVERY_FOLDER, sightings.measured, sightings.units, config.estate.file
        ).read()
    finally:
        views.close()
    if recovery.estate is not None:
        _JOBS[job](config, recovery, at)


def _plan(config: Config, recovery: Recovery, at: Instant) -> None:
    assert recovery.estate is not None
    plan = make_plan(recovery.estate)
    put(config.folder / RECOVERY_FOLDER / PLAN_FILE, msgspec.json.encode(plan))
    for lang in LANGS:
        put(config.folder / RECOVERY_FOLDER / f"runbook.{lang}.pdf", runbook(recovery.estate, plan, lang, at))


def _forecast(config: Config, recovery: Recovery, at: Instant) -> None:
    assert recovery.estate is not None
    progress = progress_of(recovery.estate, recovery.run(), at)
    priority = recovery.plan.priority if recovery.plan is not None else None
    made = forecast(recovery.estate, progress, at, Random(at), priority=priority)  # noqa: S311 - a simulation
    RecoveryFolder(config.folder / RECOVERY_FOLDER).publish(made)


def _pages(config: Config, recovery: Recovery, at: Instant) -> None:
    register = Register(config.folder / REPORTS_FOLDER)
    finish(register)
    report = situation_report(recovery, at, own=config.site_id, every_s=config.estate.every_s)
    editions = register.editions()
    # The first draft is made where the crisis cell sits, or when a person asks; after that the hour and the facts ask.
    newest = editions[0] if editions else None
    if newest is None:
        is_due = config.estate.drafts and bool(due(None, report, at))
    else:
        is_due = newest.status != "approved" and bool(due(newest.sheet, report, at))  # a new draft voids an approval
    if is_due:
        register.draft(report)
        editions = register.editions()
    own = [(config.site_id, one) for one in editions if one.published is not None]
    published = by_hour([*own, *others_published(config.folder / RECOVERY_FOLDER)])
    is_out = report.phase in ("cut", "restart")
    rules = read_mail_rules(register.folder)
    write_public(
        config.folder / PUBLIC_FOLDER,
        for_public(report),
        [one for _, one in published],
        renew_s=PAGES_EVERY_S if is_out else PAGES_QUIET_S,
        sender=rules.sender if rules is not None else "releve",
    )
    if rules is not None:
        asyncio.run(deliver(register.folder, rules, at))


_JOBS = {"plan": _plan, "forecast": _forecast, "pages": _pages}


def _mark(path: Path) -> object:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


if __name__ == "__main__":
    try:
        run(sys.argv[1], Path(sys.argv[2]), wall_us())
    except ReleveError as error:
        _log.error("job of the recovery refused", extra={"job": sys.argv[1], "code": error.code})
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
