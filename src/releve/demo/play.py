"""Playing the night from the command line: where it is shown, where it lies, what it returns."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from releve.demo.hospitals import HOSPITALS
from releve.demo.night import SHORT, Hours, Night, Settings
from releve.demo.sentences import Lang, language
from releve.demo.stage import DOCTOR, Stage
from releve.demo.verdict import Verdict, encode_verdict, render_verdict
from releve.demo.view import View
from releve.errors import WrongUse

SEED = 20240803


@dataclass(frozen=True)
class Choice:
    """What somebody chose on the command line.

    folder   None makes one among the temporary files; of a night that went well only the reports are left there
    keep     leave everything running after the verdict, until Ctrl-C
    is_short a compressed night, for tests
    """

    hospitals: int = 3
    seed: int = SEED
    folder: Path | None = None
    json: Path | None = None
    keep: bool = False
    is_short: bool = False
    is_plain: bool = False
    lang: Lang | None = None


def play(choice: Choice, console: Console | None = None) -> int:
    """Play the night, show it, print the verdict; 0 only when nothing was lost or doubled and every read was served.

    raises  WrongUse  a number of hospitals that the group does not have, or a folder that holds something
    """
    if not 1 <= choice.hospitals <= len(HOSPITALS):
        raise WrongUse(
            "demo.hospitals", f"--hospitals must be 1 to {len(HOSPITALS)}, as the group has; found {choice.hospitals}."
        )
    folder = _folder(choice)
    console = console or Console(highlight=False)
    lang = choice.lang or language()
    hospitals = HOSPITALS[: choice.hospitals]
    is_plain = choice.is_plain or not console.is_terminal
    hours = SHORT if choice.is_short else Hours()
    with View(hospitals, lang, console, is_plain=is_plain) as view:
        night = Night(Settings(choice.hospitals, choice.seed, folder, hours), view)

        async def then(stage: Stage, verdict: Verdict) -> None:
            view.close()
            _show(verdict, choice, console, lang)
            if choice.keep:
                await _keep(stage, view)

        verdict = asyncio.run(night.play(then))
    if choice.folder is None and verdict.is_good:
        _leave_reports(folder)
    return 0 if verdict.is_good else 1


def _folder(choice: Choice) -> Path:
    if choice.folder is None:
        return Path(tempfile.mkdtemp(prefix="releve-demo-"))
    folder = choice.folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise WrongUse(
            "demo.folder", f"{folder} is not empty. The night needs a folder of its own; nothing was changed."
        )
    return folder


def _leave_reports(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and path.name != "reports":
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file():
            path.unlink()


def _show(verdict: Verdict, choice: Choice, console: Console, lang: Lang) -> None:
    console.print(render_verdict(verdict, lang), markup=False, soft_wrap=True)
    if choice.json is not None:
        choice.json.write_bytes(encode_verdict(verdict))


async def _keep(stage: Stage, view: View) -> None:
    """Leave everything running, the feeds too, until Ctrl-C or SIGTERM."""
    for path in stage.quiet_files():
        path.unlink(missing_ok=True)
    urls = " ".join(ward.url for ward in stage.wards)
    view.tell("kept_running", urls=urls, user=DOCTOR, password=stage.wards[0].password)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
